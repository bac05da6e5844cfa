//! A bench under check: what every check asks of the board and of who is there.

use std::collections::BTreeMap;
use std::time::Duration;

use firmware_protocol::{Channel, Command, Content, DoorReading, Profile, Request, UnlockResult};
use tokio::time::{Instant, sleep_until};

use super::attendant::{Attendant, Deed};
use super::cable::{Cable, Exchange};
use super::notes::Notes;
use super::plan::Plan;
use super::statement::Statement;
use super::times::Times;

/// How long a solenoid's supply rests after a pulse.
const SUPPLY_RESTS: Duration = Duration::from_millis(100);
/// How long a door takes to move and its sensor to follow.
const SETTLES_WITHIN: Duration = Duration::from_millis(1000);

/// How often a board is asked before it counts as silent.
const TRIES: usize = 3;

/// A reading of doors, in true polarity: what is known, and what of it is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Doors {
    pub(super) known: u64,
    pub(super) open: u64,
}

impl Doors {
    pub(super) const fn door(self, lock: Channel) -> DoorReading {
        if self.known & lock.bit() == 0 {
            DoorReading::Unknown
        } else if self.open & lock.bit() == 0 {
            DoorReading::Closed
        } else {
            DoorReading::Open
        }
    }

    /// The doors that read differently.
    pub(super) fn differing(self, other: Self) -> impl Iterator<Item = Channel> {
        let bits = (self.known ^ other.known) | (self.open ^ other.open);
        Channel::all(Channel::MAX).filter(move |lock| bits & lock.bit() != 0)
    }
}

/// What came of an unlock.
pub(super) struct Unlocked {
    pub(super) exchange: Exchange,
    pub(super) before: Doors,
    pub(super) after: Doors,
    /// Whether the door is open: its reading changed, or somebody saw it.
    pub(super) open: bool,
}

/// A bench under check.
pub(super) struct Rig<'a> {
    pub(super) plan: Plan,
    pub(super) cable: Cable,
    attendant: Attendant<'a>,
    supply_free_at: Instant,
    rested_at: BTreeMap<Channel, Instant>,
    /// Doors that are open because they were unlocked.
    pub(super) left_open: Vec<Channel>,
    pub(super) unlock_times: Times,
}

impl<'a> Rig<'a> {
    pub(super) fn new(plan: &Plan, attendant: Attendant<'a>, dice: [u8; 32]) -> Self {
        Self {
            plan: plan.clone(),
            cable: Cable::new(plan, dice),
            attendant,
            supply_free_at: Instant::now(),
            rested_at: BTreeMap::new(),
            left_open: Vec::new(),
            unlock_times: Times::default(),
        }
    }

    pub(super) const fn profile(&self) -> Profile {
        self.cable.profile
    }

    pub(super) const fn request(&self, command: Command) -> Request {
        Request {
            board: self.plan.board,
            sequence: 0,
            command,
        }
    }

    pub(super) async fn ask(&mut self, command: Command) -> Result<Exchange, Statement> {
        let request = self.request(command);
        self.cable.ask(request).await
    }

    /// The command that reads a door: alone where the family can, else with all.
    pub(super) const fn reading_of(&self, lock: Channel) -> Command {
        let profile = self.profile();
        if profile.reads_one || !profile.reads_all {
            Command::ReadDoor(lock)
        } else {
            self.packed()
        }
    }

    pub(super) const fn packed(&self) -> Command {
        Command::ReadAll {
            channels: self.plan.channels,
        }
    }

    /// What an answer tells of doors, in true polarity.
    pub(super) fn doors_in(&self, content: Content) -> Option<Doors> {
        let polarity = self.plan.polarity();
        match content {
            Content::Door { channel, door } => Some(of(channel, door.with(polarity))),
            Content::State(state) => {
                let inverted = if self.plan.inverted { state.doors.known } else { 0 };
                Some(Doors {
                    known: state.doors.known,
                    open: state.doors.open ^ inverted,
                })
            }
            Content::Unlocked { .. }
            | Content::AllUnlocked
            | Content::ReportsSet(_)
            | Content::Version(_)
            | Content::AllOff
            | Content::Handshake
            | Content::Unasked { .. } => None,
        }
    }

    /// Reads all doors that are checked. Fails with what is wrong with the first answer that is none.
    pub(super) async fn doors(&mut self) -> Result<Doors, Statement> {
        let checked = self.plan.checked();
        let commands: Vec<Command> = if self.profile().reads_all {
            vec![self.packed()]
        } else {
            self.plan
                .locks
                .iter()
                .map(|lock| self.reading_of(*lock))
                .collect()
        };
        let mut doors = Doors::default();
        for command in commands {
            let exchange = self.ask(command).await?;
            let Some(told) = exchange.answer.and_then(|content| self.doors_in(content)) else {
                return Err(exchange.complaint());
            };
            doors.known |= told.known & checked;
            doors.open |= told.open & checked;
        }
        Ok(doors)
    }

    /// Asks until the board answers, a few times; what is wrong if it does not.
    pub(super) async fn heard_from(&mut self) -> Result<(), Statement> {
        let command = self.reading_of(self.plan.locks[0]);
        let mut complaint = Statement::NoAnswer;
        for _ in 0..TRIES {
            let exchange = self.ask(command).await?;
            if exchange.answer.is_some() {
                return Ok(());
            }
            complaint = exchange.complaint();
        }
        Err(complaint)
    }

    /// Reads one door until it reads `wanted`, or has had its time.
    pub(super) async fn settled(
        &mut self,
        lock: Channel,
        wanted: DoorReading,
    ) -> Result<DoorReading, Statement> {
        let deadline = Instant::now() + SETTLES_WITHIN;
        loop {
            let doors = self.doors().await?;
            if doors.door(lock) == wanted || Instant::now() >= deadline {
                return Ok(doors.door(lock));
            }
        }
    }

    /// Unlocks once the supply and the lock have rested, and sees what becomes of the door.
    pub(super) async fn unlock(&mut self, lock: Channel) -> Result<Unlocked, Statement> {
        self.rested(lock).await;
        let before = self.doors().await?;
        let exchange = self.pulse(lock).await?;
        let deadline = Instant::now() + SETTLES_WITHIN;
        let mut after = self.doors().await?;
        while after.door(lock) == before.door(lock) && Instant::now() < deadline {
            after = self.doors().await?;
        }
        let moved = after.door(lock) != before.door(lock);
        let open = moved
            || self
                .perform(Deed::LookAtDoor { lock: lock.number() })
                .await
                .unwrap_or(false);
        if open && !self.left_open.contains(&lock) {
            self.left_open.push(lock);
        }
        Ok(Unlocked {
            exchange,
            before,
            after,
            open,
        })
    }

    /// Sends the unlock and nothing else.
    pub(super) async fn pulse(&mut self, lock: Channel) -> Result<Exchange, Statement> {
        self.rested(lock).await;
        let exchange = self.ask(Command::Unlock(lock)).await?;
        let pulse = Duration::from_millis(self.profile().pulse_ms.into());
        self.supply_free_at = Instant::now() + pulse + SUPPLY_RESTS;
        let cool_down = Duration::from_millis(self.plan.cool_down_ms);
        self.rested_at.insert(lock, Instant::now() + cool_down);
        if exchange.answer.is_some() {
            self.unlock_times.note(exchange.reply);
        }
        Ok(exchange)
    }

    async fn rested(&self, lock: Channel) {
        let lock_at = self.rested_at.get(&lock).copied();
        sleep_until(lock_at.map_or(self.supply_free_at, |at| at.max(self.supply_free_at))).await;
    }

    pub(super) async fn close(&mut self, lock: Channel) -> Result<(), Statement> {
        self.perform(Deed::CloseDoor { lock: lock.number() }).await?;
        self.left_open.retain(|open| *open != lock);
        Ok(())
    }

    /// Closes what reads open.
    pub(super) async fn close_all(&mut self) -> Result<(), Statement> {
        let doors = self.doors().await?;
        for lock in self.plan.locks.clone() {
            if doors.door(lock) != DoorReading::Closed || self.left_open.contains(&lock) {
                self.close(lock).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn perform(&mut self, deed: Deed) -> Result<bool, Statement> {
        self.attendant.perform(deed).await
    }

    /// Notes what an answer to an unlock says against the board.
    pub(super) fn judge_unlock(&self, lock: Channel, exchange: &Exchange, notes: &mut Notes) {
        use firmware_protocol::UnlockAnswer::{Always, Never, Sometimes};
        match (exchange.answer, self.profile().unlock_answer) {
            (Some(Content::Unlocked { result, .. }), _) if result != UnlockResult::Taken => {
                notes.fail(Statement::UnlockRefused { lock: lock.number() }, Some(exchange));
            }
            (None, Always) => notes.fail(exchange.complaint(), Some(exchange)),
            (None, Sometimes) if !exchange.heard.is_empty() => {
                notes.fail(exchange.complaint(), Some(exchange))
            }
            (Some(_), _) | (None, Sometimes | Never) => {}
        }
    }
}

const fn of(lock: Channel, door: DoorReading) -> Doors {
    match door {
        DoorReading::Unknown => Doors { known: 0, open: 0 },
        DoorReading::Closed => Doors {
            known: lock.bit(),
            open: 0,
        },
        DoorReading::Open => Doors {
            known: lock.bit(),
            open: lock.bit(),
        },
    }
}
