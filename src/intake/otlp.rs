//! OTLP: spans by gRPC (`TraceService/Export`) and by HTTP (`POST /v1/traces`), protobuf or JSON.
//!
//! Protobuf is walked once and passed on as it is. Every answer has the type of its request, and every error
//! is a `google.rpc.Status` that says what to do. Both ports answer both. Metrics and logs are refused in
//! words. Source: the OTLP specification. Next: `crate::otlp::walk`.

use super::http::grpc::status_message;
use super::http::{Answer, Grpc, Head, Protocol, Read, Refusal, Request, Route};
use crate::config;
use crate::otlp::protobuf::Writer;
use crate::otlp::{Batcher, Chunk, Protocol as Source, json, walk};
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, StatusCode};
use std::time::Duration;

const HTTP_PATH: &str = "/v1/traces";
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// Signals of OTLP that are not taken (yet).
const OTHER_SIGNALS: [(&str, &str, &str); 3] = [
    ("metrics", "/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
    ("logs", "/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
    (
        "profiles",
        "/v1development/profiles",
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
    ),
];
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
            let why = "pages of this origin may not send spans; `otlp.cors_origins` lists those that may\n";
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
    fn export(&self, request: Request<'_>, format: Format) -> Result<Option<walk::Rejected>, Refused> {
        if request.body.is_empty() {
            return Ok(None);
        }
        let mut left_out = None;
        let chunks = match format {
            Format::Grpc | Format::Protobuf => {
                let walk::Taken { resources, rejected } =
                    walk::request(&request.body).map_err(|why| Refused::malformed(why.to_string()))?;
                left_out = rejected;
                let chunk = |walk::Walked { bytes, spans, identity }| Chunk {
                    bytes,
                    spans,
                    identity,
                    hold: Some(request.hold.clone()),
                };
                resources.into_iter().map(chunk).collect()
            }
            Format::Json => json_chunks(&request)?,
        };
        if chunks.is_empty() {
            return Ok(None);
        }
        self.batcher.offer(Source::Otlp, chunks).map_err(|_| {
            Refused::no_room("there is no room for the spans: the backends do not keep up".to_owned())
        })?;
        if let Some(rejected) = &left_out {
            self.batcher.reject(Source::Otlp, rejected.spans);
        }
        Ok(left_out)
    }
}

/// The spans of a request in JSON, as protobuf.
fn json_chunks(request: &Request<'_>) -> Result<Vec<Chunk>, Refused> {
    json::read_request(&request.body, request.budget).map_err(|error| match error {
        json::Error::NoRoom => Refused::no_room(error.to_string()),
        json::Error::Json { .. } => Refused::malformed(error.to_string()),
    })
}

impl Protocol for Otlp {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn route(&self, head: &Head) -> Route {
        let path = head.uri.path();
        if head.grpc {
            if path == GRPC_PATH {
                return Route::Read(Read { endpoint: 0, limit: self.max_grpc_bytes });
            }
            let mut answer = Answer::new(StatusCode::OK, TEXT, "");
            answer.grpc = Some(Grpc { code: UNIMPLEMENTED, message: unknown(path) });
            return Route::Answer(answer);
        }
        let known = path == HTTP_PATH;
        let other = OTHER_SIGNALS.iter().any(|(_, http, _)| path == *http);
        if (known || other) && head.method == Method::OPTIONS && head.headers.contains_key(ORIGIN) {
            return Route::Answer(self.preflight(head));
        }
        let answer = if !known {
            match Format::of(&head.headers) {
                Some(format) if other => Refused::unknown(unknown(path)).worded(format),
                _ => Answer::new(StatusCode::NOT_FOUND, TEXT, unknown(path) + "\n"),
            }
        } else if head.method != Method::POST {
            let why = format!("`{}` is not allowed here; spans are sent by POST\n", head.method);
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
            return Route::Read(Read { endpoint: 0, limit: self.max_http_bytes });
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
    match OTHER_SIGNALS.iter().find(|(_, http, grpc)| path == *http || path == *grpc) {
        Some((signal, ..)) => format!("OTLP {signal} are not taken here, only traces"),
        None => format!(
            "nothing is served at `{path}`; spans go to `POST {HTTP_PATH}`, or by gRPC to `{GRPC_PATH}`"
        ),
    }
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

    /// An `ExportTraceServiceResponse`: empty when all was taken, else with its `partial_success`.
    fn success(self, left_out: Option<&walk::Rejected>) -> Answer {
        let mut answer = match self {
            Format::Grpc | Format::Protobuf => Answer::new(StatusCode::OK, PROTOBUF, ""),
            Format::Json => Answer::new(StatusCode::OK, JSON, "{}"),
        };
        if let Some(rejected) = left_out {
            let mut response = Writer::new();
            let partial = response.begin(1, 0);
            response.varint(1, rejected.spans);
            response.bytes(2, rejected.first.to_string().as_bytes());
            response.end(partial);
            answer.body = response.into_inner().into();
        }
        if self == Format::Grpc {
            answer.grpc = Some(Grpc { code: 0, message: String::new() });
        }
        answer
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
