//! The Datadog backend: its payloads read by a decoder that is not ours, and what goes over the wire.

use super::*;
use crate::backend::tests::datadog as options;
use crate::otlp::Signal::Traces;
use crate::otlp::budget::Budget;
use crate::traces::datadog::to_otlp::Builder;
use crate::traces::datadog::{Event, Link, Sender, Span, Trace, Value};
use libdd_trace_protobuf::pb;
use prost::Message;
use std::borrow::Cow;

const NOW: i64 = 1_700_000_000_000_000_000;

fn backend(compression: Compression) -> Datadog {
    Datadog::new(&crate::config::Datadog { compression, ..options("http://127.0.0.1:1") }, "1.2.3").unwrap()
}

fn chunks(sender: &Sender<'_>, traces: &[Trace<'_>]) -> Vec<Chunk> {
    let budget = Budget::new(usize::MAX);
    let mut builder = Builder::new(sender, &budget);
    traces.iter().for_each(|trace| builder.trace(trace).unwrap());
    builder.finish()
}

fn span(id: u64) -> Span<'static> {
    Span {
        service: "shop".into(),
        name: "web.request".into(),
        resource: "GET /".into(),
        trace_id: 1,
        span_id: id,
        start: NOW,
        duration: 5,
        ..Span::default()
    }
}

fn of(spans: Vec<Span<'static>>) -> Trace<'static> {
    Trace { spans, ..Trace::default() }
}

fn sent(sender: &Sender<'_>, traces: &[Trace<'_>]) -> pb::AgentPayload {
    let chunks = chunks(sender, traces);
    let encoded = backend(Compression::None).encode(Part::Otlp { signal: Traces, chunks: &chunks }).unwrap();
    assert_eq!(encoded.unsupported, 0);
    pb::AgentPayload::decode(encoded.body.unwrap()).unwrap()
}

#[test]
fn a_span_that_has_everything() {
    let text = |key: &'static str, value: &'static str| (Cow::from(key), Cow::from(value));
    let sender = Sender {
        container_id: "c0ffee".into(),
        language: "python".into(),
        language_version: "3.14".into(),
        tracer_version: "4.0".into(),
        runtime_id: "6ba7".into(),
        env: "prod".into(),
        hostname: "web-1".into(),
        app_version: "2.0".into(),
        tags: vec![text("_dd.tags.process", "a:b")],
    };
    let full = Span {
        kind: "web".into(),
        trace_id_high: 0xff,
        parent_id: 3,
        error: 1,
        meta: vec![text("http.method", "GET")],
        metrics: vec![("_dd.measured".into(), 1.0)],
        meta_struct: vec![("appsec".into(), Cow::Borrowed(b"\x80".as_slice()))],
        links: vec![Link {
            trace_id: 7,
            trace_id_high: 8,
            span_id: 9,
            attributes: vec![text("k", "v")],
            tracestate: "a=b".into(),
            flags: 0x8000_0001,
        }],
        events: vec![Event {
            time_ns: 5,
            name: "packed".into(),
            attributes: vec![
                ("text".into(), Value::Text("x".into())),
                ("bool".into(), Value::Bool(true)),
                ("int".into(), Value::Int(-1)),
                ("double".into(), Value::Double(0.5)),
                ("list".into(), Value::List(vec![Value::Text("y".into()), Value::Int(2)])),
            ],
        }],
        ..span(2)
    };
    let trace = Trace {
        priority: Some(-1),
        origin: "rum".into(),
        tags: vec![text("_dd.p.dm", "-4")],
        dropped: true,
        spans: vec![full],
    };
    let payload = sent(&sender, &[trace]);
    assert_eq!((&*payload.host_name, &*payload.env, &*payload.agent_version), ("web-9", "none", "1.2.3"));
    let tracer = &payload.tracer_payloads[0];
    assert_eq!(
        [&*tracer.container_id, &*tracer.language_name, &*tracer.language_version, &*tracer.tracer_version],
        ["c0ffee", "python", "3.14", "4.0"]
    );
    assert_eq!(
        [&*tracer.runtime_id, &*tracer.env, &*tracer.hostname, &*tracer.app_version],
        ["6ba7", "prod", "web-1", "2.0"]
    );
    assert_eq!(tracer.tags["_dd.tags.process"], "a:b");
    let chunk = &tracer.chunks[0];
    assert_eq!((chunk.priority, &*chunk.origin, chunk.dropped_trace), (-1, "rum", true));
    assert_eq!(chunk.tags["_dd.p.dm"], "-4");
    let read = &chunk.spans[0];
    assert_eq!(
        [&*read.service, &*read.name, &*read.resource, &*read.r#type],
        ["shop", "web.request", "GET /", "web"]
    );
    assert_eq!((read.trace_id, read.span_id, read.parent_id), (1, 2, 3));
    assert_eq!((read.start, read.duration, read.error), (NOW, 5, 1));
    assert_eq!((&*read.meta["http.method"], &*read.meta["_dd.p.tid"]), ("GET", "00000000000000ff"));
    assert_eq!((read.metrics["_dd.measured"], &*read.meta_struct["appsec"]), (1.0, &b"\x80"[..]));
    let link = &read.span_links[0];
    assert_eq!((link.trace_id, link.trace_id_high, link.span_id, link.flags), (7, 8, 9, 0x8000_0001));
    assert_eq!((&*link.tracestate, &*link.attributes["k"]), ("a=b", "v"));
    let event = &read.span_events[0];
    assert_eq!((event.time_unix_nano, &*event.name, event.attributes.len()), (5, "packed", 5));
    assert_eq!((event.attributes["text"].r#type, &*event.attributes["text"].string_value), (0, "x"));
    assert_eq!((event.attributes["bool"].r#type, event.attributes["bool"].bool_value), (1, true));
    assert_eq!((event.attributes["int"].r#type, event.attributes["int"].int_value), (2, -1));
    assert_eq!((event.attributes["double"].r#type, event.attributes["double"].double_value), (3, 0.5));
    let list = event.attributes["list"].array_value.as_ref().unwrap();
    assert_eq!((event.attributes["list"].r#type, &*list.values[0].string_value), (4, "y"));
    assert_eq!((list.values[1].r#type, list.values[1].int_value), (2, 2));
}

#[test]
fn what_older_tracers_say_in_tags_stands_in_its_fields() {
    let tagged = Span {
        meta: [("env", "dev"), ("version", "3"), ("runtime-id", "77"), ("_dd.origin", "lambda")]
            .map(|(key, value)| (key.into(), value.into()))
            .to_vec(),
        metrics: vec![("_sampling_priority_v1".into(), 2.0)],
        ..span(2)
    };
    let payload = sent(&Sender::default(), &[of(vec![tagged]), of(vec![Span { trace_id: 2, ..span(3) }])]);
    let tracer = &payload.tracer_payloads[0];
    assert_eq!(
        [&*tracer.env, &*tracer.app_version, &*tracer.runtime_id, &*tracer.hostname],
        ["dev", "3", "77", "web-9"]
    );
    let said: Vec<_> = tracer.chunks.iter().map(|chunk| (chunk.priority, &*chunk.origin)).collect();
    assert_eq!(said, [(2, "lambda"), (-128, "")]);
}

#[test]
fn spans_are_repaired_and_hopeless_traces_counted() {
    let odd = Span { service: "".into(), name: "a b".into(), resource: "".into(), ..span(2) };
    let lost = of(vec![span(0), span(0)]);
    let chunks =
        chunks(&Sender { language: "go".into(), ..Sender::default() }, &[of(vec![odd]), lost.clone()]);
    let mut backend = backend(Compression::None);
    let encoded = backend.encode(Part::Otlp { signal: Traces, chunks: &chunks }).unwrap();
    assert_eq!(encoded.unsupported, 3, "one trace: the ids are the same");
    let chunks = self::chunks(&Sender::default(), &[Trace { origin: "x".into(), ..lost }]);
    let encoded = backend.encode(Part::Otlp { signal: Traces, chunks: &chunks }).unwrap();
    assert_eq!(encoded, Encoded { body: None, unsupported: 2 });
    let half = of(vec![Span { trace_id: 0, trace_id_high: 5, ..span(2) }]);
    let chunks = self::chunks(&Sender::default(), &[half]);
    let encoded = backend.encode(Part::Otlp { signal: Traces, chunks: &chunks }).unwrap();
    assert_eq!(encoded, Encoded { body: None, unsupported: 1 }, "its payload has the lower half alone");
}

#[test]
fn compression_is_undone_to_the_same() {
    let chunks = chunks(&Sender::default(), &[of(vec![span(1)])]);
    let encode = |compression| {
        backend(compression).encode(Part::Otlp { signal: Traces, chunks: &chunks }).unwrap().body.unwrap()
    };
    let plain = encode(Compression::None);
    assert_eq!(zstd::bulk::decompress(&encode(Compression::Zstd), 1 << 20).unwrap(), plain);
    assert_eq!(encode(Compression::Gzip)[..2], [0x1f, 0x8b]);
}

#[test]
fn beyond_the_limit_a_smaller_part_is_asked_for() {
    let large = |id| Span {
        meta: (0..200).map(|n| (format!("{n}").into(), "x".repeat(10_000).into())).collect(),
        ..span(id)
    };
    let chunks = chunks(&Sender::default(), &[of(vec![large(1)]), of(vec![large(2)])]);
    let mut backend = backend(Compression::None);
    assert_eq!(backend.encode(Part::Otlp { signal: Traces, chunks: &chunks }), Err(TooLarge));
    assert!(backend.encode(Part::Otlp { signal: Traces, chunks: &chunks[..1] }).is_ok());
}

#[test]
fn statistics_stand_in_the_envelope_as_they_came() {
    let agent = Agent { hostname: "h".repeat(40), env: "none".into(), version: "1.2.3" };
    let body = stats::body(&agent, b"\x81\xa7Service\xa4shop");
    let mut expected = b"\x86\xadAgentHostname\xda\x00\x28".to_vec();
    expected.extend_from_slice("h".repeat(40).as_bytes());
    expected.extend_from_slice(b"\xa8AgentEnv\xa4none\xacAgentVersion\xa51.2.3\xaeClientComputed\xc3");
    expected.extend_from_slice(b"\xacSplitPayload\xc2\xa5Stats\x91\x81\xa7Service\xa4shop");
    assert_eq!(body, expected);
}

#[test]
fn languages_are_told_once_known_and_never_too_many() {
    let mut backend = backend(Compression::None);
    for language in ["python", "go", "", "go", "bad\nname"] {
        backend.report(language);
    }
    assert_eq!(backend.languages.iter().collect::<Vec<_>>(), ["go", "python"]);
    (0..2 * LANGUAGES).for_each(|n| backend.report(&n.to_string()));
    assert_eq!(backend.languages.len(), LANGUAGES);
}

#[test]
fn the_address_follows_from_the_site_or_is_given() {
    let defaults = crate::config::Datadog::default();
    assert_eq!(endpoint(&defaults), "https://trace.agent.datadoghq.com");
    assert_eq!(endpoint(&options("http://127.0.0.1:8080/")), "http://127.0.0.1:8080");
}
