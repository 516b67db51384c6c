//! Metrics and log records: faults with their places, then what another decoder thinks.

use super::*;
use crate::otlp::samples;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
};

fn walk_of(signal: Signal, bytes: &[u8]) -> Result<Taken, Refused> {
    request(signal, &Bytes::copy_from_slice(bytes))
}

fn metrics(metrics: Vec<Metric>) -> Vec<u8> {
    let scope = ScopeMetrics { metrics, schema_url: "s".into(), ..Default::default() };
    let resource =
        ResourceMetrics { scope_metrics: vec![scope], schema_url: "r".into(), ..Default::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec()
}

fn gauge(name: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric { name: name.into(), data: Some(Data::Gauge(Gauge { data_points })), ..Metric::default() }
}

fn point(time: u64) -> NumberDataPoint {
    NumberDataPoint { time_unix_nano: time, ..Default::default() }
}

fn histogram(bounds: usize, counts: usize) -> Metric {
    let point = HistogramDataPoint {
        explicit_bounds: (0..bounds).map(|bound| bound as f64).collect(),
        bucket_counts: vec![1; counts],
        ..Default::default()
    };
    let data = Histogram { data_points: vec![point], aggregation_temporality: 1 };
    Metric { name: "h".into(), data: Some(Data::Histogram(data)), ..Metric::default() }
}

/// What is left of one resource.
fn left(taken: &Taken) -> Vec<Metric> {
    let [walked] = &taken.resources[..] else { panic!("one resource: {taken:?}") };
    let resource = ResourceMetrics::decode(&walked.bytes[..]).unwrap();
    assert_eq!((walked.items as usize, &*resource.schema_url), (samples::points_of(&resource), "r"));
    resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics).collect()
}

#[test]
fn a_faulty_point_costs_itself_and_a_faulty_metric_its_points() {
    let short = Exemplar { trace_id: vec![1; 3], ..Exemplar::default() };
    let faulty = NumberDataPoint { exemplars: vec![short], ..point(9) };
    let body = metrics(vec![
        gauge("a", vec![point(1), faulty.clone(), point(2)]),
        gauge("gone", vec![faulty.clone()]),
        histogram(2, 2),
        gauge("b", vec![point(3)]),
        gauge("empty", vec![]),
    ]);
    let taken = walk_of(Signal::Metrics, &body).unwrap();
    let Rejected { items, first } = taken.rejected.unwrap();
    assert_eq!(items, 3);
    let why = "resource 0, scope 0, metric 0, point 1: a trace id has 3 bytes instead of 16";
    assert_eq!(first.to_string(), why);
    // Something is left out, and with it what has no points.
    assert_eq!(left(&taken), [gauge("a", vec![point(1), point(2)]), gauge("b", vec![point(3)])]);
    let again = metrics(left(&taken));
    assert_eq!(walk_of(Signal::Metrics, &again).unwrap().rejected, None);

    let error = walk_of(Signal::Metrics, &metrics(vec![gauge("a", vec![faulty])])).unwrap_err();
    assert_eq!(error.to_string(), why.replace("point 1", "point 0"));
}

#[test]
fn counts_and_bounds_must_fit() {
    for (bounds, counts, fits) in
        [(0, 0, true), (0, 1, true), (3, 4, true), (1, 0, false), (2, 2, false), (2, 4, false)]
    {
        let taken = walk_of(Signal::Metrics, &metrics(vec![histogram(bounds, counts)]));
        assert_eq!(taken.is_ok(), fits, "{bounds} {counts}");
        if let Err(refused) = taken {
            let why = format!("a histogram has {counts} bucket counts for {bounds} bounds");
            assert_eq!(refused.to_string(), format!("resource 0, scope 0, metric 0, point 0: {why}"));
        }
    }
}

/// A field with a length.
fn nested(number: u32, inner: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(number, inner);
    writer.into_inner()
}

fn in_scope(metrics: &[&[u8]]) -> Vec<u8> {
    let all: Vec<u8> = metrics.iter().flat_map(|metric| nested(2, metric)).collect();
    nested(1, &[nested(2, &all), nested(3, b"r")].concat())
}

#[test]
fn faults_of_metrics_by_hand() {
    let sound = [nested(1, b"ok"), nested(5, &nested(1, b""))].concat();
    let two_points = nested(7, &[nested(1, b""), nested(1, b"")].concat());
    let cases: [(Vec<u8>, u64, &str); 6] = [
        // Two data fields, be they of one kind.
        ([nested(5, &nested(1, b"")), two_points.clone()].concat(), 3, "a metric has data more than once"),
        ([two_points.clone(), two_points.clone()].concat(), 4, "a metric has data more than once"),
        ([nested(1, b"\xff"), two_points.clone()].concat(), 2, "a string is not UTF-8"),
        // Nobody knows what its points are.
        (nested(1, b"\xff"), 1, "a string is not UTF-8"),
        ([two_points.clone(), vec![0x2a, 5]].concat(), 2, "the message ends inside a field"),
        (vec![0x28, 1], 1, "a field has another wire type than its number asks for"),
    ];
    for (metric, items, why) in cases {
        let taken = walk_of(Signal::Metrics, &in_scope(&[&sound, &metric])).unwrap();
        let rejected = taken.rejected.unwrap();
        assert_eq!(rejected.items, items, "{why}");
        assert_eq!(rejected.first.to_string(), format!("resource 0, scope 0, metric 1: {why}"));
        assert_eq!(left(&taken), [gauge("ok", vec![NumberDataPoint::default()])], "{why}");
    }
    // A faulty metric without points alone: nothing is sound.
    assert!(walk_of(Signal::Metrics, &in_scope(&[&nested(1, b"\xff")])).is_err());
    // One without points is no fault, and nothing to be taken.
    assert!(walk_of(Signal::Metrics, &in_scope(&[&nested(1, b"a")])).unwrap().resources.is_empty());
}

#[test]
fn a_faulty_record_costs_itself() {
    let deep = |levels| LogRecord { body: Some(super::nested(levels)), ..LogRecord::default() };
    let named = |name: &str| LogRecord { event_name: name.into(), ..LogRecord::default() };
    let log_records = vec![
        named("a"),
        deep(MAX_DEPTH + 1),
        deep(MAX_DEPTH),
        LogRecord { span_id: vec![1], ..LogRecord::default() },
        named("b"),
    ];
    let scope = ScopeLogs { log_records: log_records.clone(), ..Default::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..Default::default() };
    let body = ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec();
    let taken = walk_of(Signal::Logs, &body).unwrap();
    let rejected = taken.rejected.unwrap();
    assert_eq!(rejected.items, 2);
    let why = "resource 0, scope 0, log record 1: an attribute is nested deeper than 30 levels";
    assert_eq!(rejected.first.to_string(), why);
    let left = ResourceLogs::decode(&taken.resources[0].bytes[..]).unwrap();
    let wanted: Vec<LogRecord> = [0, 2, 4].map(|at: usize| log_records[at].clone()).into();
    assert_eq!(left.scope_logs[0].log_records, wanted);
    assert_eq!(taken.resources[0].items, 3);
}

/// Whether another decoder takes bytes, and what it counts in them.
fn decoded(signal: Signal, bytes: &[u8]) -> Option<usize> {
    match signal {
        Signal::Traces => None,
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(bytes).ok()?;
            Some(request.resource_metrics.iter().map(samples::points_of).sum())
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(bytes).ok()?;
            Some(request.resource_logs.iter().map(samples::records_of).sum())
        }
    }
}

#[test]
fn every_known_field_has_its_wire_type() {
    use Signal::{Logs, Metrics};
    // Paths of message fields from the request down, and the highest known number of the message there.
    let messages: [(Signal, &[u32], u32); 20] = [
        (Metrics, &[], 1),
        (Metrics, &[1], 3),
        (Metrics, &[1, 2], 3),
        (Metrics, &[1, 2, 2], 12),
        (Metrics, &[1, 2, 2, 12], 3),
        (Metrics, &[1, 2, 2, 5], 1),
        (Metrics, &[1, 2, 2, 5, 1], 8),
        (Metrics, &[1, 2, 2, 5, 1, 5], 7),
        (Metrics, &[1, 2, 2, 7], 3),
        (Metrics, &[1, 2, 2, 7, 1], 8),
        (Metrics, &[1, 2, 2, 9], 2),
        (Metrics, &[1, 2, 2, 9, 1], 12),
        (Metrics, &[1, 2, 2, 10], 2),
        (Metrics, &[1, 2, 2, 10, 1], 14),
        (Metrics, &[1, 2, 2, 10, 1, 8], 2),
        (Metrics, &[1, 2, 2, 11], 1),
        (Metrics, &[1, 2, 2, 11, 1], 8),
        (Metrics, &[1, 2, 2, 11, 1, 6], 2),
        (Logs, &[1, 2], 3),
        (Logs, &[1, 2, 2], 12),
    ];
    for (signal, path, highest) in messages {
        for number in 1..=highest + 1 {
            for wire_type in [0_u8, 1, 2, 5] {
                // A bound without a count.
                if (path, number, wire_type) == (&[1, 2, 2, 9, 1], 7, 1) {
                    continue;
                }
                let value: &[u8] = match wire_type {
                    0 => &[1],
                    1 => &[0; 8],
                    5 => &[0; 4],
                    _ => &[0],
                };
                let mut bytes = [&[(number as u8 * 8) | wire_type], value].concat();
                for field in path.iter().rev() {
                    bytes = nested(*field, &bytes);
                }
                let sound = walk_of(signal, &bytes).is_ok_and(|taken| taken.rejected.is_none());
                let other = decoded(signal, &bytes).is_some();
                assert_eq!(sound, other, "{signal:?} {path:?} {number} {wire_type}");
            }
        }
    }
}

/// Bytes of a request with a few of them changed, and a piece cut out.
fn damaged(
    bytes: Vec<u8>,
    changes: &[(prop::sample::Index, u8)],
    cut: (prop::sample::Index, usize),
) -> Vec<u8> {
    let mut bytes = bytes;
    if !bytes.is_empty() {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let at = cut.0.index(bytes.len());
        bytes.drain(at..(at + cut.1).min(bytes.len()));
    }
    bytes
}

/// What is accepted another decoder takes, with the same count; what is left of what is partly accepted, too.
fn agrees(signal: Signal, bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(taken) = walk_of(signal, bytes) else { return Ok(()) };
    let mut left = Writer::new();
    taken.resources.iter().for_each(|walked| left.bytes(1, &walked.bytes));
    let items: usize = taken.resources.iter().map(|walked| walked.items as usize).sum();
    prop_assert_eq!(decoded(signal, left.written()), Some(items));
    if taken.rejected.is_none() {
        prop_assert_eq!(decoded(signal, bytes), Some(items));
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_another_encoder_made_is_taken_whole(metrics in samples::metrics(), logs in samples::logs()) {
        for (signal, bytes) in [(Signal::Metrics, metrics.encode_to_vec()), (Signal::Logs, logs.encode_to_vec())] {
            let taken = walk_of(signal, &bytes);
            prop_assert!(taken.as_ref().is_ok_and(|taken| taken.rejected.is_none()), "{taken:?}");
            agrees(signal, &bytes)?;
        }
    }

    #[test]
    fn what_is_taken_of_damaged_requests_another_decoder_takes(
        metrics in samples::metrics(),
        logs in samples::logs(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in (any::<prop::sample::Index>(), 0..3_usize),
    ) {
        agrees(Signal::Metrics, &damaged(metrics.encode_to_vec(), &changes, cut))?;
        agrees(Signal::Logs, &damaged(logs.encode_to_vec(), &changes, cut))?;
    }

    #[test]
    fn any_bytes_of_any_signal_are_walked_to_an_end(bytes in vec(any::<u8>(), 0..200)) {
        agrees(Signal::Metrics, &bytes)?;
        agrees(Signal::Logs, &bytes)?;
    }
}
