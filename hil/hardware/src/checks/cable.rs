//! One port in the hands of the checks: asks one thing at a time, and keeps the exact bytes and times (IO).

use std::io;
use std::time::Duration;

use firmware_protocol::{
    Accumulator, Answer, AnyCodec, Codec, Command, Content, Frame, Profile, Request, UnlockAnswer,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::plan::Plan;
use super::statement::Statement;
use crate::terminal::Terminal;

/// What adapters and this machine may add to a board's time.
const TRANSPORT: Duration = Duration::from_millis(40);
/// How many steps a session may take to set up.
const STEPS_MAX: usize = 8;

/// A request and what came to it.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) request: Request,
    pub(super) sent: Vec<u8>,
    pub(super) heard: Vec<u8>,
    pub(super) answer: Option<Content>,
    /// From the end of the request on the wire to the first byte.
    pub(super) reply: Duration,
    /// The longest pause between two pieces of what came.
    pub(super) pause: Duration,
    /// What was said unasked before the answer.
    pub(super) unasked: Vec<Answer>,
    /// How many bytes came behind the answer, with it.
    pub(super) more: usize,
}

impl Exchange {
    /// What is wrong if there is no answer.
    pub(super) fn complaint(&self) -> Statement {
        if self.heard.is_empty() {
            Statement::NoAnswer
        } else {
            Statement::WrongAnswer
        }
    }
}

/// An open port with one board.
#[derive(Debug)]
pub(super) struct Cable {
    plan: Plan,
    pub(super) profile: Profile,
    codec: AnyCodec,
    terminal: Option<Terminal>,
    sequence: u8,
    answered_at: Instant,
    quiet_since: Instant,
}

impl Cable {
    /// Nothing is opened before something is asked. `dice` are for sessions.
    pub(super) fn new(plan: &Plan, dice: [u8; 32]) -> Self {
        let mut codec = plan.family.codec();
        if let Some(ends) = codec.secure() {
            ends.controller.shuffle(dice);
            ends.controller
                .meet(plan.board, plan.keys.clone().unwrap_or_default());
        }
        Self {
            plan: plan.clone(),
            profile: codec.profile(),
            codec,
            terminal: None,
            sequence: 0,
            answered_at: Instant::now(),
            quiet_since: Instant::now(),
        }
    }

    /// The bytes of a request; none if the family has no such frame.
    pub(super) fn encode(&mut self, request: &mut Request) -> Option<Vec<u8>> {
        self.sequence = self.sequence.wrapping_add(1);
        request.sequence = self.sequence;
        let mut frame = Frame::new();
        self.codec.encode_request(request, &mut frame).ok()?;
        Some(frame.to_vec())
    }

    /// Asks, after whatever the family wants exchanged before it. A step of that which fails is the answer.
    pub(super) async fn ask(&mut self, request: Request) -> Result<Exchange, Statement> {
        for _ in 0..STEPS_MAX {
            let silent = u64::try_from(self.answered_at.elapsed().as_millis()).unwrap_or(u64::MAX);
            let Some(command) = self.codec.owes(request.board, silent) else {
                break;
            };
            let step = self.exchange(Request { command, ..request }).await?;
            if step.answer.is_none() {
                return Ok(step);
            }
        }
        self.exchange(request).await
    }

    async fn exchange(&mut self, mut request: Request) -> Result<Exchange, Statement> {
        // What is left of an exchange before, or was said unasked.
        while !self.listen(Duration::ZERO).await?.is_empty() {}
        let sent = self.encode(&mut request).ok_or(Statement::NotInFamily)?;
        self.write(&sent).await?;
        let passed = Instant::now() + self.took(sent.len());
        let length = self.codec.answer_length(&request);
        let patience = match request.command {
            Command::Unlock(_) | Command::UnlockAll => self.profile.unlock_limit_ms,
            Command::ReadDoor(_)
            | Command::ReadAll { .. }
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::AllOff
            | Command::Handshake => self.profile.reply_limit_ms,
        };
        let mut exchange = Exchange {
            request,
            sent,
            heard: Vec::new(),
            answer: None,
            reply: Duration::ZERO,
            pause: Duration::ZERO,
            unasked: Vec::new(),
            more: 0,
        };
        if length > 0 {
            let deadline = passed + Duration::from_millis(patience.into()) + self.took(length) + TRANSPORT;
            self.hear(&mut exchange, passed, deadline).await?;
        } else {
            sleep_until(passed).await;
        }
        self.quiet_since = Instant::now();
        if exchange.answer.is_some() {
            self.answered_at = self.quiet_since;
        }
        Ok(exchange)
    }

    async fn hear(
        &mut self,
        exchange: &mut Exchange,
        passed: Instant,
        deadline: Instant,
    ) -> Result<(), Statement> {
        let mut heard = Accumulator::new();
        let mut echo = if self.plan.echo { exchange.sent.len() } else { 0 };
        let mut last = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let piece = self.listen(left).await?;
            let now = Instant::now();
            let own = echo.min(piece.len());
            echo -= own;
            let mut rest = &piece[own..];
            if let Some(before) = last.filter(|_| !rest.is_empty()) {
                exchange.pause = exchange.pause.max(now - before);
            } else if !rest.is_empty() {
                exchange.reply = (now - self.took(1)).saturating_duration_since(passed);
            }
            if !rest.is_empty() {
                last = Some(now);
            }
            exchange.heard.extend_from_slice(rest);
            let ended = piece.is_empty();
            loop {
                rest = heard.push(rest);
                let (codec, request) = (&mut self.codec, &exchange.request);
                while let Some(answer) =
                    heard.next(ended, |seen| codec.scan_answer(seen, Some(request), ended))
                {
                    if fits(&answer, request, &self.profile) {
                        exchange.answer = Some(answer.content);
                        exchange.more = heard.pending().len() + rest.len();
                        return Ok(());
                    }
                    exchange.unasked.push(answer);
                }
                if rest.is_empty() {
                    break;
                }
            }
            // Silence ends nothing before: this machine may be what pauses.
            if ended {
                return Ok(());
            }
        }
    }

    /// What comes first within this time; empty if nothing does.
    pub(super) async fn listen(&mut self, patience: Duration) -> Result<Vec<u8>, Statement> {
        let mut buffer = [0; 256];
        let terminal = self.terminal()?;
        match timeout(patience, terminal.read(&mut buffer)).await {
            Err(_) => Ok(Vec::new()),
            Ok(Ok(count)) => Ok(buffer[..count].to_vec()),
            Ok(Err(error)) => Err(self.lost(&error)),
        }
    }

    /// What a board says unasked in these bytes; none where they are no such frame.
    pub(super) fn understand(&mut self, bytes: &[u8]) -> Option<Vec<Answer>> {
        let mut heard = Accumulator::new();
        heard.push(bytes);
        let codec = &mut self.codec;
        let said =
            std::iter::from_fn(|| heard.next(true, |seen| codec.scan_answer(seen, None, true))).collect();
        (heard.dropped() == 0).then_some(said)
    }

    /// Writes bytes after the silence that the family wants.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Statement> {
        sleep_until(self.quiet_since + Duration::from_micros(self.profile.gap_us(self.plan.baud))).await;
        let sent = self.terminal()?.send(bytes).await;
        sent.map_err(|error| self.lost(&error))
    }

    pub(super) fn took(&self, bytes: usize) -> Duration {
        let bits = 10_000_000 * u64::try_from(bytes).unwrap_or(u64::MAX);
        Duration::from_micros(bits / u64::from(self.plan.baud.max(1)))
    }

    /// Whether the board, if it follows the family, takes these bytes for a request to anybody.
    pub(super) fn is_request(&mut self, bytes: &[u8]) -> bool {
        let station = firmware_protocol::Station {
            board: self.plan.board,
            channels: self.plan.channels,
        };
        let mut heard = Accumulator::new();
        heard.push(bytes);
        let codec = &mut self.codec;
        heard
            .next(true, |seen| codec.scan_request(seen, station, true))
            .is_some()
    }

    fn terminal(&mut self) -> Result<&Terminal, Statement> {
        let opened = match self.terminal.take() {
            Some(terminal) => terminal,
            None => Terminal::attach(&self.plan.path, self.plan.mode()).map_err(|error| gone(&error))?,
        };
        Ok(self.terminal.insert(opened))
    }

    fn lost(&mut self, error: &io::Error) -> Statement {
        self.terminal = None;
        gone(error)
    }
}

fn gone(error: &io::Error) -> Statement {
    Statement::PortGone {
        problem: error.to_string(),
    }
}

/// Firmware that answers an unlock now and then does so with its state.
fn fits(answer: &Answer, request: &Request, profile: &Profile) -> bool {
    let optional = profile.unlock_answer == UnlockAnswer::Sometimes
        && matches!(request.command, Command::Unlock(_))
        && matches!(answer.content, Content::State(_))
        && answer.board == request.board;
    optional || answer.answers(request)
}
