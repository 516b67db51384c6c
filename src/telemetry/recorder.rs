//! The recorder behind pillion's own metrics, and the way out of it.
//!
//! The recorder of `metrics-exporter-prometheus` keeps the values, without its server. What it writes is
//! read back into families in the order of the table, so that the page can print them in every format
//! and a counter of seconds (which the recorder can only keep as a gauge) is shown as what it is.
//! There are no histograms in the table, so no upkeep is due. Next: `process.rs`.

use super::table::{Metric, Type};
use metrics::Recorder as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::collections::HashMap;

/// Reads pillion's own metrics; cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    handle: PrometheusHandle,
}

/// All samples of one of pillion's own metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub metric: Metric,
    /// Sorted by their labels.
    pub samples: Vec<OwnSample>,
}

/// One sample of a [`Family`].
#[derive(Clone, Debug, PartialEq)]
pub struct OwnSample {
    /// Names in the order of the table; values unescaped.
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

/// Another recorder is installed already.
#[derive(Debug, thiserror::Error)]
#[error("pillion's own metrics cannot be recorded: another recorder is installed in this process")]
pub struct AlreadyInstalled;

impl Recorder {
    /// Makes the recorder of this process. Metrics added before it are lost, so install it first.
    pub fn install() -> Result<Recorder, AlreadyInstalled> {
        let (recorder, reader) = Recorder::detached();
        metrics::set_global_recorder(recorder).map_err(|_| AlreadyInstalled)?;
        for &metric in Metric::ALL {
            if metric.labels().is_empty() {
                begin_at_zero(metric);
            }
        }
        Ok(reader)
    }

    /// A recorder that is not installed (tests use `metrics::with_local_recorder`), and its reader.
    pub fn detached() -> (PrometheusRecorder, Recorder) {
        let recorder = PrometheusBuilder::new().build_recorder();
        for &metric in Metric::ALL {
            let (name, help) = (metric.name().into(), metric.help().into());
            match metric.kind() {
                Type::Counter if metric.in_seconds() => recorder.describe_gauge(name, None, help),
                Type::Counter => recorder.describe_counter(name, None, help),
                Type::Gauge => recorder.describe_gauge(name, None, help),
            }
        }
        let handle = recorder.handle();
        (recorder, Recorder { handle })
    }

    /// Every metric that has a value, in the order of the table.
    pub fn families(&self) -> Vec<Family> {
        let text = self.handle.render();
        let mut by_name: HashMap<&str, Vec<(&str, f64)>> = HashMap::new();
        for (name, labels, value) in text.lines().filter_map(split_sample) {
            by_name.entry(name).or_default().push((labels, value));
        }
        let family = |&metric: &Metric| {
            let lines = by_name.get(metric.name())?;
            let sample =
                |&(labels, value): &(&str, f64)| OwnSample { labels: read_labels(metric, labels), value };
            let mut samples: Vec<OwnSample> = lines.iter().map(sample).collect();
            samples.sort_by(|a, b| a.labels.cmp(&b.labels));
            Some(Family { metric, samples })
        };
        Metric::ALL.iter().filter_map(family).collect()
    }
}

/// A metric without labels is on the page from the start, so that `rate()` sees its first step.
fn begin_at_zero(metric: Metric) {
    match metric.kind() {
        Type::Counter if metric.in_seconds() => super::add_seconds(metric, &[], 0.0),
        Type::Counter => super::add(metric, &[], 0),
        Type::Gauge => super::gauge(metric, &[], 0.0),
    }
}

/// `name{labels} value` or `name value`; comments and empty lines are none.
fn split_sample(line: &str) -> Option<(&str, &str, f64)> {
    if line.starts_with('#') {
        return None;
    }
    // Values hold no space, and a label value can: the last space separates.
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    match series.split_once('{') {
        Some((name, labels)) => Some((name, labels.strip_suffix('}')?, value)),
        None => Some((series, "", value)),
    }
}

/// Reads `key="value",…` and puts it into the order of the table.
fn read_labels(metric: Metric, mut text: &str) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    while let Some((key, rest)) = text.split_once("=\"") {
        let mut value = String::new();
        let mut end = rest.len();
        let mut escaped = false;
        for (at, c) in rest.char_indices() {
            match (escaped, c) {
                (true, 'n') => value.push('\n'),
                (true, other) => value.push(other),
                (false, '\\') => {}
                (false, '"') => {
                    end = at + 1;
                    break;
                }
                (false, other) => value.push(other),
            }
            escaped = !escaped && c == '\\';
        }
        found.push((key, value));
        text = rest[end..].trim_start_matches(',');
    }
    let value_of =
        |key: &str| found.iter().find(|(k, _)| *k == key).map_or_else(String::new, |(_, v)| v.clone());
    metric.labels().iter().map(|&key| (key, value_of(key))).collect()
}

#[cfg(test)]
impl Recorder {
    /// Every sample as a line: `name{label="value"} 1`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |metric: Metric, OwnSample { labels, value }: &OwnSample| {
            let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}={value:?}")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            format!("{}{labels} {value}", metric.name())
        };
        let of = |family: &Family| {
            family.samples.iter().map(|sample| line(family.metric, sample)).collect::<Vec<_>>()
        };
        self.families().iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry;

    #[test]
    fn families_come_back_in_the_order_of_the_table_with_their_types() {
        let (recorder, reader) = Recorder::detached();
        metrics::with_local_recorder(&recorder, || {
            telemetry::total_seconds(Metric::ProcessCpuSeconds, &[], 1.25);
            telemetry::gauge(Metric::Contexts, &[], 12.0);
            telemetry::total(Metric::ListenerRejected, &["udp://[::1]:8125", "bad_value"], 3);
            telemetry::total(Metric::ListenerRejected, &["odd \"}, \\path\n", "bad_type"], 4);
            telemetry::add(Metric::ListenerPackets, &["b"], 2);
            telemetry::add(Metric::ListenerPackets, &["a"], 1);
        });
        insta::assert_snapshot!(reader.lines().join("\n"), @r##"
        pillion_process_cpu_seconds_total 1.25
        pillion_listener_packets_total{listener="a"} 1
        pillion_listener_packets_total{listener="b"} 2
        pillion_listener_rejected_total{listener="odd \"}, \\path\n",reason="bad_type"} 4
        pillion_listener_rejected_total{listener="udp://[::1]:8125",reason="bad_value"} 3
        pillion_contexts 12
        "##);
    }

    #[test]
    fn metrics_without_labels_are_there_from_the_start() {
        let (recorder, reader) = Recorder::detached();
        metrics::with_local_recorder(&recorder, || {
            Metric::ALL.iter().filter(|m| m.labels().is_empty()).for_each(|&m| begin_at_zero(m));
        });
        let families = reader.families();
        let bare = Metric::ALL.iter().filter(|m| m.labels().is_empty());
        assert!(bare.eq(families.iter().map(|f| &f.metric)));
    }
}
