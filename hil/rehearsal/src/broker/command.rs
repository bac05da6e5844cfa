//! `rehearsal broker`: the broker as a process of its own, steered by lines on its standard input.

use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::core::Broker;
use super::faults::{Faults, Memory, Misdeed, PerMille};
use super::limits::Limits;
use super::server::{Control, Server};

/// Exit code for a port that cannot be had (sysexits `EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;

/// Runs a small MQTT 5 broker for rehearsals: plain, loopback only, nothing on disk.
///
/// Its first line is `listening on ADDRESS`. Lines on standard input steer it, and each is answered by one line:
/// `pause`, `resume`, `crash` (every connection ends), `wipe` (crash, and forget everything), `cut CLIENT`,
/// `roll-back FILTER`, `drop N` (of a thousand deliveries; 0 heals), `stop`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:1883", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The only user name that gets in; without it, anybody does
    #[arg(long, requires = "password")]
    user: Option<String>,
    /// The password of that user
    #[arg(long, requires = "user")]
    password: Option<String>,
    /// What faults are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs until `stop`, SIGINT or SIGTERM.
pub async fn run(arguments: Arguments) -> ExitCode {
    let credentials = arguments.user.zip(arguments.password.map(Into::into));
    let broker = Broker::new(
        Limits {
            credentials,
            ..Limits::default()
        },
        arguments.seed,
    );
    let server = match Server::start(arguments.listen, broker).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("rehearsal broker: {error}");
            return ExitCode::from(UNAVAILABLE);
        }
    };
    let (mut terminate, mut interrupt) = match signals() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("rehearsal broker: signals cannot be caught: {error}");
            return ExitCode::from(UNAVAILABLE);
        }
    };
    println!("listening on {}", server.address());
    tokio::select! {
        () = obey(server.control()) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.stop().await;
    println!("stopped");
    ExitCode::SUCCESS
}

/// Follows lines until `stop`; for ever where standard input ends or is closed.
async fn obey(control: &Control) {
    let mut lines = lines_of_standard_input();
    while let Some(line) = lines.recv().await {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb {
            "stop" => return,
            "pause" => control.pause().await,
            "resume" => control.resume().await,
            "crash" => control.misdeed(Misdeed::Crash).await,
            "wipe" => {
                control.misdeed(Misdeed::Forget(Memory::Sessions)).await;
                control.misdeed(Misdeed::Forget(Memory::Retained)).await;
            }
            "cut" => control.misdeed(Misdeed::Cut(rest.to_owned())).await,
            "roll-back" => control.misdeed(Misdeed::RollBack(rest.to_owned())).await,
            "drop" => match rest.parse() {
                Ok(chance @ 0..=1000) => {
                    let faults = Faults {
                        drop: PerMille(chance),
                        ..Faults::default()
                    };
                    control.misdeed(Misdeed::Set(faults)).await;
                }
                Ok(_) | Err(_) => {
                    println!("not understood: {line}: write drop and a number from 0 to 1000");
                    continue;
                }
            },
            _ => {
                println!("not understood: {line}: see rehearsal broker --help");
                continue;
            }
        }
        println!("done: {line}");
    }
    std::future::pending().await
}

/// Read on a thread of its own, which ends with the process.
fn lines_of_standard_input() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// What ends a program: asked for before it says that it is ready, so that nobody can be too early.
fn signals() -> std::io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}
