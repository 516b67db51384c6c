//! The export against a small OTLP receiver that speaks HTTP/1.1 and HTTP/2.

use super::*;
use crate::telemetry::SPANS;
use crate::telemetry::logs::testing::Kept;
use crate::telemetry::logs::{Options, dispatch};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource as ReceivedResource;
use prost::Message;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What one request brought: its path, whether it had a header of the environment, and its message.
struct Received {
    path: String,
    message: bytes::Bytes,
}

async fn receiver() -> (SocketAddr, mpsc::Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, received) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            let service = hyper::service::service_fn(move |request| answer(request, sender.clone()));
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            tokio::spawn(async move {
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (address, received)
}

type Answer = http_body_util::combinators::BoxBody<bytes::Bytes, Infallible>;

async fn answer(
    request: http::Request<Incoming>,
    sender: mpsc::Sender<Received>,
) -> Result<http::Response<Answer>, Infallible> {
    let path = request.uri().path().to_owned();
    let grpc = request.headers()["content-type"] == "application/grpc";
    let mut message = request.into_body().collect().await.unwrap().to_bytes();
    let mut response = http::Response::builder();
    // In gRPC a message stands behind a flag and its length, and the answer's status in trailers.
    let body = if grpc {
        message = message.slice(5..);
        response = response.header("content-type", "application/grpc");
        let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())].into_iter().collect();
        let empty = Full::new(bytes::Bytes::from_static(&[0, 0, 0, 0, 0]));
        empty.with_trailers(async move { Some(Ok(trailers)) }).boxed()
    } else {
        Full::default().boxed()
    };
    sender.send(Received { path, message }).await.unwrap();
    Ok(response.body(body).unwrap())
}

fn attributes(resource: Option<&ReceivedResource>) -> Vec<String> {
    let mut all: Vec<String> = resource
        .unwrap()
        .attributes
        .iter()
        .map(|pair| match pair.value.as_ref().and_then(|v| v.value.as_ref()) {
            Some(Value::StringValue(text)) => format!("{}={text}", pair.key),
            other => format!("{}={other:?}", pair.key),
        })
        .collect();
    all.sort();
    all
}

/// Spans and logs as the receiver saw them: `span NAME` and `log BODY`, sorted.
async fn exported(protocol: Protocol) -> Vec<String> {
    let (address, mut received) = receiver().await;
    let target = Target { endpoint: format!("http://{address}"), protocol };
    let exporter = Exporter::start(&target, &Handle::current()).unwrap();
    let options = Options { filter: "info", json: false };
    let dispatch = dispatch(options, false, Kept::default(), Some(&exporter)).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        let flush = tracing::info_span!(target: SPANS, "flush", series = 3);
        flush.in_scope(|| {
            tracing::info_span!(target: SPANS, "send", backend = "main")
                .in_scope(|| tracing::warn!("it is slow"));
        });
        tracing::info_span!("another module's span").in_scope(|| tracing::debug!("not asked for"));
        for target in LIBRARIES {
            said_by(target);
        }
    });
    exporter.shutdown(Duration::from_secs(20)).await.unwrap();
    let mut seen = Vec::new();
    while let Ok(Received { path, message }) = received.try_recv() {
        let version = concat!("service.version=", env!("CARGO_PKG_VERSION"));
        if path.contains("trace") {
            for group in ExportTraceServiceRequest::decode(message).unwrap().resource_spans {
                assert_eq!(attributes(group.resource.as_ref()), ["service.name=pillion", version]);
                let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
                seen.extend(spans.map(|span| format!("span {} at {path}", span.name)));
            }
        } else {
            for group in ExportLogsServiceRequest::decode(message).unwrap().resource_logs {
                assert_eq!(attributes(group.resource.as_ref()), ["service.name=pillion", version]);
                for record in group.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                    assert_eq!(record.trace_id.len(), 16, "a line inside a span belongs to it");
                    let body = record.body.and_then(|body| body.value);
                    seen.push(format!("log {body:?} at {path}"));
                }
            }
        }
    }
    seen.sort();
    seen
}

const LIBRARIES: [&str; 7] = ["hyper", "h2", "tonic", "reqwest", "opentelemetry_sdk", "tower", "pillionaire"];

/// `tracing` wants its targets as constants.
fn said_by(target: &str) {
    macro_rules! say {
        ($($name:literal)*) => {
            match target { $($name => tracing::error!(target: $name, "a library speaks"),)* other => panic!("{other}") }
        };
    }
    say!("hyper" "h2" "tonic" "reqwest" "opentelemetry_sdk" "tower" "pillionaire");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn own_spans_and_logs_arrive_over_http_and_nothing_else() {
    insta::assert_snapshot!(exported(Protocol::Http).await.join("\n"), @r#"
    log Some(StringValue("it is slow")) at /v1/logs
    span flush at /v1/traces
    span send at /v1/traces
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn own_spans_and_logs_arrive_over_grpc_and_nothing_else() {
    insta::assert_snapshot!(exported(Protocol::Grpc).await.join("\n"), @r#"
    log Some(StringValue("it is slow")) at /opentelemetry.proto.collector.logs.v1.LogsService/Export
    span flush at /opentelemetry.proto.collector.trace.v1.TraceService/Export
    span send at /opentelemetry.proto.collector.trace.v1.TraceService/Export
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_endpoint_that_never_answers_costs_no_more_than_the_deadline() {
    // Connections are made by the kernel and never accepted.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let exporter =
        Exporter::start(&Target { endpoint, protocol: Protocol::Http }, &Handle::current()).unwrap();
    let options = Options { filter: "info", json: false };
    let dispatch = dispatch(options, false, Kept::default(), Some(&exporter)).unwrap();
    tracing::dispatcher::with_default(&dispatch, || tracing::info!("nobody will read this"));
    let error = exporter.shutdown(Duration::from_millis(100)).await.unwrap_err();
    insta::assert_snapshot!(error, @"own spans and logs were not all sent (the deadline was 100ms)");
}
