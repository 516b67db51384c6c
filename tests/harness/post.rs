//! Spans sent as clients send them, without a client: one request each, for tests that are about its end.

use super::Agent;
use super::http::{Answer, post};
use libdd_trace_protobuf::pb;
use rmp_serde::config::BytesMode;
use serde::Serialize;
use serde_json::{Value, json};

/// 2023-11-14, in nanoseconds.
pub(crate) const START: u64 = 1_700_000_000_123_456_000;

/// An OTLP request with a span for each of these ids, in a trace of the same id.
pub(crate) fn otlp_of(ids: impl IntoIterator<Item = u64>) -> Value {
    let span = |id: u64| {
        json!({
            "traceId": format!("{id:032x}"), "spanId": format!("{id:016x}"), "name": format!("span {id}"),
            "startTimeUnixNano": START.to_string(), "endTimeUnixNano": (START + 5_000).to_string(),
        })
    };
    let spans: Vec<Value> = ids.into_iter().map(span).collect();
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "shop" } }] });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "spans": spans }] }] })
}

/// An OTLP request with a point for each of these numbers, of one gauge.
pub(crate) fn points_of(numbers: impl IntoIterator<Item = u64>) -> Value {
    let point = |number: u64| json!({ "asInt": number.to_string(), "timeUnixNano": START.to_string() });
    let points: Vec<Value> = numbers.into_iter().map(point).collect();
    let metric = json!({ "name": "depth", "gauge": { "dataPoints": points } });
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "shop" } }] });
    json!({ "resourceMetrics": [{ "resource": resource, "scopeMetrics": [{ "metrics": [metric] }] }] })
}

/// An OTLP request with a log record for each of these numbers.
pub(crate) fn records_of(numbers: impl IntoIterator<Item = u64>) -> Value {
    let record = |number: u64| json!({ "timeUnixNano": START.to_string(), "body": { "stringValue": format!("record {number}") } });
    let records: Vec<Value> = numbers.into_iter().map(record).collect();
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "shop" } }] });
    json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "logRecords": records }] }] })
}

/// The answer to an OTLP request of spans over HTTP in JSON.
pub(crate) fn otlp(agent: &Agent, request: &Value) -> Answer {
    otlp_to(agent, "/v1/traces", request)
}

/// The answer to an OTLP request over HTTP in JSON.
pub(crate) fn otlp_to(agent: &Agent, path: &str, request: &Value) -> Answer {
    let json = [("content-type", "application/json")];
    post(agent.otlp_http(), path, &json, request.to_string().as_bytes()).unwrap()
}

/// A Zipkin request with a span for each of these ids.
pub(crate) fn zipkin_of(ids: impl IntoIterator<Item = u64>) -> Value {
    let span = |id: u64| {
        json!({
            "traceId": format!("{id:016x}"), "id": format!("{id:016x}"), "name": format!("span {id}"),
            "timestamp": START / 1_000, "duration": 5, "localEndpoint": { "serviceName": "shop" },
        })
    };
    ids.into_iter().map(span).collect()
}

/// The answer to a Zipkin request.
pub(crate) fn zipkin(agent: &Agent, spans: &Value) -> Answer {
    let json = [("content-type", "application/json")];
    post(agent.zipkin(), "/api/v2/spans", &json, spans.to_string().as_bytes()).unwrap()
}

/// A trace of one span for each of these ids.
pub(crate) fn datadog_of(ids: impl IntoIterator<Item = u64>) -> Vec<Vec<pb::Span>> {
    let span = |id: u64| pb::Span {
        service: "shop".into(),
        name: "web.request".into(),
        resource: format!("span {id}"),
        trace_id: id,
        span_id: id,
        start: START as i64,
        duration: 5_000,
        ..pb::Span::default()
    };
    ids.into_iter().map(|id| vec![span(id)]).collect()
}

/// The answer to traces in v0.4, written by Datadog's own types.
pub(crate) fn datadog(agent: &Agent, traces: &[Vec<pb::Span>], more: &[(&str, &str)]) -> Answer {
    let count = traces.len().to_string();
    let mut headers = vec![
        ("content-type", "application/msgpack"),
        ("datadog-meta-lang", "python"),
        ("datadog-meta-lang-version", "3.14"),
        ("datadog-meta-tracer-version", "4.16.0"),
        ("x-datadog-trace-count", &count),
    ];
    headers.extend(more);
    let mut body = Vec::new();
    let writer = &mut rmp_serde::Serializer::new(&mut body).with_struct_map().with_bytes(BytesMode::ForceAll);
    traces.serialize(writer).unwrap();
    post(agent.datadog(), "/v0.4/traces", &headers, &body).unwrap()
}
