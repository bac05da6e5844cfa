//! What may be shown, and what may be touched there. The kiosk turns a [`View`] into a page and a finger into a [`Tap`].

use office_protocol::document::Nearby;
use office_protocol::event::{PassRefusal, Size, StaffRole, Subject, VisitPurpose, WithdrawReason};
use office_protocol::{ApplicationId, CabinetId, CompartmentId, ConsignmentId, ItemCode, StaffId, Timestamp};
use serde::{Deserialize, Serialize};

use super::vocabulary::Monotonic;

mod action;
mod commissioning;
pub use action::{Action, Tap};
pub use commissioning::{BoardRow, Commissioning, KeyStep, Writing};

/// One conversation at the screen; a new number each time somebody else may stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct SessionId(pub u64);

/// How a person wants the screen. Wiped with the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Appearance {
    /// The language.
    pub language: Language,
    /// Large text.
    pub large: bool,
    /// High contrast.
    pub contrast: bool,
}

/// A language of the screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// Chinese; what a fresh session begins with.
    #[default]
    Zh,
    /// English.
    En,
}

/// Everything the kiosk needs to draw one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The cabinet's name.
    pub cabinet: CabinetId,
    /// Quoted by every tap.
    pub session: SessionId,
    /// Quoted by every tap; rises with every change of the screen.
    pub revision: u64,
    /// As this person wants it.
    pub appearance: Appearance,
    /// What to draw.
    pub screen: Screen,
    /// Said above it.
    pub notices: Vec<Notice>,
    /// The hall's phone number.
    pub help_phone: Option<String>,
    /// A reference that names this conversation to a person on the phone.
    pub reference: Option<String>,
    /// When the screen changes by itself, for a countdown.
    pub until: Option<Monotonic>,
}

/// What does not work just now, and so what still does; or what whoever is there should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// No connection to the office; handing in and collecting work all the same.
    Offline,
    /// The scanner is gone; digits work.
    ScannerLost,
    /// A lock board is gone; some doors do not open.
    DoorsUnreachable,
    /// No free compartment.
    Full,
    /// No compartment whose lock has been proven.
    Unproven,
    /// No drop-offs: the disk is nearly full.
    DropOffsRefused,
    /// The time may be wrong.
    ClockUntrusted,
    /// A door that nobody works at stands open: it should be closed.
    StandsOpen(CompartmentId),
}

/// Whether drop-offs are taken just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropOffs {
    /// Yes.
    Open,
    /// No room, or none that works; others nearby, nearest first.
    Closed {
        /// Where to go.
        nearby: Vec<Nearby>,
    },
}

/// The screens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    /// Nobody is being served. Collect, hand in, take back, staff.
    Home {
        /// Whether drop-offs are taken.
        drop_offs: DropOffs,
    },
    /// Type the digits of a code. Taps: [`Action::Digits`], [`Action::Back`].
    EnterDigits {
        /// Eight; twelve, with the spare ones, after wrong tries or where many codes are inside.
        length: u8,
        /// What was wrong with the last ones.
        wrong: bool,
        /// No try before this.
        wait_until: Option<Monotonic>,
    },
    /// Show the slip's second factor. Taps: [`Action::Digits`] (four), [`Action::Back`]; or scan the drop-off pass.
    EnterSecondFactor {
        /// Which one.
        kind: office_protocol::event::SecondFactorKind,
        /// What was wrong with the last one.
        wrong: bool,
        /// No try before this.
        wait_until: Option<Monotonic>,
    },
    /// Something that was scanned, and why it does not help. Taps: [`Action::Back`].
    ScanProblem(ScanProblem),
    /// Hand in without a pass: choose a service item. Taps: [`Action::ChooseItem`], [`Action::Back`].
    ChooseItem,
    /// A phone number, typed twice. Taps: [`Action::Phone`], [`Action::SkipPhone`], [`Action::Back`].
    EnterPhone {
        /// This is the second time.
        again: bool,
        /// The two differed.
        mismatch: bool,
    },
    /// What belongs into the envelope. Taps: [`Action::Accept`] (with `reachable` if a low door is wished), [`Action::Back`].
    Checklist {
        /// For what.
        items: Vec<ItemCode>,
        /// The case, where there is one.
        application: Option<ApplicationId>,
        /// How large a door it takes.
        size: Size,
        /// Whether the person may choose another size (no pass says one). Tap: [`Action::ChooseSize`].
        choose_size: bool,
    },
    /// The slip: a reference and a code to take it back by; "not yet received". Tap: [`Action::Accept`] opens the door, [`Action::Back`].
    Slip {
        /// Names the consignment.
        reference: ConsignmentId,
        /// For the QR code.
        qr: String,
        /// Eight digits, to be shown 4-4.
        digits: String,
        /// Four more, asked for after wrong tries.
        spare: String,
        /// What else is asked for when taking it back.
        second: office_protocol::event::SecondFactorKind,
    },
    /// A lock is being opened. No taps.
    Opening(DoorWork),
    /// The lock rests after earlier pulses and is opened by itself at [`View::until`]. No taps.
    LockResting(DoorWork),
    /// Asked before another pulse: is the door open? Taps: [`Action::DoorIsOpen`].
    IsDoorOpen(DoorWork),
    /// The door is open. Taps: [`Action::AnotherDoor`] (drop-off, placing), [`Action::DoorIsClosed`] once `reminder` > 0,
    /// [`Action::Complain`] (collection, clearing, recall); a scan here is the envelope's bar code (drop-off, clearing).
    DoorOpen {
        /// Which and what for.
        work: DoorWork,
        /// 0: none; 1 after 20 s; 2, louder, after 40 s.
        reminder: u8,
        /// The bar code of the envelope has been read.
        envelope: bool,
        /// The sensor in the compartment says that something is inside.
        item_seen: Option<bool>,
    },
    /// Is it inside? Taps: [`Action::Yes`], [`Action::No`] (took it out again: cancelled), [`Action::Reopen`].
    IsItInside(DoorWork),
    /// Took everything? Taps: [`Action::Yes`], [`Action::Reopen`], [`Action::Complain`].
    TookEverything {
        /// Which and what for.
        work: DoorWork,
        /// How many more doors this person's code opens.
        more: u16,
    },
    /// Received. Taps: [`Action::Another`] where `more` > 0, [`Action::Done`], [`Action::Rate`].
    Receipt {
        /// Names the consignment.
        reference: ConsignmentId,
        /// Where it lies.
        compartment: CompartmentId,
        /// When it was received.
        received: Timestamp,
        /// The office has not confirmed the phone number yet.
        unverified: bool,
        /// Four digits that are asked for when taking it back, where they are the second factor.
        second: Option<String>,
        /// Signed text of the receipt, for a QR code.
        proof: String,
        /// How many more compartments the pass fills.
        more: u16,
    },
    /// Collected, taken back, or nothing happened. Taps: [`Action::Next`] where `more` > 0, [`Action::Rate`], [`Action::Done`].
    Done {
        /// What was done.
        done: Done,
        /// How many more doors this person's code opens.
        more: u16,
    },
    /// It did not work; what happened, what to do now, a reference. Taps: [`Action::Done`], [`Action::Help`].
    Sorry {
        /// What went wrong.
        trouble: Trouble,
        /// Which and what for; none when no door was opened.
        work: Option<DoorWork>,
    },
    /// Staff: type the PIN. Taps: [`Action::Digits`] (4 to 8), [`Action::Back`].
    EnterPin {
        /// Who.
        staff: StaffId,
        /// The last one was wrong.
        wrong: bool,
        /// No try before this.
        wait_until: Option<Monotonic>,
    },
    /// Staff: what there is to do. Taps: [`Action::StartClearing`], [`Action::StartPlacing`], [`Action::StartRecall`],
    /// [`Action::StartInspection`], [`Action::StartProving`], [`Action::ShowCommissioning`], [`Action::StartLookUp`],
    /// [`Action::Done`].
    StaffHome {
        /// Who.
        staff: StaffId,
        /// In which role.
        role: StaffRole,
        /// Inbound consignments.
        to_clear: u16,
        /// Overdue or disputed ones.
        to_recall: u16,
        /// Compartments in doubt.
        unconfirmed: u16,
        /// Locks that this person is to prove.
        to_prove: u16,
        /// Doors that were found to be wired otherwise than the settings say.
        rewired: u16,
        /// Free compartments: small, medium, large.
        free: [u16; 3],
    },
    /// Staff: a list to go through door by door. Taps: [`Action::OpenNext`], [`Action::OpenThis`], [`Action::EndRound`].
    Round {
        /// Clearing, recall, inspection or proving.
        purpose: VisitPurpose,
        /// What is left to do.
        rows: Vec<RoundRow>,
        /// Done so far in this round.
        done: u16,
    },
    /// Courier: scan the next label. Taps: [`Action::UndoLast`], [`Action::EndRound`].
    PlacingScan {
        /// The one placed last, which may still be undone.
        last: Option<(ConsignmentId, CompartmentId)>,
        /// Placed in this round, with the last.
        done: u16,
        /// Why the last scan was not taken.
        refused: Option<LabelProblem>,
    },
    /// Courier: an unknown label; how large is it? Taps: [`Action::ChooseSize`], [`Action::Back`].
    PlacingSize {
        /// The label.
        consignment: ConsignmentId,
    },
    /// Staff prove a lock, and its sensor has moved: which door has opened? Taps: [`Action::OpenedDoor`], [`Action::No`] (none).
    WhichDoor {
        /// The door that the settings name.
        work: DoorWork,
        /// All that it could be.
        doors: Vec<CompartmentId>,
    },
    /// Staff looked into a compartment: what is inside? Taps: [`Action::Inside`], [`Action::Empty`], [`Action::Foreign`],
    /// [`Action::Reopen`].
    WhatIsInside {
        /// Which and what for.
        work: DoorWork,
    },
    /// Technician: every compartment. Taps: [`Action::OpenThis`], [`Action::Withdraw`], [`Action::ReturnToService`],
    /// [`Action::ReplaceBoard`], [`Action::Done`].
    Compartments {
        /// All of them.
        rows: Vec<CompartmentRow>,
        /// The lock boards that they hang on.
        boards: Vec<BoardRow>,
    },
    /// Technician: which locks are proven, and what was found otherwise than the settings say. Taps: [`Action::WriteWiring`],
    /// [`Action::KeepReport`], [`Action::InstallKey`], [`Action::Done`]; a scan may be a lock board's label.
    Commissioning(Commissioning),
    /// Staff: what to look up. Taps: [`Action::LookUp`], [`Action::Back`]; or scan a label.
    LookUp {
        /// All of them.
        compartments: Vec<CompartmentId>,
    },
    /// Staff: what happened to one thing; the kiosk finds it. Taps: [`Action::LookUp`], [`Action::Back`].
    History {
        /// To what.
        about: Subject,
    },
    /// Do you need more time? Taps: [`Action::MoreTime`], [`Action::Done`].
    MoreTime,
    /// Help: who to call, with a reference. Taps: [`Action::Back`].
    Help,
    /// Nothing can be decided: the journal failed, or could not be opened. Shown by the daemon, never by the cabinet. No taps.
    OutOfService,
}

/// One door being worked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorWork {
    /// What for.
    pub purpose: VisitPurpose,
    /// Which door.
    pub compartment: CompartmentId,
    /// What it is about; none for an inspection of an empty compartment.
    pub consignment: Option<ConsignmentId>,
    /// How often the lock was pulsed.
    pub pulses: u8,
}

/// How a conversation ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// A citizen has their documents.
    Collected,
    /// A citizen took their documents back.
    TakenBack,
    /// Nothing was put in.
    NothingPutIn,
    /// What is wrong was noted; the office will call.
    ComplaintNoted,
}

/// How a conversation ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The door did not open; what is inside is safe and the code stays valid.
    DoorStuckInside,
    /// The door did not open, and there is no other free compartment.
    DoorStuckNoOther,
    /// No free compartment.
    Full,
    /// The door stayed open; nobody knows whether it is inside.
    DoorLeftOpen,
    /// Too many drop-offs without a pass are inside already.
    TooManyUnverified,
}

/// Why a scan does not help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanProblem {
    /// Noise, or too long.
    Unreadable,
    /// Well read, but no code of ours.
    NotOurs,
    /// A pickup code or pass of other cabinets: where to go, the first few.
    Elsewhere(Vec<CabinetId>),
    /// A pickup code that is not valid here, or no longer.
    UnknownCode,
    /// A pickup code whose consignment has been collected.
    AlreadyCollected,
    /// A pass that was refused.
    Pass(PassRefusal),
    /// The consignment of a collection pass is not inside here.
    NotInside,
    /// A badge or staff pass that nobody here knows.
    UnknownStaff,
    /// What it asks for is not possible just now: full, or drop-offs refused.
    NoRoom,
    /// The compartment is in use at this moment.
    Busy,
}

/// Why a label is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelProblem {
    /// Not a label.
    Unreadable,
    /// A consignment of this label is inside already.
    AlreadyInside,
    /// No free compartment that fits.
    NoRoom,
    /// The last one's door does not open again: what is inside is noted as unconfirmed.
    DoorStuck,
}

/// One line of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundRow {
    /// Which door.
    pub compartment: CompartmentId,
    /// What should be inside.
    pub consignment: Option<ConsignmentId>,
    /// Since when.
    pub since: Timestamp,
    /// Nobody knows whether it is inside.
    pub unconfirmed: bool,
}

/// One line of the technician's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompartmentRow {
    /// Which.
    pub compartment: CompartmentId,
    /// Its size.
    pub size: Size,
    /// The last reading.
    pub open: Option<bool>,
    /// Something may be inside.
    pub occupied: bool,
    /// Out of service.
    pub withdrawn: Option<WithdrawReason>,
    /// Somebody saw that its lock opens its door.
    pub proven: bool,
    /// Its sensor sees something that nobody put in.
    pub unexpected: bool,
    /// Its board does not answer.
    pub unreachable: bool,
}
