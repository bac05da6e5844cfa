//! The touch screen: turns a [`View`](crate::cabinet::screen::View) into a page and a finger into a
//! [`Tap`](crate::cabinet::screen::Tap).
//!
//! Pages are pure functions of view, catalogue and seconds left; only [`server`] does IO. Digits live in the page until they
//! are sent and are gone with it. Deliberately absent: cookies, local storage, forms, external resources, a clock.

mod collection;
mod commissioning;
mod door;
mod drop_off;
mod history;
mod home;
pub mod messages;
pub mod page;
mod parts;
mod past;
mod proving;
pub mod qr;
pub mod samples;
pub mod server;
#[cfg(test)]
mod server_tests;
mod staff;
mod technician;
#[cfg(test)]
mod tests;

pub use past::Past;
pub use server::{Kiosk, KioskError, Lookup, bind, serve};
