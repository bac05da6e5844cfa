//! One board as its controller knows it: keys, and how far the session or a new key is.

use crate::words::{Board, Command, Content};

use super::content::{Answered, Asked, Offer, VERSION};
use super::controller::{DOUBT_MS, Refusal};
use super::key::{Key, KeyId, Keys, Nonce, Slot};
use super::packet::{GREETING, HEADER, Kind, Packet};

#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) board: Board,
    pub(super) keys: Keys,
    state: State,
    /// The key that a handshake tried last, where there are two.
    tried: Slot,
    /// The label's secret, while an installation is wanted.
    label: Option<Key>,
    /// A new key is wanted by way of the old one.
    replacing: bool,
    /// Agreed on; waits until it is kept.
    pub(super) candidate: Option<Key>,
    pub(super) offer: Option<Offer>,
    pub(super) refusal: Option<Refusal>,
}

#[derive(Clone, Debug)]
enum State {
    Idle,
    Greeted { nonce: Nonce, slot: Option<Slot> },
    Welcomed { session: Key, slot: Slot },
    Beginning { session: Key, slot: Slot },
    Open(Session),
    Installing { label: Key, nonce: Nonce },
    Prepared { session: Key },
    Committing { session: Key },
}

#[derive(Clone, Debug)]
struct Session {
    key: Key,
    /// The last request's.
    counter: u64,
    /// What was asked and not answered yet.
    open: Option<Asked>,
}

impl Session {
    /// The sealed request under the next number; none if this family has no code for it.
    fn ask(&mut self, board: Board, asked: Asked) -> Option<Packet> {
        let mut plain = Packet::empty();
        asked.put(&mut plain)?;
        self.counter = self.counter.checked_add(1)?;
        self.open = Some(asked);
        Some(sealed_request(board, &self.key, self.counter, &plain))
    }

    /// What a sealed answer to the open request says.
    fn answered(&mut self, packet: &Packet) -> Option<Answered> {
        self.open?;
        let plain = packet.open(&self.key, Kind::Answer, self.counter, HEADER)?;
        Answered::of(&plain)
    }
}

/// A board may have more locks than were asked for: only those count.
fn covering(command: Command, content: Content) -> Content {
    match (command, content) {
        (Command::ReadAll { channels }, Content::State(mut state))
            if (1..state.channels).contains(&channels) =>
        {
            let asked = u64::MAX >> (64 - u32::from(channels));
            state.channels = channels;
            state.doors.known &= asked;
            state.doors.open &= asked;
            state.items = state.items.map(|items| items & asked);
            Content::State(state)
        }
        _ => content,
    }
}

fn sealed_request(board: Board, session: &Key, counter: u64, plain: &[u8]) -> Packet {
    let mut packet = Packet::new(board, Kind::Request);
    packet.extend(&counter.to_le_bytes()[..2]);
    packet.seal(session, Kind::Request, counter, plain);
    packet
}

impl Peer {
    /// Nothing has happened yet.
    pub(super) fn new(board: Board, keys: Keys) -> Self {
        Self {
            board,
            keys,
            state: State::Idle,
            tried: Slot::Current,
            label: None,
            replacing: false,
            candidate: None,
            offer: None,
            refusal: None,
        }
    }

    pub(super) fn install(&mut self, label: Key) {
        self.state = State::Idle;
        self.candidate = None;
        self.label = Some(label);
    }

    pub(super) fn replace(&mut self) {
        self.candidate = None;
        self.replacing = true;
    }

    /// The candidate becomes the next key. An installation still has to be committed; a replacement only has to
    /// be used.
    pub(super) fn adopt(&mut self) {
        let Some(key) = self.candidate.take() else { return };
        self.keys.next = Some(key);
        self.tried = Slot::Current;
        if !matches!(self.state, State::Prepared { .. }) {
            self.state = State::Idle;
        }
    }

    /// Whether a step of ours comes before anything else. A candidate waits for who keeps it.
    pub(super) const fn owes(&self, silent_ms: u64) -> bool {
        match &self.state {
            _ if self.candidate.is_some() => false,
            State::Open(session) => session.open.is_some() || silent_ms >= DOUBT_MS || self.replacing,
            State::Idle
            | State::Greeted { .. }
            | State::Welcomed { .. }
            | State::Beginning { .. }
            | State::Installing { .. }
            | State::Prepared { .. }
            | State::Committing { .. } => true,
        }
    }

    /// Whether there is a session and nothing is open in it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(&self.state, State::Open(session) if session.open.is_none())
    }

    /// The low bits of the last request's number.
    pub(super) const fn sequence(&self) -> u8 {
        match &self.state {
            State::Open(session) => session.counter.to_le_bytes()[0],
            State::Idle
            | State::Greeted { .. }
            | State::Welcomed { .. }
            | State::Beginning { .. }
            | State::Installing { .. }
            | State::Prepared { .. }
            | State::Committing { .. } => 0,
        }
    }

    /// In a session where nothing is open; none otherwise.
    pub(super) fn ask(&mut self, command: Command) -> Option<Packet> {
        if let State::Open(session) = &mut self.state
            && session.open.is_none()
        {
            session.ask(self.board, Asked::Command(command))
        } else {
            None
        }
    }

    /// The next step towards a session or a key; from the start again where the one before was not answered.
    pub(super) fn step(&mut self, nonce: Nonce) -> Option<Packet> {
        self.refusal = None;
        if let Some(label) = self.label.clone() {
            let mut hello = Packet::new(self.board, Kind::InstallHello);
            hello.extend(&nonce);
            self.state = State::Installing { label, nonce };
            return Some(hello);
        }
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Prepared { session } => {
                let key = self.keys.next.as_ref()?;
                let mut commit = Packet::new(self.board, Kind::InstallCommit);
                commit.seal(&session, Kind::InstallCommit, 0, &key.id().0);
                self.state = State::Committing { session };
                Some(commit)
            }
            State::Welcomed { session, slot } => {
                let mut plain = Packet::empty();
                Asked::Begin(VERSION).put(&mut plain)?;
                let begin = sealed_request(self.board, &session, 1, &plain);
                self.state = State::Beginning { session, slot };
                Some(begin)
            }
            State::Open(mut session) if self.replacing && session.open.is_none() => {
                let asked = session.ask(self.board, Asked::NewKey(nonce));
                self.state = State::Open(session);
                asked
            }
            State::Idle
            | State::Greeted { .. }
            | State::Beginning { .. }
            | State::Open(_)
            | State::Installing { .. }
            | State::Committing { .. } => Some(self.greet(nonce)),
        }
    }

    /// With two keys they are tried in turn, the newer one first.
    fn greet(&mut self, nonce: Nonce) -> Packet {
        let slot = match (&self.keys.current, &self.keys.next, self.tried) {
            (None, None, _) => None,
            (Some(_), None, _) | (Some(_), Some(_), Slot::Next) => Some(Slot::Current),
            (None, Some(_), _) | (Some(_), Some(_), Slot::Current) => Some(Slot::Next),
        };
        self.tried = slot.unwrap_or(Slot::Current);
        let key = slot.and_then(|slot| self.keys.in_slot(slot));
        // Without a key a board can only say that it knows none: that it is there.
        let id = key.map_or(KeyId([0; 4]), Key::id);
        let mut hello = Packet::new(self.board, Kind::Hello);
        hello.extend(&nonce);
        hello.extend(&id.0);
        self.state = State::Greeted { nonce, slot };
        hello
    }

    pub(super) fn hear(&mut self, kind: Kind, packet: &Packet) -> Option<Content> {
        match kind {
            Kind::Welcome => self.welcomed(packet),
            Kind::Answer => self.answered(packet),
            Kind::InstallWelcome => self.prepared(packet),
            Kind::Installed => self.installed(packet),
            Kind::Refusal => {
                self.refused(packet);
                None
            }
            Kind::Hello | Kind::Request | Kind::InstallHello | Kind::InstallCommit => None,
        }
    }

    fn welcomed(&mut self, packet: &Packet) -> Option<Content> {
        let State::Greeted {
            nonce,
            slot: Some(slot),
        } = self.state
        else {
            return None;
        };
        let session = self.keys.in_slot(slot)?.session(&nonce, &packet.nonce()?);
        let offer = Offer::of(&packet.open(&session, Kind::Welcome, 0, GREETING)?)?;
        self.offer = Some(offer);
        if !offer.speaks(VERSION) {
            self.refusal = Some(Refusal::NoCommonVersion(offer));
            return None;
        }
        self.state = State::Welcomed { session, slot };
        Some(Content::Handshake)
    }

    fn answered(&mut self, packet: &Packet) -> Option<Content> {
        match &mut self.state {
            State::Beginning { session, slot } => {
                let plain = packet.open(session, Kind::Answer, 1, HEADER)?;
                if Answered::of(&plain)? != Answered::Begin(VERSION) {
                    return None;
                }
                self.keys.proven(*slot);
                self.state = State::Open(Session {
                    key: session.clone(),
                    counter: 1,
                    open: None,
                });
                Some(Content::Handshake)
            }
            State::Open(session) => {
                let answered = session.answered(packet)?;
                match (session.open.take()?, answered) {
                    (Asked::Command(command), Answered::Content(content)) => Some(covering(command, content)),
                    (Asked::NewKey(ours), Answered::NewKey(theirs)) => {
                        self.replacing = false;
                        self.candidate = Some(self.keys.current.as_ref()?.replacement(&ours, &theirs));
                        Some(Content::Handshake)
                    }
                    _ => None,
                }
            }
            State::Idle
            | State::Greeted { .. }
            | State::Welcomed { .. }
            | State::Installing { .. }
            | State::Prepared { .. }
            | State::Committing { .. } => None,
        }
    }

    fn prepared(&mut self, packet: &Packet) -> Option<Content> {
        let State::Installing { label, nonce } = &self.state else {
            return None;
        };
        let session = label.installation(nonce, &packet.nonce()?);
        self.offer = Some(Offer::of(&packet.open(
            &session,
            Kind::InstallWelcome,
            0,
            GREETING,
        )?)?);
        self.candidate = Some(session.installed());
        self.label = None;
        self.state = State::Prepared { session };
        Some(Content::Handshake)
    }

    fn installed(&mut self, packet: &Packet) -> Option<Content> {
        let State::Committing { session } = &self.state else {
            return None;
        };
        packet.open(session, Kind::Installed, 0, HEADER)?;
        self.state = State::Idle;
        Some(Content::Handshake)
    }

    fn refused(&mut self, packet: &Packet) {
        let (Some(reason), Some(serial)) = (packet.get(HEADER), packet.get(HEADER + 1..)) else {
            return;
        };
        let Some(serial) = serial.first_chunk() else {
            return;
        };
        match (&self.state, reason) {
            (State::Greeted { .. }, 1) => self.refusal = Some(Refusal::UnknownKey(*serial)),
            (State::Installing { .. }, 2) => self.refusal = Some(Refusal::ButtonNotHeld(*serial)),
            _ => {}
        }
    }
}
