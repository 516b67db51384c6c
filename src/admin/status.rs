//! `/status`: the whole agent in one JSON document. Field names are stable and documented in
//! `docs/status.md`.
//!
//! The parts come from a [`StatusSource`]; reading it may wait for a lock but must change nothing.

mod requests;

pub use requests::{
    ClientStatsStatus, ConversionStatus, PointsStatus, ReasonStatus, RefusedStatus, RequestStatus,
    SeriesStatus, SignalStatus, SpanStatus,
};

use super::collect::{ListenerSource, rejected, remarked};
use super::counts::ListenerCounts;
use super::intakes::IntakeStatus;
use super::kernel_drops::{self, KernelDrops};
use super::readiness::Phase;
use super::threads;
use crate::statsd::{Reject, Remark};
use serde::Serialize;
use serde_json::Value;

/// Where the parts of the status come from: the agent, which knows them all.
pub trait StatusSource: Send + Sync + 'static {
    fn phase(&self) -> Phase;
    fn listeners(&self) -> Vec<ListenerSource>;
    /// What listens for OTLP, Datadog's tracers and Zipkin.
    fn intakes(&self, now_ns: u64) -> Vec<IntakeStatus>;
    fn contexts(&self) -> ContextStatus;
    /// The rules with what each matched.
    fn rules(&self) -> Value;
    /// Conflicts that cost a series its line on `/metrics`, both sides named.
    fn page(&self) -> Value;
    fn backends(&self) -> Vec<BackendReport>;
    fn scrapes(&self) -> ScrapeStatus;
    /// What the intakes beside StatsD took.
    fn requests(&self) -> RequestStatus;
}

/// The document.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub version: &'static str,
    pub started_unix_seconds: f64,
    pub uptime_seconds: f64,
    pub phase: Phase,
    /// Why `/ready` says no; absent when it says yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<&'static str>,
    pub listeners: Vec<ListenerStatus>,
    pub intakes: Vec<IntakeStatus>,
    pub contexts: ContextStatus,
    pub scrapes: ScrapeStatus,
    #[serde(flatten)]
    pub requests: RequestStatus,
    pub backends: Vec<BackendReport>,
    pub rules: Value,
    pub page: Value,
    pub threads: &'static [threads::Part],
}

/// One listener with what it took and refused.
#[derive(Clone, Debug, Serialize)]
pub struct ListenerStatus {
    pub address: String,
    pub kind: &'static str,
    /// Each with a socket of its own.
    pub threads: usize,
    /// Of these, how many ended by a fault and receive nothing any more.
    pub threads_failed: usize,
    #[serde(flatten)]
    pub counts: ListenerCounts,
    pub rejected_total: u64,
    /// Only reasons that occurred, the most frequent first.
    pub rejected: Vec<RejectStatus>,
    pub remarked: Vec<RemarkStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive_buffer_bytes: Option<usize>,
    /// Only when datagrams were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_drops: Option<KernelDrops>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RejectStatus {
    pub reason: &'static str,
    pub meaning: &'static str,
    pub count: u64,
    /// The newest message kept (at most one a second is).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleStatus>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleStatus {
    /// Escaped, and cut when it was long.
    pub message: String,
    pub seconds_ago: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemarkStatus {
    pub remark: &'static str,
    pub meaning: &'static str,
    pub count: u64,
}

/// What aggregation holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ContextStatus {
    pub held: u64,
    pub limit: u64,
    pub limit_per_name: u64,
    pub forms: u64,
    pub evicted: u64,
    /// Names whose newest contexts folded into an overflow series since the start, those with the most messages
    /// first.
    pub overflow: Vec<OverflowStatus>,
    /// Messages that went into overflow series of names that are not listed.
    pub overflow_others: u64,
    pub top_by_messages: Vec<NameCount>,
    pub top_by_contexts: Vec<NameCount>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverflowStatus {
    pub name: String,
    /// Messages that went into the overflow series.
    pub messages: u64,
    /// `name` or `total`: the limit that was reached.
    pub limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NameCount {
    pub name: String,
    pub count: u64,
}

impl From<(String, u64)> for NameCount {
    fn from((name, count): (String, u64)) -> Self {
        NameCount { name, count }
    }
}

/// What `/metrics` gave away, and what nobody has fetched.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ScrapeStatus {
    pub pages: u64,
    /// `null` before the first.
    pub last_seconds_ago: Option<f64>,
    /// Messages and data points taken since the last page, which no scrape has shown yet.
    pub messages_unfetched: u64,
}

/// One push backend.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackendReport {
    pub name: String,
    pub state: BackendState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Points, records, spans or client payloads lost, for all reasons together.
    pub dropped: u64,
    /// All that the delivery machine knows.
    pub detail: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendState {
    /// Nothing was sent yet.
    Waiting,
    Ok,
    /// The last attempt failed; what waits is tried again.
    Failing,
    /// Its delivery task is over.
    Ended,
}

impl BackendState {
    pub fn as_str(self) -> &'static str {
        match self {
            BackendState::Waiting => "waiting",
            BackendState::Ok => "ok",
            BackendState::Failing => "failing",
            BackendState::Ended => "ended",
        }
    }
}

impl Status {
    /// Reads the whole agent at `now_ns`; `started_ns` is when it began (both Unix nanoseconds).
    pub fn read(source: &dyn StatusSource, started_ns: u64, now_ns: u64) -> Status {
        let phase = source.phase();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            started_unix_seconds: started_ns as f64 / 1e9,
            uptime_seconds: seconds(started_ns, now_ns),
            phase,
            not_ready: phase.why_not_ready(),
            listeners: source.listeners().iter().map(|l| ListenerStatus::read(l, now_ns)).collect(),
            intakes: source.intakes(now_ns),
            contexts: source.contexts(),
            scrapes: source.scrapes(),
            requests: source.requests(),
            backends: source.backends(),
            rules: source.rules(),
            page: source.page(),
            threads: threads::ALL,
        }
    }
}

fn seconds(from_ns: u64, to_ns: u64) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / 1e9
}

impl ListenerStatus {
    pub fn read(source: &ListenerSource, now_ns: u64) -> ListenerStatus {
        let ListenerSource { address, kind, tallies, failed, socket } = source;
        let counts = ListenerCounts::sum(tallies);
        let reject = |reason: Reject| {
            let newest = tallies.iter().filter_map(|tally| tally.sample(reason)).max_by_key(|s| s.time_ns);
            RejectStatus {
                reason: reason.as_str(),
                meaning: reason.meaning(),
                count: rejected(tallies, reason),
                sample: newest.map(|sample| SampleStatus {
                    seconds_ago: seconds(sample.time_ns, now_ns),
                    message: sample.message,
                }),
            }
        };
        let mut rejects: Vec<_> = Reject::ALL.into_iter().map(reject).filter(|r| r.count > 0).collect();
        rejects.sort_by_key(|r| std::cmp::Reverse(r.count));
        let remark = |remark: Remark| RemarkStatus {
            remark: remark.as_str(),
            meaning: remark.meaning(),
            count: remarked(tallies, remark),
        };
        ListenerStatus {
            address: address.clone(),
            kind,
            threads: tallies.len(),
            threads_failed: *failed,
            counts,
            rejected_total: rejects.iter().map(|r| r.count).sum(),
            rejected: rejects,
            remarked: Remark::ALL.into_iter().map(remark).filter(|r| r.count > 0).collect(),
            receive_buffer_bytes: socket.buffer.map(|buffer| buffer.bytes),
            kernel_drops: kernel_drops::explain(address, &counts, socket),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::intakes::{Refusal, StatusCount};
    use super::super::kernel_drops::SocketFacts;
    use super::*;
    use crate::intake::statsd::ReceiveBuffer;
    use crate::metrics::tally::Tally;
    use serde_json::json;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    /// An agent with something to show in every field.
    pub(in super::super) struct Sample {
        pub(in super::super) phase: Phase,
    }

    impl StatusSource for Sample {
        fn phase(&self) -> Phase {
            self.phase
        }

        fn listeners(&self) -> Vec<ListenerSource> {
            let tally = Arc::new(Tally::default());
            tally.packets.add(10);
            tally.bytes.add(300);
            tally.messages.add(9);
            tally.kernel_dropped.set(2);
            tally.reject(Reject::BadValue, b"a:x|c", 1_000_000_000);
            tally.reject(Reject::BadType, b"a:1|\xff", 2_000_000_000);
            tally.reject(Reject::BadType, b"a:1|q", 2_000_000_001);
            tally.remark(Remark::EmptyTag);
            let buffer = ReceiveBuffer {
                asked: 0,
                written: crate::config::Written::Nowhere,
                bytes: 212_992,
                limit: Some(4_194_304),
            };
            let socket = SocketFacts { buffer: Some(buffer), largest_burst: Some(40) };
            vec![ListenerSource {
                address: "udp://127.0.0.1:8125".into(),
                kind: "udp",
                tallies: vec![tally],
                failed: 0,
                socket,
            }]
        }

        fn intakes(&self, _: u64) -> Vec<IntakeStatus> {
            vec![IntakeStatus {
                address: "tcp://127.0.0.1:4318".into(),
                protocol: "otlp",
                connections: 1,
                requests: 1,
                statuses: vec![StatusCount { status: "400".into(), count: 1 }],
                body_bytes: 10,
                refused: vec![Refusal {
                    reason: "malformed",
                    count: 1,
                    last: "a string is not UTF-8".into(),
                    last_seconds_ago: 1.0,
                }],
            }]
        }

        fn contexts(&self) -> ContextStatus {
            ContextStatus {
                held: 3,
                limit: 1000,
                limit_per_name: 100,
                forms: 4,
                evicted: 0,
                overflow: vec![OverflowStatus { name: "bomb".into(), messages: 7, limit: "name" }],
                overflow_others: 0,
                top_by_messages: vec![("orders".to_owned(), 5).into()],
                top_by_contexts: vec![("bomb".to_owned(), 100).into()],
            }
        }

        fn rules(&self) -> Value {
            json!([])
        }

        fn page(&self) -> Value {
            json!({ "conflicts": [] })
        }

        fn backends(&self) -> Vec<BackendReport> {
            vec![BackendReport {
                name: "main".into(),
                state: BackendState::Failing,
                last_error: Some("connection refused".into()),
                dropped: 0,
                detail: json!({}),
            }]
        }

        fn scrapes(&self) -> ScrapeStatus {
            ScrapeStatus { pages: 2, last_seconds_ago: Some(1.5), messages_unfetched: 4 }
        }

        fn requests(&self) -> RequestStatus {
            let signal = SignalStatus {
                received: [("otlp", 7), ("datadog", 0)].into(),
                refused: vec![RefusedStatus { protocol: "otlp", reason: "queue_full", count: 3 }],
                pending: 2,
                dropped_no_backend: 1,
                remedy: Some("configure one"),
                ..SignalStatus::default()
            };
            RequestStatus { spans: SpanStatus { signal, ..Default::default() }, ..Default::default() }
        }
    }

    #[test]
    fn a_listener_shows_its_refusals_with_meaning_and_sample() {
        let status = Status::read(&Sample { phase: Phase::Ready }, 500_000_000, 4_000_000_000);
        assert_eq!(status.uptime_seconds, 3.5);
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["phase"], "ready");
        assert_eq!(json.get("not_ready"), None);
        let listener = &json["listeners"][0];
        assert_eq!(listener["packets"], 10);
        assert_eq!(listener["rejected_total"], 3);
        insta::assert_snapshot!(serde_json::to_string_pretty(&listener["rejected"]).unwrap(), @r#"
        [
          {
            "count": 2,
            "meaning": "the type is none of c, g, ms, h, d, s",
            "reason": "bad_type",
            "sample": {
              "message": "a:1|\\xff",
              "seconds_ago": 2.0
            }
          },
          {
            "count": 1,
            "meaning": "a value is not a finite number",
            "reason": "bad_value",
            "sample": {
              "message": "a:x|c",
              "seconds_ago": 3.0
            }
          }
        ]
        "#);
        assert_eq!(listener["kernel_drops"]["dropped"], 2);
    }

    #[test]
    fn every_field_is_documented() {
        fn walk(value: &Value, names: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) => {
                    for (name, value) in fields {
                        names.insert(name.clone());
                        walk(value, names);
                    }
                }
                Value::Array(items) => items.iter().for_each(|item| walk(item, names)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let status = Status::read(&Sample { phase: Phase::Draining }, 0, 4_000_000_000);
        let mut names = BTreeSet::new();
        walk(&serde_json::to_value(&status).unwrap(), &mut names);
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/status.md")).unwrap();
        let missing: Vec<_> = names.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "docs/status.md does not say what these are: {missing:?}");
    }
}
