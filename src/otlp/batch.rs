//! Gathers chunks into batches, by bytes, items and age, in front of the queues of all backends: one batch a
//! signal.
//!
//! `offer` answers at once: taken (the chunks stand in a batch for which a queue has room), or no room, and
//! then nothing of it is kept. What waits here is less than one batch a signal, so a request that is answered is
//! at most `batch_age` away from the queues. What is taken is shown at once to an outlet that looks into it, outside the
//! lock. The place of filters, redaction, measuring and sampling is at
//! the beginning of `offer`. Never waits, and never looks into an item. Next: `crate::deliver`.

use super::chunk::{Batch, Chunk};
use super::counts::Counts;
pub use super::counts::{Protocol, RefusedFor};
use super::signal::Signal;
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
    /// Whether some queue would take a batch of so many bytes after `before` bytes of others. True when no
    /// backend carries the signal.
    fn has_room(&self, signal: Signal, bytes: usize, before: usize) -> bool;

    /// Whether the agent itself makes something of what is taken, beside what backends get.
    fn looks_into(&self, _: Signal) -> bool {
        false
    }

    /// Shows the encoded messages of chunks that were taken, once each.
    fn look_into(&self, _: Signal, _: &[Bytes]) {}

    /// Hands a batch to every backend that carries its signal; counts those that cannot take it.
    fn batch(&self, batch: Batch);

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
    gathered: Mutex<Gathered>,
    /// The task in `run` waits here for a first chunk.
    begun: Notify,
    counts: [Counts; Signal::ALL.len()],
}

/// When a batch is sent on.
#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: usize,
    items: u64,
    age: Duration,
}

/// The batches that are being gathered, by signal.
#[derive(Debug, Default)]
struct Gathered {
    pending: [Pending; Signal::ALL.len()],
    /// Nothing is taken any more.
    closed: bool,
}

/// A batch that is being gathered.
#[derive(Debug, Default)]
struct Pending {
    chunks: Vec<Chunk>,
    items: u64,
    bytes: usize,
    /// When its first chunk came.
    since: Option<Instant>,
}

/// What waits in a batch that is being gathered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub items: u64,
    pub bytes: usize,
}

impl Batcher {
    pub fn new(outlet: Arc<dyn Outlet>, options: &config::Traces) -> Self {
        let limits =
            Limits { bytes: options.batch_bytes, items: options.batch_spans as u64, age: options.batch_age };
        let (gathered, begun, counts) = Default::default();
        Batcher(Arc::new(Shared { outlet, limits, gathered, begun, counts }))
    }

    /// Takes all chunks, which are of that signal, or none, and counts either.
    pub fn offer(&self, from: Protocol, signal: Signal, chunks: Vec<Chunk>) -> Result<(), NoRoom> {
        let items = chunks.iter().map(|chunk| u64::from(chunk.items)).sum();
        let bytes: usize = chunks.iter().map(Chunk::size).sum();
        let Shared { outlet, limits, gathered, begun, .. } = &*self.0;
        let counts = self.counts(signal);
        let looked: Option<Vec<Bytes>> =
            outlet.looks_into(signal).then(|| chunks.iter().map(|chunk| chunk.bytes.clone()).collect());
        let mut gathered = gathered.lock();
        let all: usize = gathered.pending.iter().map(|pending| pending.bytes).sum();
        let own = gathered.pending[signal as usize].bytes;
        let refused = if gathered.closed {
            Some(RefusedFor::Shutdown)
        } else if outlet.has_room(signal, own + bytes, all - own) {
            None
        } else {
            Some(RefusedFor::QueueFull)
        };
        if let Some(reason) = refused {
            drop(gathered);
            counts.refused(from, reason, items);
            return Err(NoRoom);
        }
        counts.received(from, items);
        let pending = &mut gathered.pending[signal as usize];
        let first = pending.chunks.is_empty() && !chunks.is_empty();
        pending.chunks.extend(chunks);
        pending.items += items;
        pending.bytes += bytes;
        if pending.bytes >= limits.bytes || pending.items >= limits.items || limits.age.is_zero() {
            pending.flush(signal, &**outlet);
        } else if first {
            pending.since = Some(Instant::now());
            begun.notify_one();
        }
        drop(gathered);
        if let Some(taken) = looked {
            outlet.look_into(signal, &taken);
        }
        Ok(())
    }

    /// Counts items that were left out of what was taken.
    pub fn reject(&self, from: Protocol, signal: Signal, items: u64) {
        self.counts(signal).refused(from, RefusedFor::Invalid, items);
    }

    /// Passes a Datadog client's statistics on.
    pub fn client_stats(&self, payload: Bytes) -> Result<(), NoRoom> {
        if self.0.gathered.lock().closed {
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
            let Some(due) = self.0.flush_old(Instant::now()) else {
                self.0.begun.notified().await;
                continue;
            };
            // The batch may have gone by then, and another one begun: none begins that is due earlier.
            sleep_until(due).await;
        }
    }

    /// Sends on what waits and takes nothing any more. For after the intakes were closed and before the
    /// queues are.
    pub fn close(&self) {
        let mut gathered = self.0.gathered.lock();
        gathered.closed = true;
        for signal in Signal::ALL {
            gathered.pending[signal as usize].flush(signal, &*self.0.outlet);
        }
    }

    pub fn waiting(&self, signal: Signal) -> Waiting {
        let pending = &self.0.gathered.lock().pending[signal as usize];
        Waiting { items: pending.items, bytes: pending.bytes }
    }

    pub fn counts(&self, signal: Signal) -> &Counts {
        &self.0.counts[signal as usize]
    }
}

impl Shared {
    /// Sends on what is old enough; returns when the next will be, where one waits.
    fn flush_old(&self, now: Instant) -> Option<Instant> {
        let mut gathered = self.gathered.lock();
        let mut next: Option<Instant> = None;
        for signal in Signal::ALL {
            let pending = &mut gathered.pending[signal as usize];
            let Some(since) = pending.since else { continue };
            let due = since + self.limits.age;
            if due <= now {
                pending.flush(signal, &*self.outlet);
            } else {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        next
    }
}

impl Pending {
    /// Under the lock, so that what waits is always either here or in the queues, for whoever asks for room.
    fn flush(&mut self, signal: Signal, outlet: &dyn Outlet) {
        let chunks = std::mem::take(&mut self.chunks);
        (self.items, self.bytes, self.since) = (0, 0, None);
        if !chunks.is_empty() {
            outlet.batch(Batch::new(signal, chunks));
        }
    }
}

#[cfg(test)]
mod tests;
