//! The messages of OTLP as a table: for each field its JSON name, its number and what it holds.
//!
//! Fields that are not here are skipped by the reader and left out by the writer. The indices of names
//! and strings that profiles alone use (`keyStrindex`) have no place here. Source:
//! `opentelemetry/proto/{common,resource}/v1/*.proto`; each signal's own messages stand in a file of its own.
//! Next: `read`.

mod logs;
mod metrics;
mod traces;

use crate::otlp::signal::Signal;

/// A message.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) role: Role,
    /// How many bytes it will likely have, for the room of its length.
    pub(super) expected: usize,
    pub(super) fields: &'static [Field],
}

/// What a message is besides a set of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    /// The whole, which has no frame.
    Request,
    /// A `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`, which becomes a chunk.
    Chunk,
    /// The spans, metrics or log records of one scope.
    Scope,
    /// A metric, which has items.
    Metric,
    /// A span, data point or log record, which is counted.
    Item,
    /// A data point whose bucket counts must fit its bounds; counted, too.
    Histogram,
    /// A list or a map: its values are one level deeper.
    Level,
    /// Of its fields exactly one is set, and may be so to its default.
    Choice,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// The name in the `.proto` file, which ProtoJSON reads as well.
    pub(super) original: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
}

/// When a field counts as set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// When it is not its default.
    Implicit,
    /// When it stands there, be it with its default.
    Explicit,
    /// The same, and no other such field of its message may stand beside it.
    OneOf,
}

/// What a field holds, in both forms.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Texts,
    /// Bytes of a fixed length, in hex; empty is absent.
    Id(usize),
    /// Bytes in base64.
    Bytes,
    Bool,
    Uint32,
    Fixed32,
    Fixed64,
    /// Eight bytes with a sign.
    Sfixed64,
    Int64,
    Uint64,
    /// In protobuf zigzag.
    Sint32,
    Double,
    /// Packed in protobuf, as the next two.
    Doubles,
    Fixed64s,
    Uint64s,
    /// The names of the numbers from 0.
    Enum(&'static [&'static str]),
    Message(&'static Shape),
    Messages(&'static Shape),
}

const fn field(name: &'static str, original: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, original, number, kind, presence: Presence::Implicit }
}

/// A field that is there or not, whatever it holds.
const fn optional(name: &'static str, original: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, original, number, kind, presence: Presence::Explicit }
}

/// A field of its message's one `oneof`.
const fn one_of(name: &'static str, original: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, original, number, kind, presence: Presence::OneOf }
}

const SMALL: usize = 60;
const MEDIUM: usize = 300;
const LARGE: usize = 20_000;

/// A whole request of a signal.
pub(super) fn request(signal: Signal) -> &'static Shape {
    match signal {
        Signal::Traces => &traces::REQUEST,
        Signal::Metrics => &metrics::REQUEST,
        Signal::Logs => &logs::REQUEST,
    }
}

/// What a chunk of a signal holds.
pub(super) fn resource(signal: Signal) -> &'static Shape {
    match signal {
        Signal::Traces => &traces::RESOURCE_SPANS,
        Signal::Metrics => &metrics::RESOURCE_METRICS,
        Signal::Logs => &logs::RESOURCE_LOGS,
    }
}

static RESOURCE: Shape = Shape {
    role: Role::Plain,
    expected: MEDIUM,
    fields: &[
        field("attributes", "attributes", 1, Kind::Messages(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 2, Kind::Uint32),
        field("entityRefs", "entity_refs", 3, Kind::Messages(&ENTITY_REF)),
    ],
};

static ENTITY_REF: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[
        field("schemaUrl", "schema_url", 1, Kind::Text),
        field("type", "type", 2, Kind::Text),
        field("idKeys", "id_keys", 3, Kind::Texts),
        field("descriptionKeys", "description_keys", 4, Kind::Texts),
    ],
};

static SCOPE: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[
        field("name", "name", 1, Kind::Text),
        field("version", "version", 2, Kind::Text),
        field("attributes", "attributes", 3, Kind::Messages(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 4, Kind::Uint32),
    ],
};

static KEY_VALUE: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[field("key", "key", 1, Kind::Text), field("value", "value", 2, Kind::Message(&ANY_VALUE))],
};

pub(super) static ANY_VALUE: Shape = Shape {
    role: Role::Choice,
    expected: SMALL,
    fields: &[
        one_of("stringValue", "string_value", 1, Kind::Text),
        one_of("boolValue", "bool_value", 2, Kind::Bool),
        one_of("intValue", "int_value", 3, Kind::Int64),
        one_of("doubleValue", "double_value", 4, Kind::Double),
        one_of("arrayValue", "array_value", 5, Kind::Message(&ARRAY_VALUE)),
        one_of("kvlistValue", "kvlist_value", 6, Kind::Message(&KEY_VALUE_LIST)),
        one_of("bytesValue", "bytes_value", 7, Kind::Bytes),
    ],
};

static ARRAY_VALUE: Shape = Shape {
    role: Role::Level,
    expected: SMALL,
    fields: &[field("values", "values", 1, Kind::Messages(&ANY_VALUE))],
};

static KEY_VALUE_LIST: Shape = Shape {
    role: Role::Level,
    expected: SMALL,
    fields: &[field("values", "values", 1, Kind::Messages(&KEY_VALUE))],
};

/// Most fields of a message: readers mark them in 32 bits, the writer has a slot for each.
pub(super) const MOST_FIELDS: usize = 16;

impl Shape {
    /// The field of that JSON name, and its place.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name || field.original == name)
    }

    /// The place of the field with that number.
    pub(super) fn numbered(&self, number: u32) -> Option<usize> {
        self.fields.iter().position(|field| field.number == number)
    }
}

impl Role {
    /// Whether a fault in such a message costs it alone; all else costs the request.
    pub(super) fn stands_alone(self) -> bool {
        match self {
            Role::Metric | Role::Item | Role::Histogram => true,
            Role::Plain | Role::Request | Role::Chunk | Role::Scope | Role::Level | Role::Choice => false,
        }
    }
}

impl Kind {
    /// What a reader expects, as a message says it.
    pub(super) fn expects(self) -> &'static str {
        match self {
            Kind::Text => "a string",
            Kind::Texts => "an array of strings",
            Kind::Id(16) => "32 hex digits",
            Kind::Id(_) => "16 hex digits",
            Kind::Bytes => "base64",
            Kind::Bool => "true or false",
            Kind::Uint32 | Kind::Fixed32 => "a whole number from 0 to 4294967295",
            Kind::Fixed64 | Kind::Uint64 => "a whole number from 0 to 18446744073709551615",
            Kind::Sfixed64 | Kind::Int64 => "a whole number of 64 bits",
            Kind::Sint32 => "a whole number of 32 bits",
            Kind::Doubles => "an array of numbers",
            Kind::Fixed64s | Kind::Uint64s => "an array of whole numbers",
            Kind::Double => "a number",
            Kind::Enum(_) => "a number or a name of the enumeration",
            Kind::Message(_) => "an object",
            Kind::Messages(_) => "an array of objects",
        }
    }

    /// Of a packed list, what its values are.
    pub(super) fn packed(self) -> Option<Kind> {
        match self {
            Kind::Doubles => Some(Kind::Double),
            Kind::Fixed64s => Some(Kind::Fixed64),
            Kind::Uint64s => Some(Kind::Uint64),
            Kind::Text
            | Kind::Texts
            | Kind::Id(_)
            | Kind::Bytes
            | Kind::Bool
            | Kind::Uint32
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed64
            | Kind::Int64
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Double
            | Kind::Enum(_)
            | Kind::Message(_)
            | Kind::Messages(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `original` in lower camel case.
    fn camel(original: &str) -> String {
        let mut words = original.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
    }

    #[test]
    fn names_are_the_proto_files_in_camel_case() {
        let mut shapes: Vec<&'static Shape> = Signal::ALL.map(request).into();
        let mut at = 0;
        while let Some(shape) = shapes.get(at).copied() {
            at += 1;
            assert!(shape.fields.len() <= MOST_FIELDS);
            for (place, field) in shape.fields.iter().enumerate() {
                assert_eq!(field.name, camel(field.original));
                assert_eq!(shape.numbered(field.number), Some(place), "{}", field.name);
                assert_eq!(shape.named(field.name), Some(place), "{}", field.name);
                if let Kind::Message(inner) | Kind::Messages(inner) = field.kind
                    && !shapes.iter().any(|known| std::ptr::eq(*known, inner))
                {
                    shapes.push(inner);
                }
            }
        }
        assert_eq!(shapes.len(), 34);
    }
}
