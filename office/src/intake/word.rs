//! What a cabinet says: for the intake to judge, or beside its history: a snapshot, an answer to a command, its word on a document; and
//! which snapshot counts.

use office_protocol::document::{DocumentName, Reported};
use office_protocol::{CabinetId, CabinetState, Purpose, Reply, Seq, Signed, Start, Topic, VerifyingKey};

use super::{Arrival, Input, Rejection, Starts, check_status};

/// What a message says.
#[derive(Debug, Clone)]
pub enum Said {
    /// For the intake.
    Judged(Input),
    /// A snapshot.
    State(CabinetState),
    /// The answer to a command.
    Reply(Reply),
    /// Its word on a document.
    Reported(DocumentName, Reported),
}

impl Said {
    /// Verifies and reads a message that came under a cabinet's topic.
    ///
    /// # Errors
    /// [`Rejection`]; the message changes nothing then.
    pub fn check(
        topic: Topic,
        signed: Option<&Signed>,
        key: &VerifyingKey,
        cabinet: &CabinetId,
    ) -> Result<Self, Rejection> {
        let signed = signed.ok_or(Rejection::Forged)?;
        if signed.bytes.is_empty() {
            return Err(Rejection::Noise);
        }
        match topic {
            Topic::Event => Ok(Self::Judged(Input::Arrived(Arrival::check(
                signed, key, cabinet,
            )?))),
            Topic::Status => Ok(Self::Judged(Input::Status(check_status(signed, key, cabinet)?))),
            Topic::State => Ok(Self::State(verified(signed, key, Purpose::State, cabinet)?)),
            Topic::Reply => Ok(Self::Reply(verified(signed, key, Purpose::Reply, cabinet)?)),
            Topic::Reported(name) => {
                let reported = verified(signed, key, Purpose::Reported, cabinet)?;
                Ok(Self::Reported(name, reported))
            }
            Topic::Position | Topic::Command | Topic::Desired(_) => Err(Rejection::Noise),
        }
    }
}

fn verified<T: serde::de::DeserializeOwned>(
    signed: &Signed,
    key: &VerifyingKey,
    purpose: Purpose,
    cabinet: &CabinetId,
) -> Result<T, Rejection> {
    let bytes = signed
        .verify(key, purpose, cabinet)
        .map_err(|_| Rejection::Forged)?;
    serde_json::from_slice(bytes).map_err(|_| Rejection::NoChain)
}

/// Which of these snapshots, in the order in which they came, is kept in place of the one that is there; `end` is the newest stored event.
///
/// One counts that is of the latest start, or of one whose status may still come: nothing stored follows it. None does that is of a start
/// that is over, or older than what is there, unless that is of a start that is over.
pub fn newest_snapshot(
    said: impl IntoIterator<Item = CabinetState>,
    starts: &Starts,
    end: Seq,
    there: Option<(Start, Seq)>,
) -> Option<CabinetState> {
    let over = |start: Start| starts.past.iter().any(|(past, _)| *past == start);
    let (mut there, mut newest) = (there, None);
    for state in said {
        let latest = starts.latest.is_some_and(|(start, _)| start == state.start);
        let older = there.is_some_and(|(start, seq)| !over(start) && state.seq < seq);
        if !over(state.start) && !older && (latest || state.seq >= end) {
            there = Some((state.start, state.seq));
            newest = Some(state);
        }
    }
    newest
}

/// Whether a cabinet's word on a document counts: of an older version it does not.
pub fn is_newer_word(said: &Reported, there: Option<&Reported>) -> bool {
    there.is_none_or(|there| there.version <= said.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use office_protocol::Timestamp;

    fn snapshot(start: u64, seq: u64) -> CabinetState {
        CabinetState {
            start: Start(start),
            seq: Seq(seq),
            time: Timestamp::default(),
            compartments: Vec::new(),
            boards: Vec::new(),
            ports_lost: Vec::new(),
            wires: Vec::new(),
            mains: None,
            alarms: Vec::new(),
        }
    }

    /// What is kept of these when start 1 is over, start 2 runs and 9 events are stored.
    fn kept(said: &[(u64, u64)], there: Option<(u64, u64)>) -> Option<(u64, u64)> {
        let starts = Starts {
            latest: Some((Start(2), 5)),
            past: vec![(Start(1), 7)],
        };
        let said = said.iter().map(|(start, seq)| snapshot(*start, *seq));
        let there = there.map(|(start, seq)| (Start(start), Seq(seq)));
        let newest = newest_snapshot(said, &starts, Seq(9), there);
        newest.map(|state| (state.start.0, state.seq.0))
    }

    #[test]
    fn an_old_snapshot_replaces_no_newer_one_and_hides_none_that_came_with_it() {
        assert_eq!(kept(&[(2, 9)], None), Some((2, 9)));
        assert_eq!(kept(&[(2, 8)], Some((2, 9))), None);
        assert_eq!(
            kept(&[(2, 9)], Some((2, 9))),
            Some((2, 9)),
            "as of one event, the later one"
        );
        assert_eq!(kept(&[(2, 9), (2, 8)], None), Some((2, 9)));
        assert_eq!(
            kept(&[(2, 9), (1, 12)], Some((1, 12))),
            Some((2, 9)),
            "a start that is over"
        );
        assert_eq!(kept(&[(1, 12), (2, 4)], Some((1, 12))), Some((2, 4)));
        assert_eq!(
            kept(&[(3, 9)], Some((2, 9))),
            Some((3, 9)),
            "its status may come yet"
        );
        assert_eq!(kept(&[(3, 8)], Some((2, 9))), None);
        assert_eq!(
            kept(&[(2, 10), (3, 9)], None),
            Some((2, 10)),
            "a start that nobody has heard of"
        );
        assert_eq!(kept(&[(3, 11), (2, 10)], None), Some((3, 11)));
    }
}
