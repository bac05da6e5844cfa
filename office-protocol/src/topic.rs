//! Topics under `{root}/{cabinet}/`, built and parsed in one place.

use std::fmt;

use crate::document::DocumentName;
use crate::ids::{CabinetId, InvalidId};

/// The first levels of every topic, `locker/v1` unless configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRoot(Box<str>);

impl Default for TopicRoot {
    fn default() -> Self {
        Self("locker/v1".into())
    }
}

impl std::str::FromStr for TopicRoot {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let level = |level: &str| {
            !level.is_empty()
                && level
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if text.len() <= 64 && text.split('/').all(level) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId {
                kind: "topic root",
                rule: "levels of A-Z, a-z, 0-9, - _ . with / between, at most 64",
            })
        }
    }
}

impl fmt::Display for TopicRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Up, retained, last will.
    Status,
    /// Up, retained.
    State,
    /// Up.
    Event,
    /// Down.
    Position,
    /// Down.
    Command,
    /// Up.
    Reply,
    /// Down, retained.
    Desired(DocumentName),
    /// Up, retained.
    Reported(DocumentName),
}

impl Topic {
    fn levels(self) -> (&'static str, Option<DocumentName>) {
        match self {
            Self::Status => ("status", None),
            Self::State => ("state", None),
            Self::Event => ("event", None),
            Self::Position => ("position", None),
            Self::Command => ("command", None),
            Self::Reply => ("reply", None),
            Self::Desired(document) => ("desired", Some(document)),
            Self::Reported(document) => ("reported", Some(document)),
        }
    }

    /// The whole topic of one cabinet.
    pub fn of(self, root: &TopicRoot, cabinet: &CabinetId) -> String {
        match self.levels() {
            (level, None) => format!("{root}/{cabinet}/{level}"),
            (level, Some(document)) => format!("{root}/{cabinet}/{level}/{document}"),
        }
    }

    /// Reads a topic.
    pub fn parse(root: &TopicRoot, topic: &str) -> Option<(CabinetId, Self)> {
        let rest = topic.strip_prefix(&*root.0)?.strip_prefix('/')?;
        let (cabinet, rest) = rest.split_once('/')?;
        let parsed = match rest.split_once('/') {
            None => match rest {
                "status" => Self::Status,
                "state" => Self::State,
                "event" => Self::Event,
                "position" => Self::Position,
                "command" => Self::Command,
                "reply" => Self::Reply,
                _ => return None,
            },
            Some(("desired", document)) => Self::Desired(document.parse().ok()?),
            Some(("reported", document)) => Self::Reported(document.parse().ok()?),
            Some(_) => return None,
        };
        Some((cabinet.parse().ok()?, parsed))
    }

    /// What a cabinet subscribes to.
    pub fn cabinet_filters(root: &TopicRoot, cabinet: &CabinetId) -> [String; 3] {
        ["position", "command", "desired/+"].map(|rest| format!("{root}/{cabinet}/{rest}"))
    }

    /// What the office subscribes to.
    pub fn office_filters(root: &TopicRoot) -> [String; 5] {
        ["status", "state", "event", "reply", "reported/+"].map(|rest| format!("{root}/+/{rest}"))
    }
}
