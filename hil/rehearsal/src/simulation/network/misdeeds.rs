//! What the office orders, and what a broker and its owner do wrong.

use std::time::Duration;

use office_protocol::{Timestamp, Topic};

use super::Network;
use crate::broker::{Faults, Input, Memory, Message, Misdeed, PerMille};
use crate::simulation::office::Office;
use crate::simulation::swarm::MisdeedKind;

/// So many forged messages are empty, as what clears a retained one is.
const EMPTY_PERCENT: u64 = 10;

impl Network {
    pub(super) fn command(&mut self, now: u64, wall: Timestamp, office: &mut Office) {
        let (Some(start), Some(connection)) = (self.hub.start(), self.hub.line.connection) else {
            return;
        };
        if let Some(signed) = office.random_command(start, wall, &mut self.dice) {
            self.publish(now, connection, Topic::Command, &signed, false);
        }
        if self.dice.percent(self.mistakes)
            && let Some((name, signed)) = office.blunder()
        {
            self.publish(now, connection, Topic::Desired(name), &signed, true);
        }
    }

    pub(super) fn strike(&mut self, now: u64, office: &Office) {
        self.next_fault = Some(now + self.dice.between(10_000, 400_000));
        self.hub.crashes = self.dice.percent(40);
        let level = u16::try_from(self.dice.between(0, self.unreliable)).unwrap_or(0);
        let Some(kind) = self.dice.weighted(&self.misdeeds).copied() else {
            return;
        };
        let misdeed = match kind {
            MisdeedKind::Reliable => Misdeed::Set(Faults::default()),
            MisdeedKind::Unreliable => Misdeed::Set(Faults {
                drop: PerMille(level),
                repeat: PerMille(level),
                reorder: PerMille(level),
                delay: PerMille(level / 2),
                alter: PerMille(level / 2),
                cut: PerMille(level / 4),
                lateness: Duration::from_millis(self.dice.between(10, 20_000)),
                refuse: self.dice.percent(10),
            }),
            MisdeedKind::Crash => Misdeed::Crash,
            MisdeedKind::Forget => Misdeed::Forget(match self.dice.below(3) {
                0 => Memory::Sessions,
                1 => Memory::Retained,
                _ => Memory::Queued,
            }),
            MisdeedKind::RollBack => Misdeed::RollBack(format!("{}/#", self.root)),
            MisdeedKind::Cut => Misdeed::Cut("cabinet".to_owned()),
            MisdeedKind::Forge | MisdeedKind::Replay => {
                let earlier = self.dice.pick(&Vec::from(self.replays.clone())).cloned();
                match earlier.and_then(|message| self.misused(message, kind, office)) {
                    Some(message) => Misdeed::Forge(message),
                    None => return,
                }
            }
        };
        self.ask(now, Input::Misdeed(misdeed));
    }

    /// An old message again, or in somebody else's name, at times with nothing in it.
    fn misused(&mut self, message: Message, kind: MisdeedKind, office: &Office) -> Option<Message> {
        if kind == MisdeedKind::Replay {
            return Some(message);
        }
        let (_, topic) = Topic::parse(&self.root, &message.topic)?;
        let payload = if self.dice.percent(EMPTY_PERCENT) {
            Vec::new()
        } else {
            message.payload.to_vec()
        };
        let forged = office.forge(topic, payload);
        Some(self.message(topic, &forged, message.retain))
    }
}
