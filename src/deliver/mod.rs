//! Delivery: one machine under all push backends. It queues, cuts, retries, sleeps and counts, so that
//! a backend only says what a payload is and how an answer reads.
//!
//! Each backend has a task, a queue and a ledger of its own; a slow or dead one never delays another,
//! nor the intake. At every step `offered = sent + dropped + waiting + in flight`, counted in points,
//! records, spans or, of a client's statistics, payloads. An item is cut between its pieces, which are
//! not always what is counted: a chunk is one piece with many spans. Nothing here may know a protocol.
//! Read on in `queue`, then `run`. Next: `crate::backend`.

mod complaint;
mod ledger;
mod queue;
mod retry;
mod run;
mod status;

pub use ledger::{Ledger, Reason};
pub use queue::Queue;
pub use retry::{Attempts, Policy, PolicyError};
pub use status::{BackendStatus, LastError};

use crate::config;
use crate::metrics::series::{Series, Snapshot};
use crate::otlp::{self, Batch, Chunk};
use crate::statsd::Note;
use bytes::Bytes;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Most pieces (series, notes, chunks) of one payload, before a backend or its server asks for less. With eight tags
/// each, their protobuf structures take some 5 MB while a payload is made.
pub const PART_LIMIT: usize = 4_096;

/// What is delivered.
#[derive(Clone, Debug)]
pub enum Item {
    Metrics(Arc<Snapshot>),
    /// Events and service checks, with the global facts that hold for all of them.
    Notes {
        notes: Arc<[Note]>,
        resource: Resource,
    },
    /// Spans, metrics or log records of OTLP, passed on as the bytes they are.
    Otlp(Batch),
    /// What a Datadog client computed itself: one msgpack `ClientStatsPayload`.
    ClientStats(Bytes),
}

/// Sorted `key`, `value` of what sends: the resource of a payload.
pub type Resource = Arc<[(String, String)]>;

/// The piece of an item that becomes one payload; never empty.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    Metrics { snapshot: &'a Snapshot, series: &'a [Series] },
    Notes { notes: &'a [Note], resource: &'a [(String, String)] },
    Otlp { signal: otlp::Signal, chunks: &'a [Chunk] },
    ClientStats(&'a Bytes),
}

/// One request's worth of bytes, with what is lost when it is.
#[derive(Clone, Debug)]
pub struct Payload {
    pub signal: Signal,
    pub body: Bytes,
    /// Points, records, spans or client payloads inside, for the counters.
    pub items: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    Metrics,
    Logs,
    Traces,
    /// Statistics that Datadog clients computed.
    Stats,
}

/// A part as bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// `None` when nothing in the part can be carried.
    pub body: Option<Bytes>,
    /// What of the part this backend cannot carry, counted as [`Part::count`] counts.
    pub unsupported: u64,
}

impl Encoded {
    /// A part of which nothing can be carried.
    pub fn unsupported(part: Part<'_>) -> Encoded {
        Encoded { body: None, unsupported: part.count() }
    }
}

/// The part would make a larger payload than the protocol takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// A backend turns parts into payloads and reads answers. It never queues, splits, retries or sleeps.
pub trait Backend: Send + 'static {
    /// Writes one part as one body, or asks for a smaller part.
    fn encode(&mut self, part: Part<'_>) -> Result<Encoded, TooLarge>;

    /// Sends one payload, once. The caller limits the time and drops the future when it is over; the
    /// next call may bring the same payload again.
    fn send(&mut self, payload: &Payload) -> impl Future<Output = Outcome> + Send;
}

/// What became of a payload; the delivery machine decides what follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Delivered,
    /// Taken but for `refused` items, which may be none where a server only warns; never sent again.
    Partial {
        refused: u64,
        why: String,
    },
    /// A passing fault; `after` when the server said how long to wait.
    Retry {
        after: Option<Duration>,
        why: String,
    },
    TooLarge {
        why: String,
    },
    /// The payload itself is at fault: dropped and counted.
    Poison {
        why: String,
    },
    Unauthorized {
        why: String,
    },
}

/// Who a queue delivers to, as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name in the configuration: `[backends.NAME]`.
    pub name: String,
    /// The `type` in the configuration.
    pub kind: &'static str,
    /// Where to; never holds a secret.
    pub endpoint: String,
}

/// Starts the task of a backend on the current tokio runtime.
pub fn start(
    target: Target,
    backend: impl Backend,
    delivery: &config::Delivery,
) -> Result<Queue, PolicyError> {
    let policy = Policy::new(delivery.retry_initial, delivery.retry_max, delivery.retry_elapsed)?;
    let queue = Queue::new(target, delivery.queue_bytes);
    let courier = run::Courier::new(backend, queue.clone(), policy, delivery.timeout, fastrand::Rng::new());
    tokio::spawn(courier.run());
    Ok(queue)
}

/// Closes all queues at once, so that each has the whole time until the deadline, and waits for all.
/// Returns what was lost meanwhile.
pub async fn close_all(queues: &[Queue], deadline: Instant) -> u64 {
    let before: u64 = queues.iter().map(|queue| queue.begin_close(deadline)).sum();
    for queue in queues {
        queue.close(deadline).await;
    }
    queues.iter().map(|queue| queue.ledger().dropped_total()).sum::<u64>() - before
}

impl Item {
    pub fn signal(&self) -> Signal {
        match self {
            Item::Metrics(_) => Signal::Metrics,
            Item::Notes { .. } => Signal::Logs,
            Item::Otlp(batch) => batch.signal.into(),
            Item::ClientStats(_) => Signal::Stats,
        }
    }

    /// Pieces inside, between which it is cut: series, notes or chunks.
    pub fn len(&self) -> usize {
        match self {
            Item::Metrics(snapshot) => snapshot.series.len(),
            Item::Notes { notes, .. } => notes.len(),
            Item::Otlp(batch) => batch.chunks.len(),
            Item::ClientStats(_) => 1,
        }
    }

    /// What the books count: series, notes, spans, points, records or client payloads.
    pub fn count(&self) -> u64 {
        match self {
            Item::Metrics(_) | Item::Notes { .. } | Item::ClientStats(_) => self.len() as u64,
            Item::Otlp(batch) => batch.items,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Roughly what it holds in memory, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Item::Metrics(snapshot) => snapshot.bytes(),
            Item::Notes { notes, .. } => notes.iter().map(note_bytes).sum(),
            Item::Otlp(batch) => batch.bytes,
            Item::ClientStats(payload) => payload.len(),
        }
    }

    /// Whether a full queue refuses it instead of letting its oldest go. The sender of OTLP has not been
    /// answered yet and can wait, or lose it knowingly; the windows of StatsD's metrics come by the clock.
    fn can_be_refused(&self) -> bool {
        match self {
            Item::Metrics(_) | Item::Notes { .. } => false,
            Item::Otlp(_) | Item::ClientStats(_) => true,
        }
    }

    fn part(&self, range: Range<usize>) -> Part<'_> {
        match self {
            Item::Metrics(snapshot) => Part::Metrics { snapshot, series: &snapshot.series[range] },
            Item::Notes { notes, resource } => Part::Notes { notes: &notes[range], resource },
            Item::Otlp(batch) => Part::Otlp { signal: batch.signal, chunks: &batch.chunks[range] },
            Item::ClientStats(payload) => Part::ClientStats(payload),
        }
    }

    /// Whether both are pieces of one flush.
    fn same_window(&self, other: &Item) -> bool {
        match (self, other) {
            (Item::Metrics(a), Item::Metrics(b)) => a.end_ns == b.end_ns,
            (Item::Metrics(_) | Item::Notes { .. } | Item::Otlp(_) | Item::ClientStats(_), _) => false,
        }
    }
}

impl<'a> Part<'a> {
    /// Pieces inside.
    pub fn len(&self) -> usize {
        match self {
            Part::Metrics { series, .. } => series.len(),
            Part::Notes { notes, .. } => notes.len(),
            Part::Otlp { chunks, .. } => chunks.len(),
            Part::ClientStats(_) => 1,
        }
    }

    /// What the books count of it.
    pub fn count(&self) -> u64 {
        match self {
            Part::Metrics { .. } | Part::Notes { .. } | Part::ClientStats(_) => self.len() as u64,
            Part::Otlp { chunks, .. } => chunks.iter().map(|chunk| u64::from(chunk.items)).sum(),
        }
    }

    /// A part that is one chunk: the only piece that can be cut itself.
    fn chunk(&self) -> Option<&'a Chunk> {
        match self {
            Part::Otlp { chunks: [chunk], .. } => Some(chunk),
            Part::Otlp { .. } | Part::Metrics { .. } | Part::Notes { .. } | Part::ClientStats(_) => None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<otlp::Signal> for Signal {
    fn from(signal: otlp::Signal) -> Signal {
        match signal {
            otlp::Signal::Traces => Signal::Traces,
            otlp::Signal::Metrics => Signal::Metrics,
            otlp::Signal::Logs => Signal::Logs,
        }
    }
}

impl Signal {
    /// As a label value.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
            Signal::Traces => "traces",
            Signal::Stats => "stats",
        }
    }
}

fn note_bytes(note: &Note) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let tags = |tags: &[String]| tags.iter().map(|tag| tag.len() + size_of::<String>()).sum::<usize>();
    size_of::<Note>()
        + match note {
            Note::Event(event) => {
                event.title.len()
                    + event.text.len()
                    + optional(&event.host)
                    + optional(&event.aggregation_key)
                    + optional(&event.source_type)
                    + tags(&event.tags)
            }
            Note::Check(check) => {
                check.name.len() + optional(&check.host) + optional(&check.message) + tags(&check.tags)
            }
        }
}

#[cfg(test)]
mod tests;
