//! The fields of a metric and of its points, of all five kinds.
//!
//! A fault in a point is that point's own; anything else is the whole metric's.

use super::field::{key_value, packed_fixed64, packed_varints, span_id, text, trace_id};
use super::{Fault, MAX_DEPTH};
use crate::otlp::protobuf::{Fields, Malformed, Value};

/// How a point is checked.
type Check = fn(&[u8]) -> Result<(), Fault>;

/// The points found; which of them are faulty, and why, is appended to `faults`.
pub(super) fn metric(message: &[u8], faults: &mut Vec<(u32, Fault)>) -> Result<u32, Fault> {
    let mut found = 0;
    let mut any = false;
    for field in Fields::new(message) {
        let (number, value) = field?;
        // The numbers of the fields beside the points differ in the five messages, their wire type does not.
        let (check, others): (Check, u32) = match (number, value) {
            (1..=3, Value::Bytes(word)) => {
                text(word)?;
                continue;
            }
            (12, Value::Bytes(pair)) => {
                key_value(pair, MAX_DEPTH)?;
                continue;
            }
            (5, _) => (number_point, 1),
            (7, _) => (number_point, 3),
            (9, _) => (histogram_point, 2),
            (10, _) => (exponential_point, 2),
            (11, _) => (summary_point, 1),
            (1..=3 | 12, _) => return Err(Malformed::Mismatch.into()),
            _ => continue,
        };
        // Of two kinds the last would count; of one, both pieces together.
        if std::mem::replace(&mut any, true) {
            return Err(Fault::Data);
        }
        points(value.bytes()?, check, others, &mut found, faults)?;
    }
    Ok(found)
}

/// Points in field 1; the fields from 2 to `others` are temporality and monotony.
fn points(
    message: &[u8],
    check: Check,
    others: u32,
    found: &mut u32,
    faults: &mut Vec<(u32, Fault)>,
) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(point)) => {
                if let Err(fault) = check(point) {
                    faults.push((*found, fault));
                }
                *found += 1;
            }
            (number, Value::Varint(_)) if (2..=others).contains(&number) => {}
            (number, _) if number <= others => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn number_point(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (7, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (2 | 3 | 4 | 6, Value::Fixed64(_)) | (8, Value::Varint(_)) => {}
            (5, Value::Bytes(message)) => exemplar(message)?,
            (2..=8, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn histogram_point(message: &[u8]) -> Result<(), Fault> {
    let (mut counts, mut bounds) = (0, 0);
    for field in Fields::new(message) {
        match field? {
            (9, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (2..=5 | 11 | 12, Value::Fixed64(_)) | (10, Value::Varint(_)) => {}
            (6, value) => counts += packed_fixed64(value)?,
            (7, value) => bounds += packed_fixed64(value)?,
            (8, Value::Bytes(message)) => exemplar(message)?,
            (2..=12, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    if counts == bounds + 1 || (counts, bounds) == (0, 0) {
        Ok(())
    } else {
        Err(Fault::Buckets { counts, bounds })
    }
}

fn exponential_point(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (2..=5 | 7 | 12..=14, Value::Fixed64(_)) | (6 | 10, Value::Varint(_)) => {}
            (8 | 9, Value::Bytes(message)) => buckets(message)?,
            (11, Value::Bytes(message)) => exemplar(message)?,
            (1..=14, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn buckets(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1, Value::Varint(_)) => {}
            (2, value) => packed_varints(value)?,
            (1, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn summary_point(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (7, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (2..=5, Value::Fixed64(_)) | (8, Value::Varint(_)) => {}
            (6, Value::Bytes(message)) => quantile(message)?,
            (2..=8, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn quantile(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (1 | 2, Value::Fixed64(_)) => {}
            (1 | 2, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}

fn exemplar(message: &[u8]) -> Result<(), Fault> {
    for field in Fields::new(message) {
        match field? {
            (7, Value::Bytes(pair)) => key_value(pair, MAX_DEPTH)?,
            (2 | 3 | 6, Value::Fixed64(_)) => {}
            (4, Value::Bytes(id)) => span_id(id)?,
            (5, Value::Bytes(id)) => trace_id(id)?,
            (2..=7, _) => return Err(Malformed::Mismatch.into()),
            _ => {}
        }
    }
    Ok(())
}
