//! The real programs as child processes, each of them this executable started again under another first argument.
//!
//! One build is then enough for the whole rehearsal, and what runs is a process that can be killed. Children end
//! with their parent in any case: `Processes` kills them when it goes, and each asks the system in
//! [`die_with_parent`] to be killed when the parent is gone without a word.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::output::Output;

/// Tells a child which process it must not outlive.
const PARENT: &str = "REHEARSAL_PARENT";

/// Takes a program's name and one line of what it said.
pub type Sink = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// One child, by the number that the system gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

/// When a program counts as started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// As soon as it runs.
    AtOnce,
    /// When it says a line that contains this.
    Line(String),
    /// When it takes connections here.
    Port(SocketAddr),
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// In front of its lines, and in errors.
    pub name: String,
    /// The first is the program: `broker`, and the other programs' names.
    pub arguments: Vec<OsString>,
    /// When it counts as started.
    pub ready: Ready,
    /// The limit for that.
    pub within: Duration,
}

/// A program that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// To reach it by.
    pub process: ProcessId,
    /// The line that it was waited for, where it was one.
    pub line: Option<String>,
}

/// Why a child is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The system did not start it.
    #[error(
        "{name} could not be started from {executable}: {cause}; build it again or free memory and processes"
    )]
    Start {
        /// Of the child.
        name: String,
        /// What was run.
        executable: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It ended before it was ready, or before it said what was waited for.
    #[error("{name} ended ({status}) before {wanted}; its last lines:\n{last}")]
    Ended {
        /// Of the child.
        name: String,
        /// Its exit status.
        status: String,
        /// What was waited for.
        wanted: String,
        /// What it said last.
        last: String,
    },
    /// It took too long.
    #[error("{name} did not come to {wanted} within {limit:?}; its last lines:\n{last}")]
    Late {
        /// Of the child.
        name: String,
        /// What was waited for.
        wanted: String,
        /// How long.
        limit: Duration,
        /// What it said last.
        last: String,
    },
    /// It does not exist or has ended.
    #[error("process {0} is not running; start it first")]
    NotRunning(u32),
}

struct Running {
    name: String,
    child: Child,
    output: Output,
}

/// All children of this process. Dropped, it kills them.
pub struct Processes {
    executable: PathBuf,
    sink: Sink,
    nursery: mpsc::Sender<Birth>,
    running: Vec<(ProcessId, Running)>,
}

/// A child to be, and where to tell of it.
type Birth = (Command, oneshot::Sender<std::io::Result<Child>>);

impl Processes {
    /// Starts programs from `executable`, usually `std::env::current_exe()`. Within a tokio runtime.
    pub fn new(executable: PathBuf, sink: Sink) -> Self {
        let (nursery, births) = mpsc::channel::<Birth>();
        let runtime = tokio::runtime::Handle::current();
        // The system kills a child when the thread that started it ends: this one lasts as long as the children.
        std::thread::spawn(move || {
            let _entered = runtime.enter();
            for (mut command, answer) in births {
                let _unheard = answer.send(command.spawn());
            }
        });
        Self {
            executable,
            sink,
            nursery,
            running: Vec::new(),
        }
    }

    /// Starts a program and waits until it is ready; one that is not in time is killed.
    pub async fn start(&mut self, launch: Launch) -> Result<Started, ProcessError> {
        let Launch {
            name,
            arguments,
            ready,
            within,
        } = launch;
        let failed = |cause| ProcessError::Start {
            name: name.clone(),
            executable: self.executable.clone(),
            cause,
        };
        let mut command = Command::new(&self.executable);
        command
            .args(arguments)
            .env(PARENT, std::process::id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let (answer, born) = oneshot::channel();
        let unavailable = || std::io::Error::other("the thread that starts children has ended");
        self.nursery
            .send((command, answer))
            .map_err(|_| failed(unavailable()))?;
        let mut child = born.await.map_err(|_| failed(unavailable()))?.map_err(failed)?;
        let process = ProcessId(child.id().ok_or_else(unavailable).map_err(failed)?);
        let output = Output::of(&mut child, &name, &self.sink);
        self.running.push((process, Running { name, child, output }));
        let outcome = match ready {
            Ready::AtOnce => Ok(None),
            Ready::Line(part) => self.line(process, &part, within).await.map(Some),
            Ready::Port(address) => self.port(process, address, within).await.map(|()| None),
        };
        if outcome.is_err() {
            let _already = self.kill(process).await;
        }
        outcome.map(|line| Started { process, line })
    }

    /// The first line since its start that contains `part`; waits for it if need be.
    pub async fn line(
        &mut self,
        process: ProcessId,
        part: &str,
        within: Duration,
    ) -> Result<String, ProcessError> {
        self.line_after(process, part, 0, within).await
    }

    /// Writes a line to its standard input and waits for the line that says `LINE: answer`; gives the answer.
    pub async fn ask(
        &mut self,
        process: ProcessId,
        line: &str,
        within: Duration,
    ) -> Result<String, ProcessError> {
        let so_far = self.find(process)?.output.count();
        self.tell(process, line).await?;
        let asked = format!("{line}: ");
        let answer = self.line_after(process, &asked, so_far, within).await?;
        Ok(answer.strip_prefix(&asked).unwrap_or(&answer).to_owned())
    }

    async fn line_after(
        &mut self,
        process: ProcessId,
        part: &str,
        after: usize,
        within: Duration,
    ) -> Result<String, ProcessError> {
        let limit = Instant::now() + within;
        let running = self.find(process)?;
        let found = timeout_at(limit, running.output.line(part, after)).await;
        let wanted = format!("saying \"{part}\"");
        match found {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(running.ended(wanted).await),
            Err(_) => Err(running.late(wanted, within)),
        }
    }

    async fn port(
        &mut self,
        process: ProcessId,
        address: SocketAddr,
        within: Duration,
    ) -> Result<(), ProcessError> {
        let limit = Instant::now() + within;
        let running = self.find(process)?;
        let wanted = format!("taking connections on {address}");
        loop {
            if matches!(timeout_at(limit, TcpStream::connect(address)).await, Ok(Ok(_))) {
                return Ok(());
            }
            if matches!(running.child.try_wait(), Ok(Some(_))) {
                return Err(running.ended(wanted).await);
            }
            if Instant::now() >= limit {
                return Err(running.late(wanted, within));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Writes a line to its standard input.
    pub async fn tell(&mut self, process: ProcessId, line: &str) -> Result<(), ProcessError> {
        let gone = ProcessError::NotRunning(process.0);
        let Some(input) = self.find(process)?.child.stdin.as_mut() else {
            return Err(gone);
        };
        input
            .write_all(format!("{line}\n").as_bytes())
            .await
            .map_err(|_| gone)
    }

    /// Kills it as a power cut would (`kill -9`), and waits until it is gone.
    pub async fn kill(&mut self, process: ProcessId) -> Result<(), ProcessError> {
        let mut running = self.take(process)?;
        running
            .child
            .kill()
            .await
            .map_err(|_| ProcessError::NotRunning(process.0))
    }

    /// Kills all of these at one moment, as one power cut would, and waits until they are gone.
    pub async fn kill_together(&mut self, processes: &[ProcessId]) -> Result<(), ProcessError> {
        for process in processes {
            let killed = self.find(*process)?.child.start_kill();
            killed.map_err(|_| ProcessError::NotRunning(process.0))?;
        }
        for process in processes {
            let _status = self.take(*process)?.child.wait().await;
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM) and kills it where it has not within the limit. `None`: it had to be killed.
    pub async fn end(
        &mut self,
        process: ProcessId,
        within: Duration,
    ) -> Result<Option<ExitStatus>, ProcessError> {
        let running = self.find(process)?;
        let pid = running
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ended = rustix::process::kill_process(pid, Signal::TERM);
        }
        self.wait(process, within).await
    }

    /// Waits until it ends by itself, and kills it where it has not within the limit. `None`: it had to be killed.
    pub async fn wait(
        &mut self,
        process: ProcessId,
        within: Duration,
    ) -> Result<Option<ExitStatus>, ProcessError> {
        let running = self.find(process)?;
        let ended = timeout_at(Instant::now() + within, running.child.wait()).await;
        if let Ok(Ok(status)) = ended {
            self.take(process)?;
            return Ok(Some(status));
        }
        self.kill(process).await.map(|()| None)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self, process: ProcessId) -> bool {
        self.find(process)
            .is_ok_and(|running| matches!(running.child.try_wait(), Ok(None)))
    }

    /// Asks all to end, the last started first, and kills those that have not within the limit.
    pub async fn end_all(&mut self, within: Duration) {
        while let Some((process, _)) = self.running.last() {
            let process = *process;
            let _gone = self.end(process, within).await;
        }
    }

    fn find(&mut self, process: ProcessId) -> Result<&mut Running, ProcessError> {
        let found = self.running.iter_mut().find(|(id, _)| *id == process);
        found
            .map(|(_, running)| running)
            .ok_or(ProcessError::NotRunning(process.0))
    }

    fn take(&mut self, process: ProcessId) -> Result<Running, ProcessError> {
        let at = self.running.iter().position(|(id, _)| *id == process);
        at.map(|at| self.running.remove(at).1)
            .ok_or(ProcessError::NotRunning(process.0))
    }
}

impl Running {
    async fn ended(&mut self, wanted: String) -> ProcessError {
        let status = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        ProcessError::Ended {
            name: self.name.clone(),
            status,
            wanted,
            last: self.output.last(),
        }
    }

    fn late(&self, wanted: String, limit: Duration) -> ProcessError {
        ProcessError::Late {
            name: self.name.clone(),
            wanted,
            limit,
            last: self.output.last(),
        }
    }
}

/// First thing in a child's `main`: asks the system to kill this process when its parent ends. Does nothing in a
/// process that `Processes` did not start; false where the parent is gone already, so that the child should end.
pub fn die_with_parent() -> bool {
    let Some(parent) = std::env::var(PARENT)
        .ok()
        .and_then(|text| text.parse::<i32>().ok())
    else {
        return true;
    };
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        eprintln!("this process may outlive the one that started it, because the system refused: {error}");
    }
    rustix::process::getppid()
        .map(Pid::as_raw_nonzero)
        .is_some_and(|now| now.get() == parent)
}

/// Becomes another program, found as a shell finds it or where Debian keeps servers; it ends with this one's parent all the same.
pub fn become_another(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    use std::os::unix::process::CommandExt;
    let name = words.next().unwrap_or_default();
    let server = Path::new("/usr/sbin").join(&name);
    let program = if server.exists() {
        server.into_os_string()
    } else {
        name
    };
    let error = std::process::Command::new(&program).args(words).exec();
    eprintln!(
        "{} cannot be started: {error}; install it as tests/run does",
        program.display()
    );
    ExitCode::from(69)
}

/// Prints each line behind its program's name.
pub fn to_standard_error() -> Sink {
    Arc::new(|name, line| eprintln!("{name:>9} | {line}"))
}
