//! What the office's database must say in the end, and what is waited for on the way there.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Failed, HandOvers, Story};
use crate::site::Program;

/// How long the office may take to catch up.
const PATIENCE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(50);

impl Story {
    /// Asks until the answer is there.
    pub(super) async fn until<T>(
        &mut self,
        what: &str,
        mut ask: impl AsyncFnMut(&mut Self) -> Result<Option<T>, Failed>,
    ) -> Result<T, Failed> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self).await? {
                return Ok(answer);
            }
            if Instant::now() >= limit {
                return Err(Failed::Wrong(format!("waited {PATIENCE:?} in vain: {what}")));
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// The events that the office has of this type, newest first.
    async fn stored(&self, kind: &str) -> Result<Vec<Value>, Failed> {
        let path = format!("/events?type={kind}&limit=1000");
        let answer = self.approval.ask("GET", &path, None).await?;
        Ok(answer["events"].as_array().cloned().unwrap_or_default())
    }

    /// How often the cabinet has taken a new version of a document.
    pub(super) async fn applied(&self, document: &str) -> Result<usize, Failed> {
        let applied = self.stored("locker.document-applied").await?;
        let this = |event: &&Value| event["event"]["data"]["document"] == document;
        Ok(applied.iter().filter(this).count())
    }

    /// Waits until the cabinet has taken a document more often than `before`.
    pub(super) async fn taken(&mut self, document: &str, before: usize) -> Result<(), Failed> {
        self.until("the cabinet takes a document", async |story| {
            Ok((story.applied(document).await? > before).then_some(()))
        })
        .await
    }

    /// Every door was read once: before that none is offered.
    pub(super) async fn doors_read(&mut self) -> Result<(), Failed> {
        self.until("all doors are read", async |story| {
            let cabinet = story.site.cabinet().clone();
            let known = story.approval.cabinet(&cabinet).await?;
            let doors = known["state"]["compartments"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let read = doors.iter().filter(|door| door["open"].is_boolean()).count();
            Ok((read >= usize::from(crate::site::COMPARTMENTS)).then_some(()))
        })
        .await
    }

    pub(super) async fn alarm_raised(&mut self, alarm: &str, door: u16) -> Result<(), Failed> {
        self.until("the office hears of the alarm", async |story| {
            let raised = story.stored("locker.alarm-raised").await?;
            let this = |event: &Value| {
                event["event"]["data"]["alarm"] == alarm && event["event"]["data"]["compartment"] == door
            };
            Ok(raised.iter().any(this).then_some(()))
        })
        .await
    }

    /// The number up to which the office has everything, and the last in the journal.
    pub(super) async fn office_and_journal(&mut self) -> Result<(u64, u64), Failed> {
        let cabinet = self.site.cabinet().clone();
        let known = self.approval.cabinet(&cabinet).await?["complete_to"].as_u64();
        Ok((
            known.unwrap_or_default(),
            self.journal()?["last"].as_u64().unwrap_or_default(),
        ))
    }

    fn journal(&self) -> Result<Value, Failed> {
        let found = self.site.lockerd(&["journal", "verify", "--json"])?;
        serde_json::from_str(&found).map_err(|error| Failed::Wrong(format!("journal verify: {error}")))
    }

    /// Waits until the office has everything; gives how much that is.
    pub(super) async fn caught_up(&mut self) -> Result<u64, Failed> {
        self.until("the office has every event", async |story| {
            let (known, all) = story.office_and_journal().await?;
            Ok((known == all).then_some(all))
        })
        .await
    }

    /// Stops the cabinet and compares its journal with the office's database, event by event; gives the events.
    pub(super) async fn compared(&mut self) -> Result<Vec<Value>, Failed> {
        self.caught_up().await?;
        self.site.end(Program::Cabinet).await?;
        let all = self.caught_up().await?;
        let journal = self.site.lockerd(&["journal", "export"])?;
        let office = self
            .site
            .office(&["events", "--cabinet", self.site.cabinet().as_str(), "--json"])?;
        let exports = self.site.path("exports");
        std::fs::create_dir_all(&exports)?;
        std::fs::write(exports.join("journal.jsonl"), &journal)?;
        std::fs::write(exports.join("office.jsonl"), &office)?;
        let events = |listed: &str| -> Vec<Value> {
            let lines = listed
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.map(|mut line| line["event"].take()).collect()
        };
        let (stored, written) = (events(&office), events(&journal));
        if stored != written || written.len() as u64 != all {
            return Err(Failed::Wrong(format!(
                "the office's database and the cabinet's journal differ: {} and {} events, {all} expected",
                stored.len(),
                written.len()
            )));
        }
        let verified = self.site.office(&["verify", "--json"])?;
        let verified: Value = serde_json::from_str(&verified).unwrap_or_default();
        if verified["intact"].as_u64() != Some(all) {
            return Err(Failed::Wrong(format!(
                "of {all} events the office verified: {verified}"
            )));
        }
        Ok(stored)
    }

    /// The end of the scenario: both ends agree, every hand-over is there, no secret lies around.
    pub(super) async fn prove(mut self) -> Result<(), Failed> {
        let stored = self.compared().await?;
        let counted = counted(&stored);
        let sum = self.sum(counted, stored.len());
        if counted != self.done {
            return Err(Failed::Wrong(format!("{sum}; expected {:?}", self.done)));
        }
        self.no_secret_anywhere().await?;
        self.site.end_all().await;
        self.no_secret_left()?;
        println!("{sum}");
        Ok(())
    }

    fn sum(&self, counted: HandOvers, all: usize) -> String {
        let HandOvers {
            drop_off,
            clearing,
            placing,
            collection,
            recall,
        } = counted;
        match self.language {
            super::Language::En => format!(
                "hand-overs: drop-off {drop_off}, clearing {clearing}, placing {placing}, collection {collection}, \
                 recall {recall}; office has {all} of {all} events, chain intact"
            ),
            super::Language::Zh => format!(
                "办理:交件 {drop_off}、揽收 {clearing}、存件 {placing}、取件 {collection}、回收 {recall};平台有 {all} 条中的 \
                 {all} 条,链条完整"
            ),
        }
    }
}

pub(super) fn counted(stored: &[Value]) -> HandOvers {
    let of = |kind: &str| stored.iter().filter(|event| event["type"] == kind).count() as u64;
    HandOvers {
        drop_off: of("locker.dropped-off"),
        clearing: of("locker.cleared"),
        placing: of("locker.placed"),
        collection: of("locker.collected"),
        recall: of("locker.recalled"),
    }
}
