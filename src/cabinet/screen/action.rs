//! What may be touched: the finger's side of the screens.

use office_protocol::event::{Complaint, MoveReason, Size, Subject, WithdrawReason};
use office_protocol::{BoardId, CompartmentId, ItemCode};
use serde::{Deserialize, Serialize};

use super::{Appearance, SessionId};

/// A finger on the screen. Stale ones (another session or revision) are ignored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tap {
    /// The session that was shown.
    pub session: SessionId,
    /// The revision that was shown.
    pub revision: u64,
    /// What was touched.
    pub action: Action,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "tap in session {} at revision {}",
            self.session.0, self.revision
        )
    }
}

/// What can be touched. No `Debug`: digits and phone numbers are in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Show it otherwise.
    Appear {
        /// How.
        appearance: Appearance,
    },
    /// A person is wanted.
    Help,
    /// Back to what was before, or home.
    Back,
    /// Finished: home.
    Done,
    /// Home: type a code.
    StartCollection,
    /// Home: hand in without a pass.
    StartDropOff,
    /// Digits of a code, a second factor or a PIN.
    Digits {
        /// Them.
        digits: String,
    },
    /// A service item.
    ChooseItem {
        /// Which.
        item: ItemCode,
    },
    /// A phone number.
    Phone {
        /// It.
        phone: String,
    },
    /// No phone number.
    SkipPhone,
    /// Another size.
    ChooseSize {
        /// Which.
        size: Size,
    },
    /// Go on.
    Accept {
        /// Only a door within everybody's reach.
        #[serde(default)]
        reachable: bool,
    },
    /// The door is open, or is not.
    DoorIsOpen {
        /// Which of the two.
        open: bool,
    },
    /// I have closed it (but the sensor does not see it).
    DoorIsClosed,
    /// Give me another door.
    AnotherDoor {
        /// Why.
        reason: MoveReason,
    },
    /// Yes.
    Yes,
    /// No.
    No,
    /// Open the same door again.
    Reopen,
    /// Something is wrong with it.
    Complain {
        /// What.
        complaint: Complaint,
    },
    /// Fill another compartment.
    Another,
    /// Open the next of my doors.
    Next,
    /// Rate, 1 to 5.
    Rate {
        /// So many stars.
        stars: u8,
    },
    /// Not yet gone.
    MoreTime,
    /// Staff: clear.
    StartClearing,
    /// Staff: place.
    StartPlacing,
    /// Staff: recall.
    StartRecall,
    /// Staff: look into what is in doubt.
    StartInspection,
    /// Staff: prove locks.
    StartProving,
    /// Staff: this door has opened.
    OpenedDoor {
        /// The number on it.
        compartment: CompartmentId,
    },
    /// Staff: look something up.
    StartLookUp,
    /// Staff: what happened to this?
    LookUp {
        /// What.
        about: Subject,
    },
    /// Staff: the next of the round.
    OpenNext,
    /// Staff: this one.
    OpenThis {
        /// Which.
        compartment: CompartmentId,
    },
    /// Courier: the last one was a mistake.
    UndoLast,
    /// Staff: the round is over.
    EndRound,
    /// Staff: what should be inside is.
    Inside,
    /// Staff: nothing is inside.
    Empty,
    /// Staff: something that nobody knows of is inside.
    Foreign,
    /// Technician: out of service.
    Withdraw {
        /// Which.
        compartment: CompartmentId,
        /// Why.
        reason: WithdrawReason,
    },
    /// Technician: back in service.
    ReturnToService {
        /// Which.
        compartment: CompartmentId,
    },
    /// Technician: how far the commissioning is.
    ShowCommissioning,
    /// Technician: write the wiring that was found into the settings.
    WriteWiring,
    /// Technician: keep a signed report.
    KeepReport,
    /// Technician: a secure board gets a new key.
    InstallKey {
        /// Which.
        board: BoardId,
    },
    /// Technician: another board hangs there now.
    ReplaceBoard {
        /// In whose place.
        board: BoardId,
    },
}
