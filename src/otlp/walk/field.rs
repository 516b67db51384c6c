//! What all signals have: resources, scopes, attributes, texts and ids.

use super::{Fault, MAX_DEPTH};
use crate::otlp::protobuf::{Fields, Malformed, Value, varint};

pub(super) fn resource(message: &[u8]) -> Result<(), Fault> {
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

pub(super) fn entity_ref(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1..=4, Value::Bytes(word)) => text(word)?,
            (1..=4, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn scope(message: &[u8]) -> Result<(), Fault> {
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

/// `depth` more lists and maps may follow.
pub(super) fn key_value(message: &[u8], depth: u32) -> Result<(), Fault> {
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

pub(super) fn any_value(message: &[u8], depth: u32) -> Result<(), Fault> {
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

/// A repeated field of eight bytes each, one by one or packed: how many there are.
#[inline]
pub(super) fn packed_fixed64(value: Value<'_>) -> Result<usize, Fault> {
    match value {
        Value::Fixed64(_) => Ok(1),
        Value::Bytes(packed) if packed.len() % 8 == 0 => Ok(packed.len() / 8),
        Value::Bytes(_) => Err(Malformed::Truncated.into()),
        Value::Varint(_) | Value::Fixed32(_) => Err(Malformed::Mismatch.into()),
    }
}

/// A repeated field of variable-length numbers, one by one or packed.
pub(super) fn packed_varints(value: Value<'_>) -> Result<(), Fault> {
    match value {
        Value::Varint(_) => Ok(()),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                varint(&mut packed)?;
            }
            Ok(())
        }
        Value::Fixed64(_) | Value::Fixed32(_) => Err(Malformed::Mismatch.into()),
    }
}

#[inline]
pub(super) fn trace_id(id: &[u8]) -> Result<(), Fault> {
    match id.len() {
        0 | 16 => Ok(()),
        length => Err(Fault::TraceId(length)),
    }
}

#[inline]
pub(super) fn span_id(id: &[u8]) -> Result<(), Fault> {
    match id.len() {
        0 | 8 => Ok(()),
        length => Err(Fault::SpanId(length)),
    }
}

/// Nearly every text is short and ASCII, for which eight bytes at a time beat a real decoder.
#[inline]
pub(super) fn text(bytes: &[u8]) -> Result<(), Fault> {
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
