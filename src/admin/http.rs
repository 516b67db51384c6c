//! The one HTTP server: bound early, so that a bad address fails at once; served late, when there is
//! something to say.
//!
//! `crate::serve` accepts for it. Next: `connection.rs`.

use super::body::MetricsResponse;
use super::connection::{self, Activity};
use super::readiness::Readiness;
use super::status::Status;
use crate::config;
use crate::serve::{Accepted, End, Host, Listener, Places, accept};
use crate::telemetry::{self, Metric};
use http::HeaderMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Answers a scrape by its headers. It must not block: the page is made by whoever fills the channel.
pub type MetricsHandler = Arc<dyn Fn(&HeaderMap) -> MetricsResponse + Send + Sync>;
/// Looks at the whole agent. It may take locks for a moment; it runs on a thread where that is allowed.
pub type StatusReader = Arc<dyn Fn() -> Status + Send + Sync>;

/// What the server answers with.
#[derive(Clone)]
pub struct State {
    pub readiness: Readiness,
    pub metrics: MetricsHandler,
    pub status: StatusReader,
}

/// What clients may take.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub connections: usize,
    /// Pages under way at once; each holds its chunks in memory.
    pub pages: usize,
    /// For the whole head of a request.
    pub head: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// A client that takes no byte of its answer for so long is cut off.
    pub stall: Duration,
}

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP server cannot listen on {address}: {source}. {advice}")]
pub struct BindError {
    pub address: SocketAddr,
    pub advice: String,
    pub source: io::Error,
}

/// A socket that listens; connections queue up in the kernel until it is served.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    address: SocketAddr,
    status_for_all: bool,
    limits: Limits,
}

/// The running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    readiness: Readiness,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<JoinSet<()>>,
}

/// What all connections see.
pub(super) struct Shared {
    pub(super) state: State,
    pub(super) limits: Limits,
    pub(super) status_for_all: bool,
    pub(super) pages: Arc<Semaphore>,
    places: Places<Activity>,
}

/// Listens on the configured address.
pub fn bind(config: &config::Http) -> Result<Bound, BindError> {
    let listen = || {
        let listener = std::net::TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = listen().map_err(|source: io::Error| BindError {
        address: config.listen,
        advice: advice(config.listen, source.kind()),
        source,
    })?;
    Ok(Bound {
        listener,
        address,
        status_for_all: config.status_for_all,
        limits: Limits {
            connections: config.max_connections,
            pages: 4,
            head: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            stall: Duration::from_secs(30),
        },
    })
}

fn advice(address: SocketAddr, kind: io::ErrorKind) -> String {
    let other = "set another one by `http.listen` (PILLION_HTTP_LISTEN)";
    match kind {
        io::ErrorKind::AddrInUse => format!(
            "Another process has the port (`ss -ltnp 'sport = :{}'` names it): end it, or {other}",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("Ports below 1024 need the capability CAP_NET_BIND_SERVICE: {other}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("The address is none of this machine's (`ip address` lists them): {other}")
        }
        _ => format!("Check the address, or {other}"),
    }
}

impl Bound {
    /// Where it listens: with port 0 in the configuration, the port that the kernel chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// With other limits than the usual.
    pub fn with_limits(mut self, limits: Limits) -> Bound {
        self.limits = limits;
        self
    }

    /// Begins to answer, on the tokio runtime of the caller.
    pub fn serve(self, state: State) -> io::Result<Server> {
        let listener = Listener::Tcp(TcpListener::from_std(self.listener)?);
        let (stop, stopped) = watch::channel(false);
        let readiness = state.readiness.clone();
        let shared = Arc::new(Shared {
            state,
            pages: Arc::new(Semaphore::new(self.limits.pages)),
            places: Places::new(self.limits.connections),
            limits: self.limits,
            status_for_all: self.status_for_all,
        });
        let accepting = tokio::spawn(accept(shared, listener, stopped));
        Ok(Server { address: self.address, readiness, stop, accepting })
    }
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `/ready` says no from now on; everything is still answered.
    pub fn begin_drain(&self) {
        self.readiness.drain();
    }

    /// Takes no more connections, lets answers under way finish until `deadline`, and ends.
    pub async fn shutdown(self, deadline: Duration) {
        let until = tokio::time::Instant::now() + deadline;
        // Nobody listens when the accept loop is over already.
        let _ = self.stop.send(true);
        let Ok(mut connections) = self.accepting.await else { return };
        let finished = async { while connections.join_next().await.is_some() {} };
        // Dropping the set ends what is left.
        let _ = tokio::time::timeout_at(until, finished).await;
    }
}

impl Host for Shared {
    type Activity = Activity;

    fn name(&self) -> &'static str {
        "http"
    }

    fn option(&self) -> &'static str {
        "http.max_connections"
    }

    fn places(&self) -> &Places<Activity> {
        &self.places
    }

    async fn serve(
        self: Arc<Self>,
        accepted: Accepted,
        activity: Arc<Activity>,
        stopped: watch::Receiver<bool>,
    ) -> End {
        connection::serve(self, accepted.stream, accepted.peer, activity, stopped).await
    }

    fn count_open(&self, open: usize) {
        telemetry::gauge(Metric::HttpConnections, &[], open as f64);
    }

    fn count_end(&self, end: End) {
        telemetry::add(Metric::HttpConnectionsClosed, &[end.as_str()], 1);
    }

    fn count_fault(&self) {
        telemetry::add(Metric::HttpAcceptErrors, &[], 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_named_with_the_way_out() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(&config::Http { listen: address, ..config::Http::default() }).unwrap_err();
        let text = error.to_string().replace(&address.port().to_string(), "PORT");
        insta::assert_snapshot!(text, @"the HTTP server cannot listen on 127.0.0.1:PORT: Address already in use (os error 98). Another process has the port (`ss -ltnp 'sport = :PORT'` names it): end it, or set another one by `http.listen` (PILLION_HTTP_LISTEN)");
    }

    #[test]
    fn an_address_of_another_machine_is_named_with_the_way_out() {
        let listen = "192.0.2.1:9102".parse().unwrap();
        let error = bind(&config::Http { listen, ..config::Http::default() }).unwrap_err();
        insta::assert_snapshot!(error, @"the HTTP server cannot listen on 192.0.2.1:9102: Cannot assign requested address (os error 99). The address is none of this machine's (`ip address` lists them): set another one by `http.listen` (PILLION_HTTP_LISTEN)");
    }
}
