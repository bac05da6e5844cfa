//! What is looked at once a minute: house-keeping, fair turns on the bus, and whether the screen has come home.

use super::{HOME_AGAIN_MS, World, is_home};
use crate::simulation::laws::{Lawful, hold};

impl World {
    pub(super) fn tidy(&mut self) -> Lawful {
        self.tidy_at = self.now + 60_000;
        let moment = self.moment();
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        let done = daemon.keep_house(&moment);
        self.after(done)?;
        self.every_board_is_asked()?;
        self.screen_comes_home()
    }

    /// Law 6: no board waits for its turn for ever, and no two solenoids of a supply are driven at once.
    pub(super) fn every_board_is_asked(&mut self) -> Lawful {
        let Some(daemon) = &self.daemon else { return Ok(()) };
        let view = daemon.bus.view();
        let open = view.ports.iter().all(|port| port.open);
        for board in &view.boards {
            let asked = board.statistics.asked;
            let (before, since) = self.asked.get(&board.id).copied().unwrap_or((u64::MAX, self.now));
            if asked != before || !open {
                self.asked.insert(board.id, (asked, self.now));
            } else {
                hold(6, self.now < since + 120_000, || {
                    format!("board {} has not been asked for two minutes", board.id)
                })?;
            }
        }
        hold(7, view.waiting <= lockerd::boards::master::UNLOCKS_MAX, || {
            format!("{} unlocks wait", view.waiting)
        })?;
        let overlaps = self.bench.line().overlaps;
        hold(6, overlaps == 0, || {
            "two solenoids were driven at once".to_owned()
        })
    }

    /// Law 10: whoever left, the screen comes home.
    pub(super) fn screen_comes_home(&self) -> Lawful {
        let Some(daemon) = &self.daemon else { return Ok(()) };
        let quiet = self.now.saturating_sub(self.quiet_since) > HOME_AGAIN_MS && self.inbox.is_empty();
        hold(10, !quiet || is_home(&daemon.cabinet().view()), || {
            format!(
                "with nobody there the screen still shows {:?}",
                daemon.cabinet().view().screen
            )
        })
    }
}
