//! Everything that listens. A listener takes bytes from the kernel, gives them to the stage behind it,
//! and counts what it could not take; it never reads what the bytes mean. Next: `statsd/mod.rs`.

pub mod datadog;
pub mod http;
pub mod otlp;
pub mod statsd;
pub mod zipkin;
