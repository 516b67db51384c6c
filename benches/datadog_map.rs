//! What it costs to turn Datadog's spans into OTLP and back: time per thousand spans.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pillion::otlp::Budget;
use pillion::traces::datadog::from_otlp;
use pillion::traces::datadog::to_otlp::Builder;
use pillion::traces::datadog::{Sender, Span, Trace};
use std::hint::black_box;

/// A hundred traces of ten spans, in two services, with tags as tracers set them.
fn traces() -> Vec<Trace<'static>> {
    (1..=100)
        .map(|trace| {
            let spans = (1..=10).map(|id| span(trace, id)).collect();
            Trace { spans, ..Trace::default() }
        })
        .collect()
}

fn span(trace_id: u64, id: u64) -> Span<'static> {
    let mut meta: Vec<_> = [
        ("component", "express"),
        ("span.kind", if id == 1 { "server" } else { "client" }),
        ("http.method", "GET"),
        ("http.url", "http://shop.example/orders/17?page=2"),
        ("http.status_code", "200"),
        ("http.useragent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("language", "javascript"),
        ("env", "prod"),
        ("version", "2.4.1"),
        ("order.id", "a7f3e2d1-17"),
    ]
    .map(|(key, value)| (key.into(), value.into()))
    .to_vec();
    if id == 1 {
        meta.push(("_dd.p.tid".into(), "6543210000000000".into()));
        meta.push(("runtime-id".into(), "6ba7b810-9dad-11d1-80b4-00c04fd430c8".into()));
    }
    Span {
        service: if id.is_multiple_of(2) { "shop" } else { "shop-postgres" }.into(),
        name: "web.request".into(),
        resource: "GET /orders/:id".into(),
        kind: "web".into(),
        trace_id,
        span_id: trace_id << 8 | id,
        parent_id: if id == 1 { 0 } else { trace_id << 8 | 1 },
        start: 1_700_000_000_000_000_000,
        duration: 1_500_000,
        meta,
        metrics: [("_sampling_priority_v1", 1.0), ("process_id", 4711.0), ("_dd.top_level", 1.0)]
            .map(|(key, value)| (key.into(), value))
            .to_vec(),
        ..Span::default()
    }
}

fn mapping(criterion: &mut Criterion) {
    let traces = traces();
    let sender = Sender { language: "nodejs".into(), tracer_version: "5.0.0".into(), ..Sender::default() };
    let budget = Budget::new(usize::MAX);
    let chunks = || {
        let mut builder = Builder::new(&sender, &budget);
        for trace in &traces {
            // The budget has no end.
            let _ = builder.trace(trace);
        }
        builder.finish()
    };
    let mut group = criterion.benchmark_group("datadog_map");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("to_otlp", |bencher| bencher.iter(|| black_box(chunks())));
    let chunks = chunks();
    group.bench_function("from_otlp", |bencher| {
        bencher.iter(|| black_box(from_otlp::payloads(chunks.iter().map(|chunk| &*chunk.bytes))).len());
    });
    group.finish();
}

criterion_group!(benches, mapping);
criterion_main!(benches);
