//! `hardware check`: the checks of a bench that a file describes, and their report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use firmware_protocol::Channel;
use firmware_protocol::secure::Key;
use hardware::checks::{self, Attendant, Check, Language, OnSite, Plan, Report, Section};
use hardware::{BoardSettings, Grain, Line, Port, SimulatedBoard, typed};

use crate::Failure;

#[derive(Debug, Args)]
pub(crate) struct CheckBench {
    /// The file that describes the bench; config/bench.toml is an example
    #[arg(value_name = "FILE")]
    bench: PathBuf,
    /// Only this check; may be repeated
    #[arg(long, value_name = "CHECK")]
    only: Vec<Check>,
    /// Check a simulated board like the one in the file, to see what a report looks like
    #[arg(long)]
    simulated: bool,
    /// Nobody is at the terminal: what no command in the file does is not done
    #[arg(long)]
    unattended: bool,
    /// The report's language
    #[arg(long, default_value = "zh")]
    language: Language,
    /// Write the report, as Markdown, to this file. Left out: to standard output
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
}

impl CheckBench {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let mut plan = Plan::load(&self.bench).map_err(|error| Failure(78, error.to_string()))?;
        let report = if self.simulated {
            let directory = std::env::temp_dir().join(format!("hardware-check-{}", std::process::id()));
            plan.path = directory.join("board");
            plan.name.push_str(" (模拟 simulated)");
            let port = Port::spawn(line(&plan), &plan.path)
                .map_err(|error| Failure(71, format!("no pseudo-terminal can be had: {error}")))?;
            let report = self.check(&plan, Attendant::Simulated(&port, plan.board)).await?;
            drop(port);
            // The port's name goes with it; a directory that stays is empty and harmless.
            let _ = std::fs::remove_dir_all(directory);
            report
        } else {
            let site = OnSite::new(plan.commands.clone(), (!self.unattended).then(typed));
            self.check(&plan, Attendant::OnSite(site)).await?
        };
        self.hand_over(&report)?;
        Ok(ExitCode::from(match (report.failed(), report.incomplete()) {
            (true, _) => 1,
            (false, true) => 75,
            (false, false) => 0,
        }))
    }

    async fn check(&self, plan: &Plan, attendant: Attendant<'_>) -> Result<Report, Failure> {
        let mut dice = [0; 32];
        getrandom::fill(&mut dice)
            .map_err(|error| Failure(71, format!("no random bytes can be had: {error}")))?;
        let named = |check: &&Check| self.only.is_empty() || self.only.contains(check);
        let wanted: Vec<Check> = Check::ALL.iter().filter(named).copied().collect();
        let told = |section: &Section| eprintln!("{}", section.line(self.language));
        Ok(checks::run(plan, attendant, &wanted, dice, told).await)
    }

    fn hand_over(&self, report: &Report) -> Result<(), Failure> {
        let text = report.markdown(self.language);
        if let Some(path) = &self.report {
            write(path, &text)?;
        }
        if self.json {
            let json = serde_json::to_string(report).map_err(|error| Failure(70, error.to_string()))?;
            println!("{json}");
        } else if self.report.is_none() {
            print!("{text}");
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure(74, format!("{}: {error}; name another --report", path.display())))
}

/// A simulated board like the one that is described.
fn line(plan: &Plan) -> Line {
    let settings = BoardSettings {
        inverted: if plan.inverted {
            Channel::bits(plan.channels)
        } else {
            0
        },
        reports: plan.reports.unwrap_or(false),
        ..BoardSettings::new(plan.family, plan.board, plan.channels)
    };
    let board = SimulatedBoard::new(settings, 1);
    let board = match &plan.keys {
        Some(keys) => board.secured(Key::new([0; 32]), [plan.board.0; 8], keys.clone()),
        None => board,
    };
    Line::new(vec![board], plan.baud, Grain::Bytes, 1)
}
