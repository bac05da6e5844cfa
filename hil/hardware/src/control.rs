//! The bench by lines of text: what a person at the demo, or a test in another process, may say to it.

use std::fmt;

use firmware_protocol::{Board, Channel};

use crate::board::BoardFault;
use crate::line::{Line, LineFault};
use crate::mechanics::{Defect, Hand, Lock};
use crate::port::{Ended, Port};
use crate::scanner::SimulatedScanner;
use std::collections::BTreeMap;
use std::time::Duration;

/// What can be said, one line each.
pub const HELP: &str = "\
hand PORT BOARD LOCK open|close|force|put|take
break PORT BOARD LOCK stuck|welded|sensor|start (repair … sets it back)
fault PORT BOARD silent on|off | clogging on|off | late MS | garbled PERCENT | reboot MS
fault PORT BOARD case|shock|battery on|off
button PORT BOARD on|off                        (held while a key is installed)
line PORT echo on|off | noise PERCENT | meddle PERCENT
look PORT BOARD LOCK | look PORT BOARD
scan PORT CODE
unplug PORT
replug PORT";

/// Simulated devices by the name of their port.
#[derive(Debug, Default)]
pub struct Bench {
    /// Lines with lock boards.
    pub lines: BTreeMap<String, Port<Line>>,
    /// Code scanners.
    pub scanners: BTreeMap<String, Port<SimulatedScanner>>,
}

/// Why a line of text was not obeyed.
#[derive(Debug)]
pub enum ControlError {
    /// It is none of the lines in [`HELP`].
    NotUnderstood(String),
    /// No such port, board or lock.
    NotThere(String),
    /// The device has ended.
    Ended(Ended),
    /// The port could not be opened again.
    Port(std::io::Error),
}

impl fmt::Display for ControlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnderstood(line) => write!(formatter, "`{line}` is not understood; say one of\n{HELP}"),
            Self::NotThere(what) => write!(formatter, "the bench has no {what}; check its name or number"),
            Self::Ended(ended) => ended.fmt(formatter),
            Self::Port(error) => write!(formatter, "the port cannot be put back: {error}"),
        }
    }
}

impl std::error::Error for ControlError {}

impl From<Ended> for ControlError {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl Bench {
    /// Does what a line of text says and answers in a few words.
    ///
    /// # Errors
    /// The line is not understood, or what it names is not there.
    pub async fn obey(&self, line: &str) -> Result<String, ControlError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let misunderstood = || ControlError::NotUnderstood(line.to_owned());
        match words.as_slice() {
            ["hand", port, board, lock, deed] => {
                let hand = hand(deed).ok_or_else(misunderstood)?;
                let worked = self
                    .line(port)?
                    .hand(number(board)?, channel(lock)?, hand)
                    .await?;
                Ok(if worked { "done" } else { "it does not move" }.to_owned())
            }
            [verb @ ("break" | "repair"), port, board, lock, defect] => {
                let defect = defect_named(defect).ok_or_else(misunderstood)?;
                let fault = BoardFault::Lock(channel(lock)?, defect, *verb == "break");
                self.fault(port, board, fault).await
            }
            ["fault", port, board, what, value] => {
                let fault = board_fault(what, value).ok_or_else(misunderstood)?;
                self.fault(port, board, fault).await
            }
            ["button", port, board, held] => {
                let held = on_or_off(held).ok_or_else(misunderstood)?;
                if self.line(port)?.button(number(board)?, held).await? {
                    Ok("done".to_owned())
                } else {
                    Err(not_there("board", board))
                }
            }
            ["line", port, what, value] => {
                let fault = line_fault(what, value).ok_or_else(misunderstood)?;
                self.line(port)?.line_fault(fault).await?;
                Ok("done".to_owned())
            }
            ["look", port, board, lock] => self.look(port, number(board)?, channel(lock)?).await,
            ["look", port, board] => self.look_at_all(port, number(board)?).await,
            ["scan", port, _, ..] => {
                let scanner = self
                    .scanners
                    .get(*port)
                    .ok_or_else(|| not_there("scanner", port))?;
                let code = line.trim_start().splitn(3, ' ').nth(2).unwrap_or_default();
                scanner.scan(code).await?;
                Ok("done".to_owned())
            }
            [verb @ ("unplug" | "replug"), port] => self.cable(port, *verb == "unplug").await,
            _ => Err(misunderstood()),
        }
    }

    async fn fault(&self, port: &str, board: &str, fault: BoardFault) -> Result<String, ControlError> {
        if self.line(port)?.board_fault(number(board)?, fault).await? {
            Ok("done".to_owned())
        } else {
            Err(not_there("board", board))
        }
    }

    async fn look(&self, port: &str, board: Board, channel: Channel) -> Result<String, ControlError> {
        let seen = self
            .line(port)?
            .with(move |line, _, _| line.lock(board, channel).cloned())
            .await?;
        let lock = seen.ok_or_else(|| not_there("lock", &channel.number().to_string()))?;
        Ok(seen_at(&lock))
    }

    /// Every lock of a board on one line: `1 open empty pulses 1, 2 closed occupied pulses 3, …`.
    async fn look_at_all(&self, port: &str, board: Board) -> Result<String, ControlError> {
        let all = move |line: &mut Line, _, _: &mut Vec<u8>| -> Vec<String> {
            let locks =
                Channel::all(Channel::MAX).map_while(|channel| Some((channel, line.lock(board, channel)?)));
            locks
                .map(|(channel, lock)| format!("{} {}", channel.number(), seen_at(lock)))
                .collect()
        };
        let seen = self.line(port)?.with(all).await?;
        if seen.is_empty() {
            return Err(not_there("board", &board.0.to_string()));
        }
        Ok(seen.join(", "))
    }

    async fn cable(&self, port: &str, pull: bool) -> Result<String, ControlError> {
        if let Some(line) = self.lines.get(port) {
            plug(line, pull).await?;
        } else {
            plug(
                self.scanners.get(port).ok_or_else(|| not_there("port", port))?,
                pull,
            )
            .await?;
        }
        Ok("done".to_owned())
    }

    fn line(&self, name: &str) -> Result<&Port<Line>, ControlError> {
        self.lines.get(name).ok_or_else(|| not_there("line", name))
    }
}

async fn plug<D: crate::port::Device>(port: &Port<D>, pull: bool) -> Result<(), ControlError> {
    if pull {
        Ok(port.unplug().await?)
    } else {
        port.replug().await.map_err(ControlError::Port)
    }
}

fn seen_at(lock: &Lock) -> String {
    let door = if lock.door_open() { "open" } else { "closed" };
    let inside = if lock.item() { "occupied" } else { "empty" };
    format!("{door} {inside} pulses {}", lock.pulses())
}

fn not_there(kind: &str, name: &str) -> ControlError {
    ControlError::NotThere(format!("{kind} {name}"))
}

fn number(text: &str) -> Result<Board, ControlError> {
    text.parse().map(Board).map_err(|_| not_there("board", text))
}

fn channel(text: &str) -> Result<Channel, ControlError> {
    text.parse()
        .ok()
        .and_then(Channel::new)
        .ok_or_else(|| not_there("lock", text))
}

fn hand(word: &str) -> Option<Hand> {
    match word {
        "open" => Some(Hand::Open),
        "close" => Some(Hand::Close),
        "force" => Some(Hand::Force),
        "put" => Some(Hand::PutIn),
        "take" => Some(Hand::TakeOut),
        _ => None,
    }
}

fn defect_named(word: &str) -> Option<Defect> {
    match word {
        "stuck" => Some(Defect::StuckDoor),
        "welded" => Some(Defect::WeldedLock),
        "sensor" => Some(Defect::DeadSensor),
        "start" => Some(Defect::OpensAtStart),
        _ => None,
    }
}

fn on_or_off(word: &str) -> Option<bool> {
    match word {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn board_fault(what: &str, value: &str) -> Option<BoardFault> {
    match what {
        "silent" => on_or_off(value).map(BoardFault::Silent),
        "clogging" => on_or_off(value).map(BoardFault::Clogging),
        "case" => on_or_off(value).map(BoardFault::CaseOpen),
        "shock" => on_or_off(value).map(BoardFault::Shaken),
        "battery" => on_or_off(value).map(BoardFault::OnBattery),
        "late" => value
            .parse()
            .ok()
            .map(|ms| BoardFault::Late(Duration::from_millis(ms))),
        "garbled" => value.parse().ok().map(BoardFault::Garbled),
        "reboot" => value
            .parse()
            .ok()
            .map(|ms| BoardFault::Rebooting(Duration::from_millis(ms))),
        _ => None,
    }
}

fn line_fault(what: &str, value: &str) -> Option<LineFault> {
    match what {
        "echo" => on_or_off(value).map(LineFault::Echoing),
        "noise" => value.parse().ok().map(LineFault::Noisy),
        "meddle" => value.parse().ok().map(LineFault::Meddled),
        _ => None,
    }
}
