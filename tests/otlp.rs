//! An OTLP receiver that is not ours hears the same sums over gRPC and over HTTP, and `jq` finds them
//! in the JSON lines file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::receiver::Receiver;
use harness::tool::{run, send_corpus, system};
use harness::{Setup, wait_for};
use serde_json::Value;

fn sums_arrive(temporality: &str) {
    let receiver = Receiver::start();
    let agent = Setup::new().toml(receiver.toml(temporality)).start();
    let want = send_corpus(&agent);
    for transport in ["grpc", "http"] {
        let reached = |report: &Value| report["counter_sum"].as_f64().unwrap() >= want;
        let report = receiver.wait(transport, &format!("{transport}: {want}"), reached);
        assert_eq!(report["counter_sum"].as_f64(), Some(want), "{transport}");
    }
    let ended = agent.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
    for transport in ["grpc", "http"] {
        let report = receiver.heard(transport).unwrap();
        assert_eq!(report["counter_sum"].as_f64(), Some(want), "{transport}, after the end");
    }
}

#[test]
fn delta_sums_arrive_over_grpc_and_http() {
    sums_arrive("delta");
}

#[test]
fn cumulative_sums_arrive_over_grpc_and_http() {
    sums_arrive("cumulative");
}

#[test]
fn timers_events_and_checks_arrive_over_both() {
    let receiver = Receiver::start();
    let agent = Setup::new().toml(receiver.toml("delta")).start();
    agent.send(&["checkout.latency:12|ms", "checkout.latency:13:14|ms"]);
    agent.send(&["_e{6,5}:deploy|is up|#env:dev", "_sc|database|2|m:no route"]);
    for transport in ["grpc", "http"] {
        let report = receiver.wait(transport, "three timings, an event and a check", |report| {
            report["histograms"]["checkout.latency"] == 3 && report["logs"].as_array().unwrap().len() == 2
        });
        let logs = report["logs"].to_string();
        for text in ["deploy", "is up", "database", "no route"] {
            assert!(logs.contains(text), "{transport}: {text} in {logs}");
        }
    }
}

/// What a reader with nothing but `jq` would write.
const SUM: &str = "[.[] | .resourceMetrics[]?.scopeMetrics[].metrics[] | select(.sum and (.name | startswith(\"pillion\") | not)) \
     | .sum | if .aggregationTemporality == 1 then .dataPoints[] else error(\"not delta\") end \
     | .asDouble // (.asInt | tonumber)] | add";

#[test]
fn jq_finds_the_same_sum_in_the_file() {
    let agent = Setup::new().file_backend().start();
    let want = send_corpus(&agent);
    let ended = agent.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
    let output = run(system("jq").args(["--slurp", SUM]).arg(ended.path(harness::FILE_BACKEND)));
    let found: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert_eq!(found, want);
}

/// A backend that never answers must not hold up the others, nor the page.
#[test]
fn a_dead_backend_delays_nobody() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = dead.local_addr().unwrap().port();
    let silent = format!(
        "[backends.silent]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:{port}\"\nprotocol = \"http\"\n\
         timeout = \"30s\"\n[shutdown]\ndeadline = \"2s\""
    );
    let agent = Setup::new().file_backend().toml(silent).start();
    agent.send(&["orders.created:5|c"]);
    agent.expect("orders_created_total", &[], 5.0);
    wait_for("the file to hold the counter", || {
        agent.records().iter().any(|line| line.to_string().contains("orders.created")).then_some(())
    });
    let ended = agent.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
}
