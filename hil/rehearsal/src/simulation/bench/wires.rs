//! Which lock is behind which door: in truth, in the settings file, and as the daemon that runs has read it.

use std::collections::BTreeMap;

use firmware_protocol::{Board, Channel, Family, Polarity};
use lockerd::settings::wiring::exchanged;
use office_protocol::event::{BoardPlace, Wiring};
use office_protocol::{BoardId, CompartmentId};

use super::PORT;
use crate::simulation::dice::Dice;

/// Where a lock hangs.
pub(super) type Place = (Board, Channel);

/// The wires between doors and boards, and what is known of them.
pub(super) struct Wires {
    hung: BTreeMap<CompartmentId, Place>,
    written: BTreeMap<CompartmentId, Wiring>,
    read: BTreeMap<CompartmentId, Wiring>,
}

impl Wires {
    /// Door by door along the boards, and so the settings say it, with the switches that they know to be inverted.
    pub(super) fn new(boards: u8, channels: u8, family: Family, inverted: &[u64]) -> Self {
        let mut hung = BTreeMap::new();
        for index in 0..boards {
            for channel in Channel::all(channels) {
                let number = u16::from(index) * u16::from(channels) + u16::from(channel.number());
                hung.insert(CompartmentId(number), (Board(index + 1), channel));
            }
        }
        let wiring = |(door, (board, channel)): (&CompartmentId, &Place)| {
            let board_inverted = inverted.get(usize::from(board.0) - 1).copied().unwrap_or(0);
            let wiring = Wiring {
                board: BoardId(u16::from(board.0)),
                channel: channel.number(),
                inverted: board_inverted & channel.bit() != 0,
                at: reached(family, *board),
            };
            (*door, wiring)
        };
        let written: BTreeMap<_, _> = hung.iter().map(wiring).collect();
        Self {
            hung,
            read: written.clone(),
            written,
        }
    }

    pub(super) fn doors(&self) -> impl Iterator<Item = CompartmentId> {
        self.hung.keys().copied()
    }

    /// Where a door's lock hangs in truth.
    pub(super) fn place(&self, door: CompartmentId) -> Option<Place> {
        self.hung.get(&door).copied()
    }

    /// As the daemon that runs has it in its settings.
    pub(super) fn read(&self) -> &BTreeMap<CompartmentId, Wiring> {
        &self.read
    }

    /// A daemon starts, and reads the settings.
    pub(super) fn start(&mut self) {
        self.read.clone_from(&self.written);
    }

    /// The door that opens when the daemon has this compartment's lock pulsed.
    pub(super) fn opens(&self, compartment: CompartmentId) -> CompartmentId {
        let lock = self.read.get(&compartment);
        let mut hung = self.hung.iter();
        let door = hung.find(|(_, place)| lock.is_some_and(|lock| is_at(lock, **place)));
        door.map_or(compartment, |(door, _)| *door)
    }

    /// The compartment whose lock the daemon wanted pulsed when this door's was.
    pub(super) fn meant(&self, door: CompartmentId) -> CompartmentId {
        let place = self.hung.get(&door);
        let mut read = self.read.iter();
        let meant = read.find(|(_, lock)| place.is_some_and(|place| is_at(lock, *place)));
        meant.map_or(door, |(compartment, _)| *compartment)
    }

    /// What a technician has found goes into the settings, as the daemon writes it.
    pub(super) fn write(&mut self, found: &BTreeMap<CompartmentId, Wiring>) {
        self.written = exchanged(self.written.clone(), found);
    }

    /// Whoever hangs the wires of some of these doors mistakes one for another, two or three of them.
    pub(super) fn cross(&mut self, doors: &[CompartmentId], dice: &mut Dice) -> Vec<CompartmentId> {
        let mut left = doors.to_vec();
        let mut crossed = Vec::new();
        for _ in 0..dice.between(2, 3) {
            let index = usize::try_from(dice.below(left.len() as u64)).unwrap_or(0);
            if index < left.len() {
                crossed.push(left.swap_remove(index));
            }
        }
        let mut places: Vec<Place> = crossed.iter().filter_map(|door| self.place(*door)).collect();
        if places.len() > 1 {
            places.rotate_left(1);
            self.hung.extend(crossed.iter().copied().zip(places));
        }
        crossed
    }
}

fn reached(family: Family, board: Board) -> Option<BoardPlace> {
    let port = PORT.parse().ok()?;
    Some(BoardPlace::of(family.name(), &port, board.0))
}

fn is_at(lock: &Wiring, (board, channel): Place) -> bool {
    lock.board.0 == u16::from(board.0) && lock.channel == channel.number()
}

/// How the settings say that a switch is wired.
pub(super) fn polarity(lock: &Wiring) -> Polarity {
    if lock.inverted {
        Polarity::Inverted
    } else {
        Polarity::AsDocumented
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossed_wires_open_other_doors_until_the_settings_say_how_they_hang() {
        for seed in 0..20 {
            let mut wires = Wires::new(2, 6, Family::Shuoming, &[]);
            let doors: Vec<CompartmentId> = wires.doors().collect();
            let crossed = wires.cross(&doors, &mut Dice::new(seed, 1));
            let elsewhere = |wires: &Wires| -> Vec<CompartmentId> {
                let wrong = doors.iter().filter(|door| wires.opens(**door) != **door);
                wrong.copied().collect()
            };
            let mut sorted = crossed.clone();
            sorted.sort();
            assert_eq!(elsewhere(&wires), sorted);
            assert!(doors.iter().all(|door| wires.meant(wires.opens(*door)) == *door));
            let found = crossed
                .iter()
                .map(|lock| (wires.opens(*lock), wires.read()[lock]));
            wires.write(&found.collect());
            assert_eq!(elsewhere(&wires), sorted, "the daemon has not read it yet");
            wires.start();
            assert_eq!(elsewhere(&wires), []);
        }
    }
}
