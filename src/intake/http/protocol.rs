//! What a protocol and the server say to each other.

use crate::otlp::{Budget, Hold};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use std::time::Duration;

/// One protocol behind the shared server. Calls are short and never wait; a large body is taken on a thread
/// where that is allowed.
pub trait Protocol: Send + Sync + 'static {
    /// As a label value: `otlp`, `datadog`, `zipkin`.
    fn name(&self) -> &'static str;

    /// What is to be done with a request, judged by its head.
    fn route(&self, head: &Head) -> Route;

    /// Takes a whole body, inflated, and answers.
    fn take(&self, request: Request<'_>) -> Answer;

    /// Words a refusal that the server decided on. `endpoint` is known once a route said `Read`.
    fn refuse(&self, head: &Head, endpoint: Option<u16>, refusal: &Refusal) -> Answer;
}

/// A request without its body.
#[derive(Clone, Debug)]
pub struct Head {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    /// The body is one gRPC message, which the server unframes.
    pub grpc: bool,
}

/// What follows from a request's head.
#[derive(Debug)]
pub enum Route {
    /// At once, without reading a body.
    Answer(Answer),
    Read(Read),
}

/// A body to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The protocol's own number for the path.
    pub endpoint: u16,
    /// Bytes, as sent and after inflating.
    pub limit: usize,
}

/// A whole request.
#[derive(Debug)]
pub struct Request<'a> {
    pub head: &'a Head,
    pub endpoint: u16,
    /// Inflated and unframed.
    pub body: Bytes,
    /// Keeps the body's bytes in the budget: to be cloned into every chunk that is a slice of it.
    pub hold: Hold,
    /// For what is made of the body beyond it.
    pub budget: &'a Budget,
}

/// Why the server refuses a request; its text is for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As sent or inflated.
    #[error("the body is larger than {limit} bytes, as sent or decompressed")]
    TooLarge { limit: usize },
    /// The budget is used up.
    #[error("there is no room for the body at the moment; send it again later")]
    NoRoom,
    /// `Content-Encoding` or `grpc-encoding` is none of ours.
    #[error("the encoding `{0}` is not known; these are: identity, gzip, deflate, zstd")]
    Encoding(String),
    /// The body cannot be inflated or unframed.
    #[error("{0}")]
    Unreadable(String),
    #[error("the request did not arrive in time")]
    Timeout,
}

/// What goes back. Over gRPC, `grpc` says the status, and `status` is not used.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub grpc: Option<Grpc>,
    /// As `Retry-After`, or as gRPC's RetryInfo.
    pub retry_after: Option<Duration>,
}

/// A gRPC status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    pub code: u8,
    pub message: String,
}

impl Answer {
    /// An answer with a content type.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
        Answer { status, headers, body: body.into(), grpc: None, retry_after: None }
    }
}
