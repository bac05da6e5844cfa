//! Instants: milliseconds since 1970 in the database, RFC 3339 in JSON.

use office_protocol::Timestamp;
use serde::{Serialize, Serializer};

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
pub(super) fn shown<S: Serializer>(millis: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    Timestamp::from_millis(*millis).serialize(serializer)
}

#[allow(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that serde asks for"
)]
pub(super) fn shown_if_any<S: Serializer>(millis: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    millis.map(Timestamp::from_millis).serialize(serializer)
}
