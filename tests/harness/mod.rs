//! Starts the real binary on free ports and watches it from outside, as an operator would.
//!
//! Conditions are polled with a generous limit, never waited for by a guess. An agent is killed when
//! its handle is dropped, whatever the test did.

#![allow(dead_code, reason = "each test file is a program of its own and uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test may panic, read the clock and poll"
)]

pub(crate) mod books;
pub(crate) mod full;
pub(crate) mod http;
pub(crate) mod lines;
pub(crate) mod measured;
pub(crate) mod page;
pub(crate) mod points;
pub(crate) mod port;
pub(crate) mod post;
pub(crate) mod prometheus;
pub(crate) mod receiver;
pub(crate) mod recorder;
pub(crate) mod scene;
pub(crate) mod sdk;
pub(crate) mod spans;
pub(crate) mod tool;

use lines::Lines;
use page::Page;
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: far more than it needs on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Room for what a client sends while a busy machine gives the agent no time: 8 MiB, where the kernel's
/// own default holds 256 small datagrams.
const RECEIVE_BUFFER: u32 = 8 << 20;
/// The file backend's file, in the agent's folder.
pub(crate) const FILE_BACKEND: &str = "out.jsonl";

/// Polls until `look` gives something; panics with `what` after [`PATIENCE`].
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for_or_tell(what, look, String::new)
}

/// As [`wait_for`]; `state` tells how things stand when it was in vain.
pub(crate) fn wait_for_or_tell<T>(
    what: &str,
    mut look: impl FnMut() -> Option<T>,
    state: impl Fn() -> String,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}\n{}", state());
        std::thread::sleep(POLL);
    }
}

/// What an agent is started with.
pub(crate) struct Setup {
    pub(crate) dir: tempfile::TempDir,
    udp: SocketAddr,
    http: SocketAddr,
    otlp_grpc: SocketAddr,
    otlp_http: SocketAddr,
    datadog: SocketAddr,
    zipkin: SocketAddr,
    more: Vec<String>,
    listen: Option<String>,
    environment: Vec<(String, String)>,
    toml: String,
}

impl Setup {
    /// A free port for each listener, a flush each second, the rest as it comes.
    pub(crate) fn new() -> Self {
        let free = || SocketAddr::from(([127, 0, 0, 1], port::free()));
        Setup {
            dir: tempfile::Builder::new().prefix("pillion").tempdir().unwrap(),
            udp: free(),
            http: free(),
            otlp_grpc: free(),
            otlp_http: free(),
            datadog: free(),
            zipkin: free(),
            more: Vec::new(),
            listen: None,
            environment: Vec::new(),
            toml: String::new(),
        }
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.udp
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.http
    }

    pub(crate) fn otlp_grpc(&self) -> SocketAddr {
        self.otlp_grpc
    }

    pub(crate) fn otlp_http(&self) -> SocketAddr {
        self.otlp_http
    }

    pub(crate) fn datadog(&self) -> SocketAddr {
        self.datadog
    }

    pub(crate) fn zipkin(&self) -> SocketAddr {
        self.zipkin
    }

    /// A path in the agent's own folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// One more listener beside UDP, as a URL.
    pub(crate) fn listener(mut self, url: impl Into<String>) -> Self {
        self.more.push(url.into());
        self
    }

    /// The TOML value of `statsd.listen`, in place of the list of URLs.
    pub(crate) fn listen(mut self, toml: impl Into<String>) -> Self {
        self.listen = Some(toml.into());
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Lines for the end of the configuration file.
    pub(crate) fn toml(mut self, lines: impl AsRef<str>) -> Self {
        writeln!(self.toml, "{}", lines.as_ref()).unwrap();
        self
    }

    /// A JSON lines backend named `file`; read it with `records` of the agent.
    pub(crate) fn file_backend(self) -> Self {
        let path = self.path(FILE_BACKEND);
        self.toml(format!("[backends.file]\ntype = \"file\"\npath = {path:?}"))
    }

    /// The command line that starts it, with nothing of the machine's environment but the path.
    pub(crate) fn command(&self) -> Command {
        let listen = self.listen.clone().unwrap_or_else(|| {
            let urls = std::iter::once(format!("udp://{}", self.udp)).chain(self.more.iter().cloned());
            format!("{:?}", urls.collect::<Vec<_>>())
        });
        let config = self.path("pillion.toml");
        let text = format!("[statsd]\nlisten = {listen}\nreceive_buffer = {RECEIVE_BUFFER}\n\n{}", self.toml);
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pillion"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PILLION_HTTP_LISTEN", self.http.to_string())
            .env("PILLION_METRICS_FLUSH_INTERVAL", "1s")
            .env("PILLION_OTLP_GRPC", self.otlp_grpc.to_string())
            .env("PILLION_OTLP_HTTP", self.otlp_http.to_string())
            .env("PILLION_DATADOG_LISTEN", self.datadog.to_string())
            .env("PILLION_ZIPKIN_LISTEN", self.zipkin.to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it and waits until `/ready` says so.
    pub(crate) fn start(self) -> Agent {
        let mut process = Process(self.command().spawn().unwrap());
        let lines = Lines::of(&mut process.0);
        wait_for("/ready", || {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("pillion ended at its start ({status}):\n{}", lines.text());
            }
            http::get(self.http, "/ready").ok().filter(|answer| answer.status == 200)
        });
        Agent { process, lines, setup: self }
    }

    /// Starts it where it must fail: how it ended and what it wrote.
    pub(crate) fn fail(&self) -> (ExitStatus, String) {
        let mut process = Process(self.command().spawn().unwrap());
        let lines = Lines::of(&mut process.0);
        let status = wait_for("the failing start to end", || process.0.try_wait().unwrap());
        lines.ended();
        (status, lines.text())
    }
}

/// A child that does not outlive its test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone after this.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running agent.
pub(crate) struct Agent {
    process: Process,
    lines: Lines,
    setup: Setup,
}

/// How an agent ended; its folder lives as long as this.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) last_line: String,
    pub(crate) text: String,
    setup: Setup,
}

impl Agent {
    pub(crate) fn udp(&self) -> SocketAddr {
        self.setup.udp
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.setup.http
    }

    pub(crate) fn otlp_grpc(&self) -> SocketAddr {
        self.setup.otlp_grpc
    }

    pub(crate) fn otlp_http(&self) -> SocketAddr {
        self.setup.otlp_http
    }

    pub(crate) fn datadog(&self) -> SocketAddr {
        self.setup.datadog
    }

    pub(crate) fn zipkin(&self) -> SocketAddr {
        self.setup.zipkin
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.setup.path(name)
    }

    /// Sends each of `datagrams` to the UDP listener.
    pub(crate) fn send(&self, datagrams: &[&str]) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in datagrams {
            socket.send_to(datagram.as_bytes(), self.udp()).unwrap();
        }
    }

    /// `/metrics` as it stands now.
    pub(crate) fn page(&self) -> Page {
        let answer = http::get(self.http(), "/metrics").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        Page::parse(&answer.text())
    }

    /// Scrapes until the counters of `name` with these labels add up to `want`; more than that fails.
    pub(crate) fn expect(&self, name: &str, labels: &[(&str, &str)], want: f64) {
        let start = Instant::now();
        loop {
            let page = self.page();
            let sum = page.sum(name, labels);
            let state = || format!("{name}{labels:?} is {sum}, want {want}\n{}\n{}", page.text, self.log());
            assert!(sum <= want, "{}", state());
            if sum == want && page.has(name, labels) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{}", state());
            std::thread::sleep(POLL);
        }
    }

    /// Scrapes until `look` finds what it wants.
    pub(crate) fn page_with<T>(&self, what: &str, mut look: impl FnMut(&Page) -> Option<T>) -> T {
        wait_for(what, || look(&self.page()))
    }

    /// `/status` as JSON.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&http::get(self.http(), "/status").unwrap().text()).unwrap()
    }

    /// What the file backend wrote so far.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        records(&self.path(FILE_BACKEND))
    }

    /// Sends a signal by name (`TERM`, `INT`).
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.pid())).status().unwrap();
        assert!(sent.success(), "kill -{name}");
    }

    pub(crate) fn log(&self) -> String {
        self.lines.text()
    }

    /// SIGTERM, then wait for the end.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for the end without asking for it.
    pub(crate) fn ended(self) -> Ended {
        let Agent { mut process, lines, setup } = self;
        let status = wait_for("the agent to end", || process.0.try_wait().unwrap());
        lines.ended();
        let text = lines.text();
        let last_line = text.lines().last().unwrap_or_default().to_owned();
        Ended { status, last_line, text, setup }
    }
}

impl Ended {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.setup.path(name)
    }

    /// What the file backend wrote.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        records(&self.path(FILE_BACKEND))
    }
}

/// The whole lines of a JSON lines file; none while it does not exist.
fn records(path: &Path) -> Vec<serde_json::Value> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}
