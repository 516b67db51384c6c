//! Real client libraries talk to the real binary; totals are asserted where an operator reads them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::tool::{node, python, run};
use harness::{Agent, Setup};
use serde_json::Value;

/// How often a script sends each of its messages; `orders.items` counts 1 + 2 + … + COUNT.
const COUNT: u32 = 60;
const ITEMS: f64 = (COUNT * (COUNT + 1) / 2) as f64;

/// What every script sends, whatever its client: two counters, a timer, a gauge, a set.
fn expect_orders(agent: &Agent, labels: &[(&str, &str)], last_gauge: f64) {
    agent.expect("orders_created_total", labels, f64::from(COUNT));
    agent.expect("orders_items_total", labels, ITEMS);
    expect_distribution(agent, "orders_latency", ITEMS / 1e3);
    agent.page_with("the last gauge", |page| (page.sum("orders_open", &[]) == last_gauge).then_some(()));
    agent.page_with("the set", |page| (page.sum("orders_buyers", &[]) == 7.0).then_some(()));
    let refused = agent.page().sum("pillion_listener_rejected_total", &[]);
    assert_eq!(refused, 0.0, "nothing was refused: {}", agent.status());
}

fn expect_distribution(agent: &Agent, family: &str, sum: f64) {
    let found = agent.page_with(family, |page| {
        let count = page.of_distribution(family, "count", &[]);
        (count == f64::from(COUNT)).then(|| page.of_distribution(family, "sum", &[]))
    });
    assert!((found - sum).abs() <= sum * 1e-9, "{family}_sum is {found}, want {sum}");
}

/// What the DogStatsD clients send beside: tags, histograms, distributions, an event, a check.
fn expect_dogstatsd(agent: &Agent) {
    expect_orders(agent, &[("env", "dev"), ("shop", "north")], f64::from(COUNT));
    expect_distribution(agent, "orders_size", ITEMS);
    expect_distribution(agent, "orders_weight", ITEMS);
    let records = harness::wait_for("the event and the check in the file", || {
        let records = log_records(&agent.records());
        (records.len() >= 2).then_some(records)
    });
    let having = |text: &str| records.iter().filter(|r| r.to_string().contains(text)).count();
    assert_eq!(having("deploy"), 1, "{records:?}");
    assert_eq!(having("version 2\\nis out"), 1, "newlines are restored: {records:?}");
    assert_eq!(having("database"), 1, "{records:?}");
    assert_eq!(having("no route"), 1, "{records:?}");
    assert_eq!(records.len(), 2, "{records:?}");
}

/// Every record of every OTLP JSON line that holds logs.
fn log_records(lines: &[Value]) -> Vec<Value> {
    fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
        value[key].as_array().into_iter().flatten()
    }
    let scopes =
        lines.iter().flat_map(|line| items(line, "resourceLogs")).flat_map(|r| items(r, "scopeLogs"));
    scopes.flat_map(|scope| items(scope, "logRecords")).cloned().collect()
}

#[test]
fn node_statsd_over_udp() {
    let agent = Setup::new().start();
    run(node("node_statsd.js").arg(agent.udp().port().to_string()).arg(COUNT.to_string()));
    expect_orders(&agent, &[], f64::from(COUNT));
}

#[test]
fn hot_shots_over_udp() {
    let agent = Setup::new().file_backend().start();
    run(node("hot_shots.js").arg("udp").arg(agent.udp().port().to_string()).arg(COUNT.to_string()));
    expect_dogstatsd(&agent);
}

#[test]
fn hot_shots_over_a_unix_socket() {
    let setup = Setup::new().file_backend();
    let socket = setup.path("dsd.socket");
    let agent = setup.listener(format!("unixgram://{}", socket.display())).start();
    run(node("hot_shots.js").arg("uds").arg(socket).arg(COUNT.to_string()));
    expect_dogstatsd(&agent);
}

#[test]
fn python_datadog_over_udp() {
    let agent = Setup::new().file_backend().start();
    run(python("datadog_client.py").arg(format!("udp://{}", agent.udp())).arg(COUNT.to_string()));
    expect_dogstatsd(&agent);
}

#[test]
fn python_datadog_over_udp_with_buffering() {
    let agent = Setup::new().file_backend().start();
    let address = format!("udp://{}", agent.udp());
    run(python("datadog_client.py").arg(address).arg(COUNT.to_string()).arg("buffered"));
    expect_dogstatsd(&agent);
}

#[test]
fn python_datadog_over_a_unix_datagram_socket() {
    let setup = Setup::new().file_backend();
    let socket = setup.path("dsd.socket").display().to_string();
    let agent = setup.listener(format!("unixgram://{socket}")).start();
    run(python("datadog_client.py").arg(format!("unixgram://{socket}")).arg(COUNT.to_string()));
    expect_dogstatsd(&agent);
}

#[test]
fn python_datadog_over_a_unix_stream_socket() {
    let setup = Setup::new().file_backend();
    let socket = setup.path("dsd.socket").display().to_string();
    let agent = setup.listener(format!("unix://{socket}")).start();
    let address = format!("unixstream://{socket}");
    run(python("datadog_client.py").arg(address).arg(COUNT.to_string()).arg("buffered"));
    expect_dogstatsd(&agent);
}

#[test]
fn python_statsd_over_udp() {
    let agent = Setup::new().start();
    let port = agent.udp().port().to_string();
    run(python("statsd_client.py").args(["udp", "127.0.0.1", &port, &COUNT.to_string()]));
    expect_orders(&agent, &[], f64::from(COUNT) - 3.0);
}

#[test]
fn python_statsd_over_tcp() {
    let port = harness::port::free();
    let agent = Setup::new().listener(format!("tcp://127.0.0.1:{port}")).start();
    run(python("statsd_client.py").args(["tcp", "127.0.0.1", &port.to_string(), &COUNT.to_string()]));
    expect_orders(&agent, &[], f64::from(COUNT) - 3.0);
}
