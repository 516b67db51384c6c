//! Aggregation: from decoded messages to series.
//!
//! Each intake thread owns a shard; shards hand over to the one registry at flush; the registry makes
//! snapshots for push backends and answers the scrape. Nothing here knows a socket, a payload format
//! or a backend.

pub mod aggregator;
mod class;
mod context;
pub mod control;
mod distribution;
mod forms;
mod hand_over;
mod limits;
mod page;
pub mod points;
mod records;
pub mod registry;
mod resolve;
pub mod rules;
mod samples;
pub mod series;
pub mod set;
pub mod shard;
pub mod sketch;
pub mod status;
mod strings;
pub mod tally;
mod top;
mod window;

pub use aggregator::Aggregator;
pub use class::Class;
pub use context::ContextId;
pub use control::Control;
pub use limits::OVERFLOW_TAG;
pub use registry::Pushing;
pub use shard::Shard;
