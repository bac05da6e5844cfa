//! What a batch of verdicts changes in the database, gathered first and written table by table.

use std::collections::{BTreeMap, BTreeSet};

use office_protocol::document::{DocumentName, Reported};
use office_protocol::{
    CabinetId, CabinetState, Event, EventBody, PassId, Reply, Seq, Start, Status, Timestamp,
};

use crate::database::alarms::{AlarmKey, Source};
use crate::database::batch::{self, Known, NewEvent, NewSealed, SealedParts};
use crate::database::consignments::{self, Changing, Key};
use crate::database::outbox::{self, NewDelivery};
use crate::database::{DatabaseError, Writing, alarms, code, directory, personal, said, versions};
use crate::intake::{Knowledge, Rejection, Starts, Stored, Verdict, is_newer_word, newest_snapshot};

/// A sign of life is written down at most so often.
const SEEN_EVERY_MS: i64 = 10_000;

/// Events that say nothing but that they happened; the others are read whole.
const PLAIN: [&str; 12] = [
    "locker.started",
    "locker.clock-corrected",
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

/// A number or version above this is nonsense, and would leave no room for later ones.
const NUMBER_MAX: u64 = 1 << 62;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Raised(u32),
    Cleared,
}

/// Cabinet, code, who says so, compartment.
type Alarm = (String, String, Source, Option<i64>);

/// What happens to different alarms at once.
#[derive(Default)]
struct Round<'a> {
    raised: Vec<(AlarmKey<'a>, u32)>,
    cleared: Vec<AlarmKey<'a>>,
}

/// What the database had of a cabinet before the batch.
struct Before {
    starts: Starts,
    end: Seq,
    snapshot: Option<(Start, Seq)>,
}

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
    known: BTreeMap<CabinetId, Before>,
    states: BTreeMap<CabinetId, Vec<CabinetState>>,
    replies: BTreeMap<(CabinetId, u64), Reply>,
    reported: BTreeMap<(CabinetId, DocumentName), Reported>,
    commanded: BTreeMap<CabinetId, u64>,
    applied: BTreeMap<(CabinetId, DocumentName), u64>,
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
            known: BTreeMap::new(),
            states: BTreeMap::new(),
            replies: BTreeMap::new(),
            reported: BTreeMap::new(),
            commanded: BTreeMap::new(),
            applied: BTreeMap::new(),
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
        let newest = known.heads.iter().max_by_key(|head| head.branch);
        let end = newest.map_or(Seq::ZERO, |head| head.seq);
        let before = Before {
            starts: known.starts.clone(),
            end,
            snapshot: known.snapshot,
        };
        self.known.insert(cabinet.clone(), before);
    }

    /// A snapshot: which of them counts shows when all is known.
    pub(super) fn state(&mut self, cabinet: &CabinetId, state: CabinetState) {
        self.states.entry(cabinet.clone()).or_default().push(state);
    }

    pub(super) fn reply(&mut self, cabinet: &CabinetId, reply: Reply) {
        self.commanded(cabinet, reply.number);
        self.replies.insert((cabinet.clone(), reply.number), reply);
    }

    pub(super) fn reported(&mut self, cabinet: &CabinetId, name: DocumentName, reported: Reported) {
        self.applied(cabinet, name, reported.version);
        let key = (cabinet.clone(), name);
        if is_newer_word(&reported, self.reported.get(&key)) {
            self.reported.insert(key, reported);
        }
    }

    /// The cabinet has had a command of this number.
    fn commanded(&mut self, cabinet: &CabinetId, number: u64) {
        if number <= NUMBER_MAX {
            let newest = self.commanded.entry(cabinet.clone()).or_default();
            *newest = number.max(*newest);
        }
    }

    /// The cabinet has had a document of this version.
    fn applied(&mut self, cabinet: &CabinetId, name: DocumentName, version: u64) {
        if version > 0 && version <= NUMBER_MAX {
            let newest = self.applied.entry((cabinet.clone(), name)).or_default();
            *newest = version.max(*newest);
        }
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

    /// Alarms, single-use passes, and what the cabinet has had of the office.
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
            EventBody::CommandAccepted { number, .. }
            | EventBody::CommandRefused { number, .. }
            | EventBody::CommandDone { number, .. } => self.commanded(cabinet, *number),
            EventBody::DocumentApplied {
                document, version, ..
            } => self.applied(cabinet, *document, *version),
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

    /// Makes everything part of the transaction, in so many statements whatever there is of each. Rows that cabinets share come last, in
    /// one order. Says whose documents have overtaken the database: they need new ones.
    pub(super) async fn write(mut self, tx: &mut Writing) -> Result<BTreeSet<CabinetId>, DatabaseError> {
        batch::store(tx, &self.events, self.now).await?;
        batch::store_sealed(tx, &self.sealed, self.now).await?;
        let keys: BTreeSet<Key> = self.told.iter().map(|(key, _)| key.clone()).collect();
        let mut changing = Changing::read(tx, &keys).await?;
        for (key, event) in std::mem::take(&mut self.told) {
            changing.apply(key, &event);
        }
        changing.write(tx).await?;
        outbox::owe(tx, &self.deliveries, self.now).await?;
        let seen: Vec<&CabinetId> = self.seen.iter().collect();
        if !seen.is_empty() {
            batch::seen(tx, &seen, self.now).await?;
        }
        said::forged(tx, &self.forged).await?;
        said::statuses(tx, &self.statuses).await?;
        said::states(tx, &self.newest_snapshots()).await?;
        said::replies(tx, &self.replies, self.now).await?;
        said::commanded(tx, &self.commanded).await?;
        versions::reported(tx, &self.reported).await?;
        let overtaken = versions::applied(tx, &self.applied).await?;
        for cabinet in &self.renewed {
            tracing::info!(%cabinet, "signs with its new key; the one before counts no more");
        }
        said::renewed(tx, &self.renewed).await?;
        for (_, cabinet) in directory::passes_used(tx, &self.passes).await? {
            self.raise(cabinet.as_str(), "pass-used-elsewhere", Source::Hub, None);
        }
        self.write_alarms(tx).await?;
        Ok(overtaken)
    }

    fn newest_snapshots(&mut self) -> BTreeMap<CabinetId, CabinetState> {
        let said = std::mem::take(&mut self.states).into_iter();
        let newest = said.filter_map(|(cabinet, said)| {
            let before = self.known.get(&cabinet)?;
            let starts = self
                .statuses
                .get(&cabinet)
                .map_or(&before.starts, |(_, starts)| starts);
            let newest = newest_snapshot(said, starts, before.end, before.snapshot)?;
            Some((cabinet, newest))
        });
        newest.collect()
    }

    /// What happened to one alarm happens in its order; what happened to different ones at once.
    async fn write_alarms(self, tx: &mut Writing) -> Result<(), DatabaseError> {
        let mut changed = self.alarms;
        changed.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut rounds: Vec<Round<'_>> = Vec::new();
        let (mut last, mut round) = (None, 0);
        for (alarm, turn) in &changed {
            round = if last == Some(alarm) { round + 1 } else { 0 };
            last = Some(alarm);
            if rounds.len() == round {
                rounds.push(Round::default());
            }
            let (cabinet, name, source, compartment) = alarm;
            let key = AlarmKey {
                cabinet,
                alarm: name,
                source: *source,
                compartment: *compartment,
            };
            match turn {
                Turn::Raised(times) => rounds[round].raised.push((key, *times)),
                Turn::Cleared => rounds[round].cleared.push(key),
            }
        }
        for round in rounds {
            alarms::raise(tx, &round.raised, self.now).await?;
            alarms::clear(tx, &round.cleared, self.now).await?;
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
                lost: None,
                event: crate::intake::Arrived::parse(bytes, &cabinet).unwrap(),
            };
            let kind = event.body.kind();
            changes.event(&cabinet, &stored, event);
            let nothing = changes.told.is_empty()
                && changes.sealed.is_empty()
                && changes.deliveries.is_empty()
                && changes.alarms.is_empty()
                && changes.passes.is_empty()
                && changes.commanded.is_empty()
                && changes.applied.is_empty();
            if PLAIN.contains(&kind) {
                assert!(nothing, "{kind} means something");
                plain.insert(kind);
            }
        }
        assert_eq!(plain.len(), PLAIN.len());
    }
}
