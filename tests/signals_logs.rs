//! Log records go through the real binary and arrive, the same everywhere and field by field, at a receiver that is not
//! ours and in the JSON lines file: by OpenTelemetry's bridges of loggers, and StatsD's events and service checks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::Setup;
use harness::books::RECORDS;
use harness::measured::{SPAN_ID, TRACE_ID};
use harness::scene::{Scene, sent_by};
use harness::sdk::Compression::{self, Gzip, None};
use harness::sdk::Protocol::{self, Grpc, HttpJson, HttpProtobuf};
use harness::sdk::Sdk::{self, Node, Python};
use serde_json::{Value, json};

/// A way from a logger to records of OpenTelemetry.
struct Bridge {
    /// Its word for the script.
    word: &'static str,
    /// The scope that it gives its records.
    scope: &'static str,
    /// What it calls the levels.
    levels: [&'static str; 3],
    /// The class of what the script raises.
    exception: &'static str,
}

const LOUD: [&str; 3] = ["INFO", "WARN", "ERROR"];
const QUIET: [&str; 3] = ["info", "warn", "error"];

#[rustfmt::skip]
mod bridge {
    use super::{Bridge, LOUD, QUIET};

    /// Of Python's `logging`: the SDK's own handler, and its successor.
    pub(super) const SDK: Bridge =
        Bridge { word: "sdk", scope: "checkout", levels: LOUD, exception: "ValueError" };
    pub(super) const INSTRUMENTATION: Bridge =
        Bridge { word: "instrumentation", scope: "checkout", levels: LOUD, exception: "ValueError" };
    /// Of Node: none, and the loggers that most use.
    pub(super) const API: Bridge =
        Bridge { word: "api", scope: "checkout", levels: LOUD, exception: "TypeError" };
    pub(super) const WINSTON: Bridge =
        Bridge { word: "winston", scope: "@opentelemetry/winston-transport", levels: QUIET, exception: "TypeError" };
    pub(super) const PINO: Bridge =
        Bridge { word: "pino", scope: "@opentelemetry/instrumentation-pino", levels: QUIET, exception: "TypeError" };
}
use bridge::{API, INSTRUMENTATION, PINO, SDK, WINSTON};

/// A test for each line.
macro_rules! cases {
    ($($test:ident: $sdk:ident, $bridge:ident, $protocol:ident, $compression:ident;)*) => {$(
        #[test]
        fn $test() {
            arrives($sdk, &$bridge, $protocol, $compression);
        }
    )*};
}

#[rustfmt::skip]
cases! {
    // test                                    SDK     bridge           protocol      compression
    pythons_handler_of_the_sdk_over_grpc:      Python, SDK,             Grpc,         Gzip;
    pythons_handler_of_the_sdk_over_protobuf:  Python, SDK,             HttpProtobuf, None;
    pythons_newer_handler_over_grpc:           Python, INSTRUMENTATION, Grpc,         None;
    pythons_newer_handler_over_protobuf:       Python, INSTRUMENTATION, HttpProtobuf, Gzip;
    nodes_api_over_json:                       Node,   API,             HttpJson,     None;
    winston_over_grpc:                         Node,   WINSTON,         Grpc,         None;
    winston_over_protobuf:                     Node,   WINSTON,         HttpProtobuf, Gzip;
    winston_over_json:                         Node,   WINSTON,         HttpJson,     None;
    pino_over_grpc:                            Node,   PINO,            Grpc,         Gzip;
    pino_over_protobuf:                        Node,   PINO,            HttpProtobuf, None;
    pino_over_json:                            Node,   PINO,            HttpJson,     Gzip;
}

fn arrives(sdk: Sdk, bridge: &Bridge, protocol: Protocol, compression: Compression) {
    let scene = Scene::start(Setup::new());
    let sent = sent_by(&mut sdk.logs(&scene.agent, protocol, bridge.word, compression));
    assert_eq!(sent["records"], 3);
    let records = scene.log_records(3);
    expect_records(&records, bridge);
    scene.expect_ledger_of(RECORDS, "otlp", records.len());
    scene.stop_of(RECORDS, records.len());
}

/// What the scripts log: with attributes, in a span, and of an exception.
fn expect_records(records: &[Value], bridge: &Bridge) {
    let mut found: Vec<Value> = records.to_vec();
    found.sort_by_key(|of| of["record"]["time"].as_i64());
    let [info, warn, error] = bridge.levels;
    let exception =
        json!({ "exception.type": bridge.exception, "exception.message": "no route to the bank" });
    let order = json!({ "order.id": "Bücher-7", "order.count": 2, "order.paid": true });
    let (none, in_span) = (("", ""), (TRACE_ID, SPAN_ID));
    for (level, number, body, attributes, span) in [
        (info, 9, "order taken", order, none),
        (warn, 13, "card declined: no credit", json!({}), in_span),
        (error, 17, "payment failed", exception, none),
    ] {
        let at = found.iter().position(|of| of["record"]["body"] == body);
        let of = found.remove(at.unwrap_or_else(|| panic!("no record of {body}: {records:#?}")));
        assert_eq!(of["around"]["scope"][0], bridge.scope, "{of:#}");
        for (key, value) in
            [("service.name", "shop"), ("service.version", "1.2.3"), ("service.instance.id", "i-7")]
        {
            assert_eq!(of["around"]["resource"][key], value, "{of:#}");
        }
        let record = &of["record"];
        let severity = (&record["severity"], &record["severity_text"]);
        assert_eq!(severity, (&json!(number), &json!(level)), "{record:#}");
        assert_eq!(known(&record["attributes"]), attributes, "{record:#}");
        assert_eq!((&record["trace_id"], &record["span_id"]), (&json!(span.0), &json!(span.1)), "{record:#}");
        for time in ["time", "observed"] {
            assert!(record[time].as_i64().unwrap() > 1_600_000_000_000_000_000, "{record:#}");
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The attributes without those that say where in a script something was.
fn known(attributes: &Value) -> Value {
    let mut known = attributes.clone();
    let all = known.as_object_mut().unwrap();
    if let Some(file) = all.remove("code.file.path") {
        assert!(file.as_str().unwrap().ends_with("tests/clients/otel_logs.py"), "{attributes:#}");
        assert_eq!(all.remove("code.function.name"), Some(json!("<module>")), "{attributes:#}");
        assert!(all.remove("code.line.number").unwrap().is_i64(), "{attributes:#}");
    }
    if all.contains_key("exception.type") {
        let trace = all.remove("exception.stacktrace").unwrap();
        assert!(trace.as_str().unwrap().contains("no route to the bank\n"), "{attributes:#}");
    }
    known
}

/// StatsD's notes leave by the same way, as records of their own kinds.
#[test]
fn statsd_events_and_checks_leave_as_records() {
    let scene = Scene::start(Setup::new());
    let messages = [
        "_e{6,14}:Deploy|v2\\nis Größe|d:1700000001|h:web-1|k:deploys|p:low|s:ci|t:warning|#env:prod,title:mine,urgent",
        "_e{6,2}:Failed|!!|d:1700000002|t:error",
        "_sc|db.up|2|d:1700000003|h:web-2|#env:prod|m:no route",
        "_sc|db.up|0|d:1700000004",
    ];
    scene.agent.send(&messages);
    let records = scene.log_records(messages.len());
    let mut found: Vec<&Value> = records.iter().map(|of| &of["record"]).collect();
    found.sort_by_key(|record| record["time"].as_i64());
    #[rustfmt::skip]
    let wanted = [
        ("dogstatsd.event", 13, "WARN", "v2\nis Größe", json!({
            "title": "Deploy", "aggregation_key": "deploys", "source_type_name": "ci", "priority": "low",
            "alert_type": "warning", "host.name": "web-1", "env": "prod", "tag.title": "mine", "urgent": "",
        })),
        ("dogstatsd.event", 17, "ERROR", "!!", json!({
            "title": "Failed", "priority": "normal", "alert_type": "error",
        })),
        ("dogstatsd.service_check", 17, "ERROR", "no route", json!({
            "check": "db.up", "status": "CRITICAL", "host.name": "web-2", "env": "prod",
        })),
        ("dogstatsd.service_check", 9, "INFO", "", json!({ "check": "db.up", "status": "OK" })),
    ];
    for (at, (record, (event, severity, text, body, attributes))) in found.iter().zip(wanted).enumerate() {
        let kind = (&record["event"], &record["severity"], &record["severity_text"], &record["body"]);
        assert_eq!(kind, (&json!(event), &json!(severity), &json!(text), &json!(body)), "{record:#}");
        assert_eq!(record["attributes"], attributes, "{record:#}");
        assert_eq!(record["time"], (1_700_000_001 + at as i64) * 1_000_000_000, "{record:#}");
    }
    assert!(records.iter().all(|of| of["around"]["scope"][0] == "pillion"), "{records:#?}");
    let sent = messages.len() as f64;
    for backend in ["file", "grpc", "http", "json"] {
        let of = [("backend", backend), ("signal", "logs")];
        scene.agent.expect("pillion_backend_sent_total", &of, sent);
    }
    scene.stop_of(RECORDS, messages.len());
}
