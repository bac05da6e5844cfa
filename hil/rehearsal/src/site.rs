//! One cabinet and its office on this machine, each as a real process: broker, hub, hardware on pseudo-terminals, daemon.

mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use office_protocol::CabinetId;

pub use settings::WEBHOOK_SECRET;

use crate::commissioning::{self, NotCommissioned, Technician};
use crate::processes::{Launch, ProcessError, ProcessId, Processes, Ready, Sink};

/// How long a program may take to be ready: generous, because a busy machine is no fault.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a program may take to end when it is asked to.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long the hardware may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Locks of the one board, and so compartments.
pub const COMPARTMENTS: u8 = 24;

/// What is to be built, and where it listens; all of it on loopback.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where settings, keys, journals, databases and logs go; made if need be.
    pub directory: PathBuf,
    /// The cabinet's screen.
    pub kiosk: SocketAddr,
    /// The office's page and API.
    pub office: SocketAddr,
    /// Where the approval system hears of hand-overs.
    pub approval: SocketAddr,
    /// The broker.
    pub broker: SocketAddr,
    /// Which broker.
    pub brokerage: Brokerage,
}

/// Which broker joins the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brokerage {
    /// The rehearsal's own, without TLS.
    Own,
    /// Debian's mosquitto, with TLS and client certificates.
    Mosquitto,
}

/// One of the site's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The MQTT broker.
    Broker,
    /// The hub.
    Office,
    /// Lock board and scanner.
    Hardware,
    /// The cabinet's daemon.
    Cabinet,
}

impl Program {
    /// In the order in which they are started.
    pub const ALL: [Self; 4] = [Self::Broker, Self::Office, Self::Hardware, Self::Cabinet];

    const fn name(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Office => "office",
            Self::Hardware => "hardware",
            Self::Cabinet => "lockerd",
        }
    }
}

/// Why there is no site.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A program.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file.
    #[error("{path}: {source}; choose another --directory")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A command did not succeed.
    #[error("`{command}` failed ({status}): {said}")]
    Command {
        /// What was run.
        command: String,
        /// Its exit status.
        status: String,
        /// What it said.
        said: String,
    },
    /// Another demo runs there.
    #[error("another demo runs in {0}; end it, or choose another --directory")]
    Busy(PathBuf),
    /// Its locks are not proven.
    #[error(transparent)]
    NotCommissioned(#[from] NotCommissioned),
    /// The system gives no port.
    #[error("no free port on loopback: {0}; close other programs")]
    Port(std::io::Error),
}

/// `wanted` if nobody has it, else any free port on loopback.
///
/// # Errors
/// [`SiteError::Port`].
pub fn address(wanted: Option<u16>) -> Result<SocketAddr, SiteError> {
    let loopback = |port| TcpListener::bind(("127.0.0.1", port)).and_then(|socket| socket.local_addr());
    if let Some(Ok(address)) = wanted.map(loopback) {
        return Ok(address);
    }
    loopback(0).map_err(SiteError::Port)
}

fn lock(directory: &Path) -> Result<std::fs::File, SiteError> {
    let path = directory.join("lock");
    let file = std::fs::File::create(&path).map_err(|source| SiteError::File {
        path: path.clone(),
        source,
    })?;
    file.try_lock()
        .map_err(|_| SiteError::Busy(directory.to_owned()))?;
    Ok(file)
}

impl Plan {
    /// Everything in `directory`, on free ports; the kiosk and the office at these if nobody has them.
    ///
    /// # Errors
    /// [`SiteError::Port`].
    pub fn new(
        directory: &Path,
        brokerage: Brokerage,
        kiosk: Option<u16>,
        office: Option<u16>,
    ) -> Result<Self, SiteError> {
        Ok(Self {
            directory: directory.to_owned(),
            kiosk: address(kiosk)?,
            office: address(office)?,
            approval: address(None)?,
            broker: address(None)?,
            brokerage,
        })
    }
}

/// A cabinet and its office. Dropped, it kills all of it.
pub struct Site {
    plan: Plan,
    cabinet: CabinetId,
    executable: PathBuf,
    processes: Processes,
    /// Held for as long as the site stands, so that there is one in a directory.
    _lock: std::fs::File,
    running: BTreeMap<Program, ProcessId>,
}

impl Site {
    /// Writes the settings, makes the keys, enrols the cabinet and commissions it, unless that has been done in this directory before. Starts nothing.
    /// `executable` is the rehearsal's own. Within a tokio runtime.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn found(plan: Plan, executable: PathBuf, sink: Sink) -> Result<Self, SiteError> {
        std::fs::create_dir_all(&plan.directory).map_err(|source| SiteError::File {
            path: plan.directory.clone(),
            source,
        })?;
        let lock = lock(&plan.directory)?;
        let site = Self {
            _lock: lock,
            processes: Processes::new(executable.clone(), sink),
            plan,
            cabinet: "DEMO-1".parse().expect("capitals, a dash, a digit"),
            executable,
            running: BTreeMap::new(),
        };
        let tls = site.plan.brokerage == Brokerage::Mosquitto;
        site.write("lockerd.toml", &settings::cabinet(&site.plan))?;
        site.write("office.toml", &settings::office(&site.plan))?;
        site.write("approval.secret", WEBHOOK_SECRET)?;
        if tls {
            site.write("mosquitto.conf", &settings::mosquitto(&site.plan))?;
            site.write("mosquitto.acl", settings::BROKER_RULES)?;
        }
        if !site.path("secrets/bundle.json").exists() {
            if tls {
                let certificates = site.path("certificates").display().to_string();
                site.office(&["certificates", "--out", &certificates])?;
            }
            site.enrol()?;
            commissioning::commission(&site.path("lockerd.toml"), Technician::AtMachine)?;
        }
        Ok(site)
    }

    /// Throws away all that the cabinet kept, its identity too, and enrols it as on a new disk. It must not run.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn replace_disk(&self) -> Result<(), SiteError> {
        for name in ["cabinet", "secrets"] {
            std::fs::remove_dir_all(self.path(name)).map_err(self.file_error(name))?;
        }
        self.enrol()
    }

    fn enrol(&self) -> Result<(), SiteError> {
        let identity = self.lockerd(&["identity"])?;
        self.write("identity.json", &identity)?;
        let identity = self.path("identity.json").display().to_string();
        let bundle = self.office(&[
            "enrol",
            "--cabinet",
            self.cabinet.as_str(),
            "--identity",
            &identity,
        ])?;
        self.write("bundle.json", &bundle)?;
        self.lockerd(&["enrol", &self.path("bundle.json").display().to_string()])?;
        Ok(())
    }

    /// What was built.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The cabinet's name.
    pub fn cabinet(&self) -> &CabinetId {
        &self.cabinet
    }

    /// A file or directory of the site.
    pub fn path(&self, name: &str) -> PathBuf {
        self.plan.directory.join(name)
    }

    /// A secret that the office made at its first start: `token` or `password`.
    ///
    /// # Errors
    /// [`SiteError::File`].
    pub fn office_secret(&self, name: &str) -> Result<String, SiteError> {
        let place = format!("office/{name}");
        let text = std::fs::read_to_string(self.path(&place)).map_err(self.file_error(&place))?;
        Ok(text.trim().to_owned())
    }

    /// Starts a program and waits until it is ready.
    ///
    /// # Errors
    /// [`SiteError::Process`].
    pub async fn start(&mut self, program: Program) -> Result<(), SiteError> {
        let started = self.processes.start(self.launch(program)).await?;
        self.running.insert(program, started.process);
        Ok(())
    }

    /// Starts all programs, one after the other.
    ///
    /// # Errors
    /// [`SiteError::Process`].
    pub async fn start_all(&mut self) -> Result<(), SiteError> {
        for program in Program::ALL {
            self.start(program).await?;
        }
        Ok(())
    }

    /// Kills a program as a power cut would.
    ///
    /// # Errors
    /// [`SiteError::Process`] when it does not run.
    pub async fn kill(&mut self, program: Program) -> Result<(), SiteError> {
        let process = self.running.remove(&program).unwrap_or(ProcessId(0));
        Ok(self.processes.kill(process).await?)
    }

    /// Kills programs at one moment, as one power cut would.
    ///
    /// # Errors
    /// [`SiteError::Process`] when one does not run.
    pub async fn kill_together(&mut self, programs: &[Program]) -> Result<(), SiteError> {
        let running = &mut self.running;
        let gone = programs.iter().map(|program| running.remove(program));
        let processes: Vec<ProcessId> = gone.map(|process| process.unwrap_or(ProcessId(0))).collect();
        Ok(self.processes.kill_together(&processes).await?)
    }

    /// Asks a program to end, and waits for that.
    ///
    /// # Errors
    /// [`SiteError::Process`] when it does not run.
    pub async fn end(&mut self, program: Program) -> Result<(), SiteError> {
        let process = self.running.remove(&program).unwrap_or(ProcessId(0));
        self.processes.end(process, END_WITHIN).await?;
        Ok(())
    }

    /// Asks all programs to end.
    pub async fn end_all(&mut self) {
        self.running.clear();
        self.processes.end_all(END_WITHIN).await;
    }

    /// The first program that has ended by itself.
    pub fn ended(&mut self) -> Option<Program> {
        let processes = &mut self.processes;
        let mut running = self.running.iter();
        let gone = running.find(|(_, process)| !processes.is_running(**process));
        gone.map(|(program, _)| *program)
    }

    /// Says a line to the hardware, as in `rehearsal hardware --help`, and gives its answer.
    ///
    /// # Errors
    /// [`SiteError::Process`].
    pub async fn hardware(&mut self, line: &str) -> Result<String, SiteError> {
        let process = self.running.get(&Program::Hardware).copied();
        let process = process.unwrap_or(ProcessId(0));
        Ok(self.processes.ask(process, line, ANSWER_WITHIN).await?)
    }

    /// Runs `lockerd ARGUMENTS` with the cabinet's settings; gives its standard output.
    ///
    /// # Errors
    /// [`SiteError::Command`] unless it exits with 0.
    pub fn lockerd(&self, arguments: &[&str]) -> Result<String, SiteError> {
        let config = self.path("lockerd.toml").display().to_string();
        self.command("lockerd", &[arguments, &["--config", &config]].concat())
    }

    /// Runs `office ARGUMENTS` with the office's settings; gives its standard output.
    ///
    /// # Errors
    /// [`SiteError::Command`] unless it exits with 0.
    pub fn office(&self, arguments: &[&str]) -> Result<String, SiteError> {
        let config = self.path("office.toml").display().to_string();
        self.command("office", &[arguments, &["--config", &config]].concat())
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<String, SiteError> {
        let mut command = Command::new(&self.executable);
        command.arg(program).args(arguments).env("RUST_LOG", "warn");
        let name = || format!("{program} {}", arguments.join(" "));
        let Output {
            status,
            stdout,
            stderr,
        } = command
            .output()
            .map_err(self.file_error(&self.executable.display().to_string()))?;
        if status.success() {
            Ok(String::from_utf8_lossy(&stdout).into_owned())
        } else {
            Err(SiteError::Command {
                command: name(),
                status: status.to_string(),
                said: String::from_utf8_lossy(&stderr).trim().to_owned(),
            })
        }
    }

    fn launch(&self, program: Program) -> Launch {
        let here = |name: &str| self.path(name).into_os_string();
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let (arguments, ready) = match (program, self.plan.brokerage) {
            (Program::Broker, Brokerage::Own) => (
                words(&["broker", "--listen", &self.plan.broker.to_string()]),
                Ready::Line("listening on".into()),
            ),
            (Program::Broker, Brokerage::Mosquitto) => (
                [
                    words(&["become", "mosquitto", "-c"]),
                    vec![here("mosquitto.conf")],
                ]
                .concat(),
                Ready::Port(self.plan.broker),
            ),
            (Program::Office, _) => (
                [words(&["office", "run", "--config"]), vec![here("office.toml")]].concat(),
                Ready::Port(self.plan.office),
            ),
            (Program::Hardware, _) => (
                [words(&["hardware", "--directory"]), vec![here("ports")]].concat(),
                Ready::Line("hardware ready".into()),
            ),
            (Program::Cabinet, _) => (
                [words(&["lockerd", "run", "--config"]), vec![here("lockerd.toml")]].concat(),
                Ready::Port(self.plan.kiosk),
            ),
        };
        Launch {
            name: program.name().into(),
            arguments,
            ready,
            within: READY_WITHIN,
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), SiteError> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::OpenOptions::new();
        let opened = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path(name));
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(self.file_error(name))
    }

    fn file_error(&self, name: &str) -> impl FnOnce(std::io::Error) -> SiteError + use<> {
        let path = self.path(name);
        move |source| SiteError::File { path, source }
    }
}
