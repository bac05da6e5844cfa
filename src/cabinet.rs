//! The part that decides. Pure: no clock, no dice, no IO; a moment and an input give events to make durable and effects to carry out.
//!
//! The ledger changes only by events; sessions, readings and board health are volatile. Deadlines follow from the state, they are
//! never scheduled. A business refusal is a screen or an event, never an error, so nothing here returns a `Result`.

mod allocation;
mod authority;
mod checkpoint;
mod code;
mod collection;
mod command;
mod commissioning;
mod credential;
mod door;
mod drop_off;
mod guard;
mod hardware;
pub mod label;
mod ledger;
pub mod limits;
mod placing;
mod proving;
pub mod report;
mod round;
pub mod screen;
mod session;
mod show;
mod staff;
mod standing;
mod startup;
mod tap;
#[cfg(test)]
mod tests;
mod visit;
pub mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};

use office_protocol::event::{Alarm, Clock, CodeHashes, CompartmentLayout, Size};
use office_protocol::state::{BoardRefusal, StandingAlarm};
use office_protocol::{
    BoardId, CabinetId, CompartmentId, Digest, Event, EventBody, ItemCode, PickupCode, PortName, SealedPart,
    Seq, SigningKey, Timestamp, VerifyingKey,
};
use rand_chacha::ChaCha20Rng;

pub use authority::Authority;
pub use checkpoint::InvalidCheckpoint;
pub use code::same as same_hash;
pub use ledger::{Compartment, Consignment, Direction, Ledger, OpenCommands, Tries, Visit};

use authority::Today;
use code::CodeKey;
use door::Work;
use screen::{KeyStep, SessionId};
use session::Session;
use vocabulary::{Dice, Effect, Input, Moment, Monotonic, Recorded, Space, Step};

/// What a cabinet is told once: who it is and how it is built.
pub struct Config {
    /// Its name.
    pub id: CabinetId,
    /// Its identity: signs receipts, and codes are hashed under a key derived from it.
    pub key: SigningKey,
    /// The office's root, pinned at enrolment.
    pub root: VerifyingKey,
    /// Its compartments, each with its lock.
    pub layout: Vec<CompartmentLayout>,
    /// Its lock boards whose protocol is authenticated; on the other boards' wires anybody can say what the cabinet says.
    pub protected: BTreeSet<BoardId>,
    /// The service items that it takes without a pass, and how large a compartment they need.
    pub items: BTreeMap<ItemCode, Size>,
}

/// One cabinet.
pub struct Cabinet {
    config: Config,
    code_key: CodeKey,
    ledger: Ledger,
    authority: Authority,
    session: Session,
    /// What happens at doors now, by visit.
    work: BTreeMap<Seq, Work>,
    /// Door readings since the start or since the board came back: closed or not.
    seen_closed: BTreeMap<CompartmentId, bool>,
    items_seen: BTreeMap<CompartmentId, bool>,
    /// Since when a sensor sees something that nobody put in.
    unexpected: BTreeMap<CompartmentId, Monotonic>,
    /// When each lock was pulsed last since the start.
    pulsed: BTreeMap<CompartmentId, Monotonic>,
    boards_lost: BTreeSet<BoardId>,
    /// Which of these say why.
    boards_refusing: BTreeMap<BoardId, BoardRefusal>,
    /// Lock ports whose echo is not as their settings say.
    echoes_wrong: BTreeSet<PortName>,
    /// At whose address another board answers as well.
    addresses_shared: BTreeSet<BoardId>,
    /// What feeds the cabinet, as far as a board has told.
    mains: Option<bool>,
    ports_lost: BTreeSet<PortName>,
    peripherals_lost: BTreeSet<PortName>,
    online: bool,
    space: Space,
    /// No typed secret is looked at before this.
    no_try_before: Option<Monotonic>,
    restart_wanted: bool,
    shown: Option<screen::Screen>,
    moment: Now,
    step: Step,
}

/// The moment of the step under way.
struct Now {
    now: Monotonic,
    wall: Timestamp,
    trusted: bool,
    dice: ChaCha20Rng,
}

impl Cabinet {
    /// A cabinet with a restored (or empty) ledger. Its first input must be [`Input::Started`].
    pub fn new(config: Config, ledger: Ledger) -> Self {
        let authority = Authority::new(config.id.clone(), config.root.clone());
        let now = Monotonic::default();
        Self {
            code_key: CodeKey::derive(&config.key),
            authority,
            session: Session::new(SessionId(ledger.tip.seq.0), 0, now),
            ledger,
            config,
            work: BTreeMap::new(),
            seen_closed: BTreeMap::new(),
            items_seen: BTreeMap::new(),
            unexpected: BTreeMap::new(),
            pulsed: BTreeMap::new(),
            boards_lost: BTreeSet::new(),
            boards_refusing: BTreeMap::new(),
            echoes_wrong: BTreeSet::new(),
            addresses_shared: BTreeSet::new(),
            mains: None,
            ports_lost: BTreeSet::new(),
            peripherals_lost: BTreeSet::new(),
            online: false,
            space: Space::Plenty,
            no_try_before: None,
            restart_wanted: false,
            shown: None,
            moment: Now {
                now,
                wall: Timestamp::default(),
                trusted: false,
                dice: Dice::new([0; 32]).generator(),
            },
            step: Step::default(),
        }
    }

    /// What is kept of a code.
    pub fn hashes_of(&self, code: &PickupCode) -> CodeHashes {
        self.code_key.hashes(code)
    }

    /// Decides.
    pub fn handle(&mut self, moment: &Moment, input: Input) -> Step {
        self.begin(moment);
        // A message leads to nothing but its own: what else has changed shows at the next input, within a minute.
        let message = matches!(
            input,
            Input::ForgerySeen | Input::CommandReceived(_) | Input::DocumentReceived { .. }
        );
        self.dispatch(input);
        self.halve_tries();
        self.settle_deadlines();
        if !message {
            self.note_standing();
        }
        self.restart_when_idle();
        self.note_screen();
        std::mem::take(&mut self.step)
    }

    fn begin(&mut self, moment: &Moment) {
        self.moment = Now {
            now: moment.now,
            wall: moment.wall,
            trusted: moment.trusted,
            dice: moment.dice.generator(),
        };
    }

    fn dispatch(&mut self, input: Input) {
        match input {
            Input::Started(startup) => self.start(*startup),
            Input::TechnicianAtMachine { staff } => self.admit_at_machine(staff),
            Input::Scanned { text } => self.scanned(&text),
            Input::ScanUnreadable => self.scan_unreadable(),
            Input::Tapped(tap) => self.tapped(tap),
            Input::DoorRead {
                compartment,
                open,
                first,
            } => self.door_read(compartment, open, first),
            Input::ItemRead { compartment, present } => {
                self.items_seen.insert(compartment, present);
            }
            Input::UnlockAnswered { unlock, outcome } => self.unlock_answered(unlock, outcome),
            Input::BoardLost { board } => self.board_lost(board),
            Input::BoardFound { board } => self.board_found(board),
            Input::BoardRefused { board, why } => self.board_refused(board, why),
            Input::BoardKeyAgreed { board, key, by } => {
                self.record(EventBody::BoardKeyAgreed { board, key, by });
                self.effect(Effect::KeepBoardKey { board });
            }
            Input::BoardKeyInstalled { board, key } => {
                self.record(EventBody::BoardKeyInstalled { board, key });
                self.key_came(board, KeyStep::Installed);
            }
            Input::BoardKeyRefused { board, problem } => self.key_came(board, KeyStep::Failed(problem)),
            Input::PortLost { port } => self.port_lost(port),
            Input::PortFound { port } => self.port_found(port),
            Input::PeripheralLost { port } => self.peripheral_lost(port),
            Input::PeripheralFound { port } => self.peripheral_found(port),
            Input::AddressShared { board, port, address } => self.address_shared(board, port, address),
            Input::AddressAlone { board } => self.address_alone(board),
            Input::EchoWrong { port, .. } => self.echo_wrong(port),
            Input::EchoRight { port } => self.echo_right(&port),
            Input::Tampered { source } => {
                self.diagnose(EventBody::Tampered { source });
                self.raise(Alarm::Tampered, None);
            }
            Input::PowerChanged { mains } => self.power_changed(mains),
            Input::LinkChanged { online } => self.online = online,
            Input::Acknowledged { tip } => self.start_holds(tip.seq),
            Input::ForgerySeen => self.raise(Alarm::Forgery, None),
            Input::CommandReceived(signed) => self.command_received(&signed),
            Input::DocumentReceived { name, signed } => self.document_received(name, signed),
            Input::WiringWritten(outcome) => self.wiring_written(outcome),
            Input::ReportKept(outcome) => self.report_kept(outcome),
            Input::SpaceChanged(space) => self.space_changed(space),
            Input::DeadlineReached => {}
        }
    }

    /// The ledger, for checks and for screens that list it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The office's documents in force.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Compartments where somebody stands at a door: their boards are read without gaps. A door that stays open is left to the usual
    /// rounds of reading.
    pub fn watched(&self) -> impl Iterator<Item = CompartmentId> + '_ {
        let stays_open =
            |seq: &Seq, visit: &Visit| visit.left_open || self.work.get(seq).is_some_and(|work| work.alarmed);
        let visits = self.ledger.visits.iter();
        visits
            .filter(move |(seq, visit)| visit.pulses > 0 && !stays_open(seq, visit))
            .map(|(_, visit)| visit.compartment)
    }

    fn today(&self) -> Today {
        let time = if self.moment.trusted {
            self.moment.wall.max(self.ledger.floor)
        } else {
            self.ledger.floor
        };
        Today {
            time,
            trusted: self.moment.trusted,
        }
    }

    fn dice(&mut self) -> &mut ChaCha20Rng {
        &mut self.moment.dice
    }

    fn next_seq(&self) -> Seq {
        self.ledger.tip.seq.next()
    }

    /// Records an event that belongs to no visit.
    fn record(&mut self, body: EventBody) -> Seq {
        self.write(None, body, Vec::new())
    }

    /// Records an event of a visit.
    fn record_in(&mut self, visit: Seq, body: EventBody) -> Seq {
        self.write(Some(visit), body, Vec::new())
    }

    /// Records an event that nothing depends on; not when the rest of the disk is kept for collections.
    fn diagnose(&mut self, body: EventBody) {
        if self.space < Space::Reserve {
            self.record(body);
        }
    }

    fn write(&mut self, visit: Option<Seq>, body: EventBody, sealed: Vec<SealedPart>) -> Seq {
        let seq = self.next_seq();
        let start = if let EventBody::Started { start, .. } = &body {
            *start
        } else {
            self.ledger.start
        };
        let event = Event {
            start,
            source: self.config.id.clone(),
            time: self.moment.wall.max(self.ledger.floor),
            clock: if self.moment.trusted {
                Clock::Trusted
            } else {
                Clock::Untrusted
            },
            seq,
            previous: self.ledger.tip.hash,
            visit,
            body,
        };
        let bytes = event.to_bytes();
        self.ledger.apply(&event, Digest::of(&bytes));
        self.step.events.push(Recorded {
            seq,
            event: bytes,
            sealed,
        });
        seq
    }

    fn effect(&mut self, effect: Effect) {
        self.step.effects.push(effect);
    }

    fn raise(&mut self, alarm: Alarm, compartment: Option<CompartmentId>) {
        if !self.ledger.alarms.contains(&StandingAlarm { alarm, compartment }) {
            self.record(EventBody::AlarmRaised { alarm, compartment });
        }
    }

    fn clear(&mut self, alarm: Alarm, compartment: Option<CompartmentId>) {
        if self.ledger.alarms.contains(&StandingAlarm { alarm, compartment }) {
            self.record(EventBody::AlarmCleared { alarm, compartment });
        }
    }

    fn clear_if(&mut self, over: bool, alarm: Alarm, compartment: Option<CompartmentId>) {
        if over {
            self.clear(alarm, compartment);
        }
    }

    fn space_changed(&mut self, space: Space) {
        self.space = Space::Plenty; // the alarm itself is always written
        if space > Space::Plenty {
            self.raise(Alarm::StorageLow, None);
        } else {
            self.clear(Alarm::StorageLow, None);
        }
        self.space = space;
    }
}
