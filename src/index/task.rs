//! Keeps the index beside the journal, on a thread of its own that nothing waits for (IO).

use super::{Index, IndexQuery};
use office_protocol::Seq;
use std::path::Path;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What joins the index with the rest of the daemon. When a sender is gone, or `stop` is true, it is closed in good order.
#[derive(Debug)]
pub struct Channels {
    /// The last durable event, after each append.
    pub tip: watch::Receiver<Seq>,
    /// Whether the disk has room for it.
    pub allowed: watch::Receiver<bool>,
    /// True when the daemon is about to stop.
    pub stop: watch::Receiver<bool>,
}

/// Follows the journal until told to stop. Blocks: for a thread of its own, since building takes a second and sled what it takes.
///
/// Whatever is wrong with the index is said once in the log; staff then find nothing, and the daemon goes on without it
/// until its next start. Should sled end the whole process on files that it does not understand, the mark of use is still
/// there at the next start, and they are not opened again.
pub fn run(directory: &Path, query: &IndexQuery, mut channels: Channels, runtime: &Handle) {
    let mut state = State::Waiting;
    loop {
        let allowed = *channels.allowed.borrow_and_update();
        channels.tip.mark_unchanged();
        state = state.next(directory, query, allowed);
        let woken = runtime.block_on(async {
            tokio::select! {
                _ = channels.stop.wait_for(|stop| *stop) => false,
                changed = channels.tip.changed() => changed.is_ok(),
                changed = channels.allowed.changed() => changed.is_ok(),
            }
        });
        if !woken {
            break;
        }
    }
    if let State::Open(index) = state {
        index.close();
    }
}

enum State {
    /// There is no room for it, or it is not known yet.
    Waiting,
    Open(Box<Index>),
    /// It could not be used; the log says why.
    GivenUp,
}

impl State {
    fn next(self, directory: &Path, query: &IndexQuery, allowed: bool) -> Self {
        match (self, allowed) {
            (Self::Waiting, true) => match Index::open_for(directory, query) {
                Ok(index) => Self::Open(Box::new(index)),
                Err(error) => given_up(&error),
            },
            (Self::Open(mut index), true) => match index.catch_up() {
                Ok(_) => Self::Open(index),
                Err(error) => given_up(&error),
            },
            (Self::Open(index), false) => match index.discard() {
                Ok(()) => {
                    tracing::warn!(
                        "the disk fills: the index is dropped, staff find no history until there is room"
                    );
                    Self::Waiting
                }
                Err(error) => given_up(&error),
            },
            (waiting @ (Self::Waiting | Self::GivenUp), _) => waiting,
        }
    }
}

fn given_up(error: &super::IndexError) -> State {
    tracing::warn!(%error, "no history for staff");
    State::GivenUp
}
