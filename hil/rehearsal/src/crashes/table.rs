//! What came out: for each kind of stop or damage, how often it was tried, and what became of the events.

use std::time::Instant;

use serde::Serialize;

/// Examples kept of what is wrong.
const EXAMPLES_MAX: usize = 3;

/// One kind of stop or damage.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    what: String,
    tried: u64,
    /// Acknowledged events that are gone or different, and nobody says so; any other law that is broken.
    broken: u64,
    /// Damage that was reported by the numbers of the events.
    named: u64,
    /// The journal ends earlier or begins later, and only who knew its ends can tell: the office does.
    shortened: u64,
    seconds: f64,
    /// Broken on purpose: it shows that what is looked for would be seen.
    control: bool,
    examples: Vec<String>,
    #[serde(skip)]
    began: Instant,
}

/// How one trial of damage ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything is there.
    Whole,
    /// What is not there is named.
    Named,
    /// Whole groups are gone from an end, without a trace on the disk.
    Shortened,
}

impl Row {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            tried: 0,
            broken: 0,
            named: 0,
            shortened: 0,
            seconds: 0.0,
            control: false,
            examples: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Here something must be seen.
    pub(super) fn control(mut self) -> Self {
        self.control = true;
        self.examples.clear();
        self
    }

    /// One more stop.
    pub(super) fn tried(&mut self, outcome: Result<(), String>) {
        self.judged(outcome.map(|()| Outcome::Whole));
    }

    /// One more damage.
    pub(super) fn judged(&mut self, outcome: Result<Outcome, String>) {
        self.tried += 1;
        match outcome {
            Ok(Outcome::Whole) => {}
            Ok(Outcome::Named) => self.named += 1,
            Ok(Outcome::Shortened) => self.shortened += 1,
            Err(wrong) => {
                self.broken += 1;
                if self.examples.len() < EXAMPLES_MAX {
                    self.examples.push(wrong);
                }
            }
        }
        self.seconds = self.began.elapsed().as_secs_f64();
    }

    /// Nothing was lost, and nothing in silence; in a control, something was.
    pub(super) fn is_lawful(&self) -> bool {
        self.tried > 0 && self.control == (self.broken > 0)
    }
}

/// The rows as they come.
pub(super) struct Table {
    rows: Vec<Row>,
    json: bool,
}

impl Table {
    pub(super) fn begin(json: bool) -> Self {
        if !json {
            println!("   tried  broken   named  shortened  seconds  stopped or damaged by");
        }
        Self {
            rows: Vec::new(),
            json,
        }
    }

    pub(super) fn add(&mut self, row: Row) {
        if !self.json {
            println!(
                "{:>8} {:>7} {:>7} {:>10} {:>8.1}  {}",
                row.tried, row.broken, row.named, row.shortened, row.seconds, row.what
            );
            row.examples
                .iter()
                .for_each(|example| println!("{:>8} {example}", ""));
        }
        self.rows.push(row);
    }

    /// The sum; true when no law was broken.
    pub(super) fn end(self) -> bool {
        let real = || self.rows.iter().filter(|row| !row.control);
        let tried: u64 = real().map(|row| row.tried).sum();
        let broken: u64 = real().map(|row| row.broken).sum();
        if self.json {
            println!(
                "{}",
                serde_json::to_string(&self.rows).expect("texts and numbers")
            );
        } else {
            println!("{tried} tried: {broken} acknowledged events lost, altered or repeated in silence");
        }
        self.rows.iter().all(Row::is_lawful)
    }
}
