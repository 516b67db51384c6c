//! Accepting: one loop a listener, which never ends while the agent runs.
//!
//! Errors are counted and waited out. Too many connections cost the longest idle one its place, or else the
//! newcomer gets a 503. Next: `stream`.

use super::refuse::refuse;
use super::stream::{Stream, UnixHttp};
use super::{Activity, End};
use crate::clock;
use crate::telemetry::limiter::limited;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// After an accept that failed for want of something: this long at first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A server, as its connections need it.
pub trait Host: Send + Sync + Sized + 'static {
    type Activity: Activity;

    /// For the log: `otlp`, `http`.
    fn name(&self) -> &'static str;

    /// The option that bounds its connections.
    fn option(&self) -> &'static str;

    fn places(&self) -> &Places<Self::Activity>;

    /// Serves one client until either side has had enough, or `stopped` says so.
    fn serve(
        self: Arc<Self>,
        accepted: Accepted,
        activity: Arc<Self::Activity>,
        stopped: watch::Receiver<bool>,
    ) -> impl Future<Output = End> + Send;

    /// So many connections are open now.
    fn count_open(&self, open: usize);

    fn count_end(&self, end: End);

    /// Accepting failed for want of something.
    fn count_fault(&self);
}

/// The open connections of a server, at most `limit`.
#[derive(Debug)]
pub struct Places<A> {
    limit: usize,
    open: Mutex<HashMap<u64, Arc<A>>>,
}

/// A new connection.
#[derive(Debug)]
pub struct Accepted {
    pub stream: Stream,
    /// `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
}

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl<A: Activity> Places<A> {
    pub fn new(limit: usize) -> Self {
        Places { limit, open: Mutex::default() }
    }

    /// Makes sure of a place, at the cost of the longest idle connection; `false` when all are busy.
    fn make_room(&self) -> bool {
        let mut open = self.open.lock();
        if open.len() < self.limit {
            return true;
        }
        let idle = open.iter().filter_map(|(&number, activity)| Some((activity.idle_since()?, number)));
        let Some((_, number)) = idle.min() else { return false };
        if let Some(activity) = open.remove(&number) {
            activity.close().notify_one();
        }
        true
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are written whole: waiting for more would only delay them.
                stream.set_nodelay(true)?;
                Ok(Accepted { stream: Stream::Tcp(stream), peer: Some(peer) })
            }
            Listener::Unix(listener) => {
                Ok(Accepted { stream: Stream::Unix(UnixHttp::new(listener.accept().await?.0)), peer: None })
            }
        }
    }
}

/// Accepts until told to stop; gives the open connections back.
pub async fn accept<H: Host>(
    host: Arc<H>,
    listener: Listener,
    mut stopped: watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let mut pause = FIRST_PAUSE;
    let mut number = 0_u64;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            // An error says that the server was dropped, which means the same.
            _ = stopped.wait_for(|stopped| *stopped) => return connections,
        };
        match accepted {
            Ok(accepted) => {
                pause = FIRST_PAUSE;
                number += 1;
                admit(&host, &mut connections, number, accepted, &stopped);
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                host.count_fault();
                let wait = pause;
                limited!(WARN, clock::now_ns(), %error, ?wait, "no connection can be accepted; trying again");
                // Woken early only by the stop, which the next turn sees.
                let _ = tokio::time::timeout(pause, stopped.wait_for(|stopped| *stopped)).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

/// The connection broke before it was served: the next one may be well.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | InvalidInput | NotConnected)
}

/// Serves a new connection, or refuses it when there are too many and none is idle.
fn admit<H: Host>(
    host: &Arc<H>,
    connections: &mut JoinSet<()>,
    number: u64,
    accepted: Accepted,
    stopped: &watch::Receiver<bool>,
) {
    let host = host.clone();
    if !host.places().make_room() {
        let (server, limit) = (host.name(), host.places().limit);
        limited!(WARN, clock::now_ns(), server, limit, "too many connections, none of them idle");
        // Refusals are bounded, too; beyond that a connection is just closed.
        if connections.len() < 2 * limit {
            connections.spawn(async move { host.count_end(refuse(accepted.stream, host.option()).await) });
        } else {
            host.count_end(End::Refused);
        }
        return;
    }
    let activity = Arc::new(H::Activity::default());
    let place = Place::take(host, number, activity.clone());
    let stopped = stopped.clone();
    connections.spawn(async move {
        let end = place.host.clone().serve(accepted, activity, stopped).await;
        place.host.count_end(end);
        drop(place);
    });
}

/// A connection's place among the open ones, given back however its task ends.
struct Place<H: Host> {
    host: Arc<H>,
    number: u64,
}

impl<H: Host> Place<H> {
    fn take(host: Arc<H>, number: u64, activity: Arc<H::Activity>) -> Self {
        let mut open = host.places().open.lock();
        open.insert(number, activity);
        host.count_open(open.len());
        drop(open);
        Place { host, number }
    }
}

impl<H: Host> Drop for Place<H> {
    fn drop(&mut self) {
        let mut open = self.host.places().open.lock();
        open.remove(&self.number);
        self.host.count_open(open.len());
    }
}
