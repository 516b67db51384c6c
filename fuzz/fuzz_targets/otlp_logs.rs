//! The server's decoders and the walk of OTLP protobuf against any bytes, as a request of log records.
#![no_main]

#[path = "../../tests/fuzz_bodies/otlp.rs"]
mod body;

use pillion::otlp::Signal;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(Signal::Logs, data));
