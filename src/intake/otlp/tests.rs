//! OTLP's answers, by the protocol alone: what a server hands in, and what comes out.

use super::*;
use crate::otlp::batch::RefusedFor;
use crate::otlp::{Batch, Budget, NoRoom, Outlet};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use parking_lot::Mutex;
use prost::Message as _;
use std::sync::Arc;

/// Where spans go by gRPC.
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

struct Room(bool);

impl Outlet for Room {
    fn has_room(&self, _: Signal, _: usize, _: usize) -> bool {
        self.0
    }

    fn batch(&self, _: Batch) {}

    fn client_stats(&self, _: Bytes) -> Result<(), NoRoom> {
        Ok(())
    }
}

/// Room for all, which is kept.
#[derive(Default)]
struct Keeps(Mutex<Vec<Batch>>);

impl Outlet for Keeps {
    fn has_room(&self, _: Signal, _: usize, _: usize) -> bool {
        true
    }

    fn batch(&self, batch: Batch) {
        self.0.lock().push(batch);
    }

    fn client_stats(&self, _: Bytes) -> Result<(), NoRoom> {
        Ok(())
    }
}

fn otlp(origins: &[&str]) -> Otlp {
    otlp_with(origins, true)
}

fn otlp_with(origins: &[&str], room: bool) -> Otlp {
    let options = config::OtlpIntake {
        cors_origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        ..config::OtlpIntake::default()
    };
    Otlp::new(Batcher::new(Arc::new(Room(room)), &config::Traces::default()), &options)
}

fn head(method: Method, path: &str, headers: &[(&'static str, &str)]) -> Head {
    let headers =
        headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
    let headers: HeaderMap = headers.collect();
    let grpc =
        headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    Head { method, uri: path.parse().unwrap(), headers, grpc }
}

fn routed(otlp: &Otlp, head: &Head) -> String {
    match otlp.route(head) {
        Route::Read(Read { endpoint, limit }) => format!("read {endpoint} up to {limit}"),
        Route::Answer(answer) => shown(&answer),
    }
}

/// Status, headers, body and what gRPC says.
fn shown(answer: &Answer) -> String {
    let mut text = answer.status.as_str().to_owned();
    for (name, value) in &answer.headers {
        text += &format!("\n{name}: {}", value.to_str().unwrap());
    }
    text += &format!("\n{:?}", String::from_utf8_lossy(&answer.body));
    if let Some(status) = &answer.grpc {
        text += &format!("\ngRPC {}: {}", status.code, status.message);
    }
    if let Some(after) = answer.retry_after {
        text += &format!("\nretry after {after:?}");
    }
    text
}

fn take(otlp: &Otlp, head: &Head, body: &'static [u8]) -> Answer {
    let budget = Budget::new(1 << 20);
    let hold = budget.take(body.len()).unwrap();
    otlp.take(Request { head, endpoint: 0, body: Bytes::from_static(body), hold, budget: &budget })
}

#[test]
fn requests_find_their_way_by_path_method_and_type() {
    let otlp = otlp(&[]);
    let post = |path: &str, kind: &str| routed(&otlp, &head(Method::POST, path, &[("content-type", kind)]));
    assert_eq!(post("/v1/traces", "application/x-protobuf"), "read 0 up to 20971520");
    assert_eq!(post("/v1/traces", "Application/JSON; charset=utf-8"), "read 0 up to 20971520");
    assert_eq!(post(GRPC_PATH, "application/grpc"), "read 0 up to 16777216");
    insta::assert_snapshot!(post("/v1/traces", "text/plain"), @r#"
    415
    content-type: text/plain; charset=utf-8
    "the content type must be `application/x-protobuf` or `application/json`, and is `text/plain`\n"
    "#);
    for (endpoint, signal) in ["trace", "metrics", "logs"].into_iter().enumerate() {
        let service = signal[..1].to_uppercase() + &signal[1..] + "Service";
        let grpc = format!("/opentelemetry.proto.collector.{signal}.v1.{service}/Export");
        assert_eq!(post(&grpc, "application/grpc"), format!("read {endpoint} up to 16777216"));
        let http = format!("/v1/{}", if signal == "trace" { "traces" } else { signal });
        assert_eq!(post(&http, "application/json"), format!("read {endpoint} up to 20971520"));
    }
    insta::assert_snapshot!(post("/v1development/profiles", "application/json"), @r#"
    404
    content-type: application/json
    "{\"code\":12,\"message\":\"OTLP profiles are not taken here, only traces, metrics and logs\"}"
    gRPC 12: OTLP profiles are not taken here, only traces, metrics and logs
    "#);
    insta::assert_snapshot!(post("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", "application/grpc"), @r#"
    200
    content-type: text/plain; charset=utf-8
    ""
    gRPC 12: OTLP profiles are not taken here, only traces, metrics and logs
    "#);
    insta::assert_snapshot!(post("/", "application/json"), @r#"
    404
    content-type: text/plain; charset=utf-8
    "nothing is served at `/`; OTLP goes by POST to `/v1/traces`, `/v1/metrics`, `/v1/logs`, or by gRPC to `/opentelemetry.proto.collector.trace.v1.TraceService/Export` and its like\n"
    "#);
    insta::assert_snapshot!(routed(&otlp, &head(Method::GET, "/v1/logs", &[])), @r#"
    405
    content-type: text/plain; charset=utf-8
    allow: POST
    "`GET` is not allowed here; log records are sent by POST\n"
    "#);
    insta::assert_snapshot!(routed(&otlp, &head(Method::GET, "/v1/traces", &[])), @r#"
    405
    content-type: text/plain; charset=utf-8
    allow: POST
    "`GET` is not allowed here; spans are sent by POST\n"
    "#);
}

#[test]
fn an_empty_request_is_a_success_in_its_own_type() {
    let otlp = otlp(&[]);
    let of = |kind| head(Method::POST, "/v1/traces", &[("content-type", kind)]);
    insta::assert_snapshot!(shown(&take(&otlp, &of("application/json"), b" {} ")), @r#"
    200
    content-type: application/json
    "{}"
    "#);
}

/// One span of one resource.
const ONE_SPAN: &[u8] = b"\x0a\x25\x0a\x00\x12\x21\x12\x1f\x0a\x100123456789abcdef\x12\x0801234567\x2a\x01a";

#[test]
fn spans_are_passed_on_as_slices_that_hold_their_body() {
    let kept = Arc::new(Keeps::default());
    let options = config::Traces { batch_spans: 1, ..config::Traces::default() };
    let otlp = Otlp::new(Batcher::new(kept.clone(), &options), &config::OtlpIntake::default());
    let (budget, body) = (Budget::new(1 << 20), Bytes::from_static(ONE_SPAN));
    let hold = budget.take(body.len()).unwrap();
    let head = head(Method::POST, "/v1/traces", &[("content-type", "application/x-protobuf")]);
    let request = Request { head: &head, endpoint: 0, body: body.clone(), hold, budget: &budget };
    insta::assert_snapshot!(shown(&otlp.take(request)), @r#"
    200
    content-type: application/x-protobuf
    ""
    "#);
    let batch = kept.0.lock().pop().unwrap();
    assert_eq!((batch.items, batch.chunks.len()), (1, 1));
    assert_eq!(batch.chunks[0].bytes, body.slice(2..));
    assert_eq!(batch.chunks[0].bytes.as_ptr(), body[2..].as_ptr());
    assert_eq!(budget.held(), body.len());
    drop(batch);
    assert_eq!(budget.held(), 0);
}

#[test]
fn without_room_and_with_faults_nothing_is_taken() {
    let full = otlp_with(&[], false);
    let protobuf = head(Method::POST, "/v1/traces", &[("content-type", "application/x-protobuf")]);
    let answer = take(&full, &protobuf, ONE_SPAN);
    assert_eq!((answer.status.as_u16(), answer.retry_after), (503, Some(RETRY_AFTER)));
    let grpc = head(Method::POST, GRPC_PATH, &[("content-type", "application/grpc")]);
    insta::assert_snapshot!(shown(&take(&full, &grpc, ONE_SPAN)), @r#"
    503
    content-type: application/x-protobuf
    ""
    gRPC 14: there is no room for the spans: the backends do not keep up
    retry after 1s
    "#);
    let answer = take(&otlp(&[]), &protobuf, &ONE_SPAN[..ONE_SPAN.len() - 1]);
    assert_eq!(answer.status.as_u16(), 400);
    assert_eq!(answer.body, Bytes::from(status_message(3, &answer.grpc.unwrap().message)));
}

#[test]
fn a_faulty_span_is_left_out_and_named() {
    // A resource with one scope, which has an empty span and one whose span id is one byte long.
    const BODY: &[u8] = &[10, 9, 18, 7, 18, 0, 18, 3, 18, 1, 9];
    let outlet = Arc::new(Keeps::default());
    let batcher = Batcher::new(Arc::clone(&outlet) as Arc<dyn Outlet>, &config::Traces::default());
    let otlp = Otlp::new(batcher.clone(), &config::OtlpIntake::default());
    let post = head(Method::POST, "/v1/traces", &[("content-type", PROTOBUF)]);
    let grpc = head(Method::POST, GRPC_PATH, &[("content-type", "application/grpc")]);
    for (head, code) in [(&post, None), (&grpc, Some(0))] {
        let answer = take(&otlp, head, BODY);
        assert_eq!((answer.status, answer.grpc.map(|said| said.code)), (StatusCode::OK, code));
        let response = ExportTraceServiceResponse::decode(answer.body).unwrap();
        let partial = response.partial_success.unwrap();
        assert_eq!(partial.rejected_spans, 1);
        let why = "resource 0, scope 0, span 1: a span id has 1 bytes instead of 8";
        assert_eq!(partial.error_message, why);
    }
    batcher.close();
    let kept: Vec<Bytes> = outlet.0.lock()[0].chunks.iter().map(|chunk| chunk.bytes.clone()).collect();
    assert_eq!(kept, [&[18, 2, 18, 0][..]; 2]);
    let counts = batcher.counts(Signal::Traces);
    assert_eq!(
        (counts.received_of(Source::Otlp), counts.refused_of(Source::Otlp, RefusedFor::Invalid)),
        (2, 2)
    );
}

#[test]
fn faulty_points_and_records_are_left_out_and_named() {
    // Of one metric two points, the second with a wrong attribute; of two records, the second with a short id.
    const METRICS: &[u8] = &[10, 15, 18, 13, 18, 11, 42, 9, 10, 2, 64, 1, 10, 3, 58, 1, 8];
    const LOGS: &[u8] = &[10, 9, 18, 7, 18, 0, 18, 3, 74, 1, 9];
    let cases = [
        (Signal::Metrics, METRICS, "resource 0, scope 0, metric 0, point 1: the message ends inside a field"),
        (Signal::Logs, LOGS, "resource 0, scope 0, log record 1: a trace id has 1 bytes instead of 16"),
    ];
    for (signal, body, why) in cases {
        let outlet = Arc::new(Keeps::default());
        let batcher = Batcher::new(Arc::clone(&outlet) as Arc<dyn Outlet>, &config::Traces::default());
        let otlp = Otlp::new(batcher.clone(), &config::OtlpIntake::default());
        let head = head(Method::POST, signal.http_path(), &[("content-type", PROTOBUF)]);
        let (budget, body) = (Budget::new(1 << 20), Bytes::from_static(body));
        let hold = budget.take(body.len()).unwrap();
        let request = Request { head: &head, endpoint: signal as u16, body, hold, budget: &budget };
        // The answers of all signals have one shape.
        let partial = ExportTraceServiceResponse::decode(otlp.take(request).body).unwrap().partial_success;
        let partial = partial.unwrap();
        assert_eq!((partial.rejected_spans, &*partial.error_message), (1, why));
        batcher.close();
        let batch = outlet.0.lock().pop().unwrap();
        assert_eq!((batch.signal, batch.items), (signal, 1));
        let counts = batcher.counts(signal);
        assert_eq!(
            (counts.received_of(Source::Otlp), counts.refused_of(Source::Otlp, RefusedFor::Invalid)),
            (1, 1)
        );
    }
}

#[test]
fn in_json_it_is_the_same() {
    let scope =
        |signal: &str, items: &str| format!(r#"{{"resource{signal}":[{{"scope{signal}":[{{{items}}}]}}]}}"#);
    let cases = [
        (Signal::Traces, scope("Spans", r#""spans":[{},{"spanId":"09"},{"kind":[]}]"#)),
        (
            Signal::Metrics,
            scope("Metrics", r#""metrics":[{"gauge":{"dataPoints":[{},{"flags":-1}]}},{"unit":1}]"#),
        ),
        (Signal::Logs, scope("Logs", r#""logRecords":[{"body":"a"},{},"b"]"#)),
    ];
    let mut all = String::new();
    for (signal, body) in cases {
        let outlet = Arc::new(Keeps::default());
        let batcher = Batcher::new(Arc::clone(&outlet) as Arc<dyn Outlet>, &config::Traces::default());
        let otlp = Otlp::new(batcher.clone(), &config::OtlpIntake::default());
        let head = head(Method::POST, signal.http_path(), &[("content-type", JSON)]);
        let (budget, body) = (Budget::new(1 << 20), Bytes::from(body));
        let hold = budget.take(body.len()).unwrap();
        let request = Request { head: &head, endpoint: signal as u16, body, hold, budget: &budget };
        all += &(shown(&otlp.take(request)) + "\n");
        batcher.close();
        assert_eq!(outlet.0.lock()[0].items, 1);
        let counts = batcher.counts(signal);
        let books = (counts.received_of(Source::Otlp), counts.refused_of(Source::Otlp, RefusedFor::Invalid));
        assert_eq!(books, (1, 2));
    }
    insta::assert_snapshot!(all, @r#"
    200
    content-type: application/json
    "{\"partialSuccess\":{\"errorMessage\":\"resourceSpans[0].scopeSpans[0].spans[1].spanId: expected 16 hex digits, found 2 characters at line 1 column 60\",\"rejectedSpans\":\"2\"}}"
    200
    content-type: application/json
    "{\"partialSuccess\":{\"errorMessage\":\"resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[1].flags: invalid value: integer `-1`, expected a whole number from 0 to 4294967295 at line 1 column 87\",\"rejectedDataPoints\":\"2\"}}"
    200
    content-type: application/json
    "{\"partialSuccess\":{\"errorMessage\":\"resourceLogs[0].scopeLogs[0].logRecords[0].body: invalid type: a string, expected an object at line 1 column 57\",\"rejectedLogRecords\":\"2\"}}"
    "#);
}

#[test]
fn a_copy_without_the_faulty_is_under_the_budget() {
    const BODY: &[u8] = &[10, 9, 18, 7, 18, 0, 18, 3, 18, 1, 9];
    let outlet = Arc::new(Keeps::default());
    let batcher = Batcher::new(Arc::clone(&outlet) as Arc<dyn Outlet>, &config::Traces::default());
    let otlp = Otlp::new(batcher.clone(), &config::OtlpIntake::default());
    let post = head(Method::POST, "/v1/traces", &[("content-type", PROTOBUF)]);
    for (limit, status) in [(BODY.len() + 3, 503), (BODY.len() + 4, 200)] {
        let budget = Budget::new(limit);
        let hold = budget.take(BODY.len()).unwrap();
        let body = Bytes::from_static(BODY);
        let answer = otlp.take(Request { head: &post, endpoint: 0, body, hold, budget: &budget });
        assert_eq!(answer.status.as_u16(), status);
        // The copy waits, the body is gone.
        assert_eq!(budget.held(), if status == 200 { 4 } else { 0 });
    }
}

#[test]
fn what_cannot_be_read_is_told_in_the_type_of_the_request() {
    let otlp = otlp(&[]);
    let refuse = |kind, refusal| {
        shown(&otlp.refuse(&head(Method::POST, "/v1/traces", &[("content-type", kind)]), Some(0), &refusal))
    };
    insta::assert_snapshot!(refuse("application/json", Refusal::TooLarge { limit: 10 }), @r#"
    413
    content-type: application/json
    "{\"code\":8,\"message\":\"the body is larger than 10 bytes, as sent or decompressed\"}"
    gRPC 8: the body is larger than 10 bytes, as sent or decompressed
    "#);
    insta::assert_snapshot!(refuse("application/x-protobuf", Refusal::NoRoom), @r#"
    503
    content-type: application/x-protobuf
    "\u{8}\u{e}\u{12}@there is no room for the body at the moment; send it again later"
    gRPC 14: there is no room for the body at the moment; send it again later
    retry after 1s
    "#);
    insta::assert_snapshot!(refuse("application/grpc", Refusal::Unreadable("there is no message".into())), @r#"
    400
    content-type: application/x-protobuf
    ""
    gRPC 3: there is no message
    "#);
}

#[test]
fn pages_of_configured_origins_may_send() {
    let ask = |origin| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type, x-key"),
        ];
        head(Method::OPTIONS, "/v1/traces", &headers)
    };
    let shop = otlp(&["https://shop.example"]);
    insta::assert_snapshot!(routed(&shop, &ask("https://shop.example")), @r#"
    204
    access-control-allow-methods: POST
    access-control-allow-headers: content-type, x-key
    access-control-max-age: 7200
    vary: access-control-request-headers
    vary: origin
    access-control-allow-origin: https://shop.example
    ""
    "#);
    assert!(routed(&shop, &ask("https://evil.example")).starts_with("403"));
    assert!(routed(&otlp(&["*"]), &ask("https://any.example")).contains("access-control-allow-origin: *"));
    let none = routed(&otlp(&[]), &ask("https://shop.example"));
    assert!(none.starts_with("403") && !none.contains("access-control"), "{none}");
    let sent = head(
        Method::POST,
        "/v1/traces",
        &[("origin", "https://shop.example"), ("content-type", "application/json")],
    );
    let answer = take(&shop, &sent, b"{}");
    assert_eq!(answer.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");
    let refused = shop.refuse(&sent, Some(0), &Refusal::NoRoom);
    assert_eq!(refused.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");
}
