//! What other systems are told: signed, again until it is taken, in order, and personal data only where it is wanted.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use office::settings::Webhook;
use office::webhooks;
use office_protocol::{CompartmentId, EventBody, Personal, PickupCode, SealedPart, Topic};
use serde_json::Value;
use support::{Place, TestCabinet, hub_with};
use zeroize::Zeroizing;

const LIMIT: Duration = Duration::from_secs(20);

struct Heard {
    signature: String,
    delivery: String,
    body: String,
}

/// A receiver that refuses the first `refusals` deliveries.
fn receiver(refusals: usize) -> (String, mpsc::Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                headers.push(line.trim().to_ascii_lowercase());
            }
            let header = |name: &str| {
                let found = headers
                    .iter()
                    .find_map(|line| line.strip_prefix(&format!("{name}: ")));
                found.unwrap_or_default().to_owned()
            };
            let mut body = vec![0; header("content-length").parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let answer = if index < refusals { "503 Busy" } else { "204 Taken" };
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            let message = Heard {
                signature: header("x-locker-signature"),
                delivery: header("x-locker-delivery"),
                body: String::from_utf8(body).unwrap(),
            };
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    (url, heard)
}

async fn tell(place: &Place, personal: bool, refusals: usize, count: usize) -> Vec<Heard> {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = Arc::new(hub_with(place, &cabinet).await);
    let code = PickupCode {
        qr: "LP1:PORT-7:TOKEN".into(),
        digits: "12345678".into(),
        spare: "9012".into(),
    };
    let secret = Personal {
        phone: None,
        code: Some(code),
    };
    let sealing = hub.keys.opening.sealing_key();
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed([4; 32]);
    let part = SealedPart::seal(&secret, sealing, &cabinet.id, &mut rng).unwrap();
    cabinet.write(EventBody::Placed {
        consignment: "PERMIT-1".parse().unwrap(),
        compartment: CompartmentId(4),
        application: None,
        person: None,
        expected: true,
        staff: "wang".parse().unwrap(),
        generation: 1,
        code: None,
        sealed: Some(part.digest()),
        hold_days: 7,
    });
    let (consignment, compartment) = ("PERMIT-1".parse().unwrap(), CompartmentId(4));
    cabinet.write(EventBody::Collected {
        consignment,
        compartment,
    });
    let message = cabinet.events(1, 2, vec![part]);
    hub.take(cabinet.sends(Topic::Event, message)).await.unwrap();
    let (url, heard) = receiver(refusals);
    let webhook = Webhook {
        name: "approval".into(),
        url,
        secret_file: place.path().join("unused"),
        personal,
    };
    tokio::spawn(webhooks::run(hub, webhook, Zeroizing::new("s3cret".into())));
    let wait = move || (0..count).map(|_| heard.recv_timeout(LIMIT).unwrap()).collect();
    tokio::task::spawn_blocking(wait).await.unwrap()
}

async fn hand_overs_are_told_signed_and_in_order_until_they_are_taken(place: &Place) {
    let heard = tell(place, true, 1, 3).await;
    assert_eq!(heard[0].delivery, heard[1].delivery, "refused, so told again");
    for message in &heard {
        assert_eq!(
            message.signature,
            webhooks::signature("s3cret", message.body.as_bytes())
        );
    }
    let told: Vec<Value> = heard
        .iter()
        .map(|message| serde_json::from_str(&message.body).unwrap())
        .collect();
    let types: Vec<&str> = told.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["placed", "placed", "collected"]);
    assert_eq!(told[1]["personal"]["code"]["digits"], "12345678");
    assert_eq!(told[1]["data"]["consignment"], "PERMIT-1");
}

async fn who_does_not_ask_for_personal_data_gets_none(place: &Place) {
    let heard = tell(place, false, 0, 2).await;
    assert!(
        !heard
            .iter()
            .any(|message| message.body.contains("12345678") || message.body.contains("personal"))
    );
}

on_both_databases! {
    hand_overs_are_told_signed_and_in_order_until_they_are_taken,
    who_does_not_ask_for_personal_data_gets_none,
}
