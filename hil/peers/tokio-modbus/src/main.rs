//! Polls boards with tokio-modbus, as hil/peers/README.md describes: PORT BAUD BOARDS FILE commands|quiet.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_modbus::client::{Context, Reader, Writer, rtu};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_serial::SerialStream;

const INPUTS: u16 = 8;
const ALL_RELAYS: u16 = 0x00FF;
/// The library waits for ever; half a second is what libmodbus waits.
const PATIENCE: Duration = Duration::from_millis(500);

fn now() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

async fn command(port: Arc<Mutex<Context>>, boards: u8) {
    for turn in 0_u32.. {
        sleep(Duration::from_micros(200_000 + u64::from(turn) * 37_717 % 100_000)).await;
        let queued = now();
        let mut port = port.lock().await;
        port.set_slave(Slave(1 + u8::try_from(turn % u32::from(boards)).unwrap_or(0)));
        let _answered = timeout(PATIENCE, port.write_single_coil(ALL_RELAYS, false)).await;
        drop(port);
        println!("command {queued}");
    }
}

fn keep(file: &mut File, board: u8, bits: &[bool]) -> std::io::Result<()> {
    writeln!(file, "{board} {bits:?}")?;
    file.sync_data()?;
    println!("kept {} {board}", now());
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, baud, boards, file, how] = words.as_slice() else {
        return Err("PORT BAUD BOARDS FILE commands|quiet".into());
    };
    let boards: u8 = boards.parse()?;
    let stream = SerialStream::open(&tokio_serial::new(path, baud.parse()?))?;
    let port = Arc::new(Mutex::new(rtu::attach(stream)));
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    if how == "commands" {
        tokio::spawn(command(Arc::clone(&port), boards));
    }
    let mut known: HashMap<u8, Vec<bool>> = HashMap::new();
    loop {
        for board in 1..=boards {
            let mut port = port.lock().await;
            port.set_slave(Slave(board));
            let answer = timeout(PATIENCE, port.read_discrete_inputs(0, INPUTS)).await;
            drop(port);
            let Ok(Ok(Ok(bits))) = answer else { continue };
            if known.get(&board) != Some(&bits) {
                keep(&mut file, board, &bits)?;
                known.insert(board, bits);
            }
        }
    }
}
