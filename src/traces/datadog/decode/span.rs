//! A span as a map of named fields: what v0.3, v0.4 and v0.7 have in common.

use super::super::{Event, Link, Span, Value};
use super::MAX_DEPTH;
use super::msgpack::{Fault, Item, Reader, repaired};
use super::room::Room;
use std::borrow::Cow;

/// Elements that a list is made for at first; more make it grow as they come.
pub(super) const FIRST: usize = 64;

type Pairs<'a, V> = Vec<(Cow<'a, str>, V)>;

/// One more element in a list that doubles as it grows.
pub(super) fn need_one<T>(room: &mut Room<'_>) -> Result<(), Fault> {
    Ok(room.need(2 * size_of::<T>())?)
}

/// All spans of a trace. A nil among them is none.
pub(super) fn spans<'a>(
    reader: &mut Reader<'a>,
    room: &mut Room<'_>,
    into: &mut Vec<Span<'a>>,
) -> Result<(), Fault> {
    for _ in 0..reader.array()? {
        match reader.item()? {
            Item::Nil => {}
            Item::Map(fields) => {
                need_one::<Span<'_>>(room)?;
                into.push(span(reader, fields, room)?);
            }
            other => return Err(other.wanted("a span's map")),
        }
    }
    Ok(())
}

fn span<'a>(reader: &mut Reader<'a>, fields: usize, room: &mut Room<'_>) -> Result<Span<'a>, Fault> {
    let mut span = Span::default();
    for _ in 0..fields {
        match reader.raw()? {
            b"service" => span.service = reader.text(room)?,
            b"name" => span.name = reader.text(room)?,
            b"resource" => span.resource = reader.text(room)?,
            b"type" => span.kind = reader.text(room)?,
            b"trace_id" => span.trace_id = reader.unsigned()?,
            b"span_id" => span.span_id = reader.unsigned()?,
            b"parent_id" => span.parent_id = reader.unsigned()?,
            b"start" => span.start = reader.signed()?,
            b"duration" => span.duration = reader.signed()?,
            b"error" => span.error = small(reader.signed()?),
            b"meta" => pairs(reader, room, &mut span.meta, Reader::text)?,
            b"metrics" => pairs(reader, room, &mut span.metrics, |reader, _| reader.float())?,
            b"meta_struct" => {
                pairs(reader, room, &mut span.meta_struct, |reader, _| Ok(reader.raw()?.into()))?;
            }
            b"span_links" => span.links = list(reader, room, link)?,
            b"span_events" => span.events = list(reader, room, event)?,
            _ => reader.skip()?,
        }
    }
    Ok(span)
}

/// Into 32 bits, to the nearest end.
pub(super) fn small(number: i64) -> i32 {
    number.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

pub(super) fn pairs<'a, V>(
    reader: &mut Reader<'a>,
    room: &mut Room<'_>,
    into: &mut Pairs<'a, V>,
    value: impl Fn(&mut Reader<'a>, &mut Room<'_>) -> Result<V, Fault>,
) -> Result<(), Fault> {
    let length = reader.map()?;
    into.reserve_exact(length.min(FIRST));
    for _ in 0..length {
        need_one::<(Cow<'_, str>, V)>(room)?;
        let key = reader.text(room)?;
        into.push((key, value(reader, room)?));
    }
    keep_last(into);
    Ok(())
}

/// Pairs that are searched one by one for their like; more are sorted.
const FEW: usize = 64;

/// Some tracers write a key twice; the last counts, as in the agent.
fn keep_last<V>(pairs: &mut Pairs<'_, V>) {
    if pairs.len() <= FEW {
        let mut at = 1;
        while at < pairs.len() {
            match pairs[..at].iter().position(|(key, _)| *key == pairs[at].0) {
                Some(before) => {
                    let last = pairs.remove(at);
                    pairs[before] = last;
                }
                None => at += 1,
            }
        }
        return;
    }
    // Stable, so that the last of equals is the last written.
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    pairs.reverse();
    pairs.dedup_by(|one, other| one.0 == other.0);
}

/// A list of maps, of which nil ones are left out.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    room: &mut Room<'_>,
    element: impl Fn(&mut Reader<'a>, usize, &mut Room<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let length = reader.array()?;
    let mut list = Vec::new();
    for _ in 0..length {
        match reader.item()? {
            Item::Nil => {}
            Item::Map(fields) => {
                need_one::<T>(room)?;
                list.push(element(reader, fields, room)?);
            }
            other => return Err(other.wanted("a map")),
        }
    }
    Ok(list)
}

fn link<'a>(reader: &mut Reader<'a>, fields: usize, room: &mut Room<'_>) -> Result<Link<'a>, Fault> {
    let mut link = Link::default();
    for _ in 0..fields {
        match reader.raw()? {
            b"trace_id" => link.trace_id = reader.unsigned()?,
            b"trace_id_high" => link.trace_id_high = reader.unsigned()?,
            b"span_id" => link.span_id = reader.unsigned()?,
            b"attributes" => pairs(reader, room, &mut link.attributes, Reader::text)?,
            b"tracestate" => link.tracestate = reader.text(room)?,
            b"flags" => link.flags = reader.unsigned()? as u32,
            _ => reader.skip()?,
        }
    }
    Ok(link)
}

fn event<'a>(reader: &mut Reader<'a>, fields: usize, room: &mut Room<'_>) -> Result<Event<'a>, Fault> {
    let mut event = Event::default();
    for _ in 0..fields {
        match reader.raw()? {
            b"time_unix_nano" => event.time_ns = reader.unsigned()?,
            b"name" => event.name = reader.text(room)?,
            b"attributes" => {
                pairs(reader, room, &mut event.attributes, |reader, room| value(reader, room, 0))?
            }
            _ => reader.skip()?,
        }
    }
    Ok(event)
}

/// An event attribute's value: a map of its type and, under a name that follows from the type, the value;
/// or, from clients that know no better, the value itself.
fn value<'a>(reader: &mut Reader<'a>, room: &mut Room<'_>, depth: u32) -> Result<Value<'a>, Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::Depth);
    }
    Ok(match reader.item()? {
        Item::Map(fields) => typed(reader, fields, room, depth)?,
        Item::Array(length) => Value::List(values(reader, length, room, depth)?),
        Item::Text(bytes) | Item::Binary(bytes) => Value::Text(repaired(bytes, room)?),
        Item::Bool(flag) => Value::Bool(flag),
        Item::Unsigned(number) => i64::try_from(number).map_or(Value::Double(number as f64), Value::Int),
        Item::Signed(number) => Value::Int(number),
        Item::Float(number) => Value::Double(number),
        Item::Nil => Value::Text(Cow::Borrowed("")),
        other @ Item::Extension => return Err(other.wanted("an attribute's value")),
    })
}

fn values<'a>(
    reader: &mut Reader<'a>,
    length: usize,
    room: &mut Room<'_>,
    depth: u32,
) -> Result<Vec<Value<'a>>, Fault> {
    let mut list = Vec::new();
    for _ in 0..length {
        need_one::<Value<'_>>(room)?;
        list.push(value(reader, room, depth + 1)?);
    }
    Ok(list)
}

/// Types: 0 string, 1 boolean, 2 integer, 3 double, 4 array.
fn typed<'a>(
    reader: &mut Reader<'a>,
    fields: usize,
    room: &mut Room<'_>,
    depth: u32,
) -> Result<Value<'a>, Fault> {
    let mut kind = None;
    let mut text = Cow::Borrowed("");
    let (mut flag, mut integer, mut double, mut list) = (false, 0, 0.0, Vec::new());
    // Which value came, for maps without a type.
    let mut came = 0;
    for _ in 0..fields {
        match reader.raw()? {
            b"type" => kind = Some(reader.unsigned()?),
            b"string_value" => (text, came) = (reader.text(room)?, 0),
            b"bool_value" => (flag, came) = (reader.flag()?, 1),
            b"int_value" => (integer, came) = (reader.signed()?, 2),
            b"double_value" => (double, came) = (reader.float()?, 3),
            b"array_value" => {
                list = array(reader, room, depth)?;
                came = 4;
            }
            _ => reader.skip()?,
        }
    }
    match kind.unwrap_or(came) {
        0 => Ok(Value::Text(text)),
        1 => Ok(Value::Bool(flag)),
        2 => Ok(Value::Int(integer)),
        3 => Ok(Value::Double(double)),
        4 => Ok(Value::List(list)),
        other => Err(Fault::ValueType(other)),
    }
}

/// The map around an array's values, or the array itself.
fn array<'a>(reader: &mut Reader<'a>, room: &mut Room<'_>, depth: u32) -> Result<Vec<Value<'a>>, Fault> {
    match reader.item()? {
        Item::Nil => Ok(Vec::new()),
        Item::Array(length) => values(reader, length, room, depth),
        Item::Map(fields) => {
            let mut list = Vec::new();
            for _ in 0..fields {
                match reader.raw()? {
                    b"values" => {
                        let length = reader.array()?;
                        list = values(reader, length, room, depth)?;
                    }
                    _ => reader.skip()?,
                }
            }
            Ok(list)
        }
        other => Err(other.wanted("an array")),
    }
}
