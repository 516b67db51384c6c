//! What pillion says of itself: its own metrics, logs and spans. Known by all modules, knows none.
//!
//! Own metrics are declared in one table; one that is not in the table does not compile. Nothing here
//! may feed pillion's own intake, and nothing here reads the environment: an app's `OTEL_EXPORTER_*`
//! variables are the app's. Next: `table.rs`, `recorder.rs`, `logs.rs`, `export.rs`.

#![allow(clippy::disallowed_macros, reason = "the one place that calls the `metrics` macros")]

pub mod export;
pub mod limiter;
pub mod logs;
pub mod process;
pub mod recorder;
pub mod table;

pub use limiter::Limiter;
pub use recorder::Recorder;
pub use table::Metric;

/// The target of pillion's own spans: `tracing::info_span!(target: telemetry::SPANS, "flush")`.
/// Only spans whose target begins like this leave the process.
pub const SPANS: &str = "pillion::spans";

/// Adds to a counter. `labels` are the values of `metric.labels()`, in that order.
pub fn add(metric: Metric, labels: &[&str], n: u64) {
    debug_assert!(metric.kind() == table::Type::Counter && !metric.in_seconds());
    metrics::counter!(metric.name(), tagged(metric, labels)).increment(n);
}

/// Sets a counter that is kept elsewhere to its running total.
pub fn total(metric: Metric, labels: &[&str], n: u64) {
    debug_assert!(metric.kind() == table::Type::Counter && !metric.in_seconds());
    metrics::counter!(metric.name(), tagged(metric, labels)).absolute(n);
}

/// Adds to a counter of seconds.
pub fn add_seconds(metric: Metric, labels: &[&str], seconds: f64) {
    debug_assert!(metric.in_seconds());
    metrics::gauge!(metric.name(), tagged(metric, labels)).increment(seconds);
}

/// Sets a counter of seconds that is kept elsewhere to its running total.
pub fn total_seconds(metric: Metric, labels: &[&str], seconds: f64) {
    debug_assert!(metric.in_seconds());
    metrics::gauge!(metric.name(), tagged(metric, labels)).set(seconds);
}

pub fn gauge(metric: Metric, labels: &[&str], value: f64) {
    debug_assert!(metric.kind() == table::Type::Gauge);
    metrics::gauge!(metric.name(), tagged(metric, labels)).set(value);
}

fn tagged(metric: Metric, labels: &[&str]) -> Vec<metrics::Label> {
    debug_assert_eq!(labels.len(), metric.labels().len());
    metric.labels().iter().zip(labels).map(|(k, v)| metrics::Label::new(*k, (*v).to_owned())).collect()
}
