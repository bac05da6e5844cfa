//! A cabinet's whole history as one signed file, for `lockerd restore`: what a cabinet gets back that has lost its disk.

use office_protocol::{
    Branch, CabinetId, Digest, Event, EventBody, HistoryEnd, HistoryHead, HistoryLine, Purpose, Seq, Signed,
    VerifyingKey,
};
use thiserror::Error;

use crate::clock;
use crate::database::histories::{Root, Stretch};
use crate::database::{Database, DatabaseError, personal};
use crate::documents;
use crate::keys::Keys;

/// Events that are read at once.
const PAGE: u32 = 500;

/// Why there is no file.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Never enrolled.
    #[error("no cabinet of this name is enrolled; enrol it first")]
    Unknown,
    /// It was taken back.
    #[error("this cabinet's key was taken back; enrol it anew first")]
    Revoked,
    /// It has this history no more.
    #[error("this cabinet has no history {0}")]
    NoBranch(u32),
    /// It still reports: the file would be out of date at once.
    #[error("the cabinet is online and goes on reporting; stop it first")]
    Online,
}

/// A file under way: lines as they are read.
#[derive(Debug)]
pub struct History {
    cabinet: CabinetId,
    first: Option<String>,
    /// What is still to be read, last one first.
    stretches: Vec<Stretch>,
    end: HistoryEnd,
    others: usize,
}

impl History {
    /// Signs where the history ends: the newest one, unless another is named. One that is still being written is an error unless `anyway`.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn begin(
        database: &Database,
        keys: &Keys,
        cabinet: &CabinetId,
        branch: Option<u32>,
        anyway: bool,
    ) -> Result<Self, HistoryError> {
        let Root {
            key,
            online,
            revoked,
            branches,
        } = database
            .history_root(cabinet)
            .await?
            .ok_or(HistoryError::Unknown)?;
        if revoked {
            return Err(HistoryError::Revoked);
        }
        if online && !anyway {
            return Err(HistoryError::Online);
        }
        let newest = branches.last().map(|last| last.branch);
        let wanted = branch.map(Branch).or(newest);
        let chosen = branches.iter().find(|found| Some(found.branch) == wanted);
        let end = match (chosen, branch) {
            (None, Some(branch)) => return Err(HistoryError::NoBranch(branch)),
            (None, None) => (Branch(0), Seq::ZERO, Digest::ZERO),
            (Some(found), _) => (found.branch, found.head_seq, found.head_hash),
        };
        let stretches = Stretch::back_from(&branches, end.0, end.1);
        let identity = VerifyingKey::from_text(&key).ok_or_else(|| DatabaseError::Damaged {
            what: "cabinets.public_key",
            value: key,
        })?;
        let end = HistoryEnd {
            branch: end.0,
            seq: end.1,
            hash: end.2,
            identity: identity.id().clone(),
            issued: clock::now(),
            lost: database.lost(cabinet, &stretches).await?,
        };
        let version = documents::key_set_version(database, keys, cabinet).await?;
        let bytes = serde_json::to_vec(&end).expect("texts and numbers");
        let signed = Signed::new(&keys.positions, Purpose::History, cabinet, bytes);
        Ok(Self {
            first: Some(HistoryHead::write(
                &signed,
                &keys.signed_key_set(cabinet, version),
            )),
            cabinet: cabinet.clone(),
            stretches,
            others: branches.len().saturating_sub(1),
            end,
        })
    }

    /// Where it ends.
    pub fn end(&self) -> &HistoryEnd {
        &self.end
    }

    /// How many other histories this cabinet has: a cloned or restored disk went on as well.
    pub fn others(&self) -> usize {
        self.others
    }

    /// The next lines with their line ends; none at the end.
    ///
    /// # Errors
    /// [`HistoryError::Database`].
    pub async fn next(&mut self, database: &Database) -> Result<Option<String>, HistoryError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first + "\n"));
        }
        let Some(stretch) = self.stretches.last_mut() else {
            return Ok(None);
        };
        let events = database.stretch(&self.cabinet, stretch, PAGE).await?;
        match events.last() {
            Some((seq, _)) => stretch.after = *seq,
            None => stretch.after = stretch.last,
        }
        if stretch.after >= stretch.last {
            self.stretches.pop();
        }
        let mut lines = String::new();
        for (_, bytes) in events {
            let sealed = self.sealed(database, &bytes).await?;
            let line = HistoryLine::write(&bytes, &sealed).map_err(|error| DatabaseError::Damaged {
                what: "events.bytes",
                value: error.to_string(),
            })?;
            lines.push_str(&line);
            lines.push('\n');
        }
        Ok(Some(lines))
    }

    /// The sealed part that came with an event, unless it was erased. (A drop-off only names its visit's once more.)
    async fn sealed(&self, database: &Database, event: &[u8]) -> Result<Vec<Vec<u8>>, DatabaseError> {
        let body = Event::parse(event).map(|event| event.body).ok();
        let body = body.filter(|body| !matches!(body, EventBody::DroppedOff { .. }));
        let Some(digest) = body.as_ref().and_then(personal::named) else {
            return Ok(Vec::new());
        };
        let part = database.sealed_part(&self.cabinet, digest).await?;
        Ok(part.into_iter().map(|part| part.bytes).collect())
    }
}
