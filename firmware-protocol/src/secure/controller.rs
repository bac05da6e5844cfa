//! The controller's end: a session with each board of one line, set up anew whenever one is in doubt.
//!
//! A session lives until one request in it goes unanswered or the board has been silent for too long. So no
//! pulse goes out in a session that may be dead, and nothing is ever sent twice.

use crate::accumulator::Scan;
use crate::family::Unsupported;
use crate::frame::Frame;
use crate::words::{Answer, Board, Command, Content, Request};

use super::content::{Answered, Asked, Offer, Serial, VERSION};
use super::key::{Key, KeyId, Keys, Nonce, Slot};
use super::packet::{Cut, GREETING, HEADER, Kind, Packet, cut};

/// The most boards on one line.
pub const BOARDS_MAX: usize = 32;
/// After so many silent milliseconds a session is not trusted any more: shorter than the board keeps it
/// ([`super::SESSION_MS`]), so that no request dies of old age on its way.
pub const DOUBT_MS: u64 = 1_500;

/// Why a board says that it will not. Anybody can say this: it is for people to read, and changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not know the key: install one.
    UnknownKey(Serial),
    /// Nobody holds its button.
    ButtonNotHeld(Serial),
    /// It speaks no version that we know: one of both needs an update. This one is proven.
    NoCommonVersion(Offer),
}

/// One line's sessions.
#[derive(Clone, Debug)]
pub struct Controller {
    dice: Option<Key>,
    drawn: u64,
    peers: [Option<Peer>; BOARDS_MAX],
}

#[derive(Clone, Debug)]
struct Peer {
    board: Board,
    keys: Keys,
    state: State,
    /// The key that a handshake tried last, where there are two.
    tried: Slot,
    /// The label's secret, while an installation is wanted.
    label: Option<Key>,
    /// A new key is wanted by way of the old one.
    replacing: bool,
    /// Agreed on; waits until it is kept.
    candidate: Option<Key>,
    offer: Option<Offer>,
    refusal: Option<Refusal>,
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

impl Controller {
    /// Knows no board and has no dice yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            dice: None,
            drawn: 0,
            peers: [const { None }; BOARDS_MAX],
        }
    }

    /// Gives it chance: 32 bytes that nobody can guess, drawn anew at every start. Without them there is no
    /// handshake.
    pub fn shuffle(&mut self, dice: [u8; 32]) {
        self.dice = Some(Key::new(dice));
        self.drawn = 0;
    }

    /// Tells it of a board and its keys; says whether there was room. Whatever was under way with it is over.
    pub fn meet(&mut self, board: Board, keys: Keys) -> bool {
        let place = self
            .peers
            .iter_mut()
            .find(|peer| peer.as_ref().is_none_or(|peer| peer.board == board));
        let Some(place) = place else { return false };
        *place = Some(Peer::new(board, keys));
        true
    }

    /// Its keys as they are now: after a session with the next key, that one is in force.
    #[must_use]
    pub fn keys(&self, board: Board) -> Option<&Keys> {
        Some(&self.peer(board)?.keys)
    }

    /// What the board offered when it was last heard, proven.
    #[must_use]
    pub fn offer(&self, board: Board) -> Option<Offer> {
        self.peer(board)?.offer
    }

    /// Why the board would not, if it said so since it was last greeted.
    #[must_use]
    pub fn refusal(&self, board: Board) -> Option<Refusal> {
        self.peer(board)?.refusal
    }

    /// Whether there is a session that nothing speaks against.
    #[must_use]
    pub fn is_open(&self, board: Board) -> bool {
        self.peer(board)
            .is_some_and(|peer| matches!(&peer.state, State::Open(session) if session.open.is_none()))
    }

    /// Wants a key installed by way of the secret on the board's label, while its button is held.
    /// The steps follow as handshakes until there is a [`Controller::candidate`].
    pub fn install(&mut self, board: Board, label: Key) {
        if let Some(peer) = self.peer_mut(board) {
            peer.state = State::Idle;
            peer.candidate = None;
            peer.label = Some(label);
        }
    }

    /// Wants the key replaced by way of the one in force. The steps follow as handshakes until there is a
    /// [`Controller::candidate`].
    pub fn replace(&mut self, board: Board) {
        if let Some(peer) = self.peer_mut(board) {
            peer.candidate = None;
            peer.replacing = true;
        }
    }

    /// The key that both ends have agreed on: to be kept, and journaled by its name, before
    /// [`Controller::adopt`].
    #[must_use]
    pub fn candidate(&self, board: Board) -> Option<&Key> {
        self.peer(board)?.candidate.as_ref()
    }

    /// The candidate is kept: it becomes the next key, and the handshakes that follow put it in force.
    pub fn adopt(&mut self, board: Board) {
        let Some(peer) = self.peer_mut(board) else { return };
        let Some(key) = peer.candidate.take() else { return };
        peer.keys.next = Some(key);
        peer.tried = Slot::Current;
        if !matches!(peer.state, State::Prepared { .. }) {
            peer.state = State::Idle;
        }
    }

    /// What comes before anything else with this board, [`Command::Handshake`] or nothing.
    #[must_use]
    pub fn owes(&self, board: Board, silent_ms: u64) -> Option<Command> {
        let owes = self.peer(board).is_none_or(|peer| match &peer.state {
            _ if peer.candidate.is_some() => false,
            State::Open(session) => session.open.is_some() || silent_ms >= DOUBT_MS || peer.replacing,
            State::Idle
            | State::Greeted { .. }
            | State::Welcomed { .. }
            | State::Beginning { .. }
            | State::Installing { .. }
            | State::Prepared { .. }
            | State::Committing { .. } => true,
        });
        owes.then_some(Command::Handshake)
    }

    /// Appends the request's frame.
    ///
    /// # Errors
    /// The command is none of this family's; or there is no session that it could go out in, no dice, or no
    /// such board.
    pub fn encode(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        let packet = if request.command == Command::Handshake {
            let nonce = self.draw().ok_or(Unsupported)?;
            self.peer_mut(request.board).and_then(|peer| peer.step(nonce))
        } else {
            self.peer_mut(request.board)
                .and_then(|peer| peer.ask(request.command))
        };
        packet.ok_or(Unsupported)?.put(frame);
        Ok(())
    }

    /// Looks for an answer at the first byte, and takes it if it is genuine.
    pub fn scan(&mut self, bytes: &[u8], ended: bool) -> Scan<Answer> {
        match cut(bytes, ended) {
            Cut::Incomplete => Scan::Incomplete,
            Cut::Rubbish { length } => Scan::Rubbish { length },
            Cut::Packet { length, packet } => match self.take(&packet) {
                Some(content) => Scan::Frame { length, content },
                // The zero at its end may be the one before the next.
                None => Scan::Rubbish { length: length - 1 },
            },
        }
    }

    fn take(&mut self, packet: &Packet) -> Option<Answer> {
        let (board, kind) = packet.header()?;
        let peer = self.peer_mut(board)?;
        let sequence = match &peer.state {
            State::Open(session) => session.counter.to_le_bytes()[0],
            State::Idle
            | State::Greeted { .. }
            | State::Welcomed { .. }
            | State::Beginning { .. }
            | State::Installing { .. }
            | State::Prepared { .. }
            | State::Committing { .. } => 0,
        };
        Some(Answer {
            board,
            sequence,
            content: peer.hear(kind, packet)?,
        })
    }

    fn draw(&mut self) -> Option<Nonce> {
        self.drawn = self.drawn.checked_add(1)?;
        Some(self.dice.as_ref()?.draw(self.drawn))
    }

    fn peer(&self, board: Board) -> Option<&Peer> {
        self.peers.iter().flatten().find(|peer| peer.board == board)
    }

    fn peer_mut(&mut self, board: Board) -> Option<&mut Peer> {
        self.peers.iter_mut().flatten().find(|peer| peer.board == board)
    }
}

impl Default for Controller {
    fn default() -> Self {
        Self::new()
    }
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
    fn new(board: Board, keys: Keys) -> Self {
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

    /// In a session where nothing is open; none otherwise.
    fn ask(&mut self, command: Command) -> Option<Packet> {
        if let State::Open(session) = &mut self.state
            && session.open.is_none()
        {
            session.ask(self.board, Asked::Command(command))
        } else {
            None
        }
    }

    /// The next step towards a session or a key; from the start again where the one before was not answered.
    fn step(&mut self, nonce: Nonce) -> Option<Packet> {
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

    fn hear(&mut self, kind: Kind, packet: &Packet) -> Option<Content> {
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
