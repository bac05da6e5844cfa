//! The attacks, each as somebody would make it who knows everything but the key.

use std::collections::BTreeSet;

use firmware_protocol::secure::{Key, Keys, Secure};
use firmware_protocol::{AnyCodec, Channel, Codec, Command, Family, Frame, Request};
use rand_core::Rng;

use super::Attack;
use super::rotation;
use super::scene::{BOARD, CHANNELS, Scene, Way};

/// How many frames are guessed or shouted at line rate: some five seconds.
const SHOUTS: u32 = 2_000;
/// How many recorded frames are put together in every way.
const SPLICED: usize = 14;
/// How many different frames are given back.
const REFLECTED: usize = 1_000;
/// How often a frame is sent, so that once the line is free.
const TRIES: u32 = 10;
/// How long a frame is held back, in milliseconds.
const HELD_MS: u64 = 5_000;

pub(super) fn make(attack: Attack, scene: &mut Scene) {
    match attack {
        Attack::Replay => replay(scene),
        Attack::Reflection => reflect(scene),
        Attack::Downgrade => downgrade(scene),
        Attack::ManInTheMiddle => meddle(scene),
        Attack::ForcedInstallation => force_installation(scene),
        Attack::DefaultKey => try_keys(scene),
        Attack::Guessing => guess(scene),
        Attack::Splice => splice(scene),
        Attack::Reorder => reorder(scene),
        Attack::Reboot => reboot(scene),
        Attack::Babbling => babble(scene),
        Attack::ClearFrames => speak_clearly(scene),
        Attack::Rotation => rotation::meddle(scene),
    }
}

fn replay(scene: &mut Scene) {
    let unlock = scene.unlock.clone();
    for _ in 0..3 {
        scene.inject(&unlock);
    }
    play(scene);
}

/// The whole recorded conversation, from its beginning.
fn play(scene: &mut Scene) {
    for frame in scene.down.clone().into_iter().take(400) {
        scene.inject(&frame);
    }
    let unlock = scene.unlock.clone();
    scene.inject(&unlock);
}

fn reflect(scene: &mut Scene) {
    let different = |frames: &[Vec<u8>]| BTreeSet::from_iter(frames.to_vec());
    let (up, down) = (different(&scene.up), different(&scene.down));
    for frame in up.into_iter().take(REFLECTED) {
        scene.inject(&frame);
    }
    for frame in down.into_iter().take(REFLECTED) {
        scene.deceive(&frame);
    }
}

/// New sessions are set up while each byte of both greetings is altered in turn; then every other family is spoken.
fn downgrade(scene: &mut Scene) {
    let mut count = 0_usize;
    scene.tap = Some(Box::new(move |_, frame| {
        let mut altered = frame.to_vec();
        count += 1;
        let at = 1 + count % altered.len().saturating_sub(2).max(1);
        altered[at] ^= 1;
        vec![altered]
    }));
    for _ in 0..10 {
        scene.cut_power();
        scene.run(2_000);
    }
    scene.tap = None;
    scene.run(40_000);
    let spoken = scene.family;
    for family in Family::ALL.iter().filter(|family| !family.profile().protected) {
        if *family == spoken || scene.family.profile().protected {
            unlock_plainly(scene, *family, 2);
        }
    }
}

/// The unlock of one lock, as a family without keys has it.
fn unlock_plainly(scene: &mut Scene, family: Family, lock: u8) {
    let mut codec = family.codec();
    if let Some(frame) = encoded(&mut codec, Command::Unlock(channel(lock))) {
        for _ in 0..TRIES {
            scene.inject(&frame);
        }
    }
}

fn encoded(codec: &mut AnyCodec, command: Command) -> Option<Frame> {
    let request = Request {
        board: BOARD,
        sequence: 1,
        command,
    };
    let mut frame = Frame::new();
    codec.encode_request(&request, &mut frame).ok()?;
    Some(frame)
}

fn channel(number: u8) -> Channel {
    Channel::new(number.clamp(1, CHANNELS)).expect("a lock of the board")
}

/// Lock 1 is ordered; lock 2 shall open. Where the command can be read it is written anew, where it cannot, its bits are turned.
fn meddle(scene: &mut Scene) {
    let mut codec = scene.family.codec();
    for bit in 0..8 {
        let forged = encoded(&mut codec, Command::Unlock(channel(2)));
        let plain = encoded(&mut codec, Command::Unlock(channel(1)));
        scene.tap = Some(Box::new(move |way, frame| {
            let mut altered = frame.to_vec();
            if way == Way::Down {
                match (&plain, &forged) {
                    (Some(plain), Some(forged)) if **plain == *frame => altered = forged.to_vec(),
                    (Some(_), Some(_)) => {}
                    // Behind the zero byte, the stuffing, address, kind and number: the command and the lock.
                    (None, _) | (_, None) => {
                        if let Some(lock) = altered.get_mut(7) {
                            *lock ^= 1 << bit;
                        }
                    }
                }
            }
            vec![altered]
        }));
        scene.serve(1);
    }
}

/// The attacker's own controller, with what he holds for a key; says how far it came.
fn control(scene: &mut Scene, mut codec: AnyCodec) {
    for _ in 0..12 {
        let command = codec.owes(BOARD, 0).unwrap_or(Command::Unlock(channel(2)));
        if let Some(ends) = codec.secure() {
            ends.controller.adopt(BOARD);
        }
        let Some(frame) = encoded(&mut codec, command) else {
            return;
        };
        let answer = scene.inject(&frame);
        let request = Request {
            board: BOARD,
            sequence: 1,
            command,
        };
        let _heard = codec.scan_answer(&answer, Some(&request), true);
        if matches!(command, Command::Unlock(_)) {
            return;
        }
    }
}

fn with_key(family: Family, keys: Keys, label: Option<Key>) -> AnyCodec {
    let mut codec = family.codec();
    if let Some(Secure { controller, .. }) = codec.secure() {
        controller.shuffle([0xA7; 32]);
        controller.meet(BOARD, keys);
        if let Some(label) = label {
            controller.install(BOARD, label);
        }
    }
    codec
}

fn force_installation(scene: &mut Scene) {
    for bridged in [false, true] {
        scene.bridge_button(bridged);
        for _ in 0..10 {
            scene.cut_power();
            let codec = with_key(scene.family, Keys::default(), Some(Key::new([0; 32])));
            control(scene, codec);
        }
    }
    // Even a button that is really pressed wants the secret on the label.
    scene.bridge_button(false);
    scene.run(10);
    scene.bridge_button(true);
    for label in likely_keys() {
        let codec = with_key(scene.family, Keys::default(), Some(label));
        control(scene, codec);
    }
    scene.bridge_button(false);
}

fn try_keys(scene: &mut Scene) {
    for key in likely_keys() {
        let codec = with_key(scene.family, Keys::in_force(key), None);
        control(scene, codec);
    }
}

/// Nothing, everything, counting, a serial number, and texts that came with products.
fn likely_keys() -> impl Iterator<Item = Key> {
    let texts: [&[u8]; 6] = [
        b"0123456789:;<=>?",
        b"0123456789ABCDEF",
        b"lockerd",
        b"password",
        b"ATTACKED",
        b"12345678",
    ];
    let repeated = |text: &[u8]| core::array::from_fn(|at| text[at % text.len()]);
    let counting = core::array::from_fn(|at| u8::try_from(at).unwrap_or(0));
    (0..=u8::MAX)
        .map(|byte| [byte; 32])
        .chain(texts.into_iter().map(repeated))
        .chain([counting])
        .map(Key::new)
}

fn guess(scene: &mut Scene) {
    for number in 0..SHOUTS {
        let mut rest = [0; 18];
        scene.dice.fill_bytes(&mut rest);
        let frame = if scene.family.profile().protected {
            let low = u16::try_from(number % 0x1_0000).unwrap_or(0).to_le_bytes();
            stuffed(&[&[BOARD.0, 0x03], &low[..], &rest].concat())
        } else {
            let mut codec = scene.family.codec();
            let mut frame =
                encoded(&mut codec, Command::Unlock(channel(2))).map_or(Vec::new(), |frame| frame.to_vec());
            if let Some(last) = frame.last_mut() {
                *last = rest[0];
            }
            frame
        };
        scene.shout(&frame);
    }
}

/// A packet of the secure family in its frame.
fn stuffed(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    for block in packet.split(|byte| *byte == 0) {
        frame.push(u8::try_from(block.len() + 1).unwrap_or(u8::MAX));
        frame.extend_from_slice(block);
    }
    frame.push(0);
    frame
}

/// Two halves of two frames, and three frames added up: a checksum that is a sum does not notice.
fn splice(scene: &mut Scene) {
    let mut parts: Vec<Vec<u8>> = vec![scene.unlock.clone()];
    for frame in scene.down.iter().rev() {
        if parts.len() < SPLICED && !parts.contains(frame) {
            parts.push(frame.clone());
        }
    }
    for first in parts.clone() {
        for second in parts.clone() {
            for cut in [2, 4, 6, 7, first.len().saturating_sub(16)] {
                let head = &first[..cut.min(first.len())];
                let tail = second.get(cut..).unwrap_or_default();
                scene.shout(&[head, tail].concat());
            }
            for third in &parts {
                let sum = first.iter().zip(&second).zip(third);
                let sum: Vec<u8> = sum.map(|((one, two), three)| one ^ two ^ three).collect();
                if ![&first, &second, third].contains(&&sum) {
                    scene.shout(&sum);
                }
            }
        }
    }
}

fn reorder(scene: &mut Scene) {
    // One order is held back, the rest passes.
    scene.order(1);
    let unlock = held(scene, true);
    scene.inject(&unlock);
    scene.run(20_000);
    // One order is held back, and nothing else passes either.
    scene.order(1);
    let unlock = held(scene, false);
    scene.inject(&unlock);
    scene.tap = None;
    scene.run(20_000);
    // What was said last is said in the other order.
    for frame in scene.down.clone().into_iter().rev().take(200) {
        scene.inject(&frame);
    }
}

/// Waits with the order's frame. What the controller has sent at once is heard by the attacker only.
fn held(scene: &mut Scene, rest_passes: bool) -> Vec<u8> {
    let before = scene.unlock.clone();
    // The order's frame goes out when the wire is free.
    scene.tap = Some(Box::new(|_, _| Vec::new()));
    for _ in 0..2_000 {
        if scene.unlock != before {
            break;
        }
        scene.run(1);
    }
    if rest_passes {
        scene.tap = None;
    }
    scene.run(HELD_MS);
    scene.unlock.clone()
}

fn reboot(scene: &mut Scene) {
    for _ in 0..3 {
        scene.cut_power();
        play(scene);
    }
}

fn babble(scene: &mut Scene) {
    for _ in 0..SHOUTS {
        let mut noise = [0; 40];
        scene.dice.fill_bytes(&mut noise);
        let [kind, length, lock, ..] = noise;
        let frame = if scene.family.profile().protected {
            let kinds = [0x01, 0x03, 0x04, 0x05, 0x81, 0x82, 0x83, 0x84, 0x85];
            let kind = kinds[usize::from(kind) % kinds.len()];
            let length = usize::from(length) % 36;
            stuffed(&[&[BOARD.0, kind], &noise[4..4 + length]].concat())
        } else {
            let mut codec = scene.family.codec();
            let command = match kind % 4 {
                0 => Command::Unlock(channel(lock % CHANNELS + 1)),
                1 => Command::ReadDoor(channel(lock % CHANNELS + 1)),
                _ => Command::ReadAll { channels: CHANNELS },
            };
            encoded(&mut codec, command).map_or(Vec::new(), |frame| frame.to_vec())
        };
        scene.shout(&frame);
    }
}

fn speak_clearly(scene: &mut Scene) {
    for family in Family::ALL.iter().filter(|family| !family.profile().protected) {
        if *family == scene.family || scene.family.profile().protected {
            unlock_plainly(scene, *family, 2);
        }
    }
    for number in 0..2_000_u16 {
        let low = number.to_le_bytes();
        for tag in [&[][..], &[0; 16]] {
            let packet = [&[BOARD.0, 0x03], &low[..], &[0x02, 2], tag].concat();
            scene.shout(&stuffed(&packet));
        }
        scene.shout(&stuffed(&[BOARD.0, 0x02, 2]));
    }
}
