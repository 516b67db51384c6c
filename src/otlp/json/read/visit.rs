//! The walk over the JSON: one visitor for every field of every message, led by the table of shapes.
//!
//! Each visit appends the field's protobuf form; its value says whether there was one (`null` is none). An error
//! ends the walk. Next: `alone`.

use super::super::shape::{ANY_VALUE, Kind, Presence, Role, Shape};
use super::super::{number, text};
use super::output::Output;
use super::{Step, alone};
use crate::otlp::walk::{self, MAX_DEPTH};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A value that becomes the field `number`; 0 is that of values in a packed list, which have no keys.
pub(super) struct Value<'o> {
    pub(super) output: &'o mut Output,
    pub(super) kind: Kind,
    pub(super) number: u32,
    /// Whether a default value is written, too.
    pub(super) keep: bool,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.expects())
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<bool, E> {
        match self.kind {
            Kind::Bool => self.varint(value.into()),
            _ => Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<bool, E> {
        self.integer(value.into(), Unexpected::Unsigned(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<bool, E> {
        self.integer(value.into(), Unexpected::Signed(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<bool, E> {
        match (self.kind, number::whole(value)) {
            (Kind::Double, _) => self.fixed64(value.to_bits()),
            (_, Some(whole)) => self.integer(whole, Unexpected::Float(value)),
            (_, None) => Err(E::invalid_value(Unexpected::Float(value), &self)),
        }
    }

    /// A text that had escapes, and was kept aside for them.
    fn visit_str<E: de::Error>(self, value: &str) -> Result<bool, E> {
        self.output.kept_aside(value.len())?;
        self.text(value)
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<bool, E> {
        self.text(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        if let Some(kind) = self.kind.packed() {
            return self.packed(kind, list);
        }
        let (kind, null) = match self.kind {
            Kind::Messages(shape) if shape.role.stands_alone() => return self.standing_alone(shape, list),
            // A list may hold nothing at a place.
            Kind::Messages(shape) => (Kind::Message(shape), std::ptr::eq(shape, &ANY_VALUE)),
            Kind::Texts => (Kind::Text, false),
            _ => return Err(de::Error::invalid_type(Unexpected::Seq, &self)),
        };
        let Value { output, number, .. } = self;
        let depth = output.steps.len();
        for at in 0.. {
            output.steps.truncate(depth);
            output.steps.push(Step::Item(at));
            match list.next_element_seed(Value { output: &mut *output, kind, number, keep: true })? {
                Some(true) => {}
                Some(false) if null => output.bytes(number, &[])?,
                Some(false) => {}
                None => break,
            }
        }
        output.steps.truncate(depth);
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        let Kind::Message(shape) = self.kind else {
            return Err(de::Error::invalid_type(Unexpected::Map, &self));
        };
        let Value { output, number, .. } = self;
        match shape.role {
            Role::Request => fields(output, shape, map)?,
            Role::Chunk => {
                let start = output.writer.len();
                fields(output, shape, map)?;
                output.end_chunk(start)?;
            }
            Role::Scope | Role::Metric => {
                let mark = output.mark();
                message(output, number, shape, map)?;
                output.drop_if_lost(mark);
            }
            Role::Item | Role::Histogram => {
                message(output, number, shape, map)?;
                output.items = output.items.saturating_add(1);
            }
            Role::Level => {
                output.level += 1;
                if output.level > MAX_DEPTH {
                    let why = format!("an attribute is nested deeper than {MAX_DEPTH} levels");
                    return Err(de::Error::custom(why));
                }
                message(output, number, shape, map)?;
                output.level -= 1;
            }
            Role::Plain | Role::Choice => message(output, number, shape, map)?,
        }
        Ok(true)
    }
}

impl Value<'_> {
    /// A list whose messages may be faulty each for itself.
    fn standing_alone<'de, A: SeqAccess<'de>>(
        self,
        shape: &'static Shape,
        mut list: A,
    ) -> Result<bool, A::Error> {
        let Value { output, number, .. } = self;
        let kind = Kind::Message(shape);
        let depth = output.steps.len();
        let around = std::mem::replace(&mut output.within, true);
        for at in 0.. {
            output.steps.truncate(depth);
            output.steps.push(Step::Item(at));
            if output.alone {
                let Some(text) = list.next_element::<&RawValue>()? else { break };
                alone::message(output, text, shape, number)?;
            } else {
                let one = Value { output: &mut *output, kind, number, keep: true };
                if list.next_element_seed(one)?.is_none() {
                    break;
                }
            }
        }
        output.within = around;
        output.steps.truncate(depth);
        Ok(true)
    }

    fn packed<'de, A: SeqAccess<'de>>(self, kind: Kind, mut list: A) -> Result<bool, A::Error> {
        let Value { output, number, .. } = self;
        let began = output.writer.len();
        let open = output.begin(number, 8 * list.size_hint().unwrap_or(8))?;
        let inner = output.writer.len();
        let depth = output.steps.len();
        for at in 0.. {
            output.steps.truncate(depth);
            output.steps.push(Step::Item(at));
            match list.next_element_seed(Value { output: &mut *output, kind, number: 0, keep: true })? {
                Some(true) => {}
                Some(false) => return Err(de::Error::custom("a list of numbers holds null")),
                None => break,
            }
        }
        output.steps.truncate(depth);
        let empty = output.writer.len() == inner;
        output.end(open)?;
        if empty {
            output.writer.truncate(began);
        }
        Ok(true)
    }

    fn text<E: de::Error>(self, value: &str) -> Result<bool, E> {
        match self.kind {
            Kind::Text => {
                if self.keep || !value.is_empty() {
                    self.output.bytes(self.number, value.as_bytes())?;
                }
                Ok(true)
            }
            Kind::Id(length) => self.id(length, value),
            Kind::Bytes => self.base64(value),
            Kind::Enum(names) => {
                let of_name = names.iter().position(|name| *name == value).map(|at| at as i128);
                match of_name.or_else(|| number::integer(value)) {
                    Some(number) => self.integer(number, Unexpected::Other("a string")),
                    None => Err(E::custom("unknown name of an enumeration")),
                }
            }
            Kind::Uint32
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed64
            | Kind::Int64
            | Kind::Uint64
            | Kind::Sint32 => match number::integer(value) {
                Some(number) => self.integer(number, Unexpected::Other("a number beyond it")),
                None => Err(E::invalid_value(Unexpected::Other("a string that is none"), &self)),
            },
            Kind::Double => match number::double(value) {
                Some(number) => self.fixed64(number.to_bits()),
                None => Err(E::invalid_value(Unexpected::Other("a string that is none"), &self)),
            },
            Kind::Texts
            | Kind::Bool
            | Kind::Doubles
            | Kind::Fixed64s
            | Kind::Uint64s
            | Kind::Message(_)
            | Kind::Messages(_) => Err(E::invalid_type(Unexpected::Other("a string"), &self)),
        }
    }

    fn id<E: de::Error>(self, length: usize, value: &str) -> Result<bool, E> {
        let mut id = [0; 16];
        let id = &mut id[..length];
        if value.is_empty() {
            return Ok(true);
        }
        if !text::read_hex(value, id) {
            let found = match value.len() {
                digits if digits == 2 * length => "something else".to_owned(),
                other => format!("{other} characters"),
            };
            return Err(E::custom(format_args!("expected {}, found {found}", self.kind.expects())));
        }
        self.output.bytes(self.number, id)?;
        Ok(true)
    }

    fn base64<E: de::Error>(self, value: &str) -> Result<bool, E> {
        let length = text::base64_length(value);
        self.output.room(length)?;
        let open = self.output.begin(self.number, length)?;
        if !text::read_base64(value, |bytes| self.output.writer.raw(bytes)) {
            return Err(E::invalid_value(Unexpected::Other("a string that is none"), &self));
        }
        self.output.end(open)?;
        Ok(true)
    }

    fn integer<E: de::Error>(self, number: i128, found: Unexpected<'_>) -> Result<bool, E> {
        let Some(bits) = number::bits(self.kind, number) else {
            return Err(match self.kind {
                Kind::Uint32
                | Kind::Fixed32
                | Kind::Fixed64
                | Kind::Sfixed64
                | Kind::Int64
                | Kind::Uint64
                | Kind::Sint32
                | Kind::Enum(_) => E::invalid_value(found, &self),
                _ => E::invalid_type(found, &self),
            });
        };
        match self.kind {
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => self.fixed64(bits),
            Kind::Fixed32 => {
                self.output.room(8)?;
                self.output.writer.fixed32_if(self.number, bits as u32);
                Ok(true)
            }
            _ => self.varint(bits),
        }
    }

    fn varint<E: de::Error>(self, bits: u64) -> Result<bool, E> {
        self.output.room(10)?;
        if self.number == 0 {
            self.output.writer.packed_varint(bits);
        } else if self.keep || bits != 0 {
            self.output.writer.varint(self.number, bits);
        }
        Ok(true)
    }

    fn fixed64<E: de::Error>(self, bits: u64) -> Result<bool, E> {
        self.output.room(8)?;
        if self.number == 0 {
            self.output.writer.raw(&bits.to_le_bytes());
        } else if self.keep || bits != 0 {
            self.output.writer.fixed64(self.number, bits);
        }
        Ok(true)
    }
}

fn message<'de, A: MapAccess<'de>>(
    output: &mut Output,
    number: u32,
    shape: &'static Shape,
    map: A,
) -> Result<(), A::Error> {
    let open = output.begin(number, shape.expected)?;
    let start = output.writer.len();
    fields(output, shape, map)?;
    if shape.role == Role::Histogram {
        walk::histogram(&output.writer.written()[start..]).map_err(de::Error::custom)?;
    }
    output.end(open)
}

fn fields<'de, A: MapAccess<'de>>(
    output: &mut Output,
    shape: &'static Shape,
    mut map: A,
) -> Result<(), A::Error> {
    let mut seen = 0_u32;
    let mut chosen = false;
    while let Some(known) = map.next_key_seed(Key { output: &mut *output, shape })? {
        let Some(at) = known else {
            map.next_value::<IgnoredAny>()?;
            continue;
        };
        let field = &shape.fields[at];
        output.steps.push(Step::Field(field.name));
        let keep = field.presence != Presence::Implicit;
        let value = Value { output: &mut *output, kind: field.kind, number: field.number, keep };
        if map.next_value_seed(value)? {
            if field.presence == Presence::OneOf && std::mem::replace(&mut chosen, true) {
                return Err(de::Error::custom("a value of another type stands beside it"));
            }
            if seen & 1 << at != 0 {
                return Err(de::Error::custom("the field stands there twice"));
            }
            seen |= 1 << at;
        }
        output.steps.pop();
    }
    Ok(())
}

/// A name of a field as its place in the shape, where it has one.
pub(super) struct Key<'o> {
    pub(super) output: &'o mut Output,
    pub(super) shape: &'static Shape,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<usize>, D::Error> {
        json.deserialize_identifier(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        self.output.kept_aside(name.len())?;
        Ok(self.shape.named(name))
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Option<usize>, E> {
        Ok(self.shape.named(name))
    }
}
