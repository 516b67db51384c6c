//! The model between intake and delivery: OTLP, kept as the bytes it travels in.
//!
//! Nothing is a tree of owned structures here. Every intake writes (or, for OTLP, passes on) encoded
//! `ResourceSpans`, `ResourceMetrics` and `ResourceLogs` messages, checked once; every backend reads them through
//! borrowed views, or forwards the bytes. So what waits in a queue is as small as on the wire, its size is known
//! exactly, and OTLP in → OTLP out touches no item. Nothing here may listen, send or know a backend or another
//! protocol. Read on in `signal` and `chunk`, then `view`, `write` and `batch`.

pub mod batch;
pub mod budget;
pub mod chunk;
pub mod counts;
pub mod grow;
pub mod json;
pub mod protobuf;
#[cfg(test)]
pub(crate) mod samples;
mod select;
pub mod signal;
pub mod text;
pub mod view;
pub mod walk;
pub mod write;

pub use batch::{Batcher, NoRoom, Outlet, Protocol};
pub use budget::{Budget, Hold};
pub use chunk::{Batch, Chunk};
pub use signal::Signal;
