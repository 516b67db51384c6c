//! The fields of a log record.

use super::field::{any_value, key_value, span_id, text, trace_id};
use super::{Fault, MAX_DEPTH};
use crate::otlp::protobuf::{Fields, Malformed, Value};

pub(super) fn record(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (6, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (5, Value::Bytes(body)) => any_value(body, MAX_DEPTH)?,
            (3 | 12, Value::Bytes(word)) => text(word)?,
            (9, Value::Bytes(id)) => trace_id(id)?,
            (10, Value::Bytes(id)) => span_id(id)?,
            (1 | 11, Value::Fixed64(_)) | (2 | 7, Value::Varint(_)) | (8, Value::Fixed32(_)) => {}
            (1..=3 | 5..=12, _) => return Err(Malformed::Mismatch.into()),
            // Also 4, which an old version had.
            _ => {}
        }
    }
    Ok(())
}
