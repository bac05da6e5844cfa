//! Law 3: a code opens what it was issued for and nothing after that; it is to be read in one place only.

// Of all events and screens, the laws of codes concern a few.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;

use lockerd::cabinet::Ledger;
use lockerd::cabinet::screen::{Screen, SessionId, View};
use office_protocol::event::Authority;
use office_protocol::{ConsignmentId, Event, EventBody, PersonId, PickupCode, Seq};

use super::{Lawful, hold};

/// A code that somebody has, or had.
struct Issued {
    consignment: ConsignmentId,
    qr: String,
    digits: String,
    spare: String,
    /// A pickup code's; none for a slip's.
    generation: Option<u32>,
    /// A slip's: the conversation that it may be read in.
    session: Option<SessionId>,
}

/// Every code there ever was, and the one that was shown last.
#[derive(Default)]
pub(super) struct Codes {
    issued: Vec<Issued>,
    persons: BTreeMap<ConsignmentId, PersonId>,
    presented: Option<usize>,
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
        self.issued.push(Issued {
            consignment: consignment.clone(),
            qr: code.qr.clone(),
            digits: code.digits.clone(),
            spare: code.spare.clone(),
            generation: Some(generation),
            session: None,
        });
        Ok(())
    }

    /// A placing begins: this is who it is for.
    pub(super) fn meant_for(&mut self, consignment: &ConsignmentId, person: &PersonId) {
        self.persons.insert(consignment.clone(), person.clone());
    }

    /// Somebody scanned or typed this.
    pub(super) fn present(&mut self, text: &str) {
        let fits = |code: &Issued| {
            code.qr == text || code.digits == text || text.strip_prefix(&*code.digits) == Some(&*code.spare)
        };
        if let Some(index) = self.issued.iter().rposition(fits) {
            self.presented = Some(index);
        }
    }

    /// Whether a visit that a code began is about what the code was issued for.
    pub(super) fn right(&self, ledger: &Ledger, authority: &Authority, id: Option<&ConsignmentId>) -> Lawful {
        let (Authority::PickupCode { .. } | Authority::Slip { .. }, Some(id)) = (authority, id) else {
            return Ok(());
        };
        let inside = ledger.consignments.get(id);
        hold(3, inside.is_some(), || {
            format!("a code opened {id}, which is not inside")
        })?;
        let Some(presented) = self.presented.and_then(|index| self.issued.get(index)) else {
            return hold(3, false, || {
                format!("{id} was opened by a code that nobody showed")
            });
        };
        let person = self.persons.get(id);
        let own = presented.consignment == *id;
        let theirs = person.is_some() && self.persons.get(&presented.consignment) == person;
        hold(3, own || theirs, || {
            format!("the code of {} opened {id}", presented.consignment)
        })?;
        let current = inside.map(|inside| inside.generation);
        let valid = !own || presented.generation.is_none() || presented.generation == current;
        hold(3, valid, || {
            format!(
                "an old code of {id} opened it: {:?} of {current:?}",
                presented.generation
            )
        })
    }

    /// A page was drawn: only the slip's own page may show a code, and only in one conversation.
    pub(super) fn drawn(&mut self, view: &View, recent: &[Vec<u8>]) -> Lawful {
        if let Screen::Slip {
            reference,
            qr,
            digits,
            ..
        } = &view.screen
        {
            let known = self.issued.iter().find(|code| code.qr == *qr);
            let Some(known) = known else {
                self.issued.push(Issued {
                    consignment: reference.clone(),
                    qr: qr.clone(),
                    digits: digits.clone(),
                    spare: String::new(),
                    generation: None,
                    session: Some(view.session),
                });
                return recent
                    .iter()
                    .try_for_each(|event| self.absent_from(event, Seq::ZERO));
            };
            return hold(3, known.session == Some(view.session), || {
                format!("the slip of {reference} was shown in another conversation")
            });
        }
        if self.issued.is_empty() {
            return Ok(());
        }
        let page = format!("{:?}", view.screen);
        hold(3, !self.occurs_in(&page), || {
            format!("a code is to be read on {page}")
        })
    }

    /// No plain code may stand in an event.
    pub(super) fn absent_from(&self, event: &[u8], seq: Seq) -> Lawful {
        let text = String::from_utf8_lossy(event);
        hold(3, !self.occurs_in(&text), || {
            format!("event {seq} holds a plain code: {text}")
        })
    }

    fn occurs_in(&self, text: &str) -> bool {
        self.issued
            .iter()
            .any(|code| text.contains(&code.qr) || text.contains(&code.digits))
    }
}
