//! One hub: what comes in is judged and committed, and only then answered.

use std::collections::HashMap;

use office_protocol::document::{DocumentName, Reported};
use office_protocol::{
    CabinetId, CabinetState, Event, EventBody, EventHeader, Position, Presence, Purpose, Reply, Signed,
    Topic, VerifyingKey,
};
use tokio::sync::{Mutex, watch};

use crate::clock;
use crate::database::alarms::{AlarmKey, Source};
use crate::database::{
    self, Database, DatabaseError, Writing, alarms, cabinets, consignments, directory, events, outbox,
};
use crate::documents;
use crate::intake::{Arrival, Input, Intake, Rejection, Stored, Verdict, check_status};
use crate::keys::Keys;

/// A message as it came from the broker.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Whose topic.
    pub cabinet: CabinetId,
    /// Which.
    pub topic: Topic,
    /// Payload and signature; none when the properties hold no signature.
    pub signed: Option<Signed>,
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
    intakes: Mutex<HashMap<CabinetId, Intake>>,
    clock: clock::Monotonic,
    changes: watch::Sender<u64>,
}

impl Hub {
    /// Over an open database; `webhooks` are the names to owe hand-overs to.
    pub fn new(database: Database, keys: Keys, webhooks: Vec<String>) -> Self {
        Self {
            database,
            keys,
            webhooks,
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
        let mut intakes = self.intakes.lock().await;
        let mut tx = self.database.writing().await?;
        let cabinet = &incoming.cabinet;
        let Some(enrolled) = cabinets::enrolled(&mut tx, cabinet).await? else {
            raise(&mut tx, "-", "unknown-cabinet", Source::Hub, None).await?;
            tx.commit().await?;
            self.changed();
            return Ok(Vec::new());
        };
        let input = match self.input(&mut tx, &incoming, &enrolled.key).await? {
            Some(input) => input,
            None => {
                cabinets::seen(&mut tx, cabinet, clock::now()).await?;
                tx.commit().await?;
                self.changed();
                return Ok(Vec::new());
            }
        };
        let mut intake = intakes
            .remove(cabinet)
            .unwrap_or_else(|| Intake::new(cabinet.clone(), enrolled.latest));
        let verdict = self.judge(tx, &mut intake, input).await?;
        intakes.insert(cabinet.clone(), intake);
        drop(intakes);
        self.answer(cabinet, verdict).await
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
        let mut outgoing = Vec::new();
        let mut intakes = self.intakes.lock().await;
        let now = self.clock.millis();
        let due = |intake: &&Intake| intake.next_deadline().is_some_and(|at| at <= now);
        let due: Vec<CabinetId> = intakes
            .values()
            .filter(due)
            .map(|intake| intake.cabinet().clone())
            .collect();
        for cabinet in due {
            let Some(mut intake) = intakes.remove(&cabinet) else {
                continue;
            };
            let tx = self.database.writing().await?;
            let verdict = self.judge(tx, &mut intake, Input::DeadlineReached).await?;
            intakes.insert(cabinet.clone(), intake);
            outgoing.extend(self.answer(&cabinet, verdict).await?);
        }
        Ok(outgoing)
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

    /// What the intake judges; `None` when the message is dealt with.
    async fn input(
        &self,
        tx: &mut Writing,
        incoming: &Incoming,
        key: &VerifyingKey,
    ) -> Result<Option<Input>, DatabaseError> {
        let cabinet = &incoming.cabinet;
        let Some(signed) = &incoming.signed else {
            return Ok(Some(Input::Rejected(Rejection::Forged)));
        };
        if signed.bytes.is_empty() {
            return Ok(Some(Input::Rejected(Rejection::Noise)));
        }
        let checked = match incoming.topic {
            Topic::Event => Arrival::check(signed, key, cabinet).map(Input::Arrived),
            Topic::Status => check_status(signed, key, cabinet).map(Input::Status),
            Topic::State => match verified::<CabinetState>(signed, key, Purpose::State, cabinet) {
                Ok(state) => {
                    let json = serde_json::to_string(&state).expect("states are texts and numbers");
                    cabinets::state(tx, cabinet, &json).await?;
                    return Ok(None);
                }
                Err(rejection) => Err(rejection),
            },
            Topic::Reply => match verified::<Reply>(signed, key, Purpose::Reply, cabinet) {
                Ok(reply) => {
                    cabinets::reply(tx, cabinet, &reply, clock::now()).await?;
                    return Ok(None);
                }
                Err(rejection) => Err(rejection),
            },
            Topic::Reported(name) => return self.reported(tx, cabinet, signed, key, name).await,
            Topic::Position | Topic::Command | Topic::Desired(_) => Err(Rejection::Noise),
        };
        Ok(Some(checked.unwrap_or_else(Input::Rejected)))
    }

    async fn reported(
        &self,
        tx: &mut Writing,
        cabinet: &CabinetId,
        signed: &Signed,
        key: &VerifyingKey,
        name: DocumentName,
    ) -> Result<Option<Input>, DatabaseError> {
        match verified::<Reported>(signed, key, Purpose::Reported, cabinet) {
            Ok(reported) => {
                directory::reported(tx, cabinet, name, &reported).await?;
                Ok(None)
            }
            Err(rejection) => Ok(Some(Input::Rejected(rejection))),
        }
    }

    /// Judges and commits. After an error the intake is forgotten: what it held comes again.
    async fn judge(
        &self,
        mut tx: Writing,
        intake: &mut Intake,
        input: Input,
    ) -> Result<Verdict, DatabaseError> {
        let cabinet = intake.cabinet().clone();
        let wall = clock::now();
        match &input {
            Input::Arrived(_) => cabinets::seen(&mut tx, &cabinet, wall).await?,
            Input::Rejected(Rejection::Forged) => cabinets::forged(&mut tx, &cabinet).await?,
            Input::Rejected(_) | Input::Status(_) | Input::DeadlineReached => {}
        }
        let wanted = intake.wanted(&input);
        let mut knowledge = events::knowledge(&mut tx, &cabinet, &wanted).await?;
        let verdict = intake.handle(self.clock.millis(), input, &mut knowledge);
        for stored in &verdict.stored {
            self.store(&mut tx, &cabinet, stored).await?;
        }
        for part in &verdict.sealed {
            events::store_sealed(&mut tx, &cabinet, part, wall).await?;
        }
        for alarm in &verdict.raised {
            tracing::warn!(cabinet = %cabinet, alarm = alarm.as_str(), "alarm raised");
            raise(&mut tx, cabinet.as_str(), alarm.as_str(), Source::Hub, None).await?;
        }
        for alarm in &verdict.cleared {
            clear(&mut tx, cabinet.as_str(), alarm.as_str(), Source::Hub, None).await?;
        }
        if let Some(status) = &verdict.status {
            cabinets::status(&mut tx, &cabinet, status, wall).await?;
        }
        tx.commit().await?;
        self.changed();
        Ok(verdict)
    }

    async fn store(
        &self,
        tx: &mut Writing,
        cabinet: &CabinetId,
        stored: &Stored,
    ) -> Result<(), DatabaseError> {
        let wall = clock::now();
        let header = EventHeader::parse(&stored.event.bytes).map_err(|error| DatabaseError::Damaged {
            what: "event",
            value: error.to_string(),
        })?;
        events::store(tx, cabinet, stored, &header, wall).await?;
        let Ok(event) = Event::parse(&stored.event.bytes) else {
            tracing::info!(cabinet = %cabinet, kind = header.kind, "event of an unknown type stored");
            return Ok(());
        };
        consignments::apply(tx, cabinet, stored, &event).await?;
        outbox::owe(tx, &self.webhooks, cabinet, stored, &event, wall).await?;
        self.note(tx, cabinet, &event).await
    }

    /// What an event means for alarms and single-use passes.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "all others only matter to the read model"
    )]
    async fn note(&self, tx: &mut Writing, cabinet: &CabinetId, event: &Event) -> Result<(), DatabaseError> {
        let id = cabinet.as_str();
        match &event.body {
            EventBody::AlarmRaised { alarm, compartment } => {
                let place = compartment.map(|id| i64::from(id.0));
                raise(tx, id, &database::code(alarm), Source::Cabinet, place).await
            }
            EventBody::AlarmCleared { alarm, compartment } => {
                let place = compartment.map(|id| i64::from(id.0));
                clear(tx, id, &database::code(alarm), Source::Cabinet, place).await
            }
            EventBody::HelpRequested { .. } => raise(tx, id, "help-requested", Source::Cabinet, None).await,
            EventBody::PassUsed { pass, .. } => {
                if directory::pass_used(tx, cabinet, pass.as_str(), event.time).await? {
                    Ok(())
                } else {
                    raise(tx, id, "pass-used-elsewhere", Source::Hub, None).await
                }
            }
            _ => Ok(()),
        }
    }

    async fn answer(&self, cabinet: &CabinetId, verdict: Verdict) -> Result<Vec<Outgoing>, DatabaseError> {
        let mut outgoing = Vec::new();
        if verdict
            .status
            .is_some_and(|status| status.presence == Presence::Online)
        {
            outgoing = self.documents(cabinet, &DocumentName::ALL).await?;
        }
        outgoing.extend(verdict.position.map(|position| self.position(cabinet, &position)));
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

async fn raise(
    tx: &mut Writing,
    cabinet: &str,
    alarm: &str,
    source: Source,
    compartment: Option<i64>,
) -> Result<(), DatabaseError> {
    let key = AlarmKey {
        cabinet,
        alarm,
        source,
        compartment,
    };
    alarms::raise(tx, key, clock::now()).await
}

async fn clear(
    tx: &mut Writing,
    cabinet: &str,
    alarm: &str,
    source: Source,
    compartment: Option<i64>,
) -> Result<(), DatabaseError> {
    let key = AlarmKey {
        cabinet,
        alarm,
        source,
        compartment,
    };
    alarms::clear(tx, key, clock::now()).await
}
