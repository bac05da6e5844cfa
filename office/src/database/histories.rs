//! Histories as they are stored: a branch, and what it goes on from.

use office_protocol::{Branch, CabinetId, Digest, Seq};

use super::{Database, DatabaseError, digest, number, unsigned};

/// One branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub branch: Branch,
    /// What it goes on from, and after which event.
    pub parent: Option<Branch>,
    /// The event that it goes on after.
    pub after: Seq,
    /// Its last event.
    pub head_seq: Seq,
    /// That event's digest.
    pub head_hash: Digest,
}

/// A cabinet with its branches, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its public key, as text.
    pub key: String,
    /// It is there now.
    pub online: bool,
    /// Its key was taken back.
    pub revoked: bool,
    /// Its histories.
    pub branches: Vec<Line>,
}

/// Events of one branch, from after one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Which branch.
    pub branch: Branch,
    /// After this event.
    pub after: Seq,
    /// Up to this one.
    pub last: Seq,
}

impl Stretch {
    /// The stretches that make up the history that ends there, last one first.
    pub fn back_from(branches: &[Line], branch: Branch, last: Seq) -> Vec<Self> {
        let mut stretches = Vec::new();
        let (mut wanted, mut last) = (Some(branch), last);
        while let Some(line) = branches.iter().find(|line| Some(line.branch) == wanted) {
            stretches.push(Self {
                branch: line.branch,
                after: line.after,
                last,
            });
            // A parent is always older.
            wanted = line.parent.filter(|parent| *parent < line.branch);
            last = line.after;
        }
        stretches
    }
}

fn branch_of(value: i64) -> Branch {
    Branch(u32::try_from(value).unwrap_or(u32::MAX))
}

impl Database {
    /// A cabinet with its histories; none when it was never enrolled.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn history_root(&self, cabinet: &CabinetId) -> Result<Option<Root>, DatabaseError> {
        type Row = (i64, Option<i64>, i64, i64, Vec<u8>);
        let known: Option<(String, String, bool)> = fetch!(
            fetch_optional,
            self.read(),
            "SELECT public_key, presence, revoked IS NOT NULL FROM cabinets WHERE id = $1",
            cabinet.as_str()
        )?;
        let Some((key, presence, revoked)) = known else {
            return Ok(None);
        };
        let rows: Vec<Row> = fetch!(
            fetch_all,
            self.read(),
            "SELECT branch, parent, after_seq, head_seq, head_digest FROM branches WHERE cabinet = $1 ORDER BY branch",
            cabinet.as_str()
        )?;
        let line = |(branch, parent, after, head, hash): Row| {
            Ok(Line {
                branch: branch_of(branch),
                parent: parent.map(branch_of),
                after: Seq(unsigned(after)),
                head_seq: Seq(unsigned(head)),
                head_hash: digest(&hash)?,
            })
        };
        let branches: Result<Vec<Line>, DatabaseError> = rows.into_iter().map(line).collect();
        Ok(Some(Root {
            key,
            online: presence == "online",
            revoked,
            branches: branches?,
        }))
    }

    /// What the cabinet has lost of these stretches, first and last, in order.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn lost(
        &self,
        cabinet: &CabinetId,
        stretches: &[Stretch],
    ) -> Result<Vec<(Seq, Seq)>, DatabaseError> {
        let rows: Vec<(i64, i64, i64)> = fetch!(
            fetch_all,
            self.read(),
            "SELECT branch, first_seq, last_seq FROM lost WHERE cabinet = $1 ORDER BY first_seq",
            cabinet.as_str()
        )?;
        let read = |(branch, first, last): (i64, i64, i64)| {
            let (first, last) = (Seq(unsigned(first)), Seq(unsigned(last)));
            let within = |stretch: &&Stretch| stretch.after < first && last < stretch.last;
            let ours = stretches.iter().filter(within);
            ours.map(|stretch| stretch.branch)
                .any(|ours| ours == branch_of(branch))
                .then_some((first, last))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// The first events of a stretch, in order: number and exact bytes.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn stretch(
        &self,
        cabinet: &CabinetId,
        stretch: &Stretch,
        limit: u32,
    ) -> Result<Vec<(Seq, Vec<u8>)>, DatabaseError> {
        let rows: Vec<(i64, Vec<u8>)> = fetch!(
            fetch_all,
            self.read(),
            "SELECT seq, bytes FROM events WHERE cabinet = $1 AND branch = $2 AND seq > $3 AND seq <= $4 ORDER BY seq LIMIT $5",
            cabinet.as_str(),
            i64::from(stretch.branch.0),
            number(stretch.after.0),
            number(stretch.last.0),
            i64::from(limit),
        )?;
        Ok(rows
            .into_iter()
            .map(|(seq, bytes)| (Seq(unsigned(seq)), bytes))
            .collect())
    }
}
