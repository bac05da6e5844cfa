//! A start: what the last run left half done becomes a state that a person can resolve; no pulse is repeated.

use office_protocol::document::{DocumentName, DocumentRefusal};
use office_protocol::event::{Alarm, CompartmentLayout, DoubtReason, VisitOutcome};
use office_protocol::{CompartmentId, ConsignmentId, Digest, EventBody, Seq, Signed, Timestamp};

use super::vocabulary::{Effect, Moment, Startup, Step};
use super::{Cabinet, Consignment, Direction, SessionId};

impl Cabinet {
    pub(super) fn start(&mut self, startup: Startup) {
        let damaged = startup.damage.is_some();
        let identity = self.config.key.id().clone();
        let codes_are_dead = self
            .ledger
            .identity
            .as_ref()
            .is_some_and(|before| *before != identity);
        self.record(EventBody::Started {
            start: startup.start,
            version: startup.version.into(),
            damage: startup.damage,
            identity: Some(identity),
        });
        // No tap of an earlier run quotes this session.
        self.session = super::Session::new(SessionId(startup.start.0 >> 12), 0, self.moment.now);
        self.lay_out();
        for (name, signed) in &startup.documents {
            self.take_document(*name, signed);
        }
        if codes_are_dead {
            self.reissue_all_codes();
        }
        self.interrupt_visits();
        for compartment in startup.touched {
            self.doubt_damaged(compartment);
        }
        for alarm in [
            Alarm::Forgery,
            Alarm::BoardLost,
            Alarm::AddressShared,
            Alarm::EchoWrong,
            Alarm::PortLost,
            Alarm::PeripheralLost,
        ] {
            self.clear(alarm, None);
        }
        if damaged {
            self.raise(Alarm::JournalDamaged, None);
        }
        self.wait_if_many();
    }

    /// On a new disk, with the ledger that the office's events gave: what happened after the last of them is not known, so every
    /// compartment is in doubt. Instead of a first input; the cabinet is started anew afterwards.
    pub fn restored(mut self, moment: &Moment, exported: Timestamp) -> Step {
        self.begin(moment);
        self.record(EventBody::Restored { exported });
        let all: Vec<CompartmentId> = self.ledger.compartments.keys().copied().collect();
        for compartment in all {
            self.doubt_damaged(compartment);
        }
        self.step
    }

    /// The cabinet has a new identity, and with it a new key under which codes are hashed.
    fn reissue_all_codes(&mut self) {
        let has_code = |(id, inside): (&ConsignmentId, &Consignment)| {
            let pickup = inside.direction == Direction::Outbound && inside.code.is_some();
            pickup.then(|| id.clone())
        };
        let all: Vec<ConsignmentId> = self.ledger.consignments.iter().filter_map(has_code).collect();
        for consignment in all {
            self.reissue_code(&consignment);
        }
    }

    fn lay_out(&mut self) {
        let built = self.ledger.compartments.iter().filter(|(_, place)| place.built);
        let known = built.map(|(id, place)| CompartmentLayout {
            id: *id,
            size: place.size,
            reachable: place.reachable,
            wiring: place.wiring,
        });
        let mut layout = self.config.layout.clone();
        layout.sort_by_key(|place| place.id);
        if known.collect::<Vec<_>>() != layout {
            self.record(EventBody::LayoutChanged { compartments: layout });
        }
    }

    fn interrupt_visits(&mut self) {
        let visits: Vec<Seq> = self.ledger.visits.keys().copied().collect();
        for visit in visits {
            let Some(running) = self.ledger.visits.get(&visit).cloned() else {
                continue;
            };
            if let Some(unlock) = running.unlocking {
                self.record_in(
                    visit,
                    EventBody::UnlockInterrupted {
                        compartment: running.compartment,
                        unlock,
                    },
                );
            }
            if running.left_open {
                self.settle(visit, VisitOutcome::Unconfirmed);
            } else {
                self.abandon(visit, DoubtReason::Interrupted);
            }
        }
        for number in self.ledger.commands_open.numbers() {
            self.record(EventBody::CommandDone {
                number,
                outcome: office_protocol::CommandOutcome::Interrupted,
            });
        }
    }

    /// Events about this compartment were cut from the journal's end: what it holds is not known, even if it looks empty.
    fn doubt_damaged(&mut self, compartment: CompartmentId) {
        let Some(place) = self.ledger.compartments.get(&compartment) else {
            return;
        };
        if place.doubt.is_none() {
            let consignment = place.consignment.clone();
            self.record(EventBody::Unconfirmed {
                compartment,
                consignment,
                reason: DoubtReason::Damaged,
            });
        }
    }

    pub(super) fn document_received(&mut self, name: DocumentName, signed: Signed) {
        if self.take_document(name, &signed) {
            self.effect(Effect::StoreDocument { name, signed });
        }
    }

    /// True when it is in force now and was not before.
    fn take_document(&mut self, name: DocumentName, signed: &Signed) -> bool {
        let (floor, known) = self
            .ledger
            .documents
            .get(&name)
            .copied()
            .unwrap_or((0, Digest::ZERO));
        let digest = Digest::of(&signed.bytes);
        let held = self
            .authority
            .reported
            .get(&name)
            .map(|reported| (reported.version, reported.digest));
        match self.authority.take(name, signed, floor) {
            Ok(version) => {
                if (version, digest) != (floor, known) {
                    self.record(EventBody::DocumentApplied {
                        document: name,
                        version,
                        digest,
                    });
                }
                held != Some((version, digest))
            }
            Err(DocumentRefusal::Forged) => {
                self.raise(Alarm::Forgery, None);
                false
            }
            Err(DocumentRefusal::Malformed | DocumentRefusal::Older) => false,
        }
    }
}
