//! Gathers chunks into batches, by bytes, spans and age, in front of the queues of all backends.
//!
//! `offer` answers at once: taken (the spans stand in a batch whose way into a queue is certain), or no
//! room, and then nothing of it is kept. The place of filters, redaction, measuring and sampling is at the
//! beginning of `offer`. Next: `crate::deliver`.

use super::chunk::{Chunk, SpanBatch};
use bytes::Bytes;
use std::sync::Arc;

/// Where spans come from, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Otlp,
    Datadog,
    Zipkin,
}

impl Protocol {
    /// As a label value.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Otlp => "otlp",
            Protocol::Datadog => "datadog",
            Protocol::Zipkin => "zipkin",
        }
    }
}

/// Every queue is full.
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
pub struct Batcher {
    outlet: Arc<dyn Outlet>,
}

impl Batcher {
    pub fn new(outlet: Arc<dyn Outlet>) -> Self {
        Batcher { outlet }
    }

    /// Takes all chunks or none.
    pub fn offer(&self, _from: Protocol, chunks: Vec<Chunk>) -> Result<(), NoRoom> {
        let batch = SpanBatch::new(chunks);
        if !self.outlet.has_room(batch.bytes) {
            return Err(NoRoom);
        }
        self.outlet.spans(batch);
        Ok(())
    }

    /// Passes a Datadog client's statistics on.
    pub fn client_stats(&self, payload: Bytes) -> Result<(), NoRoom> {
        self.outlet.client_stats(payload)
    }
}
