//! Who comes to the cabinet, one after the other, and what the city knows meanwhile: slips, letters, labels.

use std::collections::VecDeque;

use office_protocol::event::{Size, StaffRole};
use office_protocol::{ConsignmentId, Event, EventBody, PersonId, PickupCode, Timestamp};

use super::bench::Bench;
use super::dice::Dice;
use super::office::{BADGE, Office, Wrong};
use super::people::{
    Collecting, Courier, DroppingOff, Errand, Letter, Person, Slip, TakingBack, Technician, Vandal,
};
use super::swarm::{Kind, Swarm};

/// Slips and letters that are remembered.
const MEMORY_MAX: usize = 40;

/// Everybody who may come.
pub(super) struct Crowd {
    pub(super) dice: Dice,
    pub(super) at_screen: Option<Person>,
    acts_at: u64,
    next_at: Option<u64>,
    closed: bool,
    waited: u8,
    count: u64,
    labels: u64,
    slips: VecDeque<Slip>,
    pub(super) letters: VecDeque<Letter>,
    used: VecDeque<String>,
    /// Codes of what has been collected.
    over: VecDeque<String>,
    people: Vec<(Kind, u64)>,
    careful: u64,
    forgetful: u64,
    quiet_ms: u64,
    mistakes: u64,
    /// Nobody has been here yet, and somebody must prove the locks first.
    unproven: bool,
    /// Technicians sign a report: where they find what the settings do not say.
    reports: bool,
}

impl Crowd {
    pub(super) fn new(seed: u64, swarm: &Swarm) -> Self {
        Self {
            people: swarm.people.clone(),
            careful: swarm.careful,
            forgetful: swarm.forgetful,
            quiet_ms: swarm.quiet_ms,
            mistakes: swarm.mistakes,
            unproven: !swarm.served,
            reports: !swarm.build.told,
            dice: Dice::new(seed, 4),
            at_screen: None,
            acts_at: 0,
            next_at: Some(20_000),
            closed: false,
            waited: 0,
            count: 0,
            labels: 0,
            slips: VecDeque::new(),
            letters: VecDeque::new(),
            used: VecDeque::new(),
            over: VecDeque::new(),
        }
    }

    /// When somebody comes or does something next.
    pub(super) fn next_time(&self) -> Option<u64> {
        if self.at_screen.is_some() {
            Some(self.acts_at)
        } else {
            self.next_at
        }
    }

    /// Nobody comes any more by themselves.
    pub(super) fn disperse(&mut self) {
        self.closed = true;
        self.at_screen = None;
        self.next_at = None;
    }

    /// The next one, if it is time and nobody is there.
    pub(super) fn arrive(&mut self, now: u64, wall: Timestamp, office: &mut Office) -> Option<Person> {
        if self.at_screen.is_some() || self.next_at.is_none_or(|at| at > now) {
            return None;
        }
        self.next_at = None;
        self.waited = 0;
        let errand = if std::mem::take(&mut self.unproven) {
            self.technician(wall, office)
        } else {
            self.errand(wall, office)
        };
        if errand.is_none() {
            self.next_at = Some(now + 30_000);
        }
        self.somebody(errand?)
    }

    fn somebody(&mut self, errand: Errand) -> Option<Person> {
        self.count += 1;
        let kind = match &errand {
            Errand::DropOff(_) => "drop-off",
            Errand::TakeBack(_) => "take-back",
            Errand::Collect(_) => "collector",
            Errand::Courier(_) => "courier",
            Errand::Technician(_) => "technician",
            Errand::Vandal(_) => "vandal",
        };
        let name = format!("{kind} {}", self.count);
        Some(Person::new(
            errand,
            name,
            (self.careful, self.forgetful),
            &mut self.dice,
        ))
    }

    fn errand(&mut self, wall: Timestamp, office: &mut Office) -> Option<Errand> {
        Some(match *self.dice.weighted(&self.people)? {
            Kind::DropOff => {
                let pass = if self.dice.percent(70) {
                    let again = self.used.pop_front().filter(|_| self.dice.percent(10));
                    let wrong = self.wrong();
                    let fresh = || Some(office.drop_off_pass(wall, &mut self.dice, wrong)?.text);
                    let pass = again.or_else(fresh)?;
                    remember(&mut self.used, pass.clone());
                    Some(pass)
                } else {
                    None
                };
                let phone = self.dice.percent(50).then(|| self.dice.digits(11));
                Errand::DropOff(DroppingOff::new(pass, phone))
            }
            Kind::TakeBack => Errand::TakeBack(TakingBack::new(self.slips.pop_front()?)),
            Kind::Collect => {
                let index = usize::try_from(self.dice.below(self.letters.len() as u64)).unwrap_or(0);
                let letter = self.letters.get(index)?.clone();
                if self.dice.percent(80) {
                    self.letters.remove(index);
                }
                let generation = letter.generation + u32::from(self.dice.percent(70));
                let pass = if self.dice.percent(25) {
                    office.collection_pass(&letter.consignment, generation, wall)
                } else {
                    None
                };
                Errand::Collect(Collecting::new(letter, pass))
            }
            Kind::Courier => self.courier(wall, office)?,
            Kind::Technician => self.technician(wall, office)?,
            Kind::Vandal => self.vandal(wall, office)?,
        })
    }

    fn technician(&mut self, wall: Timestamp, office: &mut Office) -> Option<Errand> {
        let credential = office.staff_pass(StaffRole::Technician, wall)?;
        let (withdraws, replaces) = (self.dice.percent(40), self.dice.percent(15));
        let technician = Technician::new(credential, withdraws, replaces, self.reports);
        Some(Errand::Technician(technician))
    }

    /// What is wrong with a pass, if anything.
    fn wrong(&mut self) -> Wrong {
        let mistaken = self.dice.percent(self.mistakes);
        match self.dice.below(12) {
            0 => Wrong::Expired,
            1 => Wrong::Forged,
            2 => Wrong::Elsewhere,
            3 if mistaken => Wrong::Revoked,
            4 if mistaken => Wrong::TooEarly,
            _ => Wrong::Nothing,
        }
    }

    /// Somebody with noise, forgeries, and codes and passes that are over.
    fn vandal(&mut self, wall: Timestamp, office: &mut Office) -> Option<Errand> {
        let mut texts = vec![
            "garbage".to_owned(),
            "LP1:ELSEWHERE-1:0123456789ABCDEFGHJKMNPQRS".to_owned(),
            "LP1:PORT-7:0123456789ABCDEFGHJKMNPQRS".to_owned(),
            "LK1:NCFOXN%TSMAHN-H".to_owned(),
            office.drop_off_pass(wall, &mut self.dice, Wrong::Forged)?.text,
            office.unknown_staff_pass(wall)?,
        ];
        texts.extend(self.used.front().cloned());
        texts.extend(self.over.iter().cloned());
        Some(Errand::Vandal(Vandal {
            texts,
            forces: self.dice.percent(40),
        }))
    }

    /// A courier with labels on the cart, some of which the office has announced.
    pub(super) fn courier(&mut self, wall: Timestamp, office: &mut Office) -> Option<Errand> {
        let mut labels = Vec::new();
        for _ in 0..self.dice.below(4) {
            self.labels += 1;
            let label = format!("L-{}", self.labels);
            if self.dice.percent(60) {
                let person: PersonId = format!("person-{}", self.dice.below(4)).parse().ok()?;
                let consignment: ConsignmentId = label.parse().ok()?;
                let size = *self.dice.pick(&[Size::Small, Size::Small, Size::Medium])?;
                office.expect(&consignment, &person, size)?;
            }
            labels.push(label);
        }
        let credential = if self.dice.percent(40) {
            BADGE.to_owned()
        } else {
            office.staff_pass(StaffRole::Courier, wall)?
        };
        Some(Errand::Courier(Courier::new(credential, labels)))
    }

    /// Stays and does something again then.
    pub(super) fn stay(&mut self, person: Person, at: u64) {
        self.at_screen = Some(person);
        self.acts_at = at;
    }

    /// Whoever is there does something then.
    pub(super) fn stay_until(&mut self, at: u64) {
        self.acts_at = at;
    }

    /// Before a dark screen for too long.
    pub(super) fn gives_up(&mut self) -> bool {
        self.waited += 1;
        self.waited > 6
    }

    pub(super) fn left(&mut self, person: &Person, now: u64) {
        if let Some(slip) = person.slip() {
            remember(&mut self.slips, slip);
        }
        let wait = if self.dice.percent(30) {
            2_000
        } else {
            self.dice.between(5_000, self.quiet_ms)
        };
        self.next_at = (!self.closed).then_some(now + wait);
    }

    /// An event is durable: the office writes its letters, and what was taken out is gone.
    // Of all events, the city hears of a few.
    #[allow(clippy::wildcard_enum_match_arm)]
    pub(super) fn happened(&mut self, event: &Event, code: Option<PickupCode>, bench: &mut Bench) {
        match &event.body {
            EventBody::Placed {
                consignment,
                generation,
                ..
            }
            | EventBody::CodeReissued {
                consignment,
                generation,
                ..
            } => {
                if let Some(code) = code {
                    let letter = Letter {
                        consignment: consignment.clone(),
                        generation: *generation,
                        code,
                    };
                    remember(&mut self.letters, letter);
                }
            }
            EventBody::Collected { compartment, .. } | EventBody::VisitSettled { compartment, .. } => {
                if !bench.contents(*compartment).is_empty() && self.at_screen.is_none() {
                    bench.tainted.insert(*compartment); // nobody was there to say what is inside
                }
                if let EventBody::Collected { consignment, .. } = &event.body {
                    let over = self
                        .letters
                        .iter()
                        .filter(|letter| letter.consignment == *consignment);
                    let over: Vec<String> = over.map(|letter| letter.code.qr.clone()).collect();
                    over.into_iter().for_each(|code| remember(&mut self.over, code));
                }
            }
            _ => {}
        }
    }
}

fn remember<T>(memory: &mut VecDeque<T>, item: T) {
    if memory.len() == MEMORY_MAX {
        memory.pop_front();
    }
    memory.push_back(item);
}
