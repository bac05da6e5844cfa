//! `rehearsal demo --scenario`: the five moves and their failures, driven through screen, scanner and doors, and proven in the end.

mod kills;
mod moves;
mod new_disk;
mod proof;
mod secrets;

use std::time::Instant;

use office_protocol::PickupCode;

use super::Language;
use crate::approval::{Approval, ApprovalError, Deliveries};
use crate::finger::{Finger, Stuck};
use crate::secrecy::Search;
use crate::site::{self, Program, Site, SiteError};

/// The phone number of the citizen who has no pass.
const PHONE: &str = "13912345678";
/// The courier's PIN and plastic badge: long enough that they are nowhere by chance.
const PIN: &str = "58203947";
const BADGE: &str = "COURIER-WANG-7K2M";

/// Why the scenario did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    #[error(transparent)]
    Stuck(#[from] Stuck),
    #[error("the system: {0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    Wrong(String),
}

/// How many hand-overs of each kind were brought to their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct HandOvers {
    drop_off: u64,
    clearing: u64,
    placing: u64,
    collection: u64,
    recall: u64,
}

/// One run through.
struct Story {
    site: Site,
    finger: Finger,
    approval: Approval,
    deliveries: Deliveries,
    /// What the courier holds before the scanner, next one first.
    badges: [String; 2],
    language: Language,
    began: Instant,
    done: HandOvers,
    /// Everything that may be found nowhere.
    secrets: Search,
}

pub(super) use kills::run as run_kills;

/// Runs the scenario, prints a line for each step and the sum at the end.
pub(super) async fn run(site: Site, language: Language) -> Result<(), Failed> {
    let mut story = Story::begin(site, language).await?;
    story.happy_road().await?;
    story.jammed_door().await?;
    story.wrong_code().await?;
    story.broker_gone().await?;
    story.office_killed().await?;
    story.killed_with_a_door_open().await?;
    story.recall().await?;
    story.new_disk().await?;
    story.prove().await
}

impl Story {
    async fn begin(mut site: Site, language: Language) -> Result<Self, Failed> {
        let began = Instant::now();
        let deliveries = Deliveries::listen(site.plan().approval, site::WEBHOOK_SECRET).await?;
        site.start(Program::Broker).await?;
        site.start(Program::Office).await?;
        let approval = Approval::new(site.plan().office, site.office_secret("token")?);
        let pass = approval
            .name_staff("wang", &["courier"], PIN, Some(BADGE))
            .await?;
        site.start(Program::Hardware).await?;
        site.start(Program::Cabinet).await?;
        let finger = Finger::new(site.plan().kiosk);
        let mut story = Self {
            site,
            finger,
            approval,
            deliveries,
            badges: [pass.clone(), BADGE.to_owned()],
            language,
            began,
            done: HandOvers::default(),
            secrets: Search::default(),
        };
        story.hide_first_secrets()?;
        story.hide_pass(&pass);
        for document in ["staff", "expected"] {
            story.taken(document, 0).await?;
        }
        story.doors_read().await?;
        story.step(
            "箱柜、管理平台、消息服务、锁控板都已启动",
            "cabinet, office, broker and lock board are running",
        );
        Ok(story)
    }

    fn step(&self, zh: &str, en: &str) {
        let line = self.language.say(zh, en);
        println!("{:>6.1} s  {line}", self.began.elapsed().as_secs_f64());
    }

    /// Drop-off, clearing, placing, collection; nothing goes wrong.
    async fn happy_road(&mut self) -> Result<(), Failed> {
        let door = self.drop_off("A-1001").await?;
        self.step(
            &format!("交件:扫凭证,{door} 号格口打开,放入信包,拿到回执"),
            &format!("drop-off: pass scanned, door {door} opened, envelope inside, receipt shown"),
        );
        let cleared = self.clear().await?;
        self.step(
            &format!("揽收:工牌加密码,取走 {cleared} 件"),
            &format!("clearing: badge and PIN, {cleared} taken out"),
        );
        let code = self.place("PERMIT-1").await?;
        self.step(
            "存件:PERMIT-1 已放入,取件码短信已发出",
            "placing: PERMIT-1 is inside, and its pickup code has gone to the citizen's phone",
        );
        let door = self.collect_by_qr(&code).await?;
        self.step(
            &format!("取件:扫取件码,{door} 号格口打开,已取出"),
            &format!("collection: code scanned, door {door} opened, taken out"),
        );
        let door = self.walk_in(PHONE).await?;
        self.step(
            &format!("没有凭证的交件:选事项、输两遍手机号,{door} 号格口"),
            &format!("drop-off without a pass: item chosen, phone number typed twice, door {door}"),
        );
        self.refused_again(&code).await?;
        self.step(
            "取过的取件码再扫:屏幕说明已经取走,没有门打开",
            "the same code once more: the screen says that it was collected, no door opens",
        );
        Ok(())
    }

    /// A door that does not open, at a drop-off and at a collection.
    async fn jammed_door(&mut self) -> Result<(), Failed> {
        let (stuck, door) = self.drop_off_with_a_stuck_door("A-1002").await?;
        self.step(
            &format!("{stuck} 号门卡住:问过三次后改用 {door} 号格口,交件完成"),
            &format!("door {stuck} is jammed: asked, pulsed three times, then door {door}; drop-off done"),
        );
        let code = self.place("PERMIT-2").await?;
        let door = self.collection_fails(&code).await?;
        self.step(
            &format!("取件时 {door} 号门卡住:屏幕说明文件安全、取件码仍有效,平台收到告警"),
            &format!("door {door} is jammed at a collection: documents are safe, the code stays valid, the office is alarmed"),
        );
        let door = self.collect_by_digits(&code).await?;
        self.step(
            &format!("{door} 号门修好后,同一取件码取件成功"),
            &format!("door {door} repaired: the same code collects"),
        );
        Ok(())
    }

    async fn wrong_code(&mut self) -> Result<(), Failed> {
        let code = self.place("PERMIT-3").await?;
        let wrong = other_digits(&code);
        self.wrong_digits(&wrong).await?;
        self.step(
            "输错取件码:屏幕说明不对,没有门打开",
            "a wrong code: the screen says so, no door opens",
        );
        self.collect_by_digits(&code).await?;
        self.step("正确的取件码:取件成功", "the right code: collected");
        Ok(())
    }

    /// Two hand-overs while there is no broker; the office hears of both when it is back.
    async fn broker_gone(&mut self) -> Result<(), Failed> {
        self.place("PERMIT-4").await?;
        let pass = self.approval.authorise("PERMIT-4").await?;
        self.hide_pass(&pass);
        self.caught_up().await?;
        self.site.kill(Program::Broker).await?;
        self.finger
            .see_that("offline", |sight| sight.says("class=\"notice\""))
            .await?;
        self.drop_off("A-1003").await?;
        self.collect_by_pass(&pass).await?;
        let (known, all) = self.office_and_journal().await?;
        if known >= all {
            let wrong = format!("the office has {known} of {all} events though there is no broker");
            return Err(Failed::Wrong(wrong));
        }
        self.step(
            &format!("消息服务被杀:交件、他人凭证取件照常办理;平台只有 {known}/{all} 条"),
            &format!("broker killed: a drop-off, and a collection by somebody else with a pass, all the same; the office has {known} of {all} events"),
        );
        self.site.start(Program::Broker).await?;
        let all = self.caught_up().await?;
        self.step(
            &format!("消息服务恢复:平台已有 {all}/{all} 条"),
            &format!("broker back: the office has {all} of {all} events"),
        );
        Ok(())
    }

    /// The hub is killed in the middle of a drop-off, and has all of it when it is back.
    async fn office_killed(&mut self) -> Result<(), Failed> {
        let door = self.begin_drop_off("A-1004").await?;
        self.site.kill(Program::Office).await?;
        self.end_drop_off(door).await?;
        self.site.start(Program::Office).await?;
        let all = self.caught_up().await?;
        self.step(
            &format!("交件途中管理平台被杀(kill -9)再启动:平台已有 {all}/{all} 条"),
            &format!("office killed (-9) during a drop-off and started again: it has {all} of {all} events"),
        );
        Ok(())
    }

    async fn killed_with_a_door_open(&mut self) -> Result<(), Failed> {
        let door = self.begin_drop_off("A-1005").await?;
        self.hand(door, "put").await?;
        self.site.kill(Program::Cabinet).await?;
        let pulses = self.pulses(door).await?;
        self.site.start(Program::Cabinet).await?;
        self.finger.see(&["home"]).await?;
        self.hand(door, "close").await?;
        self.step(
            &format!("{door} 号门开着时 kill -9 守护进程:重启后没有再次开锁,该格口标为待确认"),
            &format!("daemon killed (-9) with door {door} open: restarted, no pulse repeated, the compartment is unconfirmed"),
        );
        let looked = self.inspect().await?;
        if self.pulses(looked).await? != pulses + 1 || looked != door {
            let wrong = format!("door {door} was pulsed without a cause, or another was in doubt: {looked}");
            return Err(Failed::Wrong(wrong));
        }
        self.step(
            &format!("揽收员查看 {door} 号格口:信包在里面,已确认"),
            &format!("the courier looks into door {door}: the envelope is inside, confirmed"),
        );
        let cleared = self.clear().await?;
        self.step(
            &format!("揽收:取走 {cleared} 件"),
            &format!("clearing: {cleared} taken out"),
        );
        Ok(())
    }

    async fn recall(&mut self) -> Result<(), Failed> {
        let cabinet = self.site.cabinet().clone();
        let before = self.applied("policy").await?;
        self.approval.rule(&cabinet, "hold_days", 0).await?;
        self.taken("policy", before).await?;
        self.place("PERMIT-5").await?;
        self.caught_up().await?;
        let door = self.recall_overdue().await?;
        self.step(
            &format!("回收:逾期未取的 PERMIT-5 已从 {door} 号格口取出"),
            &format!("recall: PERMIT-5 was not collected in time and is taken out of door {door}"),
        );
        Ok(())
    }
}

/// Eight digits that are not the code's.
fn other_digits(code: &PickupCode) -> String {
    let turn = |digit: char| if digit == '0' { '1' } else { '0' };
    code.digits.chars().map(turn).collect()
}
