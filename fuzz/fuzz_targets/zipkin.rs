//! Zipkin's JSON and protobuf against any bytes.
#![no_main]

#[path = "../../tests/fuzz_bodies/zipkin.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
