//! Programs that are not ours: clients, servers, checkers. `./test setup` brings them.

use super::lines::Lines;
use super::{Agent, Process};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The tree's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where Cargo builds, and `./test setup` installs.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned()
}

/// The measuring tool, built by `./test setup`.
pub(crate) fn rig() -> Command {
    Command::new(needed(target().join("rig/release/rig")))
}

/// A script of `tests/clients` in Node, with the clients it needs.
pub(crate) fn node(script: &str) -> Command {
    let modules = needed(target().join("test-env/node/node_modules"));
    let mut command = Command::new(on_path("node"));
    without_datadog(&mut command);
    command.env("NODE_PATH", modules).arg(client(script));
    command
}

/// A script of `tests/clients` in Python, with the clients it needs.
pub(crate) fn python(script: &str) -> Command {
    python_in("python", script)
}

fn python_in(environment: &str, script: &str) -> Command {
    let interpreter = target().join("test-env").join(environment).join("bin/python");
    let mut command = Command::new(needed(interpreter));
    without_datadog(&mut command);
    command.arg("-B").arg(client(script));
    command
}

/// A script of `tests/clients` in Python, with the exporters for Zipkin.
pub(crate) fn python_zipkin(script: &str) -> Command {
    python_in("zipkin", script)
}

/// Datadog's test agent, which stands between a tracer and an agent and judges what the tracer sends.
pub(crate) fn test_agent() -> Command {
    let mut command = Command::new(needed(target().join("test-env/test-agent/bin/ddapm-test-agent")));
    without_datadog(&mut command);
    command
}

/// A program of the system.
pub(crate) fn system(name: &str) -> Command {
    Command::new(on_path(name))
}

/// Runs to the end; anything but success fails the test with what was written.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Sends a corpus with the rig, slowly enough that the kernel drops nothing; the exact sum of its counters.
pub(crate) fn send_corpus(agent: &Agent) -> f64 {
    let pid = agent.pid().to_string();
    let to = format!("udp://{}", agent.udp());
    let corpus = ["--contexts", "2000", "--messages", "40000", "--rate", "20000", "--settle", "0.2"];
    let output = run(rig().args(["cost", "--to", &to, "--pid", &pid]).args(corpus));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["dropped_datagrams"], 0, "{report}");
    report["counter_sum"].as_f64().unwrap()
}

/// Starts a server; its streams are gathered.
pub(crate) fn start(command: &mut Command) -> (Process, Lines) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut process = Process(child);
    let lines = Lines::of(&mut process.0);
    (process, lines)
}

/// Clients read these and send something else then. What a test sets comes afterwards and stays.
fn without_datadog(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["DD_", "DATADOG_", "STATSD_", "OTEL_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

fn client(script: &str) -> PathBuf {
    root().join("tests/clients").join(script)
}

fn on_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is missing: run `./test setup`"))
}

fn needed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run `./test setup`", path.display());
    path
}
