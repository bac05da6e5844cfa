//! The cabinet's behaviour, flow by flow, on a bench with a clock that is turned by hand.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

mod checkpoints;
mod collecting;
mod commissioning;
mod handing_in;
mod monkey;
mod office;
mod proving;
mod staff;
mod troubles;

use office_protocol::document::{DocumentName, Expected, ExpectedConsignment, Policy, Staff, StaffMember};
use office_protocol::event::{BoardPlace, Clock, CompartmentLayout, Size, StaffRole, Wiring};
use office_protocol::sealed::OpeningKey;
use office_protocol::*;

use super::screen::{Action, Screen, Tap, View};
use super::vocabulary::*;
use super::{Cabinet, Config, Ledger};

pub(super) const PIN: &str = "4711";

/// One cabinet of six compartments: 1–2 small, 3–4 medium, 5–6 large; 6 is out of reach.
pub(super) struct Bench {
    pub(super) cabinet: Cabinet,
    /// What the settings say.
    layout: Vec<CompartmentLayout>,
    /// What was on disk before the first event.
    before: Ledger,
    pub(super) now: u64,
    pub(super) trusted: bool,
    dice: u8,
    pub(super) events: Vec<Event>,
    pub(super) sealed: Vec<SealedPart>,
    pub(super) effects: Vec<Effect>,
}

pub(super) fn id() -> CabinetId {
    "PORT-7".parse().unwrap()
}

pub(super) fn root() -> SigningKey {
    SigningKey::from_secret(&[1; 32])
}

pub(super) fn office() -> SigningKey {
    SigningKey::from_secret(&[2; 32])
}

pub(super) fn opening() -> OpeningKey {
    OpeningKey::from_secret(&[3; 32]).unwrap()
}

pub(super) fn config() -> Config {
    let layout = |number: u16| CompartmentLayout {
        id: CompartmentId(number),
        size: [Size::Small, Size::Medium, Size::Large][usize::from((number - 1) / 2)],
        reachable: number != 6,
        wiring: Some(wiring(number)),
    };
    Config {
        id: id(),
        key: SigningKey::from_secret(&[7; 32]),
        root: root().verifying_key(),
        layout: (1..=6).map(layout).collect(),
        protected: [BoardId(2)].into(),
        items: [("birth".parse().unwrap(), Size::Small)].into(),
    }
}

/// Compartment N is on channel N of board 1, its switch as documented.
pub(super) fn wiring(number: u16) -> Wiring {
    Wiring {
        board: BoardId(1),
        channel: u8::try_from(number).unwrap(),
        inverted: false,
        at: None,
    }
}

/// The same compartments, and where their board is reached.
pub(super) fn reached_at(place: u32) -> Vec<CompartmentLayout> {
    let mut layout = config().layout;
    for wiring in layout.iter_mut().filter_map(|place| place.wiring.as_mut()) {
        wiring.at = Some(BoardPlace(place));
    }
    layout
}

/// The ledger of a cabinet that a technician has been to: every lock is proven.
pub(super) fn commissioned() -> Ledger {
    let mut ledger = Ledger::default();
    let proven = |number: u16| EventBody::ChannelProven {
        compartment: CompartmentId(number),
        wiring: wiring(number),
        staff: "li".parse().unwrap(),
    };
    let built = EventBody::LayoutChanged {
        compartments: config().layout,
    };
    for body in std::iter::once(built).chain((1..=6).map(proven)) {
        let event = Event {
            start: Start(0),
            source: id(),
            time: Timestamp::from_millis(1_789_000_000_000),
            clock: Clock::Trusted,
            seq: ledger.tip.seq.next(),
            previous: ledger.tip.hash,
            visit: None,
            body,
        };
        ledger.apply(&event, Digest::of(&event.to_bytes()));
    }
    ledger
}

pub(super) fn document<T: serde::Serialize>(content: &T) -> Signed {
    Signed::new(
        &office(),
        Purpose::Document,
        &id(),
        serde_json::to_vec(content).unwrap(),
    )
}

fn pin_verifier() -> String {
    use argon2::password_hash::PasswordHasher;
    let cheap = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cheap);
    argon
        .hash_password_with_salt(PIN.as_bytes(), b"salt-for-tests")
        .unwrap()
        .to_string()
}

pub(super) fn documents() -> Vec<(DocumentName, Signed)> {
    let everything = vec![
        Purpose::Pass,
        Purpose::Command,
        Purpose::Document,
        Purpose::Position,
    ];
    let keys = KeySet {
        version: 1,
        keys: vec![OfficeKey {
            key: office().verifying_key(),
            purposes: everything,
        }],
        sealing: vec![opening().sealing_key().clone()],
    };
    let member = |name: &str, role| StaffMember {
        id: name.parse().unwrap(),
        roles: vec![role],
        badge: Some(Digest::of(format!("badge {name}").as_bytes())),
        pin: pin_verifier(),
        expires: Timestamp::from_millis(2_000_000_000_000),
    };
    let staff = Staff {
        version: 1,
        members: vec![
            member("wang", StaffRole::Courier),
            member("li", StaffRole::Technician),
        ],
    };
    let parcel = |name: &str| ExpectedConsignment {
        consignment: name.parse().unwrap(),
        application: "A-1".parse().unwrap(),
        person: "person-1".parse().unwrap(),
        size: Size::Small,
    };
    let expected = Expected {
        version: 1,
        consignments: vec![parcel("PERMIT-1"), parcel("PERMIT-2")],
    };
    let keys = Signed::new(
        &root(),
        Purpose::KeySet,
        &id(),
        serde_json::to_vec(&keys).unwrap(),
    );
    vec![
        (DocumentName::Keys, keys),
        (DocumentName::Staff, document(&staff)),
        (
            DocumentName::Policy,
            document(&Policy {
                version: 1,
                unverified_drop_offs_max: 2,
                ..Policy::default()
            }),
        ),
        (DocumentName::Expected, document(&expected)),
    ]
}

impl Bench {
    pub(super) fn new() -> Self {
        let mut bench = Self::asleep(commissioned());
        bench.start(1);
        bench
    }

    pub(super) fn asleep(ledger: Ledger) -> Self {
        let cabinet = Cabinet::new(config(), ledger.clone());
        Self {
            cabinet,
            layout: config().layout,
            before: ledger,
            now: 1_000,
            trusted: true,
            dice: 0,
            events: vec![],
            sealed: vec![],
            effects: vec![],
        }
    }

    pub(super) fn start(&mut self, start: u64) {
        self.start_with(start, documents());
    }

    /// Before the office has said anything.
    pub(super) fn start_without_documents(&mut self, start: u64) {
        self.start_with(start, vec![]);
    }

    fn start_with(&mut self, start: u64, documents: Vec<(DocumentName, Signed)>) {
        let startup = Startup {
            start: Start(start << 20),
            version: "0.1.0".into(),
            damage: None,
            touched: vec![],
            documents,
        };
        self.input(Input::Started(Box::new(startup)));
        for number in 1..=6 {
            self.input(Input::DoorRead {
                compartment: CompartmentId(number),
                open: false,
                first: true,
            });
        }
    }

    /// Stops without warning and starts again from what is on disk.
    pub(super) fn crash(&mut self) {
        self.crash_with(vec![]);
    }

    /// [`Bench::crash`]; these documents are on disk beside the usual ones.
    pub(super) fn crash_with(&mut self, more: Vec<(DocumentName, Signed)>) {
        let mut replayed = self.before.clone();
        for event in &self.events {
            replayed.apply(event, Digest::of(&event.to_bytes()));
        }
        assert_eq!(&replayed, self.cabinet.ledger(), "replay equals the live ledger");
        let restored = Ledger::from_checkpoint(&replayed.to_checkpoint()).unwrap();
        assert_eq!(restored, replayed, "a checkpoint restores the ledger");
        let config = Config {
            layout: self.layout.clone(),
            ..config()
        };
        self.cabinet = Cabinet::new(config, restored);
        self.now += 10_000;
        self.start_with(self.now, documents().into_iter().chain(more).collect());
    }

    /// Somebody changes the settings and starts the daemon again.
    pub(super) fn rewire(&mut self, layout: Vec<CompartmentLayout>) {
        self.layout = layout;
        self.crash();
    }

    pub(super) fn input(&mut self, input: Input) {
        self.dice = self.dice.wrapping_add(1);
        let moment = Moment {
            now: Monotonic::from_millis(self.now),
            wall: Timestamp::from_millis(1_790_000_000_000 + i64::try_from(self.now).unwrap()),
            trusted: self.trusted,
            dice: Dice::new([self.dice; 32]),
        };
        let step = self.cabinet.handle(&moment, input);
        for recorded in step.events {
            let event = Event::parse(&recorded.event).unwrap();
            assert_eq!(event.seq, recorded.seq);
            self.events.push(event);
            self.sealed.extend(recorded.sealed);
        }
        self.effects.extend(step.effects);
    }

    /// Lets time pass, stopping at every deadline.
    pub(super) fn wait(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(at) = self.cabinet.next_deadline().filter(|at| at.as_millis() <= end) {
            self.now = self.now.max(at.as_millis());
            self.input(Input::DeadlineReached);
            assert!(
                self.cabinet.next_deadline() != Some(at),
                "a deadline that has fired moves on"
            );
        }
        self.now = end;
    }

    pub(super) fn view(&self) -> View {
        self.cabinet.view()
    }

    pub(super) fn screen(&self) -> Screen {
        self.view().screen
    }

    pub(super) fn tap(&mut self, action: Action) {
        let View {
            session, revision, ..
        } = self.view();
        self.now += 100;
        self.input(Input::Tapped(Tap {
            session,
            revision,
            action,
        }));
    }

    pub(super) fn digits(&mut self, digits: &str) {
        self.tap(Action::Digits {
            digits: digits.into(),
        });
    }

    pub(super) fn scan(&mut self, text: &str) {
        self.now += 100;
        self.input(Input::Scanned { text: text.into() });
    }

    /// The compartment of the pulse that was sent last, and how many were sent in all.
    pub(super) fn pulses(&self) -> Vec<CompartmentId> {
        let pulse = |effect: &Effect| match effect {
            Effect::Unlock { compartment, .. } => Some(*compartment),
            _ => None,
        };
        self.effects.iter().filter_map(pulse).collect()
    }

    pub(super) fn door(&mut self, compartment: CompartmentId, open: bool) {
        self.now += 500;
        self.input(Input::DoorRead {
            compartment,
            open,
            first: false,
        });
    }

    /// The lock that was pulsed last opens, something is done, and the door is closed.
    pub(super) fn open_and_close(&mut self) -> CompartmentId {
        let compartment = *self.pulses().last().expect("a pulse");
        self.door(compartment, true);
        assert!(
            matches!(self.screen(), Screen::DoorOpen { .. }),
            "{:?}",
            self.screen()
        );
        self.door(compartment, false);
        compartment
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.events
            .iter()
            .map(|event| event.body.kind().trim_start_matches("locker."))
            .collect()
    }

    pub(super) fn happened(&self, kind: &str) -> usize {
        self.kinds().iter().filter(|happened| **happened == kind).count()
    }

    pub(super) fn admit(&mut self, name: &str) {
        self.scan(&format!("badge {name}"));
        self.digits(PIN);
        assert!(
            matches!(self.screen(), Screen::StaffHome { .. }),
            "{:?}",
            self.screen()
        );
    }

    /// A courier places one consignment; its plain code comes back as the office would read it.
    pub(super) fn place(&mut self, label: &str) -> PickupCode {
        self.admit("wang");
        self.tap(Action::StartPlacing);
        self.scan(label);
        self.open_and_close();
        self.tap(Action::EndRound);
        self.tap(Action::Done);
        self.last_code()
    }

    pub(super) fn last_code(&self) -> PickupCode {
        let part = self.sealed.last().expect("a sealed part");
        part.open(&opening(), &id()).unwrap().code.clone().unwrap()
    }

    pub(super) fn drop_off_pass(name: &str, compartments: u8) -> String {
        let kind = PassKind::DropOff {
            application: "A-1".parse().unwrap(),
            items: vec!["birth".parse().unwrap()],
            size: Size::Small,
            compartments,
        };
        Self::pass(name, kind)
    }

    pub(super) fn pass(name: &str, kind: PassKind) -> String {
        let pass = Pass {
            id: name.parse().unwrap(),
            not_before: Timestamp::from_millis(1_700_000_000_000),
            expires: Timestamp::from_millis(1_900_000_000_000),
            scope: Scope::Anywhere,
            kind,
        };
        pass.sign(&office())
    }

    /// A whole drop-off with a pass; the slip's QR text and digits.
    pub(super) fn drop_off(&mut self, name: &str) -> (String, String) {
        self.scan(&Self::drop_off_pass(name, 1));
        self.tap(Action::Accept { reachable: false });
        let Screen::Slip { qr, digits, .. } = self.screen() else {
            panic!("{:?}", self.screen())
        };
        self.tap(Action::Accept { reachable: false });
        self.open_and_close();
        self.tap(Action::Yes);
        assert!(matches!(self.screen(), Screen::Receipt { .. }));
        self.tap(Action::Done);
        (qr, digits)
    }
}
