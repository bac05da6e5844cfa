//! Taps: which touches count on which screen, and how a session begins and ends.

// A touch that a screen does not name is ignored there; that is the rule, not an oversight.
#![allow(clippy::wildcard_enum_match_arm)]

use office_protocol::EventBody;
use office_protocol::event::{DoubtReason, StaffRole, VisitPurpose};

use super::door::Phase;
use super::round::Found;
use super::screen::{Action, SessionId, Tap};
use super::session::{Session, Stage};
use super::staff::TECHNICIAN;
use super::{Cabinet, Seq};

impl Cabinet {
    pub(super) fn tapped(&mut self, tap: Tap) {
        if tap.session != self.session.id || tap.revision != self.session.revision {
            return; // a finger on what is no longer shown
        }
        self.session.touched = self.moment.now;
        if self.session.asked_more_time.take().is_some() {
            if matches!(tap.action, Action::Done | Action::Back) {
                self.end_session();
            }
            return;
        }
        match tap.action {
            Action::Appear { appearance } => self.session.appearance = appearance,
            Action::Help => self.help(),
            Action::Back if self.session.help => self.session.help = false,
            _ if self.session.help => {}
            Action::Rate { stars } => self.rate(stars),
            action => self.act(action),
        }
    }

    fn help(&mut self) {
        self.session.help = true;
        if !self.session.helped {
            self.session.helped = true;
            let reference = self.reference();
            self.diagnose(EventBody::HelpRequested { reference });
        }
    }

    fn rate(&mut self, stars: u8) {
        if (1..=5).contains(&stars) && matches!(self.session.stage, Stage::Done(_) | Stage::Receipt(_)) {
            self.diagnose(EventBody::Rated { stars });
            self.end_session();
        }
    }

    fn act(&mut self, action: Action) {
        match &self.session.stage {
            Stage::Home => match action {
                Action::StartCollection => self.session.stage = Stage::Digits { wrong: false },
                Action::StartDropOff => self.start_walk_in(),
                _ => {}
            },
            Stage::Digits { .. } => match action {
                Action::Digits { digits } => self.digits_typed(&digits),
                _ => self.leave(&action),
            },
            Stage::SecondFactor { .. } => match action {
                Action::Digits { digits } => {
                    self.second_factor(office_protocol::event::SecondFactorKind::Receipt, &digits);
                }
                _ => self.leave(&action),
            },
            Stage::ChooseItem => match action {
                Action::ChooseItem { item } => self.item_chosen(item),
                _ => self.leave(&action),
            },
            Stage::Phone { .. } => match action {
                Action::Phone { phone } => self.phone_typed(phone),
                Action::SkipPhone => self.session.stage = Stage::Checklist,
                _ => self.leave(&action),
            },
            Stage::Checklist => match action {
                Action::ChooseSize { size } if self.session.drop_off.pass.is_none() => {
                    self.session.drop_off.size = Some(size);
                }
                Action::Accept { reachable } => self.checklist_accepted(reachable),
                _ => self.leave(&action),
            },
            Stage::Door { visit } => {
                let visit = *visit;
                self.act_at_door(visit, action);
            }
            Stage::Receipt(_) => match action {
                Action::Another if self.session.drop_off.left > 0 => self.session.stage = Stage::Checklist,
                _ => self.leave(&action),
            },
            Stage::Done(_) => match action {
                Action::Next => self.next_of_person(),
                _ => self.leave(&action),
            },
            Stage::Pin { .. } => match action {
                Action::Digits { digits } => self.pin_typed(&digits),
                _ => self.leave(&action),
            },
            Stage::StaffHome => self.act_at_staff_home(action),
            Stage::Round(purpose) => {
                let purpose = *purpose;
                match action {
                    Action::OpenNext => self.open_in_round(purpose, None),
                    Action::OpenThis { compartment } => self.open_in_round(purpose, Some(compartment)),
                    Action::EndRound | Action::Back | Action::Done => self.end_round(),
                    _ => {}
                }
            }
            Stage::PlacingScan { .. } => match action {
                Action::UndoLast => self.undo_last(),
                Action::EndRound | Action::Back | Action::Done => self.end_placing(),
                _ => {}
            },
            Stage::PlacingSize { label } => match action {
                Action::ChooseSize { size } => {
                    let label = label.clone();
                    self.begin_placing(label, size);
                }
                Action::Back => self.session.stage = Stage::PlacingScan { refused: None },
                _ => {}
            },
            Stage::Compartments => match action {
                Action::OpenThis { compartment } => self.open_empty(compartment),
                Action::Withdraw { compartment, reason } => self.withdraw(compartment, reason),
                Action::ReturnToService { compartment } => self.return_to_service(compartment),
                Action::ReplaceBoard { board } => self.replace_board(board),
                Action::Done | Action::Back => self.session.stage = Stage::StaffHome,
                _ => {}
            },
            Stage::Commissioning => self.act_at_commissioning(&action),
            Stage::History(about) => match action {
                Action::LookUp { about } => self.session.stage = Stage::History(Some(about)),
                Action::Back if about.is_some() => self.session.stage = Stage::History(None),
                Action::Back | Action::Done => self.session.stage = Stage::StaffHome,
                _ => {}
            },
            Stage::ScanProblem(_) | Stage::Sorry(..) => self.leave(&action),
        }
    }

    fn leave(&mut self, action: &Action) {
        if matches!(action, Action::Back | Action::Done) {
            self.end_session();
        }
    }

    fn act_at_staff_home(&mut self, action: Action) {
        let courier = self.may(StaffRole::Courier);
        match action {
            Action::StartClearing if courier => self.begin_round(VisitPurpose::Clearing),
            Action::StartRecall if courier => self.begin_round(VisitPurpose::Recall),
            Action::StartPlacing if courier => {
                if let Some(work) = &mut self.session.at_work {
                    work.done = 0;
                }
                self.session.stage = Stage::PlacingScan { refused: None };
            }
            Action::StartInspection if courier => self.begin_round(VisitPurpose::Inspection),
            Action::StartInspection => self.session.stage = Stage::Compartments,
            Action::StartProving => self.begin_round(VisitPurpose::Proving),
            Action::ShowCommissioning if self.may(TECHNICIAN) => self.begin_commissioning(),
            Action::StartLookUp => self.session.stage = Stage::History(None),
            _ => self.leave(&action),
        }
    }

    fn act_at_door(&mut self, visit: Seq, action: Action) {
        let Some(work) = self.work.get(&visit).copied() else {
            return;
        };
        let Some(purpose) = self.visit(visit).map(|running| running.purpose) else {
            return;
        };
        let undoing = self.session.at_work.as_ref().is_some_and(|work| work.undoing);
        match (work.phase, action) {
            (Phase::Granted, Action::Accept { .. }) => self.pulse(visit),
            (Phase::Granted, Action::Back | Action::Done) => self.end_session(),
            (Phase::Asking, Action::DoorIsOpen { open }) => self.door_is_open(visit, open),
            (Phase::Open { .. } | Phase::Closed { .. }, Action::OpenedDoor { compartment })
                if self.is_proving(visit) =>
            {
                self.door_named(visit, compartment);
            }
            (Phase::Open { .. } | Phase::Closed { .. }, Action::No) if self.asks_which_door(visit) => {
                self.sensor_did_not_follow(visit);
            }
            (Phase::Open { .. }, Action::AnotherDoor { reason })
                if matches!(purpose, VisitPurpose::DropOff | VisitPurpose::Placing) && !undoing =>
            {
                self.move_visit(visit, reason);
            }
            (Phase::Open { .. }, Action::DoorIsClosed) if self.reminder(visit) > 0 => {
                self.closed_by_word(visit)
            }
            (Phase::Open { .. } | Phase::Closed { .. }, Action::Complain { complaint }) => match purpose {
                VisitPurpose::Collection | VisitPurpose::Clearing | VisitPurpose::Recall => {
                    self.complained(visit, complaint);
                }
                VisitPurpose::DropOff
                | VisitPurpose::TakeBack
                | VisitPurpose::Placing
                | VisitPurpose::Inspection
                | VisitPurpose::Proving => {}
            },
            (Phase::Closed { .. }, Action::Reopen) => self.pulse(visit),
            (Phase::Closed { .. }, answer) => self.answered(visit, purpose, &answer),
            _ => {}
        }
    }

    fn answered(&mut self, visit: Seq, purpose: VisitPurpose, answer: &Action) {
        match (purpose, answer) {
            (VisitPurpose::DropOff, Action::Yes) => self.dropped_off(visit),
            (VisitPurpose::DropOff, Action::No) => self.not_put_in(visit),
            (VisitPurpose::Placing, Action::Yes) => self.undone(visit, true),
            (VisitPurpose::Placing, Action::No) => self.undone(visit, false),
            (VisitPurpose::Inspection | VisitPurpose::Proving, Action::Inside) => {
                self.looked(visit, Found::Inside)
            }
            (VisitPurpose::Inspection | VisitPurpose::Proving, Action::Empty) => {
                self.looked(visit, Found::Empty)
            }
            (VisitPurpose::Inspection | VisitPurpose::Proving, Action::Foreign) => {
                self.looked(visit, Found::Foreign)
            }
            (
                VisitPurpose::TakeBack
                | VisitPurpose::Collection
                | VisitPurpose::Clearing
                | VisitPurpose::Recall,
                Action::Yes,
            ) => self.taken_out(visit),
            _ => {}
        }
    }

    fn closed_by_word(&mut self, visit: Seq) {
        if self.is_proving(visit) {
            return self.sensor_did_not_follow(visit);
        }
        if let Some(compartment) = self.visit(visit).map(|running| running.compartment) {
            self.raise(office_protocol::event::Alarm::SensorBroken, Some(compartment));
        }
        self.closed(visit, true);
    }

    fn end_placing(&mut self) {
        if let Some(pending) = self.session.at_work.as_ref().and_then(|work| work.pending) {
            self.placed(pending);
        }
        self.session.stage = Stage::StaffHome;
    }

    /// The conversation is over: what it left at a door is settled, what it knew is wiped.
    pub(super) fn end_session(&mut self) {
        if let Some(visit) = self.session.visit() {
            let closed = self
                .work
                .get(&visit)
                .is_some_and(|work| matches!(work.phase, Phase::Closed { .. }));
            let undoing = self.session.at_work.as_ref().is_some_and(|work| work.undoing);
            match self.visit(visit).map(|running| running.purpose) {
                Some(VisitPurpose::Collection) if closed => self.taken_out(visit),
                Some(VisitPurpose::Placing) if closed && !undoing => self.placed(visit),
                Some(_) => self.abandon(visit, DoubtReason::Unanswered),
                None => {}
            }
        }
        self.fresh_session();
    }

    /// The next person's session; nothing of the last one is left.
    pub(super) fn fresh_session(&mut self) {
        let id = SessionId(self.session.id.0.wrapping_add(1));
        self.session = Session::new(id, self.session.revision.wrapping_add(1), self.moment.now);
    }

    /// A scan begins a new session, which looks as the one before it did when that was still at the start.
    pub(super) fn renew_session(&mut self) {
        let appearance = self.session.appearance;
        let keep = matches!(
            self.session.stage,
            Stage::Home | Stage::Digits { .. } | Stage::ScanProblem(_)
        );
        if self.session.visit().is_some() {
            self.end_session();
        } else {
            self.fresh_session();
        }
        if keep {
            self.session.appearance = appearance;
        }
    }
}
