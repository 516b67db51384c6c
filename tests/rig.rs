//! The measuring tool sends a known sum over each transport; `/metrics` must show it to the unit, or
//! say as exactly as the kernel what was dropped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::tool::{rig, run};
use harness::{Agent, Setup};
use serde_json::Value;

/// `rig cost` with a small corpus of 2,000 contexts and 40,000 messages in datagrams of at most `datagram` bytes.
fn cost(agent: &Agent, to: &str, datagram: &str, rate: &str) -> Value {
    let pid = agent.pid().to_string();
    let corpus =
        ["--contexts", "2000", "--messages", "40000", "--packed-percent", "5", "--datagram", datagram];
    let pace = ["--rate", rate, "--settle", "0.2", "--pid", &pid];
    let output = run(rig().args(["cost", "--to", to]).args(corpus).args(pace));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(report: &Value, field: &str) -> f64 {
    report[field].as_f64().unwrap_or_else(|| panic!("{field} in {report}"))
}

/// The page reaches the rig's sum, having counted every message and refused none.
fn expect_all(agent: &Agent, report: &Value) {
    let want = number(report, "counter_sum");
    agent.page_with("the rig's counter sum", |page| (page.counter_sum() >= want).then_some(()));
    let page = agent.page();
    assert_eq!(page.counter_sum(), want);
    assert_eq!(page.sum("pillion_listener_rejected_total", &[]), 0.0, "{}", agent.status());
    let messages = number(report, "messages");
    agent.page_with("the count of messages", |page| {
        (page.sum("pillion_listener_messages_total", &[]) == messages).then_some(())
    });
}

#[test]
fn udp_at_an_easy_rate_is_exact() {
    let agent = Setup::new().start();
    let report = cost(&agent, &format!("udp://{}", agent.udp()), "1432", "20000");
    assert_eq!(number(&report, "dropped_datagrams"), 0.0, "the kernel dropped at an easy rate: {report}");
    expect_all(&agent, &report);
    assert_eq!(agent.page().sum("pillion_listener_kernel_dropped_total", &[]), 0.0);
}

#[test]
fn udp_with_one_message_a_datagram_is_exact() {
    let agent = Setup::new().start();
    let report = cost(&agent, &format!("udp://{}", agent.udp()), "0", "10000");
    assert_eq!(number(&report, "dropped_datagrams"), 0.0, "the kernel dropped at an easy rate: {report}");
    expect_all(&agent, &report);
}

#[test]
fn unix_datagrams_are_exact_as_fast_as_they_go() {
    let setup = Setup::new();
    let address = format!("unixgram://{}", setup.path("dsd.socket").display());
    let agent = setup.listener(&address).start();
    expect_all(&agent, &cost(&agent, &address, "1432", "0"));
}

#[test]
fn a_unix_stream_is_exact_as_fast_as_it_goes() {
    let setup = Setup::new();
    let address = format!("unix://{}", setup.path("dsd.socket").display());
    let agent = setup.listener(&address).start();
    expect_all(&agent, &cost(&agent, &address, "1432", "0"));
}

#[test]
fn tcp_lines_are_exact_as_fast_as_they_go() {
    let address = format!("tcp://127.0.0.1:{}", harness::port::free());
    let agent = Setup::new().listener(&address).start();
    expect_all(&agent, &cost(&agent, &address, "1432", "0"));
}

/// A receive buffer of a few datagrams and a sender that does not wait: the kernel must drop.
#[test]
fn what_the_kernel_dropped_is_counted_as_the_kernel_counts_it() {
    let setup = Setup::new();
    let udp = setup.udp();
    let agent = setup.listen(format!("[{{ address = \"udp://{udp}\", receive_buffer = 4096 }}]")).start();
    let report = cost(&agent, &format!("udp://{udp}"), "1432", "0");
    let dropped = number(&report, "dropped_datagrams");
    assert!(dropped > 0.0, "the buffer was too large for this test: {report}");
    agent.expect("pillion_listener_kernel_dropped_total", &[], dropped);
    let received = number(&report, "datagrams") - dropped;
    agent.page_with("the datagrams that were not dropped", |page| {
        (page.sum("pillion_listener_packets_total", &[]) == received).then_some(())
    });
    assert!(agent.page().counter_sum() < number(&report, "counter_sum"));
}

/// Two agents in turn at easy rates: nothing is lost, and each received what the report says was sent to it.
#[test]
fn two_agents_are_tried_in_turn() {
    let agents = [Setup::new().start(), Setup::new().start()];
    let [to, beside] = agents.each_ref().map(|agent| format!("udp://{}", agent.udp()));
    let ladder = ["--rates", "10000,20000", "--tries", "2", "--seconds", "0.1", "--pause", "0.05"];
    let corpus = ["--contexts", "200", "--messages", "1000"];
    let output = run(rig().args(["lossless", "--to", &to, "--beside", &beside]).args(ladder).args(corpus));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (agent, target) in agents.iter().zip(report["targets"].as_array().unwrap()) {
        let rates = target["rates"].as_array().unwrap();
        assert!(rates.iter().all(|rate| number(rate, "tries") == 2.0 && number(rate, "with_drop") == 0.0));
        // Before the tries the corpus is sent once.
        let messages = 1000.0 + rates.iter().map(|rate| number(rate, "messages")).sum::<f64>();
        agent.page_with("the count of messages", |page| {
            (page.sum("pillion_listener_messages_total", &[]) == messages).then_some(())
        });
    }
}

#[test]
fn every_span_of_either_format_is_received() {
    let agent = Setup::new().start();
    for (format, to) in [("otlp", agent.otlp_http()), ("datadog", agent.datadog())] {
        let to = to.to_string();
        let output =
            run(rig().args(["spans", "--format", format, "--to", &to, "--requests", "20", "--settle", "0"]));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((number(&report, "spans"), number(&report, "refused")), (2_000.0, 0.0), "{report}");
        agent.expect("pillion_spans_received_total", &[("protocol", format)], 2_000.0);
    }
}
