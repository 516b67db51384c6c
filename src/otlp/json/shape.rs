//! The messages of OTLP traces as a table: for each field its JSON name, its number and what it holds.
//!
//! Fields that are not here are skipped by the reader and left out by the writer. The indices of names
//! and strings that profiles alone use (`keyStrindex`) have no place in traces. Source:
//! `opentelemetry/proto/{trace,common,resource}/v1/*.proto`. Next: `read`.

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
    /// A `ResourceSpans`, which becomes a chunk.
    Chunk,
    /// A span, which is counted.
    Span,
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
    Int64,
    Double,
    /// The names of the numbers from 0.
    Enum(&'static [&'static str]),
    Message(&'static Shape),
    Messages(&'static Shape),
}

const fn field(name: &'static str, original: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, original, number, kind }
}

const SMALL: usize = 60;
const MEDIUM: usize = 300;
const LARGE: usize = 20_000;

pub(super) static REQUEST: Shape = Shape {
    role: Role::Request,
    expected: LARGE,
    fields: &[field("resourceSpans", "resource_spans", 1, Kind::Messages(&RESOURCE_SPANS))],
};

pub(super) static RESOURCE_SPANS: Shape = Shape {
    role: Role::Chunk,
    expected: LARGE,
    fields: &[
        field("resource", "resource", 1, Kind::Message(&RESOURCE)),
        field("scopeSpans", "scope_spans", 2, Kind::Messages(&SCOPE_SPANS)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

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

static SCOPE_SPANS: Shape = Shape {
    role: Role::Plain,
    expected: LARGE,
    fields: &[
        field("scope", "scope", 1, Kind::Message(&SCOPE)),
        field("spans", "spans", 2, Kind::Messages(&SPAN)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
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

static SPAN: Shape = Shape {
    role: Role::Span,
    expected: MEDIUM,
    fields: &[
        field("traceId", "trace_id", 1, Kind::Id(16)),
        field("spanId", "span_id", 2, Kind::Id(8)),
        field("traceState", "trace_state", 3, Kind::Text),
        field("parentSpanId", "parent_span_id", 4, Kind::Id(8)),
        field("flags", "flags", 16, Kind::Fixed32),
        field("name", "name", 5, Kind::Text),
        field("kind", "kind", 6, Kind::Enum(&SPAN_KINDS)),
        field("startTimeUnixNano", "start_time_unix_nano", 7, Kind::Fixed64),
        field("endTimeUnixNano", "end_time_unix_nano", 8, Kind::Fixed64),
        field("attributes", "attributes", 9, Kind::Messages(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 10, Kind::Uint32),
        field("events", "events", 11, Kind::Messages(&EVENT)),
        field("droppedEventsCount", "dropped_events_count", 12, Kind::Uint32),
        field("links", "links", 13, Kind::Messages(&LINK)),
        field("droppedLinksCount", "dropped_links_count", 14, Kind::Uint32),
        field("status", "status", 15, Kind::Message(&STATUS)),
    ],
};

static SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

static EVENT: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[
        field("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
        field("name", "name", 2, Kind::Text),
        field("attributes", "attributes", 3, Kind::Messages(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 4, Kind::Uint32),
    ],
};

static LINK: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[
        field("traceId", "trace_id", 1, Kind::Id(16)),
        field("spanId", "span_id", 2, Kind::Id(8)),
        field("traceState", "trace_state", 3, Kind::Text),
        field("attributes", "attributes", 4, Kind::Messages(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 5, Kind::Uint32),
        field("flags", "flags", 6, Kind::Fixed32),
    ],
};

static STATUS: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[
        field("message", "message", 2, Kind::Text),
        field("code", "code", 3, Kind::Enum(&STATUS_CODES)),
    ],
};

static STATUS_CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

static KEY_VALUE: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[field("key", "key", 1, Kind::Text), field("value", "value", 2, Kind::Message(&ANY_VALUE))],
};

pub(super) static ANY_VALUE: Shape = Shape {
    role: Role::Choice,
    expected: SMALL,
    fields: &[
        field("stringValue", "string_value", 1, Kind::Text),
        field("boolValue", "bool_value", 2, Kind::Bool),
        field("intValue", "int_value", 3, Kind::Int64),
        field("doubleValue", "double_value", 4, Kind::Double),
        field("arrayValue", "array_value", 5, Kind::Message(&ARRAY_VALUE)),
        field("kvlistValue", "kvlist_value", 6, Kind::Message(&KEY_VALUE_LIST)),
        field("bytesValue", "bytes_value", 7, Kind::Bytes),
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
            Kind::Fixed64 => "a whole number from 0 to 18446744073709551615",
            Kind::Int64 => "a whole number of 64 bits",
            Kind::Double => "a number",
            Kind::Enum(_) => "a number or a name of the enumeration",
            Kind::Message(_) => "an object",
            Kind::Messages(_) => "an array of objects",
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
        let shapes = [
            &REQUEST,
            &RESOURCE_SPANS,
            &RESOURCE,
            &ENTITY_REF,
            &SCOPE_SPANS,
            &SCOPE,
            &SPAN,
            &EVENT,
            &LINK,
            &STATUS,
            &KEY_VALUE,
            &ANY_VALUE,
            &ARRAY_VALUE,
            &KEY_VALUE_LIST,
        ];
        for shape in shapes {
            assert!(shape.fields.len() <= MOST_FIELDS);
            for (at, field) in shape.fields.iter().enumerate() {
                assert_eq!(field.name, camel(field.original));
                assert_eq!(shape.numbered(field.number), Some(at), "{}", field.name);
                assert_eq!(shape.named(field.name), Some(at), "{}", field.name);
            }
        }
    }
}
