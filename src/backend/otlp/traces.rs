//! From chunks to one `ExportTraceServiceRequest`, without looking at a span.
//!
//! A chunk is an encoded `ResourceSpans` already: a request is their concatenation, each framed as field 1.
//! Chunks of the same resource become one, which then stands once before the scopes of all. Pure; next:
//! `answer`.

use crate::deliver::TooLarge;
use crate::traces::Chunk;
use crate::traces::protobuf::{Fields, varint_length};
use std::collections::HashMap;

/// The field of `ScopeSpans` in a `ResourceSpans`.
const SCOPE_SPANS: u32 = 2;

/// The request, at most `limit` bytes long.
pub(super) fn request(chunks: &[Chunk], limit: usize) -> Result<Vec<u8>, TooLarge> {
    let merged = merge(chunks);
    let length = merged.iter().map(Merged::framed_length).sum();
    if length > limit {
        return Err(TooLarge);
    }
    let mut out = Vec::with_capacity(length);
    for resource_spans in &merged {
        resource_spans.write(&mut out);
    }
    debug_assert_eq!(out.len(), length);
    Ok(out)
}

/// One `ResourceSpans` of the request.
#[derive(Debug)]
struct Merged<'a> {
    /// What stands before the first scope: resource and schema.
    head: &'a [u8],
    /// The rest of the first chunk and, where there are more, their scopes.
    rest: Vec<&'a [u8]>,
    length: usize,
}

/// In the order of the first of each resource.
fn merge(chunks: &[Chunk]) -> Vec<Merged<'_>> {
    let mut merged: Vec<Merged<'_>> = Vec::new();
    let mut known: HashMap<u64, usize> = HashMap::new();
    for chunk in chunks {
        let (head, rest, scopes_only) = parts(&chunk.bytes);
        let same = known.get(&chunk.identity).and_then(|at| merged.get_mut(*at));
        match same.filter(|same| scopes_only && same.head == head) {
            Some(same) => {
                same.rest.push(rest);
                same.length += rest.len();
            }
            None => {
                if scopes_only {
                    known.entry(chunk.identity).or_insert(merged.len());
                }
                merged.push(Merged { head, rest: vec![rest], length: chunk.bytes.len() });
            }
        }
    }
    merged
}

/// What stands before the first scope and what behind, and whether that is nothing but scopes.
fn parts(resource_spans: &[u8]) -> (&[u8], &[u8], bool) {
    let mut fields = Fields::new(resource_spans);
    let mut head = 0;
    let mut in_head = true;
    let mut scopes_only = true;
    while let Some(Ok((number, _, raw))) = fields.next_raw() {
        if number == SCOPE_SPANS {
            in_head = false;
        } else if in_head {
            head += raw.len();
        } else {
            scopes_only = false;
        }
    }
    let (head, rest) = resource_spans.split_at(head);
    (head, rest, scopes_only)
}

impl Merged<'_> {
    fn framed_length(&self) -> usize {
        1 + varint_length(self.length as u64) + self.length
    }

    fn write(&self, out: &mut Vec<u8>) {
        // Field 1, with a length.
        out.push(0x0a);
        let mut length = self.length as u64;
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(self.head);
        for rest in &self.rest {
            out.extend_from_slice(rest);
        }
    }
}
