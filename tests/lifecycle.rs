//! Start and end of the real binary: what it refuses, what it hands on before it goes, what it says last.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::Setup;
use harness::http::get;
use serde_json::Value;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

/// The sum of a counter over all delta points of a JSON lines file.
fn counter_in(lines: &[Value], name: &str) -> f64 {
    let mut sum = 0.0;
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    for resource in lines.iter().flat_map(|line| list(line, "resourceMetrics")) {
        for scope in list(&resource, "scopeMetrics") {
            for metric in list(&scope, "metrics").iter().filter(|metric| metric["name"] == name) {
                for point in list(&metric["sum"], "dataPoints") {
                    let whole = point["asInt"].as_str().and_then(|text| text.parse().ok());
                    sum += point["asDouble"].as_f64().or(whole).unwrap();
                }
            }
        }
    }
    sum
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket())
}

#[test]
fn sigterm_hands_on_what_was_sent_right_before() {
    let agent = Setup::new().environment("PILLION_METRICS_FLUSH_INTERVAL", "1m").file_backend().start();
    agent.send(&["orders.created:3|c"; 50]);
    let ended = agent.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
    assert_eq!(counter_in(&ended.records(), "orders.created"), 150.0, "{:?}", ended.records());
}

#[test]
fn receiving_goes_on_while_it_drains() {
    let agent = Setup::new().file_backend().start();
    let http = agent.http();
    agent.signal("TERM");
    harness::wait_for("/ready to say 503", || get(http, "/ready").ok().filter(|answer| answer.status == 503));
    assert_eq!(get(http, "/live").unwrap().status, 200);
    agent.send(&["late.total_orders:2|c"]);
    let ended = agent.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
    assert_eq!(counter_in(&ended.records(), "late.total_orders"), 2.0);
}

#[test]
fn sigint_ends_it_as_sigterm_does() {
    let agent = Setup::new().start();
    agent.signal("INT");
    assert_eq!(agent.ended().status.code(), Some(0));
}

#[test]
fn the_last_line_tells_what_was_received_delivered_and_lost() {
    let agent = Setup::new().file_backend().start();
    agent.send(&["orders.created:1|c\norders.created:1|c", "nonsense"]);
    agent.expect("orders_created_total", &[], 2.0);
    let ended = agent.stop();
    for word in ["received", "delivered", "lost"] {
        assert!(ended.last_line.contains(word), "{word} in {:?}", ended.last_line);
    }
}

#[test]
fn it_lingers_for_a_last_scrape_when_asked() {
    let agent = Setup::new().toml("[shutdown]\nquiet = \"100ms\"\nawait_scrape = \"10m\"").start();
    agent.send(&["orders.created:3|c"]);
    harness::wait_for("the message", || {
        agent.status()["listeners"][0]["messages"].as_u64().filter(|messages| *messages == 1)
    });
    agent.signal("TERM");
    harness::wait_for("the wait for a scrape", || agent.log().contains("for a last scrape").then_some(()));
    assert_eq!(agent.page().sum("orders_created_total", &[]), 3.0);
    // Ten minutes would outlast the patience of `ended`.
    let ended = agent.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.text);
    assert!(ended.last_line.contains("unfetched=0"), "{}", ended.last_line);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let agent = Setup::new().toml("[shutdown]\ndrain = \"10m\"\nquiet = \"10m\"").start();
    let http = agent.http();
    agent.signal("TERM");
    harness::wait_for("the drain to begin", || {
        get(http, "/ready").ok().filter(|answer| answer.status == 503)
    });
    agent.signal("TERM");
    // The drain of ten minutes would outlast the patience of `ended`.
    let ended = agent.ended();
    assert_ne!(ended.status.code(), None, "it ended itself: {:?}", ended.status);
}

#[test]
fn a_stale_socket_is_replaced_and_removed_at_the_end() {
    let setup = Setup::new();
    let path = setup.path("dsd.socket");
    drop(UnixDatagram::bind(&path).unwrap());
    assert!(is_socket(&path), "left behind by a process that is gone");
    let agent = setup.listener(format!("unixgram://{}", path.display())).start();
    UnixDatagram::unbound().unwrap().send_to(b"orders.created:1|c", &path).unwrap();
    agent.expect("orders_created_total", &[], 1.0);
    let ended = agent.stop();
    assert_eq!(ended.status.code(), Some(0));
    assert!(!ended.path("dsd.socket").exists(), "removed at exit");
}

#[test]
fn a_live_datagram_socket_is_refused() {
    let setup = Setup::new();
    let path = setup.path("dsd.socket");
    let _owner = UnixDatagram::bind(&path).unwrap();
    let setup = setup.listener(format!("unixgram://{}", path.display()));
    let (status, text) = setup.fail();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert!(is_socket(&path), "the owner keeps its socket");
}

#[test]
fn a_live_stream_socket_is_refused() {
    let setup = Setup::new();
    let path = setup.path("dsd.socket");
    let _owner = UnixListener::bind(&path).unwrap();
    let setup = setup.listener(format!("unix://{}", path.display()));
    let (status, text) = setup.fail();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let setup = Setup::new();
    let path = setup.path("dsd.socket");
    std::fs::write(&path, "precious").unwrap();
    let setup = setup.listener(format!("unixgram://{}", path.display()));
    let (status, text) = setup.fail();
    assert_eq!(status.code(), Some(1), "{text}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_taken_udp_port_is_named() {
    let setup = Setup::new();
    let _owner = UdpSocket::bind(setup.udp()).unwrap();
    let (status, text) = setup.fail();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains(&setup.udp().to_string()), "{text}");
}

#[test]
fn a_taken_http_port_is_named() {
    let setup = Setup::new();
    let _owner = TcpListener::bind(setup.http()).unwrap();
    let (status, text) = setup.fail();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains(&setup.http().to_string()), "{text}");
}

#[test]
fn a_wrong_configuration_ends_with_64() {
    let (status, text) = Setup::new().toml("[metrics]\nflush_intervall = \"1s\"").fail();
    assert_eq!(status.code(), Some(64), "{text}");
    assert!(text.contains("flush_interval"), "it names the nearest option: {text}");
}
