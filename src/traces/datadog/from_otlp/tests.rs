//! The way from OTLP, and there and back.

mod foreign;
mod round_trip;

use super::*;
use crate::otlp::budget::Budget;
use crate::otlp::chunk::Chunk;
use crate::traces::datadog::to_otlp::Builder;

/// What a request becomes.
fn chunks(sender: &Sender<'_>, traces: &[Trace<'_>]) -> Vec<Chunk> {
    let budget = Budget::new(usize::MAX);
    let mut builder = Builder::new(sender, &budget);
    for trace in traces {
        builder.trace(trace).unwrap();
    }
    builder.finish()
}

fn read(chunks: &[Chunk]) -> Vec<Payload<'_>> {
    payloads(chunks.iter().map(|chunk| &*chunk.bytes))
}

/// A request with everything that the protocol carries.
pub(in crate::traces::datadog) fn everything() -> (Sender<'static>, Trace<'static>) {
    let sender = Sender {
        container_id: "c0ffee".into(),
        language: ".NET".into(),
        language_version: "9.0".into(),
        tracer_version: "3.2.1".into(),
        runtime_id: "6ba7b810".into(),
        env: "prod".into(),
        hostname: "web-1".into(),
        app_version: "1.0".into(),
        tags: vec![("_dd.apm_mode".into(), "edge".into())],
    };
    let text = |key: &'static str, value: &'static str| (key.into(), value.into());
    let span = Span {
        service: "shop".into(),
        name: "web.request".into(),
        resource: "GET /orders".into(),
        kind: "web".into(),
        trace_id: 0x0123_4567_89ab_cdef,
        trace_id_high: 0x6543_2100_0000_0000,
        span_id: 2,
        parent_id: 1,
        start: 1_700_000_000_000_000_000,
        duration: 1_500_000,
        error: 1,
        meta: vec![
            text("_dd.p.tid", "6543210000000000"),
            text("_dd.p.dm", "-4"),
            text("_dd.origin", "rum"),
            text("env", "staging"),
            text("version", "2.0"),
            text("span.kind", "server"),
            text("error.message", "no stock"),
            text("error.type", "OutOfStock"),
            text("error.stack", "at Shop.order"),
            text("dd.span.Resource", "mine"),
            text("w3c.tracestate", "dd=s:2,vendor=x"),
        ],
        metrics: vec![
            ("_sampling_priority_v1".into(), 2.0),
            ("order.lines".into(), 3.0),
            ("env".into(), 0.5),
        ],
        meta_struct: vec![("appsec".into(), Cow::Borrowed(b"\x81\xa1a\x01".as_slice()))],
        links: vec![Link {
            trace_id: 7,
            trace_id_high: 8,
            span_id: 9,
            attributes: vec![text("reason", "retry")],
            tracestate: "a=b".into(),
            flags: FLAGS_SET,
        }],
        events: vec![Event {
            time_ns: 1_700_000_000_000_000_005,
            name: "packed".into(),
            attributes: vec![
                ("box".into(), Value::Text("small".into())),
                ("gift".into(), Value::Bool(true)),
                ("grams".into(), Value::Int(-1)),
                ("share".into(), Value::Double(0.25)),
                ("lines".into(), Value::List(vec![Value::Int(1), Value::Int(2)])),
            ],
        }],
    };
    let trace = Trace {
        priority: Some(2),
        origin: "rum".into(),
        tags: vec![text("_dd.hostname", "web-1")],
        dropped: true,
        spans: vec![span],
    };
    (sender, trace)
}

#[test]
fn a_span_that_has_everything_comes_back() {
    let (sender, trace) = everything();
    let chunks = chunks(&sender, std::slice::from_ref(&trace));
    let mut read = read(&chunks);
    let tracestate = read[0].traces[0].spans[0].meta.pop();
    assert_eq!(tracestate, trace.spans[0].meta.last().cloned());
    let mut expected = trace;
    expected.spans[0].meta.pop();
    assert_eq!(read, [Payload { sender, traces: vec![expected] }]);
}

#[test]
fn spans_of_a_trace_meet_again_across_services() {
    let span = |service: &'static str, id: u64, meta: Vec<(Cow<'static, str>, Cow<'static, str>)>| Span {
        service: service.into(),
        trace_id: 5,
        span_id: id,
        meta,
        ..Span::default()
    };
    let tid = vec![("_dd.p.tid".into(), "00000000000000ff".into())];
    let spans = vec![span("a", 1, tid.clone()), span("b", 2, vec![]), span("a", 3, vec![])];
    let trace = Trace { spans, ..Trace::default() };
    let chunks = chunks(&Sender::default(), &[trace]);
    assert_eq!(chunks.iter().map(|chunk| chunk.items).collect::<Vec<_>>(), [2, 1]);
    let read = read(&chunks);
    assert_eq!((read.len(), read[0].traces.len()), (1, 1));
    let spans = &read[0].traces[0].spans;
    assert_eq!(spans.iter().map(|span| span.span_id).collect::<Vec<_>>(), [1, 3, 2]);
    assert!(spans.iter().all(|span| span.trace_id_high == 0xff));
    assert_eq!((&spans[0].meta, &spans[1].meta), (&tid, &vec![]));
}
