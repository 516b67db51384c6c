//! Accepting: one loop a listener, which never ends while the agent runs.
//!
//! Errors are counted and waited out. Too many connections cost the longest idle one its place, or else the
//! newcomer its connection. Next: `connection`.

use super::activity::Activity;
use super::connection::{self, End};
use super::protocol::Protocol;
use super::stream::Stream;
use super::tally::{RefusedSample, Tally};
use crate::clock;
use crate::config::ListenAddress;
use crate::intake::statsd::path::SocketFile;
use crate::telemetry::limiter::limited;
use crate::telemetry::{self, Metric};
use crate::traces::Budget;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// After an accept that failed for want of something: this long at first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What clients may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one listener.
    pub connections: usize,
    /// For a whole request to arrive, since its first byte.
    pub request: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// Beyond `request`, a client that takes no byte of its answer for so long is cut off.
    pub stall: Duration,
}

/// A running listener.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    accepting: JoinHandle<JoinSet<()>>,
    watch: Watch,
    /// Removed when nobody can be accepted any more.
    file: Option<SocketFile>,
}

/// A listener as others look at it.
#[derive(Clone, Debug)]
pub struct Watch {
    address: Arc<str>,
    protocol: &'static str,
    tally: Arc<Tally>,
}

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What all connections of a listener see.
pub(super) struct Shared {
    pub(super) protocol: Arc<dyn Protocol>,
    pub(super) budget: Budget,
    pub(super) limits: Limits,
    pub(super) tally: Arc<Tally>,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
}

impl Server {
    pub(super) fn start(
        listener: Listener,
        address: ListenAddress,
        file: Option<SocketFile>,
        protocol: Arc<dyn Protocol>,
        budget: Budget,
        limits: Limits,
    ) -> Server {
        let (stop, stopped) = watch::channel(false);
        let tally = Arc::new(Tally::default());
        let watch =
            Watch { address: address.to_string().into(), protocol: protocol.name(), tally: tally.clone() };
        let shared = Arc::new(Shared { protocol, budget, limits, tally, open: Mutex::default() });
        let accepting = tokio::spawn(accept(shared, listener, stopped));
        Server { stop, accepting, watch, file }
    }

    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Takes no more connections, lets requests under way finish until `deadline`, and ends.
    pub async fn shutdown(self, deadline: tokio::time::Instant) {
        // Nobody listens when the accept loop is over already.
        let _ = self.stop.send(true);
        let accepted = self.accepting.await;
        drop(self.file);
        let Ok(mut connections) = accepted else { return };
        let finished = async { while connections.join_next().await.is_some() {} };
        // Dropping the set ends what is left.
        let _ = tokio::time::timeout_at(deadline, finished).await;
    }
}

impl Watch {
    /// As configured, with the port that was really taken.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    pub fn connections(&self) -> u64 {
        self.tally.connections()
    }

    /// Requests answered, by HTTP status or gRPC code.
    pub fn statuses(&self) -> Vec<(String, u64)> {
        self.tally.statuses()
    }

    pub fn requests(&self) -> u64 {
        self.tally.statuses().iter().map(|(_, count)| count).sum()
    }

    /// Bytes of bodies, as sent.
    pub fn body_bytes(&self) -> u64 {
        self.tally.body_bytes()
    }

    /// Reasons that occurred, the most frequent first.
    pub fn refused(&self) -> Vec<RefusedSample> {
        self.tally.refused()
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are written whole: waiting for more would only delay them.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Listener::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

/// Accepts until told to stop; gives the open connections back.
async fn accept(shared: Arc<Shared>, listener: Listener, mut stopped: watch::Receiver<bool>) -> JoinSet<()> {
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
            Ok(stream) => {
                pause = FIRST_PAUSE;
                number += 1;
                shared.admit(&mut connections, number, stream, &stopped);
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                telemetry::add(Metric::IntakeAcceptErrors, &[shared.protocol.name()], 1);
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

impl Shared {
    /// Serves a new connection, or refuses it when there are too many and none is idle.
    fn admit(
        self: &Arc<Self>,
        connections: &mut JoinSet<()>,
        number: u64,
        stream: Stream,
        stopped: &watch::Receiver<bool>,
    ) {
        let full = self.open.lock().len() >= self.limits.connections;
        if full && !self.close_longest_idle() {
            let (protocol, limit) = (self.protocol.name(), self.limits.connections);
            limited!(WARN, clock::now_ns(), protocol, limit, "too many connections, none of them idle");
            // Refusals are bounded, too; beyond that a connection is just closed.
            if connections.len() < 2 * self.limits.connections {
                let shared = self.clone();
                connections.spawn(async move { shared.ended(connection::refuse(stream).await) });
            } else {
                self.ended(End::Refused);
            }
            return;
        }
        let activity = Arc::new(Activity::new());
        self.open.lock().insert(number, activity.clone());
        self.tally.connected();
        let place = Place { shared: self.clone(), number };
        let stopped = stopped.clone();
        connections.spawn(async move {
            let end = connection::serve(place.shared.clone(), stream, activity, stopped).await;
            place.shared.ended(end);
            drop(place);
        });
    }

    /// Gives the place of the longest idle connection away; `false` when all are busy.
    fn close_longest_idle(&self) -> bool {
        let mut open = self.open.lock();
        let idle = open.iter().filter_map(|(&number, activity)| Some((activity.idle_since()?, number)));
        let Some((_, number)) = idle.min() else { return false };
        if let Some(activity) = open.remove(&number) {
            activity.close.notify_one();
        }
        true
    }

    fn ended(&self, end: End) {
        telemetry::add(Metric::IntakeConnectionsClosed, &[self.protocol.name(), end.as_str()], 1);
    }
}

/// A connection's place among the open ones, given back however its task ends.
struct Place {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.open.lock().remove(&self.number);
        self.shared.tally.disconnected();
    }
}
