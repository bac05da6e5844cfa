//! The walk: finds boards, signs the technician in, proves lock by lock, writes what was found, and signs a report.

// Of all screens a technician meets some; any other is left as it is.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use office_protocol::event::{StaffRole, Wiring};
use office_protocol::{BoardId, CompartmentId};
use serde_json::json;

use super::desk::Desk;
use super::terminal::Terminal;
use super::{Walk, doors, finding, ports, report};
use crate::cabinet::screen::{Action, DoorWork, Screen};
use crate::cabinet::vocabulary::Input;
use crate::command_line::{Configured, Failure, unseen};
use crate::settings::Settings;
use crate::settings::wiring::{self, NotWritten};

/// How long the boards may take to show every door for the first time.
const FOUND_MAX: Duration = Duration::from_secs(15);
/// What the journal calls whoever is at a machine whose office has named no technician.
const AT_THE_MACHINE: &str = "on-site";

pub(super) async fn run(walk: &Walk) -> Result<ExitCode, Failure> {
    let file = walk.configured.file();
    let mut terminal = Terminal::open(walk.json);
    if !walk.no_scan {
        find(walk, file, &mut terminal).await?;
    }
    let settings = walk.configured.load()?;
    let mut desk = Desk::open(&settings).await?;
    let unread = |cabinet: &crate::cabinet::Cabinet| {
        let state = cabinet.state();
        state.compartments.iter().any(|place| place.open.is_none())
    };
    if !desk.until(FOUND_MAX, |cabinet| !unread(cabinet)).await? {
        terminal.note("some boards do not answer; their locks cannot be proven now")?;
    }
    sign_in(&mut desk, &mut terminal).await?;
    terminal.note("关好所有柜门。 Close all doors.")?;
    prove(&mut desk, walk, &mut terminal).await?;
    let found: BTreeMap<CompartmentId, Wiring> = desk.cabinet().ledger().rewired().collect();
    if !found.is_empty() {
        drop(desk);
        wiring::write_found(file, &found).map_err(not_written)?;
        terminal.note(&format!(
            "{}: the locks are written as they were found",
            file.display()
        ))?;
        desk = Desk::open(&walk.configured.load()?).await?;
    }
    let settings = walk.configured.load()?;
    let (kept, text) = report::write(&settings, desk.cabinet())?;
    let unproven: Vec<u16> = desk.cabinet().ledger().unproven().map(|id| id.0).collect();
    terminal.say(
        &json!({ "report": kept, "unproven": unproven }),
        &format!("{text}signed, and kept as {}", kept.display()),
    )?;
    Ok(if unproven.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Another board hangs there now.
pub(super) async fn replace_board(configured: &Configured, board: BoardId) -> Result<ExitCode, Failure> {
    let settings = configured.load()?;
    if settings.layout.board(board).is_none() {
        return Err(Failure::new(
            64,
            format!("no board {board} in the settings; give its id"),
        ));
    }
    let mut terminal = Terminal::open(false);
    let mut desk = Desk::open(&settings).await?;
    sign_in(&mut desk, &mut terminal).await?;
    for action in [
        Action::StartInspection,
        Action::ReplaceBoard { board },
        Action::Done,
        Action::Done,
    ] {
        desk.tap(action).await?;
    }
    let ledger = desk.cabinet().ledger();
    let hang_there = |id: &CompartmentId| ledger.board_of(*id) == Some(board);
    let mut doors = ledger.compartments.keys().copied().filter(hang_there).peekable();
    if doors.peek().is_none() {
        return Err(Failure::new(
            64,
            format!("board {board} has no compartments: nothing of it is to be proven anew"),
        ));
    }
    if doors.any(|door| ledger.is_proven(door)) {
        return Err(Failure::new(
            70,
            format!("board {board} was not replaced: the cabinet has refused it; see the journal"),
        ));
    }
    let unproven = ledger.unproven().count();
    println!("board {board} is replaced; {unproven} locks are to be proven: run `lockerd commission`");
    Ok(ExitCode::SUCCESS)
}

/// Looks for boards, and writes those that are new into the settings, with their ports as they are.
async fn find(walk: &Walk, file: &Path, terminal: &mut Terminal) -> Result<(), Failure> {
    let read = |text: &str| {
        Settings::bus(&file.display().to_string(), text).map_err(|error| Failure::new(78, error))
    };
    let mut text = wiring::read(file).map_err(|error| Failure::new(78, error))?;
    let mut bus = read(&text)?;
    let patience = Duration::from_millis(walk.patience);
    let mut found = finding::boards(&bus, patience).await?;
    let settled = ports::settled(walk, terminal, &bus, &found, &text).await?;
    let ports_changed = settled.is_some();
    if let Some(settled) = settled {
        bus = read(&settled)?;
        found = finding::boards(&bus, patience).await?;
        text = settled;
    }
    for board in &found.silent {
        terminal.note(&format!("board {board} of the settings does not answer"))?;
    }
    for board in &mut found.new {
        let (id, port, address, channels) = (board.id, &board.port, board.address, board.channels);
        terminal.say(
            &json!({ "board": id, "port": port, "address": address, "channels": channels }),
            &format!("board {id} is new: port {port}, address {address}, up to {channels} locks"),
        )?;
        board.locks = doors::ask_locks(walk, board, terminal).await?;
    }
    if !found.new.is_empty() {
        let next = bus.last_compartment.map_or(1, |last| last.saturating_add(1));
        let first = walk.first.unwrap_or(next);
        let locks = found.new.iter().map(|board| u16::from(board.locks)).sum::<u16>();
        let new = first..=first.saturating_add(locks.saturating_sub(1));
        let sizes = doors::ask_sizes(walk, &new, terminal).await?;
        let reachable = doors::ask_reach(walk, &new, terminal).await?;
        text = wiring::with_boards(&text, &found.new, first, &sizes, &reachable);
    }
    if ports_changed || !found.new.is_empty() {
        wiring::keep(file, &text).map_err(not_written)?;
    }
    Ok(())
}

async fn sign_in(desk: &mut Desk, terminal: &mut Terminal) -> Result<(), Failure> {
    let members = &desk.cabinet().authority().staff.members;
    let named = members
        .iter()
        .any(|member| member.roles.contains(&StaffRole::Technician));
    if named {
        unseen::ask_for_badge();
        let badge = terminal.line().await?;
        desk.step(Input::Scanned { text: badge.into() }).await?;
        let pin_unseen = unseen::ask_for_pin();
        let digits = terminal.line().await?;
        drop(pin_unseen);
        desk.tap(Action::Digits { digits }).await?;
    } else {
        let staff = AT_THE_MACHINE
            .parse()
            .map_err(|error| Failure::new(70, format!("{error}")))?;
        desk.step(Input::TechnicianAtMachine { staff }).await?;
    }
    match desk.screen() {
        Screen::StaffHome {
            role: StaffRole::Technician,
            ..
        } => Ok(()),
        _ => Err(Failure::new(
            77,
            "no technician's badge and PIN that count here and now; nothing was opened",
        )),
    }
}

/// Goes through the locks as the screen would, until there is nothing left to do.
async fn prove(desk: &mut Desk, walk: &Walk, terminal: &mut Terminal) -> Result<(), Failure> {
    desk.tap(Action::StartProving).await?;
    let mut opened = 0_u32;
    loop {
        match desk.screen() {
            Screen::StaffHome { .. } | Screen::Home { .. } => return Ok(()),
            Screen::Round { rows, .. } if rows.is_empty() => {
                desk.tap(Action::EndRound).await?;
                desk.tap(Action::Done).await?;
            }
            Screen::Round { rows, .. } => {
                opened += 1;
                let doors = rows.len();
                terminal.say(&json!({ "left": doors }), &format!("{doors} locks left"))?;
                desk.tap(Action::OpenNext).await?;
            }
            Screen::WhichDoor { work, doors } => {
                let action = which_door(desk, walk, terminal, &work, &doors).await?;
                if let Some(action) = action {
                    desk.tap(action).await?;
                }
            }
            Screen::IsDoorOpen(work) => {
                let open = is_open(desk, walk, terminal, &work).await?;
                if let Some(open) = open {
                    desk.tap(Action::DoorIsOpen { open }).await?;
                }
            }
            Screen::DoorOpen { work, .. } => {
                let door = work.compartment;
                terminal.say(
                    &json!({ "ask": "close", "door": door }),
                    &format!("close door {door}"),
                )?;
                let shown = std::mem::discriminant(&desk.screen());
                while std::mem::discriminant(&desk.screen()) == shown {
                    desk.turn().await?;
                }
            }
            Screen::MoreTime => desk.tap(Action::MoreTime).await?,
            Screen::Opening(_) | Screen::LockResting(_) => desk.turn().await?,
            _ if opened > 0 => desk.tap(Action::Done).await?,
            _ => desk.turn().await?,
        }
    }
}

async fn which_door(
    desk: &mut Desk,
    walk: &Walk,
    terminal: &mut Terminal,
    work: &DoorWork,
    doors: &[CompartmentId],
) -> Result<Option<Action>, Failure> {
    let compartment = work.compartment;
    let wiring = desk
        .cabinet()
        .ledger()
        .compartments
        .get(&compartment)
        .and_then(|place| place.wiring);
    let lock = wiring.map_or(String::new(), |wiring| {
        format!("board {} channel {}: ", wiring.board, wiring.channel)
    });
    terminal.forget_typed_ahead()?;
    terminal.say(
        &json!({ "ask": "which-door", "door": compartment, "wiring": wiring }),
        &format!("{lock}which door has opened? [its number, or none; the settings say {compartment}]"),
    )?;
    if walk.yes {
        return Ok(Some(Action::OpenedDoor { compartment }));
    }
    let Some(line) = desk.answer(terminal).await? else {
        return Ok(None);
    };
    Ok(match line.as_str() {
        "none" => Some(Action::No),
        number => match number.parse().map(CompartmentId) {
            Ok(compartment) if doors.contains(&compartment) => Some(Action::OpenedDoor { compartment }),
            Ok(_) | Err(_) => {
                terminal.note(&format!("{number:?} is no door of the settings"))?;
                None
            }
        },
    })
}

async fn is_open(
    desk: &mut Desk,
    walk: &Walk,
    terminal: &mut Terminal,
    work: &DoorWork,
) -> Result<Option<bool>, Failure> {
    let door = work.compartment;
    terminal.forget_typed_ahead()?;
    terminal.say(
        &json!({ "ask": "is-open", "door": door }),
        &format!("the sensor of door {door} has not moved. Has any door opened? [y or n]"),
    )?;
    if walk.yes {
        return Ok(Some(false));
    }
    let Some(line) = desk.answer(terminal).await? else {
        return Ok(None);
    };
    Ok(match line.to_lowercase().as_str() {
        "y" | "yes" | "是" => Some(true),
        "n" | "no" | "否" => Some(false),
        _ => {
            terminal.note("answer y or n")?;
            None
        }
    })
}

pub(super) fn not_written(error: NotWritten) -> Failure {
    let code = match &error {
        NotWritten::Disk { .. } => 74,
        NotWritten::Unusable(_) | NotWritten::Inline(_) => 78,
    };
    Failure::new(code, error)
}
