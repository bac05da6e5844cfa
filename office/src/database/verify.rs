//! Reading every stored event again: its digest, its place, and that it follows the one before it.

use std::collections::BTreeMap;

use office_protocol::{Digest, EventHeader};
use serde::Serialize;

use super::{Database, DatabaseError, digest, number};

/// The most faults that are listed.
const FAULTS_MAX: usize = 20;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Events that are stored.
    pub events: u64,
    /// Events whose digest, place and chain are right.
    pub intact: u64,
    /// Histories, one per cabinet unless disks were cloned or restored.
    pub branches: u64,
    /// Events that cabinets have said are lost for ever.
    pub lost: u64,
    /// The first faults found, as `cabinet branch seq`.
    pub faults: Vec<String>,
}

impl Verification {
    /// Nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.faults.is_empty() && self.events == self.intact
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}

row! {
    struct BranchRow {
        cabinet: String,
        branch: i64,
        parent: Option<i64>,
        after_seq: i64,
        head_seq: i64,
        head_digest: Vec<u8>,
    }
}

impl Database {
    /// See the module.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn verify(&self) -> Result<Verification, DatabaseError> {
        let mut found = Verification::default();
        let branches: Vec<BranchRow> = fetch!(
            fetch_all,
            self.read(),
            "SELECT cabinet, branch, parent, after_seq, head_seq, head_digest FROM branches ORDER BY cabinet, branch"
        )?;
        for branch in branches {
            found.branches += 1;
            self.verify_branch(&branch, &mut found).await?;
        }
        Ok(found)
    }

    async fn verify_branch(&self, row: &BranchRow, found: &mut Verification) -> Result<(), DatabaseError> {
        let (cabinet, branch) = (&row.cabinet, row.branch);
        let mut previous = self.digest_before(row).await?;
        let mut seq = row.after_seq;
        let lost: Vec<(i64, i64)> = fetch!(
            fetch_all,
            self.read(),
            "SELECT first_seq, last_seq FROM lost WHERE cabinet = $1 AND branch = $2",
            cabinet,
            branch
        )?;
        let lost: BTreeMap<i64, i64> = lost.into_iter().collect();
        loop {
            let events: Vec<(i64, Vec<u8>, Vec<u8>)> = fetch!(
                fetch_all,
                self.read(),
                "SELECT seq, digest, bytes FROM events WHERE cabinet = $1 AND branch = $2 AND seq > $3 \
                 ORDER BY seq LIMIT 1000",
                cabinet,
                branch,
                seq
            )?;
            if events.is_empty() {
                break;
            }
            for (stored_seq, stored_digest, bytes) in events {
                found.events += 1;
                let header = EventHeader::parse(&bytes);
                // Behind what is lost, nothing that is here says what the event before it was.
                if let (Some(last), Ok(header)) = (lost.get(&(seq + 1)), &header) {
                    found.lost += u64::try_from(last - seq).unwrap_or(0);
                    (seq, previous) = (*last, header.previous);
                }
                let follows = header.is_ok_and(|header| {
                    header.previous == previous
                        && number(header.seq.0) == stored_seq
                        && header.cabinet().is_some_and(|id| id.as_str() == cabinet)
                });
                previous = Digest::of(&bytes);
                if follows && stored_seq == seq + 1 && previous.0.as_slice() == stored_digest {
                    found.intact += 1;
                } else {
                    found.fault(format!("{cabinet} {branch} {stored_seq}"));
                }
                seq = stored_seq;
            }
        }
        if seq != row.head_seq || previous.0.as_slice() != row.head_digest {
            found.fault(format!("{cabinet} {branch} head {}", row.head_seq));
        }
        Ok(())
    }

    /// The digest of the event that a history begins after.
    async fn digest_before(&self, row: &BranchRow) -> Result<Digest, DatabaseError> {
        let bytes: Option<Vec<u8>> = scalar!(
            fetch_optional,
            self.read(),
            "SELECT digest FROM events WHERE cabinet = $1 AND branch = $2 AND seq = $3",
            &row.cabinet,
            row.parent,
            row.after_seq
        )?;
        bytes.map_or(Ok(Digest::ZERO), |bytes| digest(&bytes))
    }
}
