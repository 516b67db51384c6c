//! Data points and log records of OTLP that are refused or lost, for each reason, and the books: received is sent,
//! dropped by reason, waiting or in flight, of each signal by itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use flate2::Compression;
use flate2::write::GzEncoder;
use harness::books::{Counted, POINTS, RECORDS, SPANS, books_of, expect_books_of};
use harness::http::{Answer, post};
use harness::post::{otlp, otlp_of, otlp_to, points_of, records_of};
use harness::recorder::{Heard, Recorder, Reply, as_named};
use harness::{Agent, Setup};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use serde_json::{Value, json};
use std::io::Write as _;

/// Every request is a batch of its own.
const PROMPT: &str = "[traces]\nbatch_age = \"0s\"\n";
const BOTH: [Counted; 2] = [POINTS, RECORDS];

fn otlp_backend(name: &str, recorder: &Recorder, more: &str) -> String {
    let url = recorder.url();
    format!("[backends.{name}]\ntype = \"otlp\"\nprotocol = \"http\"\nendpoint = \"{url}/{name}\"\n{more}\n")
}

fn backend(sent: u64, waiting: u64, in_flight: u64, dropped: Value) -> Value {
    json!({ "sent": sent, "dropped": dropped, "waiting": waiting, "in_flight": in_flight })
}

fn path(counted: Counted) -> &'static str {
    if counted == POINTS { "/v1/metrics" } else { "/v1/logs" }
}

/// Sends an item of the signal for each of these numbers.
fn send(agent: &Agent, counted: Counted, numbers: impl IntoIterator<Item = u64>) -> Answer {
    let request = if counted == POINTS { points_of(numbers) } else { records_of(numbers) };
    otlp_to(agent, path(counted), &request)
}

fn expect(agent: &Agent, counted: Counted, received: u64, backends: &Value) {
    let books = json!({ "received": received, "pending": 0, "no_backend": 0, "backends": backends });
    expect_books_of(counted, agent, &books);
}

fn refused(counted: Counted) -> String {
    format!("pillion_{}_refused_total", counted.word)
}

#[test]
fn with_a_full_queue_a_request_is_refused_and_taken_later() {
    for counted in BOTH {
        let recorder = Recorder::stuck();
        let agent = Setup::new().toml(otlp_backend("stuck", &recorder, "queue_bytes = 1") + PROMPT).start();
        assert_eq!(send(&agent, counted, 1..=5).status, 200);
        recorder.wait(1);
        assert_eq!(send(&agent, counted, 6..=10).status, 200);
        let answer = send(&agent, counted, 11..=12);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.text());
        assert!(answer.text().contains("no room for the"), "{}", answer.text());
        agent.expect(&refused(counted), &[("protocol", "otlp"), ("reason", "queue_full")], 2.0);
        expect(&agent, counted, 10, &json!({ "stuck": backend(0, 5, 5, json!({})) }));
        recorder.release();
        expect(&agent, counted, 10, &json!({ "stuck": backend(10, 0, 0, json!({})) }));
        assert_eq!(send(&agent, counted, 11..=12).status, 200);
        expect(&agent, counted, 12, &json!({ "stuck": backend(12, 0, 0, json!({})) }));
        assert_eq!(agent.stop().status.code(), Some(0));
    }
}

/// Zipkin carries spans alone.
#[test]
fn without_a_backend_that_carries_them_they_are_taken_and_counted_as_dropped() {
    let recorder = Recorder::willing();
    let zipkin = format!("[backends.zipkin]\ntype = \"zipkin\"\nendpoint = \"{}\"\n", recorder.url());
    let unshown = "[metrics]\notlp = false\n";
    let agent = Setup::new().toml(zipkin + PROMPT + unshown).start();
    assert_eq!(send(&agent, POINTS, 1..=3).status, 200);
    assert_eq!(send(&agent, RECORDS, 1..=4).status, 200);
    for (counted, count) in [(POINTS, 3), (RECORDS, 4)] {
        let books = books_of(counted, &agent);
        assert_eq!((&books["received"], &books["no_backend"]), (&json!(count), &json!(count)), "{books:#}");
        let remedy = agent.status()[counted.word]["remedy"].as_str().unwrap().to_owned();
        let carries = format!("no backend carries {}", counted.signal);
        assert!(remedy.contains(&carries), "{remedy}");
        let name = format!("pillion_{}_dropped_total", counted.word);
        agent.expect(&name, &[("reason", "no_backend")], f64::from(count));
    }
    assert!(recorder.heard().is_empty());
}

/// Nobody else carries them, and they are not lost.
#[test]
fn without_a_backend_points_are_shown_on_the_page() {
    let agent = Setup::new().toml(PROMPT).start();
    assert_eq!(send(&agent, POINTS, 1..=3).status, 200);
    agent.expect("pillion_points_shown_total", &[], 3.0);
    let books = books_of(POINTS, &agent);
    assert_eq!((&books["received"], &books["no_backend"]), (&json!(3), &json!(0)), "{books:#}");
    let points = &agent.status()["points"];
    assert_eq!((&points["remedy"], &points["series"]["shown"]), (&json!(null), &json!(3)), "{points:#}");
    let ended = agent.stop();
    assert!(ended.last_line.contains("lost=0"), "{}", ended.last_line);
}

/// What cannot be a delta is counted at the backend that asked for deltas, and the other gets it.
#[test]
fn points_that_cannot_be_converted_are_counted_where_they_are_missing() {
    let recorder = Recorder::willing();
    let backends =
        otlp_backend("deltas", &recorder, "points = \"delta\"") + &otlp_backend("all", &recorder, "");
    let agent = Setup::new().toml(backends + PROMPT).start();
    let now_ns = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let point = |start: u64, at: u64, value: &str| json!({ "startTimeUnixNano": start.to_string(), "timeUnixNano": at.to_string(), "asDouble": value });
    // Without a start; from before the agent; twice; older; not a number.
    let sums = [
        ("a", vec![point(0, 1_000, "1"), point(0, 2_000, "2")]),
        ("b", vec![point(5, 1_000, "1")]),
        (
            "c",
            vec![
                point(now_ns, now_ns + 2, "1"),
                point(now_ns, now_ns + 2, "1"),
                point(now_ns, now_ns + 1, "0"),
            ],
        ),
        ("d", vec![point(now_ns, now_ns + 2, "NaN")]),
    ];
    let metric = |(name, points): (&str, Vec<Value>)| json!({ "name": name, "sum": { "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": points } });
    let metrics: Vec<Value> = sums.into_iter().map(metric).collect();
    let request = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": metrics }] }] });
    assert_eq!(otlp_to(&agent, "/v1/metrics", &request).status, 200);
    let dropped = json!({ "unknown_start": 1, "gap": 1, "stale": 2, "bad_value": 1 });
    expect(
        &agent,
        POINTS,
        7,
        &json!({ "deltas": backend(2, 0, 0, dropped), "all": backend(7, 0, 0, json!({})) }),
    );
    agent.expect("pillion_points_converted_total", &[("backend", "deltas")], 2.0);
    let ended = agent.stop();
    assert!(ended.last_line.contains("lost="), "{}", ended.last_line);
}

/// What each backend of the next test answers.
fn each_in_its_way(heard: &Heard) -> Reply {
    let partial = ExportMetricsPartialSuccess { rejected_data_points: 3, error_message: "no".to_owned() };
    as_named(heard, ExportMetricsServiceResponse { partial_success: Some(partial) })
}

#[test]
fn every_backend_counts_what_it_lost_by_its_reason() {
    for counted in BOTH {
        let recorder = Recorder::start(|_, heard| each_in_its_way(heard));
        let mut toml = String::new();
        for name in ["poison", "unauthorized", "retries_exhausted", "too_large", "willing"] {
            toml += &otlp_backend(name, &recorder, "retry_elapsed = \"0s\"");
        }
        toml += &otlp_backend("partial", &recorder, "");
        let agent = Setup::new().toml(toml + PROMPT).start();
        assert_eq!(send(&agent, counted, 1..=7).status, 200);
        let lost = |reason: &str, count: u64| backend(7 - count, 0, 0, json!({ reason: count }));
        let backends = json!({
            "poison": lost("poison", 7),
            "unauthorized": lost("unauthorized", 7),
            "retries_exhausted": lost("retries_exhausted", 7),
            "too_large": lost("too_large", 7),
            "partial": lost("partial", 3),
            "willing": backend(7, 0, 0, json!({})),
        });
        expect(&agent, counted, 7, &backends);
        let wanted = format!("/willing{}", path(counted));
        assert!(recorder.heard().iter().any(|heard| heard.path == wanted), "{wanted}");
        let ended = agent.stop();
        assert!(ended.last_line.contains("lost=31"), "{}", ended.last_line);
    }
}

/// A point with an attribute that ends inside a field, and a record with an id of one byte, each beside a sound one.
#[test]
fn faulty_ones_are_told_and_counted_and_their_neighbours_arrive() {
    const METRICS: &[u8] = &[10, 15, 18, 13, 18, 11, 42, 9, 10, 2, 64, 1, 10, 3, 58, 1, 8];
    const LOGS: &[u8] = &[10, 9, 18, 7, 18, 0, 18, 3, 74, 1, 9];
    let cases = [
        (POINTS, METRICS, "resource 0, scope 0, metric 0, point 1: the message ends inside a field"),
        (RECORDS, LOGS, "resource 0, scope 0, log record 1: a trace id has 1 bytes instead of 16"),
    ];
    for (counted, body, why) in cases {
        let agent = Setup::new().file_backend().toml(PROMPT).start();
        let protobuf = [("content-type", "application/x-protobuf")];
        let answer = post(agent.otlp_http(), path(counted), &protobuf, body).unwrap();
        assert_eq!(answer.status, 200);
        // The answers of all signals have one shape.
        let partial =
            ExportMetricsServiceResponse::decode(&answer.body[..]).unwrap().partial_success.unwrap();
        assert_eq!((partial.rejected_data_points, &*partial.error_message), (1, why));
        agent.expect(&refused(counted), &[("protocol", "otlp"), ("reason", "invalid")], 1.0);
        expect(&agent, counted, 1, &json!({ "file": backend(1, 0, 0, json!({})) }));
        // Nothing sound: the request is refused as a whole.
        let answer = post(agent.otlp_http(), path(counted), &protobuf, &body[..body.len() - 1]).unwrap();
        assert_eq!(answer.status, 400);
        expect(&agent, counted, 1, &json!({ "file": backend(1, 0, 0, json!({})) }));
    }
}

/// The same in JSON, as it is and compressed: beside a sound one, one that is wrong and one that is no item at all.
#[test]
fn faulty_ones_in_json_are_told_and_counted_and_their_neighbours_arrive() {
    let cases = [
        (
            POINTS,
            "Metrics",
            r#""metrics":[{"gauge":{"dataPoints":[{"asInt":"x"},{}]}},7]"#,
            "rejectedDataPoints",
        ),
        (RECORDS, "Logs", r#""logRecords":[{"traceId":"09"},{},7]"#, "rejectedLogRecords"),
    ];
    for (counted, signal, items, rejected) in cases {
        let agent = Setup::new().file_backend().toml(PROMPT).start();
        let body = format!(r#"{{"resource{signal}":[{{"scope{signal}":[{{{items}}}]}}]}}"#);
        let json_type = ("content-type", "application/json");
        for (times, headers, body) in [
            (1_u32, &[json_type][..], body.as_bytes().to_vec()),
            (2, &[json_type, ("content-encoding", "gzip")], gzip(body.as_bytes())),
        ] {
            let answer = post(agent.otlp_http(), path(counted), headers, &body).unwrap();
            let said: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!((answer.status, &said["partialSuccess"][rejected]), (200, &json!("2")), "{said}");
            let why = said["partialSuccess"]["errorMessage"].as_str().unwrap();
            assert!(why.starts_with(&format!("resource{signal}[0].scope{signal}[0].")), "{why}");
            let labels = [("protocol", "otlp"), ("reason", "invalid")];
            agent.expect(&refused(counted), &labels, 2.0 * f64::from(times));
            let sent = u64::from(times);
            expect(&agent, counted, sent, &json!({ "file": backend(sent, 0, 0, json!({})) }));
        }
        // Nothing sound: the request is refused as a whole.
        let answer =
            post(agent.otlp_http(), path(counted), &[json_type], body.replace(",{}", "").as_bytes()).unwrap();
        assert_eq!(answer.status, 400);
        expect(&agent, counted, 2, &json!({ "file": backend(2, 0, 0, json!({})) }));
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(body).unwrap();
    out.finish().unwrap()
}

#[test]
fn each_signal_is_gathered_and_counted_by_itself() {
    let recorder = Recorder::willing();
    let slow = "[traces]\nbatch_age = \"1m\"\nbatch_spans = 10\n";
    let agent = Setup::new().toml(otlp_backend("willing", &recorder, "") + slow).start();
    assert_eq!(otlp(&agent, &otlp_of(1..=9)).status, 200);
    assert_eq!(send(&agent, POINTS, 1..=8).status, 200);
    assert_eq!(send(&agent, RECORDS, 1..=7).status, 200);
    let status = agent.status();
    for (counted, count) in [(SPANS, 9), (POINTS, 8), (RECORDS, 7)] {
        assert_eq!(status[counted.word]["pending"], count, "{status:#}");
    }
    // A batch that is full goes alone.
    assert_eq!(send(&agent, POINTS, 9..=11).status, 200);
    let heard = recorder.wait(1);
    assert_eq!((heard.len(), &*heard[0].path), (1, "/willing/v1/metrics"));
    agent.expect("pillion_backend_sent_total", &[("signal", "metrics")], 11.0);
    agent.expect("pillion_points_pending", &[], 0.0);
    agent.expect("pillion_log_records_pending", &[], 7.0);
    // The end sends what is gathered.
    let ended = agent.stop();
    for part in ["spans=9", "points=11", "log_records=7", "delivered=27", "lost=0"] {
        assert!(ended.last_line.contains(part), "{part}: {}", ended.last_line);
    }
    let mut paths: Vec<String> = recorder.wait(3).into_iter().map(|heard| heard.path).collect();
    paths.sort();
    assert_eq!(paths, ["/willing/v1/logs", "/willing/v1/metrics", "/willing/v1/traces"]);
}
