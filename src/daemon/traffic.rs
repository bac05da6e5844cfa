//! Puts what the bus knows of its boards into the state that the office sees.

use std::time::Duration;

use office_protocol::CabinetState;
use office_protocol::state::{BoardTraffic, WireState};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::boards::master::{BoardView, BusView, Echo, PortView};

/// Counts alone renew the state no more often than this: they change with every exchange.
pub(super) const COUNTS_EVERY: Duration = Duration::from_secs(300);

/// Passes the engine's states on, each with the boards' counts, until there are no more. Where only counts have changed, the last
/// state goes out again after `every`.
pub(super) async fn run(
    mut decided: watch::Receiver<Option<CabinetState>>,
    bus: watch::Receiver<BusView>,
    shown: watch::Sender<Option<CabinetState>>,
    every: Duration,
) {
    let mut counts_due = Instant::now() + every;
    loop {
        tokio::select! {
            changed = decided.changed() => if changed.is_err() { return },
            () = sleep_until(counts_due) => {}
        }
        counts_due = Instant::now() + every;
        let state = decided.borrow_and_update().clone();
        if let Some(mut state) = state {
            count(&mut state, &bus.borrow());
            shown.send_if_modified(|known| {
                let changed = known.as_ref() != Some(&state);
                *known = Some(state);
                changed
            });
        }
    }
}

fn count(state: &mut CabinetState, bus: &BusView) {
    state.wires = bus.ports.iter().map(wire).collect();
    for board in &mut state.boards {
        board.traffic = bus.boards.iter().find(|seen| seen.id == board.id).map(traffic);
    }
}

fn wire(seen: &PortView) -> WireState {
    WireState {
        port: seen.name.clone(),
        noise: seen.noise,
        echo_wrong: match seen.echo {
            Echo::Unproven => None,
            Echo::Proven => Some(false),
            Echo::Contradicted => Some(true),
        },
    }
}

fn traffic(seen: &BoardView) -> BoardTraffic {
    BoardTraffic {
        protected: seen.protected,
        asked: seen.statistics.asked,
        answered: seen.statistics.answered,
        unanswered: seen.statistics.unanswered,
        garbled: seen.statistics.garbled,
        stray: seen.statistics.stray,
        unasked: seen.statistics.unasked,
        pulses: seen.statistics.pulses,
        reply_ms: seen.slowest_ms,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use office_protocol::state::BoardState;
    use office_protocol::{BoardId, Seq, Start, Timestamp};

    use super::*;
    use crate::boards::master::{BoardStatistics, Life};

    fn state(seq: u64) -> CabinetState {
        let board = |id| BoardState {
            id: BoardId(id),
            answering: true,
            shared: false,
            refusal: None,
            traffic: None,
        };
        CabinetState {
            start: Start(1),
            seq: Seq(seq),
            time: Timestamp::from_millis(0),
            compartments: Vec::new(),
            boards: vec![board(1), board(2)],
            ports_lost: Vec::new(),
            wires: Vec::new(),
            mains: None,
            alarms: Vec::new(),
        }
    }

    fn bus(answered: u64) -> BusView {
        let statistics = BoardStatistics {
            asked: answered + 2,
            answered,
            unanswered: 2,
            ..BoardStatistics::default()
        };
        let board = BoardView {
            id: BoardId(2),
            life: Life::Healthy,
            slowest_ms: Some(21),
            protected: false,
            shared: false,
            statistics,
        };
        let port = PortView {
            name: "locks".parse().unwrap(),
            open: true,
            echo: Echo::Contradicted,
            noise: 3,
        };
        BusView {
            ports: vec![port],
            boards: vec![board],
            waiting: 0,
        }
    }

    #[tokio::test]
    async fn counts_go_out_with_each_state_and_by_themselves_now_and_then() {
        let (decided, states) = watch::channel(None);
        let (counts, views) = watch::channel(bus(5));
        let (sender, mut shown) = watch::channel(None);
        tokio::spawn(run(states, views, sender, Duration::from_millis(5)));
        decided.send_replace(Some(state(3)));
        shown.changed().await.unwrap();
        let first = shown.borrow_and_update().clone().unwrap();
        assert_eq!(first.boards[0].traffic, None, "the bus does not know it");
        let told = first.boards[1].traffic.unwrap();
        assert_eq!((told.answered, told.unanswered, told.reply_ms), (5, 2, Some(21)));
        assert_eq!((first.wires[0].noise, first.wires[0].echo_wrong), (3, Some(true)));
        counts.send_replace(bus(6));
        shown.changed().await.unwrap();
        let second = shown.borrow_and_update().clone().unwrap();
        assert_eq!(second.boards[1].traffic.unwrap().answered, 6);
        assert_eq!(second.seq, Seq(3));
    }
}
