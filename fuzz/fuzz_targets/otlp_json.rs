//! The reader and the writer of OTLP JSON against any bytes.
#![no_main]

#[path = "../../tests/fuzz_bodies/otlp_json.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
