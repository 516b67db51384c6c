//! Events and links that a span's meta hold as text, shown as OTLP's own as well.
//!
//! The meta stay as they came, and what is written here carries a mark, so that the way back leaves it out.
//! A text that is no such list, or a very long one, stays a text.

use super::span::{Error, Known, LINK_FLAGS_SET, half, trace_id};
use crate::otlp::protobuf::Writer;
use crate::otlp::write::{self, EVENT_ATTRIBUTES, LINK_ATTRIBUTES};
use crate::traces::datadog::{Span, names};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Longer texts are not looked into: parsed they take a multiple of their size.
const TEXT_BYTES: usize = 128 << 10;

/// The most bytes that a text can become.
pub(super) fn bound(text: &str) -> usize {
    if (1..=TEXT_BYTES).contains(&text.len()) { 64 + 16 * text.len() } else { 0 }
}

#[derive(Deserialize)]
struct EventText<'a> {
    #[serde(default)]
    time_unix_nano: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    attributes: Map<String, Value>,
}

#[derive(Deserialize)]
struct LinkText<'a> {
    #[serde(borrow)]
    trace_id: Cow<'a, str>,
    #[serde(borrow)]
    span_id: Cow<'a, str>,
    #[serde(default, borrow)]
    tracestate: Cow<'a, str>,
    #[serde(default)]
    flags: u32,
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// Appends to an open span what its meta tell.
pub(super) fn write(to: &mut Writer, span: &Span<'_>, known: &Known<'_>, end_ns: u64) {
    let mut has_exception = span.events.iter().any(|event| event.name == "exception");
    if span.events.is_empty() && bound(known.events) > 0 {
        let events: Vec<EventText<'_>> = serde_json::from_str(known.events).unwrap_or_default();
        for event in &events {
            has_exception |= event.name == "exception";
            let open = write::begin_event(to, event.time_unix_nano, &event.name);
            attributes(to, EVENT_ATTRIBUTES, &event.attributes);
            to.end(open);
        }
    }
    if span.links.is_empty() && bound(known.links) > 0 {
        let links: Vec<LinkText<'_>> = serde_json::from_str(known.links).unwrap_or_default();
        links.iter().for_each(|each| link(to, each));
    }
    if span.error != 0 && !has_exception {
        exception(to, &known.error, end_ns);
    }
}

fn link(to: &mut Writer, link: &LinkText<'_>) {
    let Some((high, low)) = link.trace_id.split_at_checked(link.trace_id.len().saturating_sub(16)) else {
        return;
    };
    let high = if high.is_empty() { Some(0) } else { half(high) };
    let (Some(high), Some(low), Some(span_id)) = (high, half(low), half(&link.span_id)) else { return };
    let flags = link.flags & !LINK_FLAGS_SET;
    let open = write::begin_link(to, &trace_id(high, low), &span_id.to_be_bytes(), &link.tracestate, flags);
    attributes(to, LINK_ATTRIBUTES, &link.attributes);
    to.end(open);
}

fn exception(to: &mut Writer, error: &Error<'_>, end_ns: u64) {
    if error.kind.is_empty() && error.stack.is_empty() {
        return;
    }
    let open = write::begin_event(to, end_ns, "exception");
    for (key, value) in [
        ("exception.type", error.kind),
        ("exception.message", error.message),
        ("exception.stacktrace", error.stack),
    ] {
        if !value.is_empty() {
            write::text(to, EVENT_ATTRIBUTES, key, value);
        }
    }
    write::boolean(to, EVENT_ATTRIBUTES, names::DERIVED, true);
    to.end(open);
}

fn attributes(to: &mut Writer, field: u32, attributes: &Map<String, Value>) {
    for (key, value) in attributes.iter().filter(|(key, _)| *key != names::DERIVED) {
        write::pair(to, field, key, 9, |to| any(to, value));
    }
    write::boolean(to, field, names::DERIVED, true);
}

/// The depth is bounded by that of the parser.
fn any(to: &mut Writer, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(value) => to.varint(2, (*value).into()),
        Value::Number(number) => match number.as_i64() {
            Some(number) => to.varint(3, number as u64),
            None => to.double(4, number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => to.text(1, text),
        Value::Array(values) => {
            let list = to.begin(5, 60);
            for value in values {
                let open = to.begin(1, 9);
                any(to, value);
                to.end(open);
            }
            to.end(list);
        }
        Value::Object(map) => {
            let object = to.begin(6, 60);
            for (key, value) in map {
                write::pair(to, 1, key, 9, |to| any(to, value));
            }
            to.end(object);
        }
    }
}
