//! Spans that are refused or lost, for each reason, and the books: received is sent, dropped by reason, waiting
//! or in flight. What is refused is its client's, who was told so, and stands apart.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::books::{books, expect_books};
use harness::http::{Answer, post};
use harness::page::Page;
use harness::post::{datadog, datadog_of, otlp, otlp_of, zipkin, zipkin_of};
use harness::recorder::{Heard, Recorder, Reply, as_named};
use harness::{Agent, Setup, wait_for};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

/// Every request is a batch of its own.
const PROMPT: &str = "[traces]\nbatch_age = \"0s\"\n";
const REAL_STATUS: [(&str, &str); 1] = [("datadog-send-real-http-status", "true")];

fn zipkin_backend(name: &str, recorder: &Recorder, more: &str) -> String {
    format!("[backends.{name}]\ntype = \"zipkin\"\nendpoint = \"{}/{name}\"\n{more}\n", recorder.url())
}

/// A backend that waits for its server's answer, and has room for one batch behind it.
fn stuck_backend(recorder: &Recorder) -> String {
    zipkin_backend("stuck", recorder, "queue_bytes = 1")
}

fn backend(sent: u64, waiting: u64, in_flight: u64, dropped: Value) -> Value {
    json!({ "sent": sent, "dropped": dropped, "waiting": waiting, "in_flight": in_flight })
}

fn expect(agent: &Agent, received: u64, backends: &Value) {
    expect_books(
        agent,
        &json!({ "received": received, "pending": 0, "no_backend": 0, "backends": backends }),
    );
}

/// By gRPC, as protobuf.
fn grpc(agent: &Agent, request: &Value) -> Result<(), Status> {
    let request: ExportTraceServiceRequest = serde_json::from_value(request.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let endpoint = format!("http://{}", agent.otlp_grpc());
        let channel = tonic::transport::Endpoint::try_from(endpoint).unwrap().connect().await.unwrap();
        TraceServiceClient::new(channel).export(request).await.map(|_| ())
    })
}

/// Fills the queue: one batch in flight, one that waits, ten spans in all.
fn fill(agent: &Agent, recorder: &Recorder) {
    assert_eq!(otlp(agent, &otlp_of(1..=5)).status, 200);
    recorder.wait(1);
    assert_eq!(otlp(agent, &otlp_of(6..=10)).status, 200);
}

fn expect_come_again(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.text().contains("no room"), "{}", answer.text());
}

#[test]
fn with_a_full_queue_every_protocol_refuses_in_its_own_words_and_takes_again_later() {
    let recorder = Recorder::stuck();
    let agent = Setup::new().toml(stuck_backend(&recorder) + PROMPT).start();
    fill(&agent, &recorder);
    expect(&agent, 10, &json!({ "stuck": backend(0, 5, 5, json!({})) }));

    expect_come_again(&otlp(&agent, &otlp_of(11..=12)));
    expect_come_again(&zipkin(&agent, &zipkin_of(11..=13)));
    let refused = grpc(&agent, &otlp_of(11..=14)).unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("no room"), "{refused}");
    let details = String::from_utf8_lossy(refused.details()).into_owned();
    assert!(details.contains("google.rpc.RetryInfo"), "{details}");
    assert_eq!(datadog(&agent, &datadog_of(11..=15), &REAL_STATUS).status, 429);
    // Tracers that do not ask for it are told nothing, and the books all the same.
    let quiet = datadog(&agent, &datadog_of(11..=16), &[]);
    assert_eq!((quiet.status, &*quiet.text()), (200, r#"{"rate_by_service":{"service:,env:":1}}"#));

    for (protocol, spans) in [("otlp", 2.0 + 4.0), ("zipkin", 3.0), ("datadog", 5.0 + 6.0)] {
        let labels = [("protocol", protocol), ("reason", "queue_full")];
        agent.expect("pillion_spans_refused_total", &labels, spans);
    }
    for (protocol, requests) in [("otlp", 2.0), ("zipkin", 1.0), ("datadog", 1.0)] {
        let labels = [("protocol", protocol), ("reason", "queue_full")];
        agent.expect("pillion_intake_refused_total", &labels, requests);
    }
    // What was refused is in no other column.
    expect(&agent, 10, &json!({ "stuck": backend(0, 5, 5, json!({})) }));

    recorder.release();
    expect(&agent, 10, &json!({ "stuck": backend(10, 0, 0, json!({})) }));
    assert_eq!(grpc(&agent, &otlp_of(11..=14)).map_err(|status| status.to_string()), Ok(()));
    assert_eq!(zipkin(&agent, &zipkin_of(15..=16)).status, 202);
    expect(&agent, 16, &json!({ "stuck": backend(16, 0, 0, json!({})) }));
    assert_eq!(agent.stop().status.code(), Some(0));
}

/// While one queue has room spans are taken, and the full one counts what it missed.
#[test]
fn a_full_queue_beside_one_with_room_counts_what_it_cannot_take() {
    let (stuck, willing) = (Recorder::stuck(), Recorder::willing());
    let toml = stuck_backend(&stuck) + &zipkin_backend("willing", &willing, "") + PROMPT;
    let agent = Setup::new().toml(toml).start();
    fill(&agent, &stuck);
    assert_eq!(otlp(&agent, &otlp_of(11..=13)).status, 200);
    assert_eq!(datadog(&agent, &datadog_of(14..=15), &REAL_STATUS).status, 200);
    let backends = |sent, waiting, in_flight| {
        json!({
            "stuck": backend(sent, waiting, in_flight, json!({ "queue_full": 5 })),
            "willing": backend(15, 0, 0, json!({})),
        })
    };
    expect(&agent, 15, &backends(0, 5, 5));
    stuck.release();
    expect(&agent, 15, &backends(10, 0, 0));
    agent.page_with("nothing refused", |page| {
        (page.sum("pillion_spans_refused_total", &[]) == 0.0).then_some(())
    });
}

#[test]
fn without_a_backend_spans_are_taken_and_counted_as_dropped() {
    let agent = Setup::new().toml(PROMPT).start();
    assert_eq!(otlp(&agent, &otlp_of(1..=2)).status, 200);
    assert_eq!(datadog(&agent, &datadog_of(3..=5), &[]).status, 200);
    assert_eq!(zipkin(&agent, &zipkin_of(6..=9)).status, 202);
    expect_books(&agent, &json!({ "received": 9, "pending": 0, "no_backend": 9, "backends": {} }));
    let remedy = agent.status()["spans"]["remedy"].as_str().unwrap().to_owned();
    assert!(remedy.contains("no backend carries traces"), "{remedy}");
}

/// What each backend of the next test answers.
fn each_in_its_way(heard: &Heard) -> Reply {
    let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "no".to_owned() };
    as_named(heard, ExportTraceServiceResponse { partial_success: Some(partial) })
}

#[test]
fn every_backend_counts_what_it_lost_by_its_reason() {
    let recorder = Recorder::start(|_, heard| each_in_its_way(heard));
    let url = recorder.url();
    let mut toml = String::new();
    for name in ["poison", "unauthorized", "retries_exhausted", "too_large", "willing"] {
        toml += &zipkin_backend(name, &recorder, "retry_elapsed = \"0s\"");
    }
    toml +=
        &format!("[backends.partial]\ntype = \"otlp\"\nprotocol = \"http\"\nendpoint = \"{url}/partial\"\n");
    toml += &format!(
        "[backends.unsupported]\ntype = \"datadog\"\napi_key = \"k\"\nendpoint = \"{url}/unsupported\"\n"
    );
    let agent = Setup::new().toml(toml + PROMPT).start();

    // Datadog's ids are the lower half, which must not be 0.
    let mut request = otlp_of(1..=7);
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][6]["traceId"] =
        json!("640cfd8d000000000000000000000000");
    assert_eq!(otlp(&agent, &request).status, 200);
    let lost = |reason: &str, count: u64| backend(7 - count, 0, 0, json!({ reason: count }));
    let backends = json!({
        "poison": lost("poison", 7),
        "unauthorized": lost("unauthorized", 7),
        "retries_exhausted": lost("retries_exhausted", 7),
        "too_large": lost("too_large", 7),
        "partial": lost("partial", 3),
        "unsupported": lost("unsupported", 1),
        "willing": backend(7, 0, 0, json!({})),
    });
    expect(&agent, 7, &backends);
    let ended = agent.stop();
    assert!(ended.last_line.contains("lost=32"), "{}", ended.last_line);
}

/// Spans that no backend has taken at the deadline are lost, and said to be.
#[test]
fn what_a_shutdown_cuts_off_is_counted() {
    let (stuck, willing) = (Recorder::stuck(), Recorder::willing());
    let shutdown = "[shutdown]\nquiet = \"50ms\"\ndeadline = \"500ms\"\nawait_scrape = \"1m\"\n";
    let backends = zipkin_backend("stuck", &stuck, "") + &zipkin_backend("willing", &willing, "");
    let agent = Setup::new().toml(backends + PROMPT + shutdown).start();
    fill(&agent, &stuck);
    assert_eq!(otlp(&agent, &otlp_of(11..=13)).status, 200);
    let backends = json!({
        "stuck": backend(0, 8, 5, json!({})),
        "willing": backend(13, 0, 0, json!({})),
    });
    expect(&agent, 13, &backends);
    // A message that no scrape has shown keeps the page open until it was read.
    agent.send(&["orders.created:1|c"]);
    wait_for("the message", || (agent.status()["scrapes"]["messages_unfetched"] == 1).then_some(()));
    agent.signal("TERM");
    wait_for("the deadline", || agent.log().contains("waiting at most").then_some(()));
    expect_cut_off(&agent.page());
    let ended = agent.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
    assert_eq!(stuck.heard().len(), 1, "what waited was never sent");
}

fn expect_cut_off(page: &Page) {
    let traces = |name: &str, backend: &str, more: &[(&str, &str)]| {
        let labels = [&[("backend", backend), ("signal", "traces")], more].concat();
        page.of(name, &labels).map(|sample| sample.value).sum::<f64>()
    };
    assert_eq!(page.sum("pillion_spans_received_total", &[]), 13.0);
    for (backend, sent, dropped) in [("stuck", 0.0, 13.0), ("willing", 13.0, 0.0)] {
        assert_eq!(traces("pillion_backend_sent_total", backend, &[]), sent, "{}", page.text);
        assert_eq!(traces("pillion_backend_dropped_total", backend, &[]), dropped, "{}", page.text);
    }
    let shutdown = traces("pillion_backend_dropped_total", "stuck", &[("reason", "shutdown")]);
    assert_eq!(shutdown, 13.0, "{}", page.text);
}

/// A body beyond its protocol's limit is refused before it is read, with the limit and its option.
#[test]
fn bodies_beyond_their_limit_are_refused_and_counted() {
    let recorder = Recorder::willing();
    let limits = "[otlp]\nmax_http_bytes = \"4KiB\"\nmax_grpc_bytes = \"4KiB\"\n\
                  [zipkin]\nmax_bytes = \"4KiB\"\n[datadog]\nmax_bytes = \"4KiB\"\n";
    let agent = Setup::new().toml(zipkin_backend("willing", &recorder, "") + PROMPT + limits).start();
    let told = |answer: Answer| {
        assert_eq!(answer.status, 413, "{}", answer.text());
        assert!(answer.text().contains("4096"), "{}", answer.text());
    };
    told(otlp(&agent, &otlp_of(1..=100)));
    told(zipkin(&agent, &zipkin_of(1..=100)));
    told(datadog(&agent, &datadog_of(1..=100), &[]));
    let refused = grpc(&agent, &otlp_of(1..=100)).unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("4096"), "{refused}");
    // Small enough on the wire, and too large when it is inflated.
    let plain = zipkin_of(1..=1_000).to_string();
    let packed = zstd::bulk::compress(plain.as_bytes(), 19).unwrap();
    assert!(packed.len() < 4_096, "{}", packed.len());
    let headers = [("content-type", "application/json"), ("content-encoding", "zstd")];
    told(post(agent.zipkin(), "/api/v2/spans", &headers, &packed).unwrap());

    for (protocol, requests) in [("otlp", 2.0), ("zipkin", 2.0), ("datadog", 1.0)] {
        let labels = [("protocol", protocol), ("reason", "too_large")];
        agent.expect("pillion_intake_refused_total", &labels, requests);
    }
    expect(&agent, 0, &json!({ "willing": backend(0, 0, 0, json!({})) }));
    assert_eq!(zipkin(&agent, &zipkin_of(1..=2)).status, 202);
    expect(&agent, 2, &json!({ "willing": backend(2, 0, 0, json!({})) }));
}

/// The budget over all bodies: what does not fit is refused as with a full queue, and what left gives room.
#[test]
fn what_the_budget_cannot_hold_is_refused_until_something_left() {
    let recorder = Recorder::stuck();
    let budget = "[traces]\nbatch_age = \"0s\"\nbudget_bytes = \"64KiB\"\n";
    let agent = Setup::new().toml(zipkin_backend("stuck", &recorder, "") + budget).start();
    let mut taken = 0;
    let refused = wait_for("the budget to be used up", || {
        let answer = otlp(&agent, &otlp_of(taken + 1..=taken + 20));
        taken += if answer.status == 200 { 20 } else { 0 };
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(datadog(&agent, &datadog_of(1..=200), &REAL_STATUS).status, 429);
    assert_eq!(zipkin(&agent, &zipkin_of(1..=200)).status, 503);
    agent.expect("pillion_intake_refused_total", &[("reason", "queue_full")], 3.0);
    recorder.wait(1);
    expect(&agent, taken, &json!({ "stuck": backend(0, taken - 20, 20, json!({})) }));
    recorder.release();
    expect(&agent, taken, &json!({ "stuck": backend(taken, 0, 0, json!({})) }));
    agent.page_with("the budget to be free", |page| {
        (page.sum("pillion_traces_budget_held_bytes", &[]) == 0.0).then_some(())
    });
    assert_eq!(zipkin(&agent, &zipkin_of(1..=20)).status, 202);
    expect(&agent, taken + 20, &json!({ "stuck": backend(taken + 20, 0, 0, json!({})) }));
}

/// What is answered is in the books, also while it is gathered.
#[test]
fn what_is_gathered_is_pending() {
    let recorder = Recorder::willing();
    let slow = "[traces]\nbatch_age = \"1m\"\nbatch_spans = 10\n";
    let agent = Setup::new().toml(zipkin_backend("willing", &recorder, "") + slow).start();
    assert_eq!(otlp(&agent, &otlp_of(1..=4)).status, 200);
    let want = |received: u64, pending: u64, sent: u64| {
        let backends = json!({ "willing": backend(sent, 0, 0, json!({})) });
        json!({ "received": received, "pending": pending, "no_backend": 0, "backends": backends })
    };
    expect_books(&agent, &want(4, 4, 0));
    assert_eq!(zipkin(&agent, &zipkin_of(5..=10)).status, 202);
    expect_books(&agent, &want(10, 0, 10));
    assert_eq!(datadog(&agent, &datadog_of(11..=13), &[]).status, 200);
    expect_books(&agent, &want(13, 3, 10));
    assert_eq!(books(&agent)["pending"], 3);
    // The end sends what is gathered.
    let ended = agent.stop();
    assert!(ended.last_line.contains("lost=0"), "{}", ended.last_line);
    assert_eq!(
        recorder.wait(2).iter().map(|heard| heard.json().as_array().unwrap().len()).sum::<usize>(),
        13
    );
}
