//! The link to the office: what is sent and when (pure), the broker's connection, and the task that joins them.

mod inbox;
mod journal_view;
pub mod mqtt;
mod renewal;
pub mod sync;
pub mod task;
mod words;

pub use journal_view::JournalView;
pub use mqtt::{Broker, BrokerError, Security};
pub use renewal::{Offer, Offers};
pub use sync::Sync;
pub use task::{Channels, Settings, run};
pub use words::{Identity, Input, Limits, Output, View};
