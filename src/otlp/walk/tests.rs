//! Faults with their places by hand; then what another decoder thinks, over random messages and bytes.

mod signals;

use super::*;
use crate::otlp::protobuf::Writer;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

/// The first fault, or everything.
fn walk(bytes: &[u8]) -> Result<Vec<Walked>, Refused> {
    let taken = request(Signal::Traces, &Bytes::copy_from_slice(bytes))?;
    taken.rejected.map_or(Ok(taken.resources), |rejected| Err(rejected.first))
}

fn nested(levels: u32) -> AnyValue {
    let mut value = AnyValue { value: Some(any_value::Value::IntValue(1)) };
    for level in 0..levels {
        value = AnyValue {
            value: Some(if level % 2 == 0 {
                let pair = KeyValue { key: "k".into(), value: Some(value), ..Default::default() };
                any_value::Value::KvlistValue(KeyValueList { values: vec![pair] })
            } else {
                any_value::Value::ArrayValue(ArrayValue { values: vec![value] })
            }),
        };
    }
    value
}

fn sound_span() -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "work".into(), ..Span::default() }
}

/// A request whose resource 1 has a sound span, and then `span` in its scope 1.
fn with_span(span: Span) -> Vec<u8> {
    let first = ScopeSpans { spans: vec![sound_span()], ..Default::default() };
    let second = ScopeSpans { spans: vec![sound_span(), span], ..Default::default() };
    let resource_spans = vec![
        ResourceSpans::default(),
        ResourceSpans { scope_spans: vec![first, second], ..Default::default() },
    ];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

#[test]
fn a_refusal_names_its_place() {
    let deep = |levels| KeyValue { key: "deep".into(), value: Some(nested(levels)), ..Default::default() };
    let cases = [
        (Span { trace_id: vec![1; 15], ..sound_span() }, "a trace id has 15 bytes instead of 16"),
        (Span { span_id: vec![1; 9], ..sound_span() }, "a span id has 9 bytes instead of 8"),
        (Span { parent_span_id: vec![1; 4], ..sound_span() }, "a span id has 4 bytes instead of 8"),
        (
            Span { attributes: vec![deep(MAX_DEPTH + 1)], ..sound_span() },
            "an attribute is nested deeper than 30 levels",
        ),
        (
            Span { links: vec![Link { trace_id: vec![1], ..Default::default() }], ..sound_span() },
            "a trace id has 1 bytes instead of 16",
        ),
    ];
    for (span, expected) in cases {
        let error = walk(&with_span(span)).unwrap_err().to_string();
        assert_eq!(error, format!("resource 1, scope 1, span 1: {expected}"));
    }
    let bad_url = [&with_span(sound_span())[..], &[0x0a, 3, 0x1a, 1, 0xff]].concat();
    assert_eq!(walk(&bad_url).unwrap_err().to_string(), "resource 2: a string is not UTF-8");
    let cut = [&with_span(sound_span())[..], &[0x0a, 3]].concat();
    assert_eq!(walk(&cut).unwrap_err().to_string(), "the message ends inside a field");
    // 0x0b begins a group.
    assert_eq!(walk(&[0x0b, 0x0c]).unwrap_err().fault, Malformed::WireType(3).into());
}

#[test]
fn a_faulty_span_costs_no_neighbour() {
    let faulty = Span { span_id: vec![1; 9], name: "faulty".into(), ..sound_span() };
    let named = |name: &str| Span { name: name.into(), ..sound_span() };
    let scope = |spans| ScopeSpans { spans, schema_url: "s".into(), ..Default::default() };
    let resource =
        |scope_spans| ResourceSpans { scope_spans, schema_url: "r".into(), ..ResourceSpans::default() };
    let resource_spans = vec![
        resource(vec![scope(vec![named("a")])]),
        resource(vec![
            scope(vec![faulty.clone()]),
            scope(vec![named("b"), faulty.clone(), named("c"), faulty.clone()]),
        ]),
        resource(vec![scope(vec![faulty.clone()])]),
    ];
    let body = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    let Taken { resources, rejected } = request(Signal::Traces, &body).unwrap();
    let rejected = rejected.unwrap();
    assert_eq!(rejected.items, 4);
    let first = "resource 1, scope 0, span 0: a span id has 9 bytes instead of 8";
    assert_eq!(rejected.first.to_string(), first);
    let left: Vec<ResourceSpans> =
        resources.iter().map(|walked| ResourceSpans::decode(&walked.bytes[..]).unwrap()).collect();
    assert_eq!(
        left,
        [resource(vec![scope(vec![named("a")])]), resource(vec![scope(vec![named("b"), named("c")])])]
    );
    assert_eq!(resources.iter().map(|walked| walked.items).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(resources[1].identity, identity(&resources[1].bytes));

    let none = ExportTraceServiceRequest { resource_spans: vec![resource(vec![scope(vec![faulty])])] };
    let error = request(Signal::Traces, &none.encode_to_vec().into()).unwrap_err().to_string();
    assert_eq!(error, "resource 0, scope 0, span 0: a span id has 9 bytes instead of 8");
}

#[test]
fn absent_ids_zeros_and_the_deepest_value_are_taken() {
    let deep = vec![KeyValue { key: "deep".into(), value: Some(nested(MAX_DEPTH)), ..Default::default() }];
    let event = Event { attributes: deep.clone(), ..Default::default() };
    for span in [
        Span::default(),
        Span { trace_id: vec![0; 16], span_id: vec![0; 8], ..sound_span() },
        Span { links: vec![Link::default()], attributes: deep, events: vec![event], ..sound_span() },
    ] {
        let bytes = with_span(span);
        assert_eq!(walk(&bytes).unwrap()[0].items, 3);
        ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    }
}

#[test]
fn every_known_field_has_its_wire_type() {
    // Paths of message fields from the request down, and the highest known number of the message there.
    let span = [1, 2, 2];
    let messages: [(&[u32], u32); 12] = [
        (&[], 1),
        (&[1], 3),
        (&[1, 1], 3),
        (&[1, 1, 3], 4),
        (&[1, 2], 3),
        (&[1, 2, 1], 4),
        (&span, 16),
        (&[1, 2, 2, 11], 4),
        (&[1, 2, 2, 13], 6),
        (&[1, 2, 2, 15], 3),
        (&[1, 2, 2, 9], 3),
        (&[1, 2, 2, 9, 2], 8),
    ];
    for (path, highest) in messages {
        for number in 1..=highest + 1 {
            for wire_type in [0_u8, 1, 2, 5] {
                let value: &[u8] = match wire_type {
                    0 => &[1],
                    1 => &[0; 8],
                    5 => &[0; 4],
                    _ => &[0],
                };
                let mut inner = Writer::new();
                inner.raw(&[(number as u8 * 8) | wire_type]);
                // Field 16 has a key of two bytes.
                if number == 16 {
                    inner.truncate(0);
                    inner.raw(&[0x80 | wire_type, 1]);
                }
                inner.raw(value);
                let mut bytes = inner.into_inner();
                for field in path.iter().rev() {
                    let mut outer = Writer::new();
                    outer.bytes(*field, &bytes);
                    bytes = outer.into_inner();
                }
                let decoded = ExportTraceServiceRequest::decode(&bytes[..]);
                assert_eq!(
                    walk(&bytes).is_ok(),
                    decoded.is_ok(),
                    "{path:?} {number} {wire_type}: {decoded:?}"
                );
            }
        }
    }
}

#[test]
fn results_are_slices_and_say_what_belongs_together() {
    let of = |service: &str, schema: &str, spans| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![KeyValue {
                key: "service.name".into(),
                value: Some(AnyValue { value: Some(any_value::Value::StringValue(service.into())) }),
                ..Default::default()
            }],
            ..Default::default()
        }),
        scope_spans: vec![ScopeSpans { spans: vec![sound_span(); spans], ..Default::default() }],
        schema_url: schema.into(),
    };
    let resource_spans =
        vec![of("a", "", 1), of("b", "", 2), of("a", "", 3), of("a", "", 0), of("a", "https://x", 1)];
    let bytes: Bytes =
        ExportTraceServiceRequest { resource_spans: resource_spans.clone() }.encode_to_vec().into();
    let walked = request(Signal::Traces, &bytes).unwrap().resources;
    assert_eq!(walked.iter().map(|walked| walked.items).collect::<Vec<_>>(), [1, 2, 3, 1]);
    assert_eq!(walked[0].identity, walked[2].identity);
    assert!(walked[0].identity != walked[1].identity && walked[0].identity != walked[3].identity);
    for (walked, at) in walked.iter().zip([0, 1, 2, 4]) {
        assert_eq!(ResourceSpans::decode(&walked.bytes[..]).unwrap(), resource_spans[at]);
        assert!(bytes.as_ptr_range().contains(&walked.bytes.as_ptr()), "a copy");
    }
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<String>().prop_map(any_value::Value::StringValue),
        any::<bool>().prop_map(any_value::Value::BoolValue),
        any::<i64>().prop_map(any_value::Value::IntValue),
        any::<f64>().prop_map(any_value::Value::DoubleValue),
        vec(any::<u8>(), 0..9).prop_map(any_value::Value::BytesValue),
    ]
    .prop_map(|value| AnyValue { value: Some(value) });
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| any_value::Value::ArrayValue(ArrayValue { values })),
            vec((any::<String>(), proptest::option::of(inner)), 0..3).prop_map(|pairs| {
                let values = pairs
                    .into_iter()
                    .map(|(key, value)| KeyValue { key, value, ..Default::default() })
                    .collect();
                any_value::Value::KvlistValue(KeyValueList { values })
            }),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

prop_compose! {
    fn attributes()(pairs in vec((".{0,8}", proptest::option::of(any_value())), 0..3)) -> Vec<KeyValue> {
        pairs.into_iter().map(|(key, value)| KeyValue { key, value, ..Default::default() }).collect()
    }
}

/// Nearly always right.
fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => vec(any::<u8>(), length..=length),
        2 => Just(Vec::new()),
        1 => vec(any::<u8>(), 1..20),
    ]
}

prop_compose! {
    fn spans()(
        ids in (id(16), id(8), id(8)),
        words in (".{0,8}", ".{0,8}", proptest::option::of(".{0,8}")),
        numbers in any::<(i32, u64, u64, u32, u32)>(),
        attributes in attributes(),
        event in proptest::option::of((any::<u64>(), ".{0,4}", attributes())),
        link in proptest::option::of((id(16), id(8), ".{0,4}", attributes())),
    ) -> Span {
        let events = event.into_iter().map(|(time_unix_nano, name, attributes)| Event {
            time_unix_nano, name, attributes, dropped_attributes_count: 1,
        });
        let links = link.into_iter().map(|(trace_id, span_id, trace_state, attributes)| Link {
            trace_id, span_id, trace_state, attributes, dropped_attributes_count: 0, flags: 257,
        });
        Span {
            trace_id: ids.0, span_id: ids.1, parent_span_id: ids.2, trace_state: words.0, name: words.1,
            kind: numbers.0, start_time_unix_nano: numbers.1, end_time_unix_nano: numbers.2, flags: numbers.3,
            dropped_events_count: numbers.4, dropped_links_count: 1, dropped_attributes_count: 2, attributes,
            events: events.collect(), links: links.collect(),
            status: words.2.map(|message| Status { message, code: numbers.0 }),
        }
    }
}

prop_compose! {
    fn requests()(resources in vec((attributes(), vec(vec(spans(), 0..3), 0..3), ".{0,4}"), 0..3))
        -> ExportTraceServiceRequest {
        let resource_spans = resources.into_iter().map(|(attributes, scopes, schema_url)| ResourceSpans {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_spans: scopes.into_iter().map(|spans| ScopeSpans { spans, ..Default::default() }).collect(),
            schema_url,
        });
        ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
    }
}

fn right_ids(request: &ExportTraceServiceRequest) -> bool {
    let right = |id: &[u8], length| id.is_empty() || id.len() == length;
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans).all(|span| {
        right(&span.trace_id, 16)
            && right(&span.span_id, 8)
            && right(&span.parent_span_id, 8)
            && span.links.iter().all(|link| right(&link.trace_id, 16) && right(&link.span_id, 8))
    })
}

fn count(request: &ExportTraceServiceRequest) -> usize {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

/// Bytes that are somewhat like a request: a message with a few bytes changed, and a piece cut out.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (
        requests(),
        vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        any::<prop::sample::Index>(),
        0..3_usize,
    )
        .prop_map(|(request, changes, at, cut)| {
            let mut bytes = request.encode_to_vec();
            if !bytes.is_empty() {
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                let at = at.index(bytes.len());
                bytes.drain(at..(at + cut).min(bytes.len()));
            }
            bytes
        })
}

/// Whether some field is a group or uses a number or depth that only the walk refuses is left out: what is
/// accepted must be decodable, and lead to the same number of spans.
fn agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(walked) = walk(bytes) {
        let decoded = ExportTraceServiceRequest::decode(bytes);
        prop_assert!(decoded.is_ok(), "{decoded:?}");
        let spans: u32 = walked.iter().map(|walked| walked.items).sum();
        prop_assert_eq!(spans as usize, count(&decoded.unwrap()));
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_another_decoder_takes_with_right_ids_is_taken(request in requests()) {
        let bytes = request.encode_to_vec();
        prop_assert_eq!(walk(&bytes).is_ok(), right_ids(&request));
        agrees(&bytes)?;
    }

    #[test]
    fn what_is_taken_another_decoder_takes(bytes in damaged()) {
        agrees(&bytes)?;
    }

    #[test]
    fn any_bytes_are_walked_to_an_end(bytes in vec(any::<u8>(), 0..200)) {
        agrees(&bytes)?;
    }
}
