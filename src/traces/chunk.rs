//! What moves through the agent: encoded spans of one resource, and batches of them.

use super::budget::Hold;
use bytes::Bytes;
use std::sync::Arc;

/// One encoded, checked `ResourceSpans` message, without the key and length that frame it in a request.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub bytes: Bytes,
    /// Spans inside; at least one.
    pub spans: u32,
    /// The same for chunks whose resource and schema are the same bytes.
    pub identity: u64,
    /// Keeps the memory under the budget for as long as the bytes live.
    pub hold: Option<Hold>,
}

/// Spans that are delivered together, shared by all backends.
#[derive(Clone, Debug)]
pub struct SpanBatch {
    pub chunks: Arc<[Chunk]>,
    pub spans: u64,
    pub bytes: usize,
}

impl SpanBatch {
    pub fn new(chunks: Vec<Chunk>) -> Self {
        let spans = chunks.iter().map(|chunk| u64::from(chunk.spans)).sum();
        let bytes = chunks.iter().map(|chunk| chunk.bytes.len() + size_of::<Chunk>()).sum();
        SpanBatch { chunks: chunks.into(), spans, bytes }
    }
}

/// The same for the same resource and schema: what tells whose chunks may be merged.
pub fn identity(resource: &[u8], schema_url: &str) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(resource);
    hash.update(schema_url.as_bytes());
    hash.digest()
}
