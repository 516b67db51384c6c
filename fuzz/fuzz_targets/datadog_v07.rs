//! The decoder of Datadog's traces of v0.7, and what follows it, against any bytes.
#![no_main]

#[path = "../../tests/fuzz_bodies/datadog.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::v07(data));
