//! A reference model of who may hold which consignment, written from the rules alone and in another way than the ledger.

use std::collections::{BTreeMap, BTreeSet};

use lockerd::cabinet::{Direction, Ledger};
use office_protocol::event::{Alarm, Authority, StaffRole, VisitPurpose};
use office_protocol::{CompartmentId, ConsignmentId, Event, EventBody, Seq, StaffId};

use super::{Lawful, hold};

/// A consignment in the cabinet's keeping. Until it is here, and from when it is no longer, a person holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    compartment: CompartmentId,
    direction: Direction,
}

/// What somebody was let to a door for.
#[derive(Debug, Clone)]
struct Errand {
    purpose: VisitPurpose,
    compartment: CompartmentId,
    consignment: Option<ConsignmentId>,
    /// The lock was pulsed: from now on it may change hands.
    pulsed: bool,
}

/// Who holds what, as the events tell it.
#[derive(Debug, Default)]
pub(super) struct Custody {
    kept: BTreeMap<ConsignmentId, Kept>,
    errands: BTreeMap<Seq, Errand>,
    admitted: BTreeSet<(StaffId, StaffRole)>,
    /// Admissions may be left out while the disk is nearly full.
    terse: bool,
    /// The history has no beginning: what was before it is taken on trust, once.
    trusting: bool,
}

impl Custody {
    /// Of a history that begins in the middle.
    pub(super) fn from_the_middle() -> Self {
        Self {
            trusting: true,
            ..Self::default()
        }
    }

    /// Takes in one event, or says which rule it breaks.
    // Of all events, custody concerns a few.
    #[allow(clippy::wildcard_enum_match_arm)]
    pub(super) fn take(&mut self, event: &Event) -> Lawful {
        use EventBody as E;
        use VisitPurpose as P;
        match &event.body {
            E::Started { .. } => self.admitted.clear(),
            E::StaffAdmitted { staff, role } => {
                self.admitted.insert((staff.clone(), *role));
            }
            E::AlarmRaised { alarm, .. } if *alarm == Alarm::StorageLow => self.terse = true,
            E::AlarmCleared { alarm, .. } if *alarm == Alarm::StorageLow => self.terse = false,
            E::VisitGranted {
                purpose,
                authority,
                compartment,
                consignment,
                ..
            } => {
                self.may(*purpose, authority, event.seq)?;
                self.granted(event.seq, *purpose, *compartment, consignment.as_ref())?;
            }
            E::VisitMoved { from, to, .. } => self.moved(event, *from, *to)?,
            E::UnlockBegun { compartment, .. } => {
                let errand = self.errand(event, *compartment)?;
                if let Some(errand) = errand {
                    errand.pulsed = true;
                }
            }
            E::VisitSettled { compartment, .. } => {
                self.errand(event, *compartment)?;
                self.errands.remove(&event.visit.unwrap_or(Seq::ZERO));
            }
            E::DroppedOff {
                consignment,
                compartment,
                ..
            } => self.put_in(
                event,
                &[P::DropOff],
                consignment,
                *compartment,
                Direction::Inbound,
            )?,
            E::Placed {
                consignment,
                compartment,
                ..
            } => {
                let purposes = [P::Placing, P::Inspection, P::Proving];
                self.put_in(event, &purposes, consignment, *compartment, Direction::Outbound)?;
            }
            E::TakenBack {
                consignment,
                compartment,
            } => self.taken_out(event, &[P::TakeBack], consignment, *compartment)?,
            E::Cleared {
                consignment,
                compartment,
                ..
            } => self.taken_out(event, &[P::Clearing], consignment, *compartment)?,
            E::Collected {
                consignment,
                compartment,
            } => self.taken_out(event, &[P::Collection], consignment, *compartment)?,
            E::Recalled {
                consignment,
                compartment,
                ..
            } => self.taken_out(event, &[P::Recall], consignment, *compartment)?,
            E::Unconfirmed {
                compartment,
                consignment: Some(consignment),
                ..
            } => self.doubted(event, consignment, *compartment)?,
            E::Confirmed {
                compartment,
                consignment: Some(consignment),
                inside,
                ..
            } => {
                if *inside {
                    self.is_kept(consignment, *compartment, None)?;
                } else {
                    self.taken_out(event, &[P::Inspection, P::Proving], consignment, *compartment)?;
                }
            }
            E::CodeReissued { consignment, .. } | E::HoldStarted { consignment, .. } => {
                let kept = self.kept.get(consignment);
                let outbound = kept.is_some_and(|kept| kept.direction == Direction::Outbound);
                hold(3, outbound || self.trusting, || {
                    format!("{} about {consignment}, which is {kept:?}", event.body.kind())
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Who comes for what: each purpose has its own kinds of authority.
    fn may(&self, purpose: VisitPurpose, authority: &Authority, seq: Seq) -> Lawful {
        let admitted = |staff: &StaffId, role: Option<StaffRole>| {
            let mut present = self.admitted.iter();
            self.terse
                || self.trusting
                || present.any(|(who, as_what)| who == staff && role.is_none_or(|role| role == *as_what))
        };
        let fits = match (purpose, authority) {
            (VisitPurpose::DropOff, Authority::WalkIn) => true,
            (VisitPurpose::DropOff, Authority::Pass { generation, .. }) => generation.is_none(),
            (VisitPurpose::TakeBack, Authority::Slip { .. })
            | (VisitPurpose::Collection, Authority::PickupCode { .. }) => true,
            (VisitPurpose::Collection, Authority::Pass { generation, .. }) => generation.is_some(),
            (
                VisitPurpose::Clearing | VisitPurpose::Placing | VisitPurpose::Recall,
                Authority::Staff { staff },
            ) => admitted(staff, Some(StaffRole::Courier)),
            (VisitPurpose::Inspection | VisitPurpose::Proving, Authority::Staff { staff }) => {
                admitted(staff, None)
            }
            (VisitPurpose::Inspection, Authority::Command { .. }) => true,
            (
                VisitPurpose::DropOff
                | VisitPurpose::TakeBack
                | VisitPurpose::Clearing
                | VisitPurpose::Placing
                | VisitPurpose::Collection
                | VisitPurpose::Recall
                | VisitPurpose::Inspection
                | VisitPurpose::Proving,
                _,
            ) => false,
        };
        hold(3, fits, || {
            format!("visit {seq}: {authority:?} is no right to {purpose:?}")
        })
    }

    fn granted(
        &mut self,
        seq: Seq,
        purpose: VisitPurpose,
        compartment: CompartmentId,
        consignment: Option<&ConsignmentId>,
    ) -> Lawful {
        let direction = match purpose {
            VisitPurpose::DropOff | VisitPurpose::Placing => {
                let fresh = consignment.is_some_and(|id| !self.kept.contains_key(id));
                hold(4, fresh, || {
                    format!("visit {seq} brings {consignment:?}, which is inside")
                })?;
                self.is_nobodys(compartment, seq)?;
                None
            }
            VisitPurpose::TakeBack | VisitPurpose::Clearing => Some(Direction::Inbound),
            VisitPurpose::Collection | VisitPurpose::Recall => Some(Direction::Outbound),
            VisitPurpose::Inspection | VisitPurpose::Proving => None,
        };
        match consignment {
            Some(id) if direction.is_some() => self.is_kept(id, compartment, direction)?,
            Some(id) if matches!(purpose, VisitPurpose::Inspection | VisitPurpose::Proving) => {
                self.is_kept(id, compartment, None)?;
            }
            Some(_) => {}
            None => hold(4, direction.is_none(), || format!("visit {seq} is for nothing"))?,
        }
        let other = self
            .errands
            .values()
            .find(|errand| errand.compartment == compartment);
        hold(4, other.is_none(), || {
            format!("visit {seq} was granted at compartment {compartment} beside {other:?}")
        })?;
        let errand = Errand {
            purpose,
            compartment,
            consignment: consignment.cloned(),
            pulsed: false,
        };
        self.errands.insert(seq, errand);
        Ok(())
    }

    fn moved(&mut self, event: &Event, from: CompartmentId, to: CompartmentId) -> Lawful {
        self.is_nobodys(to, event.seq)?;
        if let Some(errand) = self.errand(event, from)? {
            let brings = matches!(errand.purpose, VisitPurpose::DropOff | VisitPurpose::Placing);
            (errand.compartment, errand.pulsed) = (to, false);
            hold(4, brings, || {
                format!("event {}: who takes out was sent elsewhere", event.seq)
            })?;
        }
        Ok(())
    }

    fn is_nobodys(&self, compartment: CompartmentId, seq: Seq) -> Lawful {
        let kept = self.kept.iter().find(|(_, kept)| kept.compartment == compartment);
        let errand = self
            .errands
            .values()
            .find(|errand| errand.compartment == compartment);
        hold(4, kept.is_none() && errand.is_none(), || {
            format!("event {seq} gives away compartment {compartment}, where {kept:?} lies and {errand:?} is")
        })
    }

    /// The errand that an event belongs to, which must be at this door; none only where the beginning is unknown.
    fn errand(&mut self, event: &Event, compartment: CompartmentId) -> Lawful<Option<&mut Errand>> {
        let (seq, kind, trusting) = (event.seq, event.body.kind(), self.trusting);
        let errand = event.visit.and_then(|visit| self.errands.get_mut(&visit));
        let there = errand
            .as_ref()
            .map_or(trusting, |errand| errand.compartment == compartment);
        hold(1, there, || {
            format!("event {seq}: {kind} at compartment {compartment}, but {errand:?}")
        })?;
        Ok(errand)
    }

    /// What changes hands does so on an errand of one of these purposes, at a door whose lock was pulsed.
    fn changes_hands(
        &mut self,
        event: &Event,
        purposes: &[VisitPurpose],
        id: &ConsignmentId,
        compartment: CompartmentId,
    ) -> Lawful {
        let (seq, kind) = (event.seq, event.body.kind());
        let Some(errand) = self.errand(event, compartment)? else {
            return Ok(());
        };
        let fits = purposes.contains(&errand.purpose) && errand.consignment.as_ref() == Some(id);
        hold(4, fits && errand.pulsed, || {
            format!("event {seq}: {kind} of {id} on {errand:?}")
        })
    }

    fn put_in(
        &mut self,
        event: &Event,
        purposes: &[VisitPurpose],
        id: &ConsignmentId,
        compartment: CompartmentId,
        direction: Direction,
    ) -> Lawful {
        self.changes_hands(event, purposes, id, compartment)?;
        let kept = Kept {
            compartment,
            direction,
        };
        let before = self.kept.insert(id.clone(), kept.clone());
        hold(4, before.as_ref().is_none_or(|before| *before == kept), || {
            format!("event {}: {id} is {kept:?} and was {before:?}", event.seq)
        })
    }

    fn taken_out(
        &mut self,
        event: &Event,
        purposes: &[VisitPurpose],
        id: &ConsignmentId,
        compartment: CompartmentId,
    ) -> Lawful {
        self.changes_hands(event, purposes, id, compartment)?;
        self.is_kept(id, compartment, None)?;
        self.kept.remove(id);
        Ok(())
    }

    /// Nobody knows whether it is inside: then it is kept as if it were.
    fn doubted(&mut self, event: &Event, id: &ConsignmentId, compartment: CompartmentId) -> Lawful {
        let errand = event.visit.and_then(|visit| self.errands.get(&visit));
        let direction = match errand.map(|errand| errand.purpose) {
            Some(VisitPurpose::DropOff) => Direction::Inbound,
            Some(VisitPurpose::Placing) => Direction::Outbound,
            Some(
                VisitPurpose::TakeBack
                | VisitPurpose::Clearing
                | VisitPurpose::Collection
                | VisitPurpose::Recall
                | VisitPurpose::Inspection
                | VisitPurpose::Proving,
            )
            | None => return self.is_kept(id, compartment, None),
        };
        let purposes = [VisitPurpose::DropOff, VisitPurpose::Placing];
        self.put_in(event, &purposes, id, compartment, direction)
    }

    fn is_kept(
        &mut self,
        id: &ConsignmentId,
        compartment: CompartmentId,
        direction: Option<Direction>,
    ) -> Lawful {
        if self.trusting && !self.kept.contains_key(id) {
            let direction = direction.unwrap_or(Direction::Outbound);
            let kept = Kept {
                compartment,
                direction,
            };
            self.kept.insert(id.clone(), kept);
        }
        let kept = self.kept.get(id);
        let there = kept.is_some_and(|kept| {
            kept.compartment == compartment && direction.is_none_or(|direction| direction == kept.direction)
        });
        hold(4, there, || {
            format!("{id} should lie in compartment {compartment}, {direction:?}, but is {kept:?}")
        })
    }

    /// What the ledger says must be the same.
    pub(super) fn agrees_with(&self, ledger: &Ledger) -> Lawful {
        if self.trusting {
            return Ok(());
        }
        let same = self.kept.len() == ledger.consignments.len()
            && self
                .kept
                .iter()
                .zip(&ledger.consignments)
                .all(|((id, kept), (other, inside))| {
                    id == other
                        && kept.compartment == inside.compartment
                        && kept.direction == inside.direction
                });
        hold(4, same, || {
            let inside: Vec<_> = ledger.consignments.iter().collect();
            format!(
                "the cabinet keeps {:?}, but the ledger says {inside:?}",
                self.kept
            )
        })?;
        let same = self.errands.len() == ledger.visits.len()
            && self
                .errands
                .iter()
                .zip(&ledger.visits)
                .all(|((seq, errand), (other, visit))| {
                    seq == other && errand.compartment == visit.compartment && errand.purpose == visit.purpose
                });
        hold(4, same, || {
            format!(
                "visits {:?} run, but the ledger says {:?}",
                self.errands, ledger.visits
            )
        })
    }
}
