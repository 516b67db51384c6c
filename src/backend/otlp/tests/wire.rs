//! Real connections to scripted servers: one that speaks HTTP, one that speaks gRPC.

use super::*;
use crate::backend::tests::spans;
use crate::deliver::Payload;
use crate::otlp::Signal::Traces;
use crate::otlp::protobuf::Writer;
use crate::otlp::{Chunk, chunk, write};
use ::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tonic::codec::CompressionEncoding;
use tonic::codegen::Service;
use tonic::{Code, Status};

type Answer = Response<Full<Bytes>>;

/// What a server saw, and what it will say; `None` closes the connection instead.
#[derive(Default)]
struct Script {
    heads: Mutex<Vec<String>>,
    bodies: Mutex<Vec<Bytes>>,
    http: Mutex<VecDeque<Option<Answer>>>,
    grpc: Mutex<VecDeque<Result<ExportMetricsServiceResponse, Status>>>,
    /// Of each request with spans, so many are said to be rejected.
    rejects_spans: i64,
}

impl Script {
    fn note(&self, headers: &HeaderMap, what: &str) {
        let seen = ["content-type", "content-encoding", "grpc-encoding", "user-agent", "api-key"];
        let headers = seen.iter().filter_map(|name| {
            // tonic adds its own name and version behind ours.
            let value = headers.get(*name)?.to_str().unwrap();
            Some(format!(" {name}={}", value.split(" tonic/").next().unwrap()))
        });
        self.heads.lock().push(format!("{what}{}", headers.collect::<String>()));
    }
}

/// A server on a port of its own: says where it is, and gives each connection to `serve`.
async fn accepting<S: Future<Output = ()> + Send + 'static>(
    script: &Arc<Script>,
    serve: impl Fn(TokioIo<TcpStream>, Arc<Script>) -> S + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::clone(script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(TokioIo::new(stream), Arc::clone(&script)));
        }
    });
    endpoint
}

/// A connection ends with an error when the script closes it, or when the exporter is gone.
async fn http_connection(stream: TokioIo<TcpStream>, script: Arc<Script>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let script = Arc::clone(&script);
        async move {
            script.note(request.headers(), &format!("{} {}", request.method(), request.uri()));
            let body = request.into_body().collect().await.unwrap().to_bytes();
            script.bodies.lock().push(body);
            let answer = script.http.lock().pop_front();
            answer.unwrap_or_else(|| Some(Response::new(Full::default()))).ok_or("closed on purpose")
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
}

struct Peer(Arc<Script>);

#[tonic::async_trait]
impl MetricsService for Peer {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        self.0.note(request.metadata().as_ref(), "metrics");
        self.0.bodies.lock().push(request.get_ref().encode_to_vec().into());
        let answer = self.0.grpc.lock().pop_front();
        answer.unwrap_or_else(|| Ok(ExportMetricsServiceResponse::default())).map(tonic::Response::new)
    }
}

#[tonic::async_trait]
impl LogsService for Peer {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, Status> {
        self.0.note(request.metadata().as_ref(), "logs");
        self.0.bodies.lock().push(request.get_ref().encode_to_vec().into());
        Ok(tonic::Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Peer {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        self.0.note(request.metadata().as_ref(), "traces");
        self.0.bodies.lock().push(request.get_ref().encode_to_vec().into());
        let partial =
            ExportTracePartialSuccess { rejected_spans: self.0.rejects_spans, error_message: String::new() };
        let partial_success = (self.0.rejects_spans > 0).then_some(partial);
        Ok(tonic::Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

async fn grpc_connection(stream: TokioIo<TcpStream>, script: Arc<Script>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let peer = Peer(Arc::clone(&script));
        async move {
            let path = request.uri().path().to_owned();
            let answer = if path.contains("TraceService") {
                let server = TraceServiceServer::new(peer);
                let server = server.accept_compressed(CompressionEncoding::Gzip);
                server.accept_compressed(CompressionEncoding::Zstd).call(request).await
            } else if path.contains("LogsService") {
                let server = LogsServiceServer::new(peer);
                server.accept_compressed(CompressionEncoding::Gzip).call(request).await
            } else {
                let server = MetricsServiceServer::new(peer);
                server.accept_compressed(CompressionEncoding::Gzip).call(request).await
            };
            Ok::<_, Infallible>(answer.unwrap())
        }
    });
    let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = http2.serve_connection(stream, service).await;
}

/// A scripted server of this protocol, and where it is.
async fn server(protocol: OtlpProtocol) -> (Arc<Script>, String) {
    let script = Arc::default();
    let endpoint = match protocol {
        OtlpProtocol::Http | OtlpProtocol::HttpJson => accepting(&script, http_connection).await,
        OtlpProtocol::Grpc => accepting(&script, grpc_connection).await,
    };
    (script, endpoint)
}

/// Sends the samples: metrics, then logs.
async fn send_both(exporter: &mut Exporter) -> Vec<Outcome> {
    let (snapshot, notes) = (samples(), checkout());
    let parts = [
        (Signal::Metrics, Part::Metrics { snapshot: &snapshot, series: &snapshot.series }),
        (Signal::Logs, Part::Notes { notes: &notes, resource: &snapshot.resource }),
    ];
    let mut outcomes = Vec::new();
    for (signal, part) in parts {
        let body = exporter.encode(part).unwrap().body.unwrap();
        outcomes.push(exporter.send(&Payload { signal, body, items: part.len() as u64 }).await);
    }
    outcomes
}

async fn send_empty(exporter: &mut Exporter) -> Outcome {
    exporter.send(&Payload { signal: Signal::Metrics, body: Bytes::new(), items: 1 }).await
}

fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    decoder.write_all(body).unwrap();
    decoder.finish().unwrap()
}

fn expected(temporality: Temporality) -> (Vec<u8>, Vec<u8>) {
    let snapshot = samples();
    (
        metrics::request(&snapshot, &snapshot.series, temporality, "1.2.3").encode_to_vec(),
        logs::request(&checkout(), &snapshot.resource, "1.2.3").encode_to_vec(),
    )
}

#[tokio::test]
async fn both_signals_arrive_over_http() {
    let (script, endpoint) = server(OtlpProtocol::Http).await;
    let endpoint = endpoint + "/base/";
    for compression in [Compression::Gzip, Compression::None] {
        let options = Otlp { compression, ..otlp(&endpoint, OtlpProtocol::Http) };
        let mut exporter = Exporter::new(&options, "1.2.3").unwrap();
        assert_eq!(send_both(&mut exporter).await, [Outcome::Delivered, Outcome::Delivered]);
    }
    let bodies = script.bodies.lock();
    let (metrics, logs) = expected(Temporality::Delta);
    assert_eq!([gunzip(&bodies[0]), gunzip(&bodies[1])], [metrics.clone(), logs.clone()]);
    assert_eq!([bodies[2].to_vec(), bodies[3].to_vec()], [metrics, logs]);
    insta::assert_snapshot!(script.heads.lock().join("\n"), @r"
POST /base/v1/metrics content-type=application/x-protobuf content-encoding=gzip user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
POST /base/v1/logs content-type=application/x-protobuf content-encoding=gzip user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
POST /base/v1/metrics content-type=application/x-protobuf user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
POST /base/v1/logs content-type=application/x-protobuf user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
");
}

#[tokio::test]
async fn both_signals_arrive_over_grpc() {
    let (script, endpoint) = server(OtlpProtocol::Grpc).await;
    for compression in [Compression::Gzip, Compression::None] {
        let temporality = Temporality::Cumulative;
        let options = Otlp { compression, temporality, ..otlp(&endpoint, OtlpProtocol::Grpc) };
        let mut exporter = Exporter::new(&options, "1.2.3").unwrap();
        assert_eq!(send_both(&mut exporter).await, [Outcome::Delivered, Outcome::Delivered]);
    }
    let bodies = script.bodies.lock();
    let (metrics, logs) = expected(Temporality::Cumulative);
    assert!([0, 2].iter().all(|at| bodies[*at] == metrics) && [1, 3].iter().all(|at| bodies[*at] == logs));
    insta::assert_snapshot!(script.heads.lock().join("\n"), @r"
metrics content-type=application/grpc grpc-encoding=gzip user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
logs content-type=application/grpc grpc-encoding=gzip user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
metrics content-type=application/grpc user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
logs content-type=application/grpc user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
");
}

/// Two spans of one service and one of another, as chunks.
fn chunks() -> Vec<Chunk> {
    let chunk = |service: &str, name: &str| {
        let mut out = Writer::new();
        write::resource(&mut out, |out| {
            write::text(out, write::RESOURCE_ATTRIBUTES, "service.name", service)
        });
        let scope = write::begin_scope(&mut out, "tracer", "1", |_| {});
        let head = write::SpanHead { trace_id: &[1; 16], span_id: &[2; 8], name, ..Default::default() };
        let span = write::begin_span(&mut out, &head);
        out.end(span);
        out.end(scope);
        let bytes = out.into_inner();
        let (signal, identity) = (Traces, chunk::identity(&bytes));
        Chunk { signal, identity, bytes: bytes.into(), items: 1, hold: None }
    };
    vec![chunk("shop", "first"), chunk("mail", "second"), chunk("shop", "third")]
}

#[tokio::test]
async fn spans_arrive_over_both() {
    let script = Arc::new(Script { rejects_spans: 2, ..Script::default() });
    let chunks = chunks();
    let part = Part::Otlp { signal: Traces, chunks: &chunks };
    let mut outcomes = Vec::new();
    let endpoints = [
        (OtlpProtocol::Http, accepting(&script, http_connection).await),
        (OtlpProtocol::Grpc, accepting(&script, grpc_connection).await),
    ];
    for (protocol, endpoint) in &endpoints {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let options = Otlp { compression, ..otlp(endpoint, *protocol) };
            let mut exporter = Exporter::new(&options, "1.2.3").unwrap();
            let body = exporter.encode(part).unwrap().body.unwrap();
            outcomes.push(exporter.send(&Payload { signal: Signal::Traces, body, items: 3 }).await);
        }
    }
    let partial = Outcome::Partial { refused: 2, why: String::new() };
    assert_eq!(outcomes[..3], [const { Outcome::Delivered }; 3]);
    assert_eq!(outcomes[3..], [partial.clone(), partial.clone(), partial]);
    let bodies = script.bodies.lock();
    let plain = bodies[0].to_vec();
    assert_eq!(gunzip(&bodies[1]), plain);
    assert_eq!(zstd::decode_all(&bodies[2][..]).unwrap(), plain);
    let decoded = ExportTraceServiceRequest::decode(&plain[..]).unwrap();
    let services = decoded.resource_spans.iter().map(|resource| {
        let names = resource.scope_spans.iter().flat_map(|scope| &scope.spans).map(|span| span.name.as_str());
        names.collect::<Vec<_>>()
    });
    assert_eq!(services.collect::<Vec<_>>(), [vec!["first", "third"], vec!["second"]]);
    for body in &bodies[3..] {
        assert_eq!(ExportTraceServiceRequest::decode(&body[..]).unwrap(), decoded);
    }
    insta::assert_snapshot!(script.heads.lock().join("\n"), @r"
POST /v1/traces content-type=application/x-protobuf user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
POST /v1/traces content-type=application/x-protobuf content-encoding=gzip user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
POST /v1/traces content-type=application/x-protobuf content-encoding=zstd user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
traces content-type=application/grpc user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
traces content-type=application/grpc grpc-encoding=gzip user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
traces content-type=application/grpc grpc-encoding=zstd user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
");
}

#[tokio::test]
async fn http_answers_become_outcomes() {
    let answer = |status: u16, header: (&str, &str), body: &[u8]| {
        let body = Full::new(Bytes::copy_from_slice(body));
        Some(Response::builder().status(status).header(header.0, header.1).body(body).unwrap())
    };
    let partial = ExportMetricsPartialSuccess { rejected_data_points: 2, error_message: "too old".into() };
    let partial = ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let plain = ("x-nothing", "");
    let (script, endpoint) = server(OtlpProtocol::Http).await;
    script.http.lock().extend([
        answer(200, plain, &partial),
        answer(200, plain, b"<html>not protobuf</html>"),
        answer(503, ("retry-after", "7"), b"\x12\x04busy"),
        answer(413, plain, b""),
        answer(401, plain, b"who?"),
        answer(307, ("location", "/elsewhere"), b""),
        answer(500, plain, &[b'x'; 1 << 20]),
        None,
    ]);
    let mut exporter = Exporter::new(&otlp(&endpoint, OtlpProtocol::Http), "1").unwrap();
    let mut lines = String::new();
    for _ in 0..7 {
        let line = format!("{:?}\n", send_empty(&mut exporter).await);
        lines.push_str(&line.replace(&"x".repeat(crate::backend::http::ERROR_BYTES), "(1024 x)"));
    }
    assert!(matches!(send_empty(&mut exporter).await, Outcome::Retry { after: None, .. }));
    assert_eq!(script.heads.lock().len(), 8, "redirects are not followed");
    insta::assert_snapshot!(lines, @r#"
Partial { refused: 2, why: "too old" }
Delivered
Retry { after: Some(7s), why: "HTTP 503: busy" }
TooLarge { why: "HTTP 413" }
Unauthorized { why: "HTTP 401: who?" }
Poison { why: "HTTP 307: redirects are not followed" }
Poison { why: "HTTP 500: (1024 x)" }
"#);
}

#[tokio::test]
async fn grpc_answers_become_outcomes() {
    let partial = ExportMetricsPartialSuccess { rejected_data_points: 2, error_message: "too old".into() };
    let (script, endpoint) = server(OtlpProtocol::Grpc).await;
    script.grpc.lock().extend([
        Ok(ExportMetricsServiceResponse { partial_success: Some(partial) }),
        Err(Status::new(Code::Unavailable, "busy")),
        Err(Status::new(Code::Unauthenticated, "who?")),
        Err(Status::new(Code::InvalidArgument, "bad")),
        Err(Status::new(Code::ResourceExhausted, "grpc: received message larger than max (5 vs. 4)")),
    ]);
    let mut exporter = Exporter::new(&otlp(&endpoint, OtlpProtocol::Grpc), "1").unwrap();
    let mut lines = String::new();
    for _ in 0..5 {
        lines.push_str(&format!("{:?}\n", send_empty(&mut exporter).await));
    }
    insta::assert_snapshot!(lines, @r#"
Partial { refused: 2, why: "too old" }
Retry { after: None, why: "gRPC Unavailable: busy" }
Unauthorized { why: "gRPC Unauthenticated: who?" }
Poison { why: "gRPC InvalidArgument: bad" }
TooLarge { why: "gRPC ResourceExhausted: grpc: received message larger than max (5 vs. 4)" }
"#);
}

#[tokio::test]
async fn a_dead_endpoint_is_a_passing_fault_with_its_cause() {
    for protocol in [OtlpProtocol::Grpc, OtlpProtocol::Http] {
        let mut exporter = Exporter::new(&otlp("http://127.0.0.1:1", protocol), "1").unwrap();
        for _ in 0..2 {
            let Outcome::Retry { after: None, why } = send_empty(&mut exporter).await else { panic!() };
            assert!(why.contains("Connection refused"), "{why}");
        }
    }
}

/// A peer that takes connections and never says a word.
#[tokio::test]
async fn an_abandoned_request_leaves_no_dead_connection_behind() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    for protocol in [OtlpProtocol::Grpc, OtlpProtocol::Http] {
        let mut exporter = Exporter::new(&otlp(&format!("http://{address}"), protocol), "1").unwrap();
        for _ in 0..2 {
            let accepted = tokio::select! {
                accepted = silent.accept() => accepted,
                outcome = send_empty(&mut exporter) => panic!("{outcome:?}"),
            };
            drop(accepted.unwrap());
        }
    }
}

#[tokio::test]
async fn all_signals_arrive_as_json() {
    let (script, endpoint) = server(OtlpProtocol::HttpJson).await;
    for compression in [Compression::Gzip, Compression::None] {
        let options = Otlp { compression, ..otlp(&endpoint, OtlpProtocol::HttpJson) };
        let mut exporter = Exporter::new(&options, "1.2.3").unwrap();
        assert_eq!(send_both(&mut exporter).await, [Outcome::Delivered, Outcome::Delivered]);
        let body = exporter.encode(Part::Otlp { signal: Traces, chunks: &spans() }).unwrap().body.unwrap();
        let partial = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"late"}}"#;
        script.http.lock().push_back(Some(Response::new(Full::from(partial))));
        let outcome = exporter.send(&Payload { signal: Signal::Traces, body, items: 2 }).await;
        assert_eq!(outcome, Outcome::Partial { refused: 1, why: "late".into() });
    }
    let bodies = script.bodies.lock();
    for at in 0..3 {
        assert_eq!(gunzip(&bodies[at]), bodies[at + 3]);
    }
    assert!(
        bodies[3].starts_with(b"{\"resourceMetrics\":[") && bodies[4].starts_with(b"{\"resourceLogs\":[")
    );
    insta::assert_snapshot!(std::str::from_utf8(&bodies[5]).unwrap(), @r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"pay"}]},{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175","name":"pay"}]}]}]}"#);
    insta::assert_snapshot!(script.heads.lock()[2..4].join("\n"), @r"
POST /v1/traces content-type=application/json content-encoding=gzip user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
POST /v1/metrics content-type=application/json user-agent=pillion/1.2.3 (OTLP exporter; Rust) api-key=hunter2
");
}
