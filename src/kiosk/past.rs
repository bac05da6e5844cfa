//! What happened, as staff read it: one event, what it is about, and its name in both languages.

use office_protocol::event::{Alarm, Event, EventBody, PassRefusal, Subject, VisitPurpose};

use super::messages::Message as M;
use super::technician::reason_message;

/// One event that was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The event.
    pub event: Event,
    /// Everything that it is about.
    pub about: Vec<Subject>,
}

/// The event's name.
pub(super) const fn name(body: &EventBody) -> M {
    match body {
        EventBody::Started { .. } => M::PastStarted,
        EventBody::Restored { .. } => M::PastRestored,
        EventBody::ClockCorrected { .. } => M::PastClockCorrected,
        EventBody::DocumentApplied { .. } => M::PastDocumentApplied,
        EventBody::LayoutChanged { .. } => M::PastLayoutChanged,
        EventBody::VisitGranted { .. } => M::PastVisitGranted,
        EventBody::VisitMoved { .. } => M::PastVisitMoved,
        EventBody::VisitSettled { .. } => M::PastVisitSettled,
        EventBody::UnlockBegun { .. } => M::PastUnlockBegun,
        EventBody::UnlockFailed { .. } => M::PastUnlockFailed,
        EventBody::UnlockInterrupted { .. } => M::PastUnlockInterrupted,
        EventBody::DoorOpened { .. } => M::PastDoorOpened,
        EventBody::DoorClosed { .. } => M::PastDoorClosed,
        EventBody::DoorLeftOpen { .. } => M::PastDoorLeftOpen,
        EventBody::DoorForced { .. } => M::PastDoorForced,
        EventBody::DoorFound { open: true, .. } => M::PastDoorFoundOpen,
        EventBody::DoorFound { open: false, .. } => M::PastDoorFoundClosed,
        EventBody::DroppedOff { .. } => M::HandIn,
        EventBody::TakenBack { .. } => M::PastTakenBack,
        EventBody::Cleared { .. } => M::PastCleared,
        EventBody::Placed { .. } => M::PastPlaced,
        EventBody::CodeReissued { .. } => M::PastCodeReissued,
        EventBody::HoldStarted { .. } => M::PastHoldStarted,
        EventBody::Collected { .. } => M::PastCollected,
        EventBody::Recalled { .. } => M::PastRecalled,
        EventBody::Unconfirmed { .. } => M::Unconfirmed,
        EventBody::Confirmed { inside: true, .. } => M::PastConfirmedInside,
        EventBody::Confirmed { inside: false, .. } => M::PastConfirmedEmpty,
        EventBody::Disputed { .. } => M::PastDisputed,
        EventBody::CompartmentWithdrawn { .. } => M::StateWithdrawn,
        EventBody::CompartmentReturned { .. } => M::ReturnToService,
        EventBody::ChannelProven { .. } => M::PastChannelProven,
        EventBody::BoardReplaced { .. } => M::PastBoardReplaced,
        EventBody::TriesCounted { .. } => M::PastTriesCounted,
        EventBody::PassUsed { .. } => M::PastPassUsed,
        EventBody::PassRefused { .. } => M::PastPassRefused,
        EventBody::StaffAdmitted { .. } => M::PastStaffAdmitted,
        EventBody::CommandAccepted { .. } => M::PastCommandAccepted,
        EventBody::CommandRefused { .. } => M::PastCommandRefused,
        EventBody::CommandDone { .. } => M::PastCommandDone,
        EventBody::BoardLost { .. } => M::PastBoardLost,
        EventBody::BoardFound { .. } => M::PastBoardFound,
        EventBody::BoardKeyAgreed { .. } | EventBody::BoardKeyInstalled { .. } => M::PastBoardKey,
        EventBody::AddressShared { .. } => M::PastAddressShared,
        EventBody::PortLost { .. } => M::PastPortLost,
        EventBody::PortFound { .. } => M::PastPortFound,
        EventBody::PeripheralLost { .. } => M::PastPeripheralLost,
        EventBody::PeripheralFound { .. } => M::PastPeripheralFound,
        EventBody::Tampered { .. } => M::PastTampered,
        EventBody::PowerChanged { .. } => M::PastPowerChanged,
        EventBody::AlarmRaised { .. } => M::PastAlarmRaised,
        EventBody::AlarmCleared { .. } => M::PastAlarmCleared,
        EventBody::HelpRequested { .. } => M::HelpTitle,
        EventBody::Rated { .. } => M::Rate,
    }
}

/// What its name leaves open: what for, or why.
// Only a few say more than their name and what they are about.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) const fn detail(body: &EventBody) -> Option<M> {
    match body {
        EventBody::VisitGranted { purpose, .. } => Some(purpose_message(*purpose)),
        EventBody::CompartmentWithdrawn { reason, .. } => Some(reason_message(*reason)),
        EventBody::PassRefused { reason, .. } => Some(refusal_message(*reason)),
        EventBody::AlarmRaised { alarm, .. } | EventBody::AlarmCleared { alarm, .. } => {
            Some(alarm_message(*alarm))
        }
        _ => None,
    }
}

const fn purpose_message(purpose: VisitPurpose) -> M {
    match purpose {
        VisitPurpose::DropOff => M::HandIn,
        VisitPurpose::TakeBack => M::PastTakenBack,
        VisitPurpose::Clearing => M::StaffClear,
        VisitPurpose::Placing => M::StaffPlace,
        VisitPurpose::Collection => M::Collect,
        VisitPurpose::Recall => M::StaffRecall,
        VisitPurpose::Inspection => M::StaffInspect,
        VisitPurpose::Proving => M::StaffProve,
    }
}

pub(super) const fn refusal_message(refusal: PassRefusal) -> M {
    match refusal {
        PassRefusal::Forged => M::PassForged,
        PassRefusal::Expired => M::PassExpired,
        PassRefusal::TooEarly => M::PassTooEarly,
        PassRefusal::Used => M::PassUsed,
        PassRefusal::Revoked => M::PassRevoked,
        PassRefusal::Elsewhere => M::ScanElsewhere,
        PassRefusal::Superseded => M::PassSuperseded,
        PassRefusal::Unverifiable => M::PassUnverifiable,
    }
}

const fn alarm_message(alarm: Alarm) -> M {
    match alarm {
        Alarm::DoorJammed => M::AlarmDoorJammed,
        Alarm::DoorOpen => M::AlarmDoorOpen,
        Alarm::DoorForced => M::PastDoorForced,
        Alarm::SensorBroken => M::AlarmSensorBroken,
        Alarm::BoardLost => M::PastBoardLost,
        Alarm::AddressShared => M::PastAddressShared,
        Alarm::PortLost => M::PastPortLost,
        Alarm::PeripheralLost => M::PastPeripheralLost,
        Alarm::Tampered => M::PastTampered,
        Alarm::OnBattery => M::AlarmOnBattery,
        Alarm::Guessing => M::AlarmGuessing,
        Alarm::Forgery => M::AlarmForgery,
        Alarm::StorageLow => M::AlarmStorageLow,
        Alarm::JournalDamaged => M::AlarmJournalDamaged,
        Alarm::ClockUntrusted => M::ClockUntrusted,
        Alarm::CabinetFull => M::AlarmCabinetFull,
        Alarm::Dispute => M::PastDisputed,
        Alarm::Unproven => M::StateUnproven,
        Alarm::EchoWrong => M::AlarmEchoWrong,
        Alarm::ItemUnexpected => M::StateUnexpected,
    }
}
