//! The way of a message to everybody who wants it, through whatever faults are set.

use std::time::Duration;

use super::core::{Broker, Output, Timer};
use super::message::{Message, Published};
use super::session::Queued;
use super::topics::Wish;

impl Broker {
    /// Keeps a message where it asks for that, and offers it to everybody who wants it.
    pub(super) fn route(&mut self, origin: Option<&str>, message: &Message) -> Published {
        self.counters.published += 1;
        let until = message.expires_in.map(|left| self.now + left);
        if message.retain && !self.retained.keep(message, until, self.limits.retained_max) {
            self.counters.not_retained += 1;
        }
        let sessions = &self.sessions;
        let present = |client: &str| {
            sessions
                .get(client)
                .is_some_and(|session| session.connection.is_some())
        };
        let wanted = self.subscribers.of(&message.topic, &present);
        let mut outcome = Published::NoSubscribers;
        for (client, wish) in wanted {
            if wish.no_local && origin == Some(client.as_str()) {
                continue;
            }
            let taken = self.offer(&client, message, until, wish);
            outcome = match (outcome, taken) {
                (Published::Taken, _) | (_, true) => Published::Taken,
                (Published::NoSubscribers | Published::QueuesFull, false) => Published::QueuesFull,
            };
        }
        outcome
    }

    /// Sends a message on its way to one client, through whatever faults are set.
    pub(super) fn offer(
        &mut self,
        client: &str,
        message: &Message,
        until: Option<Duration>,
        wish: Wish,
    ) -> bool {
        let retain = message.retain && wish.retain_as_published;
        let mut message = Message {
            quality: message.quality.min(wish.quality),
            retain,
            ..message.clone()
        };
        if self.dice.hit(self.faults.drop) {
            self.counters.dropped += 1;
            return true;
        }
        if self.dice.hit(self.faults.alter) {
            self.counters.altered += 1;
            self.dice.alter(&mut message);
        }
        let queued = Queued {
            message,
            until,
            sent: None,
        };
        if self.dice.hit(self.faults.repeat) && self.hold_back(client, queued.clone()) {
            self.counters.repeated += 1;
        }
        if self.dice.hit(self.faults.reorder) && self.hold_back(client, queued.clone()) {
            self.counters.reordered += 1;
            return true;
        }
        if self.dice.hit(self.faults.delay) {
            self.delay(client);
        }
        self.enqueue(client, queued)
    }

    fn hold_back(&mut self, client: &str, queued: Queued) -> bool {
        let room = self.late.len() < self.limits.late_max;
        if room {
            self.serial += 1;
            let due = self.now + self.dice.wait(self.faults.lateness);
            self.late.insert((due, self.serial), (client.to_owned(), queued));
        }
        room
    }

    fn delay(&mut self, client: &str) {
        let due = self.now + self.dice.wait(self.faults.lateness);
        let Some(session) = self.sessions.get_mut(client) else {
            return;
        };
        self.counters.delayed += 1;
        if session.held_until.is_some_and(|held| held >= due) {
            return;
        }
        if let Some(before) = session.held_until.replace(due) {
            self.timers.remove(&(before, Timer::Release(client.to_owned())));
        }
        self.timers.insert((due, Timer::Release(client.to_owned())));
    }

    pub(super) fn enqueue(&mut self, client: &str, queued: Queued) -> bool {
        let Some(session) = self.sessions.get_mut(client) else {
            return true;
        };
        let taken = session.enqueue(queued, self.limits.queue_max);
        if !taken {
            self.counters.overflowed += 1;
        }
        self.pump(client);
        taken
    }

    pub(super) fn pump(&mut self, client: &str) {
        let Some(session) = self.sessions.get_mut(client) else {
            return;
        };
        let out = &mut self.out;
        let pumped = session.pump(self.now, &mut |connection, answer| {
            out.push(Output { connection, answer })
        });
        self.counters.add(pumped);
    }
}
