//! The reader and the writer of OTLP JSON against any bytes, as a request of log records.
#![no_main]

#[path = "../../tests/fuzz_bodies/otlp_json.rs"]
mod body;

use pillion::otlp::Signal;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(Signal::Logs, data));
