//! Reads an OTLP request in JSON, appending its protobuf form as it goes.
//!
//! Strict where an error would lose data (wrong types, ids of another length, numbers that do not fit, a
//! field twice), lenient where ProtoJSON is (numbers or strings, names or numbers of enumerations, `null`
//! for absent, unknown fields, which are skipped without recursion). A fault inside a span, a point or a log record
//! costs that one, a fault of a metric its points, as in protobuf; for these a request is read again, so that sound
//! ones cost nothing. What is written is taken from the budget before it is. A text of the sender never stands in
//! an error. Next: `write`.

mod alone;
mod output;
mod visit;

use super::shape::{self, Kind};
use crate::otlp::budget::Budget;
use crate::otlp::chunk::Chunk;
use crate::otlp::signal::Signal;
use output::Output;
use serde::de::{DeserializeSeed, Error as _};
use std::fmt::Write;

/// What was read of a request.
#[derive(Debug)]
pub struct Taken {
    /// They share one buffer and one hold on the budget.
    pub chunks: Vec<Chunk>,
    /// What is left out of them.
    pub rejected: Option<Rejected>,
}

/// What cannot be taken while its neighbours are.
#[derive(Debug)]
pub struct Rejected {
    /// Spans, data points or log records; a faulty metric without points counts as one.
    pub items: u64,
    pub first: Error,
}

/// Why a request, or a part of it, is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no JSON, or not of the shape of a request. `place` leads to the field; the error itself
    /// tells line and column.
    #[error("{place}{why}")]
    Json { place: Place, why: serde_json::Error },
    /// The budget has no room for what was sent: to be asked again later.
    #[error("no room for the {} at the moment", .0.counted())]
    NoRoom(Signal),
}

/// A way to a field: `resourceSpans[0].scopeSpans[0].spans[2].traceId: `, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(String);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step on the way to a field.
#[derive(Clone, Copy, Debug)]
enum Step {
    Field(&'static str),
    Item(usize),
}

impl Place {
    fn of(steps: &[Step]) -> Self {
        let mut text = String::new();
        for step in steps {
            match step {
                Step::Field(name) if text.is_empty() => text.push_str(name),
                Step::Field(name) => text.extend([".", name]),
                // Writing into a string cannot fail.
                Step::Item(at) => write!(text, "[{at}]").unwrap_or_default(),
            }
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        Place(text)
    }
}

/// Reads a whole body. Resources without spans, points or records are left out.
///
/// # Errors
/// A fault around spans, points or records, or the first one where none is sound; then nothing of the request is
/// taken. Or the budget has no room for all that is sound.
pub fn read_request(signal: Signal, body: &[u8], budget: &Budget) -> Result<Taken, Error> {
    let mut output = Output::new(signal, budget, body.len()).ok_or(Error::NoRoom(signal))?;
    let first = match whole(signal, body, &mut output) {
        Ok(()) => return Ok(Taken { chunks: output.finish(), rejected: None }),
        Err(first) => first,
    };
    let costs_itself = matches!(&first, Error::Json { why, .. } if output.within && !why.is_eof());
    if !costs_itself {
        return Err(first);
    }
    if !output.begin_again() {
        return Err(Error::NoRoom(signal));
    }
    match whole(signal, body, &mut output) {
        Ok(()) if output.has_chunks() => {
            let rejected = Rejected { items: output.rejected, first };
            Ok(Taken { chunks: output.finish(), rejected: Some(rejected) })
        }
        Err(second @ Error::NoRoom(_)) => Err(second),
        // Behind the first fault, and around what stands alone.
        Err(second) if output.rejected > 0 => Err(second),
        // Nothing is sound; or the first fault is one of the text itself, and was told more exactly.
        Ok(()) | Err(_) => Err(first),
    }
}

fn whole(signal: Signal, body: &[u8], output: &mut Output) -> Result<(), Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    // Nested messages are bounded by their shapes, attributes by their levels, and what is skipped is
    // skipped without recursion.
    json.disable_recursion_limit();
    let kind = Kind::Message(shape::request(signal));
    let value = visit::Value { output: &mut *output, kind, number: 0, keep: true };
    let read = value.deserialize(&mut json).and_then(|present| {
        if present { json.end() } else { Err(serde_json::Error::custom("expected an object, found null")) }
    });
    read.map_err(|why| {
        if output.no_room {
            Error::NoRoom(signal)
        } else {
            Error::Json { place: Place::of(&output.steps), why }
        }
    })
}
