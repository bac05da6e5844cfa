//! Feeds `scanner::scanner`.
#![no_main]

#[path = "../src/scanner.rs"]
mod scanner;

libfuzzer_sys::fuzz_target!(|data: &[u8]| scanner::scanner(data));
