//! OTLP's data points as series, and the pages that show them, against any request that is accepted.
#![no_main]

#[path = "../../tests/fuzz_bodies/points.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
