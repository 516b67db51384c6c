//! Zipkin v2: `POST /api/v2/spans`, JSON or protobuf. Next: `crate::traces::zipkin`.

use super::http::{Answer, Head, Protocol, Read, Refusal, Request, Route};
use crate::config;
use crate::otlp::{Batcher, Protocol as Source, Signal};
use crate::traces::zipkin::to_otlp::{Builder, NoBudget};
use crate::traces::zipkin::{json, protobuf};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use std::time::Duration;

const PATH: &str = "/api/v2/spans";
/// When a refused client may come again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What Zipkin's reporters talk to.
#[derive(Clone)]
pub struct Zipkin {
    batcher: Batcher,
    limit: usize,
}

impl Zipkin {
    pub fn new(batcher: Batcher, options: &config::ZipkinIntake) -> Self {
        Zipkin { batcher, limit: options.max_bytes }
    }
}

impl Protocol for Zipkin {
    fn name(&self) -> &'static str {
        "zipkin"
    }

    fn route(&self, head: &Head) -> Route {
        if head.uri.path() != PATH {
            let why = format!("nothing is served at `{}`; spans go to `POST {PATH}`\n", head.uri.path());
            return Route::Answer(text(StatusCode::NOT_FOUND, why));
        }
        if head.method != Method::POST {
            let why = format!("`{}` is not allowed here; spans are sent by POST\n", head.method);
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, why);
            answer.headers.insert(ALLOW, HeaderValue::from_static("POST"));
            return Route::Answer(answer);
        }
        Route::Read(Read { endpoint: 0, limit: self.limit })
    }

    fn take(&self, request: Request<'_>) -> Answer {
        let mut builder = Builder::new(request.budget);
        let read = if is_protobuf(request.head) {
            protobuf::read(&request.body, |span| builder.span(&span)).map_err(|error| error.to_string())
        } else {
            json::read(&request.body, |span| builder.span(&span)).map_err(|error| error.to_string())
        };
        match read {
            Ok(Ok(())) => {}
            Ok(Err(NoBudget)) => return no_room(),
            Err(why) => return text(StatusCode::BAD_REQUEST, format!("{why}\n")),
        }
        let chunks = builder.finish();
        if !chunks.is_empty() && self.batcher.offer(Source::Zipkin, Signal::Traces, chunks).is_err() {
            return no_room();
        }
        text(StatusCode::ACCEPTED, Bytes::new())
    }

    fn refuse(&self, _: &Head, _: Option<u16>, refusal: &Refusal) -> Answer {
        match refusal {
            Refusal::TooLarge { limit } => {
                let why = format!("the body is larger than {limit} bytes (`zipkin.max_bytes`)\n");
                text(StatusCode::PAYLOAD_TOO_LARGE, why)
            }
            Refusal::NoRoom => no_room(),
            Refusal::Encoding(encoding) => {
                let why = format!("the encoding `{encoding}` is not known; gzip, zstd and deflate are\n");
                text(StatusCode::UNSUPPORTED_MEDIA_TYPE, why)
            }
            Refusal::Unreadable(why) => text(StatusCode::BAD_REQUEST, format!("{why}\n")),
            Refusal::Timeout => {
                text(StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time\n".to_owned())
            }
        }
    }
}

/// Any other type is read as JSON.
fn is_protobuf(head: &Head) -> bool {
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-protobuf")
}

fn no_room() -> Answer {
    let why = "no room: the backends do not keep up\n".to_owned();
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, why);
    answer.retry_after = Some(RETRY_AFTER);
    answer
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    Answer::new(status, "text/plain; charset=utf-8", body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{Batch, Budget, NoRoom, Outlet};
    use http::HeaderMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Taken {
        spans: AtomicU64,
        room: bool,
    }

    impl Outlet for Taken {
        fn has_room(&self, _: Signal, _: usize, _: usize) -> bool {
            self.room
        }

        fn batch(&self, batch: Batch) {
            self.spans.fetch_add(batch.items, Ordering::Relaxed);
        }

        fn client_stats(&self, _: Bytes) -> Result<(), NoRoom> {
            Ok(())
        }
    }

    fn zipkin(room: bool) -> Zipkin {
        let outlet = Arc::new(Taken { spans: AtomicU64::new(0), room });
        Zipkin::new(Batcher::new(outlet, &config::Traces::default()), &config::ZipkinIntake::default())
    }

    fn head(method: Method, path: &str, content_type: &str) -> Head {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        Head { method, uri: path.parse().unwrap(), headers, grpc: false }
    }

    fn post(zipkin: &Zipkin, content_type: &str, body: &'static [u8]) -> Answer {
        let budget = Budget::new(1 << 20);
        let head = head(Method::POST, PATH, content_type);
        let hold = budget.take(body.len()).unwrap();
        zipkin.take(Request { head: &head, endpoint: 0, body: body.into(), hold, budget: &budget })
    }

    #[test]
    fn other_paths_and_methods_say_what_to_do() {
        let zipkin = zipkin(true);
        for (method, path, status) in [(Method::POST, "/api/v1/spans", 404), (Method::GET, PATH, 405)] {
            let Route::Answer(answer) = zipkin.route(&head(method, path, "application/json")) else {
                panic!()
            };
            assert_eq!(answer.status, status);
            assert!(String::from_utf8_lossy(&answer.body).contains("spans"));
        }
        assert!(matches!(zipkin.route(&head(Method::POST, PATH, "x/y")), Route::Read(_)));
    }

    #[test]
    fn bodies_are_taken_or_refused_with_the_reason() {
        let zipkin = zipkin(true);
        let good = br#"[{"traceId":"1","id":"2"}]"#;
        assert_eq!(post(&zipkin, "application/json", good).status, 202);
        assert_eq!(post(&zipkin, "text/plain", b"[]").status, 202);
        assert_eq!(post(&zipkin, "Application/X-Protobuf; a=b", b"").status, 202);
        let answer = post(&zipkin, "application/x-protobuf", good);
        assert_eq!(answer.status, 400);
        let answer = post(&zipkin, "application/json", br#"[{"traceId":"1"}]"#);
        assert_eq!(answer.status, 400);
        insta::assert_snapshot!(String::from_utf8_lossy(&answer.body), @"span 0: `id` is missing at line 1 column 17");
    }

    #[test]
    fn no_room_asks_to_come_again() {
        let answer = post(&zipkin(false), "application/json", br#"[{"traceId":"1","id":"2"}]"#);
        assert_eq!(answer.status, 503);
        assert!(answer.retry_after.is_some());
    }
}
