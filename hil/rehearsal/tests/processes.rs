//! Programs as child processes: ready, told, killed, and never left behind.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rehearsal::processes::{Launch, ProcessError, Processes, Ready, Sink, Started};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(20);

fn processes(sink: Sink) -> Processes {
    Processes::new(PathBuf::from(env!("CARGO_BIN_EXE_rehearsal")), sink)
}

fn silent() -> Sink {
    Arc::new(|_, _| {})
}

fn broker(listen: &str, ready: Ready) -> Launch {
    let arguments = ["broker", "--listen", listen].map(OsString::from).to_vec();
    Launch {
        name: "broker".into(),
        arguments,
        ready,
        within: LIMIT,
    }
}

fn listening() -> Ready {
    Ready::Line("listening on".into())
}

fn address(started: &Started) -> SocketAddr {
    started
        .line
        .as_ref()
        .unwrap()
        .strip_prefix("listening on ")
        .unwrap()
        .parse()
        .unwrap()
}

/// Waits until nothing listens there any more.
async fn gone(address: SocketAddr) {
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, refused).await.unwrap();
}

#[tokio::test]
async fn a_program_is_ready_told_ended_and_its_lines_are_passed_on() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&heard);
    let mut processes = processes(Arc::new(move |name, line| {
        copy.lock().unwrap().push(format!("{name}: {line}"))
    }));
    let started = processes.start(broker("127.0.0.1:0", listening())).await.unwrap();
    processes.tell(started.process, "pause").await.unwrap();
    assert_eq!(
        processes.line(started.process, "done", LIMIT).await.unwrap(),
        "done: pause"
    );
    assert!(
        processes.line(started.process, "listening", LIMIT).await.is_ok(),
        "an earlier line is found again"
    );
    assert!(processes.is_running(started.process));
    assert!(
        processes
            .end(started.process, LIMIT)
            .await
            .unwrap()
            .unwrap()
            .success()
    );
    assert!(!processes.is_running(started.process));
    assert!(heard.lock().unwrap()[0].starts_with("broker: listening on 127.0.0.1:"));
}

#[tokio::test]
async fn a_killed_program_is_gone_and_starts_again_on_its_port() {
    let mut processes = processes(silent());
    let started = processes.start(broker("127.0.0.1:0", listening())).await.unwrap();
    let address = address(&started);
    processes.kill(started.process).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    assert!(matches!(
        processes.kill(started.process).await,
        Err(ProcessError::NotRunning(_))
    ));
    processes
        .start(broker(&address.to_string(), Ready::Port(address)))
        .await
        .unwrap();
    processes.end_all(LIMIT).await;
    gone(address).await;
}

#[tokio::test]
async fn a_program_that_fails_or_dawdles_is_an_error_with_its_last_lines() {
    let mut processes = processes(silent());
    let error = processes
        .start(broker("192.0.2.1:1", listening()))
        .await
        .unwrap_err();
    assert!(matches!(error, ProcessError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("loopback only"), "{error}");
    let within = Duration::from_millis(300);
    let launch = Launch {
        within,
        ..broker("127.0.0.1:0", Ready::Line("never said".into()))
    };
    let error = processes.start(launch).await.unwrap_err();
    assert!(matches!(error, ProcessError::Late { .. }), "{error}");
}

#[tokio::test]
async fn children_end_when_their_processes_are_dropped() {
    let mut processes = processes(silent());
    let started = processes.start(broker("127.0.0.1:0", listening())).await.unwrap();
    drop(processes);
    gone(address(&started)).await;
}

/// Runs itself once more as the parent that is then killed.
#[tokio::test]
async fn children_end_with_a_parent_that_is_killed() {
    const ROLE: &str = "REHEARSAL_TEST_ROLE";
    if std::env::var_os(ROLE).is_some() {
        let mut processes = processes(silent());
        let started = processes.start(broker("127.0.0.1:0", listening())).await.unwrap();
        println!("\nchild at {}", address(&started));
        std::future::pending::<()>().await;
    }
    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "children_end_with_a_parent_that_is_killed",
            "--nocapture",
        ])
        .env(ROLE, "parent")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let child = loop {
        let line = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
        if let Some(address) = line.strip_prefix("child at ") {
            break address.parse().unwrap();
        }
    };
    assert!(TcpStream::connect(child).await.is_ok());
    parent.kill().await.unwrap();
    gone(child).await;
}
