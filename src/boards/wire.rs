//! One port's wire: the exchange under way, what has been heard, echoes and silences (pure).

use std::collections::BTreeMap;

use firmware_protocol::secure::Secure;
use firmware_protocol::{
    Accumulator, Answer, AnyCodec, Board, Codec, Command, Frame, Profile, Request, Scan,
};
use office_protocol::Seq;

use crate::cabinet::vocabulary::Monotonic;

use super::layout::BusPort;

/// The longest time for which a late answer is let out, in milliseconds.
const SETTLE_MAX_MS: u64 = 250;
/// How far what two ends call a byte's time may lie apart over one exchange, in microseconds.
const CLOCKS_DIFFER_US: u64 = 1000;

/// What an exchange is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One pulse.
    Unlock(Seq),
    /// A reading.
    Read,
    /// A step of the family's own before a reading or a pulse.
    Handshake,
    /// A step towards a new key.
    Key,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) board: usize,
    pub(super) request: Request,
    pub(super) purpose: Purpose,
    sent: Frame,
    sent_at: Monotonic,
    deadline: Monotonic,
    /// The bytes of a whole answer; 0 if none is given.
    length: usize,
    /// The bytes heard since, without echoes.
    heard: usize,
    /// The first of them, for comparison.
    rubbish: Frame,
    /// Whether our own words could be no answer, so that hearing them proves an echo.
    echo_tells: bool,
    echo_awaited: bool,
    echo_denied: bool,
}

impl Exchange {
    /// Whether as much as an answer has come to a read, and was none.
    fn only_rubbish(&self) -> bool {
        let enough = self.heard > 0 && self.heard >= self.length;
        enough && !self.is_pulse() && !self.echo_awaited
    }

    const fn is_pulse(&self) -> bool {
        matches!(self.purpose, Purpose::Unlock(_))
    }
}

/// What is known about a port's echo, against its setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// No read has been answered yet that could tell.
    Unproven,
    /// Reads behave as the setting says.
    Proven,
    /// They do not: change the setting. Unlocks are uncertain meanwhile.
    Contradicted,
}

/// One port.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    codec: AnyCodec,
    pub(super) profile: Profile,
    baud: u64,
    gap_us: u64,
    echoes: bool,
    pub(super) echo: Echo,
    heard: Accumulator,
    heard_at: Monotonic,
    exchange: Option<Exchange>,
    /// The read that was answered last, and when: a second answer to it is another board's.
    answered: Option<(Exchange, Monotonic)>,
    /// Listening only, from and until.
    settling: Option<(Monotonic, Monotonic)>,
    free_at: Monotonic,
    sequence: u8,
    /// The boards whose last read only rubbish came to, and its number.
    garbled: BTreeMap<usize, u8>,
}

impl Wire {
    pub(super) fn new(port: &BusPort) -> Self {
        let codec = port.family.codec();
        let profile = codec.profile();
        Self {
            codec,
            profile,
            baud: u64::from(port.baud.max(1)),
            gap_us: profile.gap_us(port.baud),
            echoes: port.echo,
            echo: Echo::Unproven,
            heard: Accumulator::new(),
            heard_at: Monotonic::default(),
            exchange: None,
            answered: None,
            settling: None,
            free_at: Monotonic::default(),
            sequence: 0,
            garbled: BTreeMap::new(),
        }
    }

    /// The port has come or gone: ends what was under way. It may be another adapter, so its echo is not known any more.
    pub(super) fn reset(&mut self) -> Option<Exchange> {
        self.echo = Echo::Unproven;
        self.heard.clear();
        self.settling = None;
        self.answered = None;
        self.free_at = Monotonic::default();
        self.exchange.take()
    }

    pub(super) const fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_ref()
    }

    /// Whether the last byte of the open request can have passed by now. Two ends' clocks differ a little.
    pub(super) fn has_passed(&self, now: Monotonic) -> bool {
        self.exchange
            .as_ref()
            .is_some_and(|exchange| self.passes_at(exchange) <= now.plus_micros(CLOCKS_DIFFER_US))
    }

    fn passes_at(&self, exchange: &Exchange) -> Monotonic {
        exchange.sent_at.plus_micros(self.took_us(exchange.sent.len()))
    }

    /// When a request may be sent; none while one is under way or late bytes are let out.
    pub(super) fn free_at(&self) -> Option<Monotonic> {
        (self.exchange.is_none() && self.settling.is_none()).then_some(self.free_at)
    }

    /// The family's own end, where it has keys and sessions.
    pub(super) fn secure(&mut self) -> Option<&mut Secure> {
        self.codec.secure()
    }

    /// What this board wants before anything else; `silent_ms` is how long it has not answered.
    pub(super) fn owes(&self, board: Board, silent_ms: u64) -> Option<Command> {
        self.codec.owes(board, silent_ms)
    }

    /// Begins an exchange and returns the bytes to send; none if the family has no such frame.
    pub(super) fn begin(
        &mut self,
        board: usize,
        mut request: Request,
        purpose: Purpose,
        patience_ms: u64,
        now: Monotonic,
    ) -> Option<Frame> {
        self.sequence = self.sequence.wrapping_add(1);
        // A read is repeated under its number: what two boards say at once is then the same again.
        let again = self.garbled.get(&board).filter(|_| purpose == Purpose::Read);
        request.sequence = *again.unwrap_or(&self.sequence);
        let mut sent = Frame::new();
        self.codec.encode_request(&request, &mut sent).ok()?;
        let answer = self.codec.answer_length(&request);
        let echo_tells = self.profile.protected || !self.answers_itself(&sent, &request);
        let patience_ms = if answer == 0 { 0 } else { patience_ms };
        let wire_us = self.took_us(sent.len()) + self.took_us(answer);
        let deadline = now
            .plus_micros(wire_us + CLOCKS_DIFFER_US)
            .plus_millis(patience_ms);
        self.heard.clear();
        self.exchange = Some(Exchange {
            board,
            request,
            purpose,
            sent,
            sent_at: now,
            deadline,
            length: answer,
            heard: 0,
            rubbish: Frame::new(),
            echo_tells,
            echo_awaited: self.echoes,
            echo_denied: false,
        });
        Some(sent)
    }

    /// Whether a request's own words could be its answer.
    fn answers_itself(&mut self, sent: &Frame, request: &Request) -> bool {
        let own = self.codec.scan_answer(sent, Some(request), true);
        matches!(own, Scan::Frame { content, .. } if content.answers(request))
    }

    /// Whether nobody knows yet whether the line echoes, and this read's own words could be its answer: it would prove nothing, and
    /// tell what no board has said.
    pub(super) fn could_be_an_echo(&mut self, request: &Request) -> bool {
        if self.echo != Echo::Unproven || self.profile.protected {
            return false;
        }
        let mut sent = Frame::new();
        self.codec.encode_request(request, &mut sent).is_ok() && self.answers_itself(&sent, request)
    }

    /// Takes bytes and returns those that do not fit before [`Wire::next`] has made room.
    pub(super) fn push<'a>(&mut self, bytes: &'a [u8], now: Monotonic) -> &'a [u8] {
        self.heard_at = now;
        if let Some((_, until)) = &mut self.settling {
            *until = now.plus_millis(u64::from(self.profile.silence_ms));
        }
        let rest = self.heard.push(bytes);
        if let Some(exchange) = &mut self.exchange {
            let taken = &bytes[..bytes.len() - rest.len()];
            exchange.heard += taken.len();
            exchange.rubbish.extend(taken);
        }
        rest
    }

    /// The next thing that was said. Bytes that have just been pushed are never after a silence.
    pub(super) fn next(&mut self, now: Monotonic) -> Option<Answer> {
        let ended = self.silent(now);
        if !self.skip_echo(ended) {
            return None;
        }
        let open = self.exchange.as_ref();
        let answered = self.answered.as_ref().map(|(exchange, _)| exchange);
        let expecting = open.or(answered).map(|exchange| &exchange.request);
        let (codec, heard) = (&mut self.codec, &mut self.heard);
        heard.next(ended, |bytes| codec.scan_answer(bytes, expecting, ended))
    }

    /// Ends the exchange because its answer came. Returns it with the milliseconds that the board thought.
    pub(super) fn finish(&mut self, now: Monotonic) -> Option<(Exchange, u64)> {
        let exchange = self.exchange.take()?;
        self.garbled.remove(&exchange.board);
        if exchange.echo_awaited || exchange.echo_denied {
            self.echo = Echo::Contradicted;
        } else if exchange.purpose == Purpose::Read && exchange.echo_tells {
            self.echo = Echo::Proven;
        }
        self.answered = (exchange.purpose == Purpose::Read).then_some((exchange, now));
        self.free_at = now.plus_micros(self.gap_us);
        let wire_us = self.took_us(exchange.sent.len()) + self.took_us(exchange.length);
        let thought_ms = exchange.sent_at.plus_micros(wire_us).until(now).as_millis();
        Some((exchange, u64::try_from(thought_ms).unwrap_or(u64::MAX)))
    }

    /// Ends the exchange if its time is over, or only rubbish came to a read; says whether it was rubbish.
    pub(super) fn give_up(&mut self, now: Monotonic) -> Option<(Exchange, bool)> {
        let exchange = self.exchange.as_ref()?;
        // Rubbish that comes while we still speak ends nothing: the next request would run into this one.
        let early = exchange.only_rubbish() && self.silent(now) && self.passes_at(exchange) <= now;
        if now < exchange.deadline && !early {
            return None;
        }
        let garbled = exchange.heard > 0;
        if garbled && exchange.purpose == Purpose::Read {
            self.garbled.insert(exchange.board, exchange.request.sequence);
        }
        if !early && exchange.length > 0 {
            self.settling = Some((now, now.plus_millis(u64::from(self.profile.silence_ms))));
        }
        self.answered = None;
        self.free_at = now.plus_micros(self.gap_us);
        self.exchange.take().map(|exchange| (exchange, garbled))
    }

    /// Whose read is answered a second time by this: soon after the first answer, and where no echo can be meant.
    pub(super) fn second_answer(&self, answer: &Answer, now: Monotonic) -> Option<usize> {
        let (exchange, at) = self.answered.as_ref()?;
        let soon = now <= at.plus_millis(u64::from(self.profile.reply_limit_ms));
        let again = soon && self.echo == Echo::Proven && answer.answers(&exchange.request);
        again.then_some(exchange.board)
    }

    /// What came to an exchange that was given up, and whether it begins as an answer would but is no frame. A whole one is one board's,
    /// however often it says so: an exception, or fewer locks than the settings have.
    pub(super) fn rubbish(&mut self, exchange: &Exchange) -> (Frame, bool) {
        if self.profile.protected {
            return (exchange.rubbish, false); // sealed frames never repeat
        }
        let head = &exchange.rubbish[..exchange.rubbish.len().min(2)];
        let scan = self.codec.scan_answer(head, Some(&exchange.request), false);
        let begun = !head.is_empty() && scan == Scan::Incomplete;
        (
            exchange.rubbish,
            begun && !self.is_whole(&exchange.rubbish, exchange.request),
        )
    }

    /// Whether this is one frame to the last byte, told of however many locks.
    fn is_whole(&mut self, bytes: &[u8], request: Request) -> bool {
        let of = |groups: u8| Request {
            command: Command::ReadAll { channels: groups * 8 },
            ..request
        };
        let sizes = (1..=self.profile.channels_max.div_ceil(8)).map(of).map(Some);
        [None].into_iter().chain(sizes).any(|expecting| {
            match self.codec.scan_answer(bytes, expecting.as_ref(), true) {
                Scan::Frame { length, .. } | Scan::Foreign { length } => length == bytes.len(),
                Scan::Incomplete | Scan::Noise | Scan::Rubbish { .. } => false,
            }
        })
    }

    /// Stops letting late bytes out once the line is quiet, or after long enough.
    pub(super) fn settle(&mut self, now: Monotonic) {
        if self
            .settling
            .is_some_and(|(from, until)| until <= now || from.plus_millis(SETTLE_MAX_MS) <= now)
        {
            self.settling = None;
            self.heard.clear();
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let silence_at = self.heard_at.plus_millis(u64::from(self.profile.silence_ms));
        let unfinished = (!self.heard.pending().is_empty()).then_some(silence_at);
        let exchange = self.exchange.as_ref().map(|exchange| {
            if exchange.only_rubbish() {
                exchange.deadline.min(silence_at.max(self.passes_at(exchange)))
            } else {
                exchange.deadline
            }
        });
        let settled = self
            .settling
            .map(|(from, until)| until.min(from.plus_millis(SETTLE_MAX_MS)));
        [unfinished, exchange, settled].into_iter().flatten().min()
    }

    /// Bytes of noise dropped since the start.
    pub(super) const fn dropped(&self) -> u32 {
        self.heard.dropped()
    }

    pub(super) fn took_us(&self, bytes: usize) -> u64 {
        (bytes as u64 * 10_000_000).div_ceil(self.baud)
    }

    fn silent(&self, now: Monotonic) -> bool {
        self.heard_at.plus_millis(u64::from(self.profile.silence_ms)) <= now
    }

    /// Removes the echo of what was sent; false while it may still be coming.
    fn skip_echo(&mut self, ended: bool) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return true;
        };
        let pending = self.heard.pending();
        let sent: &[u8] = &exchange.sent;
        if exchange.echo_awaited {
            if let Some(at) = pending.windows(sent.len()).position(|window| window == sent) {
                self.heard.skip(at + sent.len());
                exchange.heard = exchange.heard.saturating_sub(at + sent.len());
                exchange.echo_awaited = false;
                return true;
            }
            // An unlock's answer may equal its request: without the echo before it, it proves nothing.
            if ended && exchange.is_pulse() {
                self.heard.clear();
            }
            return ended && !exchange.is_pulse();
        }
        // Our own words are no answer to this read: they are an echo that the setting denies.
        let echo = exchange.echo_tells || self.echo == Echo::Contradicted;
        let read = exchange.purpose == Purpose::Read && echo;
        if !self.echoes && read && pending.starts_with(sent) {
            self.heard.skip(sent.len());
            exchange.heard = exchange.heard.saturating_sub(sent.len());
            exchange.echo_denied = true;
        }
        true
    }
}
