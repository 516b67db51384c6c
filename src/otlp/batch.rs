//! Gathers chunks into batches, by bytes, spans and age, in front of the queues of all backends.
//!
//! `offer` answers at once: taken (the spans stand in a batch for which a queue has room), or no room, and
//! then nothing of it is kept. What waits here is less than one batch, so a request that is answered is at
//! most `batch_age` away from the queues. The place of filters, redaction, measuring and sampling is at
//! the beginning of `offer`. Never waits, and never looks into a span. Next: `crate::deliver`.

use super::chunk::{Chunk, SpanBatch};
use super::counts::SpanCounts;
pub use super::counts::{Protocol, RefusedFor};
use crate::config;
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// Every queue is full, or the agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// What stands behind the batches: the queues of the backends.
pub trait Outlet: Send + Sync + 'static {
    /// Whether some queue would take so many more bytes of spans. True when no backend carries spans.
    fn has_room(&self, bytes: usize) -> bool;

    /// Hands a batch to every backend that carries spans; counts those that cannot take it.
    fn spans(&self, batch: SpanBatch);

    /// Hands statistics that a Datadog client computed (one msgpack `ClientStatsPayload`) on, or counts
    /// them as not carried.
    fn client_stats(&self, payload: Bytes) -> Result<(), NoRoom>;
}

/// The way from the intakes to the queues; clones are handles on the same one.
#[derive(Clone)]
pub struct Batcher(Arc<Shared>);

struct Shared {
    outlet: Arc<dyn Outlet>,
    limits: Limits,
    pending: Mutex<Pending>,
    /// The task in `run` waits here for a first chunk.
    begun: Notify,
    counts: SpanCounts,
}

/// When a batch is sent on.
#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: usize,
    spans: u64,
    age: Duration,
}

/// The batch that is being gathered.
#[derive(Debug, Default)]
struct Pending {
    chunks: Vec<Chunk>,
    spans: u64,
    bytes: usize,
    /// When its first chunk came.
    since: Option<Instant>,
    /// Nothing is taken any more.
    closed: bool,
}

/// What waits in the batch that is being gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub spans: u64,
    pub bytes: usize,
}

impl Batcher {
    pub fn new(outlet: Arc<dyn Outlet>, options: &config::Traces) -> Self {
        let limits =
            Limits { bytes: options.batch_bytes, spans: options.batch_spans as u64, age: options.batch_age };
        let (pending, begun, counts) = Default::default();
        Batcher(Arc::new(Shared { outlet, limits, pending, begun, counts }))
    }

    /// Takes all chunks or none, and counts either.
    pub fn offer(&self, from: Protocol, chunks: Vec<Chunk>) -> Result<(), NoRoom> {
        let spans = chunks.iter().map(|chunk| u64::from(chunk.spans)).sum();
        let bytes: usize = chunks.iter().map(Chunk::size).sum();
        let Shared { outlet, limits, pending, begun, counts } = &*self.0;
        let mut pending = pending.lock();
        let refused = if pending.closed {
            Some(RefusedFor::Shutdown)
        } else if outlet.has_room(pending.bytes + bytes) {
            None
        } else {
            Some(RefusedFor::QueueFull)
        };
        if let Some(reason) = refused {
            drop(pending);
            counts.refused(from, reason, spans);
            return Err(NoRoom);
        }
        counts.received(from, spans);
        let first = pending.chunks.is_empty() && !chunks.is_empty();
        pending.chunks.extend(chunks);
        pending.spans += spans;
        pending.bytes += bytes;
        if pending.bytes >= limits.bytes || pending.spans >= limits.spans || limits.age.is_zero() {
            pending.flush(&**outlet);
        } else if first {
            pending.since = Some(Instant::now());
            begun.notify_one();
        }
        Ok(())
    }

    /// Counts spans that were left out of what was taken.
    pub fn reject(&self, from: Protocol, spans: u64) {
        self.0.counts.refused(from, RefusedFor::Invalid, spans);
    }

    /// Passes a Datadog client's statistics on.
    pub fn client_stats(&self, payload: Bytes) -> Result<(), NoRoom> {
        if self.0.pending.lock().closed {
            return Err(NoRoom);
        }
        self.0.outlet.client_stats(payload)
    }

    /// Sends batches on when they are old enough, until told to stop; `close` does the rest.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        tokio::select! {
            // An error means that the agent is gone, which ends this, too.
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = self.flush_by_age() => {}
        }
    }

    async fn flush_by_age(&self) {
        loop {
            let Some(since) = self.0.pending.lock().since else {
                self.0.begun.notified().await;
                continue;
            };
            let due = since + self.0.limits.age;
            if Instant::now() < due {
                // The batch may have gone by then, and another one begun.
                sleep_until(due).await;
                continue;
            }
            self.0.pending.lock().flush(&*self.0.outlet);
        }
    }

    /// Sends on what waits and takes nothing any more. For after the intakes were closed and before the
    /// queues are.
    pub fn close(&self) {
        let mut pending = self.0.pending.lock();
        pending.closed = true;
        pending.flush(&*self.0.outlet);
    }

    pub fn waiting(&self) -> Waiting {
        let pending = self.0.pending.lock();
        Waiting { spans: pending.spans, bytes: pending.bytes }
    }

    pub fn counts(&self) -> &SpanCounts {
        &self.0.counts
    }
}

impl Pending {
    /// Under the lock, so that what waits is always either here or in the queues, for whoever asks for room.
    fn flush(&mut self, outlet: &dyn Outlet) {
        let chunks = std::mem::take(&mut self.chunks);
        (self.spans, self.bytes, self.since) = (0, 0, None);
        if !chunks.is_empty() {
            outlet.spans(SpanBatch::new(chunks));
        }
    }
}

#[cfg(test)]
mod tests;
