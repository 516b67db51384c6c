//! Attributes of v1.0: flat triplets of key, type and value.

use super::super::super::{Span, Value};
use super::super::msgpack::{Fault, Reader};
use super::super::span::need_one;
use super::super::{MAX_DEPTH, Room};
use super::strings::Strings;
use std::borrow::Cow;

/// Integers up to here are exact as floats.
const EXACT: u64 = 1 << 53;

pub(super) struct Attribute<'a> {
    pub(super) key: &'a str,
    pub(super) value: Any<'a>,
}

/// Types 1 to 7.
pub(super) enum Any<'a> {
    Text(&'a str),
    Bool(bool),
    Double(f64),
    Int(i64),
    Bytes(&'a [u8]),
    List(Vec<Any<'a>>),
    Map(Vec<Attribute<'a>>),
}

pub(super) fn list<'a>(
    reader: &mut Reader<'a>,
    strings: &mut Strings<'a>,
    room: &mut Room<'_>,
    depth: u32,
) -> Result<Vec<Attribute<'a>>, Fault> {
    let length = reader.array()?;
    if !length.is_multiple_of(3) {
        return Err(Fault::Multiple(length, 3));
    }
    let mut attributes = Vec::new();
    for _ in 0..length / 3 {
        // Once here, and once where it goes.
        need_one::<[Attribute<'_>; 2]>(room)?;
        let key = strings.read(reader, room)?;
        if depth > 0 {
            need_json(key, room)?;
        }
        attributes.push(Attribute { key, value: any(reader, strings, room, depth)? });
    }
    Ok(attributes)
}

fn any<'a>(
    reader: &mut Reader<'a>,
    strings: &mut Strings<'a>,
    room: &mut Room<'_>,
    depth: u32,
) -> Result<Any<'a>, Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::Depth);
    }
    Ok(match reader.unsigned()? {
        1 => {
            let text = strings.read(reader, room)?;
            if depth > 0 {
                need_json(text, room)?;
            }
            Any::Text(text)
        }
        2 => Any::Bool(reader.flag()?),
        3 => Any::Double(reader.float()?),
        4 => Any::Int(reader.signed()?),
        5 => {
            let bytes = reader.raw()?;
            if depth > 0 {
                room.need(bytes.len().saturating_mul(64))?;
            }
            Any::Bytes(bytes)
        }
        6 => {
            let length = reader.array()?;
            if !length.is_multiple_of(2) {
                return Err(Fault::Multiple(length, 2));
            }
            let mut values = Vec::new();
            for _ in 0..length / 2 {
                need_one::<[Any<'_>; 4]>(room)?;
                values.push(any(reader, strings, room, depth + 1)?);
            }
            Any::List(values)
        }
        7 => Any::Map(list(reader, strings, room, depth + 1)?),
        other => return Err(Fault::ValueType(other)),
    })
}

/// A string in a list or a map becomes JSON: once as a value, once as text with escapes.
fn need_json(text: &str, room: &mut Room<'_>) -> Result<(), Fault> {
    Ok(room.need(text.len().saturating_mul(8).saturating_add(128))?)
}

impl<'a> Attribute<'a> {
    /// Adds it to a span in the terms of the older versions.
    pub(super) fn onto(self, span: &mut Span<'a>, room: &mut Room<'_>) -> Result<(), Fault> {
        need_one::<(Cow<'_, str>, Cow<'_, str>)>(room)?;
        let key = Cow::Borrowed(self.key);
        match self.value {
            Any::Double(number) => span.metrics.push((key, number)),
            Any::Int(number) if number.unsigned_abs() <= EXACT => span.metrics.push((key, number as f64)),
            Any::Bytes(bytes) => span.meta_struct.push((key, bytes.into())),
            value @ (Any::Text(_) | Any::Bool(_) | Any::Int(_) | Any::List(_) | Any::Map(_)) => {
                span.meta.push((key, value.into_text()));
            }
        }
        Ok(())
    }
}

impl<'a> Any<'a> {
    pub(super) fn into_text(self) -> Cow<'a, str> {
        match self {
            Any::Text(text) => text.into(),
            Any::Bool(true) => "true".into(),
            Any::Bool(false) => "false".into(),
            Any::Double(number) => number.to_string().into(),
            Any::Int(number) => number.to_string().into(),
            Any::Bytes(_) | Any::List(_) | Any::Map(_) => self.json().to_string().into(),
        }
    }

    /// Maps and bytes, which an event's attribute cannot have, become JSON text.
    pub(super) fn into_value(self) -> Value<'a> {
        match self {
            Any::Text(text) => Value::Text(text.into()),
            Any::Bool(flag) => Value::Bool(flag),
            Any::Double(number) => Value::Double(number),
            Any::Int(number) => Value::Int(number),
            Any::List(values) => Value::List(values.into_iter().map(Any::into_value).collect()),
            Any::Bytes(_) | Any::Map(_) => Value::Text(self.into_text()),
        }
    }

    /// Depth is bounded by that of reading. Bytes are an array of numbers, numbers that JSON has not null.
    fn json(&self) -> serde_json::Value {
        match self {
            Any::Text(text) => (*text).into(),
            Any::Bool(flag) => (*flag).into(),
            Any::Double(number) => (*number).into(),
            Any::Int(number) => (*number).into(),
            Any::Bytes(bytes) => bytes.iter().copied().collect(),
            Any::List(values) => values.iter().map(Any::json).collect(),
            Any::Map(pairs) => pairs.iter().map(|pair| (pair.key.to_owned(), pair.value.json())).collect(),
        }
    }
}
