//! The one check of OTLP bytes from outside: every field, once, before they are queued or forwarded.
//!
//! What passes here is read leniently ever after. Known fields have their wire type, texts are UTF-8, ids
//! have their length or are absent (the OpenTelemetry collector takes both, and zeros), values are not
//! nested without end. Unknown fields are skipped and stay. Groups, which no OTLP message has, are refused.
//! Nothing is allocated but the list of results; every step is bounded by the bytes that are left. Field
//! numbers as in `view`. Next: `view`.

use super::chunk::identity;
use super::protobuf::{Fields, Malformed, Value};
use bytes::Bytes;
use std::fmt;

/// Nested lists and maps in an attribute's value, at most. Each takes up to three nested messages, and
/// common decoders take 100 of these in all.
pub const MAX_DEPTH: u32 = 30;

/// Why a request is refused, and at which place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{fault}")]
pub struct Refused {
    pub place: Place,
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("a trace id has {0} bytes instead of 16")]
    TraceId(usize),
    #[error("a span id has {0} bytes instead of 8")]
    SpanId(usize),
    #[error("an attribute is nested deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// Where in a request, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub resource: Option<u32>,
    /// Of that resource.
    pub scope: Option<u32>,
    /// Of that scope.
    pub span: Option<u32>,
}

/// What a walk found: a chunk's parts without its budget.
#[derive(Clone, Debug)]
pub struct Walked {
    pub bytes: Bytes,
    pub spans: u32,
    pub identity: u64,
}

/// Walks an `ExportTraceServiceRequest` (or the equal `TracesData`): its `ResourceSpans` with spans in
/// them, as slices of `request`.
///
/// # Errors
/// The first fault, with its place; then nothing of the request can be taken.
pub fn request(request: &Bytes) -> Result<Vec<Walked>, Refused> {
    let mut found = Vec::new();
    let mut place = Place::default();
    match export(request, &mut place, &mut found) {
        Ok(()) => Ok(found),
        Err(fault) => Err(Refused { place, fault }),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(resource) = self.resource else { return Ok(()) };
        write!(f, "resource {resource}")?;
        if let Some(scope) = self.scope {
            write!(f, ", scope {scope}")?;
        }
        if let Some(span) = self.span {
            write!(f, ", span {span}")?;
        }
        f.write_str(": ")
    }
}

/// The number after; places begin at 0.
fn next(at: Option<u32>) -> Option<u32> {
    Some(at.map_or(0, |at| at + 1))
}

fn export(request: &Bytes, place: &mut Place, found: &mut Vec<Walked>) -> Result<(), Fault> {
    let mut resource = None;
    for field in Fields::new(request) {
        match field? {
            (1, Value::Bytes(message)) => {
                resource = next(resource);
                *place = Place { resource, ..Place::default() };
                let spans = resource_spans(message, place)?;
                if spans > 0 {
                    let bytes = request.slice_ref(message);
                    found.push(Walked { bytes, spans, identity: identity(message) });
                }
                *place = Place::default();
            }
            (1, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn resource_spans(message: &[u8], place: &mut Place) -> Result<u32, Fault> {
    let (mut scope, mut spans) = (None, 0);
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(resource)) => check_resource(resource)?,
            (2, Value::Bytes(message)) => {
                scope = next(scope);
                place.scope = scope;
                spans += scope_spans(message, place)?;
                place.scope = None;
            }
            (3, Value::Bytes(url)) => text(url)?,
            (1..=3, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(spans)
}

fn check_resource(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (2, Value::Varint(_)) => {}
            (3, Value::Bytes(entity)) => entity_ref(entity)?,
            (1..=3, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn entity_ref(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1..=4, Value::Bytes(word)) => text(word)?,
            (1..=4, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn scope_spans(message: &[u8], place: &mut Place) -> Result<u32, Fault> {
    let mut spans = 0;
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(scope)) => check_scope(scope)?,
            (2, Value::Bytes(message)) => {
                place.span = Some(spans);
                span(message)?;
                place.span = None;
                spans += 1;
            }
            (3, Value::Bytes(url)) => text(url)?,
            (1..=3, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(spans)
}

fn check_scope(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1 | 2, Value::Bytes(word)) => text(word)?,
            (3, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (4, Value::Varint(_)) => {}
            (1..=4, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn span(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (9, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (1, Value::Bytes(id)) => trace_id(id)?,
            (2 | 4, Value::Bytes(id)) => span_id(id)?,
            (3 | 5, Value::Bytes(word)) => text(word)?,
            (6 | 10 | 12 | 14, Value::Varint(_)) | (7 | 8, Value::Fixed64(_)) | (16, Value::Fixed32(_)) => {}
            (11, Value::Bytes(message)) => event(message)?,
            (13, Value::Bytes(message)) => link(message)?,
            (15, Value::Bytes(message)) => status(message)?,
            (1..=16, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn event(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Fixed64(_)) | (4, Value::Varint(_)) => {}
            (2, Value::Bytes(word)) => text(word)?,
            (3, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (1..=4, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn link(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(id)) => trace_id(id)?,
            (2, Value::Bytes(id)) => span_id(id)?,
            (3, Value::Bytes(word)) => text(word)?,
            (4, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (5, Value::Varint(_)) | (6, Value::Fixed32(_)) => {}
            (1..=6, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn status(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (2, Value::Bytes(word)) => text(word)?,
            (3, Value::Varint(_)) => {}
            (2 | 3, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

/// `depth` more lists and maps may follow.
fn key_value(message: &[u8], depth: u32) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(key)) => text(key)?,
            (2, Value::Bytes(value)) => any_value(value, depth)?,
            (3, Value::Varint(_)) => {}
            (1..=3, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn any_value(message: &[u8], depth: u32) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(word)) => text(word)?,
            (2 | 3 | 8, Value::Varint(_)) | (4, Value::Fixed64(_)) | (7, Value::Bytes(_)) => {}
            (number @ (5 | 6), Value::Bytes(message)) => {
                let depth = depth.checked_sub(1).ok_or(Fault::Depth)?;
                elements(message, number == 6, depth)?;
            }
            (1..=8, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Of a list, values; of a map, pairs.
fn elements(message: &[u8], pairs: bool, depth: u32) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(pair)) if pairs => key_value(pair, depth)?,
            (1, Value::Bytes(value)) => any_value(value, depth)?,
            (1, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

#[inline]
fn trace_id(id: &[u8]) -> Result<(), Fault> {
    match id.len() {
        0 | 16 => Ok(()),
        length => Err(Fault::TraceId(length)),
    }
}

#[inline]
fn span_id(id: &[u8]) -> Result<(), Fault> {
    match id.len() {
        0 | 8 => Ok(()),
        length => Err(Fault::SpanId(length)),
    }
}

/// Nearly every text is short and ASCII, for which eight bytes at a time beat a real decoder.
#[inline]
fn text(bytes: &[u8]) -> Result<(), Fault> {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().fold(0, |all, word| all | u64::from_ne_bytes(*word));
    let rest = rest.iter().fold(0, |all, byte| all | byte);
    if words & 0x8080_8080_8080_8080 == 0 && rest < 0x80 {
        return Ok(());
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(Malformed::Utf8.into()),
    }
}

#[cfg(test)]
mod tests;
