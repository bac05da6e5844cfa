//! Erasing personal data: sealed parts lose their bytes, the events that name their digests stay, and every chain still verifies.

use office_protocol::{
    ApplicationId, CabinetId, ConsignmentId, Digest, EventBody, PersonId, SealedPart, Timestamp,
};

use super::{Database, DatabaseError};

/// The sealed part that an event names.
#[allow(clippy::wildcard_enum_match_arm, reason = "no other names one")]
pub fn named(body: &EventBody) -> Option<Digest> {
    match body {
        EventBody::VisitGranted { sealed, .. }
        | EventBody::DroppedOff { sealed, .. }
        | EventBody::Placed { sealed, .. } => *sealed,
        EventBody::CodeReissued { sealed, .. } => Some(*sealed),
        _ => None,
    }
}

/// Whose sealed parts.
#[derive(Debug, Clone)]
pub enum Whose {
    /// Everything of one person.
    Person(PersonId),
    /// Of one application.
    Application(ApplicationId),
    /// Of one consignment.
    Consignment(ConsignmentId),
}

const OF_PERSON: &str = "UPDATE sealed_parts SET bytes = NULL, erased = $2 WHERE bytes IS NOT NULL AND (person = $1 \
    OR application IN (SELECT id FROM applications WHERE person = $1) \
    OR consignment IN (SELECT id FROM consignments WHERE person = $1 \
    OR application IN (SELECT id FROM applications WHERE person = $1)))";
const OF_APPLICATION: &str = "UPDATE sealed_parts SET bytes = NULL, erased = $2 WHERE bytes IS NOT NULL AND (application = $1 \
    OR consignment IN (SELECT id FROM consignments WHERE application = $1))";
const OF_CONSIGNMENT: &str =
    "UPDATE sealed_parts SET bytes = NULL, erased = $2 WHERE bytes IS NOT NULL AND consignment = $1";
/// What belongs to a consignment goes so long after it was taken out; all else so long after it came. Of a consignment the newest history
/// that tells of it counts; one that is inside according to a history which the cabinet has left goes so long after it was last heard of.
const OUT_OF_DATE: &str = "UPDATE sealed_parts SET bytes = NULL, erased = $2 WHERE bytes IS NOT NULL AND received < $1 \
    AND NOT EXISTS (SELECT 1 FROM consignments AS told WHERE told.cabinet = sealed_parts.cabinet \
    AND told.id = sealed_parts.consignment \
    AND NOT EXISTS (SELECT 1 FROM consignments AS later WHERE later.cabinet = told.cabinet AND later.id = told.id \
    AND later.branch > told.branch) \
    AND (left_at >= $1 OR left_at IS NULL AND (changed >= $1 OR NOT EXISTS (SELECT 1 FROM branches \
    WHERE branches.cabinet = told.cabinet AND branches.branch > told.branch))))";

impl Database {
    /// Erases the sealed parts of somebody or something; how many there were.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn erase(&self, whose: &Whose, now: Timestamp) -> Result<u64, DatabaseError> {
        let mut tx = self.writing().await?;
        let erased = match whose {
            Whose::Person(id) => execute!(tx.on(), OF_PERSON, id.as_str(), now.as_millis()),
            Whose::Application(id) => execute!(tx.on(), OF_APPLICATION, id.as_str(), now.as_millis()),
            Whose::Consignment(id) => execute!(tx.on(), OF_CONSIGNMENT, id.as_str(), now.as_millis()),
        }?;
        tx.commit().await?;
        Ok(erased)
    }

    /// Erases the sealed parts that nobody needs any more since `before`; how many there were.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn erase_out_of_date(&self, before: Timestamp, now: Timestamp) -> Result<u64, DatabaseError> {
        let mut tx = self.writing().await?;
        let erased = execute!(tx.on(), OUT_OF_DATE, before.as_millis(), now.as_millis())?;
        tx.commit().await?;
        Ok(erased)
    }

    /// A sealed part, unless it was erased.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn sealed_part(
        &self,
        cabinet: &CabinetId,
        digest: Digest,
    ) -> Result<Option<SealedPart>, DatabaseError> {
        let bytes: Option<(Option<Vec<u8>>,)> = fetch!(
            fetch_optional,
            self.read(),
            "SELECT bytes FROM sealed_parts WHERE cabinet = $1 AND digest = $2",
            cabinet.as_str(),
            digest.0.as_slice(),
        )?;
        Ok(bytes.and_then(|(bytes,)| bytes).map(|bytes| SealedPart { bytes }))
    }
}
