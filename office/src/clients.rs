//! Who asks, and how often each may: a bucket for every client, so that one who tries too much locks nobody else out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName};

use crate::clock::Monotonic;

/// Clients that are remembered. Beyond it the one that has been away longest is forgotten: who owns so many addresses has as many
/// tries anyway, and needs as many connections.
const CLIENTS_MAX: usize = 4_096;

/// Where a request comes from: an IPv4 address, or the network of an IPv6 address, of which one person has 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl Client {
    /// Who is at the other end of the connection; or, behind a proxy, whom it names last in its `header`: what stands before that, the
    /// client wrote.
    pub fn of(peer: IpAddr, headers: &HeaderMap, header: Option<&HeaderName>) -> Self {
        let named = header.and_then(|header| headers.get_all(header).iter().next_back());
        let last = named.and_then(|value| value.to_str().ok()?.rsplit(',').next());
        Self::at(last.and_then(|text| text.trim().parse().ok()).unwrap_or(peer))
    }

    fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// How much a client has left, and when that was.
struct Left {
    tries: f64,
    at: u64,
}

/// So many at once, so many a second, for each client.
pub struct Buckets {
    clock: Monotonic,
    burst: f64,
    per_second: f64,
    left: Mutex<HashMap<Client, Left>>,
}

impl Buckets {
    /// All full.
    pub fn new(burst: u32, per_second: f64) -> Self {
        Self {
            clock: Monotonic::begin(),
            burst: f64::from(burst),
            per_second,
            left: Mutex::default(),
        }
    }

    /// Takes one of this client's, if there is one.
    pub fn take(&self, client: Client) -> bool {
        self.take_at(client, self.clock.millis())
    }

    fn take_at(&self, client: Client, now: u64) -> bool {
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CLIENTS_MAX && !all.contains_key(&client) {
            all.retain(|_, left| self.refilled(left, now) < self.burst);
        }
        if all.len() >= CLIENTS_MAX && !all.contains_key(&client) {
            let longest = all.iter().min_by_key(|(_, left)| left.at).map(|(away, _)| *away);
            longest.and_then(|away| all.remove(&away));
        }
        let full = Left {
            tries: self.burst,
            at: now,
        };
        let left = all.entry(client).or_insert(full);
        left.tries = self.refilled(left, now);
        left.at = now;
        let taken = left.tries >= 1.0;
        if taken {
            left.tries -= 1.0;
        }
        taken
    }

    fn refilled(&self, left: &Left, now: u64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds since the start fit")]
        let gained = now.saturating_sub(left.at) as f64 / 1000.0 * self.per_second;
        (left.tries + gained).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn client(text: &str) -> Client {
        Client::at(text.parse().unwrap())
    }

    #[test]
    fn one_client_empties_only_its_own_bucket() {
        let buckets = Buckets::new(2, 0.5);
        let (greedy, honest) = (client("192.0.2.1"), client("192.0.2.2"));
        assert!(buckets.take_at(greedy, 0) && buckets.take_at(greedy, 0));
        assert!(!buckets.take_at(greedy, 1_000));
        assert!(buckets.take_at(honest, 1_000));
        assert!(buckets.take_at(greedy, 2_000), "one in two seconds");
        assert!(!buckets.take_at(greedy, 2_000));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_who_has_just_tried_is_not_forgotten_first() {
        let buckets = Buckets::new(1, 0.001);
        let away = client("198.51.100.1");
        assert!(buckets.take_at(away, 0));
        for number in 0..20_000_u32 {
            assert!(buckets.take_at(Client(IpAddr::V4(number.into())), 1 + u64::from(number)));
        }
        assert_eq!(buckets.left.lock().unwrap().len(), CLIENTS_MAX);
        let last = Client(IpAddr::V4(19_999_u32.into()));
        assert!(!buckets.take_at(last, 20_001));
        assert!(buckets.take_at(away, 20_001), "it was forgotten");
    }

    #[test]
    fn only_the_header_that_is_named_counts_and_in_it_only_what_the_proxy_wrote() {
        let peer: IpAddr = "127.0.0.1".parse().unwrap();
        let name = HeaderName::from_static("x-forwarded-for");
        let mut headers = HeaderMap::new();
        headers.append(&name, "203.0.113.9".parse().unwrap());
        headers.append(&name, "203.0.113.10, 192.0.2.7".parse().unwrap());
        assert_eq!(Client::of(peer, &headers, None), client("127.0.0.1"));
        assert_eq!(Client::of(peer, &headers, Some(&name)), client("192.0.2.7"));
        headers.append(&name, "nobody".parse().unwrap());
        assert_eq!(Client::of(peer, &headers, Some(&name)), client("127.0.0.1"));
    }

    #[test]
    fn a_network_of_addresses_is_one_client() {
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:1"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }
}
