//! What requests brought, as `/status` says it: spans, data points and log records before the backends, and the
//! series that data points became.
//!
//! Plain data that `agent` fills; nothing here may read or count by itself.

use super::RemarkStatus;
use serde::Serialize;
use std::collections::BTreeMap;

/// What requests bring, before the backends.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RequestStatus {
    pub spans: SpanStatus,
    /// Data points of OTLP metrics.
    pub points: PointsStatus,
    pub log_records: SignalStatus,
}

/// Spans, and what all requests share.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SpanStatus {
    #[serde(flatten)]
    pub signal: SignalStatus,
    pub budget_held_bytes: usize,
    pub budget_limit_bytes: usize,
    pub client_stats: ClientStatsStatus,
}

/// Data points, and the series on `/metrics` that they become.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PointsStatus {
    #[serde(flatten)]
    pub signal: SignalStatus,
    /// `null` when `metrics.otlp` is off.
    pub series: Option<SeriesStatus>,
    /// Of the backends that ask for it.
    pub conversions: Vec<ConversionStatus>,
}

/// Data points made deltas or totals for one backend; those that cannot be are among what it dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ConversionStatus {
    pub backend: String,
    pub converted: u64,
    /// Streams that began anew.
    pub resets: u64,
    /// Deltas that do not cover the time since the last.
    pub gaps: u64,
    /// Streams that are remembered.
    pub streams: usize,
}

/// What became of data points on `/metrics`: shown and left out are all that came.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SeriesStatus {
    pub shown: u64,
    /// Only what occurred.
    pub left_out: Vec<ReasonStatus>,
    pub remarked: Vec<RemarkStatus>,
    /// Streams whose last point is remembered.
    pub streams: usize,
    /// Resources that `target_info` does not show, for want of room.
    pub targets_dropped: u64,
}

/// Why so many are not there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReasonStatus {
    pub reason: &'static str,
    pub meaning: &'static str,
    pub count: u64,
}

/// Spans, data points or log records before the backends: what came, what was refused, what waits to be batched.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SignalStatus {
    /// Taken, by protocol.
    pub received: BTreeMap<&'static str, u64>,
    /// Only what occurred.
    pub refused: Vec<RefusedStatus>,
    /// In the batch that is being gathered, and their bytes.
    pub pending: u64,
    pub pending_bytes: usize,
    /// Taken, and dropped because no configured backend carries them.
    pub dropped_no_backend: u64,
    /// What to do about what no backend carries; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
}

/// What was not taken; the client was told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RefusedStatus {
    pub protocol: &'static str,
    pub reason: &'static str,
    pub count: u64,
}

/// Payloads of statistics that Datadog clients computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ClientStatsStatus {
    pub received: u64,
    /// For want of room in the queues.
    pub refused: u64,
    /// Taken, and dropped because no configured backend carries them.
    pub not_carried: u64,
}
