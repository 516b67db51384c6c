//! Writing spans as OTLP protobuf, field by field, without structures in between.
//!
//! For intakes whose protocol is another: they open a resource, a scope, spans, and append. The bytes that
//! come out need no check. A caller that fails half-way truncates to where it began. Field numbers as in
//! `view`. Next: `batch`.

use super::protobuf::{Open, Writer};
use super::view::{self, Value};

/// What is known of a span before its attributes; zero and empty fields are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanHead<'a> {
    /// 16 bytes.
    pub trace_id: &'a [u8],
    /// 8 bytes.
    pub span_id: &'a [u8],
    pub parent_span_id: &'a [u8],
    pub trace_state: &'a str,
    pub flags: u32,
    pub name: &'a str,
    pub kind: u32,
    pub start_ns: u64,
    pub end_ns: u64,
}

/// Expected sizes of the nested messages, for the room of their lengths.
const SPAN: usize = 300;
const SMALL: usize = 60;
const LARGE: usize = 20_000;

/// Field numbers of the repeated `KeyValue`s.
pub const RESOURCE_ATTRIBUTES: u32 = 1;
pub const SCOPE_ATTRIBUTES: u32 = 3;
pub const SPAN_ATTRIBUTES: u32 = 9;
pub const EVENT_ATTRIBUTES: u32 = 3;
pub const LINK_ATTRIBUTES: u32 = 4;

/// The `Resource` of a `ResourceSpans`, which comes first in it.
pub fn resource(to: &mut Writer, attributes: impl FnOnce(&mut Writer)) {
    let open = to.begin(1, SPAN);
    attributes(to);
    to.end(open);
}

/// Opens a `ScopeSpans` with its scope; `attributes` are written with [`SCOPE_ATTRIBUTES`].
pub fn begin_scope(to: &mut Writer, name: &str, version: &str, attributes: impl FnOnce(&mut Writer)) -> Open {
    let open = to.begin(2, LARGE);
    let scope = to.begin(1, SMALL);
    to.text_if(1, name);
    to.text_if(2, version);
    attributes(to);
    to.end(scope);
    open
}

/// Opens a span in an open `ScopeSpans`; attributes, events, links and status follow, then `end`.
pub fn begin_span(to: &mut Writer, head: &SpanHead<'_>) -> Open {
    let open = to.begin(2, SPAN);
    to.bytes_if(1, head.trace_id);
    to.bytes_if(2, head.span_id);
    to.text_if(3, head.trace_state);
    to.bytes_if(4, head.parent_span_id);
    to.text_if(5, head.name);
    to.varint_if(6, head.kind.into());
    to.fixed64_if(7, head.start_ns);
    to.fixed64_if(8, head.end_ns);
    to.fixed32_if(16, head.flags);
    open
}

/// Opens an event of an open span; its attributes follow with [`EVENT_ATTRIBUTES`].
pub fn begin_event(to: &mut Writer, time_ns: u64, name: &str) -> Open {
    let open = to.begin(11, SMALL);
    to.fixed64_if(1, time_ns);
    to.text_if(2, name);
    open
}

/// Opens a link of an open span; its attributes follow with [`LINK_ATTRIBUTES`].
pub fn begin_link(to: &mut Writer, trace_id: &[u8], span_id: &[u8], trace_state: &str, flags: u32) -> Open {
    let open = to.begin(13, SMALL);
    to.bytes_if(1, trace_id);
    to.bytes_if(2, span_id);
    to.text_if(3, trace_state);
    to.fixed32_if(6, flags);
    open
}

/// The status of an open span: 1 ok, 2 error.
pub fn status(to: &mut Writer, code: u32, message: &str) {
    if code != 0 || !message.is_empty() {
        let open = to.begin(15, SMALL);
        to.text_if(2, message);
        to.varint_if(3, code.into());
        to.end(open);
    }
}

/// A `KeyValue` as field `field` with a text value.
pub fn text(to: &mut Writer, field: u32, key: &str, value: &str) {
    pair(to, field, key, value.len() + 3, |to| to.text(1, value));
}

pub fn boolean(to: &mut Writer, field: u32, key: &str, value: bool) {
    pair(to, field, key, 2, |to| to.varint(2, value.into()));
}

pub fn integer(to: &mut Writer, field: u32, key: &str, value: i64) {
    pair(to, field, key, 6, |to| to.varint(3, value as u64));
}

pub fn double(to: &mut Writer, field: u32, key: &str, value: f64) {
    pair(to, field, key, 9, |to| to.double(4, value));
}

pub fn bytes(to: &mut Writer, field: u32, key: &str, value: &[u8]) {
    pair(to, field, key, value.len() + 3, |to| to.bytes(7, value));
}

/// A `KeyValue` with any value that a view shows.
pub fn value(to: &mut Writer, field: u32, key: &str, shown: Value<'_>) {
    pair(to, field, key, SMALL, |to| any(to, shown));
}

/// The fields of an `AnyValue`; the depth is bounded by that of the view.
pub fn any(to: &mut Writer, shown: Value<'_>) {
    match shown {
        Value::Empty => {}
        Value::Text(text) => to.text(1, text),
        Value::Bool(value) => to.varint(2, value.into()),
        Value::Int(value) => to.varint(3, value as u64),
        Value::Double(value) => to.double(4, value),
        Value::Bytes(bytes) => to.bytes(7, bytes),
        Value::List(values) => {
            let list = to.begin(5, SMALL);
            for shown in values.iter() {
                let open = to.begin(1, SMALL);
                any(to, shown);
                to.end(open);
            }
            to.end(list);
        }
        Value::Map(attributes) => {
            let map = to.begin(6, SMALL);
            copy(to, 1, attributes);
            to.end(map);
        }
    }
}

/// All attributes of a view, as field `field`.
pub fn copy(to: &mut Writer, field: u32, attributes: view::Attributes<'_>) {
    for (key, shown) in attributes.iter() {
        value(to, field, key, shown);
    }
}

/// A `KeyValue` whose value `content` writes, as the fields of an `AnyValue` of about `expected` bytes.
pub fn pair(to: &mut Writer, field: u32, key: &str, expected: usize, content: impl FnOnce(&mut Writer)) {
    let open = to.begin(field, key.len() + expected + 4);
    to.text(1, key);
    let value = to.begin(2, expected);
    content(to);
    to.end(value);
    to.end(open);
}
