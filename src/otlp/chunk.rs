//! What moves through the agent: encoded spans of one resource, and batches of them.

use super::budget::Hold;
use super::protobuf::{Fields, Value, Writer};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One encoded, checked `ResourceSpans` message, without the key and length that frame it in a request.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub bytes: Bytes,
    /// Spans inside; at least one.
    pub spans: u32,
    /// The same for chunks whose resource and schema are the same bytes: a hint, which see [`identity`].
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
        let bytes = chunks.iter().map(Chunk::size).sum();
        SpanBatch { chunks: chunks.into(), spans, bytes }
    }
}

impl Chunk {
    /// What it takes in a queue, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of::<Chunk>()
    }

    /// The same spans as two chunks, in their order; `None` when there is one span only. The halves are
    /// copies outside the budget: for a backend that cannot take the whole, one at a time.
    pub fn halves(&self) -> Option<[Chunk; 2]> {
        if self.spans < 2 {
            return None;
        }
        let middle = self.spans / 2;
        let half = |range: Range<u32>| Chunk {
            spans: range.len() as u32,
            bytes: select(&self.bytes, &|at| range.contains(&at)).into(),
            identity: self.identity,
            hold: None,
        };
        Some([half(0..middle), half(middle..self.spans)])
    }
}

/// What an encoded `ResourceSpans` says beside its spans, as a number: resource, schema and whatever else.
/// Equal numbers of unequal chunks can be made on purpose; who merges compares the bytes.
pub fn identity(resource_spans: &[u8]) -> u64 {
    let mut fields = Fields::new(resource_spans);
    let mut identity = 0;
    while let Some(Ok((number, _, raw))) = fields.next_raw() {
        if number != 2 {
            identity = xxh3_64_with_seed(raw, identity);
        }
    }
    identity
}

/// A `ResourceSpans` with those of its spans whose places, counted through all scopes, are `wanted`. Scopes that
/// are left without spans go, everything else is kept.
pub(super) fn select(resource_spans: &[u8], wanted: &dyn Fn(u32) -> bool) -> Vec<u8> {
    let mut out = Writer::onto(Vec::with_capacity(resource_spans.len()));
    let mut at = 0;
    let mut fields = Fields::new(resource_spans);
    while let Some(Ok((number, value, raw))) = fields.next_raw() {
        match (number, value) {
            (2, Value::Bytes(scope)) => select_of_scope(&mut out, scope, wanted, &mut at),
            _ => out.raw(raw),
        }
    }
    out.into_inner()
}

fn select_of_scope(out: &mut Writer, scope: &[u8], wanted: &dyn Fn(u32) -> bool, at: &mut u32) {
    let began = out.len();
    let open = out.begin(2, scope.len());
    let mut kept = 0;
    let mut fields = Fields::new(scope);
    while let Some(Ok((number, _, raw))) = fields.next_raw() {
        if number != 2 {
            out.raw(raw);
            continue;
        }
        if wanted(*at) {
            out.raw(raw);
            kept += 1;
        }
        *at += 1;
    }
    out.end(open);
    if kept == 0 {
        out.truncate(began);
    }
}

#[cfg(test)]
pub(crate) mod tests;
