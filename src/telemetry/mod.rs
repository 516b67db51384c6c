//! What pillion says of itself: its own metrics and its logs. Known by all modules, knows none.
//!
//! Own metrics are declared in one table; one that is not in the table does not compile.

pub mod table;

pub use table::Metric;

/// Adds to a counter. `labels` are the values of `metric.labels()`, in that order.
pub fn add(metric: Metric, labels: &[&str], n: u64) {
    debug_assert_eq!(labels.len(), metric.labels().len());
    metrics::counter!(metric.name(), tagged(metric, labels)).increment(n);
}

/// Sets a counter that is kept elsewhere to its running total.
pub fn total(metric: Metric, labels: &[&str], n: u64) {
    debug_assert_eq!(labels.len(), metric.labels().len());
    metrics::counter!(metric.name(), tagged(metric, labels)).absolute(n);
}

pub fn gauge(metric: Metric, labels: &[&str], value: f64) {
    debug_assert_eq!(labels.len(), metric.labels().len());
    metrics::gauge!(metric.name(), tagged(metric, labels)).set(value);
}

fn tagged(metric: Metric, labels: &[&str]) -> Vec<metrics::Label> {
    metric.labels().iter().zip(labels).map(|(k, v)| metrics::Label::new(*k, (*v).to_owned())).collect()
}
