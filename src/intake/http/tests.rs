//! The server as clients see it: real sockets, real clients, a protocol that keeps what it is given.

use super::*;
use crate::config::ListenAddress;
use crate::otlp::Budget;
use ::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use ::http::{Method, Request as HttpRequest, Response, StatusCode};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

const ORIGIN: Origin = Origin { what: "Test", option: "test.listen", variable: "PILLION_TEST_LISTEN" };
const LIMIT: usize = 1 << 20;

/// Takes bodies at `/take`, answers `/now` at once, refuses what begins with `bad`.
#[derive(Default)]
struct Keeps {
    taken: Mutex<Vec<Bytes>>,
}

impl Protocol for Keeps {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn route(&self, head: &Head) -> Route {
        match (head.uri.path(), &head.method) {
            ("/take" | "/take.Service/Take", &Method::POST) => {
                Route::Read(Read { endpoint: 7, limit: LIMIT })
            }
            ("/take", _) => {
                let mut answer = Answer::new(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "POST, please");
                answer.headers.insert(ALLOW, HeaderValue::from_static("POST"));
                Route::Answer(answer)
            }
            _ => Route::Answer(Answer::new(StatusCode::NOT_FOUND, "text/plain", "there is /take")),
        }
    }

    fn take(&self, request: Request<'_>) -> Answer {
        assert_eq!(request.endpoint, 7);
        assert!(request.budget.held() >= request.body.len());
        if request.body.starts_with(b"bad") {
            return Answer::new(StatusCode::BAD_REQUEST, "text/plain", "it is bad");
        }
        let mut answer = Answer::new(StatusCode::OK, "text/plain", format!("took {}", request.body.len()));
        answer.grpc = Some(Grpc { code: 0, message: String::new() });
        self.taken.lock().push(request.body);
        answer
    }

    fn refuse(&self, _: &Head, endpoint: Option<u16>, refusal: &Refusal) -> Answer {
        assert_eq!(endpoint, Some(7));
        let (status, code) = match refusal {
            Refusal::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, 8),
            Refusal::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, 14),
            Refusal::Encoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 12),
            Refusal::Unreadable(_) => (StatusCode::BAD_REQUEST, 3),
            Refusal::Timeout => (StatusCode::REQUEST_TIMEOUT, 4),
        };
        let mut answer = Answer::new(status, "text/plain", refusal.to_string());
        answer.grpc = Some(Grpc { code, message: refusal.to_string() });
        answer.retry_after = matches!(refusal, Refusal::NoRoom).then_some(Duration::from_secs(1));
        answer
    }
}

struct Served {
    server: Server,
    keeps: Arc<Keeps>,
    budget: Budget,
    address: SocketAddr,
}

fn limits() -> Limits {
    let long = Duration::from_secs(60);
    Limits { connections: 16, request: long, idle: long, stall: long }
}

fn serve_with(limits: Limits, budget: usize) -> Served {
    let local = ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let bound = bind(ORIGIN, &local, 0o722).unwrap();
    let &ListenAddress::Tcp(address) = bound.address() else { panic!("{bound:?}") };
    let (keeps, budget) = (Arc::new(Keeps::default()), Budget::new(budget));
    let server = bound.serve(keeps.clone(), &budget, limits).unwrap();
    Served { server, keeps, budget, address }
}

fn serve() -> Served {
    serve_with(limits(), 8 << 20)
}

type Sender1 = hyper::client::conn::http1::SendRequest<Full<Bytes>>;
type Sender2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn http1(address: SocketAddr) -> Sender1 {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn http2(address: SocketAddr) -> Sender2 {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn post(headers: &[(&str, &str)], body: impl Into<Bytes>) -> HttpRequest<Full<Bytes>> {
    let mut request = HttpRequest::post("http://localhost/take").header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

async fn text(answer: Response<Incoming>) -> (u16, String) {
    let status = answer.status().as_u16();
    (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_connection_of_http1_is_kept_for_answers_and_refusals_alike() {
    let served = serve();
    let mut sender = http1(served.address).await;
    let small = Bytes::from_static(b"spans");
    let members = [gzip(b"spa"), gzip(b"ns")].concat();
    let cases = [
        (post(&[], small.clone()), 200, "took 5"),
        (post(&[], Bytes::new()), 200, "took 0"),
        (post(&[("content-encoding", "")], small.clone()), 200, "took 5"),
        (post(&[("content-encoding", "Identity")], small.clone()), 200, "took 5"),
        (post(&[("content-encoding", "gzip")], members), 200, "took 5"),
        (post(&[("content-encoding", "zstd")], zstd::encode_all(&b"spans"[..], 1).unwrap()), 200, "took 5"),
        (
            post(&[("content-encoding", "gzip")], vec![0; 2 * LIMIT]),
            413,
            "the body is larger than 1048576 bytes, as sent or decompressed",
        ),
        (
            post(&[("content-encoding", "gzip")], gzip(&vec![0; 2 * LIMIT])),
            413,
            "the body is larger than 1048576 bytes, as sent or decompressed",
        ),
        (post(&[], vec![0; LIMIT]), 200, "took 1048576"),
        (
            post(&[("content-encoding", "br")], small.clone()),
            415,
            "the encoding `br` is not known; these are: identity, gzip, deflate, zstd",
        ),
        (
            post(&[("content-encoding", "gzip")], gzip(b"spans")[..20].to_vec()),
            400,
            "the body cannot be decompressed: it ends early",
        ),
        (post(&[], Bytes::from_static(b"bad spans")), 400, "it is bad"),
        (post(&[], small.clone()), 200, "took 5"),
    ];
    for (request, status, words) in cases {
        sender.ready().await.unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(text(answer).await, (status, words.to_owned()));
    }
    let other = |method: &str, path: &str| {
        HttpRequest::builder().method(method).uri(path).header("host", "x").body(Full::default()).unwrap()
    };
    let answer = sender.send_request(other("GET", "/take")).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["allow"]),
        (405, &HeaderValue::from_static("POST"))
    );
    answer.into_body().collect().await.unwrap();
    let answer = sender.send_request(other("GET", "/elsewhere")).await.unwrap();
    assert_eq!(text(answer).await, (404, "there is /take".to_owned()));

    served.keeps.taken.lock().clear();
    let watch = served.server.watch().clone();
    assert_eq!((watch.connections(), watch.requests()), (1, 15));
    let refused: Vec<_> = watch.refused().iter().map(|r| (r.reason.as_str(), r.count)).collect();
    let expected = [("too_large", 2), ("malformed", 2), ("encoding", 1), ("unknown_path", 1), ("method", 1)];
    assert_eq!(refused, expected);
    drop(sender);
    served.server.shutdown(Instant::now() + Duration::from_secs(60)).await;
    assert_eq!((watch.connections(), served.budget.held()), (0, 0));
}

#[tokio::test]
async fn requests_of_http2_share_a_connection() {
    let served = serve();
    let sender = http2(served.address).await;
    let mut together = tokio::task::JoinSet::new();
    for length in 0..50_usize {
        let mut sender = sender.clone();
        together.spawn(async move {
            let answer = sender.send_request(post(&[], vec![1; length * 1_000])).await.unwrap();
            assert_eq!(text(answer).await, (200, format!("took {}", length * 1_000)));
        });
    }
    while let Some(done) = together.join_next().await {
        done.unwrap();
    }
    let mut sender = sender;
    let answer = sender.send_request(post(&[], vec![0; 3 * LIMIT])).await.unwrap();
    assert_eq!(answer.status(), 413);
    drop(answer);
    let answer = sender.send_request(post(&[], "after")).await.unwrap();
    assert_eq!(text(answer).await.0, 200);
    assert_eq!(served.server.watch().connections(), 1);
}

/// A gRPC call with these bytes as its body.
async fn call(
    sender: &mut Sender2,
    path: &str,
    encoding: &str,
    body: Vec<u8>,
) -> (String, String, Option<Vec<u8>>, Bytes) {
    let request = HttpRequest::post(format!("http://localhost{path}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("grpc-encoding", encoding)
        .body(Full::new(body.into()))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/grpc");
    let mut map = answer.headers().clone();
    let whole = answer.into_body().collect().await.unwrap();
    map.extend(whole.trailers().cloned().unwrap_or_default());
    let field = |name: &str| map.get(name).map(|value| value.to_str().unwrap().to_owned());
    let details = map.get("grpc-status-details-bin").map(|value| value.as_bytes().to_vec());
    (field("grpc-status").unwrap(), field("grpc-message").unwrap_or_default(), details, whole.to_bytes())
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

#[tokio::test]
async fn a_call_of_grpc_ends_with_a_status() {
    let served = serve();
    let mut sender = http2(served.address).await;
    let path = "/take.Service/Take";
    let ok = |length: usize| {
        let words = format!("took {length}");
        ("0".to_owned(), String::new(), None, Bytes::from(framed(0, words.as_bytes())))
    };
    assert_eq!(call(&mut sender, path, "identity", framed(0, b"spans")).await, ok(5));
    assert_eq!(call(&mut sender, path, "gzip", framed(0, b"spans")).await, ok(5));
    assert_eq!(call(&mut sender, path, "gzip", framed(1, &gzip(b"spans"))).await, ok(5));
    let zstd = zstd::encode_all(&b"spans"[..], 1).unwrap();
    assert_eq!(call(&mut sender, path, "zstd", framed(1, &zstd)).await, ok(5));
    assert_eq!(call(&mut sender, path, "identity", framed(0, &vec![0; LIMIT])).await, ok(LIMIT));
    let cases = [
        (
            "identity",
            framed(0, &vec![0; LIMIT + 1]),
            "8",
            "the body is larger than 1048576 bytes, as sent or decompressed",
        ),
        (
            "gzip",
            framed(1, &gzip(&vec![0; 2 * LIMIT])),
            "8",
            "the body is larger than 1048576 bytes, as sent or decompressed",
        ),
        (
            "snappy",
            framed(1, b"spans"),
            "12",
            "the encoding `snappy` is not known; these are: identity, gzip, deflate, zstd",
        ),
        (
            "identity",
            framed(1, b"spans"),
            "3",
            "the message is compressed, but `grpc-encoding` does not say how",
        ),
        ("identity", [framed(0, b"a"), framed(0, b"b")].concat(), "3", "there is more than one message"),
        ("identity", framed(0, b"spans")[..8].to_vec(), "3", "the message is shorter than its prefix says"),
        ("identity", Vec::new(), "3", "there is no message"),
    ];
    for (encoding, body, code, words) in cases {
        let (status, message, details, rest) = call(&mut sender, path, encoding, body).await;
        assert_eq!((status.as_str(), message.as_str(), details, rest.len()), (code, words, None, 0));
    }
    let (status, message, ..) = call(&mut sender, "/other.Service/Take", "identity", framed(0, b"")).await;
    assert_eq!((status.as_str(), message.as_str()), ("12", "there is /take"));
    assert_eq!(call(&mut sender, path, "identity", framed(0, b"after")).await, ok(5));
}

#[tokio::test]
async fn without_room_a_client_is_told_to_come_again() {
    let served = serve_with(limits(), 1_000);
    let mut sender = http1(served.address).await;
    let answer = sender.send_request(post(&[], vec![0; 2_000])).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    let bomb = post(&[("content-encoding", "gzip")], gzip(&[0; 100_000]));
    answer.into_body().collect().await.unwrap();
    assert_eq!(text(sender.send_request(bomb).await.unwrap()).await.0, 503);
    assert_eq!(text(sender.send_request(post(&[], "small")).await.unwrap()).await.0, 200);
    let mut sender = http2(served.address).await;
    let (status, _, details, _) =
        call(&mut sender, "/take.Service/Take", "identity", framed(0, &[0; 2_000])).await;
    assert_eq!(status, "14");
    assert!(details.is_some());
    served.keeps.taken.lock().clear();
    assert_eq!(served.budget.held(), 0);
}

/// Sends bytes as they are and reads until the server closes.
async fn talk(address: SocketAddr, parts: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for part in parts {
        stream.write_all(part.as_bytes()).await.unwrap();
    }
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // A reset ends a conversation as well.
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn a_slow_sender_is_told_and_cut_off() {
    let short = Limits { request: Duration::from_millis(200), ..limits() };
    let served = serve_with(short, 8 << 20);
    let head = "POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let answer = talk(served.address, &[head, "some of it"]).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.ends_with("the request did not arrive in time"), "{answer}");
    // The head itself never ends.
    assert_eq!(talk(served.address, &["POST /take HTTP/1.1\r\nhost:"]).await, "");
    assert_eq!(served.server.watch().refused()[0].reason, Reason::Timeout);
    assert_eq!(served.budget.held(), 0);
}

#[tokio::test]
async fn little_is_held_for_a_large_announcement() {
    let served = serve();
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = format!("POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: {LIMIT}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[1; 1_000]).await.unwrap();
    while served.budget.held() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(served.budget.held() <= 2_000, "{}", served.budget.held());
    drop(stream);
    while served.budget.held() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked_or_spared() {
    let served = serve();
    let ask = |length: usize| {
        format!(
            "POST /take HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(ask(5).as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"spans").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("took 5"), "{answer}");
    let answer = talk(served.address, &[&ask(LIMIT + 1)]).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_is_limited_as_it_comes() {
    let served = serve();
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"POST /take HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
    for _ in 0..20 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream
        .write_all(
            b"0\r\n\r\nPOST /take HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        )
        .await
        .unwrap();
    let answers = rest(&mut stream).await;
    assert!(answers.starts_with("HTTP/1.1 413 "), "{answers}");
    assert!(answers.ends_with("took 2"), "the connection goes on: {answers}");
}

#[tokio::test]
async fn one_connection_too_many_takes_the_place_of_the_longest_idle() {
    let served = serve_with(Limits { connections: 2, ..limits() }, 8 << 20);
    let mut first = http1(served.address).await;
    assert_eq!(text(first.send_request(post(&[], "a")).await.unwrap()).await.0, 200);
    let mut busy = TcpStream::connect(served.address).await.unwrap();
    busy.write_all(b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab").await.unwrap();
    while served.budget.held() < 4 {
        tokio::task::yield_now().await;
    }
    let mut third = TcpStream::connect(served.address).await.unwrap();
    third.write_all(b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab").await.unwrap();
    while !first.is_closed() {
        tokio::task::yield_now().await;
    }
    while served.budget.held() < 8 {
        tokio::task::yield_now().await;
    }
    // Both are busy now.
    let refused = talk(served.address, &["POST /take HTTP/1.1\r\nhost: x\r\n\r\n"]).await;
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && refused.contains("`intake.max_connections`"),
        "{refused}"
    );
    for stream in [&mut busy, &mut third] {
        stream.write_all(b"cd").await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_request_under_way_is_answered_at_the_end() {
    let served = serve_with(Limits { idle: Duration::from_millis(100), ..limits() }, 8 << 20);
    assert_eq!(talk(served.address, &[]).await, "");
    let mut kept = http1(served.address).await;
    assert_eq!(text(kept.send_request(post(&[], "a")).await.unwrap()).await.0, 200);
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab").await.unwrap();
    served.keeps.taken.lock().clear();
    while served.budget.held() < 4 {
        tokio::task::yield_now().await;
    }
    let address = served.address;
    let ending = tokio::spawn(served.server.shutdown(Instant::now() + Duration::from_secs(60)));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(b"cd").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("took 4"), "{answer}");
    ending.await.unwrap();
    assert!(kept.is_closed());
}

#[tokio::test]
async fn a_unix_socket_is_served_alike_and_goes_with_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("otlp.socket");
    let bound = bind(ORIGIN, &ListenAddress::UnixStream(path.clone()), 0o722).unwrap();
    let budget = Budget::new(1 << 20);
    let server = bound.serve(Arc::new(Keeps::default()), &budget, limits()).unwrap();
    let io = TokioIo::new(UnixStream::connect(&path).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(text(sender.send_request(post(&[], "spans")).await.unwrap()).await.0, 200);
    assert_eq!(server.watch().address(), format!("unix://{}", path.display()));
    drop(sender);
    server.shutdown(Instant::now() + Duration::from_secs(60)).await;
    assert!(!path.exists());
}
