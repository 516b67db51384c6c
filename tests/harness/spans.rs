//! Spans as OTLP's JSON has them, made flat: what two backends got can then be compared as a whole.
//!
//! It is written apart from the code under test and shares none of it. Absent fields have their defaults,
//! 64-bit integers may be text, and values keep their type: 3 is an integer, 3.0 a double.

use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) type Attributes = BTreeMap<String, Value>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) resource: Attributes,
    /// Name and version.
    pub(crate) scope: (String, String),
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) parent_id: String,
    pub(crate) trace_state: String,
    pub(crate) flags: i64,
    pub(crate) name: String,
    pub(crate) kind: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) attributes: Attributes,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
    /// Code and message.
    pub(crate) status: (i64, String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) time: i64,
    pub(crate) attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Link {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) trace_state: String,
    pub(crate) flags: i64,
    pub(crate) attributes: Attributes,
}

/// `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT`.
pub(crate) const SERVER: i64 = 2;
pub(crate) const CLIENT: i64 = 3;
/// `STATUS_CODE_ERROR`.
pub(crate) const ERROR: i64 = 2;

/// Every span of these requests or lines of a file, in the order of their ids.
pub(crate) fn spans(requests: &[Value]) -> Vec<Span> {
    let mut all = Vec::new();
    for resource in requests.iter().flat_map(|request| items(request, "resourceSpans")) {
        for scope in items(resource, "scopeSpans") {
            all.extend(items(scope, "spans").map(|span| flat(resource, scope, span)));
        }
    }
    all.sort_by(|a, b| (&a.trace_id, &a.span_id).cmp(&(&b.trace_id, &b.span_id)));
    all
}

fn flat(resource: &Value, scope: &Value, span: &Value) -> Span {
    Span {
        resource: attributes(&resource["resource"]),
        scope: (text(&scope["scope"], "name"), text(&scope["scope"], "version")),
        trace_id: text(span, "traceId"),
        span_id: text(span, "spanId"),
        parent_id: text(span, "parentSpanId"),
        trace_state: text(span, "traceState"),
        flags: integer(&span["flags"]),
        name: text(span, "name"),
        kind: integer(&span["kind"]),
        start: integer(&span["startTimeUnixNano"]),
        end: integer(&span["endTimeUnixNano"]),
        attributes: attributes(span),
        events: items(span, "events").map(event).collect(),
        links: items(span, "links").map(link).collect(),
        status: (integer(&span["status"]["code"]), text(&span["status"], "message")),
    }
}

fn event(event: &Value) -> Event {
    Event { name: text(event, "name"), time: integer(&event["timeUnixNano"]), attributes: attributes(event) }
}

fn link(link: &Value) -> Link {
    Link {
        trace_id: text(link, "traceId"),
        span_id: text(link, "spanId"),
        trace_state: text(link, "traceState"),
        flags: integer(&link["flags"]),
        attributes: attributes(link),
    }
}

pub(super) fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

pub(super) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

pub(super) fn integer(value: &Value) -> i64 {
    match value {
        Value::Null => 0,
        Value::String(text) => text.parse().unwrap_or_else(|e| panic!("{e}: {text}")),
        number => number.as_i64().unwrap_or_else(|| panic!("not an integer: {number}")),
    }
}

/// The attributes of a span, event, link, scope or resource; a key that occurs twice is a fault.
pub(super) fn attributes(of: &Value) -> Attributes {
    let mut all = Attributes::new();
    for attribute in items(of, "attributes") {
        let (key, value) = (text(attribute, "key"), plain(&attribute["value"]));
        assert_eq!(all.insert(key, value), None, "a key occurs twice: {of}");
    }
    all
}

/// An `AnyValue` as plain JSON; integers and doubles stay apart.
pub(super) fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "stringValue" | "boolValue" => inner.clone(),
        "intValue" => json!(integer(inner)),
        "doubleValue" => inner.as_f64().map_or_else(|| inner.clone(), |number| json!(number)),
        "arrayValue" => items(inner, "values").map(plain).collect(),
        "kvlistValue" => {
            items(inner, "values").map(|pair| (text(pair, "key"), plain(&pair["value"]))).collect()
        }
        "bytesValue" => json!({ "bytes": inner }),
        other => panic!("{other} is no kind of value"),
    }
}

/// What a client says that it sent (`trace_id`, `span_id`, `parent_id`, `name`, `tags`, `error` of each
/// span) is here, and nothing else.
pub(crate) fn expect_sent(sent: &Value, spans: &[Span]) {
    expect_sent_as(sent, spans, str::to_owned);
}

/// As [`expect_sent`]; `name` is what a name becomes on its way.
pub(crate) fn expect_sent_as(sent: &Value, spans: &[Span], name: impl Fn(&str) -> String) {
    let all: Vec<&Value> = items(sent, "spans").collect();
    assert_eq!(spans.len(), all.len(), "{sent}\n{spans:#?}");
    for one in all {
        let span = find(spans, &text(one, "trace_id"), &text(one, "span_id"));
        assert_eq!(span.parent_id, text(one, "parent_id"), "{one}\n{span:#?}");
        assert_eq!(span.name, name(&text(one, "name")), "{one}\n{span:#?}");
        assert_eq!(span.status.0 == ERROR, one["error"] == true, "{one}\n{span:#?}");
        assert!(span.start > 1_600_000_000_000_000_000 && span.end >= span.start, "{span:#?}");
        for (key, tag) in one["tags"].as_object().into_iter().flatten() {
            let got = span.attributes.get(key).unwrap_or_else(|| panic!("{key} is missing: {span:#?}"));
            assert!(same(tag, got), "{key}: {tag} was sent, {got} arrived: {span:#?}");
        }
    }
}

/// Datadog knows one kind of number, Zipkin text alone.
fn same(sent: &Value, got: &Value) -> bool {
    match (sent.as_f64(), got.as_f64()) {
        (Some(sent), Some(got)) => sent == got,
        _ => sent == got || got.as_str() == Some(&sent.to_string()),
    }
}

pub(crate) fn find<'a>(spans: &'a [Span], trace_id: &str, span_id: &str) -> &'a Span {
    let found = spans.iter().find(|span| span.trace_id == trace_id && span.span_id == span_id);
    found.unwrap_or_else(|| panic!("no span {span_id} of trace {trace_id}: {spans:#?}"))
}

/// The only span of this name.
pub(crate) fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    match (found.next(), found.next()) {
        (Some(span), None) => span,
        (None, _) => panic!("no span is named {name}: {spans:#?}"),
        (Some(_), Some(_)) => panic!("several spans are named {name}: {spans:#?}"),
    }
}

#[test]
fn spans_are_read() {
    let request: Value = serde_json::from_str(
        r#"{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"scope": {"name": "s"}, "spans": [{"traceId": "aa", "spanId": "b", "startTimeUnixNano": "5",
        "attributes": [{"key": "n", "value": {"intValue": "3"}}, {"key": "d", "value": {"doubleValue": 3}},
        {"key": "l", "value": {"arrayValue": {"values": [{"boolValue": true}]}}}], "status": {"code": 2}}]}]}]}"#,
    )
    .unwrap();
    let all = spans(&[request]);
    let span = named(&all, "");
    assert_eq!((span.resource["service.name"].clone(), span.start, span.status.0), (json!("shop"), 5, ERROR));
    assert_eq!(span.attributes["n"], json!(3));
    assert_eq!(span.attributes["d"], json!(3.0));
    assert_ne!(span.attributes["d"], json!(3));
    assert_eq!(span.attributes["l"], json!([true]));
}
