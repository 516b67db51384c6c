//! pillion: an observability agent that rides beside an application.
//!
//! Data flows one way and the folders show it:
//!
//! ```text
//! intake ─▶ statsd (decode) ─▶ metrics (aggregate) ─▶ deliver (queue, retry) ─▶ backend ─▶ wire
//! ```
//!
//! `cli` and `agent` wire the parts together, `admin` answers people and probes, `config` is known
//! by all that need options, `telemetry` is known by all and knows none. `ARCHITECTURE.md` is the map.

pub mod admin;
pub mod agent;
pub mod backend;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deliver;
pub mod intake;
pub mod metrics;
pub mod otlp;
pub mod serve;
pub mod statsd;
pub mod telemetry;
pub mod traces;
