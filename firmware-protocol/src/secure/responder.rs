//! The board's end, for firmware and simulator alike: hears packets, takes what is genuine, and answers.
//!
//! The firmware gives it bytes, time and its button; does what the request that comes out says; keeps the keys
//! where they survive ([`Responder::unsaved`]) **before** it sends the answer; and sends one answer at most.

use crate::accumulator::Scan;
use crate::family::Unsupported;
use crate::frame::Frame;
use crate::words::{Answer, Board, Command, Content, Request};

use super::content::{Answered, Asked, Offer, Sensors, Serial, VERSION};
use super::key::{Key, KeyId, Keys, Nonce, Slot};
use super::packet::{Cut, GREETING, HEADER, Kind, Packet, cut};

/// After so many milliseconds without a genuine request a session is over, and a handshake too: a frame that
/// somebody held back is worth nothing afterwards.
pub const SESSION_MS: u64 = 2_000;
/// How long an installation waits for the controller to have kept its key, with the button held.
pub const INSTALLATION_MS: u64 = 30_000;
/// Address, kind and the low half of the request's number.
pub(super) const REQUEST_HEADER: usize = HEADER + 2;

/// What a board is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nameplate {
    /// The address on its switch.
    pub address: Board,
    /// How many locks it has.
    pub channels: u8,
    /// What it can tell besides its doors.
    pub sensors: Sensors,
    /// Its firmware, as its maker counts.
    pub firmware: [u8; 2],
    /// The number that it was made with.
    pub serial: Serial,
    /// The lowest and the highest version of the protocol that it offers: [`VERSIONS`], except where a controller is tried out.
    pub versions: (u8, u8),
}

/// The versions that this code speaks.
pub const VERSIONS: (u8, u8) = (VERSION, VERSION);

/// One board's side of the protocol.
#[derive(Clone, Debug)]
pub struct Responder {
    nameplate: Nameplate,
    label: Key,
    keys: Keys,
    unsaved: bool,
    /// Never twice the same for this board, and how often a nonce was drawn since.
    start: u64,
    drawn: u64,
    now_ms: u64,
    button: Button,
    greeted: Option<Greeted>,
    session: Option<Session>,
    installation: Option<Installation>,
    /// A whole answer that waits to be sent.
    ready: Option<Packet>,
    rejected: u32,
}

#[derive(Clone, Debug)]
struct Greeted {
    session: Key,
    slot: Slot,
    at_ms: u64,
}

#[derive(Clone, Debug)]
struct Session {
    key: Key,
    slot: Slot,
    /// The last request's.
    counter: u64,
    /// Whether that one waits for its answer.
    open: bool,
    heard_ms: u64,
}

#[derive(Clone, Debug)]
struct Installation {
    session: Key,
    at_ms: u64,
}

/// Counts as held only after it was seen released: one that is stuck, or bridged before the power came, is not.
#[derive(Clone, Copy, Debug, Default)]
struct Button {
    seen_released: bool,
    held: bool,
}

impl Responder {
    /// A board that has just started.
    ///
    /// `label` is the secret on its label, `keys` what was kept last. `start` must never be the same twice
    /// while the board has a key: a counter of starts in memory that survives, raised before this is called,
    /// or 64 bits of a true random generator. A board that cannot read its counter must drop its keys.
    #[must_use]
    pub const fn new(nameplate: Nameplate, label: Key, keys: Keys, start: u64) -> Self {
        Self {
            nameplate,
            label,
            keys,
            unsaved: false,
            start,
            drawn: 0,
            now_ms: 0,
            button: Button {
                seen_released: false,
                held: false,
            },
            greeted: None,
            session: None,
            installation: None,
            ready: None,
            rejected: 0,
        }
    }

    /// Its keys now.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether the keys have changed since this was last asked: keep them before the answer is sent.
    #[must_use]
    pub const fn unsaved(&mut self) -> bool {
        core::mem::replace(&mut self.unsaved, false)
    }

    /// How many packets to this board were not genuine, or not for now.
    #[must_use]
    pub const fn rejected(&self) -> u32 {
        self.rejected
    }

    /// Lets time pass, in milliseconds since the start, and says whether the button is pressed. To be called
    /// before bytes are given, and now and then.
    pub fn pass(&mut self, now_ms: u64, button_held: bool) {
        self.now_ms = self.now_ms.max(now_ms);
        self.button.seen_released |= !button_held;
        self.button.held = button_held;
        let now = self.now_ms;
        self.greeted.take_if(|greeted| now - greeted.at_ms >= SESSION_MS);
        self.session
            .take_if(|session| now - session.heard_ms >= SESSION_MS);
        let released = !self.may_install();
        self.installation
            .take_if(|begun| released || now - begun.at_ms >= INSTALLATION_MS);
    }

    /// Looks for a packet at the first byte. What comes out was proven, except that anybody may greet.
    pub fn scan(&mut self, bytes: &[u8], ended: bool) -> Scan<Request> {
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

    /// Appends the answer's frame: once for each request, and only to the last one.
    ///
    /// # Errors
    /// There is no such request, or this family has no code for the content.
    pub fn encode(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        if answer.content == Content::Handshake {
            self.ready.take().ok_or(Unsupported)?.put(frame);
            return Ok(());
        }
        let board = self.nameplate.address;
        let session = self.session.as_mut().ok_or(Unsupported)?;
        if !session.open || session.sequence() != answer.sequence {
            return Err(Unsupported);
        }
        let packet = session.answer(board, Answered::Content(answer.content));
        packet.ok_or(Unsupported)?.put(frame);
        Ok(())
    }

    fn take(&mut self, packet: &Packet) -> Option<Request> {
        let (board, kind) = packet.header()?;
        if board != self.nameplate.address {
            return None;
        }
        let taken = match kind {
            Kind::Hello => self.greet(packet),
            Kind::Request => self.request(packet),
            Kind::InstallHello => self.begin_installation(packet),
            Kind::InstallCommit => self.install(packet),
            Kind::Welcome | Kind::Refusal | Kind::Answer | Kind::InstallWelcome | Kind::Installed => None,
        };
        if taken.is_none() {
            self.rejected = self.rejected.saturating_add(1);
        }
        let (sequence, command) = taken?;
        Some(Request {
            board,
            sequence,
            command,
        })
    }

    /// Anybody may greet: the session that is there stays until somebody proves to have the key.
    fn greet(&mut self, packet: &Packet) -> Option<(u8, Command)> {
        let theirs = packet.nonce()?;
        let id = KeyId(*packet.get(GREETING..)?.first_chunk()?);
        let Some(slot) = self.keys.named(id) else {
            return self.refuse(1);
        };
        let ours = self.draw()?;
        let session = self.keys.in_slot(slot)?.session(&theirs, &ours);
        let welcome = self.introduce(Kind::Welcome, &session, &ours);
        self.greeted = Some(Greeted {
            session,
            slot,
            at_ms: self.now_ms,
        });
        self.reply(welcome)
    }

    fn request(&mut self, packet: &Packet) -> Option<(u8, Command)> {
        let low = u16::from_le_bytes(packet.get(HEADER..REQUEST_HEADER)?.try_into().ok()?);
        if low == 1 && self.begin(packet).is_some() {
            return Some((0, Command::Handshake));
        }
        let session = self.session.as_mut()?;
        let counter = session.number(low)?;
        let plain = packet.open(&session.key, Kind::Request, counter, REQUEST_HEADER)?;
        // Genuine, so it is not heard again: even if it is not understood.
        session.counter = counter;
        session.heard_ms = self.now_ms;
        session.open = true;
        self.ready = None;
        match Asked::of(&plain, self.nameplate.channels)? {
            Asked::Command(command) => Some((session.sequence(), command)),
            Asked::NewKey(theirs) => self.replace_key(&theirs),
            Asked::Begin(_) => None,
        }
    }

    /// The first request of a session that was greeted: the controller has the key, and the old session is over.
    fn begin(&mut self, packet: &Packet) -> Option<()> {
        let greeted = self.greeted.as_ref()?;
        let plain = packet.open(&greeted.session, Kind::Request, 1, REQUEST_HEADER)?;
        if Asked::of(&plain, self.nameplate.channels)? != Asked::Begin(VERSION) {
            return None;
        }
        let Greeted { session, slot, .. } = self.greeted.take()?;
        let slot = if self.keys.proven(slot) {
            self.unsaved = true;
            Slot::Current
        } else {
            slot
        };
        let mut session = Session {
            key: session,
            slot,
            counter: 1,
            open: true,
            heard_ms: self.now_ms,
        };
        self.ready = session.answer(self.nameplate.address, Answered::Begin(VERSION));
        self.session = Some(session);
        Some(())
    }

    /// A greeted session may have been made with the next key that is overwritten here: it is over.
    fn replace_key(&mut self, theirs: &Nonce) -> Option<(u8, Command)> {
        let ours = self.draw()?;
        let session = self.session.as_mut()?;
        let next = self.keys.in_slot(session.slot)?.replacement(theirs, &ours);
        let answer = session.answer(self.nameplate.address, Answered::NewKey(ours))?;
        self.keys.next = Some(next);
        self.greeted = None;
        self.unsaved = true;
        self.reply(answer)
    }

    fn begin_installation(&mut self, packet: &Packet) -> Option<(u8, Command)> {
        let theirs = packet.nonce()?;
        if !self.may_install() {
            return self.refuse(2);
        }
        let ours = self.draw()?;
        let session = self.label.installation(&theirs, &ours);
        let welcome = self.introduce(Kind::InstallWelcome, &session, &ours);
        self.installation = Some(Installation {
            session,
            at_ms: self.now_ms,
        });
        self.reply(welcome)
    }

    fn install(&mut self, packet: &Packet) -> Option<(u8, Command)> {
        let session = self.installation.as_ref()?.session.clone();
        let plain = packet.open(&session, Kind::InstallCommit, 0, HEADER)?;
        let key = session.installed();
        if !self.may_install() || *plain != key.id().0 {
            return None;
        }
        self.keys = Keys::in_force(key);
        self.unsaved = true;
        self.installation = None;
        self.greeted = None;
        self.session = None;
        let mut installed = Packet::new(self.nameplate.address, Kind::Installed);
        installed.seal(&session, Kind::Installed, 0, &[]);
        self.reply(installed)
    }

    const fn may_install(&self) -> bool {
        self.button.seen_released && self.button.held
    }

    /// Who it is, behind its nonce, sealed.
    fn introduce(&self, kind: Kind, session: &Key, ours: &Nonce) -> Packet {
        let plate = self.nameplate;
        let offer = Offer {
            versions: plate.versions,
            channels: plate.channels,
            sensors: plate.sensors,
            firmware: plate.firmware,
            serial: plate.serial,
        };
        let mut plain = Packet::empty();
        offer.put(&mut plain);
        let mut packet = Packet::new(plate.address, kind);
        packet.extend(ours);
        packet.seal(session, kind, 0, &plain);
        packet
    }

    /// Says in clear that it will not, so that people can find out why; nothing depends on it.
    fn refuse(&mut self, reason: u8) -> Option<(u8, Command)> {
        let mut packet = Packet::new(self.nameplate.address, Kind::Refusal);
        packet.extend(&[reason]);
        packet.extend(&self.nameplate.serial);
        self.reply(packet)
    }

    fn reply(&mut self, packet: Packet) -> Option<(u8, Command)> {
        self.ready = Some(packet);
        Some((0, Command::Handshake))
    }

    /// The start's number and a count: unique, which is all that a board's nonce has to be.
    fn draw(&mut self) -> Option<Nonce> {
        self.drawn = self.drawn.checked_add(1)?;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.start.to_le_bytes());
        nonce[8..].copy_from_slice(&self.drawn.to_le_bytes());
        Some(nonce)
    }
}

impl Session {
    const fn sequence(&self) -> u8 {
        self.counter.to_le_bytes()[0]
    }

    /// The lowest number above the last one that ends like this.
    fn number(&self, low: u16) -> Option<u64> {
        let next = self.counter.checked_add(1)?;
        let candidate = (next & !0xFFFF) | u64::from(low);
        if candidate >= next {
            Some(candidate)
        } else {
            candidate.checked_add(0x1_0000)
        }
    }

    /// The sealed answer to the last request, once.
    fn answer(&mut self, board: Board, answered: Answered) -> Option<Packet> {
        let mut plain = Packet::empty();
        answered.put(&mut plain)?;
        if !core::mem::replace(&mut self.open, false) {
            return None;
        }
        let mut packet = Packet::new(board, Kind::Answer);
        packet.seal(&self.key, Kind::Answer, self.counter, &plain);
        Some(packet)
    }
}
