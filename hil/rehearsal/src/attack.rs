//! Somebody at the lock bus's cable: twelve attacks against the secure family, a thirteenth while a board gets another key, and the same
//! against a vendor's.
//!
//! The bus master, the codecs and the boards are the real ones, in memory with virtual time. The attacker hears everything, can
//! send to either end, alter and hold back what passes, and cut a board's power. What counts is a pulse that nobody ordered: on
//! another lock, once more than ordered, or later than an order is good for; a key on the board that the cabinet has not kept; and a
//! cabinet that cannot open its doors any more when the attacker has gone.

mod moves;
mod rotation;
mod scene;

use std::process::ExitCode;

use firmware_protocol::Family;

use scene::Scene;

/// Let somebody at the lock bus's cable try twelve attacks and one more, and print which doors open
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The vendor's family to compare with
    #[arg(long, default_value = "8a80-shuoming")]
    family: String,
}

/// What somebody at the cable can try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// What was recorded is sent again, one frame and whole conversations.
    Replay,
    /// A board's own words are given back to it.
    Reflection,
    /// Both ends are talked into something older or weaker, or an older family is spoken.
    Downgrade,
    /// What passes is altered on its way.
    ManInTheMiddle,
    /// A key of the attacker's own is installed, with power cuts and a bridged button.
    ForcedInstallation,
    /// Keys that makers and authors like are tried.
    DefaultKey,
    /// Proofs are guessed as fast as the line carries them.
    Guessing,
    /// Parts of frames are put together anew.
    Splice,
    /// Frames are held back and delivered later, or in another order.
    Reorder,
    /// The board's power is cut, and its old conversations are played to it.
    Reboot,
    /// Somebody shouts all the time, in the family's own form.
    Babbling,
    /// Commands in clear are put between the sealed ones.
    ClearFrames,
    /// A board's key is being replaced, and what both ends say for that is meddled with, frame by frame. (Where there are no keys, what is
    /// said to open a door.)
    Rotation,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Replay,
        Self::Reflection,
        Self::Downgrade,
        Self::ManInTheMiddle,
        Self::ForcedInstallation,
        Self::DefaultKey,
        Self::Guessing,
        Self::Splice,
        Self::Reorder,
        Self::Reboot,
        Self::Babbling,
        Self::ClearFrames,
        Self::Rotation,
    ];

    /// In a few words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Reflection => "reflection",
            Self::Downgrade => "downgrade",
            Self::ManInTheMiddle => "man in the middle",
            Self::ForcedInstallation => "forced install mode",
            Self::DefaultKey => "default key",
            Self::Guessing => "guessing at line rate",
            Self::Splice => "splice",
            Self::Reorder => "reorder and delay",
            Self::Reboot => "counter reset by reboot",
            Self::Babbling => "babbling",
            Self::ClearFrames => "clear frames in a session",
            Self::Rotation => "during key replacement",
        }
    }
}

/// What an attack came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Pulses that nobody had ordered.
    pub opened: u32,
    /// How often the board had a key that the cabinet had not kept.
    pub installed: u32,
    /// Frames that the attacker sent.
    pub sent: u32,
    /// Whether the cabinet opens doors again when the attacker has gone.
    pub serves: bool,
}

/// Lets the attacker try it on a line of this family.
#[must_use]
pub fn run(attack: Attack, family: Family) -> Outcome {
    let mut scene = Scene::new(family);
    moves::make(attack, &mut scene);
    scene.leave()
}

/// Prints the table; fails if a door of the secure family opened.
#[must_use]
pub fn command(arguments: &Arguments) -> ExitCode {
    let Some(vendor) = Family::named(&arguments.family).filter(|family| *family != Family::LockerdSecure)
    else {
        let names: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
        eprintln!(
            "rehearsal: no vendor's family {}; say one of {}",
            arguments.family,
            names.join(", ")
        );
        return ExitCode::from(64);
    };
    let secure = Family::LockerdSecure;
    println!("{:<26}{:<34}{}", "attack", secure.name(), vendor.name());
    let mut held = true;
    for attack in Attack::ALL {
        let ours = run(attack, secure);
        held &= ours.opened == 0 && ours.installed == 0 && ours.serves;
        println!(
            "{:<26}{:<34}{}",
            attack.name(),
            told(ours),
            told(run(attack, vendor))
        );
    }
    println!(
        "{}",
        if held {
            "the secure family holds"
        } else {
            "the secure family does NOT hold"
        }
    );
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn told(outcome: Outcome) -> String {
    let doors = match outcome.opened {
        0 => "no door".to_owned(),
        1 => "1 door opened".to_owned(),
        count => format!("{count} times a door opened"),
    };
    let key = if outcome.installed == 0 {
        ""
    } else {
        ", a key installed"
    };
    let after = if outcome.serves { "" } else { ", no service after" };
    format!("{doors} by {} frames{key}{after}", outcome.sent)
}
