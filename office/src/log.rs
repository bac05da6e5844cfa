//! Where the office's log goes, and how much of it.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// To standard error, as `RUST_LOG` asks (`info`, `office=debug,sqlx=warn`).
pub(crate) fn begin() {
    let asked = std::env::var("RUST_LOG").ok();
    let filter = asked.and_then(|asked| asked.parse().ok()).unwrap_or_else(|| {
        Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("sqlx", LevelFilter::WARN)
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    if tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init()
        .is_err()
    {
        eprintln!("office: another log is in use already");
    }
}
