//! Gives a secure board a new key: agreed on over the bus, journaled, kept, and only then put in force.
//!
//! Whatever breaks off in between, the cabinet has kept the old key and the new one, and the board has one of them: the daemon tries
//! both, and this command can be run again.

use std::io::BufRead;
use std::process::ExitCode;
use std::time::Duration;

use firmware_protocol::secure::{Controller, Keys, Refusal};
use firmware_protocol::{AnyCodec, Board, Codec, Family, Request};
use office_protocol::BoardId;
use office_protocol::event::KeyOrigin;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::boards::probe::{Heard, Probe};
use crate::cabinet::label::{BoardLabel, PREFIX};
use crate::cabinet::vocabulary::Input;
use crate::clock::{self, Clock};
use crate::command_line::Failure;
use crate::command_line::unseen::Unseen;
use crate::daemon::{self, DaemonError};
use crate::engine::Engine;
use crate::secrets;
use crate::settings::Settings;

use super::say;

/// How long the technician has to press the button.
const BUTTON_MAX: Duration = Duration::from_secs(60);
/// Between two looks at the button.
const BUTTON_EVERY: Duration = Duration::from_millis(200);
/// How long a board may take to begin an answer.
const PATIENCE: Duration = Duration::from_millis(300);
/// Exchanges in a row that may go unanswered.
const MISSES_MAX: u32 = 5;

/// Installs a key by way of the label's secret.
pub(super) async fn install(settings: &Settings, board: BoardId) -> Result<ExitCode, Failure> {
    let label = label_of(&read_label()?)?;
    let mut work = Work::begin(settings, board).await?;
    eprintln!(
        "请按住锁控板 {board} 上的按钮,直到提示完成。\nHold the button on board {board} until this says that it is done."
    );
    let deadline = Instant::now() + BUTTON_MAX;
    loop {
        let (address, secret) = (work.address, label.secret());
        work.controller()?.install(address, secret);
        let settled = work.settle().await;
        if work.controller()?.candidate(address).is_some() {
            break;
        }
        match work.controller()?.refusal(address) {
            Some(Refusal::ButtonNotHeld(serial)) if serial != label.serial => {
                return Err(Failure::new(
                    65,
                    "the label is another board's; read the one on this board",
                ));
            }
            Some(Refusal::ButtonNotHeld(_)) if Instant::now() < deadline => {
                tokio::time::sleep(BUTTON_EVERY).await;
            }
            Some(Refusal::ButtonNotHeld(_)) => {
                return Err(Failure::new(69, "nobody held the button; nothing was changed"));
            }
            Some(Refusal::UnknownKey(_) | Refusal::NoCommonVersion(_)) | None => {
                settled?;
                return Err(work.silent("; the secret on the label may be another board's"));
            }
        }
    }
    work.finish(settings, KeyOrigin::Label).await
}

/// Replaces the key in force.
pub(super) async fn replace(settings: &Settings, board: BoardId) -> Result<ExitCode, Failure> {
    let mut work = Work::begin(settings, board).await?;
    let address = work.address;
    if work
        .controller()?
        .keys(address)
        .is_none_or(|keys| keys.current.is_none())
    {
        return Err(Failure::new(
            65,
            format!("board {board} has no key yet: run `lockerd bus install-key --board {board}`"),
        ));
    }
    work.controller()?.replace(address);
    work.settle().await?;
    if work.controller()?.candidate(address).is_none() {
        return Err(work.silent("; it may have another key: install one"));
    }
    work.finish(settings, KeyOrigin::Replacement).await
}

/// From standard input: arguments can be read by everybody on the machine.
fn read_label() -> Result<Zeroizing<String>, Failure> {
    let _unseen = Unseen::begin();
    eprintln!(
        "请扫描或输入锁控板标签上的文字(不显示)。\nScan or type the text on the board's label; it is not shown."
    );
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .lock()
        .read_line(&mut text)
        .map_err(|error| Failure::new(66, format!("standard input: {error}")))?;
    Ok(text)
}

fn label_of(text: &str) -> Result<BoardLabel, Failure> {
    BoardLabel::parse(text).ok_or_else(|| {
        Failure::new(
            65,
            format!("no label of a board: it begins with {PREFIX}, then 16 digits and letters, a colon, and 43 more"),
        )
    })
}

/// One board on its open port, and the journal.
struct Work {
    board: BoardId,
    address: Board,
    codec: AnyCodec,
    probe: Probe,
    engine: Engine,
    clock: Clock,
}

impl Work {
    async fn begin(settings: &Settings, board: BoardId) -> Result<Self, Failure> {
        let (port, address) = settings
            .layout
            .board(board)
            .ok_or_else(|| Failure::new(64, format!("no board {board} in the settings; give its id")))?;
        let family = settings.layout.ports()[port.0].family;
        if family != Family::LockerdSecure {
            let name = family.name();
            return Err(Failure::new(
                64,
                format!("board {board} speaks {name}, which has no keys; only lockerd-secure has"),
            ));
        }
        let enrolment = secrets::load(&settings.secrets).map_err(DaemonError::from)?;
        let kept = secrets::board_keys(&settings.secrets, [board]).map_err(DaemonError::from)?;
        let catalogue = daemon::catalogue(settings.catalogue.as_deref())?;
        let clock = Clock::new(settings.trust);
        let start = clock::draw_start()?;
        let (engine, _nobody_waits) = daemon::open(settings, &enrolment, &catalogue, start, clock).await?;
        let probe = Probe::open(settings.lock_ports[port.0].clone())
            .await
            .map_err(|error| Failure::new(66, error))?;
        let mut work = Self {
            board,
            address,
            codec: family.codec(),
            probe,
            engine,
            clock,
        };
        let dice = clock::draw_secret()?;
        let controller = work.controller()?;
        controller.shuffle(*dice);
        controller.meet(address, kept.get(&board).cloned().unwrap_or_default());
        Ok(work)
    }

    fn controller(&mut self) -> Result<&mut Controller, Failure> {
        let ends = self.codec.secure();
        ends.map(|ends| &mut ends.controller)
            .ok_or_else(|| Failure::new(70, "this family has no keys"))
    }

    /// Handshakes as far as they go, or until the board has been silent too often.
    async fn settle(&mut self) -> Result<(), Failure> {
        let (mut misses, mut unknown) = (0, 0);
        while let Some(command) = self.codec.owes(self.address, 0) {
            let request = Request {
                board: self.address,
                sequence: 0,
                command,
            };
            let heard = self.probe.ask(&mut self.codec, &request, PATIENCE).await;
            match heard.map_err(|error| Failure::new(66, error))? {
                Heard::Answer(_) => misses = 0,
                Heard::Rubbish(_) | Heard::Silence => misses += 1,
            }
            let address = self.address;
            let controller = self.controller()?;
            // Where there are two keys, the other one comes next.
            let keys = controller.keys(address);
            let keys = keys.map_or(0, |keys| {
                u32::from(keys.current.is_some()) + u32::from(keys.next.is_some())
            });
            let refused = match controller.refusal(address) {
                Some(Refusal::UnknownKey(_)) => {
                    unknown += 1;
                    unknown >= keys
                }
                Some(Refusal::ButtonNotHeld(_) | Refusal::NoCommonVersion(_)) => true,
                None => false,
            };
            if refused || misses >= MISSES_MAX {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Journal, keep, put in force; keep and journal that.
    async fn finish(mut self, settings: &Settings, by: KeyOrigin) -> Result<ExitCode, Failure> {
        let (board, address) = (self.board, self.address);
        let controller = self.controller()?;
        let Some(key) = controller.candidate(address).cloned() else {
            return Err(self.silent(""));
        };
        let keys = Keys {
            current: controller.keys(address).and_then(|keys| keys.current.clone()),
            next: Some(key.clone()),
        };
        let name: office_protocol::KeyId = key
            .id()
            .to_string()
            .parse()
            .map_err(|error| Failure::new(70, error))?;
        let agreed = Input::BoardKeyAgreed {
            board,
            key: name.clone(),
            by,
        };
        self.engine.step(&self.clock.moment()?, agreed)?;
        secrets::keep_board_keys(&settings.secrets, board, &keys).map_err(DaemonError::from)?;
        self.controller()?.adopt(address);
        for _ in 0..MISSES_MAX {
            self.settle().await?;
            let controller = self.controller()?;
            let keys = controller.keys(address).cloned().unwrap_or_default();
            if controller.is_open(address) && keys.next.is_none() {
                secrets::keep_board_keys(&settings.secrets, board, &keys).map_err(DaemonError::from)?;
                let installed = Input::BoardKeyInstalled { board, key: name };
                self.engine.step(&self.clock.moment()?, installed)?;
                say(&format!("board {board}: key {} is in force", key.id()))?;
                return Ok(ExitCode::SUCCESS);
            }
            // Asked anew, the newer key is tried first.
            controller.meet(address, keys);
        }
        Err(Failure::new(
            75,
            format!("board {board} has not confirmed its new key; both are kept, so run this again"),
        ))
    }

    fn silent(&self, why: &str) -> Failure {
        Failure::new(
            69,
            format!(
                "board {} gives no genuine answer: check power, cable, its address{why}",
                self.board
            ),
        )
    }
}
