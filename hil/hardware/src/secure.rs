//! What a secure board has besides: a label, keys that survive, a count of starts, and a button (pure).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use firmware_protocol::secure::{Key, Keys, Nameplate, Responder, Sensors, VERSIONS};

use crate::board::SimulatedBoard;

/// What a restart does not lose, and the button.
#[derive(Clone, Debug)]
pub(crate) struct Secured {
    label: Key,
    serial: [u8; 8],
    kept: Keys,
    starts: u64,
    button_held: bool,
    outside: Option<Outside>,
}

/// Keeps keys where they survive the program.
#[derive(Clone)]
struct Outside(Arc<dyn Fn(&Keys) + Send + Sync>);

impl fmt::Debug for Outside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Outside")
    }
}

impl SimulatedBoard {
    /// Gives a board of the secure family its label's secret, its number, and the keys that it has kept. Without
    /// this such a board is dead.
    #[must_use]
    pub fn secured(mut self, label: Key, serial: [u8; 8], keys: Keys) -> Self {
        self.secured = Some(Secured {
            label,
            serial,
            kept: keys,
            starts: 0,
            button_held: false,
            outside: None,
        });
        self.restart();
        self
    }

    /// Lets a secured board outlive the program: `keep` is given its keys before it answers whatever has changed them. `starts` must
    /// never be the same twice while it has the same keys: 64 bits of chance will do.
    #[must_use]
    pub fn outliving(mut self, starts: u64, keep: impl Fn(&Keys) + Send + Sync + 'static) -> Self {
        if let Some(secured) = &mut self.secured {
            secured.starts = starts;
            secured.outside = Some(Outside(Arc::new(keep)));
        }
        self.restart();
        self
    }

    /// The keys that it has kept where they survive.
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        Some(&self.secured.as_ref()?.kept)
    }

    /// Somebody presses the button, or lets it go.
    pub fn hold_button(&mut self, held: bool, now: Duration) {
        if let Some(secured) = &mut self.secured {
            secured.button_held = held;
        }
        self.attend(now);
    }

    /// Tells the responder the time and the button.
    pub(crate) fn attend(&mut self, now: Duration) {
        let held = self.secured.as_ref().is_some_and(|secured| secured.button_held);
        if let Some(responder) = self.responder() {
            responder.pass(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), held);
        }
    }

    /// Keeps the keys if they have changed: before anything is answered.
    pub(crate) fn keep_keys(&mut self) {
        let Some(responder) = self.responder() else { return };
        if !responder.unsaved() {
            return;
        }
        let keys = responder.keys().clone();
        if let Some(secured) = &mut self.secured {
            if let Some(Outside(keep)) = &secured.outside {
                keep(&keys);
            }
            secured.kept = keys;
        }
    }

    /// The power was away: sessions are gone, and the count of starts goes up.
    pub(crate) fn restart(&mut self) {
        let (settings, codec) = (self.settings, &mut self.codec);
        if let (Some(secured), Some(ends)) = (&mut self.secured, codec.secure()) {
            secured.starts = secured.starts.wrapping_add(1);
            let plate = Nameplate {
                address: settings.address,
                channels: settings.channels,
                sensors: Sensors {
                    items: true,
                    tamper: true,
                    shock: true,
                    supply: true,
                },
                firmware: [1, 0],
                serial: secured.serial,
                versions: VERSIONS,
            };
            let keys = secured.kept.clone();
            let mut responder = Responder::new(plate, secured.label.clone(), keys, secured.starts);
            // The first thing that it sees is how its button is.
            responder.pass(0, secured.button_held);
            ends.responder = Some(responder);
        }
    }

    fn responder(&mut self) -> Option<&mut Responder> {
        self.codec.secure()?.responder.as_mut()
    }
}
