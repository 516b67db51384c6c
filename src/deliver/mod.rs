//! Delivery: one machine under all push backends. It queues, retries, sleeps and counts, so that a
//! backend only says what a payload is and how an answer reads.
//!
//! Each backend has a task, a queue and counters of its own; a slow or dead one never delays another,
//! nor the intake. Next: `crate::backend`.

use crate::metrics::series::Snapshot;
use crate::statsd::Note;
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// What is delivered.
#[derive(Clone, Debug)]
pub enum Item {
    Metrics(Arc<Snapshot>),
    /// Events and service checks.
    Notes(Arc<[Note]>),
}

/// One request's worth of bytes, with what is lost when it is.
#[derive(Clone, Debug)]
pub struct Payload {
    pub signal: Signal,
    pub body: Bytes,
    /// Points or records inside, for the counters.
    pub items: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    Metrics,
    Logs,
}

/// Collects the payloads of one item.
#[derive(Debug, Default)]
pub struct PayloadSink {
    pub payloads: Vec<Payload>,
    /// Items that this backend cannot carry, by reason.
    pub unsupported: u64,
}

/// A backend turns items into payloads and reads answers. It never queues, retries or sleeps.
pub trait Backend: Send + 'static {
    /// Writes `item` as payloads, none larger than the protocol's limit.
    fn encode(&mut self, item: &Item, out: &mut PayloadSink);

    /// Sends one payload, once. The caller limits the time.
    fn send(&mut self, payload: &Payload) -> impl Future<Output = Outcome> + Send;
}

/// What became of a payload; the delivery machine decides what follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Delivered,
    /// Taken but for `refused` items; never sent again.
    Partial { refused: u64, why: String },
    /// A passing fault; `after` when the server said how long to wait.
    Retry { after: Option<Duration>, why: String },
    TooLarge { why: String },
    /// The payload itself is at fault: dropped and counted.
    Poison { why: String },
    Unauthorized { why: String },
}
