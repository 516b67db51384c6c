//! Each run of the rig once, small, against the rig's own floor and sinks.

use serde_json::Value;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// A server of the rig that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It runs until it is killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rig(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rig"));
    command.args(arguments);
    command
}

fn serve(arguments: &[&str]) -> Server {
    Server(rig(arguments).stdout(Stdio::null()).spawn().unwrap())
}

fn report(arguments: &[&str]) -> Value {
    let output = rig(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A free port below the ephemeral range, where no sender's own socket can sit.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 400) as u16 * 10;
    loop {
        let port = 14_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 4_000;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A floor on a free port, and its address once the socket is bound.
fn floor() -> (Server, String) {
    let port = port();
    let address = format!("udp://127.0.0.1:{port}");
    let server = serve(&["floor", "--listen", &address, "--scan"]);
    let needle = format!(":{port:04X} ");
    wait_for("the floor", || std::fs::read_to_string("/proc/net/udp").unwrap().contains(&needle));
    (server, address)
}

const SMALL: [&str; 4] = ["--contexts", "100", "--messages", "2000"];

#[test]
fn the_same_options_send_the_same_work() {
    let (_floor, address) = floor();
    let run = |seed: &str| {
        let options = [&["send", "--to", &address, "--rate", "20000", "--seed", seed], &SMALL[..]].concat();
        let report = report(&options);
        (report["messages"].clone(), report["bytes"].clone(), report["counter_sum"].clone())
    };
    let first = run("1");
    assert_eq!(first, run("1"));
    assert_ne!(first, run("2"));
    assert_eq!(first.0, 2000);
}

#[test]
fn cost_is_read_from_the_process() {
    let (server, address) = floor();
    let pid = server.0.id().to_string();
    let options = ["cost", "--to", &address, "--pid", &pid, "--rate", "20000", "--settle", "0.1"];
    let report = report(&[&options, &SMALL[..]].concat());
    assert_eq!(report["dropped_datagrams"], 0);
    assert!(report["cpu_seconds_per_million"].as_f64().unwrap() >= 0.0);
    assert!(report["rss_kb"].as_u64().unwrap() > 100);
    assert!(report["counter_sum"].as_f64().unwrap() > 0.0);
}

#[test]
fn lossless_and_burst_find_a_rate_and_a_size() {
    let (_floor, address) = floor();
    let rate = report(
        &[&["lossless", "--to", &address, "--seconds", "0.1", "--highest", "16000"], &SMALL[..]].concat(),
    );
    assert!(rate["lossless_per_second"].as_f64().unwrap() > 0.0);
    let size =
        report(&[&["burst", "--to", &address, "--bursts", "2", "--largest", "16"], &SMALL[..]].concat());
    assert!(size["burst_datagrams"].as_u64().unwrap() > 0);
}

#[test]
fn two_servers_are_tried_in_turn_and_one_that_loses_is_seen() {
    let (_floor, beside) = floor();
    let deaf = UdpSocket::bind("127.0.0.1:0").unwrap(); // its buffer is full before the first try
    let to = format!("udp://{}", deaf.local_addr().unwrap());
    let pair = ["lossless", "--to", &to, "--beside", &beside, "--rates", "10000,20000", "--tries", "3"];
    let short = ["--seconds", "0.1", "--pause", "0.02", "--datagram", "512"];
    let report = report(&[&pair[..], &short, &SMALL[..]].concat());
    for (target, with_drop) in report["targets"].as_array().unwrap().iter().zip([3, 0]) {
        for rate in target["rates"].as_array().unwrap() {
            assert_eq!((&rate["tries"], &rate["with_drop"]), (&3.into(), &with_drop.into()), "{report}");
        }
    }
    assert_eq!(report["pairs_lost_by_one"], serde_json::json!({"to": 6, "beside": 0}));
    assert_eq!(report["verdict"], "outside the ladder", "{report}");
}

#[test]
fn where_nobody_listens_nothing_is_lossless() {
    let (_floor, beside) = floor();
    let to = format!("udp://127.0.0.1:{}", port());
    let output = rig(&["lossless", "--to", &to, "--beside", &beside, "--tries", "1"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
}

#[test]
fn spans_are_posted_and_the_sink_counts_them() {
    let to = format!("127.0.0.1:{}", port());
    let _sink = serve(&["http-sink", "--listen", &to]);
    wait_for("the sink", || TcpStream::connect(&to).is_ok());
    for format in ["otlp", "datadog"] {
        let report = report(&["spans", "--format", format, "--to", &to, "--requests", "20", "--settle", "0"]);
        assert_eq!(report["refused"], 0);
        assert_eq!(report["spans"], 20 * 20 * 5);
    }
}
