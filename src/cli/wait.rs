//! `pillion wait`: blocks until an agent says that it is ready, with an exit code for start hooks.
//!
//! One line of HTTP is all that is needed, so there is no client here; only the status is read.

use super::exit::Failure;
use super::send::reachable;
use crate::config::{Loaded, duration};
use clap::Args;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

const PAUSE: Duration = Duration::from_millis(100);
/// For one request: a ready agent answers at once, and a silent one is asked again.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
pub(super) struct Wait {
    /// Give up after this long (exit code 69).
    #[arg(long, default_value = "60s", value_parser = patience)]
    timeout: Duration,
    /// Ask this address in place of the configured `http.listen`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    address: Option<SocketAddr>,
}

fn patience(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "write a number with its unit, such as 10s or 500ms".to_owned())
}

impl Wait {
    /// `load` is called only when the configuration has to say whom to ask.
    pub(super) fn perform(self, load: impl FnOnce() -> Result<Loaded, Failure>) -> Result<(), Failure> {
        let listen = match self.address {
            Some(address) => address,
            None => load()?.config.http.listen,
        };
        if listen.port() == 0 {
            return Err(Failure::Argument(
                "port 0 is another one at each start; name the real one with --address".into(),
            ));
        }
        let address = reachable(listen);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Failed(format!("cannot wait: {error}")))?;
        runtime.block_on(ready(address, self.timeout)).map_err(|saw| {
            Failure::Unavailable(format!(
                "http://{address}/ready was not ready within {:?}: {saw}",
                self.timeout
            ))
        })
    }
}

/// Asks until the answer is 200; the error is what was seen last.
async fn ready(address: SocketAddr, patience: Duration) -> Result<(), String> {
    let end = Instant::now() + patience;
    loop {
        let saw = match timeout(PATIENCE.min(end - Instant::now()), status(address)).await {
            Ok(Ok(200)) => return Ok(()),
            Ok(Ok(status)) => format!("it answered {status}"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it did not answer".to_owned(),
        };
        if timeout_at(end, sleep(PAUSE)).await.is_err() || Instant::now() >= end {
            return Err(saw);
        }
    }
}

/// The status of `GET /ready`.
async fn status(address: SocketAddr) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // "HTTP/1.1 200" and nothing else matters.
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let digits = head.strip_prefix(b"HTTP/1.").map(|rest| &rest[2..]);
    let status = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| std::io::Error::other("the answer is not HTTP"))
}
