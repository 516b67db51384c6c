//! Reading and writing against each other, against another implementation, and against what is wrong.

mod partial;
mod signals;

use super::*;
use crate::otlp::budget::Budget;
use crate::otlp::chunk::Chunk;
use crate::otlp::signal::Signal::{self, Traces};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

const MIB: usize = 1 << 20;

fn read(body: &[u8]) -> Result<Vec<Chunk>, Error> {
    read_as(Traces, body)
}

/// A request that is taken whole, or not at all.
fn read_as(signal: Signal, body: &[u8]) -> Result<Vec<Chunk>, Error> {
    read_request(signal, body, &Budget::new(64 * MIB)).map(|taken| {
        assert!(taken.rejected.is_none(), "{:?}", taken.rejected);
        taken.chunks
    })
}

fn decoded(chunks: &[Chunk]) -> Vec<ResourceSpans> {
    chunks.iter().map(|chunk| ResourceSpans::decode(&*chunk.bytes).unwrap()).collect()
}

fn written(resources: &[ResourceSpans]) -> String {
    let request = ExportTraceServiceRequest { resource_spans: resources.to_vec() };
    let mut out = Vec::new();
    write_request(Traces, &request.encode_to_vec(), &mut out);
    String::from_utf8(out).unwrap()
}

fn written_again(chunks: &[Chunk]) -> String {
    let mut request = crate::otlp::protobuf::Writer::new();
    chunks.iter().for_each(|chunk| request.bytes(1, &chunk.bytes));
    let mut out = Vec::new();
    write_request(Traces, request.written(), &mut out);
    String::from_utf8(out).unwrap()
}

/// The one span of a request around `span`.
fn span(span: &str) -> Result<Span, String> {
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    let chunks = read(body.as_bytes()).map_err(|error| error.to_string())?;
    Ok(decoded(&chunks)[0].scope_spans[0].spans[0].clone())
}

/// The attribute value that stands in a span as `value`.
fn attribute(value: &str) -> Result<Option<Value>, String> {
    let span = span(&format!(r#"{{"attributes":[{{"key":"k","value":{value}}}]}}"#))?;
    Ok(span.attributes[0].value.clone().and_then(|value| value.value))
}

/// As an SDK for browsers sends it, with a field of each kind.
const SAMPLE: &str = r#"{
  "resourceSpans": [{
    "scopeSpans": [{
      "scope": {"name": "shop", "version": "1.0", "attributes": [], "droppedAttributesCount": 0},
      "spans": [{
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "eee19b7ec3c1b174",
        "parentSpanId": "eee19b7ec3c1b173",
        "traceState": "a=1,b=2",
        "flags": 257,
        "name": "process-order",
        "kind": 2,
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": 1544712661000000000,
        "attributes": [
          {"key": "order.id", "value": {"intValue": "42"}},
          {"key": "total", "value": {"doubleValue": 9.5}},
          {"key": "paid", "value": {"boolValue": true}},
          {"key": "note", "value": {"stringValue": "tab\there \u00e9\ud83d\ude00"}},
          {"key": "raw", "value": {"bytesValue": "aGk="}},
          {"key": "items", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": 7}, null]}}},
          {"key": "by", "value": {"kvlistValue": {"values": [{"key": "x", "value": {"doubleValue": "NaN"}}]}}}
        ],
        "droppedAttributesCount": 1,
        "events": [{"timeUnixNano": "1544712660500000000", "name": "retry", "attributes": []}],
        "links": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b175", "flags": 1}],
        "status": {"code": "STATUS_CODE_ERROR", "message": "no stock"}
      }]
    }],
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]},
    "schemaUrl": "https://opentelemetry.io/schemas/1.40.0"
  }]
}"#;

#[test]
fn a_request_with_everything() {
    let budget = Budget::new(MIB);
    let chunks = read_request(Traces, SAMPLE.as_bytes(), &budget).unwrap().chunks;
    assert_eq!((chunks.len(), chunks[0].items), (1, 1));
    assert_eq!(budget.held(), chunks[0].bytes.len() + size_of::<Chunk>());
    let view = crate::otlp::view::ResourceSpans::read(&chunks[0].bytes);
    assert_eq!(view.resource.attributes.text("service.name"), Some("web"));
    let json = written_again(&chunks);
    drop(chunks);
    assert_eq!(budget.held(), 0);
    insta::assert_snapshot!(json, @r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},"scopeSpans":[{"scope":{"name":"shop","version":"1.0"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"a=1,b=2","parentSpanId":"eee19b7ec3c1b173","flags":257,"name":"process-order","kind":2,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","attributes":[{"key":"order.id","value":{"intValue":"42"}},{"key":"total","value":{"doubleValue":9.5}},{"key":"paid","value":{"boolValue":true}},{"key":"note","value":{"stringValue":"tab\there é😀"}},{"key":"raw","value":{"bytesValue":"aGk="}},{"key":"items","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"7"},{}]}}},{"key":"by","value":{"kvlistValue":{"values":[{"key":"x","value":{"doubleValue":"NaN"}}]}}}],"droppedAttributesCount":1,"events":[{"timeUnixNano":"1544712660500000000","name":"retry"}],"links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175","flags":1}],"status":{"message":"no stock","code":2}}]}],"schemaUrl":"https://opentelemetry.io/schemas/1.40.0"}]}"#);
}

#[test]
fn the_identity_is_that_of_the_resource_and_its_schema() {
    let body = |resource: &str, schema: &str, name: &str| {
        format!(
            r#"{{"scopeSpans":[{{"spans":[{{"name":"{name}"}}]}}],"schemaUrl":"{schema}","resource":{resource}}}"#
        )
    };
    let web = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]}"#;
    let all = [body(web, "", "a"), body(web, "", "b"), body(web, "s", "a"), body("{}", "", "a")].join(",");
    let chunks = read(format!(r#"{{"resourceSpans":[{all}]}}"#).as_bytes()).unwrap();
    let identities: Vec<u64> = chunks.iter().map(|chunk| chunk.identity).collect();
    assert_eq!(identities[0], identities[1]);
    assert!(identities[0] != identities[2] && identities[0] != identities[3]);
    // The order of the fields does not matter.
    let first = format!(r#"{{"resourceSpans":[{{"resource":{web},"scopeSpans":[{{"spans":[{{}}]}}]}}]}}"#);
    assert_eq!(read(first.as_bytes()).unwrap()[0].identity, identities[0]);
}

#[test]
fn what_holds_no_span_makes_no_chunk() {
    for body in [
        "{}",
        " {\"resourceSpans\":[]} \n",
        r#"{"resourceSpans":null}"#,
        r#"{"resourceSpans":[null,{},{"resource":{}},{"scopeSpans":[{},{"spans":[]},{"spans":null}]}]}"#,
        r#"{"other":[[[{"a":[1,2.5e3,"\u00e4",null,true]}]]]}"#,
    ] {
        let budget = Budget::new(MIB);
        assert!(read_request(Traces, body.as_bytes(), &budget).unwrap().chunks.is_empty(), "{body}");
        assert_eq!(budget.held(), 0, "{body}");
    }
    let mixed =
        r#"{"resourceSpans":[{"schemaUrl":"x"},{"scopeSpans":[{"spans":[{},null,{}]},{"spans":[{}]}]}]}"#;
    let chunks = read(mixed.as_bytes()).unwrap();
    assert_eq!((chunks.len(), chunks[0].items), (1, 3));
    assert_eq!(decoded(&chunks)[0].schema_url, "");
}

#[test]
fn every_spelling_of_a_value() {
    for (value, expected) in [
        (r#"{"intValue":"-9223372036854775808"}"#, Value::IntValue(i64::MIN)),
        (r#"{"int_value":-3}"#, Value::IntValue(-3)),
        (r#"{"intValue":1e3}"#, Value::IntValue(1_000)),
        (r#"{"intValue":0}"#, Value::IntValue(0)),
        (r#"{"stringValue":""}"#, Value::StringValue(String::new())),
        (r#"{"boolValue":false}"#, Value::BoolValue(false)),
        (r#"{"doubleValue":3}"#, Value::DoubleValue(3.0)),
        (r#"{"doubleValue":"1.5"}"#, Value::DoubleValue(1.5)),
        (r#"{"doubleValue":"-Infinity"}"#, Value::DoubleValue(f64::NEG_INFINITY)),
        (r#"{"bytesValue":"-_8"}"#, Value::BytesValue(vec![0xfb, 0xff])),
        (r#"{"bytesValue":"+/8="}"#, Value::BytesValue(vec![0xfb, 0xff])),
        (r#"{"stringValue":null,"unknown":{"a":[{}]},"intValue":5}"#, Value::IntValue(5)),
        (
            r#"{"arrayValue":{"values":[null]}}"#,
            Value::ArrayValue(ArrayValue { values: vec![AnyValue::default()] }),
        ),
    ] {
        assert_eq!(attribute(value), Ok(Some(expected)), "{value}");
    }
    assert_eq!(attribute("null"), Ok(None));
    assert_eq!(attribute("{}"), Ok(None));
    for (text, expected) in [
        (r#"{"kind":"SPAN_KIND_SERVER"}"#, Span { kind: 2, ..Span::default() }),
        (r#"{"kind":"3","flags":"5"}"#, Span { kind: 3, flags: 5, ..Span::default() }),
        (r#"{"kind":-1}"#, Span { kind: -1, ..Span::default() }),
        (
            r#"{"start_time_unix_nano":"18446744073709551615"}"#,
            Span { start_time_unix_nano: u64::MAX, ..Span::default() },
        ),
        (r#"{"trace_id":"","parentSpanId":null,"name":null}"#, Span::default()),
        (r#"{"na\u006de":"x"}"#, Span { name: "x".into(), ..Span::default() }),
    ] {
        assert_eq!(span(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let wrong = [
        r#"{"traceId":"abc"}"#,
        r#"{"spanId":"00000000000000zz"}"#,
        r#"{"traceId":17}"#,
        r#"{"name":["a"]}"#,
        r#"{"name":{}}"#,
        r#"{"kind":"SPAN_KIND_SERVANT"}"#,
        r#"{"kind":4294967296}"#,
        r#"{"startTimeUnixNano":"18446744073709551616"}"#,
        r#"{"startTimeUnixNano":-1}"#,
        r#"{"startTimeUnixNano":1.5}"#,
        r#"{"startTimeUnixNano":"soon, and a secret"}"#,
        r#"{"startTimeUnixNano":1e999}"#,
        r#"{"droppedLinksCount":4294967296}"#,
        r#"{"attributes":{"key":"a"}}"#,
        r#"{"attributes":[{"key":"a"},"b"]}"#,
        r#"{"attributes":[{"value":{"intValue":1,"stringValue":"a"}}]}"#,
        r#"{"attributes":[{"value":{"boolValue":"true"}}]}"#,
        r#"{"attributes":[{"value":{"bytesValue":"a"}}]}"#,
        r#"{"attributes":[{"value":{"doubleValue":"inf"}}]}"#,
        r#"{"attributes":[{"value":"plain"}]}"#,
        r#"{"status":{"code":true}}"#,
        r#"{"name":"a","name":"b"}"#,
        r#"{"traceState":"a","trace_state":"b"}"#,
        r#"{"name":"\ud800"}"#,
        r#"{"name":"a"#,
        r#"{"name" "a"}"#,
    ];
    let all: String = wrong.iter().map(|text| format!("{text}\n  {}\n", span(text).unwrap_err())).collect();
    insta::assert_snapshot!(all, @r#"
{"traceId":"abc"}
  resourceSpans[0].scopeSpans[0].spans[0].traceId: expected 32 hex digits, found 3 characters at line 1 column 59
{"spanId":"00000000000000zz"}
  resourceSpans[0].scopeSpans[0].spans[0].spanId: expected 16 hex digits, found something else at line 1 column 71
{"traceId":17}
  resourceSpans[0].scopeSpans[0].spans[0].traceId: invalid type: integer `17`, expected 32 hex digits at line 1 column 56
{"name":["a"]}
  resourceSpans[0].scopeSpans[0].spans[0].name: invalid type: sequence, expected a string at line 1 column 52
{"name":{}}
  resourceSpans[0].scopeSpans[0].spans[0].name: invalid type: map, expected a string at line 1 column 53
{"kind":"SPAN_KIND_SERVANT"}
  resourceSpans[0].scopeSpans[0].spans[0].kind: unknown name of an enumeration at line 1 column 70
{"kind":4294967296}
  resourceSpans[0].scopeSpans[0].spans[0].kind: invalid value: integer `4294967296`, expected a number or a name of the enumeration at line 1 column 61
{"startTimeUnixNano":"18446744073709551616"}
  resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano: invalid value: a number beyond it, expected a whole number from 0 to 18446744073709551615 at line 1 column 86
{"startTimeUnixNano":-1}
  resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano: invalid value: integer `-1`, expected a whole number from 0 to 18446744073709551615 at line 1 column 66
{"startTimeUnixNano":1.5}
  resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano: invalid value: floating point `1.5`, expected a whole number from 0 to 18446744073709551615 at line 1 column 67
{"startTimeUnixNano":"soon, and a secret"}
  resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano: invalid value: a string that is none, expected a whole number from 0 to 18446744073709551615 at line 1 column 84
{"startTimeUnixNano":1e999}
  resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano: number out of range at line 1 column 69
{"droppedLinksCount":4294967296}
  resourceSpans[0].scopeSpans[0].spans[0].droppedLinksCount: invalid value: integer `4294967296`, expected a whole number from 0 to 4294967295 at line 1 column 74
{"attributes":{"key":"a"}}
  resourceSpans[0].scopeSpans[0].spans[0].attributes: invalid type: map, expected an array of objects at line 1 column 58
{"attributes":[{"key":"a"},"b"]}
  resourceSpans[0].scopeSpans[0].spans[0].attributes[1]: invalid type: a string, expected an object at line 1 column 73
{"attributes":[{"value":{"intValue":1,"stringValue":"a"}}]}
  resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.stringValue: a value of another type stands beside it at line 1 column 99
{"attributes":[{"value":{"boolValue":"true"}}]}
  resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.boolValue: invalid type: a string, expected true or false at line 1 column 86
{"attributes":[{"value":{"bytesValue":"a"}}]}
  resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.bytesValue: invalid value: a string that is none, expected base64 at line 1 column 84
{"attributes":[{"value":{"doubleValue":"inf"}}]}
  resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.doubleValue: invalid value: a string that is none, expected a number at line 1 column 87
{"attributes":[{"value":"plain"}]}
  resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value: invalid type: a string, expected an object at line 1 column 74
{"status":{"code":true}}
  resourceSpans[0].scopeSpans[0].spans[0].status.code: invalid type: boolean `true`, expected a number or a name of the enumeration at line 1 column 65
{"name":"a","name":"b"}
  resourceSpans[0].scopeSpans[0].spans[0].name: the field stands there twice at line 1 column 66
{"traceState":"a","trace_state":"b"}
  resourceSpans[0].scopeSpans[0].spans[0].traceState: the field stands there twice at line 1 column 79
{"name":"\ud800"}
  resourceSpans[0].scopeSpans[0].spans[0].name: unexpected end of hex escape at line 1 column 59
{"name":"a
  resourceSpans[0].scopeSpans[0].spans[0].name: EOF while parsing a string at line 1 column 59
{"name" "a"}
  resourceSpans[0].scopeSpans[0].spans[0].name: expected `:` at line 1 column 52
"#);
}

#[test]
fn a_body_that_is_no_request() {
    let bodies: [&[u8]; 10] = [
        b"",
        b" ",
        b"null",
        b"[]",
        b"\"a\"",
        b"{",
        b"{}{}",
        b"{} x",
        b"{\"resourceSpans\":{}}",
        b"{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}",
    ];
    let all: String =
        bodies.iter().map(|body| format!("{}: {}\n", body.escape_ascii(), read(body).unwrap_err())).collect();
    insta::assert_snapshot!(all, @r#"
: EOF while parsing a value at line 1 column 0
 : EOF while parsing a value at line 1 column 1
null: expected an object, found null
[]: invalid type: sequence, expected an object at line 1 column 2
\"a\": invalid type: a string, expected an object at line 1 column 3
{: EOF while parsing an object at line 1 column 1
{}{}: trailing characters at line 1 column 3
{} x: trailing characters at line 1 column 4
{\"resourceSpans\":{}}: resourceSpans: invalid type: map, expected an array of objects at line 1 column 19
{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}: resourceSpans[0].schemaUrl: invalid unicode code point at line 1 column 33
"#);
}

#[test]
fn truncated_anywhere_is_an_error() {
    for end in 0..SAMPLE.len() {
        let budget = Budget::new(MIB);
        assert!(
            matches!(read_request(Traces, &SAMPLE.as_bytes()[..end], &budget), Err(Error::Json { .. })),
            "{end}"
        );
        assert_eq!(budget.held(), 0);
    }
}

/// `levels` lists (or maps) around a number.
fn nested(levels: usize, open: &str, close: &str) -> String {
    format!("{}{}{}", open.repeat(levels), r#"{"intValue":1}"#, close.repeat(levels))
}

#[test]
fn depth_has_its_limit_and_what_is_skipped_none() {
    let list = (r#"{"arrayValue":{"values":["#, "]}}");
    let map = (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}");
    let limit = crate::otlp::walk::MAX_DEPTH as usize;
    for (open, close) in [list, map] {
        assert!(attribute(&nested(limit, open, close)).is_ok());
        let error = attribute(&nested(limit + 1, open, close)).unwrap_err();
        assert!(error.contains("an attribute is nested deeper than 30 levels at line 1 column"), "{error}");
        assert!(attribute(&nested(100_000, open, close)).is_err());
    }
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    assert!(span(&format!(r#"{{"unknown":{deep}}}"#)).is_ok());
    assert!(span(&format!(r#"{{"name":{deep}}}"#)).is_err());
    assert!(read(&vec![b'['; 1_000_000]).is_err());
    assert!(read(r#"{"a":"#.repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn without_room_nothing_is_held() {
    let long = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"{}"}}]}}]}}]}}"#,
        "x".repeat(5_000)
    );
    let escaped = long.replace('x', "\\t");
    let empty =
        format!(r#"{{"resourceSpans":[{}{{}}]}}"#, r#"{"scopeSpans":[{"spans":[{}]}]},"#.repeat(1_000));
    for body in [&long, &escaped, &empty] {
        let needed = {
            let budget = Budget::new(MIB);
            let _chunks = read_request(Traces, body.as_bytes(), &budget).unwrap();
            budget.held()
        };
        for limit in [0, 10, needed / 2, needed - 1] {
            let budget = Budget::new(limit);
            let error = read_request(Traces, body.as_bytes(), &budget).unwrap_err();
            assert!(matches!(error, Error::NoRoom(_)), "{error}");
            assert_eq!(budget.held(), 0);
        }
    }
}

#[test]
fn a_malformed_request_is_no_question_of_room() {
    let error =
        read_request(Traces, b"{\"resourceSpans\":[{\"schemaUrl\":7}]}", &Budget::new(1)).unwrap_err();
    assert!(matches!(error, Error::Json { .. } | Error::NoRoom(_)));
    let error = read_request(Traces, b"[]", &Budget::new(0)).unwrap_err();
    assert!(matches!(error, Error::Json { .. }), "{error}");
}

/// Fields in any order, several times, split up: what protobuf allows and our own writer does not make.
#[test]
fn unusual_protobuf_is_written_as_it_is_meant() {
    use crate::otlp::protobuf::Writer;
    let mut spans = Writer::new();
    spans.text(3, "first");
    let resource = spans.begin(1, 10);
    spans.varint(2, 5);
    spans.end(resource);
    for name in ["a", "b"] {
        let scope = spans.begin(2, 10);
        let span = spans.begin(2, 10);
        spans.fixed64(9, 1);
        spans.text(5, name);
        spans.text(999, "unknown");
        spans.end(span);
        spans.end(scope);
        spans.text(3, name);
    }
    let mut out = Vec::new();
    write_resource(Traces, spans.written(), &mut out);
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"{"resource":{"droppedAttributesCount":5},"scopeSpans":[{"spans":[{"name":"a"}]},{"spans":[{"name":"b"}]}],"schemaUrl":"b"}"#);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.]{0,12}", ".{0,8}", Just("\u{0}\"\\\u{1f}\u{7f}\u{2028}é😀".to_owned())]
}

fn any_id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => vec(any::<u8>(), length), 1 => Just(vec![])]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any_text().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        // NaN is unequal to itself; it has a test of its own.
        any::<f64>().prop_filter("a number", |number| !number.is_nan()).prop_map(Value::DoubleValue),
        prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)].prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..20).prop_map(Value::BytesValue),
    ];
    let value = leaf.prop_recursive(4, 16, 4, |inner| {
        let any = proptest::option::weighted(0.9, inner).prop_map(|value| AnyValue { value });
        let pair = (any_text(), any.clone()).prop_map(|(key, value)| KeyValue {
            key,
            value: Some(value),
            ..KeyValue::default()
        });
        prop_oneof![
            vec(any, 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(pair, 0..4).prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
    });
    proptest::option::weighted(0.9, value).prop_map(|value| AnyValue { value })
}

fn any_attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (any_text(), proptest::option::weighted(0.9, any_value())).prop_map(|(key, value)| KeyValue {
        key,
        value,
        ..KeyValue::default()
    });
    vec(pair, 0..4)
}

fn any_event() -> impl Strategy<Value = Event> {
    (any::<u64>(), any_text(), any_attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn any_link() -> impl Strategy<Value = Link> {
    (any_id(16), any_id(8), any_text(), any_attributes(), any::<u32>(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn any_span() -> impl Strategy<Value = Span> {
    let status = (any_text(), any::<i32>()).prop_map(|(message, code)| Status { message, code });
    let ids = (any_id(16), any_id(8), any_id(8), any_text(), any::<u32>());
    let facts = (any_text(), -1..7_i32, any::<u64>(), any::<u64>(), any::<[u32; 3]>());
    let inside =
        (any_attributes(), vec(any_event(), 0..3), vec(any_link(), 0..3), proptest::option::of(status));
    (ids, facts, inside).prop_map(|(ids, facts, inside)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        trace_state: ids.3,
        flags: ids.4,
        name: facts.0,
        kind: facts.1,
        start_time_unix_nano: facts.2,
        end_time_unix_nano: facts.3,
        dropped_attributes_count: facts.4[0],
        dropped_events_count: facts.4[1],
        dropped_links_count: facts.4[2],
        attributes: inside.0,
        events: inside.1,
        links: inside.2,
        status: inside.3,
    })
}

fn any_resource_spans() -> impl Strategy<Value = ResourceSpans> {
    let entity = (any_text(), any_text(), vec(any_text(), 0..3), vec(any_text(), 0..3)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        },
    );
    let resource = (any_attributes(), any::<u32>(), vec(entity, 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    );
    let scope = (any_text(), any_text(), any_attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    let scope_spans = (proptest::option::of(scope), vec(any_span(), 1..4), any_text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    (proptest::option::of(resource), vec(scope_spans, 1..3), any_text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read_the_same(resources in vec(any_resource_spans(), 0..3)) {
        let json = written(&resources);
        let values: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert!(values["resourceSpans"].is_array() || resources.is_empty());
        let chunks = read(json.as_bytes()).unwrap();
        prop_assert_eq!(decoded(&chunks), resources.clone());
        for (chunk, spans) in chunks.iter().zip(&resources) {
            let count: usize = spans.scope_spans.iter().map(|scope| scope.spans.len()).sum();
            prop_assert_eq!(chunk.items as usize, count);
        }
        // The bytes are those that prost makes, but for the order of fields: written again they are the same.
        prop_assert_eq!(written_again(&chunks), json);
    }

    /// Another implementation's writer.
    #[test]
    fn what_serde_wrote_is_read_the_same(resource_spans in vec(any_resource_spans(), 0..2)) {
        let request = ExportTraceServiceRequest { resource_spans };
        let json = serde_json::to_vec(&request).unwrap();
        // It writes infinities as null, which is none of them.
        prop_assume!(!json.windows(18).any(|piece| piece == b"\"doubleValue\":null"));
        prop_assert_eq!(decoded(&read(&json).unwrap()), request.resource_spans);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200), cut in 0_usize..2_000, byte in any::<u8>()) {
        let _ = read(&bytes);
        let mut changed = SAMPLE.as_bytes().to_vec();
        let at = cut % changed.len();
        changed[at] = byte;
        let _ = read(&changed);
        let mut out = Vec::new();
        write_resource(Traces, &bytes, &mut out);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        prop_assert!(value.is_object());
    }
}
