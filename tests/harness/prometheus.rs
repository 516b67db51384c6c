//! A real Prometheus that scrapes one agent each second, and answers in its own query language.

use super::http::{encoded, get};
use super::lines::Lines;
use super::tool::{start, system};
use super::{Agent, Process, port, wait_for_or_tell};
use serde_json::Value;
use std::cell::Cell;
use std::net::SocketAddr;

pub(crate) struct Prometheus {
    address: SocketAddr,
    lines: Lines,
    _process: Process,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// What the page says of itself (`job`, `instance`) stays; where it says nothing, `job` is `pillion`.
    pub(crate) fn start(agent: &Agent, features: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port::free()));
        let config = dir.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: pillion, honor_labels: true, static_configs: [{{targets: ['{}']}}]}}]\n",
            agent.http()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = system("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(features.iter().map(|feature| format!("--enable-feature={feature}")))
            .current_dir(dir.path());
        let (process, lines) = start(&mut command);
        let ready = || get(address, "/-/ready").ok().filter(|a| a.status == 200);
        wait_for_or_tell("Prometheus to be ready", ready, || lines.text());
        Prometheus { address, lines, _process: process, _dir: dir }
    }

    /// The value of an instant query that gives one series; none while it gives nothing.
    pub(crate) fn ask(&self, query: &str) -> Option<f64> {
        self.answer(query, "")
    }

    /// The same of a moment, in Unix seconds.
    pub(crate) fn ask_at(&self, query: &str, at_s: f64) -> Option<f64> {
        self.answer(query, &format!("&time={at_s:.3}"))
    }

    fn answer(&self, query: &str, more: &str) -> Option<f64> {
        let answer = get(self.address, &format!("/api/v1/query?query={}{more}", encoded(query))).ok()?;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let result = answer["data"]["result"].as_array().unwrap();
        assert!(result.len() <= 1, "{query}: {answer}");
        result.first()?["value"][1].as_str()?.parse().ok()
    }

    /// Asks until the answer is `want` or beyond it; it must be `want`.
    pub(crate) fn expect(&self, query: &str, want: f64) {
        let found = self.wait(query, want, |value| value >= want);
        assert_eq!(found, want, "{query}");
    }

    /// Asks until the answer is `want`, whatever it was before.
    pub(crate) fn expect_last(&self, query: &str, want: f64) {
        self.wait(query, want, |value| value == want);
    }

    fn wait(&self, query: &str, want: f64, enough: impl Fn(f64) -> bool) -> f64 {
        let last = Cell::new(None);
        let look = || {
            last.set(self.ask(query));
            last.get().filter(|value| enough(*value))
        };
        let state = || format!("it is {:?}\n{}", last.get(), self.lines.text());
        wait_for_or_tell(&format!("{query} to be {want}"), look, state)
    }
}
