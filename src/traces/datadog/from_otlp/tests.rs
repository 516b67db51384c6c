//! The way from OTLP, and there and back.
