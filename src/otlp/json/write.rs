//! Writes encoded spans, metrics and log records as OTLP JSON: ids in hex, other bytes in base64, 64-bit integers as strings,
//! enumerations as integers, doubles that JSON has no digits for as strings, empty fields left out.
//!
//! For bytes that were checked or made here: what cannot be read is left out, and the depth is that which
//! the check allowed. Writing into memory cannot fail, so serde_json's results say nothing. Next:
//! `crate::backend`.

use super::number::unzigzag;
use super::shape::{self, Field, Kind, MOST_FIELDS, Presence, Role, Shape};
use super::text::{write_base64, write_hex};
use crate::otlp::protobuf::{Fields, Value, varint};
use crate::otlp::signal::Signal;

/// Appends an encoded request as `{"resourceSpans":[…]}`, `{"resourceMetrics":[…]}` or `{"resourceLogs":[…]}`.
pub fn write_request(signal: Signal, raw: &[u8], out: &mut Vec<u8>) {
    // JSON has about twice the size.
    out.reserve(2 * raw.len());
    message(shape::request(signal), raw, out);
}

/// Appends what one chunk holds as an object.
pub fn write_resource(signal: Signal, raw: &[u8], out: &mut Vec<u8>) {
    message(shape::resource(signal), raw, out);
}

/// What a message holds of a field.
#[derive(Clone, Copy)]
enum Slot<'a> {
    Absent,
    /// The last value counts.
    One(Value<'a>),
    /// The fields from the first of several on.
    Many(Fields<'a>),
}

fn message(shape: &'static Shape, raw: &[u8], out: &mut Vec<u8>) {
    /// What most messages have at most.
    const FEW: usize = 4;
    if shape.role == Role::Choice {
        choice(shape, raw, out);
    } else if shape.fields.len() <= FEW {
        fields::<FEW>(shape, raw, out);
    } else {
        fields::<MOST_FIELDS>(shape, raw, out);
    }
}

/// An object with the last of the fields that is set, be it to its default.
fn choice(shape: &'static Shape, raw: &[u8], out: &mut Vec<u8>) {
    let mut chosen = None;
    for (number, value) in Fields::new(raw).flatten() {
        if let Some(at) = shape.numbered(number)
            && fits(shape.fields[at].kind, value)
        {
            chosen = Some((&shape.fields[at], value));
        }
    }
    out.push(b'{');
    if let Some((field, value)) = chosen {
        name(field, out);
        scalar(field.kind, value, out);
    }
    out.push(b'}');
}

fn fields<const N: usize>(shape: &'static Shape, raw: &[u8], out: &mut Vec<u8>) {
    let mut slots = [Slot::Absent; N];
    let mut chosen = None;
    let mut rest = Fields::new(raw);
    loop {
        let here = rest;
        let Some(Ok((number, value))) = rest.next() else { break };
        let Some(at) = shape.numbered(number) else { continue };
        let Field { kind, presence, .. } = shape.fields[at];
        if !fits(kind, value) {
            continue;
        }
        if presence == Presence::OneOf
            && let Some(before) = chosen.replace(at)
        {
            slots[before] = Slot::Absent;
        }
        let several = matches!(kind, Kind::Messages(_) | Kind::Texts);
        slots[at] = match slots[at] {
            Slot::Many(from) => Slot::Many(from),
            Slot::Absent | Slot::One(_) if several => Slot::Many(here),
            before if kind.packed().is_some() => match value {
                Value::Bytes([]) => before,
                _ => Slot::Many(here),
            },
            Slot::Absent | Slot::One(_) => Slot::One(value),
        };
    }
    out.push(b'{');
    let mut first = true;
    for (field, slot) in shape.fields.iter().zip(slots) {
        let absent = match slot {
            Slot::Absent => true,
            Slot::One(value) => field.presence == Presence::Implicit && is_default(field.kind, value),
            Slot::Many(_) => false,
        };
        if absent {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        name(field, out);
        match slot {
            Slot::Absent => {}
            Slot::One(value) => scalar(field.kind, value, out),
            Slot::Many(from) => list(field, from, out),
        }
    }
    out.push(b'}');
}

fn name(field: &Field, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(field.name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn list(field: &Field, from: Fields<'_>, out: &mut Vec<u8>) {
    if let Some(kind) = field.kind.packed() {
        return packed(field, kind, from, out);
    }
    let kind = match field.kind {
        Kind::Messages(shape) => Kind::Message(shape),
        Kind::Texts => Kind::Text,
        kind => kind,
    };
    out.push(b'[');
    let mut first = true;
    for (number, value) in from.flatten() {
        if number == field.number && fits(kind, value) {
            if !first {
                out.push(b',');
            }
            first = false;
            scalar(kind, value, out);
        }
    }
    out.push(b']');
}

/// A list of numbers, which stand one by one or packed.
fn packed(field: &Field, kind: Kind, from: Fields<'_>, out: &mut Vec<u8>) {
    let mut first = true;
    let mut one = |value: Value<'_>, out: &mut Vec<u8>| {
        out.push(if first { b'[' } else { b',' });
        first = false;
        scalar(kind, value, out);
    };
    for (number, value) in from.flatten() {
        match value {
            _ if number != field.number => {}
            Value::Bytes(mut varints) if matches!(kind, Kind::Uint64) => {
                while let (false, Ok(number)) = (varints.is_empty(), varint(&mut varints)) {
                    one(Value::Varint(number), out);
                }
            }
            Value::Bytes(packed) => {
                for eight in packed.as_chunks::<8>().0 {
                    one(Value::Fixed64(u64::from_le_bytes(*eight)), out);
                }
            }
            value if fits(kind, value) => one(value, out),
            Value::Varint(_) | Value::Fixed64(_) | Value::Fixed32(_) => {}
        }
    }
    if first {
        out.push(b'[');
    }
    out.push(b']');
}

/// Whether the value stands on the wire as such a field does.
fn fits(kind: Kind, value: Value<'_>) -> bool {
    match kind {
        Kind::Text | Kind::Id(_) | Kind::Bytes | Kind::Message(_) | Kind::Texts | Kind::Messages(_) => {
            matches!(value, Value::Bytes(_))
        }
        Kind::Bool | Kind::Uint32 | Kind::Int64 | Kind::Uint64 | Kind::Sint32 | Kind::Enum(_) => {
            matches!(value, Value::Varint(_))
        }
        Kind::Fixed32 => matches!(value, Value::Fixed32(_)),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => matches!(value, Value::Fixed64(_)),
        Kind::Fixed64s | Kind::Doubles => matches!(value, Value::Bytes(_) | Value::Fixed64(_)),
        Kind::Uint64s => matches!(value, Value::Bytes(_) | Value::Varint(_)),
    }
}

/// Whether a field that is set is as good as absent; a message never is.
fn is_default(kind: Kind, value: Value<'_>) -> bool {
    match value {
        Value::Varint(number) | Value::Fixed64(number) => number == 0,
        Value::Fixed32(number) => number == 0,
        Value::Bytes(bytes) => bytes.is_empty() && !matches!(kind, Kind::Message(_)),
    }
}

fn scalar(kind: Kind, value: Value<'_>, out: &mut Vec<u8>) {
    match (kind, value) {
        (Kind::Text, Value::Bytes(bytes)) => {
            let _ = serde_json::to_writer(out, &*String::from_utf8_lossy(bytes));
        }
        (Kind::Id(_), Value::Bytes(bytes)) => quoted(out, |out| write_hex(bytes, out)),
        (Kind::Bytes, Value::Bytes(bytes)) => quoted(out, |out| write_base64(bytes, out)),
        (Kind::Message(shape), Value::Bytes(bytes)) => message(shape, bytes, out),
        (Kind::Bool, Value::Varint(number)) => {
            out.extend_from_slice(if number == 0 { b"false" } else { b"true" });
        }
        (Kind::Uint32, Value::Varint(number)) => digits(number as u32, out),
        (Kind::Enum(_), Value::Varint(number)) => digits(number as i32, out),
        (Kind::Fixed32, Value::Fixed32(number)) => digits(number, out),
        (Kind::Int64, Value::Varint(number)) => quoted(out, |out| digits(number as i64, out)),
        (Kind::Uint64, Value::Varint(number)) => quoted(out, |out| digits(number, out)),
        (Kind::Sint32, Value::Varint(number)) => digits(unzigzag(number as u32), out),
        (Kind::Sfixed64, Value::Fixed64(number)) => quoted(out, |out| digits(number as i64, out)),
        (Kind::Double, Value::Fixed64(bits)) => double(f64::from_bits(bits), out),
        (Kind::Fixed64, Value::Fixed64(number)) => quoted(out, |out| digits(number, out)),
        // No caller comes here with a value that does not fit.
        (_, _) => out.extend_from_slice(b"null"),
    }
}

fn quoted(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    content(out);
    out.push(b'"');
}

fn digits(number: impl serde::Serialize, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, &number);
}

fn double(number: f64, out: &mut Vec<u8>) {
    if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"\"Infinity\"".as_slice() } else { b"\"-Infinity\"" });
    } else {
        digits(number, out);
    }
}
