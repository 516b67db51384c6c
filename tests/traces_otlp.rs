//! OpenTelemetry SDKs talk to the real binary; their spans arrive unchanged at a receiver that is not ours
//! and in the JSON lines file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::Setup;
use harness::scene::{Scene, count, sent_by};
use harness::spans::{CLIENT, ERROR, SERVER, Span, expect_sent, named};
use harness::tool::{node, python};
use serde_json::{Value, json};
use std::process::Command;

/// Sends with a client and asserts what every SDK sends.
fn arrives(client: impl FnOnce(&Scene) -> Command) {
    arrives_in(Setup::new(), client);
}

fn arrives_in(setup: Setup, client: impl FnOnce(&Scene) -> Command) {
    let scene = Scene::start(setup);
    let sent = sent_by(&mut client(&scene));
    let spans = scene.spans(count(&sent));
    expect_sent(&sent, &spans);
    expect_everything(&sent, &spans);
    scene.expect_ledger("otlp", spans.len());
    scene.stop(spans.len());
}

/// The span that has everything, field by field.
fn expect_everything(sent: &Value, spans: &[Span]) {
    let span = named(spans, "GET /orders/{id}");
    assert_eq!(span.trace_id, "640cfd8d00000000778ac6d9d5a3b001");
    assert_eq!(span.parent_id, "3000000000000001");
    assert_eq!(span.trace_state, "vendor=abc,other=def");
    // Sampled or not (the SDKs differ), and: the parent is known to be remote.
    assert_eq!(span.flags & 0x300, 0x300);
    assert_eq!(span.kind, SERVER);
    assert_eq!(span.status, (ERROR, "card declined".to_owned()));
    assert_eq!(span.scope, ("checkout".to_owned(), "4.5.6".to_owned()));
    for (key, value) in
        [("service.name", "shop"), ("service.version", "1.2.3"), ("deployment.environment.name", "test")]
    {
        assert_eq!(span.resource[key], value);
    }
    let attributes = json!({
        "http.request.method": "GET",
        "http.route": "/orders/{id}",
        "http.response.status_code": 500,
        "order.id": "Bücher-7",
        "order.paid": false,
        "order.weight": 2.25,
        "order.items": ["pen", "book"],
    });
    assert_eq!(json!(span.attributes), attributes);

    assert_eq!(span.events.len(), 2, "{span:#?}");
    assert_eq!(span.events[0].name, "stock.checked");
    assert_eq!(json!(span.events[0].attributes), json!({ "left": 2, "place": "north" }));
    assert!((span.start..=span.end).contains(&span.events[0].time), "{span:#?}");
    assert_eq!(span.events[1].name, "exception");
    assert_eq!(span.events[1].attributes["exception.message"], "card declined");

    let order = &sent["spans"][1];
    assert_eq!(order["name"], "process-order");
    let [link] = &span.links[..] else { panic!("one link: {span:#?}") };
    assert_eq!(order["trace_id"], link.trace_id);
    assert_eq!(order["span_id"], link.span_id);
    assert_eq!(json!(link.attributes), json!({ "reason": "retry of" }));

    let query = named(spans, "SELECT orders");
    assert_eq!((query.kind, &query.parent_id), (CLIENT, &span.span_id));
    assert_eq!(query.trace_state, "vendor=abc,other=def");
}

fn node_sdk(protocol: &str, url: String) -> Command {
    let mut command = node("otel_tracer.js");
    command.args([protocol, &url]);
    command
}

fn python_sdk(protocol: &str, endpoint: String) -> Command {
    let mut command = python("otel_tracer.py");
    command.args([protocol, &endpoint]);
    command
}

#[test]
fn node_over_grpc() {
    arrives(|scene| node_sdk("grpc", format!("http://{}", scene.agent.otlp_grpc())));
}

#[test]
fn node_over_http_in_protobuf() {
    arrives(|scene| node_sdk("http-protobuf", format!("http://{}/v1/traces", scene.agent.otlp_http())));
}

#[test]
fn node_over_http_in_json() {
    arrives(|scene| node_sdk("http-json", format!("http://{}/v1/traces", scene.agent.otlp_http())));
}

#[test]
fn node_over_http_in_json_with_gzip() {
    arrives(|scene| {
        let mut command = node_sdk("http-json", format!("http://{}/v1/traces", scene.agent.otlp_http()));
        command.arg("gzip");
        command
    });
}

#[test]
fn python_over_grpc() {
    arrives(|scene| python_sdk("grpc", format!("http://{}", scene.agent.otlp_grpc())));
}

#[test]
fn python_over_grpc_with_gzip() {
    arrives(|scene| {
        let mut command = python_sdk("grpc", format!("http://{}", scene.agent.otlp_grpc()));
        command.arg("gzip");
        command
    });
}

#[test]
fn python_over_http_in_protobuf() {
    arrives(|scene| python_sdk("http-protobuf", format!("http://{}", scene.agent.otlp_http())));
}

/// Both ports speak both.
#[test]
fn python_over_grpc_on_the_http_port() {
    arrives(|scene| python_sdk("grpc", format!("http://{}", scene.agent.otlp_http())));
}

/// grpcio's own name for a Unix socket as the endpoint; it calls the server by the path of the socket.
#[test]
fn python_over_grpc_and_a_unix_socket() {
    let setup = Setup::new();
    let socket = format!("unix://{}", setup.path("otlp.socket").display());
    let setup = setup.environment("PILLION_OTLP_GRPC", format!("{:?}", [&socket]));
    arrives_in(setup, |_| {
        let mut command = python_sdk("grpc", socket);
        command.env("OTEL_EXPORTER_OTLP_INSECURE", "true");
        command
    });
}
