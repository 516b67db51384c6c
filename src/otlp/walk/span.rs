//! The fields of a span and of what stands in it.

use super::Fault;
use super::MAX_DEPTH;
use super::field::{key_value, span_id, text, trace_id};
use crate::otlp::protobuf::{Fields, Malformed, Value};

pub(super) fn span(message: &[u8]) -> Result<(), Fault> {
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
