//! What a listener counts, and the last words of each refusal.

use super::protocol::{Answer, Refusal};
use crate::clock;
use crate::telemetry::limiter::limited;
use crate::telemetry::{self, Metric};
use http::StatusCode;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Characters of a refusal's text that are kept.
const TEXT: usize = 200;

/// Why a request was refused, as a label value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    TooLarge,
    QueueFull,
    Encoding,
    Malformed,
    Timeout,
    UnknownPath,
    Method,
    Forbidden,
    Internal,
}

impl Reason {
    pub const ALL: [Reason; 9] = [
        Reason::TooLarge,
        Reason::QueueFull,
        Reason::Encoding,
        Reason::Malformed,
        Reason::Timeout,
        Reason::UnknownPath,
        Reason::Method,
        Reason::Forbidden,
        Reason::Internal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Reason::TooLarge => "too_large",
            Reason::QueueFull => "queue_full",
            Reason::Encoding => "encoding",
            Reason::Malformed => "malformed",
            Reason::Timeout => "timeout",
            Reason::UnknownPath => "unknown_path",
            Reason::Method => "method",
            Reason::Forbidden => "forbidden",
            Reason::Internal => "internal",
        }
    }

    pub(super) fn of_refusal(refusal: &Refusal) -> Reason {
        match refusal {
            Refusal::TooLarge { .. } => Reason::TooLarge,
            Refusal::NoRoom => Reason::QueueFull,
            Refusal::Encoding(_) => Reason::Encoding,
            Refusal::Unreadable(_) => Reason::Malformed,
            Refusal::Timeout => Reason::Timeout,
        }
    }

    /// Why a protocol refused; `None` when it did not.
    pub(super) fn of_answer(answer: &Answer, grpc: bool) -> Option<Reason> {
        if let (true, Some(status)) = (grpc, &answer.grpc) {
            return match status.code {
                0 => None,
                4 => Some(Reason::Timeout),
                7 | 16 => Some(Reason::Forbidden),
                8 => Some(Reason::TooLarge),
                12 => Some(Reason::UnknownPath),
                14 => Some(Reason::QueueFull),
                2 | 13 => Some(Reason::Internal),
                _ => Some(Reason::Malformed),
            };
        }
        match answer.status.as_u16() {
            0..=399 => None,
            401 | 403 => Some(Reason::Forbidden),
            404 => Some(Reason::UnknownPath),
            405 => Some(Reason::Method),
            408 => Some(Reason::Timeout),
            413 => Some(Reason::TooLarge),
            415 => Some(Reason::Encoding),
            429 | 503 => Some(Reason::QueueFull),
            500.. => Some(Reason::Internal),
            _ => Some(Reason::Malformed),
        }
    }
}

/// A reason that occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSample {
    pub reason: Reason,
    pub count: u64,
    /// What the last client so refused was told.
    pub last: String,
    /// When, in Unix nanoseconds.
    pub time_ns: u64,
}

/// What was answered: an HTTP status, or the code of a gRPC status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Http(u16),
    Grpc(u8),
}

/// The counters of one listener.
#[derive(Debug, Default)]
pub(super) struct Tally {
    connections: AtomicU64,
    body_bytes: AtomicU64,
    statuses: Mutex<BTreeMap<Status, u64>>,
    refused: Mutex<BTreeMap<Reason, RefusedSample>>,
}

impl Tally {
    pub(super) fn open(&self, connections: usize) {
        self.connections.store(connections as u64, Relaxed);
    }

    pub(super) fn read(&self, bytes: usize) {
        self.body_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn answered(&self, status: Status) {
        *self.statuses.lock().entry(status).or_default() += 1;
    }

    pub(super) fn refuse(&self, protocol: &'static str, reason: Reason, text: &str) {
        telemetry::add(Metric::IntakeRefused, &[protocol, reason.as_str()], 1);
        let time_ns = clock::now_ns();
        let text: String = text.chars().take(TEXT).filter(|c| !c.is_control()).collect();
        limited!(WARN, time_ns, protocol, reason = reason.as_str(), "a request was refused: {text}");
        let mut refused = self.refused.lock();
        let sample =
            refused.entry(reason).or_insert(RefusedSample { reason, count: 0, last: String::new(), time_ns });
        (sample.count, sample.last, sample.time_ns) = (sample.count + 1, text, time_ns);
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Relaxed)
    }

    pub(super) fn statuses(&self) -> Vec<(String, u64)> {
        self.statuses.lock().iter().map(|(status, count)| (status.name(), *count)).collect()
    }

    /// The most frequent first.
    pub(super) fn refused(&self) -> Vec<RefusedSample> {
        let mut refused: Vec<_> = self.refused.lock().values().cloned().collect();
        refused.sort_by_key(|sample| std::cmp::Reverse(sample.count));
        refused
    }
}

impl Status {
    pub(super) fn of(answer: &Answer, grpc: bool) -> Status {
        match (grpc, &answer.grpc) {
            (true, Some(status)) => Status::Grpc(status.code),
            (true, None) => Status::Grpc(super::grpc::code_of(answer.status)),
            (false, _) => Status::Http(answer.status.as_u16()),
        }
    }

    fn name(self) -> String {
        match self {
            Status::Http(code) => {
                StatusCode::from_u16(code).map_or_else(|_| code.to_string(), |s| s.as_str().into())
            }
            Status::Grpc(code) => super::grpc::name(code).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::http::Grpc;

    #[test]
    fn refusals_are_sorted_by_what_was_answered() {
        let http = |code: u16| {
            Reason::of_answer(&Answer::new(StatusCode::from_u16(code).unwrap(), "text/plain", ""), false)
        };
        let cases = [
            (200, None),
            (202, None),
            (400, Some("malformed")),
            (403, Some("forbidden")),
            (404, Some("unknown_path")),
            (405, Some("method")),
            (408, Some("timeout")),
            (413, Some("too_large")),
            (415, Some("encoding")),
            (429, Some("queue_full")),
            (500, Some("internal")),
            (503, Some("queue_full")),
        ];
        for (code, reason) in cases {
            assert_eq!(http(code).map(Reason::as_str), reason, "{code}");
        }
        let grpc = |code| {
            let mut answer = Answer::new(StatusCode::OK, "", "");
            answer.grpc = Some(Grpc { code, message: String::new() });
            Reason::of_answer(&answer, true).map(Reason::as_str)
        };
        assert_eq!(
            [0, 3, 12, 14].map(grpc),
            [None, Some("malformed"), Some("unknown_path"), Some("queue_full")]
        );
    }
}
