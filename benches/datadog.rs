//! What a span of a Datadog tracer costs on its way in: decoding alone, and all of it up to OTLP.
//!
//! For comparison on one machine in one run only. `cargo bench --bench datadog`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pillion::otlp::Budget;
use pillion::traces::datadog::decode::{Each, Refused, Room, json, v1, v04, v05, v07};
use pillion::traces::datadog::normalize::{self, Counts};
use pillion::traces::datadog::to_otlp::Builder;
use pillion::traces::datadog::{Sender, Trace};
use rmp::encode as mp;
use std::hint::black_box;

const NOW_NS: u64 = 1_800_000_000_000_000_000;
const TRACES: u64 = 100;
const SPANS: u64 = 10;
const META: [(&str, &str); 8] = [
    ("env", "production"),
    ("version", "1.4.2"),
    ("http.method", "GET"),
    ("http.status_code", "200"),
    ("http.url", "https://shop.example/orders/1234"),
    ("component", "net/http"),
    ("span.kind", "server"),
    ("_dd.p.tid", "640cfd8d00000000"),
];
const METRICS: [(&str, f64); 3] =
    [("_sampling_priority_v1", 1.0), ("process_id", 4711.0), ("_dd.top_level", 1.0)];

/// A body under construction.
struct Body(Vec<u8>);

impl Body {
    fn text(&mut self, text: &str) {
        mp::write_str(&mut self.0, text).expect("a vector takes all");
    }

    fn uint(&mut self, number: u64) {
        mp::write_uint(&mut self.0, number).expect("a vector takes all");
    }

    fn float(&mut self, number: f64) {
        mp::write_f64(&mut self.0, number).expect("a vector takes all");
    }

    fn array(&mut self, length: usize) {
        mp::write_array_len(&mut self.0, length as u32).expect("a vector takes all");
    }

    fn map(&mut self, length: usize) {
        mp::write_map_len(&mut self.0, length as u32).expect("a vector takes all");
    }
}

fn span(body: &mut Body, trace: u64, number: u64) {
    body.map(11);
    for (key, value) in
        [("service", "checkout"), ("name", "web.request"), ("resource", "GET /orders/:id"), ("type", "web")]
    {
        body.text(key);
        body.text(value);
    }
    for (key, value) in [
        ("trace_id", (trace + 1) << 40),
        ("span_id", (number + 1) << 30),
        ("parent_id", number << 30),
        ("start", 1_700_000_000_000_000_000 + number),
        ("duration", 1_500_000),
    ] {
        body.text(key);
        body.uint(value);
    }
    body.text("meta");
    body.map(META.len());
    for (key, value) in META {
        body.text(key);
        body.text(value);
    }
    body.text("metrics");
    body.map(METRICS.len());
    for (key, value) in METRICS {
        body.text(key);
        body.float(value);
    }
}

fn spans(body: &mut Body, trace: u64) {
    body.array(SPANS as usize);
    for number in 0..SPANS {
        span(body, trace, number);
    }
}

fn body_v04() -> Vec<u8> {
    let mut body = Body(Vec::new());
    body.array(TRACES as usize);
    for trace in 0..TRACES {
        spans(&mut body, trace);
    }
    body.0
}

fn body_v07() -> Vec<u8> {
    let mut body = Body(Vec::new());
    body.map(2);
    body.text("language_name");
    body.text("go");
    body.text("chunks");
    body.array(TRACES as usize);
    for trace in 0..TRACES {
        body.map(1);
        body.text("spans");
        spans(&mut body, trace);
    }
    body.0
}

fn body_v05() -> Vec<u8> {
    let mut body = Body(Vec::new());
    body.array(2);
    body.array(4 + 2 * META.len() + METRICS.len());
    for word in ["checkout", "web.request", "GET /orders/:id", "web"] {
        body.text(word);
    }
    for (key, value) in META {
        body.text(key);
        body.text(value);
    }
    for (key, _) in METRICS {
        body.text(key);
    }
    body.array(TRACES as usize);
    for trace in 0..TRACES {
        body.array(SPANS as usize);
        for number in 0..SPANS {
            body.array(12);
            let numbers = [
                0,
                1,
                2,
                (trace + 1) << 40,
                (number + 1) << 30,
                number << 30,
                1_700_000_000_000_000_000,
                1_500_000,
                0,
            ];
            for number in numbers {
                body.uint(number);
            }
            body.map(META.len());
            for word in 4..4 + 2 * META.len() as u64 {
                body.uint(word);
            }
            body.map(METRICS.len());
            for (word, (_, value)) in (20..).zip(METRICS) {
                body.uint(word);
                body.float(value);
            }
            body.uint(3);
        }
    }
    body.0
}

fn body_v1() -> Vec<u8> {
    let mut body = Body(Vec::new());
    body.map(2);
    body.uint(1);
    body.array(4 + 2 * META.len() + METRICS.len());
    for word in ["checkout", "web.request", "GET /orders/:id", "web"] {
        body.text(word);
    }
    for (key, value) in META {
        body.text(key);
        body.text(value);
    }
    for (key, _) in METRICS {
        body.text(key);
    }
    body.uint(11);
    body.array(TRACES as usize);
    for trace in 0..TRACES {
        body.map(2);
        body.uint(6);
        mp::write_bin(&mut body.0, &u128::from(trace + 1).to_be_bytes()).expect("a vector takes all");
        body.uint(4);
        body.array(SPANS as usize);
        for number in 0..SPANS {
            body.map(9);
            let fields = [1, 1, 2, 2, 3, 3, 4, (number + 1) << 30, 5, number << 30];
            for field in fields.into_iter().chain([6, 1_700_000_000_000_000_000, 7, 1_500_000, 10, 4, 9]) {
                body.uint(field);
            }
            body.array(3 * (META.len() + METRICS.len()));
            for word in (5..5 + 2 * META.len() as u64).step_by(2) {
                for number in [word, 1, word + 1] {
                    body.uint(number);
                }
            }
            for (word, (_, value)) in (21..).zip(METRICS) {
                body.uint(word);
                body.uint(3);
                body.float(value);
            }
        }
    }
    body.0
}

fn body_json() -> Vec<u8> {
    let meta: serde_json::Map<_, _> =
        META.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let metrics: serde_json::Map<_, _> =
        METRICS.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let span = |trace: u64, number: u64| {
        serde_json::json!({
            "service": "checkout", "name": "web.request", "resource": "GET /orders/:id", "type": "web",
            "trace_id": (trace + 1) << 40, "span_id": (number + 1) << 30, "parent_id": number << 30,
            "start": 1_700_000_000_000_000_000_u64, "duration": 1_500_000, "meta": meta, "metrics": metrics,
        })
    };
    let traces: Vec<Vec<_>> =
        (0..TRACES).map(|trace| (0..SPANS).map(|number| span(trace, number)).collect()).collect();
    serde_json::to_vec(&traces).expect("values have a JSON form")
}

type Decode = fn(&[u8], &mut Room<'_>, &mut Each<'_>) -> Result<(), Refused>;

fn read_v07(body: &[u8], room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Refused> {
    v07::Payload::read(body, room)?.traces(room, each)
}

fn read_v1(body: &[u8], room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Refused> {
    let body = v1::repaired(body, room)?;
    v1::Payload::read(&body, room)?.traces(room, each)
}

fn datadog(criterion: &mut Criterion) {
    let budget = Budget::new(64 << 20);
    let sender = Sender::default();
    let mut group = criterion.benchmark_group("datadog");
    group.throughput(Throughput::Elements(TRACES * SPANS));
    for (name, body, decode) in [
        ("v0.4", body_v04(), v04::traces as Decode),
        ("v0.5", body_v05(), v05::traces),
        ("v0.7", body_v07(), read_v07),
        ("v1.0", body_v1(), read_v1),
        ("json", body_json(), json::traces),
    ] {
        group.bench_function(format!("decode {name}"), |bencher| {
            bencher.iter(|| {
                let mut spans = 0;
                let mut each = |trace: &mut Trace<'_>| {
                    spans += black_box(trace).spans.len();
                    Ok(())
                };
                decode(&body, &mut Room::new(&budget), &mut each).expect("the body is sound");
                assert_eq!(spans as u64, TRACES * SPANS);
            });
        });
        group.bench_function(format!("decode, repair and write {name}"), |bencher| {
            bencher.iter(|| {
                let mut builder = Builder::new(&sender, &budget);
                let mut counts = Counts::default();
                let mut each = |trace: &mut Trace<'_>| {
                    normalize::trace(trace, "go", NOW_NS, &mut counts).expect("the trace is sound");
                    builder.trace(trace).expect("the budget is large");
                    Ok(())
                };
                decode(&body, &mut Room::new(&budget), &mut each).expect("the body is sound");
                builder.finish()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, datadog);
criterion_main!(benches);
