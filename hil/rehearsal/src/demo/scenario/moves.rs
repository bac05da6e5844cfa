//! What people do in the scenario: each move as a person makes it, with eyes on the screen and a hand at the door.

use std::time::Duration;

use lockerd::cabinet::screen::Action;
use office_protocol::PickupCode;
use tokio::time::{Instant, sleep, timeout};

use super::{Failed, PIN, Story};
use crate::finger::Sight;

/// How long a delivery of the office may take.
const DELIVERY_WITHIN: Duration = Duration::from_secs(45);
/// How long a door may take to spring open, and how often a hand tries.
const MOVES_WITHIN: Duration = Duration::from_secs(5);
const TRY_AGAIN: Duration = Duration::from_millis(50);
const PERSON: &str = "P-2048";
const ACCEPT: Action = Action::Accept { reachable: false };

impl Story {
    /// Holds a code before the scanner until one of these screens comes: again when nothing happens, as people do.
    pub(super) async fn scan(&mut self, text: &str, then: &[&str]) -> Result<Sight, Failed> {
        self.expect_done(&format!("scan scanner {text}")).await?;
        if let Some(sight) = self.finger.soon(then).await {
            return Ok(sight);
        }
        if self
            .finger
            .now()
            .is_some_and(|sight| sight.screen() == "scan-problem")
        {
            self.finger.touch(&Action::Back, &["home"]).await?;
        }
        if self.finger.now().is_some_and(|sight| sight.screen() == "home") {
            self.expect_done(&format!("scan scanner {text}")).await?;
        }
        Ok(self.finger.see(then).await?)
    }

    /// A hand at a door: `put`, `take`, `close`. It waits for a door that has not sprung open yet.
    pub(super) async fn hand(&mut self, door: u16, deed: &str) -> Result<(), Failed> {
        let line = format!("hand locks 1 {door} {deed}");
        let limit = Instant::now() + MOVES_WITHIN;
        loop {
            match self.site.hardware(&line).await?.as_str() {
                "done" => return Ok(()),
                "it does not move" if Instant::now() < limit => sleep(TRY_AGAIN).await,
                answer => return Err(Failed::Wrong(format!("`{line}`: {answer}"))),
            }
        }
    }

    /// Closes a door until the screen has seen it: one that was closed before it sprang open is closed again.
    pub(super) async fn shut(&mut self, door: u16, then: &[&str]) -> Result<Sight, Failed> {
        self.hand(door, "close").await?;
        match self.finger.soon(then).await {
            Some(sight) => Ok(sight),
            None => {
                self.hand(door, "close").await?;
                Ok(self.finger.see(then).await?)
            }
        }
    }

    async fn lock(&mut self, verb: &str, door: u16) -> Result<(), Failed> {
        self.expect_done(&format!("{verb} locks 1 {door} stuck")).await
    }

    async fn expect_done(&mut self, line: &str) -> Result<(), Failed> {
        match self.site.hardware(line).await?.as_str() {
            "done" => Ok(()),
            answer => Err(Failed::Wrong(format!("`{line}`: {answer}"))),
        }
    }

    /// How often a lock was pulsed, by the board's own count.
    pub(super) async fn pulses(&mut self, door: u16) -> Result<u32, Failed> {
        let seen = self.site.hardware(&format!("look locks 1 {door}")).await?;
        let count = seen.rsplit(' ').next().and_then(|count| count.parse().ok());
        count.ok_or(Failed::Wrong(format!("door {door}: {seen}")))
    }

    /// Up to the open door.
    pub(super) async fn begin_drop_off(&mut self, application: &str) -> Result<u16, Failed> {
        self.scan_pass_for(application).await?;
        door(&self.finger.touch(&ACCEPT, &["door-open"]).await?)
    }

    async fn scan_pass_for(&mut self, application: &str) -> Result<(), Failed> {
        self.finger.see(&["home"]).await?;
        let pass = self.approval.register(application, PERSON).await?;
        self.hide_pass(&pass);
        self.scan(&pass, &["checklist"]).await?;
        let slip = self.finger.touch(&ACCEPT, &["slip"]).await?;
        self.hide_slip(&slip)
    }

    pub(super) async fn end_drop_off(&mut self, door: u16) -> Result<(), Failed> {
        self.hand(door, "put").await?;
        self.shut(door, &["is-it-inside"]).await?;
        self.finger.touch(&Action::Yes, &["receipt"]).await?;
        self.finger.touch(&Action::Done, &["home"]).await?;
        self.done.drop_off += 1;
        Ok(())
    }

    pub(super) async fn drop_off(&mut self, application: &str) -> Result<u16, Failed> {
        let door = self.begin_drop_off(application).await?;
        self.end_drop_off(door).await?;
        Ok(door)
    }

    /// Without a pass: a service item, a phone number typed twice, a size; up to the receipt.
    pub(super) async fn walk_in(&mut self, phone: &str) -> Result<u16, Failed> {
        let item = "P-BIRTH-00".parse().expect("capitals, dashes, digits");
        let phone = Action::Phone {
            phone: phone.to_owned(),
        };
        self.finger.touch(&Action::StartDropOff, &["choose-item"]).await?;
        self.finger
            .touch(&Action::ChooseItem { item }, &["enter-phone"])
            .await?;
        self.finger.touch(&phone, &["enter-phone"]).await?;
        self.finger.touch(&phone, &["checklist"]).await?;
        let slip = self.finger.touch(&ACCEPT, &["slip"]).await?;
        self.hide_slip(&slip)?;
        let door = door(&self.finger.touch(&ACCEPT, &["door-open"]).await?)?;
        self.end_drop_off(door).await?;
        Ok(door)
    }

    /// The door that would open is jammed: which one it was, and which one it became.
    pub(super) async fn drop_off_with_a_stuck_door(
        &mut self,
        application: &str,
    ) -> Result<(u16, u16), Failed> {
        let stuck = self.next_door().await?;
        self.lock("break", stuck).await?;
        self.scan_pass_for(application).await?;
        self.finger.touch(&ACCEPT, &["is-door-open"]).await?;
        let other = self.say_not_open("door-open").await?;
        if door(&other)? == stuck || self.pulses(stuck).await? != 3 {
            return Err(Failed::Wrong(format!(
                "door {stuck} is jammed and was not given up"
            )));
        }
        self.end_drop_off(door(&other)?).await?;
        Ok((stuck, door(&other)?))
    }

    /// The small door within reach that will be offered next: the first whose lock was never pulsed.
    async fn next_door(&mut self) -> Result<u16, Failed> {
        for door in (3..=6).chain(9..=12) {
            if self.pulses(door).await? == 0 {
                return Ok(door);
            }
        }
        Err(Failed::Wrong(
            "every small door within reach was used already".into(),
        ))
    }

    /// "No, it is not open", as often as it is asked.
    async fn say_not_open(&mut self, until: &str) -> Result<Sight, Failed> {
        let no = Action::DoorIsOpen { open: false };
        loop {
            let sight = self
                .finger
                .touch(&no, &["opening", "is-door-open", until])
                .await?;
            if sight.screen() == until {
                return Ok(sight);
            }
            let sight = self.finger.see(&["is-door-open", until]).await?;
            if sight.screen() == until {
                return Ok(sight);
            }
        }
    }

    pub(super) async fn badge_and_pin(&mut self) -> Result<(), Failed> {
        self.finger.see(&["home"]).await?;
        let badge = self.badges[0].clone();
        self.badges.rotate_left(1);
        self.scan(&badge, &["enter-pin"]).await?;
        let digits = PIN.to_owned();
        self.finger
            .touch(&Action::Digits { digits }, &["staff-home"])
            .await?;
        Ok(())
    }

    pub(super) async fn leave_work(&mut self) -> Result<(), Failed> {
        self.finger.touch(&Action::EndRound, &["staff-home"]).await?;
        self.finger.touch(&Action::Done, &["home"]).await?;
        Ok(())
    }

    /// Empties all doors of a round; gives them in order.
    async fn round(&mut self, begin: Action) -> Result<Vec<u16>, Failed> {
        self.badge_and_pin().await?;
        let mut sight = self.finger.touch(&begin, &["round"]).await?;
        let mut doors = Vec::new();
        while sight.offers(&Action::OpenNext) {
            let door = door(&self.finger.touch(&Action::OpenNext, &["door-open"]).await?)?;
            self.hand(door, "take").await?;
            self.shut(door, &["took-everything"]).await?;
            sight = self.finger.touch(&Action::Yes, &["round"]).await?;
            doors.push(door);
        }
        self.leave_work().await?;
        Ok(doors)
    }

    pub(super) async fn clear(&mut self) -> Result<usize, Failed> {
        let doors = self.round(Action::StartClearing).await?;
        self.done.clearing += doors.len() as u64;
        Ok(doors.len())
    }

    pub(super) async fn recall_overdue(&mut self) -> Result<u16, Failed> {
        let doors = self.round(Action::StartRecall).await?;
        self.done.recall += doors.len() as u64;
        match doors.as_slice() {
            [door] => Ok(*door),
            other => Err(Failed::Wrong(format!(
                "one consignment is overdue, recalled were {other:?}"
            ))),
        }
    }

    /// Looks into the one compartment that is in doubt, finds the envelope, and says so.
    pub(super) async fn inspect(&mut self) -> Result<u16, Failed> {
        self.badge_and_pin().await?;
        self.finger.touch(&Action::StartInspection, &["round"]).await?;
        let door = door(&self.finger.touch(&Action::OpenNext, &["door-open"]).await?)?;
        self.shut(door, &["what-is-inside"]).await?;
        self.finger.touch(&Action::Inside, &["round"]).await?;
        self.leave_work().await?;
        Ok(door)
    }

    /// Announced by the office, put in by the courier; gives the code that the citizen's phone shows.
    pub(super) async fn place(&mut self, label: &str) -> Result<PickupCode, Failed> {
        let cabinet = self.site.cabinet().clone();
        let before = self.applied("expected").await?;
        self.approval.expect(&cabinet, label, "A-1001", PERSON).await?;
        self.taken("expected", before).await?;
        self.badge_and_pin().await?;
        self.finger
            .touch(&Action::StartPlacing, &["placing-scan"])
            .await?;
        let door = door(&self.scan(label, &["door-open"]).await?)?;
        self.hand(door, "put").await?;
        self.shut(door, &["placing-scan"]).await?;
        self.leave_work().await?;
        self.done.placing += 1;
        self.told_code("placed", label).await
    }

    /// Waits for the text message with a code for this consignment.
    pub(super) async fn told_code(&mut self, kind: &str, label: &str) -> Result<PickupCode, Failed> {
        let mut heard = self.deliveries.heard();
        let told = |heard: &[crate::approval::HandOver]| {
            let this = heard
                .iter()
                .find(|told| told.kind == kind && told.consignment == label);
            this.and_then(|told| told.code.clone())
        };
        let waiting = heard.wait_for(|heard| told(heard).is_some());
        let arrived = timeout(DELIVERY_WITHIN, waiting).await;
        let code = arrived.ok().and_then(Result::ok).and_then(|heard| told(&heard));
        code.ok_or_else(|| Failed::Wrong(format!("no text message ({kind}) with the code for {label}")))
    }

    pub(super) async fn collect_by_qr(&mut self, code: &PickupCode) -> Result<u16, Failed> {
        self.finger.see(&["home"]).await?;
        let sight = self.scan(&code.qr, &["door-open"]).await?;
        self.take_everything(&sight).await
    }

    /// Somebody else, whom the office has authorised.
    pub(super) async fn collect_by_pass(&mut self, pass: &str) -> Result<u16, Failed> {
        self.finger.see(&["home"]).await?;
        let sight = self.scan(pass, &["door-open"]).await?;
        self.take_everything(&sight).await
    }

    pub(super) async fn collect_by_digits(&mut self, code: &PickupCode) -> Result<u16, Failed> {
        self.finger
            .touch(&Action::StartCollection, &["enter-digits"])
            .await?;
        let digits = code.digits.clone();
        let sight = self
            .finger
            .touch(&Action::Digits { digits }, &["door-open"])
            .await?;
        self.take_everything(&sight).await
    }

    pub(super) async fn take_everything(&mut self, sight: &Sight) -> Result<u16, Failed> {
        let door = door(sight)?;
        self.hand(door, "take").await?;
        self.shut(door, &["took-everything"]).await?;
        self.finger.touch(&Action::Yes, &["done"]).await?;
        self.finger.touch(&Action::Done, &["home"]).await?;
        self.done.collection += 1;
        Ok(door)
    }

    /// A code whose consignment was collected opens nothing.
    pub(super) async fn refused_again(&mut self, code: &PickupCode) -> Result<(), Failed> {
        self.scan(&code.qr, &["scan-problem"]).await?;
        self.finger.touch(&Action::Back, &["home"]).await?;
        Ok(())
    }

    /// The right code, and a door that does not move; repaired in the end.
    pub(super) async fn collection_fails(&mut self, code: &PickupCode) -> Result<u16, Failed> {
        let heard = self.deliveries.heard();
        let found = heard
            .borrow()
            .iter()
            .rev()
            .find(|told| told.kind == "placed")
            .cloned();
        let door = found.map(|told| told.compartment).unwrap_or_default();
        self.lock("break", door).await?;
        self.scan(&code.qr, &["is-door-open"]).await?;
        self.say_not_open("sorry").await?;
        self.finger.touch(&Action::Done, &["home"]).await?;
        self.alarm_raised("door-jammed", door).await?;
        self.lock("repair", door).await?;
        Ok(door)
    }

    pub(super) async fn wrong_digits(&mut self, digits: &str) -> Result<(), Failed> {
        self.finger
            .touch(&Action::StartCollection, &["enter-digits"])
            .await?;
        let digits = digits.to_owned();
        self.finger
            .touch(&Action::Digits { digits }, &["enter-digits"])
            .await?;
        self.finger
            .see_that("a warning", |sight| sight.says("class=\"warning\""))
            .await?;
        self.finger.touch(&Action::Back, &["home"]).await?;
        Ok(())
    }
}

pub(super) fn door(sight: &Sight) -> Result<u16, Failed> {
    let number = sight.door();
    number.ok_or_else(|| Failed::Wrong(format!("the screen {} names no door", sight.screen())))
}
