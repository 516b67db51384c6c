//! The listeners for requests as `/status` shows them.

use crate::intake::http::Watch;
use serde::Serialize;

/// One listener with what it answered and refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntakeStatus {
    pub address: String,
    pub protocol: &'static str,
    /// Open now.
    pub connections: u64,
    pub requests: u64,
    /// The same by HTTP status, or by the name of a gRPC code.
    pub statuses: Vec<StatusCount>,
    /// Of request bodies, as sent.
    pub body_bytes: u64,
    /// Only reasons that occurred, the most frequent first.
    pub refused: Vec<Refusal>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusCount {
    pub status: String,
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    pub reason: &'static str,
    pub count: u64,
    /// What the last client that was so refused was told.
    pub last: String,
    pub last_seconds_ago: f64,
}

impl IntakeStatus {
    pub fn read(watch: &Watch, now_ns: u64) -> IntakeStatus {
        let refusal = |sample: crate::intake::http::RefusedSample| Refusal {
            reason: sample.reason.as_str(),
            count: sample.count,
            last: sample.last,
            last_seconds_ago: now_ns.saturating_sub(sample.time_ns) as f64 / 1e9,
        };
        let statuses: Vec<_> =
            watch.statuses().into_iter().map(|(status, count)| StatusCount { status, count }).collect();
        IntakeStatus {
            address: watch.address().to_owned(),
            protocol: watch.protocol(),
            connections: watch.connections(),
            requests: statuses.iter().map(|status| status.count).sum(),
            statuses,
            body_bytes: watch.body_bytes(),
            refused: watch.refused().into_iter().map(refusal).collect(),
        }
    }
}
