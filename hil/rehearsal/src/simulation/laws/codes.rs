//! Law 3: a code opens what it was issued for, for as long as that is inside, and is to be read in one place only.

// Of all events and screens, the laws of codes concern a few.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::{BTreeMap, BTreeSet};

use lockerd::cabinet::limits::{CODE_DIGITS, TRIES_BEFORE_SPARE};
use lockerd::cabinet::screen::{Screen, SessionId, View};
use lockerd::cabinet::{Direction, Ledger};
use office_protocol::event::Authority;
use office_protocol::{ConsignmentId, Event, EventBody, PersonId, PickupCode, Seq};

use super::{Lawful, hold};

/// A code that somebody has, or had.
struct Issued {
    consignment: ConsignmentId,
    code: PickupCode,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A pickup code, of this issue.
    Pickup(u32),
    /// A slip's, and the conversation that it may be read in.
    Slip(SessionId),
}

/// How a code comes in.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulation) enum Shown<'a> {
    /// Before the scanner.
    Scanned(&'a str),
    /// On the keypad.
    Typed(&'a str),
}

/// What the code that was shown in a conversation opens there.
struct Right {
    kind: Kind,
    opens: BTreeSet<ConsignmentId>,
}

/// Every code there ever was, and what the one that was shown last is good for.
#[derive(Default)]
pub(super) struct Codes {
    issued: Vec<Issued>,
    /// Their digits.
    plain: BTreeSet<String>,
    persons: BTreeMap<ConsignmentId, PersonId>,
    session: Option<SessionId>,
    /// Shown in this conversation.
    right: Option<Right>,
    /// Shown just now.
    fresh: Option<Right>,
}

impl Codes {
    /// A sealed part of a durable event holds this code.
    pub(super) fn sealed(&mut self, event: &Event, code: &PickupCode) -> Lawful {
        let (consignment, generation) = match &event.body {
            EventBody::Placed {
                consignment,
                generation,
                ..
            }
            | EventBody::CodeReissued {
                consignment,
                generation,
                ..
            } => (consignment, *generation),
            _ => return hold(3, false, || format!("{} carries a code", event.body.kind())),
        };
        self.issue(Issued {
            consignment: consignment.clone(),
            code: code.clone(),
            kind: Kind::Pickup(generation),
        });
        Ok(())
    }

    /// A placing begins: this is who it is for.
    pub(super) fn meant_for(&mut self, consignment: &ConsignmentId, person: &PersonId) {
        self.persons.insert(consignment.clone(), person.clone());
    }

    /// The cabinet is about to judge what somebody shows, knowing what is inside.
    pub(super) fn shown(&mut self, shown: Shown<'_>, ledger: &Ledger) {
        let suspicious = ledger.tries.count >= TRIES_BEFORE_SPARE;
        let fits = |issued: &&Issued| match shown {
            Shown::Scanned(text) => issued.code.qr == text,
            Shown::Typed(text) => {
                let rest = text.strip_prefix(issued.code.digits.as_str());
                rest == Some(issued.code.spare.as_str()) || rest == Some("") && !suspicious
            }
        };
        let right = self
            .issued
            .iter()
            .filter(fits)
            .find_map(|issued| self.right_of(issued, ledger));
        self.fresh = right;
    }

    /// What a code opens: its own consignment while that is inside and the code is its latest, and with it what else lies there
    /// for the same person.
    fn right_of(&self, issued: &Issued, ledger: &Ledger) -> Option<Right> {
        let inside = ledger.consignments.get(&issued.consignment)?;
        let mut opens = BTreeSet::from([issued.consignment.clone()]);
        match issued.kind {
            Kind::Slip(_) if inside.direction == Direction::Inbound => {}
            Kind::Pickup(generation)
                if inside.direction == Direction::Outbound
                    && inside.code.is_some()
                    && inside.generation == generation =>
            {
                let person = self.persons.get(&issued.consignment);
                let theirs = self.persons.iter().filter(|(_, other)| Some(*other) == person);
                opens.extend(theirs.map(|(id, _)| id.clone()));
            }
            Kind::Slip(_) | Kind::Pickup(_) => return None,
        }
        Some(Right {
            kind: issued.kind,
            opens,
        })
    }

    /// After every step: which conversation this is now. What was shown in another one is worth nothing in it.
    pub(super) fn conversation(&mut self, session: SessionId) {
        let fresh = self.fresh.take();
        if self.session != Some(session) {
            self.session = Some(session);
            self.right = fresh;
        } else if fresh.is_some() {
            self.right = fresh;
        }
    }

    /// The daemon has started anew: nobody has shown anything yet.
    pub(super) fn restarted(&mut self) {
        (self.session, self.right, self.fresh) = (None, None, None);
    }

    /// Whether a visit that a code began is one that the code shown opens.
    pub(super) fn right(&self, ledger: &Ledger, authority: &Authority, id: Option<&ConsignmentId>) -> Lawful {
        let claimed = match authority {
            Authority::PickupCode { generation, .. } => Some(*generation),
            Authority::Slip { .. } => None,
            _ => return Ok(()),
        };
        let Some(id) = id else {
            return hold(3, false, || {
                "a code opened a compartment and no consignment".to_owned()
            });
        };
        hold(3, ledger.consignments.contains_key(id), || {
            format!("a code opened {id}, which is not inside")
        })?;
        let Some(right) = self.fresh.as_ref().or(self.right.as_ref()) else {
            return hold(3, false, || {
                format!("{id} was opened by a code that nobody showed")
            });
        };
        let same_kind = match right.kind {
            Kind::Pickup(generation) => claimed == Some(generation),
            Kind::Slip(_) => claimed.is_none(),
        };
        hold(3, same_kind && right.opens.contains(id), || {
            format!(
                "{authority:?} opened {id}, but the code shown opens {:?}",
                right.opens
            )
        })
    }

    /// A page was drawn: only the slip's own page may show a code, and only in one conversation.
    pub(super) fn drawn(&mut self, view: &View, recent: &[Vec<u8>]) -> Lawful {
        let Screen::Slip {
            reference,
            qr,
            digits,
            spare,
            ..
        } = &view.screen
        else {
            if self.issued.is_empty() {
                return Ok(());
            }
            let page = format!("{view:?}");
            return hold(3, !self.occurs_in(&page), || {
                format!("a code is to be read on {page}")
            });
        };
        if let Some(known) = self.issued.iter().find(|issued| issued.code.qr == *qr) {
            return hold(3, known.kind == Kind::Slip(view.session), || {
                format!("the slip of {reference} was shown in another conversation")
            });
        }
        self.issue(Issued {
            consignment: reference.clone(),
            code: PickupCode {
                qr: qr.clone(),
                digits: digits.clone(),
                spare: spare.clone(),
            },
            kind: Kind::Slip(view.session),
        });
        recent
            .iter()
            .try_for_each(|event| self.absent_from(event, Seq::ZERO))
    }

    /// No plain code may stand in an event.
    pub(super) fn absent_from(&self, event: &[u8], seq: Seq) -> Lawful {
        let text = String::from_utf8_lossy(event);
        hold(3, !self.occurs_in(&text), || {
            format!("event {seq} holds a plain code: {text}")
        })
    }

    /// Looks at every place where a code could begin, so that a text costs the same however many codes there are.
    fn occurs_in(&self, text: &str) -> bool {
        let mut rest = text;
        while let Some(at) = rest.find(|letter: char| letter == 'L' || letter.is_ascii_digit()) {
            rest = &rest[at..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let is_digits = |from: usize| {
                let part = rest.get(from..from + CODE_DIGITS);
                part.is_some_and(|part| self.plain.contains(part))
            };
            let is_token = rest.starts_with("LP1:")
                && self.issued.iter().any(|issued| rest.starts_with(&issued.code.qr));
            if is_token || (0..(digits + 1).saturating_sub(CODE_DIGITS)).any(is_digits) {
                return true;
            }
            rest = &rest[digits.max(1)..];
        }
        false
    }

    fn issue(&mut self, issued: Issued) {
        self.plain.insert(issued.code.digits.clone());
        self.issued.push(issued);
    }
}
