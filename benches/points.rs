//! What a data point of OTLP costs on its way into a series: a known counter, histogram and exponential histogram,
//! a hundred series a request with ten attributes each; and a stream never seen before.
//!
//! For comparison on one machine in one run only. `cargo bench --bench points`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use pillion::config::Config;
use pillion::metrics::points::Points;
use pillion::metrics::rules::Rules;
use pillion::metrics::{Aggregator, Pushing};
use prost::Message;

const NOW_NS: u64 = 1_700_000_000_000_000_000;
const SERIES: u64 = 100;
const CUMULATIVE: i32 = 2;

fn points() -> Points {
    let config = Config::default();
    let rules = Rules::compile(&config.rules, &config.metrics).expect("no rules are good rules");
    let (notes, _) = tokio::sync::mpsc::channel(1);
    Points::new(Aggregator::new(&config, rules, Pushing::Nothing, notes, 42, NOW_NS))
}

fn pair(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn attributes(n: u64) -> Vec<KeyValue> {
    let mut all: Vec<KeyValue> = (0..9).map(|i| pair(&format!("label.{i}"), format!("value-{i}"))).collect();
    all.push(pair("series", n.to_string()));
    all
}

/// A request of a hundred series; `step` makes values and times go on.
fn request(name: &str, step: u64) -> Vec<u8> {
    let (start, time) = (NOW_NS, NOW_NS + step * 1_000_000_000);
    let data = match name {
        "counter" => Data::Sum(Sum {
            data_points: (0..SERIES)
                .map(|n| NumberDataPoint {
                    attributes: attributes(n),
                    start_time_unix_nano: start,
                    time_unix_nano: time,
                    value: Some(number_data_point::Value::AsInt(step as i64)),
                    ..NumberDataPoint::default()
                })
                .collect(),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        "histogram" => Data::Histogram(Histogram {
            data_points: (0..SERIES)
                .map(|n| HistogramDataPoint {
                    attributes: attributes(n),
                    start_time_unix_nano: start,
                    time_unix_nano: time,
                    count: 16 * step,
                    sum: Some(step as f64),
                    bucket_counts: vec![step; 16],
                    explicit_bounds: (1..16).map(f64::from).collect(),
                    ..HistogramDataPoint::default()
                })
                .collect(),
            aggregation_temporality: CUMULATIVE,
        }),
        _ => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: (0..SERIES)
                .map(|n| ExponentialHistogramDataPoint {
                    attributes: attributes(n),
                    start_time_unix_nano: start,
                    time_unix_nano: time,
                    count: 80 * step,
                    sum: Some(step as f64),
                    scale: 3,
                    positive: Some(Buckets { offset: -20, bucket_counts: vec![step; 80] }),
                    ..ExponentialHistogramDataPoint::default()
                })
                .collect(),
            aggregation_temporality: CUMULATIVE,
        }),
    };
    let metric = Metric { name: name.to_owned(), data: Some(data), ..Metric::default() };
    let resource =
        Resource { attributes: vec![pair("service.name", "shop".to_owned())], ..Resource::default() };
    ResourceMetrics {
        resource: Some(resource),
        scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }],
        ..ResourceMetrics::default()
    }
    .encode_to_vec()
}

fn known(c: &mut Criterion) {
    let mut group = c.benchmark_group("points");
    group.throughput(Throughput::Elements(SERIES));
    for name in ["counter", "histogram", "exponential"] {
        let points = points();
        let mut step = 0;
        let mut make = || {
            step += 1;
            request(name, step)
        };
        group.bench_function(name, |b| {
            b.iter_batched_ref(&mut make, |request| points.take(request, NOW_NS), BatchSize::SmallInput);
        });
    }
    let first = request("counter", 1);
    group.bench_function("new", |b| {
        b.iter_batched(points, |points| points.take(&first, NOW_NS), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, known);
criterion_main!(benches);
