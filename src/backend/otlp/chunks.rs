//! From chunks of one signal to one request, without looking at a span, point or record.
//!
//! A chunk is an encoded `ResourceSpans`, `ResourceMetrics` or `ResourceLogs` already: a request is their
//! concatenation, each framed as field 1. Chunks of the same resource become one, which then stands once before
//! the scopes of all. The JSON form is written from those bytes. Pure; next: `answer`.

use crate::deliver::TooLarge;
use crate::otlp::protobuf::{Fields, varint_length};
use crate::otlp::{Chunk, Signal, json as written};
use std::collections::HashMap;

/// The field of scopes with what is in them, of every signal.
const SCOPES: u32 = 2;

/// The request, at most `limit` bytes long.
pub(super) fn request(chunks: &[Chunk], limit: usize) -> Result<Vec<u8>, TooLarge> {
    let merged = merge(chunks);
    let length = merged.iter().map(Merged::framed_length).sum();
    if length > limit {
        return Err(TooLarge);
    }
    let mut out = Vec::with_capacity(length);
    for resource in &merged {
        resource.write(&mut out);
    }
    debug_assert_eq!(out.len(), length);
    Ok(out)
}

/// The request in JSON, at most `limit` bytes long.
pub(in crate::backend) fn json(signal: Signal, chunks: &[Chunk], limit: usize) -> Result<Vec<u8>, TooLarge> {
    let mut out = Vec::new();
    // JSON is never much shorter, so that what is refused here would be refused below.
    written::write_request(signal, &request(chunks, limit)?, &mut out);
    if out.len() > limit { Err(TooLarge) } else { Ok(out) }
}

/// One resource of the request.
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
fn parts(resource: &[u8]) -> (&[u8], &[u8], bool) {
    let mut fields = Fields::new(resource);
    let mut head = 0;
    let mut in_head = true;
    let mut scopes_only = true;
    while let Some(Ok((number, _, raw))) = fields.next_raw() {
        if number == SCOPES {
            in_head = false;
        } else if in_head {
            head += raw.len();
        } else {
            scopes_only = false;
        }
    }
    let (head, rest) = resource.split_at(head);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::protobuf::Writer;
    use crate::otlp::{chunk, walk, write};
    use bytes::Bytes;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use proptest::prelude::*;
    use prost::Message;

    /// A chunk of one scope with so many spans; `schema_last` puts a field behind the scope.
    fn chunk(service: &str, scope: &str, spans: u32, schema_last: bool) -> Chunk {
        let mut out = Writer::new();
        write::resource(&mut out, |out| {
            write::text(out, write::RESOURCE_ATTRIBUTES, "service.name", service)
        });
        let open = write::begin_scope(&mut out, scope, "", |_| {});
        for _ in 0..spans {
            let span =
                write::begin_span(&mut out, &write::SpanHead { trace_id: &[1; 16], ..Default::default() });
            out.end(span);
        }
        out.end(open);
        if schema_last {
            out.text(3, "https://schema");
        }
        let bytes = out.into_inner();
        let (signal, identity) = (Signal::Traces, chunk::identity(&bytes));
        Chunk { signal, identity, bytes: bytes.into(), items: spans, hold: None }
    }

    /// `service: scope spans, …` of each resource.
    fn shape(request: &[u8]) -> Vec<String> {
        let request = ExportTraceServiceRequest::decode(request).unwrap();
        let resources = request.resource_spans.into_iter().map(|resource_spans| {
            let attributes = resource_spans.resource.unwrap_or_default().attributes;
            assert!(attributes.len() < 2, "{attributes:?}");
            let service = format!("{:?}", attributes.first().and_then(|pair| pair.value.clone()));
            let service = service.split('"').nth(1).unwrap_or("").to_owned();
            let scopes = resource_spans.scope_spans.into_iter();
            let scopes = scopes.map(|scope| format!("{} {}", scope.scope.unwrap().name, scope.spans.len()));
            format!("{service}: {}", scopes.collect::<Vec<_>>().join(", "))
        });
        resources.collect()
    }

    #[test]
    fn a_resource_stands_once_before_the_scopes_of_all() {
        let chunks = [
            chunk("a", "x", 1, false),
            chunk("b", "x", 2, false),
            chunk("a", "y", 3, false),
            chunk("a", "z", 1, true),
        ];
        let request = request(&chunks, 1 << 20).unwrap();
        assert_eq!(shape(&request), ["a: x 1, y 3", "b: x 2", "a: z 1"]);
    }

    #[test]
    fn a_number_that_lies_merges_nothing() {
        let mut chunks = [chunk("a", "x", 1, false), chunk("b", "x", 1, false)];
        chunks[1].identity = chunks[0].identity;
        assert_eq!(shape(&request(&chunks, 1 << 20).unwrap()), ["a: x 1", "b: x 1"]);
    }

    #[test]
    fn a_request_beyond_the_limit_is_too_large() {
        let chunks = [chunk("a", "x", 300, false), chunk("a", "y", 1, false)];
        let length = request(&chunks, 1 << 20).unwrap().len();
        assert!(request(&chunks, length).is_ok());
        assert_eq!(request(&chunks, length - 1), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn no_span_is_lost_and_the_request_is_sound(
            made in proptest::collection::vec((0..3_usize, 1..4_u32, any::<bool>()), 1..9)
        ) {
            let chunks: Vec<Chunk> =
                made.iter().map(|(service, spans, last)| chunk(["a", "b", "c"][*service], "s", *spans, *last)).collect();
            let body = Bytes::from(request(&chunks, 1 << 20).unwrap());
            let walked = walk::request(Signal::Traces, &body).unwrap();
            let spans = walked.resources.iter().map(|walked| walked.items).sum::<u32>();
            prop_assert_eq!(spans, made.iter().map(|(_, spans, _)| spans).sum::<u32>());
            let whole: usize = chunks.iter().map(|chunk| chunk.bytes.len() + 1 + varint_length(chunk.bytes.len() as u64)).sum();
            prop_assert!(body.len() <= whole + chunks.len());
            shape(&body);
        }
    }
}
