//! One port used by hand: opens it, asks one thing at a time, hears the answer (IO).

use std::time::Duration;

use firmware_protocol::{Accumulator, Answer, AnyCodec, Codec, Command, Content, Frame, Request};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::serial::{self, Outlet, PortEvent, PortSettings};

/// How many events of the port may wait.
const EVENTS_MAX: usize = 64;

/// The port cannot be opened, or is gone.
#[derive(Debug, thiserror::Error)]
#[error("{}: no such port, no right to it, or another program has it; stop lockerd, check path and cable", .0.path.display())]
pub struct PortGone(PortSettings);

/// What came to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The board's answer. A state may tell of another number of locks than was asked for.
    Answer(Answer),
    /// So many bytes, but no answer.
    Rubbish(usize),
    /// Nothing.
    Silence,
}

/// An open port.
#[derive(Debug)]
pub struct Probe {
    settings: PortSettings,
    outlet: Outlet,
    events: mpsc::Receiver<PortEvent>,
}

impl Probe {
    /// Opens a port.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn open(settings: PortSettings) -> Result<Self, PortGone> {
        let (sender, mut events) = mpsc::channel(EVENTS_MAX);
        let outlet = serial::spawn(settings.clone(), sender, |event| event);
        match events.recv().await {
            Some(PortEvent::Opened) => Ok(Self {
                settings,
                outlet,
                events,
            }),
            Some(PortEvent::Lost | PortEvent::Received(_)) | None => Err(PortGone(settings)),
        }
    }

    /// Closes the port, and returns when it is closed: until then nobody can open it again.
    pub async fn close(self) {
        let Self {
            outlet, mut events, ..
        } = self;
        drop(outlet);
        while events.recv().await.is_some() {}
    }

    /// The next bytes that come; none when nothing has come for so long.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn listen(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, PortGone> {
        match timeout(patience, self.events.recv()).await {
            Err(_) => Ok(None),
            Ok(Some(PortEvent::Received(bytes))) => Ok(Some(bytes)),
            Ok(Some(PortEvent::Opened | PortEvent::Lost) | None) => Err(PortGone(self.settings.clone())),
        }
    }

    /// Asks, and waits for the answer: so long for its first byte, and for the bytes themselves.
    ///
    /// # Errors
    /// [`PortGone`].
    pub async fn ask(
        &mut self,
        codec: &mut AnyCodec,
        request: &Request,
        patience: Duration,
    ) -> Result<Heard, PortGone> {
        let mut frame = Frame::new();
        if codec.encode_request(request, &mut frame).is_err() {
            return Ok(Heard::Silence);
        }
        // What is left of an exchange before, or of boards that speak unasked.
        while self.listen(Duration::ZERO).await?.is_some() {}
        // Boards may not hear what comes too soon after the exchange before.
        sleep(Duration::from_micros(codec.profile().gap_us(self.settings.baud))).await;
        while self.listen(Duration::ZERO).await?.is_some() {}
        if !self.outlet.send(&frame) {
            return Err(PortGone(self.settings.clone()));
        }
        let bytes = u32::try_from(frame.len() + codec.answer_length(request)).unwrap_or(u32::MAX);
        let took = Duration::from_secs(10) * bytes / self.settings.baud.max(1);
        let deadline = Instant::now() + took + patience;
        let silence = Duration::from_millis(codec.profile().silence_ms.into());
        let mut heard = Accumulator::new();
        let mut count = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(if count == 0 {
                    Heard::Silence
                } else {
                    Heard::Rubbish(count)
                });
            }
            let wait = if heard.pending().is_empty() {
                left
            } else {
                left.min(silence)
            };
            let bytes = self.listen(wait).await?;
            let ended = bytes.is_none();
            let mut rest = bytes.as_deref().unwrap_or_default();
            count += rest.len();
            loop {
                rest = heard.push(rest);
                while let Some(answer) =
                    heard.next(ended, |seen| codec.scan_answer(seen, Some(request), ended))
                {
                    if fits(&answer, request) {
                        return Ok(Heard::Answer(answer));
                    }
                }
                if rest.is_empty() {
                    break;
                }
            }
        }
    }
}

fn fits(answer: &Answer, request: &Request) -> bool {
    let whole = matches!(request.command, Command::ReadAll { .. })
        && matches!(answer.content, Content::State(_))
        && answer.board == request.board;
    whole || answer.answers(request)
}
