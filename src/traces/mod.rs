//! The other models of a span, Datadog's and Zipkin's: their decoders and repairs, and the mapping from and to
//! OTLP's (`crate::otlp`).
//!
//! Pure functions over bytes and borrowed structures, which live for one request. Nothing here may listen,
//! send or know a backend. What becomes what is written in `docs/traces.md`. Read on in `datadog`.

pub mod datadog;
pub mod zipkin;
