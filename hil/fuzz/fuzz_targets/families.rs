//! Feeds `lines::families`.
#![no_main]

#[path = "../src/lines.rs"]
mod lines;

libfuzzer_sys::fuzz_target!(|data: &[u8]| lines::families(data));
