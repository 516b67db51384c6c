//! From the series of a flush to OTLP metrics: one metric a name, its points below it.
//!
//! Pure; no I/O and no clock. A point's start is always earlier than its time, and a cumulative point is
//! only made from a running total. Next: `answer`.

use super::attributes::{attributes, resource, scope};
use crate::config::Temporality;
use crate::metrics::series::{BucketCounts, Distribution, Series, Snapshot, Value};
use crate::metrics::sketch::{Buckets, Exponential, Sketch};
use crate::statsd::Kind;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1 as proto;
use std::collections::HashMap;

/// Buckets of one side of an exponential histogram. Twice what the SDKs allow: values that span a factor
/// of 1,000 still keep the sketch's accuracy, and an empty bucket costs one byte.
const MAX_BUCKETS: usize = 320;

/// The resolution of a client's own time: what its point is taken to span.
const SECOND_NS: u64 = 1_000_000_000;

/// What makes two series points of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Identity<'a> {
    name: &'a str,
    unit: &'a str,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Gauge,
    Sum { cumulative: bool, monotonic: bool },
    Histogram { cumulative: bool },
    Exponential { cumulative: bool },
}

/// One request with these series of the snapshot.
pub(in crate::backend) fn request(
    snapshot: &Snapshot,
    series: &[Series],
    wanted: Temporality,
    version: &str,
) -> ExportMetricsServiceRequest {
    let mut metrics: Vec<proto::Metric> = Vec::new();
    let mut known: HashMap<Identity<'_>, usize> = HashMap::new();
    for series in series {
        let form = form(series, wanted);
        let identity = Identity { name: series.key().name(), unit: unit(series), form };
        let at = *known.entry(identity).or_insert_with(|| {
            metrics.push(metric(series, identity));
            metrics.len() - 1
        });
        add(&mut metrics[at], snapshot, series, form);
    }
    let scope_metrics = proto::ScopeMetrics { scope: Some(scope(version)), metrics, ..Default::default() };
    let resource_metrics = proto::ResourceMetrics {
        resource: Some(resource(&snapshot.resource)),
        scope_metrics: vec![scope_metrics],
        ..Default::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
}

/// A point with a time of its own is no part of a running total, so it goes as a delta in any case; so
/// does a distribution whose total nobody kept.
fn form(series: &Series, wanted: Temporality) -> Form {
    let cumulative = wanted == Temporality::Cumulative && series.time_ns.is_none();
    match &series.value {
        Value::Counter { monotonic, .. } => Form::Sum { cumulative, monotonic: *monotonic },
        Value::Gauge(_) | Value::Set(_) => Form::Gauge,
        Value::Distribution(distribution) => {
            let cumulative = cumulative && distribution.total.is_some();
            match distribution.buckets {
                Some(_) => Form::Histogram { cumulative },
                None => Form::Exponential { cumulative },
            }
        }
    }
}

/// Timers are sent as they came, in milliseconds, whatever unit the page shows.
fn unit(series: &Series) -> &str {
    match series.kind {
        Kind::Timer => "ms",
        Kind::Counter | Kind::Gauge | Kind::Histogram | Kind::Distribution | Kind::Set => {
            series.treatment.unit.as_deref().unwrap_or("")
        }
    }
}

fn metric(series: &Series, identity: Identity<'_>) -> proto::Metric {
    let data = match identity.form {
        Form::Gauge => proto::metric::Data::Gauge(proto::Gauge::default()),
        Form::Sum { cumulative, monotonic } => proto::metric::Data::Sum(proto::Sum {
            data_points: Vec::new(),
            aggregation_temporality: temporality(cumulative),
            is_monotonic: monotonic,
        }),
        Form::Histogram { cumulative } => proto::metric::Data::Histogram(proto::Histogram {
            data_points: Vec::new(),
            aggregation_temporality: temporality(cumulative),
        }),
        Form::Exponential { cumulative } => {
            proto::metric::Data::ExponentialHistogram(proto::ExponentialHistogram {
                data_points: Vec::new(),
                aggregation_temporality: temporality(cumulative),
            })
        }
    };
    proto::Metric {
        name: identity.name.to_owned(),
        description: series.treatment.help.as_deref().unwrap_or("").to_owned(),
        unit: identity.unit.to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

fn temporality(cumulative: bool) -> i32 {
    if cumulative {
        proto::AggregationTemporality::Cumulative as i32
    } else {
        proto::AggregationTemporality::Delta as i32
    }
}

/// When and of what a point is.
struct Head {
    attributes: Vec<KeyValue>,
    start: u64,
    time: u64,
}

fn head(snapshot: &Snapshot, series: &Series, cumulative: bool) -> Head {
    let time = series.time_ns.unwrap_or(snapshot.end_ns);
    let start = match series.time_ns {
        Some(time) => time.saturating_sub(SECOND_NS),
        None if cumulative => series.start_ns,
        None => snapshot.start_ns,
    };
    // A start at or behind the time would say that the start is not known.
    Head { attributes: attributes(series.key().pairs()), start: start.min(time.saturating_sub(1)), time }
}

fn add(metric: &mut proto::Metric, snapshot: &Snapshot, series: &Series, form: Form) {
    match (&mut metric.data, form, &series.value) {
        (Some(proto::metric::Data::Gauge(gauge)), Form::Gauge, value) => {
            let Some(value) = level(value) else { return };
            let head = Head { start: 0, ..head(snapshot, series, false) };
            gauge.data_points.push(number(head, value));
        }
        (
            Some(proto::metric::Data::Sum(sum)),
            Form::Sum { cumulative, .. },
            Value::Counter { delta, total, .. },
        ) => {
            let value = if cumulative { *total } else { *delta };
            sum.data_points.push(number(head(snapshot, series, cumulative), value));
        }
        (
            Some(proto::metric::Data::Histogram(histogram)),
            Form::Histogram { cumulative },
            Value::Distribution(distribution),
        ) => {
            let head = head(snapshot, series, cumulative);
            histogram.data_points.push(explicit_point(head, series, distribution, cumulative));
        }
        (
            Some(proto::metric::Data::ExponentialHistogram(histogram)),
            Form::Exponential { cumulative },
            Value::Distribution(distribution),
        ) => {
            let head = head(snapshot, series, cumulative);
            histogram.data_points.push(exponential_point(head, sketch(distribution, cumulative)));
        }
        (data, form, value) => debug_assert!(false, "{data:?} was not made for {form:?} of {value:?}"),
    }
}

fn level(value: &Value) -> Option<f64> {
    match value {
        Value::Gauge(value) => Some(*value),
        Value::Set(members) => Some(*members as f64),
        Value::Counter { .. } | Value::Distribution(_) => None,
    }
}

fn number(head: Head, value: f64) -> proto::NumberDataPoint {
    proto::NumberDataPoint {
        attributes: head.attributes,
        start_time_unix_nano: head.start,
        time_unix_nano: head.time,
        value: Some(proto::number_data_point::Value::AsDouble(value)),
        ..Default::default()
    }
}

/// The form says cumulative only where there is a total.
fn sketch(distribution: &Distribution, cumulative: bool) -> &Sketch {
    match &distribution.total {
        Some(total) if cumulative => total,
        Some(_) | None => &distribution.delta,
    }
}

fn explicit_point(
    head: Head,
    series: &Series,
    distribution: &Distribution,
    cumulative: bool,
) -> proto::HistogramDataPoint {
    let sketch = sketch(distribution, cumulative);
    let empty = BucketCounts::default();
    let buckets = distribution.buckets.as_ref().unwrap_or(&empty);
    let counts = if cumulative { &buckets.total } else { &buckets.delta };
    // Bounds are kept as the page shows them: seconds for timers.
    let factor = if series.kind == Kind::Timer { 1_000.0 } else { 1.0 };
    proto::HistogramDataPoint {
        attributes: head.attributes,
        start_time_unix_nano: head.start,
        time_unix_nano: head.time,
        count: counts.iter().sum(),
        sum: Some(sketch.sum()),
        bucket_counts: counts.clone(),
        explicit_bounds: series.treatment.buckets(series.kind).iter().map(|bound| bound * factor).collect(),
        min: (!sketch.is_empty()).then(|| sketch.min()),
        max: (!sketch.is_empty()).then(|| sketch.max()),
        ..Default::default()
    }
}

fn exponential_point(head: Head, sketch: &Sketch) -> proto::ExponentialHistogramDataPoint {
    let Exponential { scale, zero_count, positive, negative } = sketch.exponential(MAX_BUCKETS);
    proto::ExponentialHistogramDataPoint {
        attributes: head.attributes,
        start_time_unix_nano: head.start,
        time_unix_nano: head.time,
        // Whole, and equal to what the buckets hold; the exact sum of weights may have a fraction.
        count: zero_count + positive.counts.iter().sum::<u64>() + negative.counts.iter().sum::<u64>(),
        sum: Some(sketch.sum()),
        scale,
        zero_count,
        positive: side(positive),
        negative: side(negative),
        min: (!sketch.is_empty()).then(|| sketch.min()),
        max: (!sketch.is_empty()).then(|| sketch.max()),
        ..Default::default()
    }
}

fn side(Buckets { offset, counts }: Buckets) -> Option<proto::exponential_histogram_data_point::Buckets> {
    let some = !counts.is_empty();
    some.then_some(proto::exponential_histogram_data_point::Buckets { offset, bucket_counts: counts })
}
