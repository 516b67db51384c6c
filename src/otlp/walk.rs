//! The one check of OTLP bytes from outside: every field, once, before they are queued or forwarded.
//!
//! What passes here is read leniently ever after. Known fields have their wire type, texts are UTF-8, ids
//! have their length or are absent (the OpenTelemetry collector takes both, and zeros), values are not
//! nested without end. Unknown fields are skipped and stay. Groups, which no OTLP message has, are refused.
//! A fault inside a span, a data point or a log record costs that one, a fault of a metric its points: what is left
//! is copied without them. A fault around them (a length that leads nowhere, a resource, a scope) refuses the
//! request, for nobody knows what it hides. Nothing is allocated but the results; every step is bounded by the
//! bytes that are left. Field numbers as in the `.proto` files. Next: `view`.

mod field;
mod log;
mod metric;
mod span;

use super::chunk::identity;
use super::protobuf::{Fields, Malformed, Value};
use super::select::{points, select};
use super::signal::Signal;
use bytes::Bytes;
use field::text;
use std::fmt;
use std::ops::Range;

/// Nested lists and maps in an attribute's value, at most. Each takes up to three nested messages, and
/// common decoders take 100 of these in all.
pub const MAX_DEPTH: u32 = 30;

/// Why a request, or a part of it, is refused, and at which place.
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
    /// There must be one count more than bounds, or none of either.
    #[error("a histogram has {counts} bucket counts for {bounds} bounds")]
    Buckets { counts: usize, bounds: usize },
    #[error("a metric has data more than once")]
    Data,
}

/// Where in a request, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub signal: Signal,
    pub resource: Option<u32>,
    /// Of that resource.
    pub scope: Option<u32>,
    /// Of that scope: a span, metric or log record.
    pub item: Option<u32>,
    /// Of that metric.
    pub point: Option<u32>,
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
    /// Spans, data points or log records.
    pub items: u32,
    pub identity: u64,
    /// The bytes are a copy and not a slice of the request.
    pub copied: bool,
}

/// What cannot be taken while its neighbours are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Spans, data points or log records; a faulty metric without points counts as one.
    pub items: u64,
    pub first: Refused,
}

/// Walks an `Export…ServiceRequest` (or the equal `TracesData`, `MetricsData`, `LogsData`): its resources with
/// something in them, as slices of `request`, or, of those with something left out, as copies. A metric without
/// points counts for nothing and stays where it is.
///
/// # Errors
/// A fault around spans, points or records, or the first one where none is sound, with its place; then nothing of
/// the request can be taken.
pub fn request(signal: Signal, request: &Bytes) -> Result<Taken, Refused> {
    let mut walk = Walk::new(signal);
    if let Err(fault) = walk.export(request) {
        return Err(Refused { place: walk.place, fault });
    }
    match walk.taken.rejected {
        Some(rejected) if walk.taken.resources.is_empty() => Err(rejected.first),
        _ => Ok(walk.taken),
    }
}

/// Whether the bucket counts of an encoded `HistogramDataPoint` fit its bounds.
pub(super) fn histogram(point: &[u8]) -> Result<(), Fault> {
    metric::histogram_point(point)
}

impl Place {
    fn new(signal: Signal) -> Self {
        Place { signal, resource: None, scope: None, item: None, point: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(resource) = self.resource else { return Ok(()) };
        write!(f, "resource {resource}")?;
        if let Some(scope) = self.scope {
            write!(f, ", scope {scope}")?;
        }
        if let Some(item) = self.item {
            write!(f, ", {} {item}", self.signal.item())?;
        }
        if let Some(point) = self.point {
            write!(f, ", point {point}")?;
        }
        f.write_str(": ")
    }
}

/// The number after; places begin at 0.
fn next(at: Option<u32>) -> Option<u32> {
    Some(at.map_or(0, |at| at + 1))
}

/// Where a walk stands, and what it found.
struct Walk {
    taken: Taken,
    place: Place,
    /// Spans, points or records of the resource so far, the faulty ones too, and which of them are faulty.
    seen: u32,
    faulty: Vec<u32>,
    /// Something is left out of the resource, be it a faulty metric without points.
    cut: bool,
    /// The faulty points of a metric, while it is walked.
    faults: Vec<(u32, Fault)>,
}

impl Walk {
    fn new(signal: Signal) -> Self {
        let (taken, place) = (Taken::default(), Place::new(signal));
        Walk { taken, place, seen: 0, faulty: Vec::new(), cut: false, faults: Vec::new() }
    }

    fn export(&mut self, request: &Bytes) -> Result<(), Fault> {
        let nowhere = self.place;
        let mut resource = None;
        for field in Fields::new(request) {
            match field? {
                (1, Value::Bytes(message)) => {
                    resource = next(resource);
                    self.place = Place { resource, ..nowhere };
                    self.resource(request, message)?;
                    self.place = nowhere;
                }
                (1, _) => return Err(Malformed::Mismatch.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn resource(&mut self, request: &Bytes, message: &[u8]) -> Result<(), Fault> {
        let mut scope = None;
        self.seen = 0;
        self.cut = false;
        self.faulty.clear();
        for field in Fields::new(message) {
            match field? {
                (1, Value::Bytes(resource)) => field::resource(resource)?,
                (2, Value::Bytes(message)) => {
                    scope = next(scope);
                    self.place.scope = scope;
                    self.scope(message)?;
                    self.place.scope = None;
                }
                (3, Value::Bytes(url)) => text(url)?,
                (1..=3, _) => return Err(Malformed::Mismatch.into()),
                _ => {}
            }
        }
        let items = self.seen - self.faulty.len() as u32;
        if items > 0 {
            let bytes = if self.cut {
                select(self.place.signal, message, &|at| self.faulty.binary_search(&at).is_err()).into()
            } else {
                request.slice_ref(message)
            };
            self.taken.resources.push(Walked { bytes, items, identity: identity(message), copied: self.cut });
        }
        Ok(())
    }

    fn scope(&mut self, message: &[u8]) -> Result<(), Fault> {
        let mut at = None;
        for field in Fields::new(message) {
            match field? {
                (1, Value::Bytes(scope)) => field::scope(scope)?,
                (2, Value::Bytes(message)) => {
                    at = next(at);
                    let place = Place { item: at, ..self.place };
                    match place.signal {
                        Signal::Traces => self.item(place, span::span(message)),
                        Signal::Logs => self.item(place, log::record(message)),
                        Signal::Metrics => self.metric(place, message),
                    }
                }
                (3, Value::Bytes(url)) => text(url)?,
                (1..=3, _) => return Err(Malformed::Mismatch.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// A span or log record.
    fn item(&mut self, place: Place, checked: Result<(), Fault>) {
        if let Err(fault) = checked {
            self.reject(place, fault, self.seen..self.seen + 1);
        }
        self.seen += 1;
    }

    fn metric(&mut self, place: Place, message: &[u8]) {
        match metric::metric(message, &mut self.faults) {
            Ok(found) => {
                for (point, fault) in std::mem::take(&mut self.faults) {
                    let at = self.seen + point;
                    self.reject(Place { point: Some(point), ..place }, fault, at..at + 1);
                }
                self.seen += found;
            }
            Err(fault) => {
                self.faults.clear();
                let end = self.seen + points(message);
                self.reject(place, fault, self.seen..end);
                self.seen = end;
            }
        }
    }

    #[cold]
    fn reject(&mut self, place: Place, fault: Fault, numbers: Range<u32>) {
        self.cut = true;
        let first = Refused { place, fault };
        let rejected = self.taken.rejected.get_or_insert(Rejected { items: 0, first });
        rejected.items += numbers.len().max(1) as u64;
        self.faulty.extend(numbers);
    }
}

#[cfg(test)]
mod tests;
