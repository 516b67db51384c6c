//! The HTTP server as clients see it: real sockets, a fake agent behind.

use super::body::{Chunk, MetricsResponse};
use super::http::{Limits, Server, State, bind};
use super::readiness::Readiness;
use super::status::{Status, tests::Sample};
use crate::config;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const SECOND: Duration = Duration::from_secs(1);
/// For what must happen; a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(30);

fn roomy() -> Limits {
    Limits { connections: 16, pages: 4, head: LONG, idle: LONG, stall: LONG }
}

/// A server whose pages are `pages(sender)`, made by the test.
fn serve_with(
    limits: Limits,
    make_page: impl Fn(mpsc::Sender<Chunk>) + Send + Sync + 'static,
) -> (Server, Readiness) {
    let config = config::Http { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..config::Http::default() };
    let readiness = Readiness::default();
    let phase = readiness.clone();
    let metrics = move |_: &HeaderMap| {
        let (sender, chunks) = mpsc::channel(1);
        make_page(sender);
        let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4".parse().unwrap())].into_iter().collect();
        MetricsResponse { headers, chunks }
    };
    let status = move || Status::read(&Sample { phase: phase.phase() }, 0, 4_000_000_000);
    let state = State { readiness: readiness.clone(), metrics: Arc::new(metrics), status: Arc::new(status) };
    (bind(&config).unwrap().with_limits(limits).serve(state).unwrap(), readiness)
}

fn serve(limits: Limits) -> (Server, Readiness) {
    serve_with(limits, |sender| {
        tokio::spawn(async move {
            for part in ["orders 1\n", "visits 2\n"] {
                sender.send(Chunk::Data(Bytes::from_static(part.as_bytes()))).await.unwrap();
            }
            sender.send(Chunk::End).await.unwrap();
        });
    })
}

/// Sends bytes on a fresh connection and reads until the server closes it.
async fn talk(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ =
        tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the server never closed");
    String::from_utf8(answer).unwrap()
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    talk(address, &format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
}

/// The status line, the headers that matter, and the body.
fn shown(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let mut out = format!("{}\n", lines.next().unwrap());
    for line in lines.filter(|line| line.starts_with("allow") || line.starts_with("content-type")) {
        out.push_str(&format!("{line}\n"));
    }
    out + body
}

#[tokio::test]
async fn the_index_and_unknown_paths_list_what_there_is() {
    let (server, _) = serve(roomy());
    let index = shown(&ask(server.address(), "GET", "/").await);
    insta::assert_snapshot!(index.replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
    HTTP/1.1 200 OK
    content-type: text/plain; charset=utf-8
    pillion VERSION

    /          this list
    /live      200 while the process runs
    /ready     200 while all listeners are bound and no end is near, else 503
    /metrics   aggregated metrics for Prometheus
    /status    listeners, contexts, errors, backends as JSON
    "#);
    insta::assert_snapshot!(shown(&ask(server.address(), "GET", "/metric").await), @r#"
    HTTP/1.1 404 Not Found
    content-type: text/plain; charset=utf-8
    there is no /metric here; there are:
    /          this list
    /live      200 while the process runs
    /ready     200 while all listeners are bound and no end is near, else 503
    /metrics   aggregated metrics for Prometheus
    /status    listeners, contexts, errors, backends as JSON
    "#);
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let (server, _) = serve(roomy());
    insta::assert_snapshot!(shown(&ask(server.address(), "POST", "/metrics").await), @r#"
    HTTP/1.1 405 Method Not Allowed
    content-type: text/plain; charset=utf-8
    allow: GET, HEAD
    only GET and HEAD are answered here
    "#);
    let head = ask(server.address(), "HEAD", "/live").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("content-length: 5"), "{head}");
}

#[tokio::test]
async fn readiness_follows_the_phase_and_liveness_does_not() {
    let (server, readiness) = serve(roomy());
    let mut seen = Vec::new();
    let mut look = async |when: &str| {
        for path in ["/live", "/ready"] {
            let answer = ask(server.address(), "GET", path).await;
            let body = answer.split_once("\r\n\r\n").unwrap().1.trim().to_owned();
            seen.push(format!("{when}: {path} {} {body}", &answer[9..12]));
        }
    };
    look("start").await;
    readiness.ready();
    look("bound").await;
    readiness.watch(|| false);
    look("thread lost").await;
    server.begin_drain();
    look("drain").await;
    insta::assert_snapshot!(seen.join("\n"), @r#"
    start: /live 200 live
    start: /ready 503 not ready: starting: not all listeners are bound yet
    bound: /live 200 live
    bound: /ready 200 ready
    thread lost: /live 200 live
    thread lost: /ready 503 not ready: a listener receives nothing any more: see /status and the log
    drain: /live 200 live
    drain: /ready 503 not ready: draining: the agent was told to end and takes what still comes
    "#);
}

#[tokio::test]
async fn the_page_is_streamed_whole() {
    let (server, _) = serve(roomy());
    insta::assert_snapshot!(shown(&ask(server.address(), "GET", "/metrics").await), @r#"
    HTTP/1.1 200 OK
    content-type: text/plain; version=0.0.4
    9
    orders 1

    9
    visits 2

    0
    "#);
}

#[tokio::test]
async fn a_page_that_breaks_off_is_no_whole_answer() {
    let (server, _) = serve_with(roomy(), |sender| {
        sender.try_send(Chunk::Data(Bytes::from_static(b"orders 1\n"))).unwrap();
    });
    let answer = ask(server.address(), "GET", "/metrics").await;
    // The last chunk of a whole body has length 0.
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_making_of_its_page() {
    let (told, mut ended) = mpsc::channel(1);
    let (server, _) = serve_with(roomy(), move |sender| {
        let told = told.clone();
        tokio::spawn(async move {
            let line = Bytes::from(vec![b'x'; 64 << 10]);
            while sender.send(Chunk::Data(line.clone())).await.is_ok() {}
            told.send(()).await.unwrap();
        });
    });
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut some = [0; 4096];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);
    tokio::time::timeout(LONG, ended.recv()).await.expect("the page is still being made").unwrap();
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let (told, mut ended) = mpsc::channel(1);
    let limits = Limits { stall: Duration::from_millis(50), ..roomy() };
    let (server, _) = serve_with(limits, move |sender| {
        let told = told.clone();
        tokio::spawn(async move {
            let line = Bytes::from(vec![b'x'; 64 << 10]);
            while sender.send(Chunk::Data(line.clone())).await.is_ok() {}
            told.send(()).await.unwrap();
        });
    });
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::timeout(LONG, ended.recv()).await.expect("the page is still being made").unwrap();
}

#[tokio::test]
async fn pages_under_way_are_bounded() {
    let (kept, mut senders) = mpsc::channel(4);
    let limits = Limits { pages: 1, ..roomy() };
    let (server, _) = serve_with(limits, move |sender| kept.try_send(sender).unwrap());
    let mut first = TcpStream::connect(server.address()).await.unwrap();
    first.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let sender = senders.recv().await.unwrap();
    insta::assert_snapshot!(shown(&ask(server.address(), "GET", "/metrics").await), @r#"
    HTTP/1.1 503 Service Unavailable
    content-type: text/plain; charset=utf-8
    enough pages are under way already
    "#);
    assert!(ask(server.address(), "GET", "/live").await.starts_with("HTTP/1.1 200"));
    sender.send(Chunk::End).await.unwrap();
    assert!(rest(&mut first).await.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn the_status_is_json() {
    let (server, readiness) = serve(roomy());
    readiness.ready();
    let answer = ask(server.address(), "GET", "/status").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/json"), "{head}");
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(status["phase"], "ready");
    assert_eq!(status["listeners"][0]["messages"], 9);
}

#[tokio::test]
async fn a_kept_connection_serves_many_requests() {
    let (server, _) = serve(roomy());
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"live\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off_though_bytes_keep_coming() {
    let (server, _) = serve(Limits { head: Duration::from_millis(80), ..roomy() });
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let trickle = async {
        writing.write_all(b"GET /live HTTP/1.1\r\n").await?;
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            writing.write_all(b"x: y\r\n").await?;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        end = trickle => { let _: std::io::Result<()> = end; }
        _ = reading.read_to_end(&mut answer) => {}
        () = tokio::time::sleep(LONG) => panic!("never cut off"),
    }
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time() {
    let (server, _) = serve(Limits { idle: Duration::from_millis(50), ..roomy() });
    let answer = talk(server.address(), "GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.ends_with("live\n"), "{answer}");
}

#[tokio::test]
async fn over_the_limit_an_idle_connection_makes_room_and_busy_ones_do_not() {
    let (kept, mut senders) = mpsc::channel(4);
    let (server, _) =
        serve_with(Limits { connections: 1, ..roomy() }, move |sender| kept.try_send(sender).unwrap());
    // An idle connection gives way.
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    idle.write_all(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let mut busy = TcpStream::connect(server.address()).await.unwrap();
    busy.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let sender = senders.recv().await.unwrap();
    rest(&mut idle).await;
    // One that is busy does not.
    insta::assert_snapshot!(shown(&ask(server.address(), "GET", "/live").await), @r#"
    HTTP/1.1 503 Service Unavailable
    content-type: text/plain; charset=utf-8
    too many connections are open, none of them idle; `http.max_connections` is the limit
    "#);
    sender.send(Chunk::End).await.unwrap();
    assert!(rest(&mut busy).await.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn a_request_with_a_body_is_answered_without_reading_it() {
    let (server, _) = serve(roomy());
    let request = "GET /live HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\nsome";
    assert!(talk(server.address(), request).await.ends_with("live\n"));
}

#[tokio::test]
async fn a_head_of_great_size_is_refused() {
    let (server, _) = serve(roomy());
    let request = format!("GET /live HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "y".repeat(64 << 10));
    let answer = talk(server.address(), &request).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn the_end_lets_an_answer_finish_and_no_more() {
    let (kept, mut senders) = mpsc::channel(4);
    let (server, _) = serve_with(roomy(), move |sender| kept.try_send(sender).unwrap());
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let sender = senders.recv().await.unwrap();
    let ending = tokio::spawn(server.shutdown(LONG));
    sender.send(Chunk::Data(Bytes::from_static(b"orders 1\n"))).await.unwrap();
    sender.send(Chunk::End).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
    ending.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let (kept, mut senders) = mpsc::channel(4);
    let (server, _) = serve_with(roomy(), move |sender| kept.try_send(sender).unwrap());
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let sender = senders.recv().await.unwrap();
    server.shutdown(Duration::from_millis(20)).await;
    tokio::time::timeout(SECOND * 30, sender.closed()).await.expect("the page was given up");
}
