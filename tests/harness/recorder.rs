//! A server that keeps every request and answers as its test says: what a backend gets, byte for byte.

use super::wait_for;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use serde_json::Value;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// As it came.
    pub(crate) body: Bytes,
}

/// What a request gets.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Now(u16, Bytes),
    /// Nothing until `release`, then 200.
    Held,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Reply {
        Reply::Now(status, Bytes::new())
    }
}

/// What a backend answers that is named, in the first part of its path, after what becomes of its payloads;
/// `partial` is the response that says so.
pub(crate) fn as_named(heard: &Heard, partial: impl prost::Message) -> Reply {
    match heard.path.split('/').nth(1).unwrap() {
        "poison" => Reply::status(400),
        "unauthorized" => Reply::status(401),
        "retries_exhausted" => Reply::status(503),
        "too_large" => Reply::status(413),
        "partial" => Reply::Now(200, partial.encode_to_vec().into()),
        "unsupported" | "willing" => Reply::status(200),
        other => panic!("/{other}"),
    }
}

impl Heard {
    /// The text of a header; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as its `Content-Encoding` says.
    pub(crate) fn content(&self) -> Vec<u8> {
        match self.header("content-encoding") {
            "" => self.body.to_vec(),
            "gzip" => {
                let mut decoder = flate2::write::GzDecoder::new(Vec::new());
                decoder.write_all(&self.body).unwrap();
                decoder.finish().unwrap()
            }
            "zstd" => zstd::bulk::decompress(&self.body, 64 << 20).unwrap(),
            other => panic!("the encoding `{other}`"),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.content()).unwrap()
    }
}

pub(crate) struct Recorder {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    released: watch::Sender<bool>,
    /// Ends the server when it goes.
    _runtime: Runtime,
}

impl Recorder {
    /// `answer` is asked about each request, with how many came before it.
    pub(crate) fn start(answer: impl Fn(usize, &Heard) -> Reply + Send + Sync + 'static) -> Self {
        Recorder::at(0, answer)
    }

    /// At a port of 127.0.0.1; 0 is any.
    pub(crate) fn at(port: u16, answer: impl Fn(usize, &Heard) -> Reply + Send + Sync + 'static) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, released) = (Arc::default(), watch::Sender::new(false));
        runtime.spawn(accept(listener, Arc::clone(&heard), released.subscribe(), Arc::new(answer)));
        Recorder { port, heard, released, _runtime: runtime }
    }

    /// One that takes everything.
    pub(crate) fn willing() -> Self {
        Recorder::start(|_, _| Reply::status(200))
    }

    /// One that holds every answer back.
    pub(crate) fn stuck() -> Self {
        Recorder::start(|_, _| Reply::Held)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All requests so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().clone()
    }

    /// Waits until there are `count` requests; one more fails.
    pub(crate) fn wait(&self, count: usize) -> Vec<Heard> {
        let heard = wait_for(&format!("{count} requests"), || {
            Some(self.heard()).filter(|heard| heard.len() >= count)
        });
        assert_eq!(heard.len(), count, "{heard:#?}");
        heard
    }

    /// Answers all that is held back, and holds nothing back from now on.
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }
}

async fn accept<A: Fn(usize, &Heard) -> Reply + Send + Sync + 'static>(
    listener: TcpListener,
    heard: Arc<Mutex<Vec<Heard>>>,
    released: watch::Receiver<bool>,
    answer: Arc<A>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (heard, released, answer) = (Arc::clone(&heard), released.clone(), Arc::clone(&answer));
        let service = service_fn(move |request: http::Request<Incoming>| {
            let (heard, mut released, answer) = (Arc::clone(&heard), released.clone(), Arc::clone(&answer));
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
                let one = Heard { method, path, headers: head.headers, body };
                let reply = {
                    let mut heard = heard.lock();
                    let reply = answer(heard.len(), &one);
                    heard.push(one);
                    reply
                };
                let (status, body) = match reply {
                    Reply::Now(status, body) => (status, body),
                    Reply::Held => {
                        // An error is the end of the test.
                        let _ = released.wait_for(|released| *released).await;
                        (200, Bytes::new())
                    }
                };
                let mut response = Response::new(Full::new(body));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(async move {
            // A connection that breaks is a request less, which the test will miss.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
