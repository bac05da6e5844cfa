//! Who is there: asks one address on a line whether a board answers, and how many locks it has; with reads only (IO).

use std::time::Duration;

use firmware_protocol::{AnyCodec, Board, Channel, Codec, Command, Content, Request};

use super::probe::{Heard, PortGone, Probe};

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
        let request = Request {
            board: self.board,
            sequence: self.board.0,
            command,
        };
        self.probe.ask(self.codec, &request, self.patience).await
    }

    /// Whether somebody is there. One door is asked for where that is possible: its answer's length does not depend on the board's
    /// size, and it never equals the question, which an adapter may echo.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn answers(&mut self) -> Result<bool, PortGone> {
        let profile = self.codec.profile();
        let command = match Channel::new(1) {
            Some(channel) if profile.reads_one => Command::ReadDoor(channel),
            Some(_) | None => Command::ReadAll { channels: 8 },
        };
        Ok(matches!(self.ask(command).await?, Heard::Answer(_)))
    }

    /// How many locks its packed answer tells of: the most that it understands. None where it has no such answer.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn size(&mut self) -> Result<Option<u8>, PortGone> {
        let profile = self.codec.profile();
        if !profile.reads_all {
            return Ok(None);
        }
        let multiples = (1..=profile.channels_max / 8).rev().map(|groups| groups * 8);
        for channels in std::iter::once(profile.channels_max).chain(multiples) {
            match self.ask(Command::ReadAll { channels }).await? {
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
