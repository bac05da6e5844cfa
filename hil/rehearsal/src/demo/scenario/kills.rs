//! `rehearsal demo --kills N`: the real daemon is killed (-9) at N random moments of drop-offs and collections, and the laws are checked.

use std::collections::BTreeMap;
use std::time::Duration;

use lockerd::cabinet::screen::Action;
use office_protocol::PickupCode;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use tokio::time::sleep;

use super::{Failed, Story};
use crate::demo::Language;
use crate::site::{Program, Site};

/// A move takes about a second here: what is killed later was killed at rest.
const KILLED_WITHIN_MS: u32 = 1_500;
/// After so many kills the courier looks into what is in doubt, before every door is.
const INSPECT_EVERY: u32 = 8;
const PROGRESS_EVERY: u32 = 20;
/// Longer than a frame is on its way to the board at 9600 baud.
const ON_THE_WIRE: Duration = Duration::from_millis(50);

/// Kills the daemon `times` times, then compares everything as the scenario does.
pub(in crate::demo) async fn run(site: Site, language: Language, times: u32) -> Result<(), Failed> {
    let mut story = Story::begin(site, language).await?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    let mut dice = ChaCha20Rng::from_seed(seed);
    for kill in 1..=times {
        let after = Duration::from_micros(u64::from(dice.next_u32() % (KILLED_WITHIN_MS * 1_000)));
        let collects = dice.next_u32() % 3 == 0;
        story.killed_once(kill, collects, after).await?;
        if kill % INSPECT_EVERY == 0 || kill == times {
            story.look_into_everything().await?;
        }
        if kill % PROGRESS_EVERY == 0 || kill == times {
            let receipts = story.done.drop_off;
            story.step(
                &format!("已 kill -9 守护进程 {kill}/{times} 次;给出回执 {receipts} 张"),
                &format!("{kill} of {times} kills; {receipts} receipts were shown"),
            );
        }
    }
    story.prove_kills(times).await
}

impl Story {
    /// A move is begun and the daemon killed somewhere in it; then it starts again, and no lock moves by that.
    async fn killed_once(&mut self, kill: u32, collects: bool, after: Duration) -> Result<(), Failed> {
        let code = if collects {
            Some(self.place(&format!("KILL-{kill}")).await?)
        } else {
            None
        };
        let kept = self.done;
        tokio::select! {
            moved = self.one_move(kill, code.as_ref()) => moved?,
            () = sleep(after) => {}
        }
        self.site.kill(Program::Cabinet).await?;
        let shown = self.done;
        let before = self.last_words_obeyed().await?;
        self.site.start(Program::Cabinet).await?;
        self.finger.see(&["home"]).await?;
        let now = self.board().await?;
        if pulsed(&now) != before {
            return Err(Failed::Wrong(format!(
                "kill {kill}: a lock was pulsed by the restart"
            )));
        }
        for (door, lock) in now {
            if lock.open {
                self.hand(door, "close").await?;
            }
        }
        if shown.drop_off < kept.drop_off || shown.collection < kept.collection {
            return Err(Failed::Wrong("counts went back".into()));
        }
        if let Some(code) = code.filter(|_| shown.collection == kept.collection) {
            self.finish_collection(&code).await?;
        }
        Ok(())
    }

    async fn one_move(&mut self, kill: u32, code: Option<&PickupCode>) -> Result<(), Failed> {
        match code {
            Some(code) => self.collect_by_qr(code).await.map(drop),
            None => self.drop_off(&format!("K-{kill}")).await.map(drop),
        }
    }

    /// A collection that was cut short: the code still opens the door, or says why not; nobody's documents are locked in.
    async fn finish_collection(&mut self, code: &PickupCode) -> Result<(), Failed> {
        let sight = self.scan(&code.qr, &["door-open", "scan-problem"]).await?;
        if sight.screen() == "door-open" {
            self.take_everything(&sight).await?;
        } else {
            self.finger.touch(&Action::Back, &["home"]).await?;
        }
        Ok(())
    }

    /// The courier opens every door in doubt, takes out what is there, and clears what was handed in.
    async fn look_into_everything(&mut self) -> Result<(), Failed> {
        self.badge_and_pin().await?;
        let mut sight = self.finger.touch(&Action::StartInspection, &["round"]).await?;
        while sight.offers(&Action::OpenNext) {
            let opened = self.finger.touch(&Action::OpenNext, &["door-open"]).await?;
            let door = super::moves::door(&opened)?;
            self.hand(door, "take").await?;
            self.shut(door, &["what-is-inside"]).await?;
            sight = self.finger.touch(&Action::Empty, &["round"]).await?;
        }
        self.leave_work().await?;
        self.clear().await.map(drop)
    }

    /// How often locks were pulsed, once all that the daemon had said before its end has passed the wire.
    async fn last_words_obeyed(&mut self) -> Result<u64, Failed> {
        let mut before = pulsed(&self.board().await?);
        loop {
            sleep(ON_THE_WIRE).await;
            let now = pulsed(&self.board().await?);
            if now == before {
                return Ok(now);
            }
            before = now;
        }
    }

    async fn board(&mut self) -> Result<BTreeMap<u16, Lock>, Failed> {
        let seen = self.site.hardware("look locks 1").await?;
        let lock = |text: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            let [number, door, _, _, pulses] = words[..] else {
                return None;
            };
            let lock = Lock {
                open: door == "open",
                pulses: pulses.parse().ok()?,
            };
            Some((number.parse().ok()?, lock))
        };
        seen.split(", ")
            .map(|text| lock(text).ok_or_else(|| Failed::Wrong(format!("the board says {text}"))))
            .collect()
    }

    /// Every receipt that was shown is in the office's database, no lock was pulsed without a cause on disk, and both ends agree.
    async fn prove_kills(mut self, times: u32) -> Result<(), Failed> {
        let board = self.board().await?;
        let stored = self.compared().await?;
        let all = stored.len();
        let mut causes: BTreeMap<u64, u64> = BTreeMap::new();
        for event in stored
            .iter()
            .filter(|event| event["type"] == "locker.unlock-begun")
        {
            *causes
                .entry(event["data"]["compartment"].as_u64().unwrap_or_default())
                .or_default() += 1;
        }
        for (door, lock) in board {
            let causes = causes.get(&u64::from(door)).copied().unwrap_or_default();
            if lock.pulses > causes {
                let wrong = format!(
                    "door {door} was pulsed {} times with {causes} causes on disk",
                    lock.pulses
                );
                return Err(Failed::Wrong(wrong));
            }
        }
        let counted = super::proof::counted(&stored);
        if counted.drop_off < self.done.drop_off || counted.collection < self.done.collection {
            let wrong = format!("shown as done: {:?}, in the office: {counted:?}", self.done);
            return Err(Failed::Wrong(wrong));
        }
        self.site.end_all().await;
        let starts = stored
            .iter()
            .filter(|event| event["type"] == "locker.started")
            .skip(1) // the technician's, who commissioned it
            .count();
        let receipts = self.done.drop_off;
        println!(
            "{}",
            match self.language {
                Language::En => format!(
                    "{times} kills, {starts} starts: {receipts} receipts shown and all of them in the office, no pulse without a \
                     cause, none repeated; office has {all} of {all} events, chain intact"
                ),
                Language::Zh => format!(
                    "kill -9 {times} 次,启动 {starts} 次:给出的 {receipts} 张回执平台全有,没有无因或重复的开锁;平台有 {all} \
                     条中的 {all} 条,链条完整"
                ),
            }
        );
        Ok(())
    }
}

fn pulsed(board: &BTreeMap<u16, Lock>) -> u64 {
    board.values().map(|lock| lock.pulses).sum()
}

/// One lock as the board sees it.
struct Lock {
    open: bool,
    pulses: u64,
}
