//! The loop that does nothing but wait: what a program cannot be quicker than on this machine.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use firmware_protocol::{Board, Codec, Command, Frame, Request};

use crate::{BOARDS, CHANNELS, FAMILY};

/// Until the other end is dropped, or the port is gone.
pub(crate) fn poll(port: &Path, baud: u32, ended: &mpsc::Receiver<()>) {
    let mut port = OpenOptions::new().read(true).write(true).open(port).unwrap();
    let gap = Duration::from_micros(FAMILY.profile().gap_us(baud));
    let mut codec = FAMILY.codec();
    for board in (1..=BOARDS).cycle() {
        if matches!(ended.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
            return;
        }
        let request = Request {
            board: Board(board),
            sequence: 0,
            command: Command::ReadAll { channels: CHANNELS },
        };
        let mut frame = Frame::new();
        codec.encode_request(&request, &mut frame).unwrap();
        port.write_all(&frame).unwrap();
        if hear(&mut port, codec.answer_length(&request)).is_none() {
            return;
        }
        std::thread::sleep(gap);
    }
}

/// Sleeps in the system until each byte comes.
fn hear(port: &mut File, wanted: usize) -> Option<()> {
    let (mut heard, mut buffer) = (0, [0; 64]);
    while heard < wanted {
        heard += port.read(&mut buffer).ok().filter(|read| *read > 0)?;
    }
    Some(())
}
