//! The link to the office: the sync alone, and the whole task against a real broker.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

mod broker;
mod mosquitto;
mod rules;
mod support;
mod sync;
