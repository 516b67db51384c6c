//! A tracer, the agent, and backends that are not ours: what every test of spans is played in.

use super::books::{Counted, POINTS, RECORDS, SPANS};
use super::points;
use super::receiver::Receiver;
use super::spans::{Span, spans};
use super::tool::run;
use super::{Agent, Ended, Setup, wait_for_or_tell};
use serde_json::Value;
use std::process::Command;

/// The backends of a scene: the receiver over each of its transports, and the file.
const BACKENDS: [&str; 4] = ["file", "grpc", "http", "json"];

pub(crate) struct Scene {
    pub(crate) agent: Agent,
    pub(crate) receiver: Receiver,
    /// Requests that are refused, as they should be.
    pub(crate) refused_requests: f64,
}

impl Scene {
    pub(crate) fn start(setup: Setup) -> Self {
        let receiver = Receiver::start();
        let agent = setup.file_backend().toml(receiver.toml("delta")).toml(receiver.json_toml()).start();
        Scene { agent, receiver, refused_requests: 0.0 }
    }

    /// Waits until every backend got `count` spans, and asserts that it is the same spans.
    pub(crate) fn spans(&self, count: usize) -> Vec<Span> {
        let places: [(&str, &dyn Fn() -> Vec<Span>); 4] = [
            ("over gRPC", &|| self.receiver.spans("grpc")),
            ("over HTTP", &|| self.receiver.spans("http")),
            ("over HTTP in JSON", &|| self.receiver.spans("json")),
            ("in the file", &|| spans(&self.agent.records())),
        ];
        let mut all: Option<Vec<Span>> = None;
        for (place, look) in places {
            let what = format!("{count} spans {place}");
            let enough = || Some(look()).filter(|spans| spans.len() >= count);
            let here = wait_for_or_tell(&what, enough, || self.state());
            if let Some(before) = &all {
                assert_eq!(before, &here, "{place} is something else than at the others");
            }
            all = Some(here);
        }
        all.unwrap()
    }

    /// The same of data points.
    pub(crate) fn points(&self, count: usize) -> Vec<Value> {
        self.everywhere(count, "metrics", points::points)
    }

    /// The same of log records.
    pub(crate) fn log_records(&self, count: usize) -> Vec<Value> {
        self.everywhere(count, "records", points::records)
    }

    fn everywhere(&self, count: usize, kind: &str, flat: fn(&[Value]) -> Vec<Value>) -> Vec<Value> {
        let mut all: Option<Vec<Value>> = None;
        for place in BACKENDS {
            let look = || match place {
                "file" => flat(&self.agent.records()),
                transport => flat(&self.receiver.requests(transport, kind)),
            };
            let enough = || Some(look()).filter(|found| found.len() >= count);
            let here = wait_for_or_tell(&format!("{count} {kind} at {place}"), enough, || self.state());
            assert_eq!(here.len(), count, "{place}");
            if let Some(before) = &all {
                assert_eq!(before, &here, "{place} has something else than the others");
            }
            all = Some(here);
        }
        all.unwrap()
    }

    /// How things stand, for a test that fails.
    fn state(&self) -> String {
        let status = self.agent.status();
        format!(
            "spans: {}\npoints: {}\nlog records: {}\nintakes: {}\nbackends: {}\nthe agent said:\n{}\nthe receiver said:\n{}",
            status["spans"],
            status["points"],
            status["log_records"],
            status["intakes"],
            status["backends"],
            self.agent.log(),
            self.receiver.log()
        )
    }

    /// The books of spans: all that `protocol` brought was sent by each backend, or stands where it was lost.
    pub(crate) fn expect_ledger(&self, protocol: &str, count: usize) {
        self.expect_ledger_of(SPANS, protocol, count);
    }

    /// The same of any signal.
    pub(crate) fn expect_ledger_of(&self, counted: Counted, protocol: &str, count: usize) {
        let Counted { word, signal } = counted;
        let want = count as f64;
        self.agent.expect(&format!("pillion_{word}_received_total"), &[("protocol", protocol)], want);
        for backend in BACKENDS {
            self.agent.expect(
                "pillion_backend_sent_total",
                &[("backend", backend), ("signal", signal)],
                want,
            );
        }
        let page = self.agent.page();
        assert_eq!(page.sum(&format!("pillion_{word}_received_total"), &[]), want, "{}", page.text);
        let lost = page.sum(&format!("pillion_{word}_dropped_total"), &[])
            + page.sum("pillion_backend_dropped_total", &[("signal", signal)]);
        assert_eq!(lost, 0.0, "{}", page.text);
        assert_eq!(page.sum(&format!("pillion_{word}_refused_total"), &[]), 0.0, "{}", page.text);
        let status = self.agent.status();
        let refused = page.sum("pillion_intake_refused_total", &[]);
        assert_eq!(refused, self.refused_requests, "requests were refused: {}", status["intakes"]);
        assert_eq!(status[word]["received"][protocol], count, "{}", status[word]);
        assert_eq!(status[word]["pending"], 0, "{}", status[word]);
        expect_balance(&status);
    }

    /// Ends the agent; what came is still all.
    pub(crate) fn stop(self, count: usize) -> Ended {
        self.stop_of(SPANS, count)
    }

    /// The same of any signal.
    pub(crate) fn stop_of(self, counted: Counted, count: usize) -> Ended {
        let Scene { agent, receiver, .. } = self;
        let ended = agent.stop();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
        let (kind, number): (_, fn(&[Value]) -> usize) = match counted {
            POINTS => ("metrics", |requests| points::points(requests).len()),
            RECORDS => ("records", |requests| points::records(requests).len()),
            _ => ("traces", |requests| spans(requests).len()),
        };
        assert_eq!(number(&ended.records()), count, "in the file after the end");
        for transport in ["grpc", "http", "json"] {
            assert_eq!(number(&receiver.requests(transport, kind)), count, "over {transport} after the end");
        }
        ended
    }
}

/// At every backend, whatever the signal: offered is sent, dropped, waiting or in flight.
fn expect_balance(status: &Value) {
    let backends = status["backends"].as_array().unwrap();
    assert_eq!(backends.len(), BACKENDS.len(), "{status}");
    for backend in backends.iter().map(|backend| &backend["detail"]) {
        let number = |name: &str| backend[name].as_u64().unwrap_or_else(|| panic!("{name}: {backend}"));
        let dropped: u64 = backend["dropped"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        let found = number("sent") + dropped + number("queue_items") + number("in_flight");
        assert_eq!(number("offered"), found, "{backend}");
    }
}

/// Runs a client: what it says that it sent. A warning, of whatever, fails the test.
pub(crate) fn sent_by(client: &mut Command) -> Value {
    let output = run(client);
    let (said, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(warned.is_empty(), "{client:?} warned:\n{warned}");
    let mut lines = said.lines();
    let (Some(line), None) = (lines.next(), lines.next()) else { panic!("{client:?} said more:\n{said}") };
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// How many spans a client says that it sent.
pub(crate) fn count(sent: &Value) -> usize {
    sent["spans"].as_array().map_or(0, Vec::len)
}
