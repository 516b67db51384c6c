//! The way to OTLP: what is written, read by a decoder that is not ours, and what the budget says to it.

use super::*;
use crate::otlp::grow::CHUNK_BYTES;
use crate::traces::datadog::from_otlp::tests::everything;
use crate::traces::datadog::{Span, Trace};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

fn chunks(sender: &Sender<'_>, traces: &[Trace<'_>]) -> Vec<Chunk> {
    let budget = Budget::new(usize::MAX);
    let mut builder = Builder::new(sender, &budget);
    traces.iter().for_each(|trace| builder.trace(trace).unwrap());
    let chunks = builder.finish();
    let sizes = chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
    assert!(budget.held() >= sizes, "{} {sizes}", budget.held());
    chunks
}

fn shown(attributes: &[KeyValue]) -> String {
    let value = |value: &Option<AnyValue>| match value.as_ref().and_then(|any| any.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::DoubleValue(number)) => format!("{number:?}"),
        Some(Value::BytesValue(bytes)) => format!("{bytes:x?}"),
        Some(Value::IntValue(number)) => format!("int {number}"),
        Some(Value::BoolValue(value)) => format!("bool {value}"),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|pair| format!("{}={}\n", pair.key, value(&pair.value))).collect()
}

#[test]
fn a_span_that_has_everything() {
    let (sender, trace) = everything();
    let chunks = chunks(&sender, &[trace]);
    let read = ResourceSpans::decode(&*chunks[0].bytes).unwrap();
    insta::assert_snapshot!(shown(&read.resource.unwrap().attributes), @r#"
service.name=shop
deployment.environment.name=staging
service.version=2.0
service.instance.id=6ba7b810
host.name=web-1
container.id=c0ffee
process.runtime.version=9.0
telemetry.sdk.name=Datadog
telemetry.sdk.language=dotnet
telemetry.sdk.version=3.2.1
_dd.payload.tags._dd.apm_mode=edge
_dd.payload.env=prod
_dd.payload.app_version=1.0
"#);
    let scope = &read.scope_spans[0];
    assert_eq!(scope.scope.as_ref().map(|scope| (&*scope.name, &*scope.version)), Some(("Datadog", "3.2.1")));
    let span = &scope.spans[0];
    assert_eq!(span.trace_id, 0x6543_2100_0000_0000_0123_4567_89ab_cdef_u128.to_be_bytes());
    assert_eq!((&*span.span_id, &*span.parent_span_id), (&2_u64.to_be_bytes()[..], &1_u64.to_be_bytes()[..]));
    assert_eq!(
        (&*span.name, span.kind, span.flags, &*span.trace_state),
        ("web.request", 2, 1, "dd=s:2,vendor=x")
    );
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (1_700_000_000_000_000_000, 1_700_000_000_001_500_000)
    );
    let status = span.status.as_ref().unwrap();
    assert_eq!((status.code, &*status.message), (2, "no stock"));
    insta::assert_snapshot!(shown(&span.attributes), @r#"
dd.span.Resource=GET /orders
span.type=web
sampling.priority=int 2
_dd.chunk.origin=rum
_dd.chunk.dropped=bool true
_dd.chunk.tags._dd.hostname=web-1
_dd.p.tid=6543210000000000
_dd.p.dm=-4
_dd.origin=rum
env=staging
version=2.0
span.kind=server
error.message=no stock
error.type=OutOfStock
error.stack=at Shop.order
_dd.meta.dd.span.Resource=mine
_sampling_priority_v1=2.0
order.lines=3.0
_dd.metrics.env=0.5
_dd.meta_struct.appsec=[81, a1, 61, 1]
"#);
    assert_eq!(span.events.iter().map(|event| &*event.name).collect::<Vec<_>>(), ["packed", "exception"]);
    insta::assert_snapshot!(shown(&span.events[0].attributes), @r#"
box=small
gift=bool true
grams=int -1
share=0.25
lines=Some(ArrayValue(ArrayValue { values: [AnyValue { value: Some(IntValue(1)) }, AnyValue { value: Some(IntValue(2)) }] }))
"#);
    insta::assert_snapshot!(shown(&span.events[1].attributes), @r#"
exception.type=OutOfStock
exception.message=no stock
exception.stacktrace=at Shop.order
_dd.derived=bool true
"#);
    let link = &span.links[0];
    assert_eq!(link.trace_id, ((8_u128 << 64) | 7).to_be_bytes());
    assert_eq!((&*link.span_id, &*link.trace_state, link.flags), (&9_u64.to_be_bytes()[..], "a=b", 0));
    insta::assert_snapshot!(shown(&link.attributes), @r#"
reason=retry
_dd.flags=int 2147483648
"#);
}

fn of_service(service: String) -> Trace<'static> {
    let span = Span { service: service.into(), trace_id: 1, span_id: 1, ..Span::default() };
    Trace { spans: vec![span], ..Trace::default() }
}

#[test]
fn many_services_make_many_chunks_and_lose_nothing() {
    let services = 3 * OPEN_GROUPS;
    let traces: Vec<_> = (0..2 * services).map(|n| of_service(format!("s{}", n % services))).collect();
    let chunks = chunks(&Sender::default(), &traces);
    assert_eq!(chunks.iter().map(|chunk| chunk.items as usize).sum::<usize>(), 2 * services);
    let identities: std::collections::BTreeSet<_> = chunks.iter().map(|chunk| chunk.identity).collect();
    assert_eq!(identities.len(), services);
}

#[test]
fn a_chunk_stays_small() {
    let mut trace = of_service("shop".to_owned());
    trace.spans[0].resource = "x".repeat(100_000).into();
    let chunks = chunks(&Sender::default(), &vec![trace; 20]);
    assert!(chunks.len() > 1 && chunks.iter().all(|chunk| chunk.bytes.len() < CHUNK_BYTES + 101_000));
    assert_eq!(chunks.iter().map(|chunk| chunk.items).sum::<u32>(), 20);
}

#[test]
fn what_the_budget_has_no_room_for_is_never_written() {
    let text = "x".repeat(10_000);
    let meta = (0..1_000).map(|n| (n.to_string().into(), text.as_str().into())).collect();
    let span = Span { meta, ..Span::default() };
    let trace = Trace { spans: vec![span], ..Trace::default() };
    let sender = Sender::default();
    let budget = Budget::new(1 << 20);
    let mut builder = Builder::new(&sender, &budget);
    assert_eq!(builder.trace(&trace), Err(NoBudget));
    assert!(budget.held() < 1 << 10, "nothing was reserved");
    drop(builder);
    assert_eq!(budget.held(), 0);
}

#[test]
fn the_bound_of_a_span_is_never_passed() {
    let (_, mut trace) = everything();
    for events in ["", r#"[{"name":"","attributes":{"":-1,"a":[-1,-1,{"":{}}]}}]"#] {
        trace.spans[0].meta.push(("events".into(), events.into()));
        trace.spans[0].events.clear();
        let (known, shared) = (Known::read(&trace.spans[0]), Shared::read(&trace));
        let mut writer = Writer::new();
        span::write(&mut writer, &trace.spans[0], &known, &shared);
        assert!(writer.len() <= known.bound + shared.bound, "{} {}", writer.len(), known.bound);
        trace.spans[0].meta.pop();
    }
}

#[test]
fn kinds_come_from_the_tag_then_from_the_type() {
    let cases = [
        ("server", "db", "", 2),
        ("", "web", "", 2),
        ("", "http", "", 3),
        ("other", "sql", "", 3),
        ("", "queue", "kafka.consume", 5),
        ("", "queue", "kafka.produce", 4),
        ("", "queue", "kafka", 0),
        ("internal", "web", "", 1),
        ("", "", "", 0),
    ];
    for (tag, kind, name, expected) in cases {
        let meta = vec![("span.kind".into(), tag.into())];
        let span = Span { kind: kind.into(), name: name.into(), meta, ..Span::default() };
        let chunks = chunks(&Sender::default(), &[Trace { spans: vec![span], ..Trace::default() }]);
        let read = ResourceSpans::decode(&*chunks[0].bytes).unwrap();
        assert_eq!(read.scope_spans[0].spans[0].kind, expected, "{tag} {kind} {name}");
    }
}

#[test]
fn links_and_events_as_text_are_shown_as_what_they_are() {
    let events = r#"[{"name":"a","time_unix_nano":5,"attributes":{"n":1,"l":["x"]}}]"#;
    let links = r#"[{"trace_id":"000000000000000a000000000000000b","span_id":"000000000000000c",
                     "tracestate":"t=1","flags":2147483649,"attributes":{"k":"v"}},{"trace_id":"zz","span_id":""}]"#;
    let meta = vec![("events".into(), events.into()), ("_dd.span_links".into(), links.into())];
    let span = Span { meta, ..Span::default() };
    let chunks = chunks(&Sender::default(), &[Trace { spans: vec![span], ..Trace::default() }]);
    let read = ResourceSpans::decode(&*chunks[0].bytes).unwrap();
    let span = &read.scope_spans[0].spans[0];
    assert_eq!((&*span.events[0].name, span.events[0].time_unix_nano), ("a", 5));
    assert_eq!(shown(&span.events[0].attributes).lines().count(), 3);
    assert_eq!(span.links.len(), 1);
    assert_eq!(span.links[0].trace_id, ((10_u128 << 64) | 11).to_be_bytes());
    assert_eq!((span.links[0].flags, &*span.links[0].trace_state), (1, "t=1"));
}
