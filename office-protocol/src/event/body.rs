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
        /// The cabinet's identity: pickup codes are hashed under a key derived from it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<KeyId>,
    }
    /// On a new disk, the ledger was rebuilt from the events that the office had, of this time: what happened after the last of them
    /// is not known.
    Restored = "locker.restored" { exported: Timestamp }
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

    /// Somebody saw that this lock opens this compartment's door, and its sensor told open from closed. Counts for as long as the
    /// compartment has this lock.
    ChannelProven = "locker.channel-proven" { compartment: CompartmentId, wiring: Wiring, staff: StaffId }
    /// Another board hangs in this one's place: what was proven of it is no more.
    BoardReplaced = "locker.board-replaced" { board: BoardId, staff: StaffId }

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
    /// A secure lock board and the cabinet have agreed on a new key; on disk before the board is told to use it.
    BoardKeyAgreed = "locker.board-key-agreed" { board: BoardId, key: KeyId, by: KeyOrigin }
    /// A session with that key has begun: the old one counts no more.
    BoardKeyInstalled = "locker.board-key-installed" { board: BoardId, key: KeyId }
    /// Two boards answer at the address of one: an unlock there would open a door on each, so none is sent.
    AddressShared = "locker.address-shared" { board: BoardId, port: PortName, address: u8 }
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
            | E::Restored { .. }
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
            | E::ChannelProven { .. }
            | E::BoardReplaced { .. }
            | E::TriesCounted { .. }
            | E::PassUsed { .. }
            | E::PassRefused { .. }
            | E::StaffAdmitted { .. }
            | E::CommandAccepted { .. }
            | E::CommandRefused { .. }
            | E::CommandDone { .. }
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
            | E::CompartmentReturned { compartment }
            | E::ChannelProven { compartment, .. } => Some(*compartment),
            E::AlarmRaised { compartment, .. } | E::AlarmCleared { compartment, .. } => *compartment,
            E::Started { .. }
            | E::Restored { .. }
            | E::ClockCorrected { .. }
            | E::DocumentApplied { .. }
            | E::LayoutChanged { .. }
            | E::CodeReissued { .. }
            | E::HoldStarted { .. }
            | E::BoardReplaced { .. }
            | E::TriesCounted { .. }
            | E::PassUsed { .. }
            | E::PassRefused { .. }
            | E::StaffAdmitted { .. }
            | E::CommandAccepted { .. }
            | E::CommandRefused { .. }
            | E::CommandDone { .. }
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
            | E::PowerChanged { .. }
            | E::HelpRequested { .. }
            | E::Rated { .. } => None,
        }
    }
}
