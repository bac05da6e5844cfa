//! What a batch of verdicts changes in the database, gathered first and written table by table.

use std::collections::{BTreeMap, BTreeSet};

use office_protocol::document::{DocumentName, Reported};
use office_protocol::{CabinetId, CabinetState, Event, EventBody, PassId, Reply, Status, Timestamp};

use crate::database::alarms::{AlarmKey, Source};
use crate::database::batch::{self, Known, NewEvent, NewSealed, SealedParts};
use crate::database::consignments::{self, Changing, Key};
use crate::database::outbox::{self, NewDelivery};
use crate::database::{DatabaseError, Writing, alarms, cabinets, code, directory, personal};
use crate::intake::{Knowledge, Rejection, Starts, Stored, Verdict};

/// A sign of life is written down at most so often.
const SEEN_EVERY_MS: i64 = 10_000;

/// Events that say nothing but that they happened; the others are read whole.
const PLAIN: [&str; 13] = [
    "locker.started",
    "locker.clock-corrected",
    "locker.document-applied",
    "locker.layout-changed",
    "locker.visit-moved",
    "locker.visit-settled",
    "locker.unlock-begun",
    "locker.unlock-failed",
    "locker.unlock-interrupted",
    "locker.door-opened",
    "locker.door-closed",
    "locker.door-found",
    "locker.rated",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Raised(u32),
    Cleared,
}

/// Cabinet, code, who says so, compartment.
type Alarm = (String, String, Source, Option<i64>);

/// See the module.
pub(super) struct Changes<'a> {
    now: Timestamp,
    webhooks: &'a [String],
    events: Vec<NewEvent>,
    sealed: SealedParts,
    told: Vec<(Key, Event)>,
    deliveries: Vec<NewDelivery>,
    passes: BTreeMap<(PassId, CabinetId), Timestamp>,
    alarms: Vec<(Alarm, Turn)>,
    seen: BTreeSet<CabinetId>,
    quiet: BTreeSet<CabinetId>,
    silent: BTreeSet<CabinetId>,
    forged: BTreeMap<CabinetId, u32>,
    statuses: BTreeMap<CabinetId, (Status, Starts)>,
    starts: BTreeMap<CabinetId, Starts>,
    states: Vec<(CabinetId, CabinetState)>,
    replies: Vec<(CabinetId, Reply)>,
    reported: Vec<(CabinetId, DocumentName, Reported)>,
    renewed: BTreeSet<CabinetId>,
}

impl<'a> Changes<'a> {
    pub(super) fn new(now: Timestamp, webhooks: &'a [String]) -> Self {
        Self {
            now,
            webhooks,
            events: Vec::new(),
            sealed: SealedParts::new(),
            told: Vec::new(),
            deliveries: Vec::new(),
            passes: BTreeMap::new(),
            alarms: Vec::new(),
            seen: BTreeSet::new(),
            quiet: BTreeSet::new(),
            silent: BTreeSet::new(),
            forged: BTreeMap::new(),
            statuses: BTreeMap::new(),
            starts: BTreeMap::new(),
            states: Vec::new(),
            replies: Vec::new(),
            reported: Vec::new(),
            renewed: BTreeSet::new(),
        }
    }

    /// What the database has of a cabinet before this batch.
    pub(super) fn known(&mut self, cabinet: &CabinetId, known: &Known) {
        let recent = |seen: Timestamp| self.now.as_millis() - seen.as_millis() < SEEN_EVERY_MS;
        if known.last_seen.is_none_or(|seen| !recent(seen)) || known.silent {
            self.quiet.insert(cabinet.clone());
        }
        if known.silent {
            self.silent.insert(cabinet.clone());
        }
        self.starts.insert(cabinet.clone(), known.starts.clone());
    }

    pub(super) fn state(&mut self, cabinet: &CabinetId, state: CabinetState) {
        self.states.push((cabinet.clone(), state));
    }

    pub(super) fn reply(&mut self, cabinet: &CabinetId, reply: Reply) {
        self.replies.push((cabinet.clone(), reply));
    }

    pub(super) fn reported(&mut self, cabinet: &CabinetId, name: DocumentName, reported: Reported) {
        self.reported.push((cabinet.clone(), name, reported));
    }

    /// A message that the cabinet's next key has signed is among those that are stored.
    pub(super) fn renewed(&mut self, cabinet: &CabinetId) {
        self.renewed.insert(cabinet.clone());
    }

    /// Counts a message that the cabinet's key did not sign.
    pub(super) fn rejected(&mut self, cabinet: &CabinetId, rejection: Rejection) {
        if rejection == Rejection::Forged {
            *self.forged.entry(cabinet.clone()).or_default() += 1;
        }
    }

    pub(super) fn raise(&mut self, cabinet: &str, alarm: &str, source: Source, compartment: Option<i64>) {
        let key = (cabinet.to_owned(), alarm.to_owned(), source, compartment);
        let last = self.alarms.iter_mut().rev().find(|(known, _)| *known == key);
        match last {
            Some((_, Turn::Raised(times))) => *times += 1,
            Some((_, Turn::Cleared)) | None => self.alarms.push((key, Turn::Raised(1))),
        }
    }

    fn clear(&mut self, cabinet: &str, alarm: &str, source: Source, compartment: Option<i64>) {
        let key = (cabinet.to_owned(), alarm.to_owned(), source, compartment);
        self.alarms.push((key, Turn::Cleared));
    }

    /// Takes note of one verdict, after which the store knows this.
    pub(super) fn verdict(&mut self, cabinet: &CabinetId, verdict: Verdict, knowledge: &Knowledge) {
        let id = cabinet.as_str();
        for alarm in &verdict.raised {
            tracing::warn!(cabinet = %cabinet, alarm = alarm.as_str(), "alarm raised");
            self.raise(id, alarm.as_str(), Source::Hub, None);
        }
        for alarm in &verdict.cleared {
            self.clear(id, alarm.as_str(), Source::Hub, None);
        }
        if verdict.fresh {
            if self.silent.remove(cabinet) {
                self.clear(id, "silent", Source::Hub, None);
            }
            if self.quiet.remove(cabinet) {
                self.seen.insert(cabinet.clone());
            }
        }
        if let Some(status) = verdict.status {
            self.statuses
                .insert(cabinet.clone(), (status, knowledge.starts.clone()));
        }
        for part in verdict.sealed {
            let sealed = self.sealed.entry((cabinet.clone(), part.digest())).or_default();
            sealed.part = Some(part);
        }
        for stored in verdict.stored {
            self.stored(cabinet, stored);
        }
    }

    fn stored(&mut self, cabinet: &CabinetId, stored: Stored) {
        if !PLAIN.contains(&&*stored.event.kind) {
            match Event::parse(&stored.event.bytes) {
                Ok(event) => self.event(cabinet, &stored, event),
                Err(_) => {
                    tracing::info!(cabinet = %cabinet, kind = &*stored.event.kind, "event of an unknown type stored");
                }
            }
        }
        self.events.push(NewEvent {
            cabinet: cabinet.clone(),
            stored,
        });
    }

    /// What an event means besides being stored.
    fn event(&mut self, cabinet: &CabinetId, stored: &Stored, event: Event) {
        self.note(cabinet, &event);
        self.belongs(cabinet, &event);
        self.deliveries
            .extend(outbox::owed(self.webhooks, cabinet, stored, &event));
        if let Some(key) = consignments::key(cabinet, stored, &event) {
            self.told.push((key, event));
        }
    }

    /// Alarms and single-use passes.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "all others only matter to the read model"
    )]
    fn note(&mut self, cabinet: &CabinetId, event: &Event) {
        let id = cabinet.as_str();
        match &event.body {
            EventBody::AlarmRaised { alarm, compartment } => {
                let place = compartment.map(|id| i64::from(id.0));
                self.raise(id, &code(alarm), Source::Cabinet, place);
            }
            EventBody::AlarmCleared { alarm, compartment } => {
                let place = compartment.map(|id| i64::from(id.0));
                self.clear(id, &code(alarm), Source::Cabinet, place);
            }
            EventBody::HelpRequested { .. } => self.raise(id, "help-requested", Source::Cabinet, None),
            EventBody::PassUsed { pass, .. } => {
                self.passes.insert((pass.clone(), cabinet.clone()), event.time);
            }
            _ => {}
        }
    }

    /// Whose the sealed part is that an event names.
    fn belongs(&mut self, cabinet: &CabinetId, event: &Event) {
        let Some(digest) = personal::named(&event.body) else {
            return;
        };
        let sealed: &mut NewSealed = self.sealed.entry((cabinet.clone(), digest)).or_default();
        let text = |id: Option<&dyn std::fmt::Display>| id.map(ToString::to_string);
        let consignment = event.body.consignment().map(|id| id as &dyn std::fmt::Display);
        let (application, person) = owners(&event.body);
        sealed.consignment = text(consignment).or(sealed.consignment.take());
        sealed.application = text(application).or(sealed.application.take());
        sealed.person = text(person).or(sealed.person.take());
    }

    /// Makes everything part of the transaction. Rows that cabinets share come last, in one order.
    pub(super) async fn write(self, tx: &mut Writing) -> Result<(), DatabaseError> {
        batch::store(tx, &self.events, self.now).await?;
        batch::store_sealed(tx, &self.sealed, self.now).await?;
        let keys: BTreeSet<Key> = self.told.iter().map(|(key, _)| key.clone()).collect();
        let mut changing = Changing::read(tx, &keys).await?;
        for (key, event) in self.told {
            changing.apply(key, &event);
        }
        changing.write(tx).await?;
        outbox::owe(tx, &self.deliveries, self.now).await?;
        let seen: Vec<&CabinetId> = self.seen.iter().collect();
        if !seen.is_empty() {
            batch::seen(tx, &seen, self.now).await?;
        }
        for (cabinet, times) in &self.forged {
            cabinets::forged(tx, cabinet, *times).await?;
        }
        for (cabinet, (status, starts)) in &self.statuses {
            cabinets::status(tx, cabinet, status, starts).await?;
        }
        for (cabinet, state) in &self.states {
            let starts = self.statuses.get(cabinet).map(|(_, starts)| starts);
            if let Some(starts) = starts.or_else(|| self.starts.get(cabinet)) {
                cabinets::state(tx, cabinet, state, starts).await?;
            }
        }
        for (cabinet, reply) in &self.replies {
            cabinets::reply(tx, cabinet, reply, self.now).await?;
        }
        for (cabinet, name, reported) in &self.reported {
            directory::reported(tx, cabinet, *name, reported).await?;
        }
        for cabinet in &self.renewed {
            tracing::info!(%cabinet, "signs with its new key; the one before counts no more");
            cabinets::renewed(tx, cabinet).await?;
        }
        let mut changed = self.alarms;
        for ((pass, cabinet), at) in &self.passes {
            if !directory::pass_used(tx, cabinet, pass.as_str(), *at).await? {
                let key = (
                    cabinet.to_string(),
                    "pass-used-elsewhere".into(),
                    Source::Hub,
                    None,
                );
                changed.push((key, Turn::Raised(1)));
            }
        }
        changed.sort_by(|(one, _), (other, _)| one.cmp(other));
        for ((cabinet, alarm, source, compartment), turn) in &changed {
            let key = AlarmKey {
                cabinet,
                alarm,
                source: *source,
                compartment: *compartment,
            };
            match turn {
                Turn::Raised(times) => alarms::raise(tx, key, *times, self.now).await?,
                Turn::Cleared => alarms::clear(tx, key, self.now).await?,
            }
        }
        Ok(())
    }
}

/// The application and the person that an event with a sealed part names.
#[allow(clippy::wildcard_enum_match_arm, reason = "no other names them")]
fn owners(body: &EventBody) -> (Option<&dyn std::fmt::Display>, Option<&dyn std::fmt::Display>) {
    match body {
        EventBody::VisitGranted {
            application, person, ..
        }
        | EventBody::Placed {
            application, person, ..
        } => (
            application.as_ref().map(|id| id as _),
            person.as_ref().map(|id| id as _),
        ),
        EventBody::DroppedOff { application, .. } => (application.as_ref().map(|id| id as _), None),
        _ => (None, None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::intake::Origin;

    #[test]
    fn plain_events_mean_nothing_but_that_they_happened() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../office-protocol/golden/event");
        let webhooks = ["approval".to_owned()];
        let mut plain = BTreeSet::new();
        for entry in std::fs::read_dir(golden).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let event = Event::parse(&bytes).unwrap();
            let cabinet = event.source.clone();
            let mut changes = Changes::new(event.time, &webhooks);
            let stored = Stored {
                origin: Origin::Append(office_protocol::Branch(0)),
                event: crate::intake::Arrived::parse(bytes, &cabinet).unwrap(),
            };
            let kind = event.body.kind();
            changes.event(&cabinet, &stored, event);
            let nothing = changes.told.is_empty()
                && changes.sealed.is_empty()
                && changes.deliveries.is_empty()
                && changes.alarms.is_empty()
                && changes.passes.is_empty();
            if PLAIN.contains(&kind) {
                assert!(nothing, "{kind} means something");
                plain.insert(kind);
            }
        }
        assert_eq!(plain.len(), PLAIN.len());
    }
}
