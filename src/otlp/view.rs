//! Encoded spans read in place: borrowed views over the bytes of one `ResourceSpans`, and what is in it that
//! metrics have, too (theirs are in [`metrics`]).
//!
//! For bytes that [`super::walk`] has accepted or [`super::write`] has made, so the views are lenient: what
//! cannot be read is absent. Nothing here allocates. Field numbers: `opentelemetry/proto/trace/v1/trace.proto`,
//! `common/v1/common.proto` and `resource/v1/resource.proto`. Next: `write`.

pub mod metrics;

use super::protobuf::{Fields, Value as Wire};

/// Spans of one resource.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceSpans<'a> {
    /// The encoded `Resource`.
    pub resource: Resource<'a>,
    pub schema_url: &'a str,
    raw: &'a [u8],
}

/// What sends: a service, a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resource<'a> {
    pub attributes: Attributes<'a>,
    pub dropped_attributes: u32,
    /// The encoded message itself.
    pub raw: &'a [u8],
}

/// What a part of the sender was instrumented by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub attributes: Attributes<'a>,
    pub dropped_attributes: u32,
    /// The encoded message itself.
    pub raw: &'a [u8],
}

/// Spans of one instrumentation scope.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeSpans<'a> {
    pub scope: Scope<'a>,
    pub schema_url: &'a str,
    raw: &'a [u8],
}

/// One span; times are Unix nanoseconds, 0 where absent; ids are 16 and 8 bytes, or empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub parent_span_id: &'a [u8],
    /// W3C `tracestate`.
    pub trace_state: &'a str,
    /// W3C trace flags in the lowest byte; bits 8 and 9 tell whether the parent is remote.
    pub flags: u32,
    pub name: &'a str,
    /// 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: u32,
    pub start_ns: u64,
    pub end_ns: u64,
    pub attributes: Attributes<'a>,
    pub dropped_attributes: u32,
    pub dropped_events: u32,
    pub dropped_links: u32,
    /// 0 unset, 1 ok, 2 error.
    pub status: u32,
    pub status_message: &'a str,
    raw: &'a [u8],
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'a> {
    pub time_ns: u64,
    pub name: &'a str,
    pub attributes: Attributes<'a>,
    pub dropped_attributes: u32,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Link<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub trace_state: &'a str,
    pub attributes: Attributes<'a>,
    pub dropped_attributes: u32,
    pub flags: u32,
}

/// An attribute's value.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Empty,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    List(Values<'a>),
    Map(Attributes<'a>),
}

/// Key-value pairs that stand as repeated fields of one number in a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    message: &'a [u8],
    field: u32,
}

/// The values of a list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'a> {
    message: &'a [u8],
}

impl<'a> ResourceSpans<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let (resource, schema_url) = head(raw);
        ResourceSpans { resource: Resource::read(resource), schema_url, raw }
    }

    pub fn scopes(&self) -> impl Iterator<Item = ScopeSpans<'a>> + use<'a> {
        messages(self.raw, 2).map(ScopeSpans::read)
    }
}

impl<'a> Resource<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let mut view =
            Resource { raw, attributes: Attributes { message: raw, field: 1 }, dropped_attributes: 0 };
        for (number, value) in Fields::new(raw).flatten() {
            if number == 2 {
                view.dropped_attributes = number32(value);
            }
        }
        view
    }
}

impl<'a> Scope<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let mut view = Scope { raw, attributes: Attributes { message: raw, field: 3 }, ..Self::default() };
        for (number, value) in Fields::new(raw).flatten() {
            match number {
                1 => view.name = text(value),
                2 => view.version = text(value),
                4 => view.dropped_attributes = number32(value),
                _ => {}
            }
        }
        view
    }
}

impl<'a> ScopeSpans<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let (scope, schema_url) = head(raw);
        ScopeSpans { scope: Scope::read(scope), schema_url, raw }
    }

    pub fn spans(&self) -> impl Iterator<Item = Span<'a>> + use<'a> {
        messages(self.raw, 2).map(Span::read)
    }
}

impl<'a> Span<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let mut view = Span { raw, attributes: Attributes { message: raw, field: 9 }, ..Self::default() };
        for (number, value) in Fields::new(raw).flatten() {
            match (number, value) {
                (1, value) => view.trace_id = value.bytes().unwrap_or_default(),
                (2, value) => view.span_id = value.bytes().unwrap_or_default(),
                (3, value) => view.trace_state = text(value),
                (4, value) => view.parent_span_id = value.bytes().unwrap_or_default(),
                (5, value) => view.name = text(value),
                (6, value) => view.kind = number32(value),
                (7, value) => view.start_ns = value.fixed64().unwrap_or_default(),
                (8, value) => view.end_ns = value.fixed64().unwrap_or_default(),
                (10, value) => view.dropped_attributes = number32(value),
                (12, value) => view.dropped_events = number32(value),
                (14, value) => view.dropped_links = number32(value),
                (15, Wire::Bytes(status)) => view.status(status),
                (16, value) => view.flags = value.fixed32().unwrap_or_default(),
                _ => {}
            }
        }
        view
    }

    fn status(&mut self, status: &'a [u8]) {
        for (number, value) in Fields::new(status).flatten() {
            match number {
                2 => self.status_message = text(value),
                3 => self.status = number32(value),
                _ => {}
            }
        }
    }

    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        messages(self.raw, 11).map(Event::read)
    }

    pub fn links(&self) -> impl Iterator<Item = Link<'a>> + use<'a> {
        messages(self.raw, 13).map(Link::read)
    }

    /// The encoded message itself.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

impl<'a> Event<'a> {
    fn read(raw: &'a [u8]) -> Self {
        let mut view = Event { attributes: Attributes { message: raw, field: 3 }, ..Self::default() };
        for (number, value) in Fields::new(raw).flatten() {
            match number {
                1 => view.time_ns = value.fixed64().unwrap_or_default(),
                2 => view.name = text(value),
                4 => view.dropped_attributes = number32(value),
                _ => {}
            }
        }
        view
    }
}

impl<'a> Link<'a> {
    fn read(raw: &'a [u8]) -> Self {
        let mut view = Link { attributes: Attributes { message: raw, field: 4 }, ..Self::default() };
        for (number, value) in Fields::new(raw).flatten() {
            match number {
                1 => view.trace_id = value.bytes().unwrap_or_default(),
                2 => view.span_id = value.bytes().unwrap_or_default(),
                3 => view.trace_state = text(value),
                5 => view.dropped_attributes = number32(value),
                6 => view.flags = value.fixed32().unwrap_or_default(),
                _ => {}
            }
        }
        view
    }
}

impl<'a> Attributes<'a> {
    /// The repeated `KeyValue` fields numbered `field` of `message`.
    pub fn new(message: &'a [u8], field: u32) -> Self {
        Attributes { message, field }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        self.raw().map(|pair| {
            let (mut key, mut value) = ("", Value::Empty);
            for (number, field) in Fields::new(pair).flatten() {
                match (number, field) {
                    (1, field) => key = text(field),
                    (2, Wire::Bytes(bytes)) => value = Value::read(bytes),
                    _ => {}
                }
            }
            (key, value)
        })
    }

    /// The encoded `KeyValue`s, for who hashes or copies them.
    #[inline]
    pub fn raw(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        messages(self.message, self.field)
    }

    /// The value of the first attribute of that name.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The same, when it is text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'a> Value<'a> {
    /// From an encoded `AnyValue`.
    pub fn read(raw: &'a [u8]) -> Self {
        let mut view = Value::Empty;
        for (number, value) in Fields::new(raw).flatten() {
            view = match (number, value) {
                (1, value) => Value::Text(text(value)),
                (2, Wire::Varint(number)) => Value::Bool(number != 0),
                (3, Wire::Varint(number)) => Value::Int(number as i64),
                (4, Wire::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
                (5, Wire::Bytes(list)) => Value::List(Values { message: list }),
                (6, Wire::Bytes(map)) => Value::Map(Attributes { message: map, field: 1 }),
                (7, Wire::Bytes(bytes)) => Value::Bytes(bytes),
                _ => view,
            };
        }
        view
    }
}

impl<'a> Values<'a> {
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        messages(self.message, 1).map(Value::read)
    }
}

/// The resource or scope in field 1 and the schema URL in field 3, which is where all signals have them.
fn head(raw: &[u8]) -> (&[u8], &str) {
    let (mut of, mut schema_url): (&[u8], &str) = Default::default();
    for (number, value) in Fields::new(raw).flatten() {
        match (number, value) {
            (1, Wire::Bytes(message)) => of = message,
            (3, value) => schema_url = text(value),
            _ => {}
        }
    }
    (of, schema_url)
}

fn messages<'a>(raw: &'a [u8], field: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    Fields::new(raw).flatten().filter_map(move |(number, value)| match value {
        Wire::Bytes(bytes) if number == field => Some(bytes),
        _ => None,
    })
}

fn text(value: Wire<'_>) -> &str {
    value.text().unwrap_or_default()
}

fn number32(value: Wire<'_>) -> u32 {
    value.varint().unwrap_or_default() as u32
}
