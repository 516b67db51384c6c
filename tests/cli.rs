//! The program as it is called: its commands, what they print, and their exit codes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Command;

/// How a call ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs pillion with nothing in its environment but `variables`.
fn call_with(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pillion"));
    command.env_clear().envs(variables.iter().copied()).args(arguments);
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn call(arguments: &[&str]) -> Ended {
    call_with(&[], arguments)
}

/// A file of its own for each test.
fn file(folder: &tempfile::TempDir, text: &str) -> String {
    let path = folder.path().join("pillion.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn version_and_help_are_no_failures() {
    let ended = call(&["--version"]);
    assert_eq!((ended.code, ended.stdout), (0, format!("pillion {}\n", env!("CARGO_PKG_VERSION"))));
    let ended = call(&["--help"]);
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.contains("Exit codes:"), "{}", ended.stdout);
}

#[test]
fn wrong_arguments_end_with_64() {
    for arguments in [&["zebra"][..], &["send"], &["wait", "--timeout", "soon"], &["send", "metric", "a"]] {
        let ended = call(arguments);
        assert_eq!(ended.code, 64, "{arguments:?}");
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn completions_and_manual_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let ended = call(&["completions", shell]);
        assert!(ended.code == 0 && ended.stdout.contains("pillion"), "{shell}");
    }
    let ended = call(&["man"]);
    assert_eq!(ended.code, 0);
    assert!(
        ended.stdout.contains(".TH pillion 1") && ended.stdout.contains("pillion\\-wait"),
        "{}",
        ended.stdout
    );
}

#[test]
fn check_prints_what_is_in_effect() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "[metrics]\nexpiry = \"1m\"\n");
    let ended = call_with(&[("PILLION_HTTP_LISTEN", "127.0.0.1:9200")], &["check", "--config", &path]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let line = |start: &str| ended.stdout.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    assert!(line("expiry").ends_with("pillion.toml:2"), "{}", ended.stdout);
    assert!(line("listen = \"127.0.0.1:9200\"").ends_with("# PILLION_HTTP_LISTEN"), "{}", ended.stdout);
    // The variable names the file as well, and the argument wins over it.
    let ended = call_with(&[("PILLION_CONFIG", &path)], &["check"]);
    assert!(ended.stdout.contains("expiry = \"1m\""), "{}", ended.stdout);
    let ended = call_with(&[("PILLION_CONFIG", "/nowhere")], &["-c", &path, "check"]);
    assert_eq!(ended.code, 0);
}

#[test]
fn check_tells_all_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "[metrics]\nflush_intervall = \"1s\"\nexpiry = 5\n");
    for command in ["check", "run"] {
        let ended = call_with(&[("PILLION_HTTP_LISTN", "x")], &[command, "--config", &path]);
        assert_eq!((ended.code, ended.stdout.as_str()), (64, ""));
        for part in [
            "pillion.toml:2:1",
            "did you mean `flush_interval`?",
            "`metrics.expiry`",
            "`PILLION_HTTP_LISTN`",
            "3 mistakes",
        ] {
            assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
        }
        assert!(!ended.stderr.contains('\u{1b}'), "colours without a terminal");
    }
    let ended = call(&["check", "--config", "/nowhere/pillion.toml"]);
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("cannot read `/nowhere/pillion.toml`"), "{}", ended.stderr);
}

#[test]
fn what_others_set_wrong_is_told_and_no_failure() {
    let ended = call_with(&[("OTEL_RESOURCE_ATTRIBUTES", "broken")], &["check"]);
    assert_eq!(ended.code, 0);
    assert!(ended.stderr.contains("OTEL_RESOURCE_ATTRIBUTES"), "{}", ended.stderr);
}

#[test]
fn send_goes_over_every_transport() {
    let folder = tempfile::tempdir().unwrap();
    let mut buffer = [0; 256];

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = format!("udp://{}", udp.local_addr().unwrap());
    let ended = call(&["send", "metric", "orders.created", "1", "--tag", "env:dev", "--to", &to]);
    assert_eq!((ended.code, ended.stdout), (0, format!("sent \"orders.created:1|c|#env:dev\" to {to}\n")));
    let length = udp.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"orders.created:1|c|#env:dev");

    let path = folder.path().join("gram");
    let gram = UnixDatagram::bind(&path).unwrap();
    let to = format!("unixgram://{}", path.display());
    assert_eq!(call(&["send", "--to", &to, "event", "Deployed", "seven"]).code, 0);
    let length = gram.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"_e{8,5}:Deployed|seven|t:info");

    let path = folder.path().join("stream");
    let stream = UnixListener::bind(&path).unwrap();
    let to = format!("unix://{}", path.display());
    assert_eq!(call(&["send", "check", "db", "critical", "--to", &to]).code, 0);
    let mut sent = Vec::new();
    stream.accept().unwrap().0.read_to_end(&mut sent).unwrap();
    assert_eq!(sent, b"\x08\0\0\0_sc|db|2");

    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("tcp://{}", tcp.local_addr().unwrap());
    assert_eq!(call(&["send", "metric", "a", "-1", "--type", "g", "--to", &to]).code, 0);
    let mut sent = String::new();
    tcp.accept().unwrap().0.read_to_string(&mut sent).unwrap();
    assert_eq!(sent, "a:-1|g\n");
}

#[test]
fn send_finds_the_first_listener() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = udp.local_addr().unwrap().port();
    // The unspecified address is reached over the loopback.
    let listen = format!("udp://0.0.0.0:{port}");
    let ended = call_with(&[("PILLION_STATSD_LISTEN", &listen)], &["send", "metric", "a", "1"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let mut buffer = [0; 64];
    let length = udp.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"a:1|c");
}

#[test]
fn send_tells_that_nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let free = |socket: UdpSocket| socket.local_addr().unwrap().port();
    let port = free(UdpSocket::bind("127.0.0.1:0").unwrap());
    let nowhere = folder.path().join("none").display().to_string();
    for to in [
        format!("udp://127.0.0.1:{port}"),
        format!("tcp://127.0.0.1:{port}"),
        format!("unixgram://{nowhere}"),
        format!("unix://{nowhere}"),
    ] {
        let ended = call(&["send", "metric", "a", "1", "--to", &to]);
        assert_eq!((ended.code, ended.stdout.as_str()), (69, ""), "{to}");
        assert_eq!(ended.stderr.lines().count(), 1);
        assert!(ended.stderr.contains(&to) && ended.stderr.contains("pillion run"), "{}", ended.stderr);
    }
    assert_eq!(call(&["send", "metric", "a:b", "1"]).code, 64);
}

#[test]
fn wait_ends_when_the_agent_is_ready() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("0.0.0.0:{}", server.local_addr().unwrap().port());
    let answers = std::thread::spawn(move || {
        for status in ["503 Service Unavailable", "200 OK"] {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 64];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /ready HTTP/1.1\r\n"));
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let ended = call_with(&[("PILLION_HTTP_LISTEN", &listen)], &["wait", "--timeout", "1m"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    answers.join().unwrap();
}

#[test]
fn wait_tells_what_it_saw() {
    let free = |socket: TcpListener| socket.local_addr().unwrap().port();
    let port = free(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = format!("127.0.0.1:{port}");
    let ended = call(&["wait", "--timeout", "150ms", "--address", &address]);
    assert_eq!(ended.code, 69);
    assert!(ended.stderr.contains(&address) && ended.stderr.contains("refused"), "{}", ended.stderr);

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let ended = call(&["wait", "--timeout", "150ms", "--address", &address]);
    assert_eq!(ended.code, 69);
    assert!(ended.stderr.contains("did not answer"), "{}", ended.stderr);

    let ended = call_with(&[("PILLION_HTTP_LISTEN", "127.0.0.1:0")], &["wait"]);
    assert_eq!(ended.code, 64);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pillion"));
    let mut child = command.env_clear().arg("check").stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
