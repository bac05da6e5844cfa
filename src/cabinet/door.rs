//! Doors: what readings and pulses' answers mean for the visit there, and for the time that a door stands open.

use office_protocol::event::{Alarm, Authority, DoubtReason, UnlockFailure, VisitOutcome, VisitPurpose};
use office_protocol::{CompartmentId, EventBody, Seq};

use super::Cabinet;
use super::limits::{
    DOOR_ANSWER_MS, FINAL_SCREEN_MS, IDLE_MS, LEFT_OPEN_MS, MORE_TIME_MS, OPEN_ALARM_MS, PULSES_MAX,
    REMINDER_LOUD_MS, REMINDER_MS, REOPEN_MS,
};
use super::screen::Trouble;
use super::session::Stage;
use super::vocabulary::{Monotonic, UnlockOutcome};

/// Where the work at a door is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not pulsed yet.
    Granted,
    /// Pulsed; the door will show.
    Opening,
    /// The lock rests after earlier pulses, and is pulsed then.
    Resting { until: Monotonic },
    /// The person is asked whether the door is open.
    Asking,
    /// Open; `by_word` when only the person says so.
    Open { by_word: bool },
    /// Closed again; `by_word` when only the person says so.
    Closed { by_word: bool },
}

/// What happens at one door, since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) phase: Phase,
    pub(super) since: Monotonic,
    pub(super) alarmed: bool,
    /// It was open during this visit, by its sensor or by somebody's word: something may be inside.
    pub(super) entered: bool,
}

impl Cabinet {
    pub(super) fn door_read(&mut self, compartment: CompartmentId, open: bool, first: bool) {
        if !self.ledger.compartments.contains_key(&compartment) {
            return;
        }
        self.seen_closed.insert(compartment, !open);
        let known = self
            .ledger
            .compartments
            .get(&compartment)
            .and_then(|place| place.open);
        let visit = self
            .ledger
            .compartments
            .get(&compartment)
            .and_then(|place| place.visit);
        let pulsed = visit.filter(|visit| self.visit(*visit).is_some_and(|running| running.pulses > 0));
        match pulsed {
            Some(visit) if self.is_proving(visit) => self.proving_read(visit, open),
            Some(visit) if open => self.door_opened(visit, compartment),
            Some(visit) if known == Some(true) => self.door_closed(visit, compartment),
            Some(_) | None if known == Some(open) => {}
            Some(_) | None if first || known.is_none() => self.door_found(compartment, open),
            Some(_) | None if open => self.door_forced(compartment),
            Some(_) | None => {
                self.record(EventBody::DoorClosed { compartment });
                self.clear(Alarm::DoorOpen, Some(compartment));
            }
        }
    }

    fn door_found(&mut self, compartment: CompartmentId, open: bool) {
        self.record(EventBody::DoorFound { compartment, open });
        if open {
            self.raise(Alarm::DoorOpen, Some(compartment));
            self.doubt_what_is_inside(compartment, DoubtReason::Interrupted);
        } else {
            self.clear(Alarm::DoorOpen, Some(compartment));
        }
    }

    fn door_forced(&mut self, compartment: CompartmentId) {
        self.record(EventBody::DoorForced { compartment });
        self.raise(Alarm::DoorForced, Some(compartment));
        self.doubt_what_is_inside(compartment, DoubtReason::Forced);
    }

    pub(super) fn doubt_what_is_inside(&mut self, compartment: CompartmentId, reason: DoubtReason) {
        let Some(place) = self.ledger.compartments.get(&compartment) else {
            return;
        };
        if place.doubt.is_none() && place.consignment.is_some() {
            let consignment = place.consignment.clone();
            self.record(EventBody::Unconfirmed {
                compartment,
                consignment,
                reason,
            });
        }
    }

    pub(super) fn door_opened(&mut self, visit: Seq, compartment: CompartmentId) {
        let Some(phase) = self.work.get(&visit).map(|work| work.phase) else {
            return;
        };
        if self.visit(visit).is_some_and(|running| !running.opened)
            || phase != (Phase::Open { by_word: false })
        {
            self.record_in(visit, EventBody::DoorOpened { compartment });
            self.phase(visit, Phase::Open { by_word: false });
            self.clear(Alarm::DoorJammed, Some(compartment));
            if let Some(running) = self.ledger.visits.get(&visit).cloned() {
                self.command_ended(&running, true);
            }
        }
    }

    fn door_closed(&mut self, visit: Seq, compartment: CompartmentId) {
        self.record_in(visit, EventBody::DoorClosed { compartment });
        self.clear(Alarm::DoorOpen, Some(compartment));
        self.closed(visit, false);
    }

    /// The door of a visit is closed, by the sensor or by the person's word.
    pub(super) fn closed(&mut self, visit: Seq, by_word: bool) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        self.phase(visit, Phase::Closed { by_word });
        self.session.touched = self.moment.now;
        if running.left_open {
            self.settle(visit, VisitOutcome::Unconfirmed);
        } else if matches!(running.authority, Authority::Command { .. }) {
            self.doubt_what_is_inside(running.compartment, DoubtReason::Inspected);
            self.settle(visit, VisitOutcome::Done);
        } else if running.purpose == VisitPurpose::Placing {
            self.placing_closed(visit);
        }
    }

    pub(super) fn unlock_answered(&mut self, unlock: Seq, outcome: UnlockOutcome) {
        let pulsed = |(id, visit): (&Seq, &super::Visit)| {
            (visit.unlocking == Some(unlock)).then_some((*id, visit.compartment))
        };
        let Some((visit, compartment)) = self.ledger.visits.iter().find_map(pulsed) else {
            return;
        };
        let reason = match outcome {
            UnlockOutcome::Opened | UnlockOutcome::Acknowledged | UnlockOutcome::Sent => return,
            UnlockOutcome::Refused => UnlockFailure::Refused,
            UnlockOutcome::Uncertain => UnlockFailure::Uncertain,
            UnlockOutcome::NotSent => UnlockFailure::NotSent,
            UnlockOutcome::Resting { .. } => UnlockFailure::Resting,
        };
        self.record_in(
            visit,
            EventBody::UnlockFailed {
                compartment,
                unlock,
                reason,
            },
        );
        let opening = self
            .work
            .get(&visit)
            .is_some_and(|work| work.phase == Phase::Opening);
        match outcome {
            _ if !opening => {}
            UnlockOutcome::Resting { until } if self.session.visit() == Some(visit) => {
                self.phase(visit, Phase::Resting { until });
            }
            UnlockOutcome::Opened
            | UnlockOutcome::Acknowledged
            | UnlockOutcome::Sent
            | UnlockOutcome::Uncertain => {}
            UnlockOutcome::Refused | UnlockOutcome::NotSent | UnlockOutcome::Resting { .. } => {
                self.ask_or_give_up(visit);
            }
        }
    }

    /// The door did not show that it opened: ask the person there, or give up where nobody is asked.
    fn ask_or_give_up(&mut self, visit: Seq) {
        if self.session.visit() == Some(visit) {
            self.phase(visit, Phase::Asking);
            self.session.touched = self.moment.now;
        } else {
            let running = self.ledger.visits.get(&visit).cloned();
            self.abandon(visit, DoubtReason::Inspected);
            if let Some(running) = running {
                self.command_ended(&running, false);
            }
        }
    }

    /// The person's answer to "is the door open?".
    pub(super) fn door_is_open(&mut self, visit: Seq, open: bool) {
        let Some(running) = self.ledger.visits.get(&visit) else {
            return;
        };
        let (compartment, pulses) = (running.compartment, running.pulses);
        if open && self.is_proving(visit) {
            self.sensor_did_not_follow(visit);
        } else if open {
            self.fail_open_pulse(visit);
            self.raise(Alarm::SensorBroken, Some(compartment));
            self.phase(visit, Phase::Open { by_word: true });
        } else if pulses < PULSES_MAX {
            self.fail_open_pulse(visit);
            self.pulse(visit);
        } else {
            self.jammed(visit);
        }
    }

    /// When the work at a door changes by itself.
    fn work_deadline(&self, visit: Seq, work: &Work) -> Option<Monotonic> {
        let attached = self.session.visit() == Some(visit);
        match work.phase {
            Phase::Opening => Some(work.since.plus_millis(DOOR_ANSWER_MS)),
            Phase::Resting { until } => Some(until),
            Phase::Open { .. } if attached => {
                let steps =
                    [REMINDER_MS, REMINDER_LOUD_MS, LEFT_OPEN_MS].map(|wait| work.since.plus_millis(wait));
                steps
                    .into_iter()
                    .find(|at| *at > self.moment.now)
                    .or(Some(work.since.plus_millis(LEFT_OPEN_MS)))
            }
            Phase::Open { .. } => (!work.alarmed).then_some(work.since.plus_millis(OPEN_ALARM_MS)),
            Phase::Granted | Phase::Asking | Phase::Closed { .. } => None,
        }
    }

    /// When the session changes by itself.
    pub(super) fn session_deadline(&self) -> Option<Monotonic> {
        if let Some(asked) = self.session.asked_more_time {
            return Some(asked.plus_millis(MORE_TIME_MS));
        }
        if self.session.is_fresh() {
            return None;
        }
        let at_door = self
            .session
            .visit()
            .and_then(|visit| self.work.get(&visit).zip(self.visit(visit)));
        let wait = match (&self.session.stage, at_door) {
            (Stage::Done(_) | Stage::Receipt(_) | Stage::Sorry(..) | Stage::ScanProblem(_), _) => {
                FINAL_SCREEN_MS
            }
            (Stage::Door { .. }, Some((work, running))) => match (work.phase, running.purpose) {
                (Phase::Opening | Phase::Resting { .. } | Phase::Open { .. }, _) => return None,
                (Phase::Closed { .. }, VisitPurpose::Collection) => REOPEN_MS,
                (Phase::Granted | Phase::Asking | Phase::Closed { .. }, _) => IDLE_MS,
            },
            (_, _) => IDLE_MS,
        };
        // Who waits for the guard is not idle.
        let typing = matches!(
            self.session.stage,
            Stage::Digits { .. } | Stage::SecondFactor { .. } | Stage::Pin { .. }
        );
        let since = self
            .no_try_before
            .filter(|_| typing)
            .map_or(self.session.touched, |until| until.max(self.session.touched));
        Some(since.plus_millis(wait))
    }

    /// The next time at which something changes by itself; call [`Cabinet::handle`] with `DeadlineReached` then.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let works = self
            .work
            .iter()
            .filter_map(|(visit, work)| self.work_deadline(*visit, work));
        works
            .chain(self.session_deadline())
            .chain(self.wait_until())
            .min()
    }

    /// Carries out everything whose time has come. Every deadline that fires moves on or goes away.
    pub(super) fn settle_deadlines(&mut self) {
        let now = self.moment.now;
        let visits: Vec<Seq> = self.work.keys().copied().collect();
        for visit in visits {
            let Some(work) = self.work.get(&visit).copied() else {
                continue;
            };
            let attached = self.session.visit() == Some(visit);
            let passed = |wait| work.since.plus_millis(wait) <= now;
            match work.phase {
                Phase::Opening if passed(DOOR_ANSWER_MS) => self.ask_or_give_up(visit),
                Phase::Resting { until } if until <= now => self.pulse(visit),
                Phase::Open { .. } if attached && passed(LEFT_OPEN_MS) => self.leave_open(visit),
                Phase::Open { .. } if !attached && !work.alarmed && passed(OPEN_ALARM_MS) => {
                    self.alarm_open(visit)
                }
                Phase::Granted
                | Phase::Opening
                | Phase::Resting { .. }
                | Phase::Asking
                | Phase::Open { .. }
                | Phase::Closed { .. } => {}
            }
        }
        if self.session_deadline().is_some_and(|at| at <= now) {
            self.session_idle();
        }
    }

    /// Two minutes open: the visit leaves the session, and the screen is free for the next person. Until somebody comes it asks for
    /// the door to be pushed shut.
    fn leave_open(&mut self, visit: Seq) {
        let work = self.door_work(visit);
        if let Some(compartment) = self.visit(visit).map(|running| running.compartment) {
            self.record_in(visit, EventBody::DoorLeftOpen { compartment });
            self.doubt(visit, DoubtReason::LeftOpen);
        }
        if self
            .work
            .get(&visit)
            .is_some_and(|work| work.phase == Phase::Open { by_word: true })
        {
            self.settle(visit, VisitOutcome::Unconfirmed); // no sensor will ever tell that it closed
        }
        self.fresh_session();
        self.session.stage = Stage::Sorry(Trouble::DoorLeftOpen, work);
    }

    fn alarm_open(&mut self, visit: Seq) {
        if let Some(compartment) = self.visit(visit).map(|running| running.compartment) {
            self.raise(Alarm::DoorOpen, Some(compartment));
        }
        if let Some(work) = self.work.get_mut(&visit) {
            work.alarmed = true;
        }
    }

    /// Nobody touched the screen for long.
    fn session_idle(&mut self) {
        let asks = match &self.session.stage {
            Stage::Home | Stage::Done(_) | Stage::Receipt(_) | Stage::Sorry(..) | Stage::ScanProblem(_) => {
                false
            }
            Stage::Door { visit } => {
                let closed = self
                    .work
                    .get(visit)
                    .is_some_and(|work| matches!(work.phase, Phase::Closed { .. }));
                !(closed
                    && self
                        .visit(*visit)
                        .is_some_and(|running| running.purpose == VisitPurpose::Collection))
            }
            Stage::Digits { .. }
            | Stage::SecondFactor { .. }
            | Stage::ChooseItem
            | Stage::Phone { .. }
            | Stage::Checklist
            | Stage::PlacingScan { .. }
            | Stage::PlacingSize { .. }
            | Stage::Pin { .. }
            | Stage::StaffHome
            | Stage::Round(_)
            | Stage::Compartments
            | Stage::Commissioning
            | Stage::History(_) => true,
        };
        if asks && self.session.asked_more_time.is_none() {
            self.session.asked_more_time = Some(self.moment.now);
        } else {
            self.end_session();
        }
    }
}
