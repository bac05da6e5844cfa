//! A file system with one file, served by this process: the image under a loop device, of which every write and every flush is seen.
//!
//! It speaks the kernel's FUSE protocol (7.31) as far as a loop device asks: look the file up, read, write, sync. The mount is made by
//! mount(8), which is handed the open `/dev/fuse` as its standard input.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The one file's name.
pub(super) const IMAGE: &str = "image";
const ROOT_NODE: u64 = 1;
const IMAGE_NODE: u64 = 2;
const WRITE_MAX: u32 = 128 << 10;
const REQUEST_MAX: usize = WRITE_MAX as usize + 4096;
const HEADER: usize = 40;
/// For as long as the mount lives.
const VALID_S: u64 = 1 << 20;
const IS_DIRECTORY: u32 = 0o040_755;
const IS_FILE: u32 = 0o100_600;
/// Reads and writes are handed on as they come.
const DIRECT_IO: u32 = 1;

const ENOENT: i32 = 2;
const EIO: i32 = 5;
const ENOSYS: i32 = 38;

/// What a device was asked to do, in order.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// Bytes at a place; they may be lost until the next flush.
    Write(u64, Vec<u8>),
    /// Everything before is kept from now on.
    Flush,
}

/// The device: its bytes as they are now, and all that it was asked since.
pub(super) struct Device {
    bytes: Vec<u8>,
    log: Vec<Asked>,
    recording: bool,
    flush_takes: Duration,
    flushing: bool,
}

impl Device {
    pub(super) fn new(bytes: Vec<u8>) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            bytes,
            log: Vec::new(),
            recording: false,
            flush_takes: Duration::ZERO,
            flushing: false,
        }))
    }

    /// From here on; gives the bytes as they are.
    pub(super) fn record(&mut self) -> Vec<u8> {
        self.recording = true;
        self.bytes.clone()
    }

    /// How much it was asked so far.
    pub(super) fn asked(&self) -> usize {
        self.log.len()
    }

    pub(super) fn take_log(&mut self) -> Vec<Asked> {
        self.recording = false;
        std::mem::take(&mut self.log)
    }

    /// Each flush takes so long from now on.
    pub(super) fn flushes_take(&mut self, each: Duration) {
        self.flush_takes = each;
    }

    /// Whether a flush is under way.
    pub(super) fn is_flushing(&self) -> bool {
        self.flushing
    }

    fn note(&mut self, asked: Asked) {
        if self.recording {
            self.log.push(asked);
        }
    }
}

/// A device's lock; nobody panics with it.
pub(super) fn held(device: &Mutex<Device>) -> MutexGuard<'_, Device> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Mounts it; the thread ends when it is unmounted.
pub(super) fn serve(device: Arc<Mutex<Device>>, place: &Path) -> io::Result<JoinHandle<()>> {
    let line = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
    let status = Command::new("mount")
        .args([
            "-i",
            "-t",
            "fuse",
            "-o",
            "fd=0,rootmode=40000,user_id=0,group_id=0",
            "crashes",
        ])
        .arg(place)
        .stdin(Stdio::from(line.try_clone()?))
        .status()?;
    if !status.success() {
        return Err(io::Error::other(
            "mount -t fuse was refused; this needs root and the fuse module",
        ));
    }
    std::thread::Builder::new()
        .name("device".into())
        .spawn(move || answer(line, &device))
}

fn answer(mut line: File, device: &Mutex<Device>) {
    let mut request = vec![0; REQUEST_MAX];
    loop {
        let length = match line.read(&mut request) {
            Ok(length) if length >= HEADER => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Unmounted.
            Ok(_) | Err(_) => return,
        };
        let Some(answer) = respond(&request[..length], device) else {
            continue;
        };
        let (error, body) = match answer {
            Ok(body) => (0, body),
            Err(error) => (-error, Vec::new()),
        };
        let mut whole = Bytes::default();
        whole
            .u32(16 + body.len() as u32)
            .u32(error as u32)
            .u64(u64_at(&request, 8));
        whole.0.extend_from_slice(&body);
        // A request that was interrupted has nobody who waits.
        let _gone = line.write_all(&whole.0);
    }
}

type Answer = Result<Vec<u8>, i32>;

/// None where the kernel wants no answer.
fn respond(request: &[u8], device: &Mutex<Device>) -> Option<Answer> {
    let (opcode, node) = (u32_at(request, 4), u64_at(request, 16));
    let body = &request[HEADER..];
    Some(match opcode {
        1 => lookup(body, device),
        2 | 36 | 42 => return None, // forget, interrupt, batch forget
        3 => attributes(node, device),
        4 => attributes(node, device), // set attributes: nothing changes
        14 | 27 => Ok(opened(opcode == 14)),
        15 => read(body, device),
        16 => Ok(write(body, device)),
        18 | 25 | 29 | 38 => Ok(Vec::new()), // release, flush of a handle, release directory, destroy
        20 => Ok(flush(device)),
        26 => Ok(initialised(body)),
        28 => Ok(Vec::new()), // an empty listing
        _ => Err(ENOSYS),
    })
}

fn initialised(body: &[u8]) -> Vec<u8> {
    const BIG_WRITES: u32 = 1 << 5;
    const MAX_PAGES: u32 = 1 << 22;
    let offered = u32_at(body, 12);
    let mut out = Bytes::default();
    out.u32(7)
        .u32(31)
        .u32(u32_at(body, 8))
        .u32(offered & (BIG_WRITES | MAX_PAGES));
    out.u16(16)
        .u16(12)
        .u32(WRITE_MAX)
        .u32(1)
        .u16((WRITE_MAX / 4096) as u16)
        .u16(0);
    out.0.resize(64, 0);
    out.0
}

fn lookup(body: &[u8], device: &Mutex<Device>) -> Answer {
    if body.strip_suffix(b"\0") != Some(IMAGE.as_bytes()) {
        return Err(ENOENT);
    }
    let mut out = Bytes::default();
    out.u64(IMAGE_NODE).u64(0).u64(VALID_S).u64(VALID_S).u32(0).u32(0);
    out.attributes(IMAGE_NODE, device);
    Ok(out.0)
}

fn attributes(node: u64, device: &Mutex<Device>) -> Answer {
    let mut out = Bytes::default();
    out.u64(VALID_S).u32(0).u32(0).attributes(node, device);
    Ok(out.0)
}

fn opened(file: bool) -> Vec<u8> {
    let mut out = Bytes::default();
    out.u64(0).u32(if file { DIRECT_IO } else { 0 }).u32(0);
    out.0
}

fn read(body: &[u8], device: &Mutex<Device>) -> Answer {
    let (offset, size) = (u64_at(body, 8), u32_at(body, 16) as usize);
    let from = usize::try_from(offset).map_err(|_| EIO)?;
    let device = held(device);
    let rest = device.bytes.get(from..).unwrap_or_default();
    Ok(rest[..rest.len().min(size)].to_vec())
}

/// Everybody else may look at the device meanwhile.
fn flush(device: &Mutex<Device>) -> Vec<u8> {
    let takes = {
        let mut device = held(device);
        device.flushing = true;
        device.flush_takes
    };
    std::thread::sleep(takes);
    let mut device = held(device);
    device.flushing = false;
    device.note(Asked::Flush);
    Vec::new()
}

fn write(body: &[u8], device: &Mutex<Device>) -> Vec<u8> {
    let (offset, size) = (u64_at(body, 8), u32_at(body, 16) as usize);
    let bytes = &body[40..][..size];
    let mut device = held(device);
    let from = offset as usize;
    if device.bytes.len() < from + size {
        device.bytes.resize(from + size, 0);
    }
    device.bytes[from..from + size].copy_from_slice(bytes);
    device.note(Asked::Write(offset, bytes.to_vec()));
    let mut out = Bytes::default();
    out.u32(size as u32).u32(0);
    out.0
}

/// Numbers as the kernel of this machine has them.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, number: u16) -> &mut Self {
        self.0.extend_from_slice(&number.to_ne_bytes());
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend_from_slice(&number.to_ne_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_ne_bytes());
        self
    }

    fn attributes(&mut self, node: u64, device: &Mutex<Device>) {
        let (size, mode) = match node {
            ROOT_NODE => (0, IS_DIRECTORY),
            _ => (held(device).bytes.len() as u64, IS_FILE),
        };
        self.u64(node).u64(size).u64(size / 512).u64(0).u64(0).u64(0);
        self.u32(0)
            .u32(0)
            .u32(0)
            .u32(mode)
            .u32(1)
            .u32(0)
            .u32(0)
            .u32(0)
            .u32(4096)
            .u32(0);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(number)
}
