//! The server's decoders and the walk of OTLP protobuf against any bytes.
#![no_main]

#[path = "../../tests/fuzz_bodies/otlp.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
