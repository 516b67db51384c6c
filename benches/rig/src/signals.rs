//! Loads of OTLP metrics and logs: prepared protobuf requests, whose times are written when they are sent.
//!
//! A point is new only when its time is, so every request carries the places of its times, and the sender
//! overwrites them; everything else stays as it was prepared.

use crate::corpus::Rng;
use crate::spans::Prepared;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Signal {
    Metrics,
    Logs,
}

/// Stands for the time of sending, and for nothing else in a request.
const TIME: u64 = 0x1122_3344_5566_7788;
const START: u64 = 1_700_000_000_000_000_000;
const ATTRIBUTES: usize = 10;
const CUMULATIVE: i32 = 2;

/// `kinds` requests of `items` points or records each, no two with a series in common.
pub fn requests(signal: Signal, to: SocketAddr, items: usize, kinds: usize, seed: u64) -> Vec<Prepared> {
    let mut rng = Rng::new(seed);
    let mut prepare = |kind| {
        let (path, body) = match signal {
            Signal::Metrics => ("/v1/metrics", metrics(&mut rng, items, kind)),
            Signal::Logs => ("/v1/logs", logs(&mut rng, items)),
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), &body].concat();
        let times = request.windows(8).enumerate().filter(|(_, bytes)| *bytes == TIME.to_le_bytes());
        let times = times.map(|(at, _)| at).collect();
        Prepared { request, times }
    };
    (0..kinds).map(&mut prepare).collect()
}

/// A third each of counters, gauges and histograms.
fn metrics(rng: &mut Rng, points: usize, kind: usize) -> Vec<u8> {
    let (mut sums, mut gauges, mut histograms) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..points {
        let attributes = attributes(rng, Some(kind * points + n));
        let number = |value| NumberDataPoint {
            attributes: attributes.clone(),
            start_time_unix_nano: START,
            time_unix_nano: TIME,
            value: Some(number_data_point::Value::AsDouble(value)),
            ..Default::default()
        };
        match n % 3 {
            0 => sums.push(number(rng.range(1, 1_000) as f64)),
            1 => gauges.push(number(rng.range(1, 1_000) as f64)),
            _ => histograms.push(HistogramDataPoint {
                attributes,
                start_time_unix_nano: START,
                time_unix_nano: TIME,
                count: 10,
                sum: Some(rng.range(1, 100) as f64),
                explicit_bounds: vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0],
                bucket_counts: vec![1, 0, 2, 0, 3, 0, 2, 0, 1, 0, 1],
                ..Default::default()
            }),
        }
    }
    let metric = |name: &str, unit: &str, data| Metric {
        name: name.into(),
        unit: unit.into(),
        description: "What was measured".into(),
        data: Some(data),
        ..Default::default()
    };
    let sum = Sum { data_points: sums, aggregation_temporality: CUMULATIVE, is_monotonic: true };
    let histogram = Histogram { data_points: histograms, aggregation_temporality: CUMULATIVE };
    let metrics = vec![
        metric("http.server.request.count", "{request}", Data::Sum(sum)),
        metric("process.queue.depth", "1", Data::Gauge(Gauge { data_points: gauges })),
        metric("http.server.request.duration", "s", Data::Histogram(histogram)),
    ];
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, ..Default::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource()),
            scope_metrics,
            ..Default::default()
        }],
    }
    .encode_to_vec()
}

fn logs(rng: &mut Rng, records: usize) -> Vec<u8> {
    let record = |_| LogRecord {
        time_unix_nano: TIME,
        observed_time_unix_nano: TIME,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(format!("order {:x} was paid and is packed now", rng.next()))),
        }),
        attributes: attributes(rng, None),
        trace_id: [rng.next().to_be_bytes(), rng.next().to_be_bytes()].concat(),
        span_id: rng.next().to_be_bytes().into(),
        ..Default::default()
    };
    let log_records = (0..records).map(record).collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource()),
            scope_logs: vec![ScopeLogs { scope: Some(scope()), log_records, ..Default::default() }],
            ..Default::default()
        }],
    }
    .encode_to_vec()
}

/// Ten texts, one of which tells the series apart where it has a number.
fn attributes(rng: &mut Rng, series: Option<usize>) -> Vec<KeyValue> {
    const KEYS: [&str; ATTRIBUTES] = [
        "series",
        "http.request.method",
        "http.route",
        "server.address",
        "network.protocol.version",
        "user.tier",
        "shop.region",
        "shop.zone",
        "deployment.color",
        "http.response.status_code",
    ];
    let value = |(n, key): (usize, &&str)| {
        let value = match (n, series) {
            (0, Some(series)) => format!("s{series}"),
            (0, None) => format!("{:x}", rng.next()),
            _ => format!("{key}-{}", n * 7),
        };
        text(key, &value)
    };
    KEYS.iter().enumerate().map(value).collect()
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "rig".into(), version: "1".into(), ..Default::default() }
}

fn resource() -> Resource {
    let attributes = vec![
        text("service.name", "order-service"),
        text("service.instance.id", "rig-1"),
        text("service.version", "1.2.3"),
        text("telemetry.sdk.language", "rust"),
    ];
    Resource { attributes, ..Default::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn body(prepared: &Prepared) -> &[u8] {
        let head = prepared.request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        &prepared.request[head + 4..]
    }

    #[test]
    fn every_point_has_its_own_series_and_its_time() {
        let requests = requests(Signal::Metrics, "127.0.0.1:4318".parse().unwrap(), 9, 3, 1);
        let mut series = HashSet::new();
        for prepared in &requests {
            assert_eq!(prepared.times.len(), 9);
            let request = ExportMetricsServiceRequest::decode(body(prepared)).unwrap();
            for metric in &request.resource_metrics[0].scope_metrics[0].metrics {
                let attributes: Vec<&Vec<KeyValue>> = match metric.data.as_ref().unwrap() {
                    Data::Sum(sum) => sum.data_points.iter().map(|point| &point.attributes).collect(),
                    Data::Gauge(gauge) => gauge.data_points.iter().map(|point| &point.attributes).collect(),
                    Data::Histogram(of) => of.data_points.iter().map(|point| &point.attributes).collect(),
                    other => panic!("{other:?}"),
                };
                series.extend(attributes.iter().map(|list| format!("{} {:?}", metric.name, list[0])));
                assert!(attributes.iter().all(|list| list.len() == ATTRIBUTES));
            }
        }
        assert_eq!(series.len(), 27);
    }

    #[test]
    fn records_have_two_times() {
        let requests = requests(Signal::Logs, "127.0.0.1:4318".parse().unwrap(), 5, 1, 1);
        assert_eq!(requests[0].times.len(), 10);
        let request = ExportLogsServiceRequest::decode(body(&requests[0])).unwrap();
        assert_eq!(request.resource_logs[0].scope_logs[0].log_records.len(), 5);
    }
}
