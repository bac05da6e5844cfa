//! People at the screen and at the doors.

use lockerd::cabinet::screen::{Action, SessionId, Tap, View};
use lockerd::cabinet::vocabulary::Input;

use super::World;
use crate::simulation::laws::Lawful;
use crate::simulation::people::{Move, Person, Sight};

impl World {
    pub(super) fn people(&mut self) -> Lawful {
        let wall = self.wall();
        if let Some(person) = self.crowd.arrive(self.now, wall, &mut self.office) {
            self.trace.note(self.now, format_args!("{} comes", person.name));
            for (name, signed) in self.office.unsent() {
                self.network.announce(self.now, name, &signed);
            }
            self.crowd.at_screen = Some(person);
        }
        let Some(mut person) = self.crowd.at_screen.take() else {
            return Ok(());
        };
        let Some(daemon) = &self.daemon else {
            // A dark screen: wait, or come back another day.
            if self.crowd.gives_up() {
                self.left(&person);
            } else {
                self.crowd.stay(person, self.now + 5_000);
            }
            return Ok(());
        };
        let view = daemon.cabinet().view();
        let sight = Sight {
            view: &view,
            bench: &self.bench,
            now: self.now,
        };
        let (next, pause) = person.act(&sight, &mut self.crowd.dice);
        self.quiet_since = self.now;
        if matches!(next, Move::Leave) {
            self.left(&person);
        } else {
            self.make(&next, &view, &person)?;
            self.crowd.stay(person, self.now + pause.max(1));
        }
        Ok(())
    }

    pub(super) fn left(&mut self, person: &Person) {
        self.trace.note(self.now, format_args!("{} leaves", person.name));
        self.crowd.left(person, self.now);
    }

    pub(super) fn make(&mut self, next: &Move, view: &View, person: &Person) -> Lawful {
        match next {
            Move::Tap(action) => self.tap(action, view.session, view.revision),
            Move::StaleTap(action) => self.tap(action, view.session, view.revision.wrapping_sub(1)),
            Move::Scan(text) => {
                self.trace.note(
                    self.now,
                    format_args!("{} scans {}", person.name, text.get(..12).unwrap_or(text)),
                );
                self.input(Input::Scanned {
                    text: text.as_str().into(),
                });
            }
            Move::ScanNoise => self.input(Input::ScanUnreadable),
            Move::Hand(compartment, hand, thing) => {
                if !person.careful {
                    self.bench.tainted.insert(*compartment);
                }
                let (now, delivered) = (self.now, &mut self.delivered);
                let worked = self
                    .bench
                    .hand(*compartment, *hand, thing.clone(), now, delivered);
                self.trace.note(
                    now,
                    format_args!("{} at {compartment}: {hand:?} {worked}", person.name),
                );
                self.listen()?;
            }
            Move::Wait | Move::Leave => {}
        }
        Ok(())
    }

    pub(super) fn tap(&mut self, action: &Action, session: SessionId, revision: u64) {
        let text = serde_json::to_string(action).unwrap_or_default();
        self.trace.note(self.now, format_args!("tap {text}"));
        self.input(Input::Tapped(Tap {
            session,
            revision,
            action: action.clone(),
        }));
    }

    /// How many starts there were.
    pub(in crate::simulation) fn starts(&self) -> u64 {
        self.starts
    }
}
