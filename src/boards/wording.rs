//! What requests and answers say, in words for people who look at a bus (pure).

use std::fmt::{self, Display};

use firmware_protocol::{
    Answer, BoardState, Channel, Command, Content, DoorMap, DoorReading, Request, UnlockResult,
};

/// A request in words.
pub struct Asked<'a>(pub &'a Request);

/// An answer in words.
pub struct Told<'a>(pub &'a Answer);

impl Display for Asked<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "board {}: ", self.0.board.0)?;
        match self.0.command {
            Command::Unlock(channel) => write!(to, "unlock lock {}", channel.number()),
            Command::UnlockAll => to.write_str("unlock all locks"),
            Command::ReadDoor(channel) => write!(to, "read door {}", channel.number()),
            Command::ReadAll { .. } => to.write_str("read all doors"),
            Command::SetReports(on) => write!(to, "turn reports {}", on_or_off(on)),
            Command::ReadVersion => to.write_str("tell the firmware's version"),
            Command::Handshake => to.write_str("handshake"),
            Command::AllOff => to.write_str("put all outputs at rest"),
        }
    }
}

impl Display for Told<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "board {}: ", self.0.board.0)?;
        match self.0.content {
            Content::Unlocked {
                channel,
                result,
                door,
                item,
            } => {
                let result = match result {
                    UnlockResult::Taken => "taken",
                    UnlockResult::Failed => "failed",
                    UnlockResult::Refused => "refused",
                };
                write!(to, "unlock of lock {} {result}", channel.number())?;
                if door != DoorReading::Unknown {
                    write!(to, ", door {}", reading(door))?;
                }
                match item {
                    Some(true) => to.write_str(", something inside"),
                    Some(false) => to.write_str(", nothing inside"),
                    None => Ok(()),
                }
            }
            Content::AllUnlocked => to.write_str("unlocks all locks"),
            Content::Door { channel, door } => write!(to, "door {} {}", channel.number(), reading(door)),
            Content::State(state) => write_state(&state, to),
            Content::ReportsSet(on) => write!(to, "reports are {}", on_or_off(on)),
            Content::Version([first, second]) => write!(to, "firmware {first}.{second}"),
            Content::Handshake => to.write_str("handshake"),
            Content::AllOff => to.write_str("all outputs at rest"),
            Content::Unasked { channel, door } => {
                write!(to, "unasked: door {} {}", channel.number(), reading(door))
            }
        }
    }
}

fn write_state(state: &BoardState, to: &mut fmt::Formatter<'_>) -> fmt::Result {
    let known = Channel::bits(state.channels);
    let DoorMap { known: told, open } = state.doors;
    write!(to, "{} doors, open: {}", state.channels, Bits(open))?;
    if known & !told != 0 {
        write!(to, ", unknown: {}", Bits(known & !told))?;
    }
    if let Some(items) = state.items {
        write!(to, ", items in: {}", Bits(items))?;
    }
    let said = [
        (state.tampered == Some(true), ", case open"),
        (state.shaken == Some(true), ", shaken"),
        (state.mains == Some(false), ", on battery"),
    ];
    said.iter()
        .filter(|(holds, _)| *holds)
        .try_for_each(|(_, words)| to.write_str(words))
}

/// The channels of a bit map, or "none".
struct Bits(u64);

impl Display for Bits {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return to.write_str("none");
        }
        let numbers = Channel::all(Channel::MAX).filter(|channel| self.0 & channel.bit() != 0);
        for (index, channel) in numbers.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(to, "{comma}{}", channel.number())?;
        }
        Ok(())
    }
}

const fn reading(door: DoorReading) -> &'static str {
    match door {
        DoorReading::Closed => "closed",
        DoorReading::Open => "open",
        DoorReading::Unknown => "unknown",
    }
}

const fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
