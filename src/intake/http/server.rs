//! A running listener: its end, and how others look at it. `crate::serve` accepts for it. Next: `connection`.

use super::activity::Activity;
use super::connection;
use super::protocol::Protocol;
use super::tally::{RefusedSample, Tally};
use crate::config::ListenAddress;
use crate::intake::statsd::path::SocketFile;
use crate::otlp::Budget;
use crate::serve::{Accepted, End, Host, Listener, Places, accept};
use crate::telemetry::{self, Metric};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

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

/// What all connections of a listener see.
pub(super) struct Shared {
    pub(super) protocol: Arc<dyn Protocol>,
    pub(super) budget: Budget,
    pub(super) limits: Limits,
    pub(super) tally: Arc<Tally>,
    places: Places<Activity>,
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
        let places = Places::new(limits.connections);
        let shared = Arc::new(Shared { protocol, budget, limits, tally, places });
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

impl Host for Shared {
    type Activity = Activity;

    fn name(&self) -> &'static str {
        self.protocol.name()
    }

    fn option(&self) -> &'static str {
        "intake.max_connections"
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
        connection::serve(self, accepted.stream, activity, stopped).await
    }

    fn count_open(&self, open: usize) {
        self.tally.open(open);
    }

    fn count_end(&self, end: End) {
        telemetry::add(Metric::IntakeConnectionsClosed, &[self.protocol.name(), end.as_str()], 1);
    }

    fn count_fault(&self) {
        telemetry::add(Metric::IntakeAcceptErrors, &[self.protocol.name()], 1);
    }
}
