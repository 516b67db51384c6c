//! What the hot path of spans costs: the one check of an OTLP request, and the body that is made of it.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pillion::otlp::protobuf::Writer;
use pillion::otlp::{Signal, walk, write};
use std::hint::black_box;

const SPANS: u64 = 100;

/// 100 spans of one service as a web server's tracer sends them, in about 40 KB.
fn request() -> Bytes {
    let mut out = Writer::new();
    let resource_spans = out.begin(1, 40_000);
    write::resource(&mut out, |out| {
        for (key, value) in
            [("service.name", "checkout"), ("host.name", "web-1"), ("telemetry.sdk.language", "go")]
        {
            write::text(out, write::RESOURCE_ATTRIBUTES, key, value);
        }
    });
    let scope = write::begin_scope(&mut out, "net/http", "1.2.3", |_| {});
    for n in 0..SPANS {
        let span_id = n.to_le_bytes();
        let span = write::begin_span(
            &mut out,
            &write::SpanHead {
                trace_id: &[7; 16],
                span_id: &span_id,
                parent_span_id: &[1; 8],
                name: "GET /api/users/{id}",
                kind: 2,
                start_ns: 1_700_000_000_000_000_000,
                end_ns: 1_700_000_000_001_000_000,
                ..Default::default()
            },
        );
        for (key, value) in [
            ("http.request.method", "GET"),
            ("http.route", "/api/users/{id}"),
            ("url.path", "/api/users/12345"),
            ("server.address", "api.shop.example"),
            ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
            ("peer.service", "users"),
        ] {
            write::text(&mut out, write::SPAN_ATTRIBUTES, key, value);
        }
        write::integer(&mut out, write::SPAN_ATTRIBUTES, "http.response.status_code", 200);
        write::boolean(&mut out, write::SPAN_ATTRIBUTES, "retried", false);
        if n % 10 == 0 {
            let event = write::begin_event(&mut out, 1_700_000_000_000_500_000, "exception");
            write::text(&mut out, write::EVENT_ATTRIBUTES, "exception.type", "TimeoutError");
            out.end(event);
            write::status(&mut out, 2, "timed out");
        }
        out.end(span);
    }
    out.end(scope);
    out.end(resource_spans);
    out.into_inner().into()
}

fn walks(c: &mut Criterion) {
    let request = request();
    let mut group = c.benchmark_group("traces");
    group.throughput(Throughput::Elements(SPANS));
    group.bench_function("walk", |b| b.iter(|| walk::request(Signal::Traces, black_box(&request))));
    group.finish();
}

criterion_group!(benches, walks);
criterion_main!(benches);
