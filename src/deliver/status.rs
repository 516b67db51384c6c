//! What `/status` says of one backend. Ages instead of times of day, so that a clock that was set
//! meanwhile cannot make nonsense of them.

use super::ledger::{Ledger, Reason};
use serde::Serialize;
use std::collections::BTreeMap;

/// How one backend fares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackendStatus {
    pub name: String,
    /// The `type` of the configuration.
    pub kind: &'static str,
    pub endpoint: String,
    /// What waits, its bytes in memory, and the limit on these.
    pub queue_items: u64,
    pub queue_bytes: usize,
    pub queue_limit_bytes: usize,
    pub in_flight: u64,
    pub offered: u64,
    pub sent: u64,
    /// Payloads that were sent again.
    pub retried: u64,
    /// Only reasons that occurred.
    pub dropped: BTreeMap<&'static str, u64>,
    pub last_success_seconds_ago: Option<f64>,
    pub last_error: Option<LastError>,
    /// The last attempt failed and the payload is kept.
    pub failing: bool,
    /// The delivery task is over: after a shutdown, or because it broke.
    pub ended: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LastError {
    pub message: String,
    pub seconds_ago: f64,
}

/// The reasons that occurred, by name.
pub(super) fn dropped_by_reason(ledger: &Ledger) -> BTreeMap<&'static str, u64> {
    Reason::ALL
        .into_iter()
        .map(|reason| (reason.name(), ledger.dropped(reason)))
        .filter(|(_, n)| *n > 0)
        .collect()
}
