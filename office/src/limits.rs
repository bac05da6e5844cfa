//! How much one hub takes: a bucket of requests that refills, and which hosts it answers to.

use std::sync::Mutex;

use axum::http::{HeaderMap, header};

use crate::clock::Monotonic;

/// So many at once, so many a second.
#[derive(Debug)]
pub struct Bucket {
    clock: Monotonic,
    burst: f64,
    per_second: f64,
    state: Mutex<(f64, u64)>,
}

impl Bucket {
    /// A full one.
    pub fn new(burst: u32, per_second: f64) -> Self {
        Self {
            clock: Monotonic::begin(),
            burst: f64::from(burst),
            per_second,
            state: Mutex::new((f64::from(burst), 0)),
        }
    }

    /// Takes one, if there is one.
    pub fn take(&self) -> bool {
        let now = self.clock.millis();
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        #[allow(clippy::cast_precision_loss, reason = "milliseconds since the start fit")]
        let gained = (now - state.1) as f64 / 1000.0 * self.per_second;
        state.1 = now;
        state.0 = (state.0 + gained).min(self.burst);
        let taken = state.0 >= 1.0;
        if taken {
            state.0 -= 1.0;
        }
        taken
    }
}

/// Whether a request names one of these hosts, and comes from a page of one of them where a browser says where from.
pub fn from_here(headers: &HeaderMap, hosts: &[String]) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let known = |host: &str| hosts.iter().any(|known| known == host);
    let host = text(header::HOST).is_some_and(known);
    let origin = text(header::ORIGIN).is_none_or(|origin| {
        let bare = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
        bare.is_some_and(known)
    });
    host && origin
}
