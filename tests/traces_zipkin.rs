//! Zipkin's exporters talk to the real binary; their spans arrive as OTLP at a receiver that is not ours.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::Setup;
use harness::scene::{Scene, count, sent_by};
use harness::spans::{CLIENT, ERROR, SERVER, Span, expect_sent, named};
use harness::tool::{node, python_zipkin};
use serde_json::{Value, json};
use std::process::Command;

/// Sends with a client and asserts what every exporter sends; `attributes` are those that differ.
fn arrives(client: impl FnOnce(&str) -> Command, attributes: Value, events: [&str; 2]) {
    let scene = Scene::start(Setup::new());
    let url = format!("http://{}/api/v2/spans", scene.agent.zipkin());
    let sent = sent_by(&mut client(&url));
    let spans = scene.spans(count(&sent));
    expect_sent(&sent, &spans);
    let span = named(&spans, "GET /orders/{id}");
    expect_everything(span, attributes);
    let begins = |(event, name): (&harness::spans::Event, &str)| event.name.starts_with(name);
    assert!(span.events.len() == 2 && span.events.iter().zip(events).all(begins), "{:#?}", span.events);
    let query = named(&spans, "SELECT orders");
    assert_eq!((query.kind, &query.parent_id), (CLIENT, &span.span_id));
    scene.expect_ledger("zipkin", spans.len());
    scene.stop(spans.len());
}

/// The span that has everything, field by field.
fn expect_everything(span: &Span, mut more: Value) {
    let mut span = span.clone();
    // Made up by the SDK at each start.
    span.attributes.remove("service.instance.id");
    assert_eq!(span.trace_id, "640cfd8d00000000778ac6d9d5a3b001");
    assert_eq!(span.parent_id, "3000000000000001");
    assert_eq!(span.kind, SERVER);
    assert_eq!(span.status, (ERROR, "card declined".to_owned()));
    assert_eq!(json!(span.resource), json!({ "service.name": "shop" }));
    // All that Zipkin has of attributes is text; a resource's come as tags of every span.
    let mut attributes = json!({
        "http.request.method": "GET",
        "http.route": "/orders/{id}",
        "http.response.status_code": "500",
        "order.id": "Bücher-7",
        "order.paid": "false",
        "order.weight": "2.25",
        "otel.status_code": "ERROR",
        "error": "card declined",
        "service.version": "1.2.3",
        "deployment.environment.name": "test",
        "zipkin.tag.service.name": "shop",
    });
    attributes.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
    assert_eq!(json!(span.attributes), attributes);
    for event in &span.events {
        // Zipkin has microseconds, rounded.
        assert_eq!(event.time % 1_000, 0);
        assert!((span.start - 1_000..=span.end + 1_000).contains(&event.time), "{span:#?}");
    }
}

fn python(protocol: &str) {
    let client = |url: &str| {
        let mut command = python_zipkin("otel_tracer.py");
        command.args([protocol, url]);
        command
    };
    let attributes = json!({
        "order.items": "[\"pen\",\"book\"]",
        "otel.library.name": "checkout",
        "otel.library.version": "4.5.6",
        "otel.scope.name": "checkout",
        "otel.scope.version": "4.5.6",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2",
        // What this exporter says of every sampled trace.
        "zipkin.debug": true,
        // Of the local endpoint, with their types.
        "network.local.address": "10.0.0.1",
        "network.local.port": 8080,
    });
    arrives(client, attributes, ["{\"stock.checked\": {", "{\"exception\": {"]);
}

#[test]
fn node_in_json() {
    let client = |url: &str| {
        let mut command = node("otel_tracer.js");
        command.args(["zipkin", url]);
        command
    };
    arrives(client, json!({ "order.items": "pen,book" }), ["stock.checked", "exception"]);
}

#[test]
fn python_in_json() {
    python("zipkin-json");
}

#[test]
fn python_in_protobuf() {
    python("zipkin-protobuf");
}
