//! The decoder of Datadog's traces of v1.0, and what follows it, against any bytes.
#![no_main]

#[path = "../../tests/fuzz_bodies/datadog.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::v1(data));
