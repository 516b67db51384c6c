//! The API of Datadog's trace agent, for tracers that were told of no other: traces, their statistics, and
//! StatsD lines by HTTP.
//!
//! `/info` advertises exactly what is implemented here. What is not carried is refused with a 404, so that
//! nobody believes it arrived; only telemetry of the libraries about themselves and their remote
//! configuration are answered as if, because without an answer tracers log warnings and no data of the app
//! is in them. Read on in `path`, then `headers`, `traces` and `info`.

mod headers;
mod info;
mod path;
mod traces;

#[cfg(test)]
mod tests;

use super::http::{Answer, Head, Protocol, Read, Refusal, Request, Route};
use crate::config;
use crate::otlp::{Batcher, NoRoom};
use crate::telemetry::{self, Metric};
use crate::traces::datadog::decode::stats;
use bytes::Bytes;
use headers::Said;
use http::header::{ALLOW, HeaderValue};
use http::{HeaderName, StatusCode};
use info::Info;
use path::Path;

const STATE: HeaderName = HeaderName::from_static("datadog-agent-state");
const VERSION: HeaderName = HeaderName::from_static("datadog-agent-version");
const RATES_VERSION: HeaderName = HeaderName::from_static("datadog-rates-payload-version");

/// Sampling rates until there is sampling: everything.
const RATES: &str = r#"{"rate_by_service":{"service:,env:":1}}"#;
/// Tells these rates from later ones.
const RATES_NAME: HeaderValue = HeaderValue::from_static("1");

/// Takes StatsD lines, as one packet.
pub type StatsdSink = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Where StatsD goes.
pub struct Statsd {
    /// The UDP port that tracers are told; 0 when there is none.
    pub port: u16,
    pub sink: StatsdSink,
}

/// What Datadog's tracers talk to.
pub struct Datadog {
    batcher: Batcher,
    limit: usize,
    statsd: Option<StatsdSink>,
    /// Unix nanoseconds.
    clock: fn() -> u64,
    info: Bytes,
    /// The SHA-256 of `info`, by which tracers see that it changed.
    state: HeaderValue,
}

impl Datadog {
    pub fn new(
        batcher: Batcher,
        options: &config::DatadogIntake,
        statsd: Option<Statsd>,
        clock: fn() -> u64,
    ) -> Self {
        let info = Info::new(options, statsd.as_ref().map(|statsd| statsd.port));
        let statsd = statsd.map(|statsd| statsd.sink);
        let (state, info) = (info.state(), info.body());
        Datadog { batcher, limit: options.max_bytes, statsd, clock, info, state }
    }

    fn read(&self, path: Path) -> Route {
        Route::Read(Read { endpoint: path.number(), limit: self.limit })
    }

    fn answer(&self, head: &Head, path: Path) -> Route {
        let method = &head.method;
        if !path.allows(method) {
            let mut answer =
                text(StatusCode::METHOD_NOT_ALLOWED, format!("`{method}` is not allowed here\n"));
            answer.headers.insert(ALLOW, HeaderValue::from_static(path.methods()));
            return Route::Answer(answer);
        }
        Route::Answer(match path {
            Path::Traces(_) | Path::Stats => return self.read(path),
            Path::Statsd if self.statsd.is_some() => return self.read(path),
            Path::Statsd => text(StatusCode::NOT_FOUND, "StatsD is not listened for\n"),
            Path::Info => Answer::new(StatusCode::OK, "application/json", self.info.clone()),
            Path::Services => text(StatusCode::OK, "OK\n"),
            Path::Acknowledged => Answer::new(StatusCode::OK, "application/json", "{}"),
            Path::NotCarried(label) => {
                telemetry::add(Metric::DatadogNotCarried, &[label], 1);
                let why = format!("`{}` is not carried: {}\n", head.uri.path(), path::why(label));
                text(StatusCode::NOT_FOUND, why)
            }
        })
    }

    /// Statistics go on as they are, with what only the headers say.
    fn take_stats(&self, request: &Request<'_>) -> Answer {
        let said = Said::read(&request.head.headers);
        let sender = said.sender();
        let fields = [
            ("Lang", &*sender.language),
            ("TracerVersion", &*sender.tracer_version),
            ("ContainerID", &*sender.container_id),
        ];
        match stats::completed(&request.body, &fields) {
            Err(why) => text(StatusCode::BAD_REQUEST, format!("{why}\n")),
            Ok(payload) => match self.batcher.client_stats(payload) {
                Ok(()) => text(StatusCode::OK, "OK\n"),
                Err(NoRoom) => busy(&said, None),
            },
        }
    }

    fn stamp(&self, head: &Head, mut answer: Answer) -> Answer {
        answer.headers.insert(STATE, self.state.clone());
        answer.headers.insert(VERSION, HeaderValue::from_static(info::VERSION));
        if head.headers.contains_key(RATES_VERSION) {
            answer.headers.insert(RATES_VERSION, RATES_NAME);
        }
        answer
    }
}

impl Protocol for Datadog {
    fn name(&self) -> &'static str {
        "datadog"
    }

    fn route(&self, head: &Head) -> Route {
        // A page that a browser shows must not feed the agent of the machine it runs on.
        let route = if head.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
            Route::Answer(text(StatusCode::FORBIDDEN, "requests from other sites are not taken\n"))
        } else {
            self.answer(head, Path::of(head.uri.path()))
        };
        match route {
            Route::Answer(answer) => Route::Answer(self.stamp(head, answer)),
            Route::Read(read) => Route::Read(read),
        }
    }

    fn take(&self, request: Request<'_>) -> Answer {
        let answer = match Path::numbered(request.endpoint) {
            Some(Path::Traces(version)) => traces::take(&self.batcher, version, &request, (self.clock)()),
            Some(Path::Stats) => self.take_stats(&request),
            Some(Path::Statsd) => {
                if let Some(sink) = &self.statsd {
                    sink(&request.body);
                }
                text(StatusCode::OK, Bytes::new())
            }
            Some(Path::Info | Path::Services | Path::Acknowledged | Path::NotCarried(_)) | None => {
                text(StatusCode::NOT_FOUND, "nothing is served here\n")
            }
        };
        self.stamp(request.head, answer)
    }

    fn refuse(&self, head: &Head, endpoint: Option<u16>, refusal: &Refusal) -> Answer {
        let status = match refusal {
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Unreadable(_) => StatusCode::BAD_REQUEST,
            Refusal::Timeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::NoRoom => {
                let version = match endpoint.and_then(Path::numbered) {
                    Some(Path::Traces(version)) => Some(version),
                    _ => None,
                };
                return self.stamp(head, busy(&Said::read(&head.headers), version));
            }
        };
        self.stamp(head, text(status, format!("{}\n", why(refusal))))
    }
}

fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::TooLarge { limit } => {
            format!("the body is larger than {limit} bytes (`datadog.max_bytes`)")
        }
        Refusal::Encoding(encoding) => format!("the encoding `{encoding}` is not known"),
        Refusal::Unreadable(why) => why.clone(),
        Refusal::Timeout => "the request did not arrive in time".to_owned(),
        Refusal::NoRoom => "there is no room".to_owned(),
    }
}

/// The answer when there is no room. Tracers that do not ask for real statuses would only complain of
/// another, as the Datadog agent's do not expect one; traces of a version get its rates.
fn busy(said: &Said<'_>, version: Option<path::Version>) -> Answer {
    match version {
        Some(version) if !said.wants_real_status() => accepted(said, version),
        _ => text(StatusCode::TOO_MANY_REQUESTS, "there is no room at present\n"),
    }
}

/// The answer to traces that were taken.
fn accepted(said: &Said<'_>, version: path::Version) -> Answer {
    if version == path::Version::V03 {
        return text(StatusCode::OK, "OK\n");
    }
    let known = said.rates_version().is_some_and(|version| version == RATES_NAME);
    Answer::new(StatusCode::OK, "application/json", if known { "{}" } else { RATES })
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    Answer::new(status, "text/plain; charset=utf-8", body)
}
