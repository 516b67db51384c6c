//! One Datadog span as an OTLP `Span`. Next: `derived`.

use super::derived;
use crate::otlp::protobuf::Writer;
use crate::otlp::write::{self, EVENT_ATTRIBUTES, LINK_ATTRIBUTES, SPAN_ATTRIBUTES, SpanHead};
use crate::traces::datadog::names::{self, is_reserved};
use crate::traces::datadog::{Event, Link, Span, Trace, Value};
use std::borrow::Cow;

/// Bytes that a field, its key and the lengths around it take at most, beside the text inside; the prefix
/// of an escaped name included.
const FIELD: usize = 48;

/// What every span of a trace repeats, because in OTLP nothing holds a chunk together.
pub(super) struct Shared<'a> {
    trace: &'a Trace<'a>,
    trace_id_high: u64,
    /// Bit 0: sampled.
    flags: u32,
    pub(super) bound: usize,
}

impl<'a> Shared<'a> {
    pub(super) fn read(trace: &'a Trace<'_>) -> Self {
        let high = |span: &Span<'_>| match span.trace_id_high {
            0 => span.meta.iter().find(|(key, _)| key == names::TRACE_ID_HIGH).and_then(|(_, id)| half(id)),
            high => Some(high),
        };
        let priority = trace.priority.map(f64::from).or_else(|| trace.spans.iter().find_map(priority_of));
        let tags: usize = trace.tags.iter().map(|(key, value)| key.len() + value.len() + FIELD).sum();
        Shared {
            trace,
            trace_id_high: trace.spans.iter().find_map(high).unwrap_or_default(),
            flags: u32::from(priority.is_some_and(|priority| priority > 0.0)),
            bound: tags + trace.origin.len() + 3 * FIELD,
        }
    }
}

fn priority_of(span: &Span<'_>) -> Option<f64> {
    span.metrics.iter().find(|(key, _)| key == names::PRIORITY_METRIC).map(|(_, priority)| *priority)
}

/// The upper half of a trace id: 16 hex digits.
pub(in crate::traces::datadog) fn half(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| digits)
}

/// What the mapping asks of a span's meta, found in one pass.
#[derive(Default)]
pub(super) struct Known<'a> {
    pub(super) env: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    kind: &'a str,
    tracestate: &'a str,
    pub(super) error: Error<'a>,
    pub(super) events: &'a str,
    pub(super) links: &'a str,
    /// The most bytes that the span can take.
    pub(super) bound: usize,
}

#[derive(Default)]
pub(super) struct Error<'a> {
    pub(super) message: &'a str,
    pub(super) kind: &'a str,
    pub(super) stack: &'a str,
}

impl<'a> Known<'a> {
    pub(super) fn read(span: &'a Span<'_>) -> Self {
        let mut known = Known::default();
        for (key, value) in &span.meta {
            known.bound += key.len() + value.len() + FIELD;
            match &**key {
                "env" => known.env = Some(value),
                "version" => known.version = Some(value),
                "span.kind" => known.kind = value,
                names::TRACESTATE => known.tracestate = value,
                "error.message" => known.error.message = value,
                "error.msg" if known.error.message.is_empty() => known.error.message = value,
                "error.type" => known.error.kind = value,
                "error.stack" => known.error.stack = value,
                names::EVENTS_TEXT => known.events = value,
                names::LINKS_TEXT => known.links = value,
                _ => {}
            }
        }
        let Error { message, kind, stack } = known.error;
        known.bound += 2 * message.len() + kind.len() + stack.len();
        known.bound += derived::bound(known.events) + derived::bound(known.links);
        known.bound += span.name.len() + span.resource.len() + span.kind.len() + 16 * FIELD;
        known.bound += span.metrics.iter().map(|(key, _)| key.len() + FIELD).sum::<usize>();
        known.bound +=
            span.meta_struct.iter().map(|(key, value)| key.len() + value.len() + FIELD).sum::<usize>();
        known.bound += span.links.iter().map(link_bound).sum::<usize>();
        known.bound += span.events.iter().map(event_bound).sum::<usize>();
        known
    }
}

fn link_bound(link: &Link<'_>) -> usize {
    let attributes = link.attributes.iter().map(|(key, value)| key.len() + value.len() + FIELD);
    attributes.sum::<usize>() + link.tracestate.len() + 3 * FIELD
}

fn event_bound(event: &Event<'_>) -> usize {
    let attributes = event.attributes.iter().map(|(key, value)| key.len() + value_bound(value) + FIELD);
    attributes.sum::<usize>() + event.name.len() + FIELD
}

fn value_bound(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len() + FIELD,
        Value::Bool(_) | Value::Int(_) | Value::Double(_) => FIELD,
        Value::List(values) => values.iter().map(value_bound).sum::<usize>() + FIELD,
    }
}

/// Appends a span to the open `ScopeSpans`.
pub(super) fn write(to: &mut Writer, span: &Span<'_>, known: &Known<'_>, shared: &Shared<'_>) {
    let start_ns = u64::try_from(span.start).unwrap_or_default();
    let end_ns = start_ns + u64::try_from(span.duration).unwrap_or_default();
    let parent = span.parent_id.to_be_bytes();
    let head = SpanHead {
        trace_id: &trace_id(shared.trace_id_high, span.trace_id),
        span_id: &span.span_id.to_be_bytes(),
        parent_span_id: if span.parent_id == 0 { &[] } else { &parent },
        trace_state: known.tracestate,
        flags: shared.flags,
        name: &span.name,
        kind: kind(known.kind, span),
        start_ns,
        end_ns,
    };
    let open = write::begin_span(to, &head);
    write::text(to, SPAN_ATTRIBUTES, names::RESOURCE, &span.resource);
    if !span.kind.is_empty() {
        write::text(to, SPAN_ATTRIBUTES, names::TYPE, &span.kind);
    }
    chunk(to, shared.trace);
    tags(to, span, shared.trace.priority.is_some());
    for each in &span.events {
        event(to, each);
    }
    for each in &span.links {
        link(to, each);
    }
    derived::write(to, span, known, end_ns);
    if span.error != 0 {
        write::status(to, 2, known.error.message);
        if span.error != 1 {
            write::integer(to, SPAN_ATTRIBUTES, names::ERROR, span.error.into());
        }
    }
    to.end(open);
}

pub(super) fn trace_id(high: u64, low: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

/// What the chunk says beside its spans.
fn chunk(to: &mut Writer, trace: &Trace<'_>) {
    if let Some(priority) = trace.priority {
        write::integer(to, SPAN_ATTRIBUTES, names::PRIORITY, priority.into());
    }
    if !trace.origin.is_empty() {
        write::text(to, SPAN_ATTRIBUTES, names::CHUNK_ORIGIN, &trace.origin);
    }
    if trace.dropped {
        write::boolean(to, SPAN_ATTRIBUTES, names::CHUNK_DROPPED, true);
    }
    for (key, value) in &trace.tags {
        write::text(to, SPAN_ATTRIBUTES, &format!("{}{key}", names::CHUNK_TAGS), value);
    }
}

/// Meta, metrics and structures: attributes of unlike types, whose names must differ all the same.
fn tags(to: &mut Writer, span: &Span<'_>, chunk_has_priority: bool) {
    for (key, value) in &span.meta {
        if key == names::TRACESTATE && !value.is_empty() {
            continue;
        }
        write::text(to, SPAN_ATTRIBUTES, &escaped(key, names::META, is_reserved(key)), value);
    }
    for (key, value) in &span.metrics {
        if key == names::PRIORITY_METRIC && !chunk_has_priority {
            write::double(to, SPAN_ATTRIBUTES, names::PRIORITY, *value);
            continue;
        }
        let taken = is_reserved(key) || span.meta.iter().any(|(other, _)| other == key);
        write::double(to, SPAN_ATTRIBUTES, &escaped(key, names::METRICS, taken), *value);
    }
    for (key, value) in &span.meta_struct {
        write::bytes(to, SPAN_ATTRIBUTES, &format!("{}{key}", names::META_STRUCT), value);
    }
}

fn escaped<'a>(key: &'a str, prefix: &str, taken: bool) -> Cow<'a, str> {
    if taken { Cow::Owned(format!("{prefix}{key}")) } else { Cow::Borrowed(key) }
}

fn event(to: &mut Writer, event: &Event<'_>) {
    let open = write::begin_event(to, event.time_ns, &event.name);
    for (key, value) in &event.attributes {
        write::pair(to, EVENT_ATTRIBUTES, key, 9, |to| any(to, value));
    }
    to.end(open);
}

fn any(to: &mut Writer, value: &Value<'_>) {
    match value {
        Value::Text(text) => to.text(1, text),
        Value::Bool(value) => to.varint(2, (*value).into()),
        Value::Int(value) => to.varint(3, *value as u64),
        Value::Double(value) => to.double(4, *value),
        Value::List(values) => {
            let list = to.begin(5, FIELD);
            for value in values {
                let open = to.begin(1, 9);
                any(to, value);
                to.end(open);
            }
            to.end(list);
        }
    }
}

fn link(to: &mut Writer, link: &Link<'_>) {
    let flags = link.flags & !LINK_FLAGS_SET;
    let id = trace_id(link.trace_id_high, link.trace_id);
    let open = write::begin_link(to, &id, &link.span_id.to_be_bytes(), &link.tracestate, flags);
    for (key, value) in &link.attributes {
        write::text(to, LINK_ATTRIBUTES, key, value);
    }
    if link_flags(flags) != link.flags {
        write::integer(to, LINK_ATTRIBUTES, names::LINK_FLAGS, link.flags.into());
    }
    to.end(open);
}

/// The bit of a Datadog link's flags that says that there are flags.
pub(super) const LINK_FLAGS_SET: u32 = 1 << 31;

/// The flags of an OTLP link as Datadog has them.
pub(in crate::traces::datadog) fn link_flags(flags: u32) -> u32 {
    if flags == 0 { 0 } else { flags | LINK_FLAGS_SET }
}

/// The kind: what the meta say, else what the type tells.
fn kind(named: &str, span: &Span<'_>) -> u32 {
    match named {
        "internal" => 1,
        "server" => 2,
        "client" => 3,
        "producer" => 4,
        "consumer" => 5,
        _ => match &*span.kind {
            "web" => 2,
            "http" | "db" | "sql" | "cache" | "redis" | "memcached" | "mongodb" | "cassandra"
            | "elasticsearch" | "opensearch" => 3,
            "queue" => queue_kind(&span.name),
            _ => 0,
        },
    }
}

/// Who puts into a queue, and who takes from it, shows in the operation's name alone.
fn queue_kind(name: &str) -> u32 {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["consume", "receive", "process", "poll", "deliver"]) {
        5
    } else if has(&["produce", "send", "publish", "enqueue"]) {
        4
    } else {
        0
    }
}
