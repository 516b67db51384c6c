//! What answers people and probes: the HTTP server, `/status`, the summary line, own metrics.
//!
//! Nothing here knows how a page is built or what a backend sends: those parts come in as closures and
//! plain values, so that a probe is answered whatever they do. Next: `http.rs`.

mod body;
pub mod collect;
mod connection;
pub mod counts;
pub mod http;
pub mod intakes;
pub mod kernel_drops;
pub mod logging;
pub mod readiness;
#[cfg(test)]
mod reference;
mod routes;
pub mod status;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod threads;

pub use body::{Chunk, MetricsResponse};
pub use http::{BindError, Bound, Limits, Server, State, bind};
pub use readiness::{Phase, Readiness};
