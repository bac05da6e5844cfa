//! The secure family's test vectors: frozen in `golden/`, printed in the README, and derived a second time here.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use chacha20::{R20, hchacha};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use firmware_protocol::Command;
use firmware_protocol::secure::{Key, Keys};

mod secure_pair;

use secure_pair::{BOARD, LABEL, Pair, channel};

const GOLDEN: &str = include_str!("../golden/secure-1.txt");
const README: &str = include_str!("../README.md");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn step(key: [u8; 32], input: &[u8]) -> [u8; 32] {
    let input: [u8; 16] = input.try_into().unwrap();
    hchacha::<R20>(&key.into(), &input.into()).into()
}

fn chain(key: [u8; 32], inputs: &[&[u8]]) -> [u8; 32] {
    inputs.iter().fold(key, |key, input| step(key, input))
}

/// The packet in a frame, by the shortest reading of the rules.
fn packet(frame: &[u8]) -> Vec<u8> {
    let stuffed = &frame[1..frame.len() - 1];
    assert!(frame.starts_with(&[0]) && frame.ends_with(&[0]) && !stuffed.contains(&0));
    let mut packet = vec![0; stuffed.len()];
    let length = cobs::decode(stuffed, &mut packet).unwrap().frame_size();
    packet.truncate(length);
    packet
}

/// What is sealed behind `head` bytes.
fn plain(session: [u8; 32], counter: u64, frame: &[u8], head: usize) -> Vec<u8> {
    let packet = packet(frame);
    let mut nonce = [0; 12];
    nonce[0] = packet[1];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    let (head, sealed) = packet.split_at(head);
    let (text, tag) = sealed.split_at(sealed.len() - 16);
    let mut text = text.to_vec();
    let tag: [u8; 16] = tag.try_into().unwrap();
    ChaCha20Poly1305::new(&session.into())
        .decrypt_inout_detached(&nonce.into(), head, text.as_mut_slice().into(), &tag.into())
        .unwrap();
    text
}

#[derive(Default)]
struct Vectors(String);

impl Vectors {
    fn add(&mut self, name: &str, bytes: &[u8]) {
        writeln!(self.0, "{name} {}", hex(bytes)).unwrap();
    }

    /// A sealed frame and what it says.
    fn sealed(&mut self, name: &str, frame: &[u8], session: [u8; 32], counter: u64, head: usize) -> Vec<u8> {
        let says = plain(session, counter, frame, head);
        self.add(name, frame);
        self.add(&format!("{name}-says"), &says);
        says
    }
}

/// One exchange: both frames.
fn exchange(pair: &mut Pair, command: Command) -> (Vec<u8>, Vec<u8>) {
    let request = pair.request(command).unwrap();
    let answer = pair.board_hears(&request).unwrap();
    assert!(pair.controller_hears(&answer).is_some());
    (request, answer)
}

#[test]
fn vectors() {
    let key: [u8; 32] = core::array::from_fn(|at| u8::try_from(at).unwrap());
    let mut all = Vectors::default();
    let mut pair = Pair::new(Keys::in_force(Key::new(key)), Keys::in_force(Key::new(key)));
    all.add("address", &[BOARD.0]);
    all.add("key", &key);
    let id = &step(key, b"lockerd1 keyname")[..4];
    all.add("key-id", id);

    let (hello, welcome) = exchange(&mut pair, Command::Handshake);
    let (ours, theirs) = (packet(&hello)[2..18].to_vec(), packet(&welcome)[2..18].to_vec());
    assert_eq!(&packet(&hello)[18..], id);
    let session = chain(key, &[b"lockerd1 session", &ours, &theirs]);
    all.add("controller-nonce", &ours);
    all.add("board-nonce", &theirs);
    all.add("session", &session);
    all.add("hello", &hello);
    all.sealed("welcome", &welcome, session, 0, 18);
    let (begin, begun) = exchange(&mut pair, Command::Handshake);
    all.sealed("begin", &begin, session, 1, 4);
    all.sealed("begun", &begun, session, 1, 2);
    let (unlock, unlocked) = exchange(&mut pair, Command::Unlock(channel(3)));
    all.sealed("unlock-3", &unlock, session, 2, 4);
    all.sealed("unlocked-3", &unlocked, session, 2, 2);
    let (read, door) = exchange(&mut pair, Command::ReadDoor(channel(4)));
    all.sealed("read-4", &read, session, 3, 4);
    all.sealed("door-4", &door, session, 3, 2);
    let (read, state) = exchange(&mut pair, Command::ReadAll { channels: 24 });
    all.sealed("read-all", &read, session, 4, 4);
    all.sealed("state", &state, session, 4, 2);
    let (read, version) = exchange(&mut pair, Command::ReadVersion);
    all.sealed("read-version", &read, session, 5, 4);
    all.sealed("version", &version, session, 5, 2);

    pair.controller().replace(BOARD);
    let (request, answer) = exchange(&mut pair, Command::Handshake);
    let ours = all.sealed("replace", &request, session, 6, 4)[1..].to_vec();
    let theirs = all.sealed("replacing", &answer, session, 6, 2)[1..].to_vec();
    let replaced = chain(key, &[b"lockerd1 replace", &ours, &theirs]);
    assert_eq!(pair.controller().candidate(BOARD).unwrap().bytes(), &replaced);
    all.add("replaced-key", &replaced);

    let mut pair = Pair::new(Keys::default(), Keys::default());
    let hello = pair.request(Command::Handshake).unwrap();
    all.add("refused-key", &pair.board_hears(&hello).unwrap());
    pair.button(true);
    pair.controller().install(BOARD, Key::new(LABEL));
    let (hello, welcome) = exchange(&mut pair, Command::Handshake);
    let (ours, theirs) = (packet(&hello)[2..18].to_vec(), packet(&welcome)[2..18].to_vec());
    let session = chain(LABEL, &[b"lockerd1 install", &ours, &theirs]);
    let installed = step(session, b"lockerd1 new key");
    assert_eq!(pair.controller().candidate(BOARD).unwrap().bytes(), &installed);
    all.add("label", &LABEL);
    all.add("install-controller-nonce", &ours);
    all.add("install-board-nonce", &theirs);
    all.add("install-session", &session);
    all.add("installed-key", &installed);
    all.add("install-hello", &hello);
    all.sealed("install-welcome", &welcome, session, 0, 18);
    pair.controller().adopt(BOARD);
    let (commit, done) = exchange(&mut pair, Command::Handshake);
    let named = all.sealed("install-commit", &commit, session, 0, 2);
    assert_eq!(named, step(installed, b"lockerd1 keyname")[..4]);
    all.sealed("installed", &done, session, 0, 2);

    assert_eq!(
        all.0, GOLDEN,
        "never change a golden file: a new version is a new file\n{}",
        all.0
    );
    for line in GOLDEN.lines() {
        assert!(README.contains(line), "the README lacks: {line}");
    }
}
