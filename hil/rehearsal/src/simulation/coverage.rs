//! What was seen of all that can happen: every type of event, every effect, every refusal.

use std::collections::BTreeMap;

use lockerd::cabinet::screen::{LabelProblem, ScanProblem, Screen, Trouble, Writing};
use lockerd::cabinet::vocabulary::{Effect, Unwritten};
use office::intake::Rejection;
use office_protocol::document::DocumentRefusal;
use office_protocol::event::{Alarm, PassRefusal, UnlockFailure, Wiring};
use office_protocol::{EventBody, Refusal};

use super::hub::Word;

/// What a run need not see, and why.
pub const EXCUSED: &[(&str, &str)] = &[
    (
        "command refused: other-start",
        "a command for another start is neither answered nor counted, so that its number stays free",
    ),
    (
        "pass refused: unverifiable",
        "simulated disks lose no document that is in force; the crash matrix and the cabinet's own tests do that",
    ),
    (
        "locker.restored",
        "no simulated cabinet loses its whole disk: the demo's scenario does, with a real one",
    ),
    (
        "locker.address-shared",
        "no two simulated boards answer to one address",
    ),
    (
        "alarm: address-shared",
        "no two simulated boards answer to one address",
    ),
    (
        "locker.board-key-agreed",
        "simulated boards come with their keys; tests/daemon/board_keys.rs installs them, at the screen and without a daemon",
    ),
    ("locker.board-key-installed", "the same"),
    ("effect: install-board-key", "the same"),
    ("effect: keep-board-key", "the same"),
    (
        "unlock failed: refused",
        "a board says no where its lock still rests and the daemon has forgotten, by a restart in between: seen in few lives",
    ),
    (
        "message rejected: no-chain",
        "a cabinet signs nothing but chains of its own events; seen would be a breach of law 5",
    ),
];

macro_rules! known {
    ($($(#[$doc:meta])* $function:ident($kind:ty) $all:ident { $($pattern:pat => $name:literal,)* })*) => {
        $(
            const $all: &[&str] = &[$($name),*];

            $(#[$doc])*
            fn $function(seen: &$kind) -> &'static str {
                match seen { $($pattern => $name),* }
            }
        )*
    };
}

known! {
    /// What the cabinet wants done.
    effect(Effect) EFFECTS {
        Effect::Unlock { .. } => "effect: unlock",
        Effect::Reply(_) => "effect: reply",
        Effect::StoreDocument { .. } => "effect: store-document",
        Effect::WriteWiring { .. } => "effect: write-wiring",
        Effect::KeepReport { .. } => "effect: keep-report",
        Effect::InstallBoardKey { .. } => "effect: install-board-key",
        Effect::KeepBoardKey { .. } => "effect: keep-board-key",
        Effect::Restart => "effect: restart",
    }

    /// Why a command was not carried out.
    command(Refusal) COMMANDS {
        Refusal::Expired => "command refused: expired",
        Refusal::OtherStart => "command refused: other-start",
        Refusal::ClockUntrusted => "command refused: clock-untrusted",
        Refusal::TooMany => "command refused: too-many",
        Refusal::Unknown => "command refused: unknown",
        Refusal::Busy => "command refused: busy",
        Refusal::NoSealingKey => "command refused: no-sealing-key",
        Refusal::TooEarly => "command refused: too-early",
    }

    /// Why a pass was not taken.
    pass(PassRefusal) PASSES {
        PassRefusal::Forged => "pass refused: forged",
        PassRefusal::Expired => "pass refused: expired",
        PassRefusal::TooEarly => "pass refused: too-early",
        PassRefusal::Used => "pass refused: used",
        PassRefusal::Revoked => "pass refused: revoked",
        PassRefusal::Elsewhere => "pass refused: elsewhere",
        PassRefusal::Superseded => "pass refused: superseded",
        PassRefusal::Unverifiable => "pass refused: unverifiable",
    }

    /// Why a scan did not help; a pass's reasons are its own.
    scan(ScanProblem) SCANS {
        ScanProblem::Unreadable => "scan refused: unreadable",
        ScanProblem::NotOurs => "scan refused: not-ours",
        ScanProblem::Elsewhere(_) => "scan refused: elsewhere",
        ScanProblem::UnknownCode => "scan refused: unknown-code",
        ScanProblem::AlreadyCollected => "scan refused: already-collected",
        ScanProblem::Pass(_) => "scan refused: pass",
        ScanProblem::NotInside => "scan refused: not-inside",
        ScanProblem::UnknownStaff => "scan refused: unknown-staff",
        ScanProblem::NoRoom => "scan refused: no-room",
        ScanProblem::Busy => "scan refused: busy",
    }

    /// Why a label was not taken.
    label(LabelProblem) LABELS {
        LabelProblem::Unreadable => "label refused: unreadable",
        LabelProblem::AlreadyInside => "label refused: already-inside",
        LabelProblem::NoRoom => "label refused: no-room",
        LabelProblem::DoorStuck => "label refused: door-stuck",
    }

    /// Why a conversation ended badly.
    trouble(Trouble) TROUBLES {
        Trouble::DoorStuckInside => "sorry: door-stuck-inside",
        Trouble::DoorStuckNoOther => "sorry: door-stuck-no-other",
        Trouble::Full => "sorry: full",
        Trouble::DoorLeftOpen => "sorry: door-left-open",
        Trouble::TooManyUnverified => "sorry: too-many-unverified",
    }

    /// Why a file was not written.
    unwritten(Unwritten) UNWRITTEN {
        Unwritten::Protected { .. } => "not written: protected",
        Unwritten::Unusable { .. } => "not written: unusable",
        Unwritten::Failed { .. } => "not written: failed",
    }

    /// Why a lock did not open.
    unlock(UnlockFailure) UNLOCKS {
        UnlockFailure::Refused => "unlock failed: refused",
        UnlockFailure::NotSent => "unlock failed: not-sent",
        UnlockFailure::Resting => "unlock failed: resting",
        UnlockFailure::Uncertain => "unlock failed: uncertain",
    }

    /// Why a document was not taken.
    document(DocumentRefusal) DOCUMENTS {
        DocumentRefusal::Forged => "document refused: forged",
        DocumentRefusal::Malformed => "document refused: malformed",
        DocumentRefusal::Older => "document refused: older",
    }

    /// What a proof has shown.
    proof(Proof) PROOFS {
        Proof::AsWritten => "proof: as written",
        Proof::OtherSwitch => "proof: other switch",
        Proof::OtherLock => "proof: other lock",
    }

    /// Why the hub did not take a message.
    rejection(Rejection) REJECTIONS {
        Rejection::Forged => "message rejected: forged",
        Rejection::Noise => "message rejected: noise",
        Rejection::NoChain => "message rejected: no-chain",
    }

    /// What became of what a cabinet said beside its history.
    word(Word) WORDS {
        Word::SnapshotKept => "state: kept",
        Word::SnapshotOld => "state: old",
        Word::ReplyKept => "reply: kept",
        Word::ReplyRepeated => "reply: repeated",
        Word::ReportKept => "reported: kept",
        Word::ReportOld => "reported: old",
    }

    /// What a person was called for.
    alarm(Alarm) ALARMS {
        Alarm::DoorJammed => "alarm: door-jammed",
        Alarm::DoorOpen => "alarm: door-open",
        Alarm::DoorForced => "alarm: door-forced",
        Alarm::SensorBroken => "alarm: sensor-broken",
        Alarm::BoardLost => "alarm: board-lost",
        Alarm::PortLost => "alarm: port-lost",
        Alarm::PeripheralLost => "alarm: peripheral-lost",
        Alarm::Guessing => "alarm: guessing",
        Alarm::Forgery => "alarm: forgery",
        Alarm::StorageLow => "alarm: storage-low",
        Alarm::JournalDamaged => "alarm: journal-damaged",
        Alarm::ClockUntrusted => "alarm: clock-untrusted",
        Alarm::CabinetFull => "alarm: cabinet-full",
        Alarm::Dispute => "alarm: dispute",
        Alarm::AddressShared => "alarm: address-shared",
        Alarm::Tampered => "alarm: tampered",
        Alarm::OnBattery => "alarm: on-battery",
        Alarm::Unproven => "alarm: unproven",
        Alarm::EchoWrong => "alarm: echo-wrong",
        Alarm::ItemUnexpected => "alarm: item-unexpected",
    }
}

/// What a proof has shown, against the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// The lock opens its door, and its switch is as the settings say.
    AsWritten,
    /// Its switch is of the other kind.
    OtherSwitch,
    /// Another lock opens this door.
    OtherLock,
}

impl Proof {
    pub(super) fn of(written: Option<Wiring>, found: Wiring) -> Self {
        let lock = |of: Wiring| (of.board, of.channel);
        match written {
            Some(written) if found.holds_for(&written) => Self::AsWritten,
            Some(written) if lock(written) == lock(found) => Self::OtherSwitch,
            Some(_) | None => Self::OtherLock,
        }
    }
}

/// How often what was seen.
#[derive(Debug, Clone, Default)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    /// How often each.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.0
    }

    /// How often this.
    pub fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Adds what another run saw.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(*what).or_default() += count;
        }
    }

    /// What could happen and was not seen.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [
            EventBody::TYPES,
            EFFECTS,
            COMMANDS,
            PASSES,
            SCANS,
            LABELS,
            TROUBLES,
            UNWRITTEN,
            UNLOCKS,
            DOCUMENTS,
            PROOFS,
            REJECTIONS,
            WORDS,
            ALARMS,
        ];
        let all = all.into_iter().flatten().copied();
        all.filter(|what| !self.0.contains_key(what)).collect()
    }

    /// What was not seen although nothing excuses it.
    pub fn inexcusably_missing(&self) -> Vec<&'static str> {
        let excused = |what: &&str| !EXCUSED.iter().any(|(excused, _)| excused == what);
        self.missing().into_iter().filter(excused).collect()
    }

    fn saw(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    // Of all events and screens, some have a reason worth counting.
    #[allow(clippy::wildcard_enum_match_arm)]
    pub(super) fn event(&mut self, body: &EventBody) {
        self.saw(body.kind());
        match body {
            EventBody::CommandRefused { refusal, .. } => self.saw(command(refusal)),
            EventBody::PassRefused { reason, .. } => self.saw(pass(reason)),
            EventBody::UnlockFailed { reason, .. } => self.saw(unlock(reason)),
            EventBody::AlarmRaised { alarm: raised, .. } => self.saw(alarm(raised)),
            _ => {}
        }
    }

    pub(super) fn effect(&mut self, wanted: &Effect) {
        self.saw(effect(wanted));
    }

    /// The engine keeps documents by itself: that it did shows on the disk.
    pub(super) fn document_stored(&mut self) {
        self.saw("effect: store-document");
    }

    pub(super) fn document(&mut self, refusal: DocumentRefusal) {
        self.saw(document(&refusal));
    }

    pub(super) fn proof(&mut self, found: Proof) {
        self.saw(proof(&found));
    }

    pub(super) fn rejection(&mut self, of: Rejection) {
        self.saw(rejection(&of));
    }

    pub(super) fn word(&mut self, of: Word) {
        self.saw(word(&of));
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    pub(super) fn screen(&mut self, screen: &Screen) {
        match screen {
            Screen::ScanProblem(problem) => self.saw(scan(problem)),
            Screen::PlacingScan {
                refused: Some(problem),
                ..
            } => self.saw(label(problem)),
            Screen::Commissioning(at) => {
                if let Some(Writing::Not(why)) = &at.wiring {
                    self.saw(unwritten(why));
                }
            }
            Screen::Sorry { trouble: what, .. } => self.saw(trouble(what)),
            _ => {}
        }
    }
}
