//! Simulated devices behind real pseudo-terminals.
#![allow(clippy::unwrap_used)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use firmware_protocol::{Board, Family};
use hardware::{
    Bench, BoardSettings, Ending, Grain, Line, Port, PortMode, SimulatedBoard, SimulatedScanner, Terminal,
};
use rustix::termios::{ControlModes, InputModes, OptionalActions, tcgetattr, tcsetattr};

fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hardware-{name}-{}", std::process::id()))
}

fn line() -> Line {
    let board = SimulatedBoard::new(BoardSettings::new(Family::Shuoming, Board(1), 24), 1);
    Line::new(vec![board], 9600, Grain::Bytes, 1)
}

/// Reads so many bytes on a thread of its own, as the port blocks.
async fn read(mut port: &File, count: usize) -> Vec<u8> {
    let mut copy = port.try_clone().unwrap();
    port.flush().unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; count];
        copy.read_exact(&mut bytes).unwrap();
        bytes
    });
    tokio::time::timeout(Duration::from_secs(5), reading)
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_board_answers_at_the_speed_of_its_line_and_keeps_its_name() {
    let directory = directory("board");
    let path = directory.join("locks");
    let port = Port::spawn(line(), &path).unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let start = Instant::now();
    file.write_all(&[0x80, 1, 1, 0x33, 0xB3]).unwrap();
    assert_eq!(read(&file, 5).await, [0x80, 1, 1, 0x11, 0x91]);
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(15),
        "ten bytes at 9600 and 5 ms of thought: {took:?}"
    );

    port.unplug().await.unwrap();
    assert!(!path.exists(), "the name is gone with the cable");
    let mut buffer = [0; 1];
    assert!(
        !matches!(file.read(&mut buffer), Ok(1..)),
        "the port is gone for who had it open"
    );
    port.replug().await.unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    file.write_all(&[0x8A, 1, 2, 0x11, 0x98]).unwrap();
    assert_eq!(read(&file, 5).await, [0x8A, 1, 2, 0x00, 0x89]);
    assert_eq!(port.view().await.unwrap().pulses, 1);
    drop(port);
    let gone = async {
        while path.symlink_metadata().is_ok() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
}

#[tokio::test]
async fn a_bench_does_what_lines_of_text_say() {
    let directory = directory("bench");
    let scanner = SimulatedScanner::new(Ending::CarriageReturn, false, 9600, Grain::Bytes);
    let mut bench = Bench::default();
    bench.lines.insert(
        "locks".into(),
        Port::spawn(line(), &directory.join("locks")).unwrap(),
    );
    bench.scanners.insert(
        "scanner".into(),
        Port::spawn(scanner, &directory.join("scanner")).unwrap(),
    );
    let port = OpenOptions::new()
        .read(true)
        .write(true)
        .open(directory.join("scanner"))
        .unwrap();
    assert_eq!(bench.obey("scan scanner LP1:CAB 1").await.unwrap(), "done");
    assert_eq!(read(&port, 10).await, b"LP1:CAB 1\r");
    assert_eq!(
        bench.obey("hand locks 1 5 open").await.unwrap(),
        "it does not move"
    );
    assert_eq!(bench.obey("hand locks 1 5 force").await.unwrap(), "done");
    assert_eq!(bench.obey("hand locks 1 5 put").await.unwrap(), "done");
    assert_eq!(
        bench.obey("look locks 1 5").await.unwrap(),
        "open occupied pulses 0"
    );
    for line in [
        "break locks 1 5 stuck",
        "repair locks 1 5 stuck",
        "fault locks 1 late 20",
        "fault locks 1 silent off",
        "line locks echo on",
        "line locks noise 5",
        "unplug locks",
        "replug locks",
        "unplug scanner",
    ] {
        assert_eq!(bench.obey(line).await.unwrap(), "done", "{line}");
    }
    for line in [
        "",
        "dance",
        "hand locks 9 1 kick",
        "hand locks 1 0 open",
        "fault locks 7 silent on",
        "look x 1 1",
    ] {
        assert!(bench.obey(line).await.is_err(), "{line}");
    }
}

const MODE: PortMode = PortMode {
    baud: 9600,
    rs485: true,
};

#[tokio::test]
async fn a_port_is_plain_8n1_whatever_it_was_and_nobody_elses_meanwhile() {
    let path = directory("mode").join("cable");
    let _cable = Terminal::open(&path).unwrap();
    let before = File::open(&path).unwrap();
    let odd = ControlModes::CSTOPB | ControlModes::CRTSCTS;
    let mut modes = tcgetattr(&before).unwrap();
    modes.control_modes |= odd;
    modes.input_modes |= InputModes::IXOFF;
    tcsetattr(&before, OptionalActions::Now, &modes).unwrap();
    assert!(tcgetattr(&before).unwrap().control_modes.contains(odd));

    let port = Terminal::attach(&path, MODE).unwrap();
    let modes = tcgetattr(&before).unwrap();
    assert!(!modes.control_modes.intersects(odd), "{:?}", modes.control_modes);
    assert!(!modes.input_modes.contains(InputModes::IXOFF));
    let second = Terminal::attach(&path, MODE).unwrap_err();
    assert!(second.to_string().contains("in use"), "{second}");
    drop(port);
    Terminal::attach(&path, MODE).expect("free again");
}

#[tokio::test]
async fn what_is_sent_to_a_port_with_a_full_buffer_arrives_as_soon_as_it_is_read() {
    let path = directory("full").join("cable");
    let cable = Terminal::open(&path).unwrap();
    let port = Terminal::attach(&path, MODE).unwrap();
    let bytes: Vec<u8> = (0..60_000_u32).map(|at| at as u8).collect();
    let reading = async {
        let (mut heard, mut buffer) = (Vec::new(), [0; 512]);
        while heard.len() < bytes.len() {
            let count = cable.read(&mut buffer).await.unwrap();
            heard.extend_from_slice(&buffer[..count]);
        }
        heard
    };
    let both = async { tokio::join!(port.send(&bytes), reading) };
    let (sent, heard) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    sent.unwrap();
    assert!(heard == bytes, "every byte, in order");

    let stuck = port.send(&[0; 200_000]).await.unwrap_err();
    assert_eq!(stuck.kind(), std::io::ErrorKind::TimedOut, "nobody reads");
}
