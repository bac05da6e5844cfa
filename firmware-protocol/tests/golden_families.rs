//! The frames of the other vendors' families, byte for byte as in their sources, and wrong ones. Do not change these: change the code.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use firmware_protocol::{
    Answer, Board, BoardState, Channel, Codec, Command, Content, DoorMap, DoorReading, Family, Frame,
    Request, Scan, Station, UnlockAnswer, UnlockResult,
};

fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    text.split(' ')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// One family's board, and the number that its requests have.
#[derive(Clone, Copy)]
struct At(Family, Board, u8);

impl At {
    fn request(self, command: Command) -> Request {
        let At(_, board, sequence) = self;
        Request {
            board,
            sequence,
            command,
        }
    }

    /// The request's bytes; the board understands them.
    fn sends(self, command: Command, expected: &str) {
        let At(family, board, _) = self;
        let request = self.request(command);
        let mut frame = Frame::new();
        family.codec().encode_request(&request, &mut frame).unwrap();
        assert_eq!(format!("{frame:?}"), expected);
        let channels = match command {
            Command::ReadAll { channels } => channels,
            _ => 8,
        };
        let heard = family
            .codec()
            .scan_request(&frame, Station { board, channels }, false);
        let content = request;
        assert_eq!(
            heard,
            Scan::Frame {
                length: frame.len(),
                content
            }
        );
    }

    fn scans(self, asked: Option<Command>, text: &str) -> Scan<Answer> {
        let expecting = asked.map(|command| self.request(command));
        self.0.codec().scan_answer(&bytes(text), expecting.as_ref(), true)
    }

    /// What the bytes say, heard while `asked` is open.
    fn hears(self, asked: Option<Command>, text: &str, content: Content) {
        let At(_, board, sequence) = self;
        let answer = Answer {
            board,
            sequence,
            content,
        };
        let length = bytes(text).len();
        let found = Scan::Frame {
            length,
            content: answer,
        };
        assert_eq!(self.scans(asked, text), found, "{text}");
        if let Some(command) = asked {
            assert!(answer.answers(&self.request(command)), "{text}");
        }
    }

    /// As `hears`, and a board says it in these bytes.
    fn says(self, asked: Option<Command>, text: &str, content: Content) {
        self.hears(asked, text, content);
        let At(family, board, sequence) = self;
        let answer = Answer {
            board,
            sequence,
            content,
        };
        let mut frame = Frame::new();
        family.codec().encode_answer(&answer, &mut frame).unwrap();
        assert_eq!(format!("{frame:?}"), text);
        if let Some(command) = asked {
            assert_eq!(family.codec().answer_length(&self.request(command)), frame.len());
        }
    }

    /// No answer to `asked`, whatever else it may be.
    fn refuses(self, asked: Command, texts: &[&str]) {
        let request = self.request(asked);
        for text in texts {
            let fits = match self.scans(Some(asked), text) {
                Scan::Frame { content, .. } => content.answers(&request),
                Scan::Incomplete | Scan::Noise | Scan::Rubbish { .. } | Scan::Foreign { .. } => false,
            };
            assert!(!fits, "{text} answers {asked:?}");
        }
    }
}

fn unlocked(number: u8, result: UnlockResult, door: DoorReading, item: Option<bool>) -> Content {
    Content::Unlocked {
        channel: channel(number),
        result,
        door,
        item,
    }
}

fn door(number: u8, door: DoorReading) -> Content {
    Content::Door {
        channel: channel(number),
        door,
    }
}

fn state(channels: u8, open: u64) -> BoardState {
    let known = Channel::bits(channels);
    BoardState {
        channels,
        doors: DoorMap { known, open },
        ..BoardState::default()
    }
}

use DoorReading::{Closed, Open, Unknown};
use UnlockResult::{Failed, Refused, Taken};

#[test]
fn wkly() {
    let at = At(Family::Wkly, Board(0), 0);
    let (unlock, read) = (Command::Unlock(channel(1)), Command::ReadDoor(channel(1)));
    let all = Command::ReadAll { channels: 3 };
    at.sends(unlock, "57 4B 4C 59 09 00 82 01 83");
    at.sends(read, "57 4B 4C 59 09 00 83 01 82");
    at.sends(all, "57 4B 4C 59 08 00 84 85");
    at.says(
        Some(unlock),
        "57 4B 4C 59 0B 00 82 00 01 00 81",
        unlocked(1, Taken, Open, None),
    );
    at.says(
        Some(unlock),
        "57 4B 4C 59 0B 00 82 FF 01 01 7F",
        unlocked(1, Failed, Closed, None),
    );
    at.says(Some(read), "57 4B 4C 59 0B 00 83 00 01 00 80", door(1, Open));
    at.says(Some(read), "57 4B 4C 59 0B 00 83 00 01 FF 7F", door(1, Unknown));
    at.hears(Some(read), "57 4B 4C 59 0B 00 83 FF 01 01 7E", door(1, Unknown));
    let mut doors = state(3, 0b010);
    doors.doors.set(channel(3), Unknown);
    at.says(
        Some(all),
        "57 4B 4C 59 0D 00 84 00 03 01 00 FF 7D",
        Content::State(doors),
    );
    let unasked = Content::Unasked {
        channel: channel(2),
        door: Open,
    };
    at.says(None, "57 4B 4C 59 0A 00 85 02 00 84", unasked);
    at.refuses(
        read,
        &[
            "57 4B 4C 59 0B 00 83 00 01 00 81", // checksum
            "57 4B 4C 59 0A 00 83 00 01 00 80", // length
            "57 4B 4C 59 0B 00 83 00 02 00 83", // another lock
            "57 4B 4C 59 0B 01 83 00 01 00 81", // another board
            "57 4B 4C 59 0B 00 83 00 01 02 82", // a door that is neither
            "57 4B 4C 59 0B 00 82 00 01 00 81", // the answer to an unlock
            "57 4B 4C 59 0A 00 85 01 00 87",    // a report
        ],
    );
    at.refuses(
        all,
        &[
            "57 4B 4C 59 0D 00 84 00 04 01 00 FF 7A", // count and length contradict
            "57 4B 4C 59 0C 00 84 00 02 01 00 82",    // fewer doors than configured
        ],
    );
}

#[test]
fn kerong_cu16() {
    let at = At(Family::Cu16, Board(0), 0);
    let (first, last) = (Command::Unlock(channel(1)), Command::Unlock(channel(16)));
    let all = Command::ReadAll { channels: 16 };
    at.sends(first, "02 00 31 03 36");
    at.sends(last, "02 0F 31 03 45");
    at.sends(all, "02 00 30 03 35");
    At(Family::Cu16, Board(3), 0).sends(all, "02 30 30 03 65");
    let seen = BoardState {
        items: Some(0x0103),
        ..state(16, 0x8001)
    };
    // Hooks 1 and 16 are open; items in 1, 2 and 9.
    let text = "02 00 35 FE 7F 03 01 03 BB";
    at.says(Some(all), text, Content::State(seen));
    let few = BoardState {
        items: Some(0x0103),
        ..state(12, 0x0001)
    };
    at.hears(Some(Command::ReadAll { channels: 12 }), text, Content::State(few));
    // Some firmware answers an unlock with its state.
    at.hears(Some(first), text, unlocked(1, Taken, Open, Some(true)));
    at.hears(Some(last), text, unlocked(16, Taken, Open, Some(false)));
    at.refuses(
        all,
        &[
            "02 00 35 FE 7F 03 01 03 BC", // sum
            "02 10 35 FE 7F 03 01 03 CB", // another board
            "02 00 35 FE 7F 03 01 04 BC", // no end
            "02 00 30 03 35",             // our own words
            "02 00 35 FE 7F 03 BA",       // half of it
        ],
    );
    let profile = Family::Cu16.profile();
    assert_eq!(
        (profile.baud, profile.unlock_answer),
        (Some(19_200), UnlockAnswer::Sometimes)
    );
}

#[test]
fn kerong_cu48() {
    let at = At(Family::Cu48, Board(0), 0);
    let all = Command::ReadAll { channels: 48 };
    at.sends(Command::Unlock(channel(1)), "02 00 00 51 03 56");
    at.sends(Command::Unlock(channel(48)), "02 00 2F 51 03 85");
    at.sends(Command::UnlockAll, "02 00 30 51 03 86");
    at.sends(all, "02 00 00 50 03 55");
    let text = "02 00 00 65 FE FF FF FF FF 7F 03 E3";
    at.says(Some(all), text, Content::State(state(48, 1 | 1 << 47)));
    let few = Command::ReadAll { channels: 24 };
    at.hears(Some(few), text, Content::State(state(24, 1)));
    at.hears(
        Some(few),
        "02 00 00 65 FE FF 7F 03 E6",
        Content::State(state(24, 1 | 1 << 23)),
    );
    at.refuses(
        all,
        &[
            "02 00 00 65 FE FF FF FF FF 7F 03 E4", // sum
            "02 01 00 65 FE FF FF FF FF 7F 03 E4", // another board
            "02 00 00 75 FE FF FF FF FF 7F 03 F3", // a CU48B's
            "02 00 00 65 FE FF 7F 03 E6",          // fewer locks than configured
            "02 00 00 50 03 55",                   // our own words
        ],
    );
    let b = At(Family::Cu48b, Board(0), 0);
    b.sends(Command::Unlock(channel(1)), "02 00 00 61 03 66");
    b.sends(all, "02 00 00 60 03 65");
    b.says(
        Some(all),
        "02 00 00 75 FE FF FF FF FF 7F 03 F3",
        Content::State(state(48, 1 | 1 << 47)),
    );
    for family in [Family::Cu48, Family::Cu48b] {
        assert_eq!(family.profile().unlock_answer, UnlockAnswer::Never);
        let unlock = At(family, Board(0), 0).request(Command::Unlock(channel(1)));
        assert_eq!(family.codec().answer_length(&unlock), 0);
    }
}

#[test]
fn dingchang() {
    let at = At(Family::Dingchang12, Board(1), 0);
    let (unlock, read) = (Command::Unlock(channel(1)), Command::ReadDoor(channel(1)));
    let all = Command::ReadAll { channels: 12 };
    at.sends(unlock, "DC 02 01 10 01 01 13");
    at.sends(read, "DC 02 01 11 01 01 14");
    at.sends(all, "DC 02 01 12 00 13");
    // The vendor's text has both answers to an unlock.
    at.hears(
        Some(unlock),
        "DC FE 01 10 02 01 01 15",
        unlocked(1, Taken, Open, None),
    );
    at.hears(
        Some(unlock),
        "DC FE 01 10 01 01 13",
        unlocked(1, Taken, Unknown, None),
    );
    at.says(Some(read), "DC FE 01 11 02 01 00 15", door(1, Closed));
    at.says(Some(read), "DC FE 01 11 02 01 01 16", door(1, Open));
    at.says(
        Some(all),
        "DC FE 01 12 02 08 01 1E",
        Content::State(state(12, 1 | 1 << 11)),
    );
    let more = At(Family::Dingchang24, Board(99), 0);
    more.says(
        Some(Command::ReadAll { channels: 24 }),
        "DC FE 63 12 03 80 08 01 01",
        Content::State(state(24, 1 | 1 << 11 | 1 << 23)),
    );
    more.refuses(
        Command::ReadAll { channels: 24 },
        &["DC FE 63 12 02 08 01 80"], // a board of twelve
    );
    at.refuses(
        read,
        &[
            "DC FE 01 11 02 01 01 F0", // a sum over the header as well
            "DC 02 01 11 02 01 01 16", // a question
            "DC FE 00 11 02 01 01 15", // address 0
            "DC FE 02 11 02 01 01 17", // another board
            "DC FE 01 11 02 02 01 17", // another lock
            "DC FE 01 11 02 01 02 17", // a state that is neither
            "DC FE 01 11 01 01 14",    // no state
        ],
    );
}

#[test]
fn winnsen() {
    let at = At(Family::Winnsen, Board(1), 0);
    let (unlock, read) = (Command::Unlock(channel(5)), Command::ReadDoor(channel(5)));
    at.sends(unlock, "90 06 05 01 05 03");
    at.sends(read, "90 06 12 01 05 03");
    at.says(
        Some(unlock),
        "90 07 85 01 05 01 03",
        unlocked(5, Taken, Unknown, None),
    );
    at.says(
        Some(unlock),
        "90 07 85 01 05 00 03",
        unlocked(5, Failed, Unknown, None),
    );
    at.says(
        Some(unlock),
        "90 07 85 01 05 02 03",
        unlocked(5, Refused, Unknown, None),
    );
    at.says(Some(read), "90 07 92 01 01 05 03", door(5, Open));
    at.says(Some(read), "90 07 92 01 00 05 03", door(5, Closed));
    let whole = Scan::Foreign { length: 7 };
    assert_eq!(at.scans(None, "90 07 92 01 01 05 03"), whole, "nobody has asked");
    at.refuses(
        read,
        &[
            "90 07 92 01 05 01 03", // in the order of the other answer
            "90 07 92 01 01 06 03", // another lock
            "90 07 92 02 01 05 03", // another station
            "90 07 92 01 01 05 04", // no trailer
            "90 08 92 01 01 05 03", // length
            "90 07 12 01 01 05 03", // no answer's function
            "90 07 85 01 05 01 03", // of an unlock
            "90 06 12 01 05 03",    // our own words
        ],
    );
    let profile = Family::Winnsen.profile();
    assert!(!profile.reads_all && (1500..=3000).contains(&profile.unlock_limit_ms));
}

#[test]
fn dongcheng() {
    let unlock = Command::Unlock(channel(5));
    let all = Command::ReadAll { channels: 12 };
    At(Family::Dongcheng, Board(1), 0).sends(unlock, "02 09 01 00 4F 01 05 41 03");
    let at = At(Family::Dongcheng, Board(1), 1);
    at.sends(all, "02 09 01 01 44 01 0F 41 03");
    at.says(
        Some(unlock),
        "02 09 01 01 00 01 01 0B 03",
        unlocked(5, Taken, Unknown, Some(true)),
    );
    at.says(
        Some(unlock),
        "02 09 01 01 00 01 00 0A 03",
        unlocked(5, Taken, Unknown, Some(false)),
    );
    let refused = "02 08 01 01 01 00 0B 03";
    at.hears(Some(unlock), refused, unlocked(5, Failed, Unknown, None));
    // Items in 1 and 12, door 2 open, the case closed, a shock.
    let seen = BoardState {
        items: Some(1 | 1 << 11),
        tampered: Some(false),
        shaken: Some(true),
        ..state(12, 1 << 1)
    };
    at.says(
        Some(all),
        "02 0E 01 01 00 06 01 08 FD 0F 00 01 F0 03",
        Content::State(seen),
    );
    let unknown = BoardState {
        items: Some(0),
        ..state(8, 0)
    };
    at.says(
        Some(Command::ReadAll { channels: 8 }),
        "02 0C 01 01 00 04 00 FF 09 09 F5 03",
        Content::State(unknown),
    );
    at.refuses(
        all,
        &[
            "02 0E 01 01 00 06 01 08 FD 0F 00 01 F1 03", // checksum
            "02 0E 01 02 00 06 01 08 FD 0F 00 01 F3 03", // another number
            "02 0E 02 01 00 06 01 08 FD 0F 00 01 F3 03", // another board
            "02 0E 01 01 01 06 01 08 FD 0F 00 01 F1 03", // it says that it failed
            "02 0E 01 01 00 05 01 08 FD 0F 00 01 F3 03", // lengths contradict
            "02 0C 01 01 00 04 00 FF 09 09 F5 03",       // fewer boxes than configured
            "02 09 01 01 44 01 0F 41 03",                // our own words
        ],
    );
    let whole = Scan::Foreign { length: 9 };
    assert_eq!(
        at.scans(None, "02 09 01 01 00 01 01 0B 03"),
        whole,
        "nobody has asked"
    );
    assert_eq!(Family::Dongcheng.profile().baud, None, "no source names a speed");
}

#[test]
fn modbus_relay() {
    let at = At(Family::ModbusRelay, Board(1), 0);
    let unlock = Command::Unlock(channel(1));
    let all = Command::ReadAll { channels: 8 };
    at.sends(unlock, "01 05 02 00 00 07 8D B0");
    at.sends(all, "01 02 00 00 00 08 79 CC");
    at.sends(Command::AllOff, "01 05 00 FF 00 00 FD FA");
    at.says(
        Some(unlock),
        "01 05 02 00 00 07 8D B0",
        unlocked(1, Taken, Unknown, None),
    );
    at.says(Some(Command::AllOff), "01 05 00 FF 00 00 FD FA", Content::AllOff);
    at.says(Some(all), "01 02 01 FE 20 08", Content::State(state(8, 1)));
    let refused = "01 85 04 43 53";
    at.hears(Some(unlock), refused, unlocked(1, Failed, Unknown, None));
    let whole = Scan::Foreign { length: 6 };
    assert_eq!(at.scans(None, "01 02 01 FE 20 08"), whole, "nobody has asked");
    at.refuses(
        all,
        &[
            "01 02 01 FE 08 20",       // CRC in the other order
            "02 02 01 FE 20 4C",       // CRC
            "01 82 02 C1 61",          // it refuses to be read
            "01 02 00 00 00 08 79 CC", // our own words
        ],
    );
    at.refuses(
        Command::ReadAll { channels: 16 },
        &["01 02 01 FE 20 08"], // fewer inputs than configured
    );
    // A relay that is held on burns a solenoid: no board here understands it.
    let station = Station {
        board: Board(1),
        channels: 8,
    };
    let held = bytes("01 05 00 00 FF 00 8C 3A");
    let mut codec = Family::ModbusRelay.codec();
    assert_eq!(codec.scan_request(&held, station, true), Scan::Noise);
}
