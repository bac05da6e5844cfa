//! The link to the office as settings and enrolment have it.

use std::sync::Arc;

use office_protocol::enrolment::Bundle;
use office_protocol::{Seq, VerifyingKey};

use crate::clock::Clock;
use crate::office_link::{self, Broker, Offer, Security};
use crate::secrets::{self, Credential, Enrolment};
use crate::settings::Settings;

fn identity(enrolment: &Enrolment, start: office_protocol::Start) -> office_link::Identity {
    office_link::Identity {
        cabinet: enrolment.bundle.cabinet.clone(),
        start,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

pub(super) fn none(enrolment: &Enrolment, start: office_protocol::Start, tip: Seq) -> office_link::View {
    let key = office_protocol::SigningKey::from_secret(&enrolment.key.secret());
    let limits = office_link::Limits::default();
    office_link::Sync::new(
        identity(enrolment, start),
        limits,
        key,
        enrolment.keys.clone(),
        tip,
    )
    .view()
}

fn protected(tls: bool, bundle: &Bundle) -> Security {
    if !tls {
        return Security::Plain;
    }
    Security::Tls {
        ca: bundle.ca.clone(),
        certificate: bundle.certificate.clone(),
    }
}

/// Certificates and keys are read anew for every connection: those of a new enrolment count without a restart.
pub(super) fn offers(settings: &Settings, enrolment: &Enrolment) -> office_link::Offers {
    let (directory, cabinet) = (settings.secrets.clone(), enrolment.bundle.cabinet.clone());
    let tls = settings.office.tls;
    let offer = move |credential: Credential| Offer {
        security: protected(tls, &credential.bundle),
        key: Arc::new(credential.key),
    };
    Box::new(move || {
        let all = secrets::credentials(&directory, &cabinet);
        all.into_iter().map(offer).collect()
    })
}

/// Once the office has answered to the next key, the one before is not needed any more.
pub(super) fn renewed(settings: &Settings) -> Box<dyn FnMut(&VerifyingKey) + Send> {
    let directory = settings.secrets.clone();
    Box::new(move |key| {
        if let Err(error) = secrets::take_over(&directory, key) {
            tracing::warn!(%error, "the new key works, but is not the cabinet's yet; this is tried again after a restart");
        }
    })
}

pub(super) fn settings(
    settings: &Settings,
    enrolment: &Enrolment,
    start: office_protocol::Start,
) -> office_link::Settings {
    let security = protected(settings.office.tls, &enrolment.bundle);
    office_link::Settings {
        broker: Broker {
            host: settings.office.host.clone(),
            port: settings.office.port,
            security,
        },
        root: settings.office.root.clone(),
        identity: identity(enrolment, start),
        limits: office_link::Limits::default(),
    }
}

pub(super) fn start(
    settings: office_link::Settings,
    enrolment: &Enrolment,
    reader: crate::journal::JournalReader,
    clock: Clock,
    channels: office_link::Channels,
) -> tokio::task::JoinHandle<()> {
    let key = office_protocol::SigningKey::from_secret(&enrolment.key.secret());
    tokio::spawn(async move {
        let now = move || clock.monotonic();
        if let Err(error) = office_link::run(settings, &key, reader, now, channels).await {
            tracing::error!(%error, "no link to the office");
        }
    })
}
