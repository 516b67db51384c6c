//! Reads an OTLP request in JSON, appending its protobuf form as it goes.
//!
//! Strict where an error would lose data (wrong types, ids of another length, numbers that do not fit, a
//! field twice), lenient where ProtoJSON is (numbers or strings, names or numbers of enumerations, `null`
//! for absent, unknown fields, which are skipped without recursion). What is written is taken from the
//! budget before it is. A text of the sender never stands in an error. Next: `write`.

mod output;
mod visit;

use super::shape::{self, Kind};
use crate::otlp::budget::Budget;
use crate::otlp::chunk::Chunk;
use crate::otlp::signal::Signal;
use output::Output;
use serde::de::{DeserializeSeed, Error as _};
use std::fmt::Write;

/// Why a request is refused.
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

/// Reads a whole body; the chunks share one buffer and one hold on the budget. Resources without spans, points or
/// records are left out.
pub fn read_request(signal: Signal, body: &[u8], budget: &Budget) -> Result<Vec<Chunk>, Error> {
    let mut output = Output::new(signal, budget, body.len()).ok_or(Error::NoRoom(signal))?;
    let mut json = serde_json::Deserializer::from_slice(body);
    // Nested messages are bounded by their shapes, attributes by their levels, and what is skipped is
    // skipped without recursion.
    json.disable_recursion_limit();
    let kind = Kind::Message(shape::request(signal));
    let whole = visit::Value { output: &mut output, kind, number: 0, keep: true };
    let read = whole.deserialize(&mut json).and_then(|present| {
        if present { json.end() } else { Err(serde_json::Error::custom("expected an object, found null")) }
    });
    match read {
        Ok(()) => Ok(output.finish()),
        Err(_) if output.no_room => Err(Error::NoRoom(signal)),
        Err(why) => Err(Error::Json { place: Place::of(&output.steps), why }),
    }
}
