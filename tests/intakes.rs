//! The listeners for spans of the real binary, as clients and operators see them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::Setup;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

fn post(content_type: &str, body: &[u8]) -> Vec<u8> {
    post_to("/v1/traces", content_type, body)
}

fn post_to(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn talk(mut stream: impl Read + Write, request: &[u8]) -> String {
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn client() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn channel(to: SocketAddr) -> tonic::transport::Channel {
    tonic::transport::Endpoint::try_from(format!("http://{to}")).unwrap().connect().await.unwrap()
}

#[test]
fn both_ports_answer_http_and_grpc_and_all_is_counted() {
    let agent = Setup::new().start();
    for address in [agent.otlp_grpc(), agent.otlp_http()] {
        let answer = talk(TcpStream::connect(address).unwrap(), &post("application/json", b"{}"));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{}"), "{answer}");
        client().block_on(async {
            let mut traces = TraceServiceClient::new(channel(address).await);
            traces.export(ExportTraceServiceRequest::default()).await.unwrap();
            let mut metrics = MetricsServiceClient::new(channel(address).await);
            metrics.export(ExportMetricsServiceRequest::default()).await.unwrap();
            let mut logs = LogsServiceClient::new(channel(address).await);
            logs.export(ExportLogsServiceRequest::default()).await.unwrap();
        });
        let profiles = post_to("/v1development/profiles", "application/json", b"{}");
        let answer = talk(TcpStream::connect(address).unwrap(), &profiles);
        let refused = answer.starts_with("HTTP/1.1 404 ") && answer.contains("profiles are not taken here");
        assert!(refused, "{answer}");
    }
    let answer =
        talk(TcpStream::connect(agent.otlp_http()).unwrap(), &post("application/x-protobuf", b"\x0a\xff"));
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("application/x-protobuf"), "{answer}");

    agent.expect("pillion_intake_requests_total", &[("protocol", "otlp"), ("status", "200")], 2.0);
    agent.expect("pillion_intake_requests_total", &[("status", "OK")], 6.0);
    agent.expect("pillion_intake_refused_total", &[("reason", "unknown_path")], 2.0);
    agent.expect("pillion_intake_refused_total", &[("reason", "malformed")], 1.0);
    agent.expect("pillion_intake_refused_total", &[("reason", "too_large")], 0.0);
    let status = agent.status();
    let intakes = status["intakes"].as_array().unwrap();
    let of = |at: SocketAddr| intakes.iter().find(|one| one["address"] == format!("tcp://{at}")).unwrap();
    assert_eq!(of(agent.otlp_grpc())["requests"], 5);
    assert_eq!(of(agent.otlp_http())["requests"], 6);
    let refused = of(agent.otlp_http())["refused"].as_array().unwrap();
    assert!(
        refused.iter().any(|one| one["reason"] == "malformed" && !one["last"].as_str().unwrap().is_empty())
    );
    assert_eq!(agent.stop().status.code(), Some(0));
}

#[test]
fn a_unix_socket_is_served_and_removed_at_the_end() {
    let setup = Setup::new();
    let path = setup.path("otlp.socket");
    let listen = format!("{}, unix://{}", setup.otlp_http(), path.display());
    let agent = setup.environment("PILLION_OTLP_HTTP", listen).start();
    let answer = talk(UnixStream::connect(&path).unwrap(), &post("application/json", b"{}"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let ended = agent.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
    assert!(!path.exists());
}

#[test]
fn a_taken_port_ends_the_start_and_names_the_option() {
    let setup = Setup::new();
    let _taken = TcpListener::bind(setup.otlp_http()).unwrap();
    let (status, text) = setup.fail();
    assert!(!status.success());
    for part in ["OTLP over HTTP", "is in use", "`otlp.http` (PILLION_OTLP_HTTP)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let agent = Setup::new().start();
    let mut stream = TcpStream::connect(agent.otlp_http()).unwrap();
    let request = post("application/json", b"{}");
    stream.write_all(&request[..request.len() - 1]).unwrap();
    agent.signal("TERM");
    let address = agent.otlp_http();
    harness::wait_for("the port to close", || TcpStream::connect(address).is_err().then_some(()));
    let answer = talk(stream, &request[request.len() - 1..]);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(agent.ended().status.code(), Some(0));
}
