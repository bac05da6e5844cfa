//! `hardware emulate`: simulated lock boards at the end of a real cable, in front of somebody else's controller.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use firmware_protocol::{Board, Channel, Family};
use hardware::{Bench, BoardSettings, Grain, Line, Port, PortMode, SimulatedBoard, typed};

use crate::Failure;

/// The name that the line has in what is typed.
pub(crate) const NAME: &str = "line";
/// The simulated wire is so fast that the real one sets the pace.
const UNPACED: u32 = 4_000_000;

#[derive(Debug, Args)]
pub(crate) struct Emulate {
    /// The serial port; the controller is at the other end of its cable
    #[arg(long, value_name = "PATH")]
    port: PathBuf,
    /// What the boards speak
    #[arg(long, value_name = "NAME", value_parser = family)]
    family: Family,
    /// The line's speed. Left out: the family's usual one
    #[arg(long)]
    baud: Option<u32>,
    /// The port switches the direction of an RS-485 line itself
    #[arg(long)]
    rs485: bool,
    /// The address on a board's switch; may be repeated
    #[arg(long = "address", value_name = "ADDRESS", required = true)]
    addresses: Vec<u8>,
    /// How many locks each board has
    #[arg(long, default_value_t = 8)]
    locks: u8,
    /// How long a board takes to begin an answer to a read, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    reply: u64,
    /// The boards refuse a lock for so long after a pulse, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    cool_down: u64,
    /// The boards speak unasked when a door changes
    #[arg(long)]
    reports: bool,
    /// The locks' switches are of the other kind
    #[arg(long)]
    inverted: bool,
    /// The boards say nothing to an unlock, where their family leaves that open
    #[arg(long)]
    quiet: bool,
}

fn family(name: &str) -> Result<Family, String> {
    let open: Vec<Family> = Family::ALL
        .iter()
        .copied()
        .filter(|family| !family.profile().protected)
        .collect();
    let found = open.iter().copied().find(|family| family.name() == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = open.iter().map(|family| family.name()).collect();
        format!("no such family without a key: one of {}", known.join(", "))
    })
}

impl Emulate {
    fn baud(&self) -> Result<u32, Failure> {
        let usual = self.family.profile().baud;
        let problem = || {
            format!(
                "no document names the speed of {} boards: give --baud",
                self.family.name()
            )
        };
        self.baud.or(usual).ok_or_else(|| Failure(64, problem()))
    }

    fn boards(&self) -> Result<Vec<SimulatedBoard>, Failure> {
        let profile = self.family.profile();
        if !(1..=profile.channels_max).contains(&self.locks) {
            let problem = format!(
                "{} boards have 1 to {} locks",
                self.family.name(),
                profile.channels_max
            );
            return Err(Failure(64, problem));
        }
        let board = |address: &u8| {
            if !(profile.boards.0..=profile.boards.1).contains(address) {
                let (first, last) = profile.boards;
                return Err(Failure(
                    64,
                    format!("{} boards have addresses {first} to {last}", self.family.name()),
                ));
            }
            let settings = BoardSettings {
                reply: Duration::from_millis(self.reply),
                cool_down: Duration::from_millis(self.cool_down),
                reports: self.reports,
                inverted: if self.inverted {
                    Channel::bits(self.locks)
                } else {
                    0
                },
                unlock_answered: !self.quiet,
                ..BoardSettings::new(self.family, Board(*address), self.locks)
            };
            Ok(SimulatedBoard::new(settings, u64::from(*address)))
        };
        self.addresses.iter().map(board).collect()
    }

    pub(crate) async fn run(self) -> Result<(), Failure> {
        let baud = self.baud()?;
        let line = Line::new(self.boards()?, UNPACED, Grain::Bytes, 0);
        let problem = |error| {
            Failure(
                66,
                format!(
                    "{}: {error}; check path, rights and who has it open",
                    self.port.display()
                ),
            )
        };
        let mut bench = Bench::default();
        let mode = PortMode {
            baud,
            rs485: self.rs485,
        };
        let port = Port::attach(line, &self.port, mode).map_err(problem)?;
        bench.lines.insert(NAME.to_owned(), port);
        println!(
            "{} at {baud} baud on {}: boards {:?} with {} locks each",
            self.family.name(),
            self.port.display(),
            self.addresses,
            self.locks
        );
        let mut typed = typed();
        while let Some(line) = typed.recv().await {
            if line.trim().is_empty() {
                continue;
            }
            match bench.obey(&line).await {
                Ok(answer) => println!("{answer}"),
                Err(error) => println!("{error}"),
            }
        }
        // Nobody types any more; the boards go on.
        std::future::pending().await
    }
}
