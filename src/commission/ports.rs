//! What a port speaks really: looks for boards that do not answer in the other families and at the other speeds, says where they are, and
//! changes the port's settings when the technician agrees.
//!
//! A port has one family and one speed. Where some of its boards answer as the settings say, the others are to be set to that.

use std::time::Duration;

use firmware_protocol::Family;
use office_protocol::BoardId;
use serde_json::json;

use super::finding::Found;
use super::terminal::Terminal;
use super::walk::not_written;
use super::{Walk, finding};
use crate::boards::elsewhere::{self, Hunt, Line, Step};
use crate::boards::layout::{BusBoard, BusPort};
use crate::command_line::Failure;
use crate::serial::PortSettings;
use crate::settings::Bus;
use crate::settings::wiring::{self, NotWritten};

/// What a port is to have in the settings.
struct Change {
    families: Vec<Family>,
    baud: u32,
}

/// The settings' text with the ports as they were found to be; none where nothing is to be changed.
pub(super) async fn settled(
    walk: &Walk,
    terminal: &mut Terminal,
    bus: &Bus,
    found: &Found,
    text: &str,
) -> Result<Option<String>, Failure> {
    let mut settled = None;
    for (port, device) in finding::open_ports(bus) {
        let silent = bus
            .boards
            .iter()
            .filter(|board| board.port == port.name && found.silent.contains(&board.id));
        let silent: Vec<&BusBoard> = silent.collect();
        let deserted = found.deserted.contains(&port.name);
        if walk.search == 0 || silent.is_empty() && !deserted {
            continue;
        }
        let there = look(walk, terminal, (port, device), &silent, deserted).await?;
        for board in &there {
            say_where(terminal, port, &silent, board)?;
        }
        let Some(change) = change(port.family, &there) else {
            continue;
        };
        if !deserted {
            terminal.note(&format!(
                "端口 {0} 上其他锁控板与设置一致:把这块板设成 {1} 波特的 {2},或另接一个端口。 The other boards on port {0} answer as the \
                 settings say: set this one to {2} at {1}, or give it a port of its own",
                port.name,
                port.baud,
                port.family.name()
            ))?;
            continue;
        }
        if let Some(family) = agreed(walk, terminal, port, &change).await? {
            let before = settled.as_deref().unwrap_or(text);
            let after = wiring::with_port(before, &port.name, family, change.baud);
            let file = walk.configured.file().display().to_string();
            settled = Some(after.ok_or_else(|| not_written(NotWritten::Inline(file)))?);
        }
    }
    Ok(settled)
}

async fn look(
    walk: &Walk,
    terminal: &Terminal,
    (port, device): (&BusPort, &PortSettings),
    silent: &[&BusBoard],
    deserted: bool,
) -> Result<Vec<elsewhere::Found>, Failure> {
    let line = Line {
        family: port.family,
        device: device.clone(),
        silent: silent.iter().map(|board| board.address).collect(),
        deserted,
    };
    let steps = line.steps();
    let patience = Duration::from_millis(walk.patience);
    let mut hunt = Hunt::new(line, patience, Duration::from_secs(walk.search));
    for (number, step) in steps.iter().enumerate() {
        if !hunt.needs(step) {
            continue;
        }
        if hunt.is_late() {
            terminal.note(&format!(
                "端口 {0} 没有找完:时间到了,可用 --search 延长。 Port {0} was not searched to the end: {1} seconds are over; --search gives \
                 more",
                port.name, walk.search
            ))?;
            break;
        }
        say_step(terminal, port, step, (number + 1, steps.len()))?;
        hunt.take(step).await.map_err(|error| Failure::new(66, error))?;
    }
    Ok(hunt.found().to_vec())
}

fn say_step(
    terminal: &Terminal,
    port: &BusPort,
    step: &Step,
    (number, of): (usize, usize),
) -> Result<(), Failure> {
    let Step { baud, addresses, .. } = step;
    let name = &port.name;
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let list = match (addresses.first(), addresses.last()) {
        (Some(first), Some(last)) if list.len() > 2 => format!("{first}–{last}"),
        _ => list.join(", "),
    };
    terminal.say(
        &json!({ "search": { "port": name, "baud": baud, "addresses": addresses, "step": number, "steps": of } }),
        &format!(
            "端口 {name}:各家协议,{baud} 波特,地址 {list}({number}/{of})。 Port {name}: every family at {baud} baud, address {list}"
        ),
    )
}

fn say_where(
    terminal: &Terminal,
    port: &BusPort,
    silent: &[&BusBoard],
    there: &elsewhere::Found,
) -> Result<(), Failure> {
    let board: Option<BoardId> = silent
        .iter()
        .find(|board| board.address == there.board)
        .map(|board| board.id);
    let (address, baud, name) = (there.board.0, there.baud, &port.name);
    let (chinese, english) = board.map_or_else(
        || {
            (
                format!("地址 {address} 的锁控板"),
                format!("a board at address {address}"),
            )
        },
        |board| (format!("锁控板 {board} "), format!("board {board}")),
    );
    let families = names(&there.families);
    let (settings, set) = (port.family.name(), port.baud);
    terminal.say(
        &json!({ "elsewhere": {
            "port": name, "board": board, "address": address, "families": families, "baud": baud,
            "settings": { "family": settings, "baud": set },
        } }),
        &format!(
            "端口 {name} 上{chinese}按 {0}、{baud} 波特应答,设置里是 {settings}、{set}。 {english} on port {name} answers as {1} at {baud}, \
             settings say {settings} at {set}",
            families.join(" / "),
            families.join(" or "),
        ),
    )
}

/// What most of those speak who were found.
fn change(family: Family, there: &[elsewhere::Found]) -> Option<Change> {
    let alike = |a: &elsewhere::Found, b: &elsewhere::Found| a.baud == b.baud && a.families == b.families;
    let count = |one: &&elsewhere::Found| there.iter().filter(|other| alike(one, other)).count();
    let most = there.iter().rev().max_by_key(count)?;
    let families = if most.families.contains(&family) {
        vec![family] // only the speed is another
    } else {
        most.families.clone()
    };
    Some(Change {
        families,
        baud: most.baud,
    })
}

/// The family that the technician agrees to.
async fn agreed(
    walk: &Walk,
    terminal: &mut Terminal,
    port: &BusPort,
    change: &Change,
) -> Result<Option<Family>, Failure> {
    let (name, baud, families) = (&port.name, change.baud, names(&change.families));
    let all = families.join(", ");
    let question = match change.families[..] {
        [family] if walk.yes => return Ok(Some(family)),
        _ if walk.yes => {
            return Err(Failure::new(
                64,
                format!(
                    "port {name}: reads do not tell {all} apart; write one of them at its [[lock-port]], and baud = {baud}"
                ),
            ));
        }
        [_] => format!(
            "写进设置吗? Write family = \"{all}\", baud = {baud} of port {name} into the settings? [y or n]"
        ),
        _ => format!(
            "读不出是哪一种,写哪一种? Reads do not tell {all} apart: which is to be written for port {name}, with baud = {baud}? [its name, \
             or n]"
        ),
    };
    loop {
        terminal.say(
            &json!({ "ask": "port", "port": name, "families": families, "baud": baud }),
            &question,
        )?;
        let line = terminal.line().await?;
        let named = change.families.iter().find(|family| family.name() == line);
        match (line.to_lowercase().as_str(), &change.families[..]) {
            (_, _) if named.is_some() => return Ok(named.copied()),
            ("y" | "yes" | "是", [family]) => return Ok(Some(*family)),
            ("n" | "no" | "否", _) => return Ok(None),
            _ => {}
        }
    }
}

fn names(families: &[Family]) -> Vec<&'static str> {
    families.iter().map(|family| family.name()).collect()
}
