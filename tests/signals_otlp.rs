//! Metrics and logs of OpenTelemetry's SDKs go through the real binary and arrive, the same everywhere and with exact
//! values, at a receiver that is not ours and in the JSON lines file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::Setup;
use harness::books::{POINTS, RECORDS};
use harness::scene::{Scene, sent_by};
use harness::tool::{node, python};
use serde_json::{Value, json};
use std::process::Command;

const DELTA: i64 = 1;
const CUMULATIVE: i64 = 2;
/// The span in which records (and, where an SDK makes them, exemplars) were made.
const TRACE_ID: &str = "640cfd8d00000000778ac6d9d5a3b001";
const SPAN_ID: &str = "3000000000000001";

/// Sends with a client and asserts what both SDKs send.
fn arrives(temporality: i64, client: impl FnOnce(&Scene) -> Command) {
    let scene = Scene::start(Setup::new());
    let sent = sent_by(&mut client(&scene));
    // The client got an answer to each of its requests: this is all.
    let count = scene.agent.page().sum("pillion_points_received_total", &[]) as usize;
    let points = scene.points(count);
    expect_metrics(&points, temporality);
    let records = scene.log_records(sent["records"].as_u64().unwrap() as usize);
    expect_records(&records);
    scene.expect_ledger_of(POINTS, "otlp", points.len());
    scene.expect_ledger_of(RECORDS, "otlp", records.len());
    scene.stop(0);
}

/// The points of one series, by time.
fn series<'a>(points: &'a [Value], name: &str, attributes: &Value) -> Vec<&'a Value> {
    let all = points.iter().map(|point| &point["point"]);
    let mut found: Vec<&Value> =
        all.filter(|point| point["name"] == name && point["attributes"] == *attributes).collect();
    found.sort_by_key(|point| point["time"].as_i64());
    assert!(!found.is_empty(), "no point of {name} {attributes}: {points:#?}");
    found
}

/// What a sum came to: deltas added up, or the last total.
fn total(points: &[&Value], temporality: i64, of: impl Fn(&Value) -> f64) -> f64 {
    assert!(points.iter().all(|point| point["temporality"] == temporality), "{points:#?}");
    match temporality {
        DELTA => points.iter().map(|point| of(point)).sum(),
        _ => of(points.last().unwrap()),
    }
}

fn expect_metrics(points: &[Value], temporality: i64) {
    for point in points {
        let around = &point["around"];
        for (key, value) in
            [("service.name", "shop"), ("service.version", "1.2.3"), ("service.instance.id", "i-7")]
        {
            assert_eq!(around["resource"][key], value, "{point:#}");
        }
        assert_eq!(around["scope"], json!(["checkout", "4.5.6"]));
        let point = &point["point"];
        let (start, time) = (point["start"].as_i64().unwrap(), point["time"].as_i64().unwrap());
        assert!(time > 1_600_000_000_000_000_000 && start <= time, "{point:#}");
    }
    let value = |point: &Value| point["value"].as_f64().unwrap();
    let none = json!({});
    let books = series(points, "orders", &json!({ "kind": "book", "paid": true }));
    let pens = series(points, "orders", &json!({ "kind": "pen", "paid": false }));
    assert_eq!(total(&books, temporality, value), 7.0);
    assert_eq!(total(&pens, temporality, value), 2.0);
    assert_eq!(
        (&books[0]["value"], &books[0]["unit"], &books[0]["description"], &books[0]["monotonic"]),
        (&json!(3), &json!("{order}"), &json!("Orders taken."), &json!(true))
    );
    let weight = series(points, "weight", &none);
    assert_eq!((total(&weight, temporality, value), &weight[0]["value"]), (2.5, &json!(2.5)));
    // Whatever is preferred, a sum that may fall is a running total.
    let queue = series(points, "queue.length", &none);
    assert_eq!((total(&queue, CUMULATIVE, value), &queue[0]["monotonic"]), (4.0, &json!(false)));
    let temperature = series(points, "temperature", &none);
    assert_eq!(temperature.iter().map(|point| value(point)).collect::<Vec<_>>(), [21.5, 22.5]);
    expect_histograms(points, temporality);
}

fn expect_histograms(points: &[Value], temporality: i64) {
    let none = json!({});
    let count = |point: &Value| point["count"].as_f64().unwrap();
    let sum = |point: &Value| point["sum"].as_f64().unwrap();
    let latency = series(points, "latency", &none);
    let first = latency[0];
    assert_eq!((&first["kind"], &first["unit"]), (&json!("histogram"), &json!("ms")));
    assert_eq!((&first["bounds"], &first["counts"]), (&json!([10.0, 100.0]), &json!([1, 1, 1])), "{first:#}");
    assert_eq!((&first["min"], &first["max"]), (&json!(3.0), &json!(300.0)));
    assert_eq!((total(&latency, temporality, count), total(&latency, temporality, sum)), (4.0, 338.0));
    let last = if temporality == DELTA { json!([1, 0, 0]) } else { json!([2, 1, 1]) };
    assert_eq!(latency[1]["counts"], last);

    let size = series(points, "size", &none);
    let first = size[0];
    assert_eq!((&first["kind"], &first["zero"]), (&json!("exponentialHistogram"), &json!([1])), "{first:#}");
    assert_eq!((total(&size, temporality, count), total(&size, temporality, sum)), (5.0, 15.0));
    // 1, 2 and 4 in buckets of the base 2^(2^-scale).
    let scale = first["scale"].as_i64().unwrap();
    let (offset, counts) = (first["positive"][0].as_i64().unwrap(), &first["positive"][1]);
    let held = counts.as_array().unwrap().iter().enumerate().filter(|(_, count)| **count != 0);
    let bounds: Vec<f64> = held
        .map(|(at, count)| {
            assert_eq!(*count, 1);
            let upper = offset + at as i64 + 1;
            (upper as f64 * 2_f64.powi(-scale as i32)).exp2()
        })
        .collect();
    assert_eq!(bounds.len(), 3, "{first:#}");
    for (upper, value) in bounds.iter().zip([1.0, 2.0, 4.0]) {
        let base = 2_f64.powi(-scale as i32).exp2();
        assert!(value <= upper * 1.000_001 && value > upper / base * 0.999_999, "{value} {upper} {first:#}");
    }
}

fn expect_records(records: &[Value]) {
    let with = |body: &str| {
        let found = records.iter().find(|record| record["record"]["body"] == body);
        found.unwrap_or_else(|| panic!("{body}: {records:#?}"))
    };
    let order = with("order taken");
    assert_eq!(order["around"]["resource"]["service.instance.id"], "i-7");
    assert_eq!(order["around"]["scope"][0], "checkout");
    let order = &order["record"];
    assert_eq!(order["severity"], 9, "{order:#}");
    let wanted = [("order.id", json!("Bücher-7")), ("order.count", json!(2)), ("order.paid", json!(true))];
    for (key, value) in wanted {
        assert_eq!(order["attributes"][key], value, "{order:#}");
    }
    assert_eq!((&order["trace_id"], &order["span_id"]), (&json!(""), &json!("")));
    let declined = &with("card declined: no credit")["record"];
    assert_eq!((&declined["severity"], &declined["severity_text"]), (&json!(17), &json!("ERROR")));
    assert_eq!((&declined["trace_id"], &declined["span_id"]), (&json!(TRACE_ID), &json!(SPAN_ID)));
    assert!(declined["observed"].as_i64().unwrap() > 1_600_000_000_000_000_000, "{declined:#}");
}

fn word(temporality: i64) -> &'static str {
    if temporality == DELTA { "delta" } else { "cumulative" }
}

fn client(mut command: Command, protocol: &str, url: String, temporality: i64, more: &[&str]) -> Command {
    command.args([protocol, &url, word(temporality)]).args(more);
    command
}

fn grpc(scene: &Scene) -> String {
    format!("http://{}", scene.agent.otlp_grpc())
}

fn http(scene: &Scene) -> String {
    format!("http://{}", scene.agent.otlp_http())
}

fn in_python(protocol: &str, url: fn(&Scene) -> String, temporality: i64, more: &[&str]) {
    arrives(temporality, |scene| client(python("otel_metrics.py"), protocol, url(scene), temporality, more));
}

fn in_node(protocol: &str, url: fn(&Scene) -> String, temporality: i64, more: &[&str]) {
    arrives(temporality, |scene| client(node("otel_metrics.js"), protocol, url(scene), temporality, more));
}

#[test]
fn python_over_grpc_with_totals() {
    in_python("grpc", grpc, CUMULATIVE, &[]);
}

#[test]
fn python_over_grpc_with_deltas_and_gzip() {
    in_python("grpc", grpc, DELTA, &["gzip"]);
}

#[test]
fn python_over_http_in_protobuf_with_totals() {
    in_python("http-protobuf", http, CUMULATIVE, &[]);
}

#[test]
fn python_over_http_in_protobuf_with_deltas() {
    in_python("http-protobuf", http, DELTA, &[]);
}

#[test]
fn node_over_grpc_with_totals() {
    in_node("grpc", grpc, CUMULATIVE, &[]);
}

#[test]
fn node_over_grpc_with_deltas() {
    in_node("grpc", grpc, DELTA, &[]);
}

#[test]
fn node_over_http_in_protobuf_with_totals() {
    in_node("http-protobuf", http, CUMULATIVE, &["gzip"]);
}

#[test]
fn node_over_http_in_protobuf_with_deltas() {
    in_node("http-protobuf", http, DELTA, &[]);
}

#[test]
fn node_over_http_in_json_with_totals() {
    in_node("http-json", http, CUMULATIVE, &[]);
}

#[test]
fn node_over_http_in_json_with_deltas() {
    in_node("http-json", http, DELTA, &["gzip"]);
}
