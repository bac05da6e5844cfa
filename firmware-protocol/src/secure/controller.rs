//! The controller's end: a session with each board of one line, set up anew whenever one is in doubt.
//!
//! A session lives until one request in it goes unanswered or the board has been silent for too long. So no
//! pulse goes out in a session that may be dead, and nothing is ever sent twice.

use crate::accumulator::Scan;
use crate::family::Unsupported;
use crate::frame::Frame;
use crate::words::{Answer, Board, Command, Request};

use super::content::{Offer, Serial};
use super::key::{Key, Keys, Nonce};
use super::packet::{Cut, Packet, cut};
use super::peer::Peer;

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
        self.peer(board).is_some_and(Peer::is_open)
    }

    /// Wants a key installed by way of the secret on the board's label, while its button is held.
    /// The steps follow as handshakes until there is a [`Controller::candidate`].
    pub fn install(&mut self, board: Board, label: Key) {
        if let Some(peer) = self.peer_mut(board) {
            peer.install(label);
        }
    }

    /// Wants the key replaced by way of the one in force. The steps follow as handshakes until there is a
    /// [`Controller::candidate`].
    pub fn replace(&mut self, board: Board) {
        if let Some(peer) = self.peer_mut(board) {
            peer.replace();
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
        if let Some(peer) = self.peer_mut(board) {
            peer.adopt();
        }
    }

    /// What comes before anything else with this board, [`Command::Handshake`] or nothing.
    #[must_use]
    pub fn owes(&self, board: Board, silent_ms: u64) -> Option<Command> {
        let owes = self.peer(board).is_none_or(|peer| peer.owes(silent_ms));
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
        let sequence = peer.sequence();
        let content = peer.hear(kind, packet)?;
        Some(Answer {
            board,
            sequence,
            content,
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
