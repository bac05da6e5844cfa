//! Who does at a bench what no byte on the line can: a person, a command, or the simulation (IO).

use std::time::Duration;

use firmware_protocol::{Board, Channel};
use serde::Serialize;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::plan::Commands;
use super::statement::{Language, Statement};
use crate::board::BoardFault;
use crate::line::Line;
use crate::mechanics::{Hand, Lock};
use crate::port::Port;

/// How long a simulated board has no power at most, and how long it takes to start.
const POWER_AWAY: Duration = Duration::from_secs(3600);
const STARTS_WITHIN: Duration = Duration::from_millis(200);

/// What is to be done, or looked at, by somebody who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "deed", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub enum Deed {
    /// Close a door.
    CloseDoor { lock: u8 },
    /// Say whether a door is open.
    LookAtDoor { lock: u8 },
    /// Cut the board's power.
    CutPower,
    /// Restore it.
    RestorePower,
}

impl Deed {
    pub(super) fn say(self, language: Language) -> String {
        match self {
            Self::CloseDoor { lock } => {
                language.of(format!("关上 {lock} 号门"), format!("close door {lock}"))
            }
            Self::LookAtDoor { lock } => language.of(
                format!("看 {lock} 号门是否开着"),
                format!("see whether door {lock} is open"),
            ),
            Self::CutPower => language.of("断开锁控板电源".to_owned(), "cut the board's power".to_owned()),
            Self::RestorePower => language.of(
                "接通锁控板电源".to_owned(),
                "restore the board's power".to_owned(),
            ),
        }
    }

    /// What a person is told.
    fn prompt(self) -> String {
        let (chinese, english) = (self.say(Language::Zh), self.say(Language::En));
        match self {
            Self::LookAtDoor { .. } => format!(
                "{chinese}:开着输入 y,关着输入 n,看不到输入 x。\n{english}: y if it is, n if not, x if you cannot see it: "
            ),
            Self::CloseDoor { .. } | Self::CutPower | Self::RestorePower => {
                format!(
                    "{chinese},然后按回车;做不到输入 x。\n{english}, then press Enter; x if that cannot be done: "
                )
            }
        }
    }
}

/// A person at the terminal, and commands for what need not be done by hand.
#[derive(Debug)]
pub struct OnSite {
    commands: Commands,
    /// What a person at the terminal types; none where nobody is to be asked.
    person: Option<mpsc::Receiver<String>>,
}

/// Who is there.
#[derive(Debug)]
pub enum Attendant<'a> {
    /// At a real bench.
    OnSite(OnSite),
    /// At a simulated board.
    Simulated(&'a Port<Line>, Board),
}

impl OnSite {
    /// A real bench: what is done by commands, and the lines of who is at the terminal, if anybody is.
    #[must_use]
    pub const fn new(commands: Commands, person: Option<mpsc::Receiver<String>>) -> Self {
        Self { commands, person }
    }

    /// Does it, and says what there is to see: for a look, whether the door is open.
    async fn perform(&mut self, deed: Deed) -> Result<bool, Statement> {
        let (command, lock) = match deed {
            Deed::CloseDoor { lock } => (&self.commands.close_door, Some(lock)),
            Deed::LookAtDoor { lock } => (&self.commands.door_open, Some(lock)),
            Deed::CutPower => (&self.commands.power_off, None),
            Deed::RestorePower => (&self.commands.power_on, None),
        };
        match command {
            Some(command) => {
                let number = lock.map(|lock| lock.to_string()).unwrap_or_default();
                obey(
                    &command.replace("{lock}", &number),
                    matches!(deed, Deed::LookAtDoor { .. }),
                )
                .await
            }
            None => self.ask(deed).await,
        }
    }

    async fn ask(&mut self, deed: Deed) -> Result<bool, Statement> {
        let nobody = Statement::Nobody { deed };
        let Some(person) = &mut self.person else {
            return Err(nobody);
        };
        eprint!("{}", deed.prompt());
        let answer = person.recv().await.ok_or(nobody)?;
        match answer.trim() {
            "x" | "X" => Err(Statement::Declined { deed }),
            answer => Ok(matches!(answer, "y" | "Y")),
        }
    }
}

/// Runs a command with the shell. One that looks says what it sees by its exit status.
async fn obey(command: &str, looks: bool) -> Result<bool, Statement> {
    let failed = |problem: String| Statement::CommandFailed {
        command: command.to_owned(),
        problem,
    };
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let output = shell.output().await.map_err(|error| failed(error.to_string()))?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) if looks => Ok(false),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(failed(
                format!("{} {}", output.status, said.trim()).trim_end().to_owned(),
            ))
        }
    }
}

impl Attendant<'_> {
    /// Does something.
    pub(super) async fn perform(&mut self, deed: Deed) -> Result<bool, Statement> {
        match self {
            Self::OnSite(site) => site.perform(deed).await,
            Self::Simulated(port, board) => simulate(port, *board, deed)
                .await
                .ok_or(Statement::Nobody { deed }),
        }
    }
}

async fn simulate(port: &Port<Line>, board: Board, deed: Deed) -> Option<bool> {
    match deed {
        Deed::CloseDoor { lock } => port.hand(board, Channel::new(lock)?, Hand::Close).await.ok(),
        Deed::LookAtDoor { lock } => {
            let channel = Channel::new(lock)?;
            let seen = port.with(move |line, _, _| line.lock(board, channel).map(Lock::door_open));
            seen.await.ok().flatten()
        }
        Deed::CutPower => port
            .board_fault(board, BoardFault::Rebooting(POWER_AWAY))
            .await
            .ok(),
        Deed::RestorePower => port
            .board_fault(board, BoardFault::Rebooting(STARTS_WITHIN))
            .await
            .ok(),
    }
}
