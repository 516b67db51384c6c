//! What moves through the agent: encoded spans, metrics or log records of one resource, and batches of them.

use super::budget::Hold;
use super::protobuf::Fields;
use super::select::select;
use super::signal::Signal;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One encoded, checked `ResourceSpans`, `ResourceMetrics` or `ResourceLogs` message, without the key and length
/// that frame it in a request.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub signal: Signal,
    pub bytes: Bytes,
    /// Spans, data points or log records inside; at least one.
    pub items: u32,
    /// The same for chunks whose resource and schema are the same bytes: a hint, which see [`identity`].
    pub identity: u64,
    /// Keeps the memory under the budget for as long as the bytes live.
    pub hold: Option<Hold>,
}

/// Chunks of one signal that are delivered together, shared by all backends.
#[derive(Clone, Debug)]
pub struct Batch {
    pub signal: Signal,
    pub chunks: Arc<[Chunk]>,
    /// Spans, data points or log records inside.
    pub items: u64,
    pub bytes: usize,
}

impl Batch {
    pub fn new(signal: Signal, chunks: Vec<Chunk>) -> Self {
        debug_assert!(chunks.iter().all(|chunk| chunk.signal == signal));
        let items = chunks.iter().map(|chunk| u64::from(chunk.items)).sum();
        let bytes = chunks.iter().map(Chunk::size).sum();
        Batch { signal, chunks: chunks.into(), items, bytes }
    }
}

impl Chunk {
    /// What it takes in a queue, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of::<Chunk>()
    }

    /// The same as two chunks, in their order; `None` when there is one span, point or record only. The halves
    /// are copies outside the budget: for a backend that cannot take the whole, one at a time.
    pub fn halves(&self) -> Option<[Chunk; 2]> {
        if self.items < 2 {
            return None;
        }
        let middle = self.items / 2;
        let half = |range: Range<u32>| Chunk {
            signal: self.signal,
            items: range.len() as u32,
            bytes: select(self.signal, &self.bytes, &|at| range.contains(&at)).into(),
            identity: self.identity,
            hold: None,
        };
        Some([half(0..middle), half(middle..self.items)])
    }
}

/// What an encoded `ResourceSpans` (or `…Metrics`, `…Logs`) says beside its scopes, as a number: resource,
/// schema and whatever else. Equal numbers of unequal chunks can be made on purpose; who merges compares the bytes.
pub fn identity(resource: &[u8]) -> u64 {
    let mut fields = Fields::new(resource);
    let mut identity = 0;
    while let Some(Ok((number, _, raw))) = fields.next_raw() {
        if number != 2 {
            identity = xxh3_64_with_seed(raw, identity);
        }
    }
    identity
}

#[cfg(test)]
pub(crate) mod tests;
