//! Who is there: asks one address on a line whether a board answers, and how many locks it has; with reads only (IO).

use std::time::Duration;

use firmware_protocol::secure::{Keys, Refusal, Secure, Serial};
use firmware_protocol::{
    Answer, AnyCodec, Board, Channel, Codec, Command, Content, Family, Frame, Profile, Request,
};

use super::probe::{Heard, PortGone, Probe};

/// No chance: who has no key has nothing to lose by a nonce that others know.
const GREETING: [u8; 32] = [0; 32];

/// What asks whether somebody is there. One door is asked for where that is possible: its answer's length does not depend on the
/// board's size, and it never equals the question, which an adapter may echo.
#[must_use]
pub fn presence(profile: &Profile) -> Command {
    match Channel::new(1) {
        Some(channel) if profile.reads_one => Command::ReadDoor(channel),
        Some(_) | None => Command::ReadAll { channels: 8 },
    }
}

/// What asks how many locks somebody has: for all that its family may have, then for fewer and fewer; nothing where no packed answer is.
pub fn sizes(profile: &Profile) -> impl Iterator<Item = Command> + use<> {
    let most = if profile.reads_all {
        profile.channels_max
    } else {
        0
    };
    let multiples = (1..=most / 8).rev().map(|groups| groups * 8);
    let counts = (most > 0).then_some(most).into_iter().chain(multiples);
    counts.map(|channels| Command::ReadAll { channels })
}

/// The families whose boards need no key and can have this address, those together that are asked in the same bytes.
#[must_use]
pub fn kinds(board: Board) -> Vec<Vec<Family>> {
    let mut kinds: Vec<(Vec<u8>, Vec<Family>)> = Vec::new();
    for family in Family::ALL {
        let profile = family.profile();
        let (first, last) = profile.boards;
        if profile.protected || !(first..=last).contains(&board.0) {
            continue;
        }
        let mut frame = Frame::new();
        let request = request(board, presence(&profile));
        if family.codec().encode_request(&request, &mut frame).is_err() {
            continue;
        }
        match kinds.iter_mut().find(|(bytes, _)| bytes[..] == frame[..]) {
            Some((_, alike)) => alike.push(*family),
            None => kinds.push((frame.to_vec(), vec![*family])),
        }
    }
    kinds.into_iter().map(|(_, alike)| alike).collect()
}

/// What goes over the wire to ask for this.
#[must_use]
pub const fn request(board: Board, command: Command) -> Request {
    Request {
        board,
        sequence: board.0,
        command,
    }
}

/// What greets a secure board without a key. Each address is always greeted in the same bytes, so that it is known beforehand what boards
/// of other families make of them.
#[must_use]
pub fn keyless(board: Board) -> AnyCodec {
    let mut codec = Family::LockerdSecure.codec();
    if let Some(Secure { controller, .. }) = codec.secure() {
        controller.shuffle(GREETING);
        controller.meet(board, Keys::default());
    }
    codec
}

/// One address on a line.
pub struct Search<'a> {
    /// The line.
    pub probe: &'a mut Probe,
    /// What is spoken there.
    pub codec: &'a mut AnyCodec,
    /// The address.
    pub board: Board,
    /// How long an answer may take to begin.
    pub patience: Duration,
}

impl Search<'_> {
    async fn ask(&mut self, command: Command) -> Result<Heard, PortGone> {
        let request = request(self.board, command);
        self.probe.ask(self.codec, &request, self.patience).await
    }

    /// Whether somebody is there.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn answers(&mut self) -> Result<bool, PortGone> {
        let command = presence(&self.codec.profile());
        Ok(matches!(self.ask(command).await?, Heard::Answer(_)))
    }

    /// The number of the secure board that is there, if `codec` is [`keyless`]: it refuses, in clear, who names no key of its own. Anybody
    /// at the cable can say so too.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn refuses(&mut self) -> Result<Option<Serial>, PortGone> {
        self.ask(Command::Handshake).await?;
        let controller = self.codec.secure().map(|ends| &ends.controller);
        Ok(
            match controller.and_then(|controller| controller.refusal(self.board)) {
                Some(Refusal::UnknownKey(serial)) => Some(serial),
                Some(Refusal::ButtonNotHeld(_) | Refusal::NoCommonVersion(_)) | None => None,
            },
        )
    }

    /// How many locks its packed answer tells of, whatever its family may have; none where that is to be known beforehand.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn told(&mut self) -> Result<Option<u8>, PortGone> {
        let channels = Channel::MAX;
        match self.ask(Command::ReadAll { channels }).await? {
            Heard::Answer(Answer {
                content: Content::State(state),
                ..
            }) => Ok(Some(state.channels)),
            Heard::Answer(_) | Heard::Rubbish(_) | Heard::Silence => Ok(None),
        }
    }

    /// How many locks its packed answer tells of: the most that it understands. None where it has no such answer.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn size(&mut self) -> Result<Option<u8>, PortGone> {
        for command in sizes(&self.codec.profile()) {
            match self.ask(command).await? {
                Heard::Answer(answer) => {
                    if let Content::State(state) = answer.content {
                        return Ok(Some(state.channels));
                    }
                }
                Heard::Rubbish(_) => {}
                Heard::Silence => break,
            }
        }
        Ok(None)
    }
}
