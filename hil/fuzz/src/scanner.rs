//! What fuzzing does with a scanner's bytes; tests do the same with the inputs that were kept.

use lockerd::cabinet::vocabulary::Monotonic;
use lockerd::scanner::framing::{CODE_MAX, Ending, Framing, Scan};

/// Pieces with pauses between them: a length, a pause, the bytes.
pub(crate) fn scanner(data: &[u8]) {
    let mut framing = Framing::new(Ending::Silence);
    let (mut rest, mut now) = (data, 0);
    while let [length, pause, bytes @ ..] = rest {
        let (piece, after) = bytes.split_at(usize::from(*length).min(bytes.len()));
        rest = after;
        now += u64::from(*pause);
        if framing
            .next_deadline()
            .is_some_and(|at| at <= Monotonic::from_millis(now))
        {
            check(framing.tick(Monotonic::from_millis(now)));
        }
        for scan in framing.handle(piece, Monotonic::from_millis(now)) {
            check(Some(scan));
        }
    }
    check(framing.tick(Monotonic::from_millis(now + Ending::Silence.idle_ms())));
    assert_eq!(framing.next_deadline(), None, "nothing stays after silence");
}

fn check(scan: Option<Scan>) {
    if let Some(Scan::Code(text)) = scan {
        assert!(!text.is_empty() && text.len() <= CODE_MAX);
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }
}
