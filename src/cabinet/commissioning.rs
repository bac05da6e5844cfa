//! How far the commissioning is, at the technician's screen: what is open, the wiring that was found into the settings, a report, and
//! keys of secure lock boards.
//!
//! The shell writes and answers. Settings that are written count from the next start on, which comes when nobody is being served.

use office_protocol::BoardId;

use super::Cabinet;
use super::label::BoardLabel;
use super::screen::{Action, Commissioning, KeyStep, Screen, Writing};
use super::session::Stage;
use super::staff::TECHNICIAN;
use super::vocabulary::{Effect, Unwritten};

/// What became of what the technician at the screen wanted.
#[derive(Default)]
pub(super) struct Written {
    wiring: Option<Writing<()>>,
    report: Option<Writing<Box<str>>>,
    key: Option<(BoardId, KeyStep)>,
}

impl Cabinet {
    pub(super) fn begin_commissioning(&mut self) {
        self.session.written = Written::default();
        self.session.stage = Stage::Commissioning;
    }

    // A touch that this screen does not name is ignored.
    #[allow(clippy::wildcard_enum_match_arm)]
    pub(super) fn act_at_commissioning(&mut self, action: &Action) {
        match action {
            Action::WriteWiring => self.write_wiring(),
            Action::KeepReport => self.keep_report(),
            Action::InstallKey { board } if self.may(TECHNICIAN) && self.config.protected.contains(board) => {
                self.session.written.key = Some((*board, KeyStep::Scan { mistaken: false }));
            }
            Action::Done | Action::Back if self.session.written.wiring == Some(Writing::Written(())) => {
                self.end_session();
            }
            Action::Done | Action::Back => self.session.stage = Stage::StaffHome,
            _ => {}
        }
    }

    fn write_wiring(&mut self) {
        let under_way = self.session.written.wiring == Some(Writing::Begun);
        let found: std::collections::BTreeMap<_, _> = self.ledger.rewired().collect();
        if self.may(TECHNICIAN) && !under_way && !found.is_empty() {
            self.session.written.wiring = Some(Writing::Begun);
            self.effect(Effect::WriteWiring { found });
        }
    }

    /// The settings on disk are others than those of this run: it ends as soon as nobody is being served.
    pub(super) fn wiring_written(&mut self, outcome: Result<(), Unwritten>) {
        self.restart_wanted |= outcome.is_ok();
        answer(&mut self.session.written.wiring, outcome);
    }

    fn keep_report(&mut self) {
        let under_way = self.session.written.report == Some(Writing::Begun);
        if self.may(TECHNICIAN) && !under_way {
            self.session.written.report = Some(Writing::Begun);
            let (name, text) = self.commissioning_report();
            self.effect(Effect::KeepReport { name, text });
        }
    }

    pub(super) fn report_kept(&mut self, outcome: Result<Box<str>, Unwritten>) {
        answer(&mut self.session.written.report, outcome);
    }

    /// Only when a label is waited for; of anything else that is scanned nothing is kept.
    pub(super) fn board_label_scanned(&mut self, text: &str) {
        let Some((board, step @ KeyStep::Scan { .. })) = &mut self.session.written.key else {
            return;
        };
        let (board, label) = (*board, BoardLabel::parse(text));
        *step = match &label {
            Some(_) => KeyStep::Button,
            None => KeyStep::Scan { mistaken: true },
        };
        self.session.touched = self.moment.now;
        if let Some(label) = label {
            self.effect(Effect::InstallBoardKey { board, label });
        }
    }

    /// A word of the board's that is waited for.
    pub(super) fn key_came(&mut self, board: BoardId, came: KeyStep) {
        if let Some((at, step @ KeyStep::Button)) = &mut self.session.written.key
            && *at == board
        {
            *step = came;
            self.session.touched = self.moment.now;
        }
    }

    pub(super) fn commissioning_screen(&self) -> Screen {
        let rewired: Vec<_> = self.ledger.rewired().map(|(door, _)| door).collect();
        let open = self.ledger.unproven().filter(|door| !rewired.contains(door));
        let built = self.ledger.compartments.values().filter(|place| place.built);
        Screen::Commissioning(Commissioning {
            doors: built.count(),
            open: open.collect(),
            rewired,
            boards: self.board_rows(),
            wiring: self.session.written.wiring.clone(),
            report: self.session.written.report.clone(),
            key: self.session.written.key,
        })
    }
}

/// An answer that nobody waits for any more is for nobody.
fn answer<T>(waiting: &mut Option<Writing<T>>, outcome: Result<T, Unwritten>) {
    if matches!(waiting, Some(Writing::Begun)) {
        *waiting = Some(match outcome {
            Ok(written) => Writing::Written(written),
            Err(why) => Writing::Not(why),
        });
    }
}
