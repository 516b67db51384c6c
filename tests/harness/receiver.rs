//! An OTLP receiver that is not ours: `tests/clients/otlp_receiver.py`, listening.

use super::lines::Lines;
use super::spans::{Span, spans};
use super::tool::{python, start};
use super::{Process, port, wait_for};
use serde_json::Value;

pub(crate) struct Receiver {
    grpc: u16,
    http: u16,
    lines: Lines,
    _process: Process,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let (grpc, http) = (port::free(), port::free());
        let (process, lines) = start(python("otlp_receiver.py").args([grpc.to_string(), http.to_string()]));
        wait_for("the receiver to listen", || lines.text().contains("listening").then_some(()));
        Receiver { grpc, http, lines, _process: process }
    }

    /// The newest report of all metrics and logs over a transport.
    pub(crate) fn heard(&self, transport: &str) -> Option<Value> {
        self.reports(transport).into_iter().rev().find(|report| report.get("counters").is_some())
    }

    /// The newest such report for which `enough` holds.
    pub(crate) fn wait(&self, transport: &str, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || self.heard(transport).filter(|report| enough(report)))
    }

    /// All spans that came over a transport so far.
    pub(crate) fn spans(&self, transport: &str) -> Vec<Span> {
        spans(&self.requests(transport, "traces"))
    }

    /// All requests of `traces`, `metrics` or `records` that came over a transport so far, in OTLP's JSON.
    pub(crate) fn requests(&self, transport: &str, kind: &str) -> Vec<Value> {
        self.reports(transport).iter().filter_map(|report| report.get(kind).cloned()).collect()
    }

    /// Two backends on one receiver, `grpc` and `http`.
    pub(crate) fn toml(&self, temporality: &str) -> String {
        let backend = |name: &str, port: u16, rest: &str| {
            format!(
                "[backends.{name}]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
                 protocol = \"{name}\"\ntemporality = \"{temporality}\"\n{rest}\n"
            )
        };
        backend("grpc", self.grpc, "compression = \"none\"")
            + &backend("http", self.http, "compression = \"gzip\"")
    }

    /// The same two, of which `grpc` wants totals only of what came by OTLP, and `http` deltas.
    pub(crate) fn converting_toml(&self) -> String {
        let [totals, deltas] = ["cumulative", "delta"].map(|to| format!("points = \"{to}\""));
        let backend = |name: &str, port: u16, rest: &str| {
            format!(
                "[backends.{name}]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
                 protocol = \"{name}\"\n{rest}\n"
            )
        };
        backend("grpc", self.grpc, &totals) + &backend("http", self.http, &deltas)
    }

    /// A third one, `json`, over HTTP in JSON.
    pub(crate) fn json_toml(&self) -> String {
        format!(
            "[backends.json]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:{}\"\nprotocol = \"http/json\"\n",
            self.http
        )
    }

    pub(crate) fn log(&self) -> String {
        self.lines.text()
    }

    fn reports(&self, transport: &str) -> Vec<Value> {
        // Whatever else it writes are complaints; a report that cannot be read must not be passed over.
        let lines = self.lines.all();
        let reports = lines.iter().filter(|line| line.starts_with('{'));
        let parsed = |line: &String| -> Value {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("the receiver said: {e}: {line}"))
        };
        reports.map(parsed).filter(|report| report["transport"] == transport).collect()
    }
}
