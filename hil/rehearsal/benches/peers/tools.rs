//! The peers, installed by their package managers: a C program with Debian's libmodbus, Python's in a virtual environment, a Rust package.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What PyPI is asked for.
const PYTHON: [&str; 3] = ["pymodbus==3.16.1", "minimalmodbus==2.1.1", "libosdp==3.2.9"];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers")
}

fn target() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    target.parent().unwrap().join("peers")
}

/// A peer by its name, and the words that start it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: Vec<PathBuf>,
}

impl Peer {
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program[0]);
        command
            .args(&self.program[1..])
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// The Modbus peers.
pub(crate) fn modbus() -> Vec<Peer> {
    let script = |name, file| Peer {
        name,
        program: vec![python(), sources().join(file)],
    };
    vec![
        Peer {
            name: "libmodbus",
            program: vec![libmodbus()],
        },
        script("pymodbus", "pymodbus_peer.py"),
        script("minimalmodbus", "minimalmodbus_peer.py"),
        Peer {
            name: "tokio-modbus",
            program: vec![tokio_modbus()],
        },
    ]
}

/// libosdp, at either end.
pub(crate) fn osdp() -> Peer {
    Peer {
        name: "libosdp",
        program: vec![python(), sources().join("osdp_peer.py")],
    }
}

fn run(program: impl AsRef<OsStr>, arguments: &[&OsStr]) {
    let mut command = Command::new(program);
    let output = command.args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; install it and run again"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {said}");
}

fn words<'a>(words: &'a [&'a str]) -> Vec<&'a OsStr> {
    words.iter().map(OsStr::new).collect()
}

fn libmodbus() -> PathBuf {
    if !Path::new("/usr/include/modbus/modbus.h").exists() {
        let get = [
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "libmodbus-dev",
        ];
        let root = rustix::process::geteuid().is_root();
        let (program, rest) = if root {
            (get[0], &get[1..])
        } else {
            ("sudo", &get[..])
        };
        run(program, &words(rest));
    }
    std::fs::create_dir_all(target()).unwrap();
    let program = target().join("libmodbus");
    let source = sources().join("libmodbus.c");
    let mut arguments = words(&["-O2", "-Wall", "-I/usr/include/modbus", "-o"]);
    arguments.extend([program.as_os_str(), source.as_os_str()]);
    arguments.extend(words(&["-lmodbus", "-lpthread"]));
    run("cc", &arguments);
    program
}

/// Python with the packages.
fn python() -> PathBuf {
    let environment = target().join("python");
    let python = environment.join("bin/python");
    if !python.exists() {
        run(
            "python3",
            &[OsStr::new("-m"), OsStr::new("venv"), environment.as_os_str()],
        );
    }
    let mut arguments = words(&["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    arguments.extend(words(&PYTHON));
    run(&python, &arguments);
    python
}

fn tokio_modbus() -> PathBuf {
    let (manifest, built) = (
        sources().join("tokio-modbus/Cargo.toml"),
        target().join("tokio-modbus"),
    );
    let mut arguments = words(&["build", "--release", "--quiet", "--locked", "--manifest-path"]);
    arguments.extend([
        manifest.as_os_str(),
        OsStr::new("--target-dir"),
        built.as_os_str(),
    ]);
    run(
        std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        &arguments,
    );
    built.join("release/tokio-modbus-peer")
}
