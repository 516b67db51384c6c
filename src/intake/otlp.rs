//! OTLP: spans, metrics and log records by gRPC (`TraceService/Export` and its like) and by HTTP (`POST /v1/traces`
//! and its like), protobuf or JSON.
//!
//! Protobuf is walked once and passed on as it is; JSON is read as protobuf. What is faulty by itself is left out,
//! counted and named, in both. Every answer has the type of its request, and every error
//! is a `google.rpc.Status` that says what to do. Both ports answer both. Profiles are refused in words.
//! Source: the OTLP specification. Next: `crate::otlp::walk`.

use super::http::grpc::status_message;
use super::http::{Answer, Grpc, Head, Protocol, Read, Refusal, Request, Route};
use crate::config;
use crate::otlp::protobuf::Writer;
use crate::otlp::{Batcher, Chunk, Protocol as Source, Signal, json, walk};
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, StatusCode};
use std::time::Duration;

/// Profiles, which are not taken (yet).
const PROFILES_HTTP: &str = "/v1development/profiles";
const PROFILES_GRPC: &str = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// When a refused client may come again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a browser may remember what it was allowed, in seconds.
const PREFLIGHT_SECONDS: u16 = 7_200;

/// Codes of `google.rpc.Status`.
const INVALID_ARGUMENT: u8 = 3;
const DEADLINE_EXCEEDED: u8 = 4;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const UNAVAILABLE: u8 = 14;

/// What OpenTelemetry's exporters talk to.
pub struct Otlp {
    batcher: Batcher,
    max_grpc_bytes: usize,
    max_http_bytes: usize,
    origins: Origins,
}

/// Web pages that may send.
enum Origins {
    All,
    Some(Vec<String>),
}

/// How a request is encoded, and so its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Grpc,
    Protobuf,
    Json,
}

/// What was left out of a request while the rest was taken.
struct LeftOut {
    signal: Signal,
    items: u64,
    /// Of the first of them.
    why: String,
}

/// A refusal before it is worded in a format.
struct Refused {
    status: StatusCode,
    code: u8,
    message: String,
    retry_after: Option<Duration>,
}

impl Otlp {
    pub fn new(batcher: Batcher, options: &config::OtlpIntake) -> Self {
        let origins = match options.cors_origins.iter().any(|origin| origin == "*") {
            true => Origins::All,
            false => Origins::Some(options.cors_origins.clone()),
        };
        Otlp {
            batcher,
            max_grpc_bytes: options.max_grpc_bytes,
            max_http_bytes: options.max_http_bytes,
            origins,
        }
    }

    /// What may stand in the answer to a page: its origin, or all.
    fn allowed(&self, head: &Head) -> Option<HeaderValue> {
        let origin = head.headers.get(ORIGIN)?;
        match &self.origins {
            Origins::All => Some(HeaderValue::from_static("*")),
            Origins::Some(origins) => {
                origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
            }
        }
    }

    /// Lets a page read its answer.
    fn share(&self, head: &Head, mut answer: Answer) -> Answer {
        if matches!(&self.origins, Origins::Some(origins) if origins.is_empty()) {
            return answer;
        }
        answer.headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.allowed(head) {
            answer.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        answer
    }

    /// The question of a browser whether a page may send.
    fn preflight(&self, head: &Head) -> Answer {
        if self.allowed(head).is_none() {
            let why = "pages of this origin may not send here; `otlp.cors_origins` lists those that may\n";
            return self.share(head, Answer::new(StatusCode::FORBIDDEN, TEXT, why));
        }
        let mut answer = Answer::new(StatusCode::NO_CONTENT, TEXT, "");
        let headers = &mut answer.headers;
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        // Whatever it asks for: no header gives a request more than it has without.
        let wanted = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            wanted.unwrap_or(HeaderValue::from_static("content-type, content-encoding")),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_SECONDS));
        headers.append(VARY, HeaderValue::from_static("access-control-request-headers"));
        self.share(head, answer)
    }

    /// Takes what is sound; says what was left out.
    fn export(&self, request: Request<'_>, format: Format) -> Result<Option<LeftOut>, Refused> {
        let Some(signal) = Signal::ALL.get(usize::from(request.endpoint)).copied() else {
            return Err(Refused::unknown(unknown(request.head.uri.path())));
        };
        if request.body.is_empty() {
            return Ok(None);
        }
        let (chunks, left_out) = match format {
            Format::Grpc | Format::Protobuf => protobuf(signal, &request)?,
            Format::Json => json(signal, &request)?,
        };
        if chunks.is_empty() {
            return Ok(None);
        }
        self.batcher.offer(Source::Otlp, signal, chunks).map_err(|_| {
            let what = signal.counted();
            Refused::no_room(format!("there is no room for the {what}: the backends do not keep up"))
        })?;
        if let Some(left_out) = &left_out {
            self.batcher.reject(Source::Otlp, signal, left_out.items);
        }
        Ok(left_out)
    }
}

/// A request in protobuf, as it is.
fn protobuf(signal: Signal, request: &Request<'_>) -> Result<(Vec<Chunk>, Option<LeftOut>), Refused> {
    let walk::Taken { resources, rejected } =
        walk::request(signal, &request.body).map_err(|why| Refused::malformed(why.to_string()))?;
    let chunks =
        resources.into_iter().map(|walked| chunk(signal, walked, request)).collect::<Result<_, _>>()?;
    let left_out = |walk::Rejected { items, first }| LeftOut { signal, items, why: first.to_string() };
    Ok((chunks, rejected.map(left_out)))
}

/// A chunk that holds its memory: the body's, or that of a copy, which would else be under no budget.
fn chunk(signal: Signal, walked: walk::Walked, request: &Request<'_>) -> Result<Chunk, Refused> {
    let walk::Walked { bytes, items, identity, copied } = walked;
    let hold = if copied { request.budget.take(bytes.len()) } else { Some(request.hold.clone()) };
    match hold {
        Some(_) => Ok(Chunk { signal, bytes, items, identity, hold }),
        None => Err(Refused::no_room(Refusal::NoRoom.to_string())),
    }
}

/// A request in JSON as protobuf.
fn json(signal: Signal, request: &Request<'_>) -> Result<(Vec<Chunk>, Option<LeftOut>), Refused> {
    let json::Taken { chunks, rejected } = json::read_request(signal, &request.body, request.budget)
        .map_err(|error| match error {
            json::Error::NoRoom(_) => Refused::no_room(error.to_string()),
            json::Error::Json { .. } => Refused::malformed(error.to_string()),
        })?;
    let left_out = |json::Rejected { items, first }| LeftOut { signal, items, why: first.to_string() };
    Ok((chunks, rejected.map(left_out)))
}

impl Protocol for Otlp {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn route(&self, head: &Head) -> Route {
        let path = head.uri.path();
        if head.grpc {
            if let Some(signal) = Signal::ALL.into_iter().find(|signal| path == signal.grpc_path()) {
                return Route::Read(Read { endpoint: signal as u16, limit: self.max_grpc_bytes });
            }
            let mut answer = Answer::new(StatusCode::OK, TEXT, "");
            answer.grpc = Some(Grpc { code: UNIMPLEMENTED, message: unknown(path) });
            return Route::Answer(answer);
        }
        let known = Signal::ALL.into_iter().find(|signal| path == signal.http_path());
        let profiles = path == PROFILES_HTTP;
        let page = head.method == Method::OPTIONS && head.headers.contains_key(ORIGIN);
        if (known.is_some() || profiles) && page {
            return Route::Answer(self.preflight(head));
        }
        let Some(signal) = known else {
            let answer = match Format::of(&head.headers) {
                Some(format) if profiles => Refused::unknown(unknown(path)).worded(format),
                _ => Answer::new(StatusCode::NOT_FOUND, TEXT, unknown(path) + "\n"),
            };
            return Route::Answer(self.share(head, answer));
        };
        let answer = if head.method != Method::POST {
            let what = signal.counted();
            let why = format!("`{}` is not allowed here; {what} are sent by POST\n", head.method);
            let mut answer = Answer::new(StatusCode::METHOD_NOT_ALLOWED, TEXT, why);
            answer.headers.insert(ALLOW, HeaderValue::from_static("POST"));
            answer
        } else if Format::of(&head.headers).is_none() {
            let found = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
            let why = format!(
                "the content type must be `{PROTOBUF}` or `{JSON}`, and is `{}`\n",
                String::from_utf8_lossy(found)
            );
            Answer::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, TEXT, why)
        } else {
            return Route::Read(Read { endpoint: signal as u16, limit: self.max_http_bytes });
        };
        Route::Answer(self.share(head, answer))
    }

    fn take(&self, request: Request<'_>) -> Answer {
        let head = request.head;
        let format = Format::of_head(head);
        let answer = match self.export(request, format) {
            Ok(left_out) => format.success(left_out.as_ref()),
            Err(refused) => refused.worded(format),
        };
        self.share(head, answer)
    }

    fn refuse(&self, head: &Head, _: Option<u16>, refusal: &Refusal) -> Answer {
        let message = refusal.to_string();
        let (status, code) = match refusal {
            Refusal::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, RESOURCE_EXHAUSTED),
            Refusal::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Refusal::Encoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, UNIMPLEMENTED),
            Refusal::Unreadable(_) => (StatusCode::BAD_REQUEST, INVALID_ARGUMENT),
            Refusal::Timeout => (StatusCode::REQUEST_TIMEOUT, DEADLINE_EXCEEDED),
        };
        let retry_after = matches!(refusal, Refusal::NoRoom).then_some(RETRY_AFTER);
        let refused = Refused { status, code, message, retry_after };
        self.share(head, refused.worded(Format::of_head(head)))
    }
}

/// What is told about a path that is not served.
fn unknown(path: &str) -> String {
    if path == PROFILES_HTTP || path == PROFILES_GRPC {
        return "OTLP profiles are not taken here, only traces, metrics and logs".to_owned();
    }
    let by_http = Signal::ALL.map(|signal| format!("`{}`", signal.http_path())).join(", ");
    let by_grpc = Signal::Traces.grpc_path();
    format!(
        "nothing is served at `{path}`; OTLP goes by POST to {by_http}, or by gRPC to `{by_grpc}` and its like"
    )
}

impl Format {
    /// By the content type of an HTTP request.
    fn of(headers: &HeaderMap) -> Option<Format> {
        let value = headers.get(CONTENT_TYPE)?.as_bytes();
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if media_type.eq_ignore_ascii_case(PROTOBUF.as_bytes()) {
            Some(Format::Protobuf)
        } else if media_type.eq_ignore_ascii_case(JSON.as_bytes()) {
            Some(Format::Json)
        } else {
            None
        }
    }

    /// Of a request that was routed.
    fn of_head(head: &Head) -> Format {
        if head.grpc { Format::Grpc } else { Format::of(&head.headers).unwrap_or(Format::Protobuf) }
    }

    /// An `Export…ServiceResponse`, whose shape is that of all signals: empty when all was taken, else with its
    /// `partial_success`.
    fn success(self, left_out: Option<&LeftOut>) -> Answer {
        let (content_type, body): (_, Bytes) = match (self, left_out) {
            (Format::Grpc | Format::Protobuf, None) => (PROTOBUF, Bytes::new()),
            (Format::Grpc | Format::Protobuf, Some(left_out)) => (PROTOBUF, left_out.in_protobuf().into()),
            (Format::Json, None) => (JSON, Bytes::from_static(b"{}")),
            (Format::Json, Some(left_out)) => (JSON, left_out.in_json().into()),
        };
        let mut answer = Answer::new(StatusCode::OK, content_type, body);
        if self == Format::Grpc {
            answer.grpc = Some(Grpc { code: 0, message: String::new() });
        }
        answer
    }
}

impl LeftOut {
    /// The response that says so.
    fn in_protobuf(&self) -> Vec<u8> {
        let mut response = Writer::new();
        let partial = response.begin(1, 0);
        response.varint(1, self.items);
        response.text(2, &self.why);
        response.end(partial);
        response.into_inner()
    }

    fn in_json(&self) -> String {
        // As ProtoJSON has it, where a number of 64 bits is a string.
        let partial = serde_json::json!({
            self.signal.rejected(): self.items.to_string(),
            "errorMessage": self.why,
        });
        serde_json::json!({ "partialSuccess": partial }).to_string()
    }
}

impl Refused {
    fn malformed(message: String) -> Self {
        Refused { status: StatusCode::BAD_REQUEST, code: INVALID_ARGUMENT, message, retry_after: None }
    }

    fn unknown(message: String) -> Self {
        Refused { status: StatusCode::NOT_FOUND, code: UNIMPLEMENTED, message, retry_after: None }
    }

    fn no_room(message: String) -> Self {
        Refused {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: UNAVAILABLE,
            message,
            retry_after: Some(RETRY_AFTER),
        }
    }

    fn worded(self, format: Format) -> Answer {
        let Refused { status, code, message, retry_after } = self;
        let (content_type, body): (_, Bytes) = match format {
            Format::Grpc => (PROTOBUF, Bytes::new()),
            Format::Protobuf => (PROTOBUF, status_message(code, &message).into()),
            Format::Json => {
                (JSON, serde_json::json!({ "code": code, "message": message }).to_string().into())
            }
        };
        let mut answer = Answer::new(status, content_type, body);
        // Over HTTP it is the text for the log.
        answer.grpc = Some(Grpc { code, message });
        answer.retry_after = retry_after;
        answer
    }
}

#[cfg(test)]
mod tests;
