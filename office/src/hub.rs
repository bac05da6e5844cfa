//! One hub: what comes in is judged and committed, and only then answered. Many messages are one transaction.

use std::collections::{BTreeMap, HashMap};

use office_protocol::document::DocumentName;
use office_protocol::{CabinetId, Position, Presence, Purpose, Signed, Topic};
use tokio::sync::{Mutex, watch};

use crate::database::alarms::Source;
use crate::database::{Database, DatabaseError, batch};
use crate::intake::{Input, Intake, Knowledge, Said, Verdict};
use crate::keys::Keys;
use crate::{clock, documents};

mod apart;
mod checking;
mod recording;
mod upkeep;

pub use checking::Checked;
use checking::Identities;
use recording::Changes;
pub use upkeep::Patience;

/// A message as it came from the broker.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Whose topic.
    pub cabinet: CabinetId,
    /// Which.
    pub topic: Topic,
    /// Payload and signature; none when the properties hold no signature.
    pub signed: Option<Signed>,
    /// From before this hub was there; others may have answered it.
    pub kept: bool,
}

/// A message for the broker.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Whose topic.
    pub cabinet: CabinetId,
    /// Which.
    pub topic: Topic,
    /// Payload and signature.
    pub signed: Signed,
    /// Documents are retained.
    pub retained: bool,
    /// After this the broker forgets it.
    pub expiry_s: Option<u32>,
}

/// See the module. No `Debug`: it holds the keys.
pub struct Hub {
    /// The database.
    pub database: Database,
    /// The office's keys.
    pub keys: Keys,
    webhooks: Vec<String>,
    identities: Identities,
    intakes: Mutex<HashMap<CabinetId, Intake>>,
    clock: clock::Monotonic,
    changes: watch::Sender<u64>,
}

/// One cabinet in one batch.
struct Turn {
    cabinet: CabinetId,
    intake: Intake,
    knowledge: Knowledge,
    inputs: Vec<Input>,
    /// For each input, whether it was kept.
    kept: Vec<bool>,
    /// Each with whether it answers a question.
    answers: Vec<(bool, Position)>,
    documents: bool,
}

impl Hub {
    /// Over an open database; `webhooks` are the names to owe hand-overs to.
    pub fn new(database: Database, keys: Keys, webhooks: Vec<String>) -> Self {
        Self {
            database,
            keys,
            webhooks,
            identities: Identities::default(),
            intakes: Mutex::new(HashMap::new()),
            clock: clock::Monotonic::begin(),
            changes: watch::Sender::new(0),
        }
    }

    /// Rises with every change that the operators' page or a webhook may care about.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Says that something changed.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Takes one message; what it returns may be sent, because everything is committed.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing was changed then, and the cabinet will send again.
    pub async fn take(&self, incoming: Incoming) -> Result<Vec<Outgoing>, DatabaseError> {
        let checked = self.check(vec![incoming]).await?;
        self.judge(checked).await
    }

    /// Verifies and reads messages, on all processors; changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn check(&self, messages: Vec<Incoming>) -> Result<Vec<Checked>, DatabaseError> {
        self.identities.learn(&self.database, &messages).await?;
        Ok(self.identities.check(messages).await)
    }

    /// Milliseconds until [`Hub::deadlines`] is wanted.
    pub async fn next_deadline_ms(&self) -> Option<u64> {
        let intakes = self.intakes.lock().await;
        let next = intakes.values().filter_map(Intake::next_deadline).min()?;
        Some(next.saturating_sub(self.clock.millis()))
    }

    /// Lets every cabinet's intake act whose deadline has come.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn deadlines(&self) -> Result<Vec<Outgoing>, DatabaseError> {
        let now = self.clock.millis();
        let due = |intake: &&Intake| intake.next_deadline().is_some_and(|at| at <= now);
        let intakes = self.intakes.lock().await;
        let due = intakes.values().filter(due).map(|intake| Checked {
            cabinet: intake.cabinet().clone(),
            identity: None,
            said: Said::Judged(Input::DeadlineReached),
            kept: false,
            renewed: false,
        });
        let due: Vec<Checked> = due.collect();
        drop(intakes);
        self.judge(due).await
    }

    /// Some of a cabinet's documents, for publishing; keys go first, because the others are verified with them.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn documents(
        &self,
        cabinet: &CabinetId,
        names: &[DocumentName],
    ) -> Result<Vec<Outgoing>, DatabaseError> {
        let outgoing = |(name, signed)| Outgoing {
            cabinet: cabinet.clone(),
            topic: Topic::Desired(name),
            signed,
            retained: true,
            expiry_s: None,
        };
        let documents = documents::compose(&self.database, &self.keys, cabinet, names).await?;
        Ok(documents.into_iter().map(outgoing).collect())
    }

    /// Judges a batch in one transaction, commits it, and says what may be sent then. After an error the intakes that took part are
    /// forgotten: what they held comes again.
    async fn judge_together(&self, batch: Vec<Checked>) -> Result<Vec<Outgoing>, DatabaseError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut messages: BTreeMap<CabinetId, Vec<Checked>> = BTreeMap::new();
        for message in batch {
            messages.entry(message.cabinet.clone()).or_default().push(message);
        }
        let mut intakes = self.intakes.lock().await;
        let mut tx = self.database.writing().await?;
        let mut changes = Changes::new(clock::now(), &self.webhooks);
        let ids: Vec<&CabinetId> = messages.keys().collect();
        let mut known = batch::lock(&mut tx, &ids).await?;
        let mut turns = Vec::new();
        for (cabinet, messages) in messages {
            match known.remove(&cabinet) {
                None => changes.raise("-", "unknown-cabinet", Source::Hub, None),
                Some(known) if known.revoked => {
                    changes.raise(cabinet.as_str(), "revoked-cabinet", Source::Hub, None);
                }
                Some(known) => {
                    let intake = intakes.remove(&cabinet);
                    let intake = intake.unwrap_or_else(|| Intake::new(cabinet.clone()));
                    turns.push(self.turn(cabinet, known, intake, messages, &mut changes));
                }
            }
        }
        let wanted: Vec<_> = turns
            .iter()
            .map(|turn| {
                (
                    &turn.cabinet,
                    turn.intake.wanted(&turn.inputs, turn.knowledge.heads()),
                )
            })
            .collect();
        let found = batch::digests(&mut tx, &wanted).await?;
        let mut places: HashMap<CabinetId, Vec<_>> = HashMap::new();
        for event in found {
            places.entry(event.cabinet.clone()).or_default().push(event);
        }
        for turn in &mut turns {
            for event in places.remove(&turn.cabinet).unwrap_or_default() {
                turn.knowledge.learn(event.branch, event.seq, event.digest);
                if let Some(start) = event.start {
                    turn.knowledge.learn_writer(event.digest, start);
                }
            }
            turn.judge(self.clock.millis(), &mut changes);
        }
        let overtaken = changes.write(&mut tx).await?;
        tx.commit().await?;
        self.changed();
        for turn in &mut turns {
            turn.documents |= overtaken.contains(&turn.cabinet);
        }
        let mut outgoing = Vec::new();
        for turn in turns {
            outgoing.extend(self.answer(&turn).await?);
            intakes.insert(turn.cabinet, turn.intake);
        }
        Ok(outgoing)
    }

    /// Sorts one cabinet's messages into what the intake judges and what is simply kept.
    fn turn(
        &self,
        cabinet: CabinetId,
        known: batch::Known,
        intake: Intake,
        messages: Vec<Checked>,
        changes: &mut Changes<'_>,
    ) -> Turn {
        let (mut inputs, mut kept) = (Vec::new(), Vec::new());
        for message in messages {
            if message
                .identity
                .is_some_and(|identity| identity.text != known.key)
            {
                // Enrolled anew between the check and the lock: it will send again.
                self.identities.forget(&cabinet);
                continue;
            }
            if message.renewed {
                changes.renewed(&cabinet);
                // What was checked before this is committed and comes after it is judged by the keys of then, and comes again.
                self.identities.forget(&cabinet);
            }
            match message.said {
                Said::Judged(input) => {
                    inputs.push(input);
                    kept.push(message.kept);
                }
                Said::State(state) => changes.state(&cabinet, state),
                Said::Reply(reply) => changes.reply(&cabinet, reply),
                Said::Reported(name, reported) => changes.reported(&cabinet, name, reported),
            }
        }
        changes.known(&cabinet, &known);
        Turn {
            cabinet,
            intake,
            knowledge: Knowledge::new(known.heads, known.starts, known.gap_stands),
            inputs,
            kept,
            answers: Vec::new(),
            documents: false,
        }
    }

    async fn answer(&self, turn: &Turn) -> Result<Vec<Outgoing>, DatabaseError> {
        let mut outgoing = Vec::new();
        if turn.documents {
            match self.documents(&turn.cabinet, &DocumentName::ALL).await {
                Ok(documents) => outgoing = documents,
                Err(error @ DatabaseError::OldKeys { .. }) => {
                    tracing::error!(cabinet = %turn.cabinet, %error, "no documents are signed for it here");
                }
                Err(error) => return Err(error),
            }
        }
        let positions = turn
            .answers
            .iter()
            .map(|(_, position)| self.position(&turn.cabinet, position));
        outgoing.extend(positions);
        Ok(outgoing)
    }

    fn position(&self, cabinet: &CabinetId, position: &Position) -> Outgoing {
        let bytes = serde_json::to_vec(position).expect("positions are texts and numbers");
        Outgoing {
            cabinet: cabinet.clone(),
            topic: Topic::Position,
            signed: Signed::new(&self.keys.positions, Purpose::Position, cabinet, bytes),
            retained: false,
            expiry_s: None,
        }
    }
}

impl Turn {
    fn judge(&mut self, now: u64, changes: &mut Changes<'_>) {
        let inputs = std::mem::take(&mut self.inputs);
        for (input, kept) in inputs.into_iter().zip(std::mem::take(&mut self.kept)) {
            if let Input::Rejected(rejection) = &input {
                changes.rejected(&self.cabinet, *rejection);
            }
            let mut verdict = self.intake.handle(now, input, &mut self.knowledge);
            let answers = verdict.status.is_some();
            let position = verdict.position.take().filter(|_| !kept);
            self.documents |= !kept && is_online(&verdict);
            changes.verdict(&self.cabinet, verdict, &self.knowledge);
            if let Some(position) = position {
                // The last one says it all; but each question has its own answer.
                self.answers.pop_if(|(answers, _)| !*answers);
                self.answers.push((answers, position));
            }
        }
    }
}

fn is_online(verdict: &Verdict) -> bool {
    let status = verdict.status.as_ref();
    status.is_some_and(|status| status.presence == Presence::Online)
}
