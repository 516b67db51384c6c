//! A Zipkin exporter talks to the real binary; its spans arrive as OTLP at a receiver that is not ours.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::Setup;
use harness::scene::{Scene, count, sent_by};
use harness::spans::{CLIENT, ERROR, SERVER, expect_sent, named};
use harness::tool::node;
use serde_json::json;

#[test]
fn node_with_the_exporter_of_opentelemetry() {
    let scene = Scene::start(Setup::new());
    let url = format!("http://{}/api/v2/spans", scene.agent.zipkin());
    let sent = sent_by(node("otel_tracer.js").args(["zipkin", &url]));
    let spans = scene.spans(count(&sent));
    expect_sent(&sent, &spans);

    let span = named(&spans, "GET /orders/{id}");
    assert_eq!(span.trace_id, "640cfd8d00000000778ac6d9d5a3b001");
    assert_eq!(span.parent_id, "3000000000000001");
    assert_eq!(span.kind, SERVER);
    assert_eq!(span.status, (ERROR, "card declined".to_owned()));
    assert_eq!(json!(span.resource), json!({ "service.name": "shop" }));
    // All that Zipkin has of attributes is text; a resource's come as tags of every span.
    let attributes = json!({
        "http.request.method": "GET",
        "http.route": "/orders/{id}",
        "http.response.status_code": "500",
        "order.id": "Bücher-7",
        "order.paid": "false",
        "order.weight": "2.25",
        "order.items": "pen,book",
        "otel.status_code": "ERROR",
        "error": "card declined",
        "service.version": "1.2.3",
        "deployment.environment.name": "test",
        "zipkin.tag.service.name": "shop",
    });
    assert_eq!(json!(span.attributes), attributes);
    let names: Vec<&str> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["stock.checked", "exception"]);
    for event in &span.events {
        // Zipkin has microseconds.
        assert_eq!(event.time % 1_000, 0);
        assert!((span.start..=span.end + 1_000).contains(&event.time), "{span:#?}");
    }
    let query = named(&spans, "SELECT orders");
    assert_eq!((query.kind, &query.parent_id), (CLIENT, &span.span_id));

    scene.expect_ledger("zipkin", spans.len());
    scene.stop(spans.len());
}
