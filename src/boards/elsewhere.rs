//! Boards that do not answer as the settings say: tries the other families and the usual speeds on their line, with reads only and in
//! bounded time (IO).
//!
//! No read of a family is another family's command to open anything, at whatever speed its boards hear it. Lines of the secure family are
//! left alone: their boards answer nobody who has not their key, and what somebody at the cable says must not talk a line out of it.

use std::time::Duration;

use firmware_protocol::{Board, Codec, Family};
use tokio::time::Instant;

use crate::serial::PortSettings;

use super::probe::{PortGone, Probe};
use super::search::{Search, kinds};

/// The speeds that boards are set to, the usual ones first.
pub const SPEEDS: [u32; 7] = [9_600, 19_200, 115_200, 38_400, 57_600, 4_800, 2_400];
/// The highest address that switches on boards usually go to, and up to where most are.
const ADDRESSES: (u8, u8) = (32, 4);
/// How often somebody has to answer to be believed.
const ANSWERS: usize = 2;

/// A line, and who does not answer there.
#[derive(Debug, Clone)]
pub struct Line {
    /// What its boards should speak.
    pub family: Family,
    /// Its port, at the speed that it should have.
    pub device: PortSettings,
    /// The addresses that do not answer.
    pub silent: Vec<Board>,
    /// Whether nobody at all answers.
    pub deserted: bool,
}

/// One speed at which some addresses are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The speed.
    pub baud: u32,
    /// The addresses.
    pub addresses: Vec<u8>,
    /// Whether somebody should be there. The other steps are for lines where nobody is found at these.
    known: bool,
}

/// Somebody who answers otherwise than the settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub board: Board,
    /// As what: as each of these, if their reads do not tell them apart.
    pub families: Vec<Family>,
    /// At this speed.
    pub baud: u32,
}

impl Line {
    /// What to try, the likeliest first: the addresses that should answer; where nobody does the low ones, then all.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let mut speeds = vec![self.device.baud];
        speeds.extend(SPEEDS.iter().filter(|baud| **baud != self.device.baud));
        let round = |known: bool, addresses: Vec<u8>| {
            let step = move |baud: &u32| Step {
                baud: *baud,
                addresses: addresses.clone(),
                known,
            };
            let worth = |step: &Step| !step.addresses.is_empty();
            speeds.iter().map(step).filter(worth).collect::<Vec<_>>()
        };
        let mut steps = round(true, self.silent.iter().map(|board| board.0).collect());
        if self.deserted {
            let (last, low) = ADDRESSES;
            steps.extend(round(false, (0..=low).collect()));
            steps.extend(round(false, (low + 1..=last).collect()));
        }
        steps
    }
}

/// Looks for who does not answer.
pub struct Hunt {
    line: Line,
    patience: Duration,
    end: Instant,
    found: Vec<Found>,
}

impl Hunt {
    /// An answer may take so long to begin, and all of it may take so long.
    #[must_use]
    pub fn new(line: Line, patience: Duration, limit: Duration) -> Self {
        Self {
            line,
            patience,
            end: Instant::now() + limit,
            found: Vec::new(),
        }
    }

    /// Who was found so far.
    #[must_use]
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// Whether there is no time left.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.end <= Instant::now()
    }

    /// Whether this step would tell anything new. On a line where nobody was known to be, one who answers tells what all speak.
    #[must_use]
    pub fn needs(&self, step: &Step) -> bool {
        if step.known {
            step.addresses
                .iter()
                .any(|address| self.at(Board(*address)).is_none())
        } else {
            self.found.is_empty()
        }
    }

    fn at(&self, board: Board) -> Option<&Found> {
        self.found.iter().find(|found| found.board == board)
    }

    /// Tries one speed.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn take(&mut self, step: &Step) -> Result<(), PortGone> {
        let device = PortSettings {
            baud: step.baud,
            ..self.line.device.clone()
        };
        let mut probe = Probe::open(device).await?;
        for address in &step.addresses {
            let board = Board(*address);
            for alike in kinds(board) {
                let as_set = alike.contains(&self.line.family) && step.baud == self.line.device.baud;
                if as_set || self.at(board).is_some() {
                    continue; // asked before, or answered for
                }
                if self.is_late() {
                    break;
                }
                let families = self.meet(&mut probe, &alike, board).await?;
                if !families.is_empty() {
                    let baud = step.baud;
                    self.found.push(Found {
                        board,
                        families,
                        baud,
                    });
                }
            }
            if !self.needs(step) {
                break;
            }
        }
        probe.close().await;
        Ok(())
    }

    /// As which of these families somebody answers. Those whose packed answer has just the length that is theirs come before those
    /// that might have more locks.
    async fn meet(&self, probe: &mut Probe, alike: &[Family], board: Board) -> Result<Vec<Family>, PortGone> {
        let (mut whole, mut possible) = (Vec::new(), Vec::new());
        for family in alike {
            let mut codec = family.codec();
            let most = codec.profile().channels_max.div_ceil(8) * 8;
            let mut search = Search {
                probe: &mut *probe,
                codec: &mut codec,
                board,
                patience: self.patience,
            };
            let mut answers = 0;
            while answers < ANSWERS && search.answers().await? {
                answers += 1;
            }
            if answers < ANSWERS {
                return Ok(Vec::new());
            }
            if alike.len() > 1 && search.told().await? == Some(most) {
                whole.push(*family);
            }
            possible.push(*family);
        }
        Ok(if whole.is_empty() { possible } else { whole })
    }
}
