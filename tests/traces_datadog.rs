//! Datadog's tracers talk to the real binary, also through Datadog's test agent; their spans arrive as OTLP
//! at a receiver that is not ours, mapped as docs/traces.md says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::http::get;
use harness::scene::{Scene, count, sent_by};
use harness::spans::{Attributes, CLIENT, ERROR, SERVER, Span, expect_sent_as, named};
use harness::tool::{node, python, start, test_agent};
use harness::{Agent, Process, Setup, port, wait_for};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;

/// The mark of what was made of a tag.
const DERIVED: &str = "_dd.derived";

/// dd-trace of Node and ddtrace of Python, told apart where they send different things.
#[derive(Clone, Copy, PartialEq)]
enum Tracer {
    Node,
    Python,
}

/// Whether the event (of Node) and the link are made of tags.
type Marks = (Option<bool>, bool);

const NODE: Marks = (Some(true), true);
const NODE_WITH_EVENTS: Marks = (Some(false), true);
const PYTHON: Marks = (None, true);
const PYTHON_V04: Marks = (None, false);

impl Tracer {
    fn client(self, url: &str, version: &str) -> Command {
        let mut command = match self {
            Tracer::Node => {
                let mut command = node("datadog_tracer.js");
                command.arg(version);
                command
            }
            Tracer::Python => {
                let mut command = python("datadog_tracer.py");
                let identity = [("DD_SERVICE", "shop"), ("DD_ENV", "test"), ("DD_VERSION", "1.2.3")];
                command.envs(identity).env("DD_TRACE_API_VERSION", format!("v{version}"));
                command
            }
        };
        command.env("DD_TRACE_AGENT_URL", url);
        command
    }
}

fn url(agent: &Agent) -> String {
    format!("http://{}", agent.datadog())
}

/// Sends with a tracer and asserts what every tracer sends.
fn arrives(scene: Scene, tracer: Tracer, marks: Marks, client: &mut Command) {
    let sent = sent_by(client);
    let spans = scene.spans(count(&sent));
    // As Datadog's agent has names: letters, digits, dots and underscores. The resource keeps what was said.
    expect_sent_as(&sent, &spans, |name| name.replace('-', "_"));
    assert_eq!(named(&spans, "process_order").attributes["dd.span.Resource"], "process-order");
    expect_everything(tracer, &sent, &spans);
    expect_marks(named(&spans, "web.request"), marks);
    scene.expect_ledger("datadog", spans.len());
    scene.stop(spans.len());
}

/// The span that has everything, field by field.
fn expect_everything(tracer: Tracer, sent: &Value, spans: &[Span]) {
    let span = named(spans, "web.request");
    assert_eq!(span.trace_id, "640cfd8d000000007782dace9d900001", "the upper half is in `_dd.p.tid`");
    assert_eq!(span.parent_id, "3000000000000001");
    assert_eq!(span.kind, SERVER);
    assert_eq!(span.status, (ERROR, "card declined".to_owned()));
    expect_resource(tracer, span, "shop");
    let attributes = [
        ("dd.span.Resource", json!("GET /orders/{id}")),
        ("span.type", json!("web")),
        ("span.kind", json!("server")),
        ("http.method", json!("GET")),
        ("http.route", json!("/orders/{id}")),
        ("http.status_code", json!("500")),
        ("order.id", json!("Bücher-7")),
        ("order.items", json!(3.0)),
        ("sampling.priority", json!(2.0)),
        ("_dd.origin", json!("synthetics")),
        ("_dd.p.dm", json!("-4")),
    ];
    for (key, value) in attributes {
        assert_eq!(span.attributes.get(key), Some(&value), "{key}: {span:#?}");
    }
    expect_exception(tracer, span);
    if tracer == Tracer::Node {
        let event = span.events.iter().find(|event| event.name == "stock.checked").unwrap();
        assert_eq!(
            said(&event.attributes),
            Attributes::from([("left".into(), json!(2)), ("place".into(), json!("north"))])
        );
        assert!((span.start..=span.end).contains(&event.time), "{span:#?}");
    }
    expect_link(sent, span);

    let query = named(spans, "postgres.query");
    assert_eq!((query.kind, &query.parent_id), (CLIENT, &span.span_id));
    assert_eq!(query.trace_id, span.trace_id, "the whole chunk has the upper half");
    assert_eq!(query.attributes["span.type"], "sql");
    assert_eq!(query.attributes["dd.span.Resource"], "SELECT 1");
    assert_eq!(query.status, (0, String::new()));
    expect_resource(tracer, query, "shop-db");
}

fn expect_resource(tracer: Tracer, span: &Span, service: &str) {
    assert_eq!(span.resource["service.name"], service, "{span:#?}");
    assert_eq!(span.resource["deployment.environment.name"], "test", "{span:#?}");
    let language = match tracer {
        Tracer::Node => "nodejs",
        Tracer::Python => "python",
    };
    assert_eq!(span.resource["telemetry.sdk.language"], language, "{span:#?}");
    assert!(span.resource.contains_key("telemetry.sdk.version"), "{span:#?}");
    if service == "shop" {
        assert_eq!(span.resource["service.version"], "1.2.3", "{span:#?}");
        assert!(span.resource.contains_key("service.instance.id"), "{span:#?}");
    }
}

fn expect_exception(tracer: Tracer, span: &Span) {
    let event = span.events.iter().find(|event| event.name == "exception").unwrap();
    let kind = match tracer {
        Tracer::Node => "Error",
        Tracer::Python => "builtins.ValueError",
    };
    assert_eq!(event.attributes["exception.type"], kind);
    assert_eq!(event.attributes["exception.message"], "card declined");
    assert!(
        event.attributes["exception.stacktrace"].as_str().unwrap().contains("card declined"),
        "{event:?}"
    );
}

fn expect_link(sent: &Value, span: &Span) {
    let order = &sent["spans"][1];
    assert_eq!(order["name"], "process-order");
    let [link] = &span.links[..] else { panic!("one link: {span:#?}") };
    assert_eq!(order["trace_id"], link.trace_id);
    assert_eq!(order["span_id"], link.span_id);
    assert_eq!(said(&link.attributes), Attributes::from([("reason".to_owned(), json!("retry of"))]));
}

/// Without the mark of an event or link that was made of a tag, which stays beside it.
fn said(attributes: &Attributes) -> Attributes {
    let marked = |(key, value): &(&String, &Value)| *key == DERIVED && **value == json!(true);
    attributes.iter().filter(|pair| !marked(pair)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Where links and events came as text in a tag they are marked; where they came as maps they are not.
fn expect_marks(span: &Span, (event, link): Marks) {
    let checked = span.events.iter().find(|event| event.name == "stock.checked");
    assert_eq!(checked.map(|event| event.attributes.contains_key(DERIVED)), event, "{span:#?}");
    assert_eq!(span.links[0].attributes.contains_key(DERIVED), link, "{span:#?}");
    assert_eq!(span.attributes.contains_key("_dd.span_links"), link, "{span:#?}");
}

#[test]
fn node_with_v04() {
    let scene = Scene::start(Setup::new());
    let mut client = Tracer::Node.client(&url(&scene.agent), "0.4");
    arrives(scene, Tracer::Node, NODE, &mut client);
}

/// Events as maps of their own, where the agent says that it reads them, instead of text in a tag.
#[test]
fn node_with_v04_and_native_events() {
    let scene = Scene::start(Setup::new());
    let mut client = Tracer::Node.client(&url(&scene.agent), "0.4");
    arrives(scene, Tracer::Node, NODE_WITH_EVENTS, client.env("DD_TRACE_NATIVE_SPAN_EVENTS", "true"));
}

#[test]
fn node_with_v05() {
    let scene = Scene::start(Setup::new());
    let mut client = Tracer::Node.client(&url(&scene.agent), "0.5");
    arrives(scene, Tracer::Node, NODE, &mut client);
}

#[test]
fn node_sends_its_metrics_the_same_way() {
    let agent = Setup::new().start();
    sent_by(Tracer::Node.client(&url(&agent), "0.4").arg("metrics"));
    agent.expect("orders_created_total", &[("shop", "north")], 3.0);
}

#[test]
fn python_over_tcp_with_v04() {
    let scene = Scene::start(Setup::new());
    let mut client = Tracer::Python.client(&url(&scene.agent), "0.4");
    arrives(scene, Tracer::Python, PYTHON_V04, &mut client);
}

#[test]
fn python_over_tcp_with_v05() {
    let scene = Scene::start(Setup::new());
    let mut client = Tracer::Python.client(&url(&scene.agent), "0.5");
    arrives(scene, Tracer::Python, PYTHON, &mut client);
}

/// With the version that it chooses itself.
#[test]
fn python_over_a_unix_socket() {
    let setup = Setup::new();
    let socket = format!("unix://{}", setup.path("apm.socket").display());
    let scene = Scene::start(setup.environment("PILLION_DATADOG_LISTEN", format!("{:?}", [&socket])));
    let mut client = Tracer::Python.client(&socket, "0.5");
    arrives(scene, Tracer::Python, PYTHON, client.env_remove("DD_TRACE_API_VERSION"));
}

const CHECKS: [&str; 6] = [
    "trace_count_header",
    "meta_tracer_version_header",
    "trace_content_length",
    "trace_peer_service",
    "meta_events_is_valid_json",
    "trace_dd_service",
];

/// Datadog's test agent, which passes on what it gets and keeps what its checks find.
struct TestAgent {
    address: SocketAddr,
    _process: Process,
}

impl TestAgent {
    fn start(before: &Agent) -> Self {
        let [port, otlp_http, otlp_grpc] = [(); 3].map(|()| port::free());
        let ports =
            ["--port", &port.to_string(), "--otlp-http-port", &otlp_http.to_string()].map(String::from);
        let mut command = test_agent();
        command
            .args(ports)
            .args(["--otlp-grpc-port", &otlp_grpc.to_string(), "--agent-url", &url(before)])
            .args(["--pool-trace-check-failures", "true"])
            .env("ENABLED_CHECKS", CHECKS.join(","))
            .current_dir(before.path(""));
        let (process, lines) = start(&mut command);
        wait_for("the test agent to listen", || {
            lines.text().contains("OTLP GRPC server on port").then_some(())
        });
        TestAgent { address: SocketAddr::from(([127, 0, 0, 1], port)), _process: process }
    }

    /// Every check ran, and none failed.
    fn expect_clean(&self) {
        let failures = get(self.address, "/test/trace_check/failures?return_all=true").unwrap();
        assert_eq!(failures.status, 200, "{}", failures.text());
        let summary = get(self.address, "/test/trace_check/summary?return_all=true").unwrap();
        let summary: Value = serde_json::from_slice(&summary.body).unwrap();
        for check in CHECKS {
            let number = |what: &str| summary[check][what].as_u64().unwrap_or_default();
            assert_eq!(number("Failed_Checks"), 0, "{check}: {summary}");
            assert!(number("Passed_Checks") + number("Skipped_Checks") > 0, "{check} did not run: {summary}");
        }
    }
}

/// A tracer that talks to the test agent, which talks to pillion, whose answer the tracer gets.
fn clean_between(tracer: Tracer, version: &str) {
    let mut scene = Scene::start(Setup::new());
    let between = TestAgent::start(&scene.agent);
    // At its start it asks for a path of another product, whether its key is valid.
    scene.refused_requests = 1.0;
    let mut client = tracer.client(&format!("http://{}", between.address), version);
    if tracer == Tracer::Node {
        client.arg("no-statsd");
    }
    let marks = if tracer == Tracer::Node { NODE } else { PYTHON };
    arrives(scene, tracer, marks, &mut client);
    between.expect_clean();
}

#[test]
fn the_test_agent_between_node_and_pillion_finds_nothing() {
    clean_between(Tracer::Node, "0.4");
}

#[test]
fn the_test_agent_between_node_with_v05_and_pillion_finds_nothing() {
    clean_between(Tracer::Node, "0.5");
}

#[test]
fn the_test_agent_between_python_and_pillion_finds_nothing() {
    clean_between(Tracer::Python, "0.5");
}
