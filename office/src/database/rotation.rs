//! Who is left behind when a key is replaced.

use office_protocol::Timestamp;

use super::{Database, DatabaseError};

impl Database {
    /// The cabinets that may speak and have not said that this key set is in force.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn without_key_set(&self, content: &str) -> Result<Vec<String>, DatabaseError> {
        Ok(scalar!(
            fetch_all,
            self.read(),
            "SELECT id FROM cabinets WHERE revoked IS NULL AND NOT EXISTS (SELECT 1 FROM documents \
             WHERE documents.cabinet = cabinets.id AND name = 'keys' AND content = $1 \
             AND reported_version >= documents.version AND refused IS NULL) ORDER BY id",
            content,
        )?)
    }

    /// The cabinets that may speak and have not said that all their documents, signed as in this pattern, are in force.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn signed_before(&self, pattern: &str) -> Result<Vec<String>, DatabaseError> {
        Ok(scalar!(
            fetch_all,
            self.read(),
            "SELECT id FROM cabinets WHERE revoked IS NULL AND EXISTS (SELECT 1 FROM documents \
             WHERE documents.cabinet = cabinets.id AND name <> 'keys' AND (content NOT LIKE $1 OR refused IS NOT NULL \
             OR reported_version IS NULL OR reported_version < documents.version)) ORDER BY id",
            pattern,
        )?)
    }

    /// How many passes that were issued before then still count.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn passes_issued_before(&self, then: Timestamp, now: Timestamp) -> Result<i64, DatabaseError> {
        Ok(scalar!(
            fetch_one,
            self.read(),
            "SELECT COUNT(*) FROM passes WHERE issued <= $1 AND expires > $2 AND revoked IS NULL AND used IS NULL",
            then.as_millis(),
            now.as_millis(),
        )?)
    }
}
