//! What the screen says when nothing can be decided any more, or not even begun: out of service, and whom to call.

use std::sync::Arc;
use std::time::Duration;

use office_protocol::document::{DocumentName, Policy};
use office_protocol::{KeySet, Purpose};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::cabinet::screen::{Appearance, Screen, SessionId, View};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::documents;
use crate::journal::RealDisk;
use crate::kiosk::{self, Kiosk};
use crate::secrets::Enrolment;
use crate::settings::Settings;

/// How long a start that failed is shown before the daemon ends and systemd starts it again.
const SHOWN: Duration = Duration::from_secs(10);
/// How long the last screen of a run may take to the page.
const LAST_WORD: Duration = Duration::from_millis(500);

/// In place of whatever was shown: the conversation is over.
pub(super) fn instead_of(view: &View) -> View {
    View {
        cabinet: view.cabinet.clone(),
        session: view.session,
        revision: view.revision.wrapping_add(1),
        appearance: Appearance::default(),
        screen: Screen::OutOfService,
        notices: Vec::new(),
        help_phone: view.help_phone.clone(),
        reference: None,
        until: None,
    }
}

/// Waits until the last screen has surely reached the page.
pub(super) async fn say_last_word() {
    sleep(LAST_WORD).await;
}

/// Shows that the start failed, for a while.
pub(super) async fn show(
    listener: TcpListener,
    settings: &Settings,
    enrolment: &Enrolment,
    catalogue: Arc<Catalogue>,
    clock: Clock,
) {
    let view = View {
        cabinet: enrolment.bundle.cabinet.clone(),
        session: SessionId::default(),
        revision: 0,
        appearance: Appearance::default(),
        screen: Screen::OutOfService,
        notices: Vec::new(),
        help_phone: help_phone(settings, enrolment),
        reference: None,
        until: None,
    };
    let (_shown, views) = watch::channel(Arc::new(view));
    let (taps, _nobody_takes_any) = mpsc::channel(1);
    let kiosk = Kiosk {
        views,
        taps,
        history: Arc::new(|_| None),
        now: Arc::new(move || clock.monotonic()),
        catalogue,
        utc_offset_minutes: settings.utc_offset_minutes,
    };
    tokio::select! {
        () = sleep(SHOWN) => {}
        served = kiosk::serve(listener, kiosk) => if let Err(error) = served {
            tracing::warn!(%error, "not even the screen");
        },
    }
}

/// The hall's number, from the rules that the office signed last.
fn help_phone(settings: &Settings, enrolment: &Enrolment) -> Option<String> {
    let bundle = &enrolment.bundle;
    let disk = RealDisk::open_existing(&settings.directory.join("documents")).ok()?;
    let newer = documents::load(&disk, DocumentName::Keys).ok().flatten();
    let newer = newer.and_then(|signed| KeySet::verify(&signed, &bundle.root, &bundle.cabinet).ok());
    let policy = documents::load(&disk, DocumentName::Policy).ok()??;
    let bytes = newer
        .as_ref()
        .unwrap_or(&enrolment.keys)
        .check(&policy, Purpose::Document, &bundle.cabinet)
        .ok()?;
    serde_json::from_slice::<Policy>(bytes).ok()?.help_phone
}
