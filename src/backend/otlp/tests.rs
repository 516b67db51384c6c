//! The OTLP backend against servers of our own: what goes over the wire, and how answers are taken.

mod pass_through;
mod wire;

use super::json::Json;
use super::*;
use crate::backend::tests::{checkout, otlp, samples, sketched};
use crate::metrics::series::{Series, Snapshot, Value};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1 as proto;

/// One metric a line, decoded from the bytes that would be sent.
fn metrics_of(temporality: Temporality) -> String {
    let snapshot = samples();
    let request = metrics::request(&snapshot, &snapshot.series, temporality, "1.2.3");
    let request = ExportMetricsServiceRequest::decode(request.encode_to_vec().as_slice()).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    metrics.iter().map(|metric| serde_json::to_string(&Json(metric)).unwrap() + "\n").collect()
}

#[test]
fn a_window_as_deltas() {
    insta::assert_snapshot!(metrics_of(Temporality::Delta), @r#"
{"name":"orders.created","sum":{"dataPoints":[{"attributes":[{"key":"env","value":{"stringValue":"prod"}},{"key":"new","value":{"stringValue":""}},{"key":"url","value":{"stringValue":"http://x"}}],"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000010000000000","asDouble":3.0},{"attributes":[{"key":"env","value":{"stringValue":"a;b"}}],"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000010000000000","asDouble":0.5},{"startTimeUnixNano":"1699999989000000000","timeUnixNano":"1699999990000000000","asDouble":9.0}],"aggregationTemporality":1,"isMonotonic":true}}
{"name":"pool.size","description":"Connections.","gauge":{"dataPoints":[{"timeUnixNano":"1700000010000000000","asDouble":-2.0}]}}
{"name":"users","gauge":{"dataPoints":[{"timeUnixNano":"1700000010000000000","asDouble":12.0}]}}
{"name":"db.query","unit":"ms","exponentialHistogram":{"dataPoints":[{"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000010000000000","count":"7","sum":408.0,"scale":5,"positive":{"offset":42,"bucketCounts":["2","0","0","0","0","0","0","0","1","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","4"]},"min":2.5,"max":100.0}],"aggregationTemporality":1}}
{"name":"db.wait","unit":"ms","histogram":{"dataPoints":[{"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000010000000000","count":"7","sum":408.0,"bucketCounts":["3","0","4"],"explicitBounds":[10.0,50.0],"min":2.5,"max":100.0}],"aggregationTemporality":1}}
{"name":"body.size","unit":"By","exponentialHistogram":{"dataPoints":[{"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000010000000000","count":"7","sum":408.0,"scale":5,"positive":{"offset":42,"bucketCounts":["2","0","0","0","0","0","0","0","1","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","4"]},"min":2.5,"max":100.0}],"aggregationTemporality":1}}
{"name":"queue.moved","sum":{"dataPoints":[{"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000010000000000","asDouble":-1.0}],"aggregationTemporality":1}}
"#);
}

#[test]
fn a_window_as_running_totals() {
    insta::assert_snapshot!(metrics_of(Temporality::Cumulative), @r#"
{"name":"orders.created","sum":{"dataPoints":[{"attributes":[{"key":"env","value":{"stringValue":"prod"}},{"key":"new","value":{"stringValue":""}},{"key":"url","value":{"stringValue":"http://x"}}],"startTimeUnixNano":"1699999000000000000","timeUnixNano":"1700000010000000000","asDouble":7.0},{"attributes":[{"key":"env","value":{"stringValue":"a;b"}}],"startTimeUnixNano":"1699999000000000000","timeUnixNano":"1700000010000000000","asDouble":0.5}],"aggregationTemporality":2,"isMonotonic":true}}
{"name":"pool.size","description":"Connections.","gauge":{"dataPoints":[{"timeUnixNano":"1700000010000000000","asDouble":-2.0}]}}
{"name":"users","gauge":{"dataPoints":[{"timeUnixNano":"1700000010000000000","asDouble":12.0}]}}
{"name":"db.query","unit":"ms","exponentialHistogram":{"dataPoints":[{"startTimeUnixNano":"1699999000000000000","timeUnixNano":"1700000010000000000","count":"9","sum":407.0,"scale":5,"zeroCount":"1","positive":{"offset":42,"bucketCounts":["2","0","0","0","0","0","0","0","1","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","4"]},"negative":{"offset":-1,"bucketCounts":["1"]},"min":-1.0,"max":100.0}],"aggregationTemporality":2}}
{"name":"db.wait","unit":"ms","histogram":{"dataPoints":[{"startTimeUnixNano":"1699999000000000000","timeUnixNano":"1700000010000000000","count":"9","sum":407.0,"bucketCounts":["5","0","4"],"explicitBounds":[10.0,50.0],"min":-1.0,"max":100.0}],"aggregationTemporality":2}}
{"name":"body.size","unit":"By","exponentialHistogram":{"dataPoints":[{"startTimeUnixNano":"1699999000000000000","timeUnixNano":"1700000010000000000","count":"9","sum":407.0,"scale":5,"zeroCount":"1","positive":{"offset":42,"bucketCounts":["2","0","0","0","0","0","0","0","1","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","0","4"]},"negative":{"offset":-1,"bucketCounts":["1"]},"min":-1.0,"max":100.0}],"aggregationTemporality":2}}
{"name":"queue.moved","sum":{"dataPoints":[{"startTimeUnixNano":"1699999000000000000","timeUnixNano":"1700000010000000000","asDouble":4.0}],"aggregationTemporality":2}}
{"name":"orders.created","sum":{"dataPoints":[{"startTimeUnixNano":"1699999989000000000","timeUnixNano":"1699999990000000000","asDouble":9.0}],"aggregationTemporality":1,"isMonotonic":true}}
"#);
}

#[test]
fn the_sender_is_named() {
    let mut snapshot = samples();
    snapshot.series.truncate(0);
    let request = metrics::request(&snapshot, &[], Temporality::Delta, "1.2.3");
    insta::assert_snapshot!(serde_json::to_string(&Json(&request)).unwrap(), @r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"scope":{"name":"pillion","version":"1.2.3"}}]}]}"#);
}

#[test]
fn events_and_checks_as_log_records() {
    let request = logs::request(&checkout(), &[], "1.2.3");
    let records = &request.resource_logs[0].scope_logs[0].log_records;
    let lines: String = records.iter().map(|r| serde_json::to_string(&Json(r)).unwrap() + "\n").collect();
    insta::assert_snapshot!(lines, @r#"
{"timeUnixNano":"1700000001000000000","severityNumber":13,"severityText":"WARN","body":{"stringValue":"v2\nis out"},"attributes":[{"key":"title","value":{"stringValue":"Deploy"}},{"key":"aggregation_key","value":{"stringValue":"deploys"}},{"key":"source_type_name","value":{"stringValue":"ci"}},{"key":"priority","value":{"stringValue":"low"}},{"key":"alert_type","value":{"stringValue":"warning"}},{"key":"host.name","value":{"stringValue":"web-1"}},{"key":"env","value":{"stringValue":"prod"}},{"key":"tag.title","value":{"stringValue":"mine"}},{"key":"urgent","value":{"stringValue":""}}],"eventName":"dogstatsd.event"}
{"timeUnixNano":"1700000002000000000","severityNumber":17,"severityText":"ERROR","body":{"stringValue":""},"attributes":[{"key":"check","value":{"stringValue":"db.up"}},{"key":"status","value":{"stringValue":"CRITICAL"}}],"eventName":"dogstatsd.service_check"}
"#);
}

/// The vector of the data model: 2.5 twice, 3 once, 100 four times.
#[test]
fn a_sketch_becomes_the_known_exponential_histogram() {
    let snapshot = samples();
    let request = metrics::request(&snapshot, &snapshot.series[4..5], Temporality::Delta, "1");
    let Some(proto::metric::Data::ExponentialHistogram(histogram)) =
        &request.resource_metrics[0].scope_metrics[0].metrics[0].data
    else {
        panic!("{request:?}");
    };
    let point = &histogram.data_points[0];
    let positive = point.positive.as_ref().unwrap();
    assert_eq!((point.scale, positive.offset, positive.bucket_counts.len()), (5, 42, 171));
    let held: Vec<_> = positive.bucket_counts.iter().enumerate().filter(|(_, n)| **n > 0).collect();
    assert_eq!(held, [(0, &2), (8, &1), (170, &4)]);
    assert_eq!((point.count, point.sum, point.min, point.max), (7, Some(408.0), Some(2.5), Some(100.0)));
}

#[test]
fn a_start_is_always_before_its_time() {
    for temporality in [Temporality::Delta, Temporality::Cumulative] {
        let mut snapshot = samples();
        snapshot.start_ns = snapshot.end_ns + 5;
        snapshot.series.iter_mut().for_each(|series| series.start_ns = u64::MAX);
        let request = metrics::request(&snapshot, &snapshot.series, temporality, "1");
        for metric in &request.resource_metrics[0].scope_metrics[0].metrics {
            let times: Vec<(u64, u64)> = match metric.data.as_ref().unwrap() {
                proto::metric::Data::Gauge(_) | proto::metric::Data::Summary(_) => continue,
                proto::metric::Data::Sum(sum) => {
                    sum.data_points.iter().map(|p| (p.start_time_unix_nano, p.time_unix_nano)).collect()
                }
                proto::metric::Data::Histogram(histogram) => {
                    histogram.data_points.iter().map(|p| (p.start_time_unix_nano, p.time_unix_nano)).collect()
                }
                proto::metric::Data::ExponentialHistogram(histogram) => {
                    histogram.data_points.iter().map(|p| (p.start_time_unix_nano, p.time_unix_nano)).collect()
                }
            };
            assert!(!times.is_empty() && times.iter().all(|(start, time)| start < time), "{metric:?}");
        }
    }
}

#[test]
fn without_a_total_a_distribution_stays_a_delta() {
    let mut snapshot = samples();
    let series: &mut Series = &mut snapshot.series[4];
    let Value::Distribution(distribution) = &mut series.value else { panic!() };
    distribution.total = None;
    distribution.delta = sketched([]);
    let request = metrics::request(&snapshot, &snapshot.series[4..5], Temporality::Cumulative, "1");
    let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
    insta::assert_snapshot!(serde_json::to_string(&Json(metric)).unwrap(), @r#"{"name":"db.query","unit":"ms","exponentialHistogram":{"dataPoints":[{"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000010000000000","count":"0","sum":0.0,"scale":5}],"aggregationTemporality":1}}"#);
}

#[tokio::test]
async fn a_part_beyond_the_limit_of_a_message_is_refused() {
    let mut exporter = Exporter::new(&otlp("http://127.0.0.1:1", OtlpProtocol::Http), "1").unwrap();
    let one = samples().series[0].clone();
    let mut snapshot = Snapshot { series: vec![one; 4_000], ..samples() };
    let encode = |exporter: &mut Exporter, snapshot: &Snapshot| {
        exporter.encode(Part::Metrics { snapshot, series: &snapshot.series }).map(|encoded| encoded.body)
    };
    assert!(encode(&mut exporter, &snapshot).unwrap().is_some());
    snapshot.series[0].key = format!("n\n{}", "x".repeat(MESSAGE_BYTES)).into();
    assert_eq!(encode(&mut exporter, &snapshot), Err(TooLarge));
}

/// Runs itself again in a process whose environment names no CA certificates.
#[test]
fn without_ca_certificates_plain_http_works_and_https_says_why_not() {
    const CHILD: &str = "PILLION_TEST_WITHOUT_CERTIFICATES";
    if std::env::var_os(CHILD).is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            for protocol in [OtlpProtocol::Grpc, OtlpProtocol::Http] {
                Exporter::new(&otlp("http://127.0.0.1:1", protocol), "1").unwrap();
                let error = Exporter::new(&otlp("https://127.0.0.1:1", protocol), "1").unwrap_err();
                assert!(matches!(error, StartError::Tls { .. }), "{error:?}");
                let error = error.to_string().to_lowercase();
                assert!(error.contains("certificates") && error.contains("ssl_cert_file"), "{error}");
            }
        });
    }
    let empty = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "backend::otlp::tests::without_ca_certificates_plain_http_works_and_https_says_why_not",
        ])
        .env(CHILD, "1")
        .env("SSL_CERT_FILE", empty.path().join("none.pem"))
        .env("SSL_CERT_DIR", empty.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
