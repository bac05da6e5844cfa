//! The words that events are made of: codes, parts of a layout, authorities, keyed hashes.

use super::*;

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
        /// Staff show that the lock opens this door, and that its sensor follows.
        Proving,
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
        /// The list that says whether it was taken back is missing.
        Unverifiable,
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
    /// How a lock board came to a new key.
    KeyOrigin {
        /// By the secret on its label, while its button was held.
        Label,
        /// By way of the key that it had.
        Replacement,
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
        /// Two boards answer at one address.
        AddressShared,
        /// A serial port is gone.
        PortLost,
        /// A scanner or printer is gone.
        PeripheralLost,
        /// The case was opened or shaken, and no technician has looked since.
        Tampered,
        /// The mains have failed.
        OnBattery,
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
        /// Nobody has shown yet which door a compartment's lock opens: nothing is put in there.
        Unproven,
        /// A lock port hands back what is sent and its setting says otherwise, or the other way round.
        EchoWrong,
        /// A compartment's sensor sees something that nobody put in.
        ItemUnexpected,
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
    /// Its lock; versions before commissioning did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wiring: Option<Wiring>,
}

/// Which lock a compartment has, and how its door's switch is wired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wiring {
    /// The lock board.
    pub board: BoardId,
    /// The lock's number there, from 1.
    pub channel: u8,
    /// The board says "open" of a closed door.
    pub inverted: bool,
    /// Where the board is reached; earlier versions did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<BoardPlace>,
}

impl Wiring {
    /// Whether what was seen of this lock holds for that one: it is the same lock, as far as both say where it is.
    pub fn holds_for(&self, other: &Self) -> bool {
        let lock = |of: &Self| (of.board, of.channel, of.inverted);
        let apart = self.at.zip(other.at).is_some_and(|(here, there)| here != there);
        lock(self) == lock(other) && !apart
    }
}

/// What a board speaks, on which port, at which address, as one number: the first four bytes of the SHA-256 of `FAMILY/PORT/ADDRESS`,
/// highest first. It changes when the settings reach another board under the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BoardPlace(pub u32);

impl BoardPlace {
    /// Of a board of this family.
    pub fn of(family: &str, port: &crate::ids::PortName, address: u8) -> Self {
        let Digest(digest) = Digest::of(format!("{family}/{port}/{address}").as_bytes());
        let [a, b, c, d, ..] = digest;
        Self(u32::from_be_bytes([a, b, c, d]))
    }
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
