//! What it costs to read spans from OTLP JSON and to write them as such, per span: time, and bytes per second.
//!
//! A request of 100 spans, each with ids, times, eight attributes, an event and a status, as an SDK sends
//! them. For comparison only.
//!
//! `cargo bench --bench traces_json`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pillion::otlp::json::{read_request, write_resource};
use pillion::otlp::{Budget, Signal};
use std::hint::black_box;

const SPANS: u64 = 100;

fn request() -> String {
    let spans: Vec<String> = (0..SPANS).map(span).collect();
    let text = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    let resource = [
        text("service.name", "checkout"),
        text("service.version", "1.4.2"),
        text("telemetry.sdk.language", "nodejs"),
    ];
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{}]}},"scopeSpans":[{{"scope":{{"name":"http"}},"spans":[{}]}}]}}]}}"#,
        resource.join(","),
        spans.join(",")
    )
}

fn span(number: u64) -> String {
    let attributes: Vec<String> = (0..8)
        .map(|at| match at % 4 {
            0 => format!(r#"{{"key":"http.status.{at}","value":{{"intValue":"{}"}}}}"#, 200 + number),
            1 => format!(r#"{{"key":"ratio.{at}","value":{{"doubleValue":{number}.25}}}}"#),
            2 => format!(r#"{{"key":"cached.{at}","value":{{"boolValue":true}}}}"#),
            _ => format!(
                r#"{{"key":"url.path.{at}","value":{{"stringValue":"/orders/{number}/items?page=\"{at}\""}}}}"#
            ),
        })
        .collect();
    format!(
        r#"{{"traceId":"5b8efff798038103d269b633813f{number:04x}","spanId":"eee19b7ec3c1{number:04x}","parentSpanId":"eee19b7ec3c1b173","name":"GET /orders/:id","kind":2,"startTimeUnixNano":"15447126600000{number:05}","endTimeUnixNano":"15447126610000{number:05}","attributes":[{}],"events":[{{"timeUnixNano":"15447126605000{number:05}","name":"retry"}}],"status":{{"code":0}}}}"#,
        attributes.join(",")
    )
}

fn both(c: &mut Criterion) {
    let body = request();
    let budget = Budget::new(64 << 20);
    let read = |body: &str| read_request(Signal::Traces, black_box(body.as_bytes()), &budget);
    let chunks = read(&body).map(|taken| taken.chunks).unwrap_or_default();
    assert_eq!(chunks.iter().map(|chunk| u64::from(chunk.items)).sum::<u64>(), SPANS);
    for (unit, throughput) in
        [("spans", Throughput::Elements(SPANS)), ("bytes", Throughput::Bytes(body.len() as u64))]
    {
        let mut group = c.benchmark_group(format!("OTLP JSON, {unit}"));
        group.throughput(throughput);
        group.bench_function("read", |bencher| {
            bencher.iter(|| read(&body).map(|taken| taken.chunks.len()));
        });
        // The last one: the whole is read twice.
        let faulty = body.replacen("]}]}]}", ",{\"name\":7}]}]}]}", 1);
        assert!(read(&faulty).is_ok_and(|taken| taken.rejected.is_some()));
        group.bench_function("read with a faulty one", |bencher| {
            bencher.iter(|| read(&faulty).map(|taken| taken.chunks.len()));
        });
        group.bench_function("write", |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                chunks
                    .iter()
                    .for_each(|chunk| write_resource(Signal::Traces, black_box(&chunk.bytes), &mut out));
                out.len()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, both);
criterion_main!(benches);
