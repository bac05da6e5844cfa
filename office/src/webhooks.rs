//! Telling other systems of hand-overs: from the database's outbox, at least once, in order for each consignment.
//!
//! A delivery is a POST of JSON. `X-Locker-Delivery` is the same in every try, of a database restored from a backup too, so that a
//! receiver takes it once; `X-Locker-Signature` is `sha256=` and the HMAC-SHA-256 of the body under the webhook's secret, in hexadecimal
//! digits. Anything but 2xx is tried again.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use office_protocol::{CabinetId, Digest, Event, Personal};
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::clock;
use crate::database::outbox::Delivery;
use crate::database::{DatabaseError, personal};
use crate::hub::Hub;
use crate::settings::Webhook;

const WAIT_MIN_MS: i64 = 1_000;
const WAIT_MAX_MS: i64 = 600_000;
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// After this another hub may send what this one has taken; longer than any request takes.
const CLAIM_MS: i64 = 60_000;

/// Serves one webhook for ever.
pub async fn run(hub: Arc<Hub>, webhook: Webhook, secret: Zeroizing<String>) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST_LIMIT))
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();
    let mut changes = hub.changes();
    loop {
        match round(&hub, &webhook, &secret, &agent).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(webhook = webhook.name, %error, "the outbox cannot be read"),
        }
        // New hand-overs at once, postponed ones within a second.
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// Sends what is due; true when something got through, so that more may be due.
async fn round(
    hub: &Hub,
    webhook: &Webhook,
    secret: &str,
    agent: &ureq::Agent,
) -> Result<bool, DatabaseError> {
    let mut through = false;
    for delivery in hub.database.due_deliveries(&webhook.name, clock::now()).await? {
        let until = clock::now().plus_millis(CLAIM_MS);
        if !hub.database.claim(&delivery, until).await? {
            continue;
        }
        let Some(body) = payload(hub, webhook.personal, &delivery).await? else {
            hub.database.delivered(delivery.id, clock::now()).await?;
            continue;
        };
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("x-locker-delivery", delivery.name()),
            ("x-locker-signature", signature(secret, body.as_bytes())),
        ];
        let (agent, url) = (agent.clone(), webhook.url.clone());
        let send = move || {
            let request = headers.iter().fold(agent.post(&url), |request, (name, value)| {
                request.header(*name, value)
            });
            request
                .send(body.as_bytes())
                .is_ok_and(|response| response.status().is_success())
        };
        if tokio::task::spawn_blocking(send).await.unwrap_or(false) {
            hub.database.delivered(delivery.id, clock::now()).await?;
            through = true;
        } else {
            let wait = (WAIT_MIN_MS << delivery.tries.clamp(0, 10)).min(WAIT_MAX_MS);
            tracing::warn!(
                webhook = webhook.name,
                delivery = delivery.id,
                wait_ms = wait,
                "not delivered, will try again"
            );
            hub.database
                .postponed(delivery.id, clock::now().plus_millis(wait))
                .await?;
        }
    }
    Ok(through)
}

/// What is told; none when the event is no longer there.
async fn payload(
    hub: &Hub,
    with_personal: bool,
    delivery: &Delivery,
) -> Result<Option<Zeroizing<String>>, DatabaseError> {
    let bytes = hub
        .database
        .event_bytes(&delivery.cabinet, delivery.branch, delivery.seq)
        .await?;
    let Some(event) = bytes.and_then(|bytes| Event::parse(&bytes).ok()) else {
        return Ok(None);
    };
    let mut data = serde_json::to_value(&event.body).unwrap_or_default()["data"].take();
    if let Some(fields) = data.as_object_mut() {
        // Of use to the cabinet alone.
        fields.remove("code");
        fields.remove("sealed");
    }
    let mut told = json!({
        "type": delivery.kind,
        "delivery": delivery.name(),
        "cabinet": event.source,
        "seq": event.seq,
        "time": event.time,
        "data": data,
    });
    if with_personal && let Some(digest) = personal::named(&event.body) {
        told["personal"] = opened(hub, &event.source, digest).await?;
    }
    Ok(Some(Zeroizing::new(told.to_string())))
}

/// The sealed part as it was; null when it was erased or cannot be opened.
async fn opened(hub: &Hub, cabinet: &CabinetId, digest: Digest) -> Result<Value, DatabaseError> {
    let part = hub.database.sealed_part(cabinet, digest).await?;
    let personal: Option<Personal> = part.and_then(|part| hub.keys.open_sealed(&part, cabinet));
    Ok(personal.map_or(Value::Null, |personal| {
        serde_json::to_value(&personal).unwrap_or_default()
    }))
}

/// HMAC-SHA-256 as `sha256=` and hexadecimal digits.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.trim().as_bytes())
        .expect("a key of any length is a key for HMAC");
    mac.update(body);
    let tag = mac.finalize().into_bytes();
    let digits: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_as_rfc_4231_has_them() {
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature("Jefe", b"what do ya want for nothing?"), expected);
    }
}
