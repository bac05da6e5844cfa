//! Each topic's last value, and the few before it for a broker that brings them back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::message::Message;
use super::topics::takes;

/// Earlier values kept of each topic.
const EARLIER_MAX: usize = 4;

#[derive(Debug, Clone)]
struct Value {
    message: Message,
    until: Option<Duration>,
}

#[derive(Debug, Default)]
struct Kept {
    now: Option<Value>,
    earlier: VecDeque<Value>,
}

/// All retained messages.
#[derive(Debug, Default)]
pub(super) struct Retained {
    topics: BTreeMap<String, Kept>,
}

impl Retained {
    /// Keeps a message, or clears its topic when it is empty. Answers false where one topic too many was not kept.
    pub(super) fn keep(&mut self, message: &Message, until: Option<Duration>, topics_max: usize) -> bool {
        if !self.topics.contains_key(&message.topic) {
            if message.payload.is_empty() {
                return true;
            }
            if self.topics.len() >= topics_max {
                self.topics.retain(|_, kept| kept.now.is_some());
            }
            if self.topics.len() >= topics_max {
                return false;
            }
        }
        let kept = self.topics.entry(message.topic.clone()).or_default();
        let value = (!message.payload.is_empty()).then(|| Value {
            message: message.clone(),
            until,
        });
        if let Some(before) = std::mem::replace(&mut kept.now, value) {
            kept.earlier.push_back(before);
            if kept.earlier.len() > EARLIER_MAX {
                kept.earlier.pop_front();
            }
        }
        true
    }

    /// The values that a filter takes, with what is left of their time.
    pub(super) fn of(&self, path: &str, now: Duration) -> Vec<(Message, Option<Duration>)> {
        let stem = path.split(['+', '#']).next().unwrap_or_default();
        let stem = if stem.len() < path.len() {
            stem.trim_end_matches('/')
        } else {
            stem
        };
        self.topics
            .range(stem.to_owned()..)
            .take_while(|(topic, _)| topic.starts_with(stem))
            .filter(|(topic, _)| takes(path, topic))
            .filter_map(|(_, kept)| kept.now.as_ref())
            .filter(|value| value.until.is_none_or(|until| until > now))
            .map(|value| (value.message.clone(), value.until))
            .collect()
    }

    /// Brings back the value before the last of every topic that the filter takes. Answers how many.
    pub(super) fn roll_back(&mut self, path: &str) -> usize {
        let mut count = 0;
        for (_, kept) in self.topics.iter_mut().filter(|(topic, _)| takes(path, topic)) {
            if let Some(before) = kept.earlier.pop_back() {
                kept.now = Some(before);
                count += 1;
            }
        }
        count
    }

    pub(super) fn clear(&mut self) {
        self.topics.clear();
    }

    pub(super) fn topics(&self) -> Vec<String> {
        let present = self.topics.iter().filter(|(_, kept)| kept.now.is_some());
        present.map(|(topic, _)| topic.clone()).collect()
    }
}
