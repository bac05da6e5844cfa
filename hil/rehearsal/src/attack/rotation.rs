//! The attacker while a board's key is being replaced: each frame of that in turn is lost, doubled, altered, joined to an older one, an
//! older one comes in its place, or cable and power are cut there.

use firmware_protocol::secure::{Key, Keys, Secure};
use firmware_protocol::{Codec, Command, Frame, Request};

use super::scene::{BOARD, Scene, Tap, Way};

/// How long the controller waits for an answer, in milliseconds.
const PATIENCE_MS: u64 = 300;
/// Steps that one attempt may take: two keys are tried, some answers are lost.
const STEPS: u32 = 16;
/// How long the daemon runs between two attempts, in milliseconds: longer than a session that was broken off.
const BETWEEN_MS: u64 = 2_500;
/// How many frames of an order count where there is no key to replace.
const FRAMES: usize = 12;

/// What happens to one frame on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Lost,
    Doubled,
    Altered,
    /// The frame at the same place of an earlier conversation comes in its stead, or before it.
    Older,
    Preceded,
    /// Its first half, and the second of an earlier one.
    Joined,
    /// It is lost, and all that comes after it; then the board's power is cut.
    Severed,
}

impl Deed {
    const ALL: [Self; 7] = [
        Self::Lost,
        Self::Doubled,
        Self::Altered,
        Self::Older,
        Self::Preceded,
        Self::Joined,
        Self::Severed,
    ];

    fn to(self, frame: &[u8], older: &[u8]) -> Vec<Vec<u8>> {
        let half = frame.len() / 2;
        match self {
            Self::Lost | Self::Severed => Vec::new(),
            Self::Doubled => vec![frame.to_vec(), frame.to_vec()],
            Self::Altered => {
                let mut altered = frame.to_vec();
                altered[half] ^= 0x10;
                vec![altered]
            }
            Self::Older => vec![older.to_vec()],
            Self::Preceded => vec![older.to_vec(), frame.to_vec()],
            Self::Joined => vec![[&frame[..half], older.get(half..).unwrap_or_default()].concat()],
        }
    }
}

/// Every deed at every frame; then all that was said meanwhile is said again.
pub(super) fn meddle(scene: &mut Scene) {
    let older = overheard(scene);
    assert!(!older.is_empty(), "before the attacker meddles it works");
    for deed in Deed::ALL {
        for (place, older) in older.iter().enumerate() {
            scene.tap = Some(at(place, deed, older.clone()));
            attempt(scene);
            scene.tap = None;
            if deed == Deed::Severed {
                scene.cut_power();
            }
            scene.run(BETWEEN_MS);
        }
    }
    for frame in scene.down.clone().into_iter().rev().take(400) {
        scene.inject(&frame);
    }
    // Whatever came of it, a key can be replaced again. (A lock that the attacker has opened rests now.)
    scene.broken = scene.family.profile().protected && !attempt(scene);
}

fn at(place: usize, deed: Deed, older: Vec<u8>) -> Tap {
    let mut count = 0;
    Box::new(move |_, frame| {
        count += 1;
        if count == place + 1 || (count > place && deed == Deed::Severed) {
            deed.to(frame, &older)
        } else {
            vec![frame.to_vec()]
        }
    })
}

/// What both ends say to each other when nobody meddles; nothing if it does not work then.
fn overheard(scene: &mut Scene) -> Vec<Vec<u8>> {
    let (sender, frames) = std::sync::mpsc::channel();
    scene.tap = Some(Box::new(move |_: Way, frame: &[u8]| {
        let _nobody_listens = sender.send(frame.to_vec());
        vec![frame.to_vec()]
    }));
    let works = attempt(scene);
    scene.tap = None;
    frames.try_iter().take(if works { FRAMES } else { 0 }).collect()
}

/// The cabinet replaces the board's key; where there is none, it opens a door. Says whether that worked.
fn attempt(scene: &mut Scene) -> bool {
    if !scene.family.profile().protected {
        return scene.serve(1);
    }
    let id = |scene: &Scene| scene.keys.current.as_ref().map(Key::id);
    let before = id(scene);
    replace_key(scene);
    id(scene) != before && scene.keys.next.is_none()
}

/// As `lockerd bus replace-key` does it, with the daemon stopped: agreed on, kept, and only then used.
fn replace_key(scene: &mut Scene) {
    let mut codec = scene.family.codec();
    let dice = scene.stop();
    let Some(Secure { controller, .. }) = codec.secure() else {
        return;
    };
    controller.shuffle(dice);
    controller.meet(BOARD, scene.keys.clone());
    controller.replace(BOARD);
    for _ in 0..STEPS {
        let Some(command) = codec.owes(BOARD, 0) else {
            break;
        };
        let request = Request {
            board: BOARD,
            sequence: 0,
            command,
        };
        let mut frame = Frame::new();
        if command != Command::Handshake || codec.encode_request(&request, &mut frame).is_err() {
            break;
        }
        for answer in scene.ask(&frame, PATIENCE_MS) {
            let _heard = codec.scan_answer(&answer, Some(&request), true);
        }
        let Some(Secure { controller, .. }) = codec.secure() else {
            break;
        };
        if let Some(key) = controller.candidate(BOARD).cloned() {
            let current = scene.keys.current.clone();
            scene.keep(Keys {
                current,
                next: Some(key),
            });
            controller.adopt(BOARD);
        }
    }
    if let Some(keys) = codec.secure().and_then(|ends| ends.controller.keys(BOARD)) {
        scene.keep(keys.clone());
    }
    scene.start();
}
