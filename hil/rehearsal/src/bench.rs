//! One cabinet's simulated hardware as a program: a lock board and a scanner on pseudo-terminals, told what to do line by line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use firmware_protocol::{Board, Family};
use hardware::{Bench, BoardSettings, Ending, Grain, Line, Port, SimulatedBoard, SimulatedScanner, typed};

/// Runs a cabinet's lock board and scanner on pseudo-terminals, and obeys lines on standard input.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where the ports `locks` and `scanner` are made
    #[arg(long)]
    directory: PathBuf,
    /// Locks of the board
    #[arg(long, default_value_t = 24)]
    locks: u8,
}

const BAUD: u32 = 9600;

/// Runs until standard input ends.
pub async fn run(arguments: Arguments) -> ExitCode {
    let bench = match bench(&arguments) {
        Ok(bench) => bench,
        Err(error) => {
            eprintln!(
                "hardware: no pseudo-terminal in {}: {error}; choose a directory that can be written",
                arguments.directory.display()
            );
            return ExitCode::from(71);
        }
    };
    println!("hardware ready in {}", arguments.directory.display());
    let mut lines = typed();
    while let Some(line) = lines.recv().await {
        match bench.obey(&line).await {
            Ok(answer) => println!("{line}: {answer}"),
            Err(error) => println!("{line}: {error}"),
        }
    }
    ExitCode::SUCCESS
}

fn bench(arguments: &Arguments) -> std::io::Result<Bench> {
    let board = SimulatedBoard::new(BoardSettings::new(Family::Shuoming, Board(1), arguments.locks), 1);
    let line = Line::new(vec![board], BAUD, Grain::Bytes, 1);
    let scanner = SimulatedScanner::new(Ending::CarriageReturn, false, BAUD, Grain::Bytes);
    let mut bench = Bench::default();
    let locks = Port::spawn(line, &arguments.directory.join("locks"))?;
    bench.lines.insert("locks".to_owned(), locks);
    let scanner = Port::spawn(scanner, &arguments.directory.join("scanner"))?;
    bench.scanners.insert("scanner".to_owned(), scanner);
    Ok(bench)
}
