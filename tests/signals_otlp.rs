//! Metrics of OpenTelemetry's SDKs go through the real binary and arrive, the same everywhere and with exact values, at
//! a receiver that is not ours and in the JSON lines file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::books::{POINTS, expect_books_of};
use harness::measured::{self, Way};
use harness::points::points;
use harness::post::{otlp_to, points_of};
use harness::receiver::Receiver;
use harness::recorder::{Heard, Recorder};
use harness::scene::{Scene, sent_by};
use harness::sdk::Compression::{self, Gzip, None};
use harness::sdk::Protocol::{self, Grpc, HttpJson, HttpProtobuf};
use harness::sdk::Sdk::{self, Node, Python};
use harness::sdk::Temporality::{self, Cumulative, Delta};
use harness::tool::run;
use harness::{Setup, wait_for_or_tell};
use serde_json::json;

/// Runs an app for each of `services`, one after another, and asserts what arrives; a service named twice is an app that
/// was started again.
fn arrives(
    sdk: Sdk,
    protocol: Protocol,
    temporality: Temporality,
    compression: Compression,
    services: &[&str],
) {
    let scene = Scene::start(Setup::new());
    for service in services {
        sent_by(&mut sdk.metrics(&scene.agent, protocol, temporality, compression, service));
    }
    let points = scene.points(services.len() * measured::count(temporality));
    for service in services {
        let runs = services.iter().filter(|other| *other == service).count();
        measured::expect(&points, sdk, temporality, service, runs);
    }
    scene.expect_ledger_of(POINTS, "otlp", points.len());
    scene.stop_of(POINTS, points.len());
}

/// A test for each line; what each of them sends stands in `harness/measured.rs`.
macro_rules! cases {
    ($($test:ident: $sdk:ident, $protocol:ident, $temporality:ident, $compression:ident, $services:expr;)*) => {$(
        #[test]
        fn $test() {
            arrives($sdk, $protocol, $temporality, $compression, &$services);
        }
    )*};
}

#[rustfmt::skip]
cases! {
    // test                             SDK     protocol      temporality compression services
    python_over_grpc_with_totals:       Python, Grpc,         Cumulative, None,       ["shop"];
    python_over_grpc_with_deltas:       Python, Grpc,         Delta,      Gzip,       ["shop"];
    python_over_protobuf_with_totals:   Python, HttpProtobuf, Cumulative, Gzip,       ["shop"];
    python_over_protobuf_with_deltas:   Python, HttpProtobuf, Delta,      None,       ["shop"];
    node_over_grpc_with_totals:         Node,   Grpc,         Cumulative, Gzip,       ["shop"];
    node_over_grpc_with_deltas:         Node,   Grpc,         Delta,      None,       ["shop"];
    node_over_protobuf_with_totals:     Node,   HttpProtobuf, Cumulative, Gzip,       ["shop"];
    node_over_protobuf_with_deltas:     Node,   HttpProtobuf, Delta,      None,       ["shop"];
    node_over_json_with_totals:         Node,   HttpJson,     Cumulative, None,       ["shop"];
    node_over_json_with_deltas:         Node,   HttpJson,     Delta,      Gzip,       ["shop"];
    // The same metrics of another resource are other metrics.
    two_services_stay_two_with_totals:  Python, Grpc,         Cumulative, None,       ["shop", "stock"];
    two_services_stay_two_with_deltas:  Node,   HttpJson,     Delta,      None,       ["shop", "stock"];
    // An app that is started again counts from zero.
    a_restart_is_told_by_python:        Python, HttpProtobuf, Cumulative, None,       ["shop", "shop"];
    a_restart_is_told_by_node:          Node,   Grpc,         Cumulative, None,       ["shop", "shop"];
    a_restart_adds_to_deltas:           Node,   HttpProtobuf, Delta,      None,       ["shop", "shop"];
}

/// One backend wants totals, one deltas, and one what came: each gets all of it, and the books say so. Not for totals
/// of Node, whose observable counters begin where they are seen first.
fn becomes_what_backends_want(sdk: Sdk, protocol: Protocol, from: Temporality) {
    let receiver = Receiver::start();
    let agent = Setup::new().toml(receiver.converting_toml()).toml(receiver.json_toml()).start();
    sent_by(&mut sdk.metrics(&agent, protocol, from, None, "shop"));
    let count = measured::count(from);
    for (transport, to) in [("grpc", Cumulative), ("http", Delta), ("json", from)] {
        let enough =
            || Some(points(&receiver.requests(transport, "metrics"))).filter(|all| all.len() >= count);
        let state = || format!("{}\n{}\n{}", agent.status(), agent.log(), receiver.log());
        let points = wait_for_or_tell(&format!("{count} points over {transport}"), enough, state);
        measured::expect_made(&points, sdk, Way { from, to }, "shop", 1);
    }
    let all = json!({ "sent": count, "dropped": {}, "waiting": 0, "in_flight": 0 });
    let backends = json!({ "grpc": all, "http": all, "json": all });
    let books = json!({ "received": count, "pending": 0, "no_backend": 0, "backends": backends });
    expect_books_of(POINTS, &agent, &books);
    let conversions = &agent.status()["points"]["conversions"];
    let other = if from == Delta { 0 } else { 1 };
    assert_eq!(conversions[1 - other]["converted"], 0, "{conversions:#}");
    assert!(conversions[other]["converted"].as_u64().unwrap() > 0, "{conversions:#}");
}

#[test]
fn deltas_of_python_become_totals() {
    becomes_what_backends_want(Python, Grpc, Delta);
}

#[test]
fn totals_of_python_become_deltas() {
    becomes_what_backends_want(Python, HttpProtobuf, Cumulative);
}

#[test]
fn deltas_of_node_become_totals() {
    becomes_what_backends_want(Node, HttpJson, Delta);
}

/// An app that is refused, for want of room at a backend, sends again: all arrives once, and the refusals are counted.
fn is_refused_and_sends_again(sdk: Sdk, protocol: Protocol) {
    let recorder = Recorder::stuck();
    let backend = format!(
        "[backends.stuck]\ntype = \"otlp\"\nprotocol = \"http/json\"\nendpoint = \"{}\"\nqueue_bytes = 1\n\
         [traces]\nbatch_age = \"0s\"",
        recorder.url()
    );
    let agent = Setup::new().toml(backend).start();
    // One batch is under way, and another fills the queue.
    assert_eq!(otlp_to(&agent, "/v1/metrics", &points_of(1..=5)).status, 200);
    recorder.wait(1);
    assert_eq!(otlp_to(&agent, "/v1/metrics", &points_of(6..=10)).status, 200);
    std::thread::scope(|scope| {
        let app = scope.spawn(|| run(&mut sdk.metrics(&agent, protocol, Cumulative, None, "stock")));
        let for_want_of_room = [("protocol", "otlp"), ("reason", "queue_full")];
        agent.page_with("a refusal", |page| {
            (page.sum("pillion_points_refused_total", &for_want_of_room) > 0.0).then_some(())
        });
        recorder.release();
        app.join().unwrap();
    });
    let count = 10 + measured::count(Cumulative);
    let stuck = json!({ "sent": count, "dropped": {}, "waiting": 0, "in_flight": 0 });
    let books = json!({ "received": count, "pending": 0, "no_backend": 0, "backends": { "stuck": stuck } });
    expect_books_of(POINTS, &agent, &books);
    let requests: Vec<_> = recorder.heard().iter().map(Heard::json).collect();
    measured::expect(&points(&requests), sdk, Cumulative, "stock", 1);
}

#[test]
fn python_is_refused_and_sends_again() {
    is_refused_and_sends_again(Python, Grpc);
}

#[test]
fn node_is_refused_and_sends_again() {
    is_refused_and_sends_again(Node, HttpJson);
}
