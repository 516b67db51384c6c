//! The one check of OTLP bytes from outside: every field, once, before they are queued or forwarded.
//!
//! What passes here is read leniently ever after. Known fields have their wire type, texts are UTF-8, ids
//! have their length or are absent (the OpenTelemetry collector takes both, and zeros), values are not
//! nested without end. Unknown fields are skipped and stay. Groups, which no OTLP message has, are refused.
//! A fault inside a span costs that span: what is left is copied without it. A fault around spans (a length that
//! leads nowhere, a resource, a scope) refuses the request, for nobody knows what it hides. Nothing is allocated
//! but the results; every step is bounded by the bytes that are left. Field numbers as in `view`. Next: `view`.

mod field;
mod span;

use super::chunk::{identity, select};
use super::protobuf::{Fields, Malformed, Value};
use bytes::Bytes;
use field::text;
use std::fmt;

/// Nested lists and maps in an attribute's value, at most. Each takes up to three nested messages, and
/// common decoders take 100 of these in all.
pub const MAX_DEPTH: u32 = 30;

/// Why a request or a span is refused, and at which place.
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

/// What a walk found.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub resources: Vec<Walked>,
    /// What is left out of them.
    pub rejected: Option<Rejected>,
}

/// A chunk's parts without its budget.
#[derive(Clone, Debug)]
pub struct Walked {
    pub bytes: Bytes,
    pub spans: u32,
    pub identity: u64,
}

/// Spans that cannot be taken while their neighbours are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub spans: u64,
    pub first: Refused,
}

/// Walks an `ExportTraceServiceRequest` (or the equal `TracesData`): its `ResourceSpans` with spans in
/// them, as slices of `request`, or, of those with spans left out, as copies.
///
/// # Errors
/// A fault around spans, or the first one where no span is sound, with its place; then nothing of the request
/// can be taken.
pub fn request(request: &Bytes) -> Result<Taken, Refused> {
    let mut walk = Walk::default();
    if let Err(fault) = walk.export(request) {
        return Err(Refused { place: walk.place, fault });
    }
    match walk.taken.rejected {
        Some(rejected) if walk.taken.resources.is_empty() => Err(rejected.first),
        _ => Ok(walk.taken),
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

/// Where a walk stands, and what it found.
#[derive(Default)]
struct Walk {
    taken: Taken,
    place: Place,
    /// Spans of the resource so far, the faulty ones too, and which of them are faulty.
    seen: u32,
    faulty: Vec<u32>,
}

impl Walk {
    fn export(&mut self, request: &Bytes) -> Result<(), Fault> {
        let mut resource = None;
        for field in Fields::new(request) {
            match field? {
                (1, Value::Bytes(message)) => {
                    resource = next(resource);
                    self.place = Place { resource, ..Place::default() };
                    self.resource_spans(request, message)?;
                    self.place = Place::default();
                }
                (1, _) => return Err(Malformed::Mismatch.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn resource_spans(&mut self, request: &Bytes, message: &[u8]) -> Result<(), Fault> {
        let mut scope = None;
        self.seen = 0;
        self.faulty.clear();
        for field in Fields::new(message) {
            match field? {
                (1, Value::Bytes(resource)) => field::resource(resource)?,
                (2, Value::Bytes(message)) => {
                    scope = next(scope);
                    self.place.scope = scope;
                    self.scope_spans(message)?;
                    self.place.scope = None;
                }
                (3, Value::Bytes(url)) => text(url)?,
                (1..=3, _) => return Err(Malformed::Mismatch.into()),
                _ => {}
            }
        }
        let spans = self.seen - self.faulty.len() as u32;
        if spans > 0 {
            let bytes = match self.faulty.as_slice() {
                [] => request.slice_ref(message),
                faulty => select(message, &|at| faulty.binary_search(&at).is_err()).into(),
            };
            self.taken.resources.push(Walked { bytes, spans, identity: identity(message) });
        }
        Ok(())
    }

    fn scope_spans(&mut self, message: &[u8]) -> Result<(), Fault> {
        let mut at = None;
        for field in Fields::new(message) {
            match field? {
                (1, Value::Bytes(scope)) => field::scope(scope)?,
                (2, Value::Bytes(message)) => {
                    at = next(at);
                    if let Err(fault) = span::span(message) {
                        self.reject(Place { span: at, ..self.place }, fault);
                    }
                    self.seen += 1;
                }
                (3, Value::Bytes(url)) => text(url)?,
                (1..=3, _) => return Err(Malformed::Mismatch.into()),
                _ => {}
            }
        }
        Ok(())
    }

    #[cold]
    fn reject(&mut self, place: Place, fault: Fault) {
        self.faulty.push(self.seen);
        let first = Refused { place, fault };
        self.taken.rejected.get_or_insert(Rejected { spans: 0, first }).spans += 1;
    }
}

#[cfg(test)]
mod tests;
