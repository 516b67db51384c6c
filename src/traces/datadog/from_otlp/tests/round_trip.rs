//! Any request of a Datadog tracer becomes itself again.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Pairs<V> = Vec<(Cow<'static, str>, V)>;

/// Names that the mapping knows, and any others.
fn key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "env",
        "version",
        "runtime-id",
        "service.name",
        "span.kind",
        "error.message",
        "error.type",
        "error.stack",
        "events",
        "_dd.span_links",
        names::RESOURCE,
        names::TYPE,
        names::PRIORITY,
        names::PRIORITY_METRIC,
        names::TRACESTATE,
        names::ERROR,
        names::CHUNK_ORIGIN,
        names::DERIVED,
        "_dd.meta.a",
        "_dd.metrics._dd.metrics.a",
        "_dd.meta_struct.a",
        "_dd.chunk.tags.a",
        "",
    ]);
    prop_oneof![known.prop_map(str::to_owned), "[a-c]{1,2}", "\\PC{1,4}"]
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![
        Just("server".to_owned()),
        Just(
            r#"[{"name":"exception","time_unix_nano":5,"attributes":{"a":[1,-1],"b":{"c":null}}}]"#
                .to_owned()
        ),
        Just(
            r#"[{"trace_id":"000000000000000a000000000000000b","span_id":"000000000000000c","flags":1}]"#
                .to_owned()
        ),
        "[a-z]{0,3}",
        "\\PC{0,20}",
    ]
    .prop_map(Cow::Owned)
}

/// Pairs with keys of their own.
fn pairs<V: std::fmt::Debug>(value: impl Strategy<Value = V>) -> impl Strategy<Value = Pairs<V>> {
    vec((key(), value), 0..6).prop_map(|pairs| {
        let unique: BTreeMap<String, V> = pairs.into_iter().collect();
        unique.into_iter().map(|(key, value)| (key.into(), value)).collect()
    })
}

fn value() -> impl Strategy<Value = Value<'static>> {
    let plain = prop_oneof![
        text().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e9..1e9).prop_map(Value::Double),
    ];
    prop_oneof![3 => plain.clone(), 1 => vec(plain, 0..3).prop_map(Value::List)]
}

fn link() -> impl Strategy<Value = Link<'static>> {
    let flags = prop_oneof![Just(0), Just(FLAGS_SET), Just(FLAGS_SET | 1), any::<u32>()];
    (any::<[u64; 3]>(), pairs(text()), text(), flags).prop_map(|(ids, attributes, tracestate, flags)| Link {
        trace_id: ids[0],
        trace_id_high: ids[1],
        span_id: ids[2],
        attributes,
        tracestate,
        flags,
    })
}

fn event() -> impl Strategy<Value = Event<'static>> {
    (any::<u64>(), text(), pairs(value())).prop_map(|(time_ns, name, mut attributes)| {
        // The mark, which only the mapping writes.
        attributes.retain(|(key, _)| key != names::DERIVED);
        Event { time_ns, name, attributes }
    })
}

fn span() -> impl Strategy<Value = Span<'static>> {
    let words = (prop::sample::select(vec!["", "a", "b"]), text(), text(), text());
    let numbers = (any::<u64>(), 0..i64::MAX, 0..i64::MAX, prop_oneof![0..2, any::<i32>()]);
    let tags = (pairs(text()), pairs(-1e9..1e9), pairs(vec(any::<u8>(), 0..5)));
    (words, numbers, tags, vec(link(), 0..2), vec(event(), 0..2)).prop_map(
        |((service, name, resource, kind), (parent_id, start, duration, error), tags, links, events)| Span {
            service: service.into(),
            name,
            resource,
            kind,
            parent_id,
            start,
            duration,
            error,
            meta: tags.0,
            metrics: tags.1,
            meta_struct: tags.2.into_iter().map(|(key, bytes)| (key, bytes.into())).collect(),
            links,
            events,
            ..Span::default()
        },
    )
}

/// How the upper half of the trace id is told.
#[derive(Clone, Copy, Debug)]
enum High {
    None,
    Tag(u64),
    Field(u64),
}

fn trace() -> impl Strategy<Value = Trace<'static>> {
    let high =
        prop_oneof![Just(High::None), (1..u64::MAX).prop_map(High::Tag), (1..u64::MAX).prop_map(High::Field)];
    let chunk = (prop::option::of(any::<i32>()), text(), pairs(text()), any::<bool>());
    (chunk, high, vec(span(), 1..4)).prop_map(|((priority, origin, tags, dropped), high, mut spans)| {
        for (span, id) in spans.iter_mut().zip(1..) {
            span.span_id = id;
            if let High::Field(high) = high {
                span.trace_id_high = high;
            }
        }
        if let High::Tag(high) = high {
            spans[0].meta.push((names::TRACE_ID_HIGH.into(), format!("{high:016x}").into()));
        }
        Trace { priority, origin, tags, dropped, spans }
    })
}

fn sender() -> impl Strategy<Value = Sender<'static>> {
    let language = prop_oneof![Just(".NET".into()), Just("dotnet".into()), text()];
    ((text(), language, text(), text()), (text(), text(), text(), text()), pairs(text())).prop_map(
        |((container_id, language, language_version, tracer_version), rest, tags)| Sender {
            container_id,
            language,
            language_version,
            tracer_version,
            runtime_id: rest.0,
            env: rest.1,
            hostname: rest.2,
            app_version: rest.3,
            tags,
        },
    )
}

/// In one order, and with the trace's id told in one way.
fn sorted(mut trace: Trace<'_>) -> Trace<'_> {
    let high = trace.spans.iter().find_map(|span| {
        let tag = span.meta.iter().find(|(key, _)| key == names::TRACE_ID_HIGH);
        if span.trace_id_high != 0 { Some(span.trace_id_high) } else { u64::from_str_radix(&tag?.1, 16).ok() }
    });
    trace.spans.sort_by_key(|span| span.span_id);
    for span in &mut trace.spans {
        span.trace_id_high = high.unwrap_or_default();
        span.meta.retain(|(key, _)| key != names::TRACE_ID_HIGH);
        span.meta.sort();
        span.metrics.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    trace
}

proptest! {
    #[test]
    fn every_request_comes_back(sender in sender(), mut traces in vec(trace(), 1..4)) {
        for (trace, id) in traces.iter_mut().zip(1..) {
            trace.spans.iter_mut().for_each(|span| span.trace_id = id);
        }
        let chunks = chunks(&sender, &traces);
        let mut read = read(&chunks);
        prop_assert_eq!(read.len(), 1);
        let Payload { sender: read_sender, traces: mut read } = read.remove(0);
        prop_assert_eq!(read_sender, sender);
        for trace in &read {
            let first = &trace.spans[0];
            let tag = first.meta.iter().find(|(key, _)| key == names::TRACE_ID_HIGH);
            let high = (first.trace_id_high != 0).then(|| format!("{:016x}", first.trace_id_high));
            prop_assert_eq!(tag.map(|(_, high)| high.to_string()), high);
        }
        read.sort_by_key(|trace| trace.spans[0].trace_id);
        let read: Vec<_> = read.into_iter().map(sorted).collect();
        let traces: Vec<_> = traces.into_iter().map(sorted).collect();
        prop_assert_eq!(read, traces);
    }
}
