//! One message that is read from its own piece of the text, so that a fault in it costs nothing else.
//!
//! JSON's reader cannot go on behind an error. So a request that has one inside a span, metric, point or log record
//! is read a second time: the piece of each such message is found first, which asks for nothing but well-formed
//! JSON, and is then read by a reader of its own. Nothing is copied for that.

use super::super::shape::{Kind, Role, Shape};
use super::output::Output;
use super::visit::{Key, Value};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Appends the message as the field `number`, or leaves it out and counts what it has. The only error is that there
/// is no room.
pub(super) fn message<E: de::Error>(
    output: &mut Output,
    text: &RawValue,
    shape: &'static Shape,
    number: u32,
) -> Result<(), E> {
    let mark = output.mark();
    let value = Value { output: &mut *output, kind: Kind::Message(shape), number, keep: true };
    let mut json = serde_json::Deserializer::from_slice(text.get().as_bytes());
    json.disable_recursion_limit();
    if value.deserialize(&mut json).is_ok() {
        return Ok(());
    }
    let mut items = 0;
    if shape.role == Role::Metric && !output.no_room {
        let points = Points { output: &mut *output, kind: Kind::Message(shape), found: &mut items };
        // Another kind of reader, on purpose: with a second use of the one above, the walk of every request is
        // compiled to calls that make it a tenth slower (measured).
        let mut json = serde_json::Deserializer::from_str(text.get());
        json.disable_recursion_limit();
        // What cannot be read ends the count: nobody knows what its points are.
        points.deserialize(&mut json).unwrap_or_default();
    }
    if output.no_room {
        return output.refuse();
    }
    output.reject(mark, items.max(1));
    Ok(())
}

/// Counts the points of a metric, whatever is wrong with it.
struct Points<'o> {
    output: &'o mut Output,
    kind: Kind,
    found: &'o mut u64,
}

impl<'de> DeserializeSeed<'de> for Points<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Points<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.output.kept_aside(text.len())
    }

    fn visit_borrowed_str<E: de::Error>(self, _: &'de str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let counts = matches!(self.kind, Kind::Messages(_));
        // A null is no point.
        while let Some(one) = list.next_element::<Option<IgnoredAny>>()? {
            *self.found += u64::from(counts && one.is_some());
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Kind::Message(shape) = self.kind else { return IgnoredAny.visit_map(map).map(|_| ()) };
        let Points { output, found, .. } = self;
        while let Some(known) = map.next_key_seed(Key { output: &mut *output, shape })? {
            match known.map(|at| shape.fields[at].kind) {
                Some(kind @ (Kind::Message(inner) | Kind::Messages(inner))) if holds_points(kind, inner) => {
                    map.next_value_seed(Points { output: &mut *output, kind, found: &mut *found })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Of a metric, its data; of these, the list of points.
fn holds_points(kind: Kind, inner: &Shape) -> bool {
    matches!(kind, Kind::Message(_)) || inner.role.stands_alone()
}
