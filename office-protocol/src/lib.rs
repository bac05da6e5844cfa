//! What a cabinet and the office say to each other: ids, time, events, signatures, key sets, positions, commands,
//! authority documents, sealed parts, passes, topics.
//!
//! Everything here is data and pure functions; nothing reads a clock, the dice, a file or a socket. Three rules shape it:
//!
//! - **Exact bytes.** An event is serialised once, by the cabinet. Its journal record, its hash, its signature and what the
//!   office stores are the same bytes; nobody re-serialises.
//! - **Named algorithms.** Every key, hash, signature and sealed part says its algorithm, so that another suite can be added
//!   without a new format.
//! - **No personal data in clear.** Phone numbers, contacts and plain codes travel only as [`SealedPart`]s; the event holds the digest.
//!
//! `golden/` freezes every wire format, `schemas/` and `asyncapi.json` describe them to other programs.

mod codec;
pub mod command;
pub mod digest;
pub mod document;
pub mod enrolment;
pub mod event;
pub mod history;
pub mod ids;
pub mod keys;
pub mod message;
pub mod pass;
pub mod position;
pub mod sealed;
pub mod signature;
pub mod state;
pub mod status;
pub mod time;
pub mod topic;

pub use command::{Action, Command, CommandOutcome, Refusal, Reply};
pub use digest::Digest;
pub use event::{Event, EventBody, EventHeader};
pub use history::{HistoryEnd, HistoryHead, HistoryLine, InvalidHistory};
pub use ids::{
    ApplicationId, BoardId, Branch, CabinetId, CompartmentId, ConsignmentId, ItemCode, KeyId, PassId,
    PersonId, PortName, Seq, StaffId, Start,
};
pub use keys::{KeySet, OfficeKey, SigningKey, VerifyingKey};
pub use message::EventMessage;
pub use pass::{Pass, PassKind, Scope};
pub use position::Position;
pub use sealed::{Personal, PickupCode, SealedPart};
pub use signature::{Purpose, Signature, Signed};
pub use state::CabinetState;
pub use status::{Presence, Status, Tip};
pub use time::Timestamp;
pub use topic::{Topic, TopicRoot};
