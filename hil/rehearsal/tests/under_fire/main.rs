//! The link under fire with the real programs: Debian's mosquitto, the hub and the daemon, on disks that come back from the past, twice,
//! or not at all.
#![allow(clippy::unwrap_used)]

mod both_killed;
mod old_database;
mod old_disk;
mod one_identity;
mod scene;
#[path = "../waiting/mod.rs"]
mod waiting;
