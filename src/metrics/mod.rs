//! Aggregation: from decoded messages to series.
//!
//! Each intake thread owns a shard; shards hand over to the one registry at flush; the registry makes
//! snapshots for push backends and answers the scrape. Nothing here knows a socket, a payload format
//! or a backend.

pub mod series;
pub mod shard;
pub mod sketch;
pub mod tally;
