//! The ledger: what a cabinet knows for certain. Changes only by [`Ledger::apply`], the same path live and in replay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use office_protocol::document::DocumentName;
use office_protocol::event::{
    Authority, Clock, CodeHashes, Complaint, DoubtReason, KeyedHash, SecondFactor, Size, UnlockFailure,
    VisitPurpose, Wiring, WithdrawReason,
};
use office_protocol::state::StandingAlarm;
use office_protocol::{
    ApplicationId, CommandOutcome, CompartmentId, ConsignmentId, Digest, Event, EventBody, ItemCode, KeyId,
    PassId, PersonId, Reply, Seq, Start, Timestamp, Tip,
};
use serde::{Deserialize, Serialize};

mod commands;
mod wiring;

pub use commands::OpenCommands;

use super::limits::{HOUR_MS, REPLIES_MAX, RETIRED_MAX, USED_PASSES_MAX};

/// One compartment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compartment {
    /// Its size.
    pub size: Size,
    /// Within everybody's reach.
    pub reachable: bool,
    /// Still in the settings; one that is not is kept as long as something is inside.
    pub built: bool,
    /// Its lock; none where a version before commissioning has laid it out.
    #[serde(default)]
    pub wiring: Option<Wiring>,
    /// The door, as last journaled: open or not; none before the first reading.
    pub open: Option<bool>,
    /// What is inside, or may be.
    pub consignment: Option<ConsignmentId>,
    /// Nobody knows what is inside.
    pub doubt: Option<DoubtReason>,
    /// Out of service.
    pub withdrawn: Option<WithdrawReason>,
    /// The visit that runs here.
    pub visit: Option<Seq>,
}

/// Which way a consignment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Towards the office.
    Inbound,
    /// Towards a citizen.
    Outbound,
}

/// One consignment that is inside, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consignment {
    /// Which way it goes.
    pub direction: Direction,
    /// Where it lies.
    pub compartment: CompartmentId,
    /// Its application.
    pub application: Option<ApplicationId>,
    /// Who it is for.
    pub person: Option<PersonId>,
    /// Since when.
    pub since: Timestamp,
    /// Inbound: no pass of the office stands behind it.
    pub unverified: bool,
    /// Outbound: the pickup code; inbound: the slip's.
    pub code: Option<CodeHashes>,
    /// Inbound: what else is asked for.
    pub second: Option<SecondFactor>,
    /// Outbound: the issue of its code or pass; an older one opens nothing.
    pub generation: u32,
    /// The event that put it here.
    pub placed: Seq,
    /// Outbound: not to be recalled before this; none until the office knows of it.
    pub held_until: Option<Timestamp>,
    /// What somebody said is wrong with it.
    pub disputed: Option<Complaint>,
}

/// One visit that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// What for.
    pub purpose: VisitPurpose,
    /// By what right.
    pub authority: Authority,
    /// Where.
    pub compartment: CompartmentId,
    /// About what.
    pub consignment: Option<ConsignmentId>,
    /// Of which application.
    pub application: Option<ApplicationId>,
    /// For which service item.
    pub item: Option<ItemCode>,
    /// For whom.
    pub person: Option<PersonId>,
    /// The slip's code.
    pub slip: Option<CodeHashes>,
    /// What else is asked for with the slip.
    pub second: Option<SecondFactor>,
    /// The sealed contact.
    pub sealed: Option<Digest>,
    /// Pulses at this compartment.
    pub pulses: u8,
    /// The pulse that nothing is known of yet.
    pub unlocking: Option<Seq>,
    /// The door was open during this visit, at this compartment.
    pub opened: bool,
    /// It was reported as left open; nobody at the screen is with it any more.
    pub left_open: bool,
}

/// Wrong tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tries {
    /// How many, halved daily.
    pub count: u32,
    /// The day (since 1970) that it was last halved on.
    pub day: i64,
}

/// What a cabinet knows for certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The last event.
    pub tip: Tip,
    /// The start that wrote it.
    pub start: Start,
    /// The identity of that start: whose key the codes are hashed under. None where that start did not say.
    #[serde(default)]
    pub identity: Option<KeyId>,
    /// No earlier time is believed.
    pub floor: Timestamp,
    /// All compartments.
    pub compartments: BTreeMap<CompartmentId, Compartment>,
    /// Which lock was seen to open which door. A compartment is proven while that is the lock it has.
    #[serde(default)]
    pub proofs: BTreeMap<CompartmentId, Wiring>,
    /// All consignments.
    pub consignments: BTreeMap<ConsignmentId, Consignment>,
    /// All visits that run, by their number.
    pub visits: BTreeMap<Seq, Visit>,
    /// Wrong tries.
    pub tries: Tries,
    /// Single-use passes that were used, until they expire.
    pub used_passes: BTreeMap<PassId, Timestamp>,
    /// Tokens of codes that are over, newest last.
    pub retired: VecDeque<KeyedHash>,
    /// Versions and digests of the documents in force.
    pub documents: BTreeMap<DocumentName, (u64, Digest)>,
    /// The number of the last genuine command.
    pub command_number: u64,
    /// The last replies, oldest first.
    pub replies: VecDeque<Reply>,
    /// Accepted commands whose outcome is open.
    #[serde(rename = "command_open")]
    pub commands_open: OpenCommands,
    /// When the office last opened doors from afar.
    pub remote_openings: VecDeque<Timestamp>,
    /// Alarms that stand.
    pub alarms: BTreeSet<StandingAlarm>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            tip: Tip::NONE,
            start: Start(0),
            identity: None,
            floor: Timestamp::default(),
            compartments: BTreeMap::new(),
            proofs: BTreeMap::new(),
            consignments: BTreeMap::new(),
            visits: BTreeMap::new(),
            tries: Tries::default(),
            used_passes: BTreeMap::new(),
            retired: VecDeque::new(),
            documents: BTreeMap::new(),
            command_number: 0,
            replies: VecDeque::new(),
            commands_open: OpenCommands::default(),
            remote_openings: VecDeque::new(),
            alarms: BTreeSet::new(),
        }
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    if queue.len() == max {
        queue.pop_front();
    }
    queue.push_back(item);
}

impl Ledger {
    /// Takes in one event; `hash` is the digest of its bytes.
    pub fn apply(&mut self, event: &Event, hash: Digest) {
        use EventBody as E;
        self.tip = Tip { seq: event.seq, hash };
        if event.clock == Clock::Trusted {
            self.floor = self.floor.max(event.time);
        }
        let visit = event.visit.unwrap_or(Seq::ZERO);
        match &event.body {
            E::Started { start, identity, .. } => {
                self.start = *start;
                self.identity = identity.clone();
            }
            E::ClockCorrected { floor } => self.floor = *floor,
            E::DocumentApplied {
                document,
                version,
                digest,
            } => {
                self.documents.insert(*document, (*version, *digest));
            }
            E::LayoutChanged { compartments } => self.lay_out(compartments),
            E::VisitGranted {
                purpose,
                authority,
                compartment,
                consignment,
                application,
                item,
                slip,
                second,
                person,
                sealed,
            } => {
                self.supersede_code(authority, consignment.as_ref());
                self.note_remote_opening(authority, event.time);
                self.visits.insert(
                    event.seq,
                    Visit {
                        purpose: *purpose,
                        authority: authority.clone(),
                        compartment: *compartment,
                        consignment: consignment.clone(),
                        application: application.clone(),
                        item: item.clone(),
                        person: person.clone(),
                        slip: *slip,
                        second: *second,
                        sealed: *sealed,
                        pulses: 0,
                        unlocking: None,
                        opened: false,
                        left_open: false,
                    },
                );
                self.at(*compartment, |place| place.visit = Some(event.seq));
            }
            E::VisitMoved { from, to, .. } => {
                self.at(*from, |place| place.visit = None);
                self.at(*to, |place| place.visit = Some(visit));
                self.during(visit, |running| {
                    running.compartment = *to;
                    running.pulses = 0;
                    running.unlocking = None;
                    running.opened = false;
                });
            }
            E::VisitSettled { compartment, .. } => {
                self.visits.remove(&visit);
                self.at(*compartment, |place| {
                    place.visit = place.visit.filter(|running| *running != visit)
                });
            }
            E::UnlockBegun { pulse, .. } => self.during(visit, |running| {
                running.pulses = *pulse;
                running.unlocking = Some(event.seq);
            }),
            E::UnlockFailed { reason, .. } => self.during(visit, |running| {
                running.unlocking = None;
                if *reason == UnlockFailure::Resting {
                    running.pulses = running.pulses.saturating_sub(1); // there was none
                }
            }),
            E::UnlockInterrupted { .. } => self.during(visit, |running| running.unlocking = None),
            E::DoorOpened { compartment } => {
                self.at(*compartment, |place| place.open = Some(true));
                self.during(visit, |running| {
                    running.opened = true;
                    running.unlocking = None;
                });
            }
            E::DoorClosed { compartment } => self.at(*compartment, |place| place.open = Some(false)),
            E::DoorLeftOpen { .. } => self.during(visit, |running| running.left_open = true),
            E::DoorForced { compartment } => self.at(*compartment, |place| place.open = Some(true)),
            E::DoorFound { compartment, open } => self.at(*compartment, |place| place.open = Some(*open)),
            E::DroppedOff {
                consignment,
                unverified,
                ..
            } => {
                self.put_in(visit, consignment, Direction::Inbound, event);
                if let Some(inside) = self.consignments.get_mut(consignment) {
                    inside.unverified = *unverified;
                }
            }
            E::TakenBack { consignment, .. }
            | E::Cleared { consignment, .. }
            | E::Collected { consignment, .. }
            | E::Recalled { consignment, .. } => self.take_out(consignment),
            E::Placed {
                consignment,
                compartment,
                application,
                person,
                generation,
                code,
                ..
            } => {
                self.consignments.insert(
                    consignment.clone(),
                    Consignment {
                        direction: Direction::Outbound,
                        compartment: *compartment,
                        application: application.clone(),
                        person: person.clone(),
                        since: event.time,
                        unverified: false,
                        code: *code,
                        second: None,
                        generation: *generation,
                        placed: event.seq,
                        held_until: None,
                        disputed: None,
                    },
                );
                self.at(*compartment, |place| {
                    place.consignment = Some(consignment.clone());
                    place.doubt = None;
                });
            }
            E::CodeReissued {
                consignment,
                generation,
                code,
                ..
            } => {
                if let Some(inside) = self.consignments.get_mut(consignment) {
                    inside.generation = *generation;
                    inside.code = Some(*code);
                }
            }
            E::HoldStarted { consignment, until } => {
                if let Some(inside) = self.consignments.get_mut(consignment) {
                    inside.held_until = Some(*until);
                }
            }
            E::Unconfirmed {
                compartment,
                consignment,
                reason,
            } => {
                if let Some(consignment) = consignment
                    && !self.consignments.contains_key(consignment)
                {
                    self.put_in_doubt(visit, consignment, event);
                }
                self.at(*compartment, |place| place.doubt = Some(*reason));
            }
            E::Confirmed {
                compartment,
                consignment,
                inside,
                ..
            } => {
                match consignment {
                    Some(consignment) if !inside => self.take_out(consignment),
                    Some(consignment) => {
                        if let Some(inside) = self.consignments.get_mut(consignment) {
                            inside.disputed = None;
                        }
                    }
                    None => {}
                }
                self.at(*compartment, |place| place.doubt = None);
            }
            E::Disputed {
                consignment,
                complaint,
                ..
            } => {
                if let Some(inside) = consignment.as_ref().and_then(|id| self.consignments.get_mut(id)) {
                    inside.disputed = Some(*complaint);
                }
            }
            E::CompartmentWithdrawn { compartment, reason } => {
                self.at(*compartment, |place| place.withdrawn = Some(*reason))
            }
            E::CompartmentReturned { compartment } => self.at(*compartment, |place| place.withdrawn = None),
            E::ChannelProven {
                compartment, wiring, ..
            } => self.prove(*compartment, *wiring),
            E::BoardReplaced { board, .. } => self.proofs.retain(|_, proven| proven.board != *board),
            E::TriesCounted { tries, day } => {
                self.tries = Tries {
                    count: *tries,
                    day: *day,
                }
            }
            E::PassUsed { pass, expires } => self.remember_pass(pass.clone(), *expires),
            E::CommandAccepted { number, .. } => {
                self.command_number = *number;
                self.commands_open.accept(*number, event.seq);
            }
            E::CommandRefused { number, refusal } => {
                self.command_number = *number;
                self.answer(*number, event.seq, CommandOutcome::Refused { refusal: *refusal });
            }
            E::CommandDone { number, outcome } => {
                self.commands_open.done(*number);
                self.answer(*number, event.seq, outcome.clone());
            }
            E::AlarmRaised { alarm, compartment } => {
                self.alarms.insert(StandingAlarm {
                    alarm: *alarm,
                    compartment: *compartment,
                });
            }
            E::AlarmCleared { alarm, compartment } => {
                self.alarms.remove(&StandingAlarm {
                    alarm: *alarm,
                    compartment: *compartment,
                });
            }
            E::PassRefused { .. }
            | E::StaffAdmitted { .. }
            | E::BoardLost { .. }
            | E::BoardFound { .. }
            | E::BoardKeyAgreed { .. }
            | E::BoardKeyInstalled { .. }
            | E::AddressShared { .. }
            | E::PortLost { .. }
            | E::PortFound { .. }
            | E::PeripheralLost { .. }
            | E::PeripheralFound { .. }
            | E::Tampered { .. }
            | E::Restored { .. }
            | E::PowerChanged { .. }
            | E::HelpRequested { .. }
            | E::Rated { .. } => {}
        }
    }

    fn at(&mut self, compartment: CompartmentId, change: impl FnOnce(&mut Compartment)) {
        if let Some(place) = self.compartments.get_mut(&compartment) {
            change(place);
        }
    }

    fn during(&mut self, visit: Seq, change: impl FnOnce(&mut Visit)) {
        if let Some(running) = self.visits.get_mut(&visit) {
            change(running);
        }
    }

    fn supersede_code(&mut self, authority: &Authority, consignment: Option<&ConsignmentId>) {
        let Authority::Pass {
            generation: Some(generation),
            ..
        } = authority
        else {
            return;
        };
        if let Some(inside) = consignment.and_then(|id| self.consignments.get_mut(id))
            && *generation > inside.generation
        {
            inside.generation = *generation;
            inside.code = None;
        }
    }

    fn note_remote_opening(&mut self, authority: &Authority, time: Timestamp) {
        if matches!(authority, Authority::Command { .. }) {
            self.remote_openings
                .retain(|earlier| earlier.plus_millis(HOUR_MS) > time);
            self.remote_openings.push_back(time);
        }
    }

    fn put_in(&mut self, visit: Seq, id: &ConsignmentId, direction: Direction, event: &Event) {
        let Some(running) = self.visits.get(&visit) else {
            return;
        };
        let compartment = running.compartment;
        let consignment = Consignment {
            direction,
            compartment,
            application: running.application.clone(),
            person: running.person.clone(),
            since: event.time,
            unverified: matches!(running.authority, Authority::WalkIn),
            code: running.slip,
            second: running.second,
            generation: 0,
            placed: event.seq,
            held_until: None,
            disputed: None,
        };
        self.consignments.insert(id.clone(), consignment);
        self.at(compartment, |place| {
            place.consignment = Some(id.clone());
            place.doubt = None;
        });
    }

    fn put_in_doubt(&mut self, visit: Seq, id: &ConsignmentId, event: &Event) {
        match self.visits.get(&visit).map(|running| running.purpose) {
            Some(VisitPurpose::DropOff) => self.put_in(visit, id, Direction::Inbound, event),
            Some(VisitPurpose::Placing) => self.put_in(visit, id, Direction::Outbound, event),
            Some(
                VisitPurpose::TakeBack
                | VisitPurpose::Clearing
                | VisitPurpose::Collection
                | VisitPurpose::Recall
                | VisitPurpose::Inspection
                | VisitPurpose::Proving,
            )
            | None => {}
        }
    }

    fn take_out(&mut self, id: &ConsignmentId) {
        let Some(gone) = self.consignments.remove(id) else {
            return;
        };
        if let Some(code) = gone.code {
            push_bounded(&mut self.retired, code.token, RETIRED_MAX);
        }
        self.at(gone.compartment, |place| {
            place.consignment = None;
            place.doubt = None;
        });
    }

    fn remember_pass(&mut self, pass: PassId, expires: Timestamp) {
        let floor = self.floor;
        self.used_passes.retain(|_, until| *until > floor);
        if self.used_passes.len() >= USED_PASSES_MAX {
            let soonest = self
                .used_passes
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(pass, _)| pass.clone());
            soonest.and_then(|pass| self.used_passes.remove(&pass));
        }
        self.used_passes.insert(pass, expires);
    }

    fn answer(&mut self, number: u64, seq: Seq, outcome: CommandOutcome) {
        push_bounded(&mut self.replies, Reply { number, seq, outcome }, REPLIES_MAX);
    }
}
