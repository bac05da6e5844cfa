//! What the cabinet says beside its history, and how the hub takes what it hears.

use lockerd::cabinet::Cabinet;
use office_protocol::{Purpose, Reply, Signed, SigningKey, Topic};
use serde::Serialize;

use super::{Network, print_of, signed};
use crate::broker::{ConnectionId, Input, Message, Request};
use crate::simulation::daemon::Identity;
use crate::simulation::office::Office;

/// What stands in the cabinet is said at most so often: the link says it more often, and nothing comes of that but time.
const STATE_GAP_MS: u64 = 30_000;

impl Network {
    fn cabinets_line(&self) -> Option<ConnectionId> {
        let link = self.link.as_ref().filter(|link| link.line.up)?;
        link.line.connection
    }

    /// Publishes an answer to a command.
    pub(in crate::simulation) fn reply(&mut self, now: u64, identity: &Identity, reply: &Reply) {
        if let Some(line) = self.cabinets_line() {
            self.say(now, line, identity, (Topic::Reply, Purpose::Reply), reply);
        }
    }

    /// Publishes what is new of documents and of what stands in the cabinet.
    pub(in crate::simulation) fn tell(&mut self, now: u64, identity: &Identity, cabinet: &Cabinet) {
        let Some(line) = self.cabinets_line() else { return };
        let Some(link) = &mut self.link else { return };
        let reported = &cabinet.authority().reported;
        let news: Vec<_> = if link.told == *reported {
            Vec::new()
        } else {
            let untold = reported
                .iter()
                .filter(|(name, word)| link.told.get(name) != Some(word));
            untold.map(|(name, word)| (*name, word.clone())).collect()
        };
        let tip = cabinet.ledger().tip.seq;
        let states = link.stated != Some(tip) && link.state_at <= now;
        if states {
            link.stated = Some(tip);
            link.state_at = now + STATE_GAP_MS;
        }
        link.told.extend(news.iter().cloned());
        for (name, word) in news {
            self.say(
                now,
                line,
                identity,
                (Topic::Reported(name), Purpose::Reported),
                &word,
            );
        }
        if states {
            self.say(
                now,
                line,
                identity,
                (Topic::State, Purpose::State),
                &cabinet.state(),
            );
        }
    }

    fn say(
        &mut self,
        now: u64,
        line: ConnectionId,
        identity: &Identity,
        (topic, purpose): (Topic, Purpose),
        content: &impl Serialize,
    ) {
        let key = SigningKey::from_secret(&identity.secret);
        if let Ok(bytes) = serde_json::to_vec(content) {
            let signed = Signed::new(&key, purpose, &identity.cabinet, bytes);
            self.publish(now, line, topic, &signed, topic != Topic::Reply);
        }
    }

    pub(super) fn hub_hears(&mut self, now: u64, message: &Message, office: &Office) {
        let Some((cabinet, topic)) = Topic::parse(&self.root, &message.topic) else {
            return;
        };
        if cabinet != self.cabinet {
            return;
        }
        let crash = self.hub.crashes && self.dice.percent(self.hub_crashes);
        let before = crash && self.dice.percent(50);
        if !before {
            let forged = !self.genuine.contains(&print_of(message));
            let position = self.hub.hears(now, topic, signed(message).as_ref(), forged);
            if !crash {
                self.position(now, position, office);
            }
        }
        if crash && let Some(connection) = self.hub.restart(now + 1_500) {
            self.ask(now, Input::Request(connection, Request::Lose));
        }
    }
}
