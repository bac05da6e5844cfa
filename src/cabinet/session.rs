//! The conversation at the screen. Volatile: a restart forgets it; what matters is in the ledger.

use std::collections::BTreeSet;

use office_protocol::event::{Authority, Size, StaffRole, Subject, VisitPurpose};
use office_protocol::{
    ApplicationId, CompartmentId, ConsignmentId, ItemCode, PassId, Seq, StaffId, Timestamp,
};
use zeroize::Zeroizing;

use super::commissioning::Written;
use super::proving::Proving;
use super::screen::{Appearance, Done, DoorWork, LabelProblem, ScanProblem, SessionId, Trouble};
use super::vocabulary::Monotonic;

/// Where the conversation is.
pub(super) enum Stage {
    Home,
    Digits {
        wrong: bool,
    },
    SecondFactor {
        consignment: ConsignmentId,
        authority: Authority,
        wrong: bool,
    },
    ScanProblem(ScanProblem),
    ChooseItem,
    Phone {
        first: Option<Zeroizing<String>>,
        mismatch: bool,
    },
    Checklist,
    /// At a door; which screen follows from the work there.
    Door {
        visit: Seq,
    },
    PlacingScan {
        refused: Option<LabelProblem>,
    },
    PlacingSize {
        label: ConsignmentId,
    },
    Receipt(Receipt),
    Done(Done),
    Sorry(Trouble, Option<DoorWork>),
    Pin {
        staff: StaffId,
        role: StaffRole,
        verifier: String,
        wrong: bool,
    },
    StaffHome,
    Round(VisitPurpose),
    Compartments,
    Commissioning,
    /// Looking back: at nothing yet, or at what happened to one thing.
    History(Option<Subject>),
}

/// What the citizen is told after a drop-off.
pub(super) struct Receipt {
    pub(super) reference: ConsignmentId,
    pub(super) compartment: CompartmentId,
    pub(super) received: Timestamp,
    pub(super) proof: String,
}

/// A drop-off that is being prepared.
#[derive(Default)]
pub(super) struct DropOff {
    /// The pass that stands behind it, and how many compartments it may still fill.
    pub(super) pass: Option<(PassId, Timestamp)>,
    pub(super) left: u8,
    pub(super) application: Option<ApplicationId>,
    pub(super) items: Vec<ItemCode>,
    pub(super) size: Option<Size>,
    pub(super) phone: Option<Zeroizing<String>>,
    pub(super) reachable: bool,
    /// The bar code of the envelope.
    pub(super) envelope: Option<String>,
    /// The slip's plain code.
    pub(super) slip: Option<office_protocol::PickupCode>,
    /// The four digits for the receipt, where they are the second factor.
    pub(super) second_digits: Option<Zeroizing<String>>,
}

/// A member of staff at work.
pub(super) struct AtWork {
    pub(super) staff: StaffId,
    pub(super) role: StaffRole,
    /// Done in this round.
    pub(super) done: u16,
    /// Doors of this round that were given up.
    pub(super) skipped: BTreeSet<CompartmentId>,
    /// The placing whose door is closed and whose code is not issued yet.
    pub(super) pending: Option<Seq>,
    /// The pending placing is being undone.
    pub(super) undoing: bool,
}

pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) revision: u64,
    pub(super) appearance: Appearance,
    pub(super) stage: Stage,
    pub(super) touched: Monotonic,
    pub(super) asked_more_time: Option<Monotonic>,
    pub(super) help: bool,
    /// Asked for help already; once a session is enough for the journal.
    pub(super) helped: bool,
    /// More consignments that this person's code opens, with the right that it gives.
    pub(super) more: Vec<ConsignmentId>,
    pub(super) right: Option<Authority>,
    pub(super) drop_off: DropOff,
    pub(super) at_work: Option<AtWork>,
    /// What was seen so far of the lock that is being proven.
    pub(super) proving: Option<Proving>,
    /// What became of what the technician wanted written.
    pub(super) written: Written,
}

impl Session {
    pub(super) fn new(id: SessionId, revision: u64, now: Monotonic) -> Self {
        Self {
            id,
            revision,
            appearance: Appearance::default(),
            stage: Stage::Home,
            touched: now,
            asked_more_time: None,
            help: false,
            helped: false,
            more: Vec::new(),
            right: None,
            drop_off: DropOff::default(),
            at_work: None,
            proving: None,
            written: Written::default(),
        }
    }

    /// Nobody has begun anything.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self.stage, Stage::Home) && !self.help && self.appearance == Appearance::default()
    }

    /// A scan begins a session only here.
    pub(super) fn takes_scans(&self) -> bool {
        matches!(
            self.stage,
            Stage::Home
                | Stage::Done(_)
                | Stage::Receipt(_)
                | Stage::Sorry(..)
                | Stage::ScanProblem(_)
                | Stage::Digits { .. }
        ) && !self.help
    }

    /// The visit that the screen is about.
    pub(super) fn visit(&self) -> Option<Seq> {
        match self.stage {
            Stage::Door { visit } => Some(visit),
            Stage::PlacingScan { .. } | Stage::PlacingSize { .. } => {
                self.at_work.as_ref().and_then(|work| work.pending)
            }
            Stage::Home
            | Stage::Digits { .. }
            | Stage::SecondFactor { .. }
            | Stage::ScanProblem(_)
            | Stage::ChooseItem
            | Stage::Phone { .. }
            | Stage::Checklist
            | Stage::Receipt(_)
            | Stage::Done(_)
            | Stage::Sorry(..)
            | Stage::Pin { .. }
            | Stage::StaffHome
            | Stage::Round(_)
            | Stage::Compartments
            | Stage::Commissioning
            | Stage::History(_) => None,
        }
    }
}
