//! The technician's terminal: what is said there, to a person or to a program, and the lines that are typed.

use std::io::{BufRead, Write};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::command_line::Failure;

/// How many lines may have been typed that nobody has asked for yet.
const AHEAD_MAX: usize = 1024;

/// Standard input and output.
pub(super) struct Terminal {
    json: bool,
    lines: mpsc::Receiver<String>,
}

impl Terminal {
    /// A thread of its own reads: a line may take as long as a person takes.
    pub(super) fn open(json: bool) -> Self {
        let (sender, lines) = mpsc::channel(AHEAD_MAX);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if sender.blocking_send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { json, lines }
    }

    /// Says something at once.
    pub(super) fn say(&self, object: &Value, words: &str) -> Result<(), Failure> {
        let line = if self.json {
            object.to_string()
        } else {
            words.to_owned()
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .map_err(|error| Failure::new(74, format!("standard output: {error}")))
    }

    pub(super) fn note(&self, words: &str) -> Result<(), Failure> {
        self.say(&json!({ "note": words }), words)
    }

    /// Drops what was typed before the question that comes now: it cannot be its answer.
    pub(super) fn forget_typed_ahead(&mut self) -> Result<(), Failure> {
        let mut dropped = false;
        while self.lines.try_recv().is_ok() {
            dropped = true;
        }
        if dropped {
            self.note("what was typed before this question does not count")?;
        }
        Ok(())
    }

    /// Asks until what is typed can be taken; says why it cannot.
    pub(super) async fn ask<T>(
        &mut self,
        object: &Value,
        words: &str,
        take: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        loop {
            self.say(object, words)?;
            match take(&self.line().await?) {
                Ok(taken) => return Ok(taken),
                Err(problem) => self.note(&problem)?,
            }
        }
    }

    /// The next line; an error when there will be none.
    pub(super) async fn line(&mut self) -> Result<String, Failure> {
        self.lines.recv().await.ok_or_else(|| {
            Failure::new(
                64,
                "standard input has ended: answer what is asked, or give --yes where nothing but the sensor is to be believed",
            )
        })
    }
}
