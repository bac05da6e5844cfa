//! What an event says: one variant for each type, in life-cycle order. Codes and numbers, never sentences.

use super::*;

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident = $type:literal { $($(#[$field_meta:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        /// What happened. Every type is past tense and frozen by a golden file once landed.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "data")]
        #[allow(missing_docs)] // the fields are documented where their types are, or by their names
        pub enum EventBody {
            $($(#[$doc])* #[serde(rename = $type)] $name { $($(#[$field_meta])* $field: $kind),* },)*
        }

        impl EventBody {
            /// Every type that this version knows.
            pub const TYPES: &'static [&'static str] = &[$($type),*];

            /// The CloudEvents `type`.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name { .. } => $type,)* }
            }
        }
    };
}

bodies! {
    /// The daemon started; first event of every start.
    Started = "locker.started" {
        start: Start,
        version: String,
        /// What opening the journal had to cut or could not read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        damage: Option<Damage>,
    }
    /// The time floor was set: raised by a trusted clock's jump, or lowered by a signed correction.
    ClockCorrected = "locker.clock-corrected" { floor: Timestamp }
    /// An authority document is in force.
    DocumentApplied = "locker.document-applied" { document: crate::document::DocumentName, version: u64, digest: Digest }
    /// The cabinet's compartments, whole, as the settings now say.
    LayoutChanged = "locker.layout-changed" { compartments: Vec<CompartmentLayout> }

    /// Someone may open one compartment for one purpose; the visit's number is this event's.
    VisitGranted = "locker.visit-granted" {
        purpose: VisitPurpose,
        authority: Authority,
        compartment: CompartmentId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consignment: Option<ConsignmentId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        application: Option<ApplicationId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemCode>,
        /// Drop-off: what the ledger compares the slip's code with, for taking it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slip: Option<CodeHashes>,
        /// Drop-off: what must be shown besides the slip.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<SecondFactor>,
        /// Placing: what the office's documents, or the courier, said of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<PersonId>,
        /// The digest of the sealed part with the person's contact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed: Option<Digest>,
    }
    /// The visit goes on at another compartment.
    VisitMoved = "locker.visit-moved" { from: CompartmentId, to: CompartmentId, reason: MoveReason }
    /// The visit is over.
    VisitSettled = "locker.visit-settled" { compartment: CompartmentId, outcome: VisitOutcome }

    /// A pulse is about to be sent; the pulse's number is this event's. On disk before the bytes go out.
    UnlockBegun = "locker.unlock-begun" { compartment: CompartmentId, pulse: u8 }
    /// The board said no, or the pulse was not sent; or nobody knows.
    UnlockFailed = "locker.unlock-failed" { compartment: CompartmentId, unlock: Seq, reason: UnlockFailure }
    /// The daemon stopped while a pulse was under way; it is never repeated.
    UnlockInterrupted = "locker.unlock-interrupted" { compartment: CompartmentId, unlock: Seq }

    /// A door opened that was allowed to.
    DoorOpened = "locker.door-opened" { compartment: CompartmentId }
    /// A door closed.
    DoorClosed = "locker.door-closed" { compartment: CompartmentId }
    /// A door has stayed open past the reminders.
    DoorLeftOpen = "locker.door-left-open" { compartment: CompartmentId }
    /// A door opened without authority.
    DoorForced = "locker.door-forced" { compartment: CompartmentId }
    /// The first reading after a start, a port's return or a quarantine.
    DoorFound = "locker.door-found" { compartment: CompartmentId, open: bool }

    /// A consignment towards the office is inside.
    DroppedOff = "locker.dropped-off" {
        consignment: ConsignmentId,
        compartment: CompartmentId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        application: Option<ApplicationId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ItemCode>,
        /// The bar code on the envelope.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        envelope: Option<String>,
        /// True when no pass of the office stands behind it.
        unverified: bool,
        /// The digest of the sealed part with the person's contact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed: Option<Digest>,
    }
    /// Its owner took it out again before it was cleared.
    TakenBack = "locker.taken-back" { consignment: ConsignmentId, compartment: CompartmentId }
    /// A courier took it out for the office.
    Cleared = "locker.cleared" {
        consignment: ConsignmentId,
        compartment: CompartmentId,
        staff: StaffId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        envelope: Option<String>,
    }

    /// A consignment towards a citizen is inside, and its pickup code is issued.
    Placed = "locker.placed" {
        consignment: ConsignmentId,
        compartment: CompartmentId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        application: Option<ApplicationId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<PersonId>,
        /// False when it was taken as it is, unknown to the office's documents.
        expected: bool,
        staff: StaffId,
        generation: u32,
        /// What the ledger compares codes with; none when the office's sealing key is missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<CodeHashes>,
        /// The digest of the sealed part with the plain code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed: Option<Digest>,
        hold_days: u32,
    }
    /// A new pickup code replaces the old one.
    CodeReissued = "locker.code-reissued" {
        consignment: ConsignmentId,
        generation: u32,
        code: CodeHashes,
        sealed: Digest,
    }
    /// The office has acknowledged the placing: the hold period runs from here.
    HoldStarted = "locker.hold-started" { consignment: ConsignmentId, until: Timestamp }
    /// The citizen, or who was authorised, took it out.
    Collected = "locker.collected" { consignment: ConsignmentId, compartment: CompartmentId }
    /// A courier took it out because nobody came, or the office wants it back.
    Recalled = "locker.recalled" { consignment: ConsignmentId, compartment: CompartmentId, staff: StaffId }

    /// Nobody knows what is inside; never offered, never guessed.
    Unconfirmed = "locker.unconfirmed" {
        compartment: CompartmentId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consignment: Option<ConsignmentId>,
        reason: DoubtReason,
    }
    /// A person looked: it is inside, or it is not.
    Confirmed = "locker.confirmed" {
        compartment: CompartmentId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consignment: Option<ConsignmentId>,
        inside: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        staff: Option<StaffId>,
    }
    /// A person says that what was inside is not right.
    Disputed = "locker.disputed" {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consignment: Option<ConsignmentId>,
        compartment: CompartmentId,
        complaint: Complaint,
    }

    /// Out of service.
    CompartmentWithdrawn = "locker.compartment-withdrawn" { compartment: CompartmentId, reason: WithdrawReason }
    /// Back in service.
    CompartmentReturned = "locker.compartment-returned" { compartment: CompartmentId }

    /// The count of wrong tries, after one more or after a day.
    TriesCounted = "locker.tries-counted" { tries: u32, day: i64 }
    /// A single-use pass was used; remembered until it expires.
    PassUsed = "locker.pass-used" { pass: PassId, expires: Timestamp }
    /// A presented pass or label was refused for a reason that somebody should know.
    PassRefused = "locker.pass-refused" {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pass: Option<PassId>,
        reason: PassRefusal,
    }
    /// A staff member stepped up to the screen with a PIN that was right.
    StaffAdmitted = "locker.staff-admitted" { staff: StaffId, role: StaffRole }
    /// A command will be carried out.
    CommandAccepted = "locker.command-accepted" { number: u64, action: crate::command::Action }
    /// A command was refused; its number is used up where it was genuine and new.
    CommandRefused = "locker.command-refused" { number: u64, refusal: crate::command::Refusal }
    /// A command was carried out.
    CommandDone = "locker.command-done" { number: u64, outcome: crate::command::CommandOutcome }

    /// A lock board stopped answering.
    BoardLost = "locker.board-lost" { board: BoardId }
    /// A lock board answers again.
    BoardFound = "locker.board-found" { board: BoardId }
    /// A serial port is gone.
    PortLost = "locker.port-lost" { port: PortName }
    /// A serial port is back.
    PortFound = "locker.port-found" { port: PortName }
    /// A scanner, printer or other device stopped working.
    PeripheralLost = "locker.peripheral-lost" { port: PortName }
    /// It works again.
    PeripheralFound = "locker.peripheral-found" { port: PortName }
    /// The tamper contact opened, or someone shook the cabinet.
    Tampered = "locker.tampered" { source: TamperSource }
    /// Mains power went or came back.
    PowerChanged = "locker.power-changed" { mains: bool }
    /// Something needs a person.
    AlarmRaised = "locker.alarm-raised" {
        alarm: Alarm,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compartment: Option<CompartmentId>,
    }
    /// It no longer does.
    AlarmCleared = "locker.alarm-cleared" {
        alarm: Alarm,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compartment: Option<CompartmentId>,
    }

    /// Somebody at the screen asked for a person.
    HelpRequested = "locker.help-requested" {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    }
    /// Somebody rated the service, 1 to 5.
    Rated = "locker.rated" { stars: u8 }
}

impl EventBody {
    /// The CloudEvents `subject`: the consignment, or else the compartment, that the event is about.
    pub fn subject(&self) -> Option<String> {
        let consignment = self.consignment().map(|id| format!("consignment/{id}"));
        consignment.or_else(|| self.compartment().map(|id| format!("compartment/{id}")))
    }

    /// The consignment that the event names.
    pub fn consignment(&self) -> Option<&ConsignmentId> {
        use EventBody as E;
        match self {
            E::DroppedOff { consignment, .. }
            | E::TakenBack { consignment, .. }
            | E::Cleared { consignment, .. }
            | E::Placed { consignment, .. }
            | E::CodeReissued { consignment, .. }
            | E::HoldStarted { consignment, .. }
            | E::Collected { consignment, .. }
            | E::Recalled { consignment, .. } => Some(consignment),
            E::VisitGranted { consignment, .. }
            | E::Unconfirmed { consignment, .. }
            | E::Confirmed { consignment, .. }
            | E::Disputed { consignment, .. } => consignment.as_ref(),
            E::Started { .. }
            | E::ClockCorrected { .. }
            | E::DocumentApplied { .. }
            | E::LayoutChanged { .. }
            | E::VisitMoved { .. }
            | E::VisitSettled { .. }
            | E::UnlockBegun { .. }
            | E::UnlockFailed { .. }
            | E::UnlockInterrupted { .. }
            | E::DoorOpened { .. }
            | E::DoorClosed { .. }
            | E::DoorLeftOpen { .. }
            | E::DoorForced { .. }
            | E::DoorFound { .. }
            | E::CompartmentWithdrawn { .. }
            | E::CompartmentReturned { .. }
            | E::TriesCounted { .. }
            | E::PassUsed { .. }
            | E::PassRefused { .. }
            | E::StaffAdmitted { .. }
            | E::CommandAccepted { .. }
            | E::CommandRefused { .. }
            | E::CommandDone { .. }
            | E::BoardLost { .. }
            | E::BoardFound { .. }
            | E::PortLost { .. }
            | E::PortFound { .. }
            | E::PeripheralLost { .. }
            | E::PeripheralFound { .. }
            | E::Tampered { .. }
            | E::PowerChanged { .. }
            | E::AlarmRaised { .. }
            | E::AlarmCleared { .. }
            | E::HelpRequested { .. }
            | E::Rated { .. } => None,
        }
    }

    /// The compartment that the event is about; for a move, where the visit went.
    pub fn compartment(&self) -> Option<CompartmentId> {
        use EventBody as E;
        match self {
            E::VisitGranted { compartment, .. }
            | E::VisitMoved { to: compartment, .. }
            | E::VisitSettled { compartment, .. }
            | E::UnlockBegun { compartment, .. }
            | E::UnlockFailed { compartment, .. }
            | E::UnlockInterrupted { compartment, .. }
            | E::DoorOpened { compartment }
            | E::DoorClosed { compartment }
            | E::DoorLeftOpen { compartment }
            | E::DoorForced { compartment }
            | E::DoorFound { compartment, .. }
            | E::DroppedOff { compartment, .. }
            | E::TakenBack { compartment, .. }
            | E::Cleared { compartment, .. }
            | E::Placed { compartment, .. }
            | E::Collected { compartment, .. }
            | E::Recalled { compartment, .. }
            | E::Unconfirmed { compartment, .. }
            | E::Confirmed { compartment, .. }
            | E::Disputed { compartment, .. }
            | E::CompartmentWithdrawn { compartment, .. }
            | E::CompartmentReturned { compartment } => Some(*compartment),
            E::AlarmRaised { compartment, .. } | E::AlarmCleared { compartment, .. } => *compartment,
            E::Started { .. }
            | E::ClockCorrected { .. }
            | E::DocumentApplied { .. }
            | E::LayoutChanged { .. }
            | E::CodeReissued { .. }
            | E::HoldStarted { .. }
            | E::TriesCounted { .. }
            | E::PassUsed { .. }
            | E::PassRefused { .. }
            | E::StaffAdmitted { .. }
            | E::CommandAccepted { .. }
            | E::CommandRefused { .. }
            | E::CommandDone { .. }
            | E::BoardLost { .. }
            | E::BoardFound { .. }
            | E::PortLost { .. }
            | E::PortFound { .. }
            | E::PeripheralLost { .. }
            | E::PeripheralFound { .. }
            | E::Tampered { .. }
            | E::PowerChanged { .. }
            | E::HelpRequested { .. }
            | E::Rated { .. } => None,
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
            #[serde(rename_all = "kebab-case")]
            pub enum $name { $($(#[$variant_doc])* $variant),* }
        )*
    };
}

codes! {
    /// What a visit is for.
    VisitPurpose {
        /// A citizen puts a consignment in for the office.
        DropOff,
        /// The citizen takes it out again.
        TakeBack,
        /// A courier takes it out for the office.
        Clearing,
        /// A courier puts a result in for a citizen.
        Placing,
        /// The citizen takes it out.
        Collection,
        /// A courier takes out what was not collected, or what is in doubt.
        Recall,
        /// Staff or the office opens it for another reason.
        Inspection,
    }
    /// How a visit ended.
    VisitOutcome {
        /// As intended.
        Done,
        /// Given up before anything was put in or taken out.
        Cancelled,
        /// The door never opened.
        NotOpened,
        /// Nobody knows; the compartment is unconfirmed.
        Unconfirmed,
    }
    /// Why a visit went on at another compartment.
    MoveReason {
        /// Something was inside already.
        Occupied,
        /// Not fit for documents.
        Dirty,
        /// Too small.
        TooSmall,
        /// The door did not open.
        NotOpened,
        /// Too high for this person.
        OutOfReach,
    }
    /// What is known of a pulse that did not work.
    UnlockFailure {
        /// The board answered that the lock did not open.
        Refused,
        /// Too late, or the bus was gone: no pulse.
        NotSent,
        /// The lock or its power supply rests after earlier pulses: no pulse was sent.
        Resting,
        /// Sent, never answered: the door shows the truth.
        Uncertain,
    }
    /// Why nobody knows what is inside.
    DoubtReason {
        /// The person left without answering.
        Unanswered,
        /// The daemon or the power stopped during the visit.
        Interrupted,
        /// The door was left open.
        LeftOpen,
        /// The door was forced.
        Forced,
        /// The end of the journal could not be read.
        Damaged,
        /// Somebody opened it for inspection.
        Inspected,
        /// A person says that what is inside is not right.
        Disputed,
    }
    /// What is wrong with a consignment.
    Complaint {
        /// Nothing was inside.
        Empty,
        /// Somebody else's.
        Wrong,
        /// Opened or damaged.
        Damaged,
        /// Something is inside that nobody knows of.
        Foreign,
    }
    /// Why a compartment is out of service.
    WithdrawReason {
        /// Not fit for documents.
        Dirty,
        /// The lock or door does not work.
        Broken,
        /// Something unknown is inside.
        Occupied,
        /// The office or a technician said so.
        Ordered,
    }
    /// Why a pass was refused.
    PassRefusal {
        /// The signature is not the office's.
        Forged,
        /// Past its time.
        Expired,
        /// Not yet valid.
        TooEarly,
        /// Used already.
        Used,
        /// The office took it back.
        Revoked,
        /// Not for this cabinet.
        Elsewhere,
        /// A newer authority replaced it.
        Superseded,
    }
    /// What staff may do.
    StaffRole {
        /// Clears, places, recalls.
        Courier,
        /// Commissions, repairs, inspects.
        Technician,
    }
    /// What must be shown besides a slip's code.
    SecondFactorKind {
        /// The last four digits of the phone number that was given.
        Phone,
        /// The drop-off pass.
        Pass,
        /// The four digits on the receipt.
        Receipt,
    }
    /// What told of tampering.
    TamperSource {
        /// The case's contact.
        Contact,
        /// The shock sensor.
        Shock,
    }
    /// What needs a person.
    Alarm {
        /// A door did not open after all pulses.
        DoorJammed,
        /// A door has been open for ten minutes.
        DoorOpen,
        /// A door opened without authority.
        DoorForced,
        /// A door's sensor does not show what a person sees.
        SensorBroken,
        /// A lock board does not answer.
        BoardLost,
        /// A serial port is gone.
        PortLost,
        /// A scanner or printer is gone.
        PeripheralLost,
        /// Someone tries codes.
        Guessing,
        /// Forged passes, commands, positions or documents came in.
        Forgery,
        /// The disk fills up.
        StorageLow,
        /// The journal was damaged.
        JournalDamaged,
        /// The clock cannot be believed.
        ClockUntrusted,
        /// No room for the next person.
        CabinetFull,
        /// A dispute waits for somebody.
        Dispute,
    }
}

/// What opening the journal had to cut or could not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// Events at the end that were never acknowledged, or were damaged: cut.
    pub cut: u32,
    /// First and last numbers of events that could not be read elsewhere.
    pub unreadable: Vec<(Seq, Seq)>,
}

/// One compartment as built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompartmentLayout {
    /// The number on the door.
    pub id: CompartmentId,
    /// Its size.
    pub size: Size,
    /// Whether everybody can reach it (380 to 1,220 mm).
    pub reachable: bool,
}

/// Sizes, smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// An envelope.
    Small,
    /// A folder.
    Medium,
    /// A box.
    Large,
}

/// Why somebody may open a door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Authority {
    /// A pass signed by the office.
    Pass {
        /// Which one.
        pass: PassId,
        /// How long its use must be remembered.
        expires: Timestamp,
        /// Collection passes: which issue. A newer one than the ledger knows kills the code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u32>,
    },
    /// A pickup code: the QR token or the digits.
    PickupCode {
        /// Of which issue.
        generation: u32,
        /// True for typed digits.
        digits: bool,
    },
    /// The slip's code and second factor.
    Slip {
        /// True for typed digits.
        digits: bool,
    },
    /// A member of staff with a PIN.
    Staff {
        /// Who.
        staff: StaffId,
    },
    /// A command of the office.
    Command {
        /// Its number.
        number: u64,
    },
    /// Nothing but having chosen a service item: a drop-off without pass.
    WalkIn,
}

/// HMAC-SHA-256 under a key that never leaves the cabinet, cut to 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyedHash(pub [u8; 16]);

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedHash")
    }
}

impl Serialize for KeyedHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("hmac-sha256-128:{}", crate::codec::encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for KeyedHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text
            .strip_prefix("hmac-sha256-128:")
            .and_then(crate::codec::decode);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not a keyed hash"))
    }
}

/// What the ledger keeps of one pickup code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeHashes {
    /// Of the QR token.
    pub token: KeyedHash,
    /// Of the eight digits.
    pub digits: KeyedHash,
    /// Of the eight digits and the four spare ones.
    pub spare: KeyedHash,
}

/// What must be shown besides a slip's code to take a drop-off back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// What it is.
    pub kind: SecondFactorKind,
    /// Its keyed hash.
    pub hash: KeyedHash,
}
