//! Spans that have everything, one in each protocol.

use super::post::START;
use libdd_trace_protobuf::pb;
use serde_json::{Value, json};
use std::collections::HashMap;

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// A span with everything that OTLP has.
pub(crate) fn full_otlp() -> Value {
    let resource = [
        text("service.name", "shop"),
        text("service.version", "1.2.3"),
        text("deployment.environment.name", "test"),
        text("host.name", "web-1"),
        text("telemetry.sdk.language", "python"),
        text("telemetry.sdk.version", "1.45.2"),
    ];
    let exception = [text("exception.type", "ValueError"), text("exception.message", "card declined")];
    let span = json!({
        "traceId": "640cfd8d00000000778ac6d9d5a3b001",
        "spanId": "00000000000000a2",
        "parentSpanId": "3000000000000001",
        "traceState": "vendor=abc,other=def",
        "flags": 1,
        "name": "GET /orders/{id}",
        "kind": 2,
        "startTimeUnixNano": START.to_string(),
        "endTimeUnixNano": (START + 5_000_700).to_string(),
        "attributes": [
            text("http.request.method", "GET"),
            text("http.route", "/orders/{id}"),
            { "key": "http.response.status_code", "value": { "intValue": "500" } },
            text("order.id", "Bücher-7"),
            { "key": "order.paid", "value": { "boolValue": false } },
            { "key": "order.weight", "value": { "doubleValue": 2.25 } },
            { "key": "order.items", "value": { "arrayValue": { "values": [
                { "stringValue": "pen" }, { "stringValue": "book" },
            ] } } },
            text("peer.service", "browser"),
            text("network.peer.address", "10.0.0.7"),
            { "key": "network.peer.port", "value": { "intValue": 4711 } },
        ],
        "events": [
            { "timeUnixNano": (START + 2_000).to_string(), "name": "stock.checked" },
            { "timeUnixNano": (START + 3_000).to_string(), "name": "exception", "attributes": exception },
        ],
        "links": [{
            "traceId": "0000000000000001000000000000000a",
            "spanId": "000000000000000b",
            "traceState": "a=b",
            "attributes": [text("reason", "retry of")],
        }],
        "status": { "code": 2, "message": "card declined" },
    });
    let scope = json!({ "name": "checkout", "version": "4.5.6" });
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": scope, "spans": [span] }],
    }] })
}

/// A span with everything that Zipkin has.
pub(crate) fn full_zipkin() -> Value {
    json!([{
        "traceId": "640cfd8d00000000778ac6d9d5a3b001",
        "id": "00000000000000a2",
        "parentId": "3000000000000001",
        "name": "get /orders",
        "kind": "CLIENT",
        "timestamp": START / 1_000,
        "duration": 1_431,
        "debug": true,
        "shared": true,
        "localEndpoint": { "serviceName": "shop", "ipv4": "10.0.0.1", "ipv6": "2001:db8::1", "port": 8080 },
        "remoteEndpoint": { "serviceName": "stock", "ipv6": "2001:db8::2", "port": 443 },
        "annotations": [{ "timestamp": START / 1_000 + 7, "value": "cache miss" }],
        "tags": {
            "http.method": "GET",
            "error": "timeout",
            "peer.service": "also a tag",
            "w3c.tracestate": "vendor=abc",
            "w3c.traceflags": "01",
        },
    }])
}

/// A trace with everything that Datadog's v0.4 has.
pub(crate) fn full_datadog() -> Vec<Vec<pb::Span>> {
    let texts = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let link = pb::SpanLink {
        trace_id: 10,
        trace_id_high: 1,
        span_id: 11,
        attributes: texts(&[("reason", "retry of")]),
        tracestate: "a=b".into(),
        flags: 0x8000_0001,
    };
    let left = pb::AttributeAnyValue { r#type: 2, int_value: 2, ..pb::AttributeAnyValue::default() };
    let event = pb::SpanEvent {
        time_unix_nano: START + 2_000,
        name: "stock.checked".into(),
        attributes: HashMap::from([("left".to_owned(), left)]),
    };
    let root = pb::Span {
        service: "shop".into(),
        name: "web.request".into(),
        resource: "GET /orders/{id}".into(),
        r#type: "web".into(),
        trace_id: 0x778a_c6d9_d5a3_b001,
        span_id: 0xa2,
        parent_id: 0x3000_0000_0000_0001,
        start: START as i64,
        duration: 5_000_700,
        error: 1,
        meta: texts(&[
            ("_dd.p.tid", "640cfd8d00000000"),
            ("_dd.p.dm", "-4"),
            ("_dd.origin", "synthetics"),
            ("env", "test"),
            ("version", "1.2.3"),
            ("runtime-id", "6ba7b810"),
            ("span.kind", "server"),
            ("http.status_code", "500"),
            ("error.message", "card declined"),
            ("error.type", "ValueError"),
            ("order.id", "Bücher-7"),
        ]),
        metrics: HashMap::from([
            ("_sampling_priority_v1".to_owned(), 2.0),
            ("order.items".to_owned(), 3.0),
            ("order.weight".to_owned(), 2.25),
        ]),
        meta_struct: HashMap::from([("appsec".to_owned(), vec![0x80])]),
        span_links: vec![link],
        span_events: vec![event],
    };
    let query = pb::Span {
        service: "shop-db".into(),
        name: "postgres.query".into(),
        resource: "SELECT 1".into(),
        r#type: "sql".into(),
        span_id: 0xa3,
        parent_id: 0xa2,
        error: 0,
        meta: texts(&[("span.kind", "client"), ("env", "test")]),
        metrics: HashMap::new(),
        meta_struct: HashMap::new(),
        span_links: Vec::new(),
        span_events: Vec::new(),
        ..root.clone()
    };
    vec![vec![root, query]]
}
