//! A real Prometheus scrapes the real binary, and its own query language answers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::Setup;
use harness::http::{get, get_as};
use harness::prometheus::Prometheus;
use harness::tool::{send_corpus, system};
use std::io::Write;
use std::process::Stdio;

/// Every counter that apps sent; names with a suffix of their own are pillion's.
const ALL_COUNTERS: &str = r#"sum({__name__=~".+_total",__name__!~"pillion_.+",job="pillion"})"#;

#[test]
fn promql_gives_the_exact_sum_of_a_rig_run() {
    let agent = Setup::new().start();
    let prometheus = Prometheus::start(&agent, &[]);
    let sum = send_corpus(&agent);
    prometheus.expect(ALL_COUNTERS, sum);
    prometheus.expect(r#"up{job="pillion"}"#, 1.0);
}

#[test]
fn promql_gives_the_exact_sum_over_the_protobuf_format() {
    let agent = Setup::new().start();
    let prometheus = Prometheus::start(&agent, &["native-histograms"]);
    let sum = send_corpus(&agent);
    prometheus.expect(ALL_COUNTERS, sum);
}

#[test]
fn native_quantiles_of_a_timer_are_within_three_percent() {
    let agent = Setup::new().start();
    let prometheus = Prometheus::start(&agent, &["native-histograms"]);
    // 1 ms to about 22 s, evenly by ratio, so that every quantile lies among values.
    let mut milliseconds: Vec<f64> = (0..1_000).map(|i| 1.01_f64.powi(i)).collect();
    for block in milliseconds.chunks(20) {
        let lines: Vec<String> = block.iter().map(|v| format!("checkout.latency:{v}|ms")).collect();
        agent.send(&[&lines.join("\n")]);
    }
    milliseconds.sort_by(f64::total_cmp);
    let family = r#"{__name__=~"checkout_latency(_seconds)?",job="pillion"}"#;
    prometheus.expect(&format!("histogram_count({family})"), 1_000.0);
    let sum: f64 = milliseconds.iter().sum::<f64>() / 1e3;
    let found = prometheus.ask(&format!("histogram_sum({family})")).unwrap();
    assert!((found - sum).abs() < sum * 1e-9, "sum {found}, want {sum}");
    for quantile in [0.1, 0.5, 0.9, 0.99] {
        let exact = milliseconds[(quantile * 1_000.0) as usize - 1] / 1e3;
        let found = prometheus.ask(&format!("histogram_quantile({quantile}, {family})")).unwrap();
        let off = (found - exact).abs() / exact;
        assert!(off <= 0.03, "quantile {quantile}: {found}, exactly {exact}, off by {:.1} %", off * 100.0);
    }
}

/// An app's traffic with everything that may clash on the page.
const AWKWARD: [&str; 12] = [
    "orders.created:1|c|#env:dev,note:a\"b\\c",
    "orders.created:1|g",
    "orders_created:1|ms",
    "orders.created_total:1|c",
    "orders.latency:320|ms|#env:dev",
    "orders.latency.count:3|c",
    "orders.latency.sum:3|g",
    "orders.latency.bucket:3|g|#le:5",
    "1st.metric:3|g|#1key:x,__reserved:y,le:z,quantile:q",
    "ünïcode.näme:3|c|#schlüssel:wért",
    "sizes:3|h\nsizes:4|d",
    "users:anna|s|#a.b:1,a_b:2",
];

#[test]
fn promtool_finds_no_parse_error_and_no_lint_on_own_families() {
    let agent = Setup::new().start();
    agent.send(&AWKWARD);
    agent.page_with("what was sent", |page| {
        (page.sum("pillion_listener_messages_total", &[]) >= AWKWARD.len() as f64).then_some(())
    });
    // Two flushes later all of it stands on the page, whatever closes a window.
    agent.page_with("the timer", |page| {
        (page.of_distribution("orders_latency", "count", &[]) > 0.0).then_some(())
    });
    let page = get(agent.http(), "/metrics").unwrap().body;
    let said = promtool(&page);
    assert!(!said.contains("error while linting"), "{said}");
    assert!(!said.contains("parsing error"), "{said}");
    for line in said.lines() {
        assert!(!line.starts_with("pillion_"), "{line}");
    }
}

#[test]
fn pages_are_negotiated() {
    let agent = Setup::new().start();
    agent.send(&["orders.created:1|c"]);
    agent.expect("orders_created_total", &[], 1.0);
    let protobuf =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    for (accept, kind, holds) in [
        ("*/*", "text/plain", "orders_created_total 1"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text", "# EOF"),
        (protobuf, "application/vnd.google.protobuf", "orders_created_total"),
    ] {
        let answer = get_as(agent.http(), "/metrics", &[("accept", accept)]).unwrap();
        let content_type = answer.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with(kind), "{accept}: {content_type}");
        assert!(answer.text().contains(holds), "{accept}: {}", answer.text());
    }
    let zipped = get_as(agent.http(), "/metrics", &[("accept-encoding", "gzip")]).unwrap();
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_eq!(zipped.body[..2], [0x1f, 0x8b]);
}

/// `promtool check metrics` over a page: what it says, lints and errors alike.
fn promtool(page: &[u8]) -> String {
    let mut child = system("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(page).unwrap();
    let output = child.wait_with_output().unwrap();
    // 3 means lints; apps' names earn them.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{:?}\n{}", output, String::from_utf8_lossy(page));
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
