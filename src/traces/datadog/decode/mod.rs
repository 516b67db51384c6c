//! Datadog traces out of the bodies that tracers send, one trace at a time.
//!
//! A body may be tens of megabytes and its structures ten times as large, so no more than one trace stands
//! in memory: each decoder hands a [`Trace`] to a closure and takes it back for the next one. What it holds
//! comes out of the budget by way of [`Room`]. Nothing here repairs a span (that is `normalize`'s work) and
//! nothing believes a length: every one is held against the bytes that are left. What real clients send
//! and the Datadog agent takes is taken: integers for floats and floats for integers, nil for any value,
//! signed ids, binary for text, broken UTF-8, missing and unknown fields. Bytes behind the one value of a
//! body are not looked at. Sources: `pkg/proto/pbgo/trace` and `pkg/trace/api` of the Datadog agent. Read
//! on in `msgpack`, then `v04`, `v05`, `v07`, `v1`.

pub mod json;
mod msgpack;
mod room;
mod span;
pub mod stats;
pub mod v04;
pub mod v05;
pub mod v07;
pub mod v1;

#[cfg(test)]
mod tests;

use super::Trace;
pub use msgpack::Fault;
use msgpack::Reader;
pub use room::{OutOfRoom, Room};

/// Lists and maps inside each other in an attribute's value, at most.
const MAX_DEPTH: u32 = 32;

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{fault}, at byte {at}")]
    Malformed { at: usize, fault: Fault },
    #[error("no JSON: {0}")]
    Json(String),
    /// The budget has no room for what would be made of the body.
    #[error(transparent)]
    OutOfRoom(#[from] OutOfRoom),
}

impl Refused {
    /// A fault at the place that a reader has reached.
    fn at(reader: &Reader<'_>, fault: Fault) -> Self {
        match fault {
            Fault::OutOfRoom(none) => Refused::OutOfRoom(none),
            fault => Refused::Malformed { at: reader.at(), fault },
        }
    }
}

/// What takes the traces: may change a trace, must not keep it.
pub type Each<'e> = dyn FnMut(&mut Trace<'_>) -> Result<(), OutOfRoom> + 'e;

/// Makes a trace fit for the next one, keeping its memory.
fn clear(trace: &mut Trace<'_>) {
    trace.priority = None;
    trace.origin = "".into();
    trace.tags.clear();
    trace.dropped = false;
    trace.spans.clear();
}
