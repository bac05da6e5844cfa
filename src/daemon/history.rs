//! The index on its own thread, and what the kiosk may ask it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use office_protocol::Event;
use office_protocol::event::subjects;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::index::{self, IndexQuery};
use crate::journal::Record;
use crate::kiosk::{Lookup, Past};

/// Events that staff see about one thing, newest first.
const EVENTS_MAX: usize = 30;
/// How long the index may take to close; else it is built again at the next start.
const CLOSING_MAX: Duration = Duration::from_secs(3);

/// Starts the index's thread; the answer comes when it has ended.
///
/// # Errors
/// The system gives no thread.
pub(super) fn keep(
    directory: PathBuf,
    query: IndexQuery,
    channels: index::task::Channels,
) -> std::io::Result<oneshot::Receiver<()>> {
    let (tell, ended) = oneshot::channel();
    let runtime = Handle::current();
    let run = move || {
        index::task::run(&directory, &query, channels, &runtime);
        let _nobody_waits = tell.send(());
    };
    std::thread::Builder::new().name("index".into()).spawn(run)?;
    Ok(ended)
}

/// Waits until the index is closed, but not for long.
pub(super) async fn closed(ended: oneshot::Receiver<()>) {
    if timeout(CLOSING_MAX, ended).await.is_err() {
        tracing::warn!("the index took too long to close; it will be built again");
    }
}

/// What the kiosk looks things up with; nothing is found without an index, while it is built, or when it cannot be read.
pub(super) fn lookup(query: Option<IndexQuery>) -> Lookup {
    Arc::new(move |subject| {
        let records = query.clone()?.find(subject, EVENTS_MAX);
        match records {
            Ok(records) => Some(records.iter().filter_map(past).collect()),
            Err(error) => {
                tracing::warn!(%error, "history");
                None
            }
        }
    })
}

fn past(record: &Record) -> Option<Past> {
    let about = subjects(&record.event).ok()?;
    let event = Event::parse(&record.event).ok()?;
    Some(Past { event, about })
}
