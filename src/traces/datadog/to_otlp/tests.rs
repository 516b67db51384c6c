//! The way to OTLP: what is written, and what the budget says to it.
