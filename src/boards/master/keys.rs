//! A secure board's new key while everything runs: asked for while its button is held, handed out to be journaled and kept, and only
//! then put in force (pure).
//!
//! Meanwhile that board is asked nothing else, and the others have their turns. Wherever this ends, board and cabinet have a key in
//! common: both keys are kept before the board takes the new one.

use firmware_protocol::secure::{self, Controller, Key, Keys, Refusal};
use firmware_protocol::{Board, Command};
use office_protocol::event::KeyOrigin;
use office_protocol::{BoardId, KeyId};

use crate::boards::wire::Purpose;
use crate::cabinet::label::BoardLabel;
use crate::cabinet::vocabulary::{Input, KeyProblem, Monotonic};

use super::{BusAction, BusMaster};

/// How long the technician has to press the button.
const BUTTON_MAX_MS: u64 = 60_000;
/// Between two looks at it.
const BUTTON_EVERY_MS: u64 = 200;
/// How much longer a step that is under way may take.
const SLACK_MS: u64 = 2_000;
/// Steps in a row that may go unanswered.
const MISSES_MAX: u32 = 5;

/// The one board that gets a key.
#[derive(Clone, Debug)]
pub(super) struct Installing {
    board: usize,
    serial: [u8; 8],
    /// Nobody is waited for after this.
    until: Monotonic,
    /// When the next step is due.
    at: Monotonic,
    misses: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The board is asked, until somebody holds its button.
    Asking,
    /// Both ends know the key; it is being journaled.
    Agreed,
    /// It is being kept.
    Keeping,
    /// The board takes it, and a session begins with it.
    Confirming,
    /// It is in force; the one before is being forgotten.
    Settling,
}

impl Installing {
    pub(super) const fn is(&self, board: usize) -> bool {
        self.board == board
    }
}

impl BusMaster {
    /// Begins anew with this board, by way of its label's secret.
    pub(super) fn install(
        &mut self,
        board: BoardId,
        label: &BoardLabel,
        now: Monotonic,
        actions: &mut Vec<BusAction>,
    ) {
        self.end_installing();
        let index = self.layout.boards.iter().position(|place| place.id == board);
        let index = index.unwrap_or(usize::MAX);
        let Some((controller, address)) = self.controller(index) else {
            return actions.push(refused(board, KeyProblem::Silent));
        };
        controller.install(address, label.secret());
        self.installing = Some(Installing {
            board: index,
            serial: label.serial,
            until: now.plus_millis(BUTTON_MAX_MS),
            at: now,
            misses: 0,
            stage: Stage::Asking,
        });
    }

    /// Whether this board rests while it gets a key.
    pub(super) fn gets_key(&self, board: usize) -> bool {
        self.installing.as_ref().is_some_and(|one| one.is(board))
    }

    /// When the one of these boards that gets a key is to be asked.
    pub(super) fn key_due_at(&self, boards: &[usize]) -> Option<Monotonic> {
        let one = self.installing.as_ref()?;
        let asked = matches!(one.stage, Stage::Asking | Stage::Confirming);
        (asked && boards.contains(&one.board)).then_some(one.at)
    }

    /// When it is given up for good: its port may be gone.
    pub(super) fn key_ends_at(&self) -> Option<Monotonic> {
        let one = self.installing.as_ref()?;
        Some(one.until.plus_millis(SLACK_MS))
    }

    pub(super) fn give_up_key(&mut self, now: Monotonic, actions: &mut Vec<BusAction>) {
        let late = self.key_ends_at().is_some_and(|at| at <= now);
        let Some(one) = self.installing.as_ref().filter(|_| late) else {
            return;
        };
        let problem = match one.stage {
            Stage::Asking => KeyProblem::Silent,
            Stage::Agreed | Stage::Keeping => KeyProblem::NotKept,
            Stage::Confirming | Stage::Settling => KeyProblem::Unconfirmed,
        };
        self.no_key(problem, actions);
    }

    /// The next step with it; says whether one was begun.
    pub(super) fn ask_for_key(&mut self, port: usize, now: Monotonic, actions: &mut Vec<BusAction>) -> bool {
        let Some(board) = self.installing.as_ref().map(|one| one.board) else {
            return false;
        };
        let due = self.key_due_at(&self.ports[port].boards);
        due.is_some_and(|at| at <= now)
            && self.send(port, board, Command::Handshake, Purpose::Key, now, actions)
    }

    /// A step was answered.
    pub(super) fn key_answered(&mut self, now: Monotonic, actions: &mut Vec<BusAction>) {
        let Some(mut one) = self.installing.take() else {
            return;
        };
        let id = self.layout.boards[one.board].id;
        let Some((controller, address)) = self.controller(one.board) else {
            return;
        };
        (one.misses, one.at) = (0, now);
        let keys = controller.keys(address).cloned().unwrap_or_default();
        let open = controller.is_open(address);
        match (one.stage, controller.candidate(address).map(|key| name(key.id()))) {
            (Stage::Asking, Some(Some(key))) => {
                one.stage = Stage::Agreed;
                let by = KeyOrigin::Label;
                actions.push(BusAction::Report(Input::BoardKeyAgreed { board: id, key, by }));
            }
            (Stage::Confirming, _) if open && keys.next.is_none() => {
                one.stage = Stage::Settling;
                actions.push(BusAction::KeepKeys(id, keys));
            }
            (Stage::Confirming, _) if open => {
                self.installing = Some(one);
                return self.no_key(KeyProblem::Unconfirmed, actions); // it goes on with the one before
            }
            _ => {}
        }
        self.installing = Some(one);
    }

    /// A step was not answered, or refused.
    pub(super) fn key_missed(&mut self, now: Monotonic, actions: &mut Vec<BusAction>) {
        let Some(mut one) = self.installing.take() else {
            return;
        };
        let refusal = self
            .controller(one.board)
            .and_then(|(controller, address)| controller.refusal(address));
        one.misses += 1;
        one.at = now.plus_millis(BUTTON_EVERY_MS);
        let problem = match (one.stage, refusal) {
            (Stage::Asking, Some(Refusal::ButtonNotHeld(serial))) => {
                one.misses = 0;
                if serial != one.serial {
                    Some(KeyProblem::OtherBoard)
                } else {
                    (one.until <= now).then_some(KeyProblem::NotHeld)
                }
            }
            (Stage::Asking, _) => (one.misses >= MISSES_MAX).then_some(KeyProblem::Silent),
            (_, _) => (one.misses >= MISSES_MAX).then_some(KeyProblem::Unconfirmed),
        };
        self.installing = Some(one);
        if let Some(problem) = problem {
            self.no_key(problem, actions);
        }
    }

    /// The key is journaled: it is to be kept beside the one before.
    pub(super) fn keep_key(&mut self, board: BoardId, actions: &mut Vec<BusAction>) {
        let Some(one) = self.installing.as_ref().filter(|one| one.stage == Stage::Agreed) else {
            return;
        };
        let (index, id) = (one.board, self.layout.boards[one.board].id);
        let Some((controller, address)) = self.controller(index).filter(|_| id == board) else {
            return;
        };
        let keys = Keys {
            current: controller.keys(address).and_then(|keys| keys.current.clone()),
            next: controller.candidate(address).cloned(),
        };
        actions.push(BusAction::KeepKeys(board, keys));
        self.key_stage(Stage::Keeping);
    }

    /// The keys are on disk, or not.
    pub(super) fn keys_kept(
        &mut self,
        key: secure::KeyId,
        kept: bool,
        now: Monotonic,
        actions: &mut Vec<BusAction>,
    ) {
        let Some(one) = &mut self.installing else { return };
        one.at = now;
        let (index, stage) = (one.board, one.stage);
        let board = self.layout.boards[index].id;
        let Some((controller, address)) = self.controller(index) else {
            return;
        };
        let candidate = controller.candidate(address).map(Key::id);
        match stage {
            Stage::Keeping if candidate != Some(key) => {} // of an installation before
            Stage::Keeping if kept => {
                controller.adopt(address);
                self.key_stage(Stage::Confirming);
            }
            Stage::Keeping => self.no_key(KeyProblem::NotKept, actions),
            // Where the one before is kept still, it is tried in vain after the next start.
            Stage::Settling => {
                self.end_installing();
                if let Some(key) = name(key) {
                    actions.push(BusAction::Report(Input::BoardKeyInstalled { board, key }));
                }
            }
            Stage::Asking | Stage::Agreed | Stage::Confirming => {}
        }
    }

    fn key_stage(&mut self, stage: Stage) {
        if let Some(one) = &mut self.installing {
            one.stage = stage;
        }
    }

    fn no_key(&mut self, problem: KeyProblem, actions: &mut Vec<BusAction>) {
        if let Some(board) = self
            .installing
            .as_ref()
            .map(|one| self.layout.boards[one.board].id)
        {
            actions.push(refused(board, problem));
        }
        self.end_installing();
    }

    /// The board is asked as before, with the keys that both ends may have.
    fn end_installing(&mut self) {
        let Some(one) = self.installing.take() else { return };
        if one.stage != Stage::Settling
            && let Some((controller, address)) = self.controller(one.board)
        {
            let keys = controller.keys(address).cloned().unwrap_or_default();
            controller.meet(address, keys);
        }
        self.boards[one.board].forget(self.layout.boards[one.board].mapped);
    }

    fn controller(&mut self, board: usize) -> Option<(&mut Controller, Board)> {
        let place = self.layout.boards.get(board)?;
        let ends = self.ports[place.port.0].wire.secure()?;
        Some((&mut ends.controller, place.address))
    }
}

fn refused(board: BoardId, problem: KeyProblem) -> BusAction {
    BusAction::Report(Input::BoardKeyRefused { board, problem })
}

/// A key's public name, as the journal has it.
fn name(key: secure::KeyId) -> Option<KeyId> {
    key.to_string().parse().ok()
}
