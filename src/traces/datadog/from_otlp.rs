//! OTLP spans as Datadog's: chunks grouped by sender, and in it by trace.
//!
//! A span that came from a Datadog tracer, which `dd.span.Resource` tells, becomes what it was. Any other is
//! read as the Datadog agent reads OTLP; the tables are in `docs/traces.md`. Nothing is repaired here: what
//! leaves for Datadog goes through [`super::normalize`] afterwards. Next: `native`, then `foreign`.

mod foreign;
mod native;

use super::names;
use super::{Event, Link, Sender, Span, Trace, Value};
use crate::otlp::text::Text;
use crate::otlp::view::{self, ResourceSpans};
use std::borrow::Cow;
use std::collections::HashMap;

/// Traces of one sender.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload<'a> {
    pub sender: Sender<'a>,
    pub traces: Vec<Trace<'a>>,
}

/// The priority of a trace that was sampled by nobody, or elsewhere: keep.
const AUTO_KEEP: i32 = 1;

/// What holds spans together in one [`Trace`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Shared<'a> {
    /// Whether the spans came from a Datadog tracer.
    native: bool,
    priority: Option<i32>,
    origin: &'a str,
    dropped: bool,
    tags: Vec<(&'a str, &'a str)>,
}

/// The attributes of a resource, for many spans.
struct Resource<'a> {
    attributes: Vec<(&'a str, view::Value<'a>)>,
}

/// The spans of encoded `ResourceSpans`, in their order.
pub fn payloads<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Payload<'a>> {
    let mut payloads: Vec<Payload<'a>> = Vec::new();
    // Senders are few and come in runs.
    let mut known: HashMap<(usize, u128, Shared<'a>), usize> = HashMap::new();
    for chunk in chunks {
        let spans = ResourceSpans::read(chunk);
        let resource = Resource { attributes: spans.resource.attributes.iter().collect() };
        let sender = resource.sender();
        let at = payloads.iter().rposition(|payload| payload.sender == sender).unwrap_or_else(|| {
            payloads.push(Payload { sender, traces: Vec::new() });
            payloads.len() - 1
        });
        let traces = &mut payloads[at].traces;
        for scope in spans.scopes() {
            for span in scope.spans() {
                let attributes: Vec<_> = span.attributes.iter().collect();
                let is_native = attributes.iter().any(|(key, _)| *key == names::RESOURCE);
                let (mut mapped, shared) = if is_native {
                    native::span(&span, &attributes, &resource)
                } else {
                    (foreign::span(&span, &attributes, &scope.scope, &resource), Shared::default())
                };
                if !span.trace_state.is_empty() {
                    mapped.meta.push((names::TRACESTATE.into(), span.trace_state.into()));
                }
                let id = u128::from(mapped.trace_id_high) << 64 | u128::from(mapped.trace_id);
                let trace = *known.entry((at, id, shared)).or_insert_with_key(|(_, _, shared)| {
                    traces.push(shared.trace());
                    traces.len() - 1
                });
                let trace = &mut traces[trace];
                if !is_native {
                    let own = priority_of(&mapped).map(|priority| priority as i32);
                    trace.priority = own.or(trace.priority).or(Some(AUTO_KEEP));
                }
                trace.spans.push(mapped);
            }
        }
    }
    let finished = payloads.iter_mut().flat_map(|payload| &mut payload.traces);
    finished.for_each(finish);
    payloads
}

fn priority_of(span: &Span<'_>) -> Option<f64> {
    span.metrics.iter().find(|(key, _)| key == names::PRIORITY_METRIC).map(|(_, priority)| *priority)
}

/// Datadog has the upper half of the id in the first span of a chunk.
fn finish(trace: &mut Trace<'_>) {
    let Some(first) = trace.spans.first_mut() else { return };
    if first.trace_id_high != 0 {
        let half = Cow::Owned(format!("{:016x}", first.trace_id_high));
        match first.meta.iter_mut().find(|(key, _)| key == names::TRACE_ID_HIGH) {
            Some((_, value)) => *value = half,
            None => first.meta.push((names::TRACE_ID_HIGH.into(), half)),
        }
    }
}

impl<'a> Shared<'a> {
    fn trace(&self) -> Trace<'a> {
        Trace {
            priority: self.priority,
            origin: self.origin.into(),
            tags: self.tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            dropped: self.dropped,
            spans: Vec::new(),
        }
    }
}

impl<'a> Resource<'a> {
    /// The first of these that is a text; else empty.
    fn text(&self, names: &[&str]) -> &'a str {
        text_of(&self.attributes, names).unwrap_or_default()
    }

    fn sender(&self) -> Sender<'a> {
        let is_native = self.text(&[names::SDK_NAME]) == names::DATADOG;
        let own = |own: &str, standard: &'a str| text_of(&self.attributes, &[own]).unwrap_or(standard);
        let language = self.text(&[names::SDK_LANGUAGE]);
        let version = self.text(&[names::SDK_VERSION]);
        let (language, tracer_version) = match is_native {
            true => (names::language_from_otlp(language), version.into()),
            false => (language, Cow::Owned(format!("otlp-{version}"))),
        };
        Sender {
            container_id: self.text(&[names::CONTAINER_ID, "k8s.pod.uid"]).into(),
            language: own(names::PAYLOAD_LANGUAGE, language).into(),
            language_version: self.text(&[names::RUNTIME_VERSION]).into(),
            tracer_version,
            runtime_id: own(names::PAYLOAD_RUNTIME_ID, self.text(&[names::SERVICE_INSTANCE])).into(),
            env: own(names::PAYLOAD_ENV, self.text(&[names::ENVIRONMENT, "deployment.environment"])).into(),
            hostname: self.text(&["datadog.host.name", "_dd.hostname", names::HOST_NAME]).into(),
            app_version: own(names::PAYLOAD_VERSION, self.text(&[names::SERVICE_VERSION])).into(),
            tags: self.tags().collect(),
        }
    }

    fn tags(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.attributes.iter().filter_map(|(key, value)| match value {
            view::Value::Text(value) => {
                Some((key.strip_prefix(names::PAYLOAD_TAGS)?.into(), (*value).into()))
            }
            _ => None,
        })
    }
}

/// The first of `names` that is a text among the attributes.
fn text_of<'a>(attributes: &[(&'a str, view::Value<'a>)], names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        attributes.iter().find_map(|(key, value)| match value {
            view::Value::Text(text) if key == name => Some(*text),
            _ => None,
        })
    })
}

/// Ids and times, which are the same for all spans.
fn head<'a>(span: &view::Span<'a>) -> Span<'a> {
    let id = trace_id(span.trace_id);
    let duration = span.end_ns.saturating_sub(span.start_ns);
    Span {
        trace_id: id as u64,
        trace_id_high: (id >> 64) as u64,
        span_id: span_id(span.span_id),
        parent_id: span_id(span.parent_span_id),
        start: i64::try_from(span.start_ns).unwrap_or(i64::MAX),
        duration: i64::try_from(duration).unwrap_or(i64::MAX),
        error: i32::from(span.status == 2),
        events: span.events().filter_map(|each| event(&each)).collect(),
        links: span.links().filter_map(|each| link(&each)).collect(),
        ..Span::default()
    }
}

/// 0 where there is none.
fn trace_id(bytes: &[u8]) -> u128 {
    <[u8; 16]>::try_from(bytes).map(u128::from_be_bytes).unwrap_or_default()
}

fn span_id(bytes: &[u8]) -> u64 {
    <[u8; 8]>::try_from(bytes).map(u64::from_be_bytes).unwrap_or_default()
}

/// Not for one that only repeats what the span's meta say.
fn event<'a>(event: &view::Event<'a>) -> Option<Event<'a>> {
    let mut attributes = Vec::new();
    for (key, value) in event.attributes.iter() {
        if key == names::DERIVED && matches!(value, view::Value::Bool(true)) {
            return None;
        }
        attributes.push((key.into(), event_value(value)));
    }
    if event.dropped_attributes > 0 {
        attributes.push(("dropped_attributes_count".into(), Value::Int(event.dropped_attributes.into())));
    }
    Some(Event { time_ns: event.time_ns, name: event.name.into(), attributes })
}

/// Datadog's lists hold plain values; other things become JSON.
fn event_value(value: view::Value<'_>) -> Value<'_> {
    match value {
        view::Value::List(values) => Value::List(values.iter().map(plain).collect()),
        other => plain(other),
    }
}

fn plain(value: view::Value<'_>) -> Value<'_> {
    match value {
        view::Value::Bool(value) => Value::Bool(value),
        view::Value::Int(value) => Value::Int(value),
        view::Value::Double(value) => Value::Double(value),
        view::Value::Text(_)
        | view::Value::Empty
        | view::Value::Bytes(_)
        | view::Value::List(_)
        | view::Value::Map(_) => Value::Text(Text(value).into_text()),
    }
}

fn link<'a>(link: &view::Link<'a>) -> Option<Link<'a>> {
    let mut attributes = Vec::new();
    let mut flags = if link.flags == 0 { 0 } else { link.flags | FLAGS_SET };
    for (key, value) in link.attributes.iter() {
        match (key, value) {
            (names::DERIVED, view::Value::Bool(true)) => return None,
            (names::LINK_FLAGS, view::Value::Int(own)) => flags = own as u32,
            (key, value) => attributes.push((key.into(), Text(value).into_text())),
        }
    }
    if link.dropped_attributes > 0 {
        attributes.push(("dropped_attributes_count".into(), link.dropped_attributes.to_string().into()));
    }
    let id = trace_id(link.trace_id);
    Some(Link {
        trace_id: id as u64,
        trace_id_high: (id >> 64) as u64,
        span_id: span_id(link.span_id),
        attributes,
        tracestate: link.trace_state.into(),
        flags,
    })
}

/// The bit of a Datadog link's flags that says that there are flags.
const FLAGS_SET: u32 = 1 << 31;

/// Integers up to this are doubles without loss.
const WHOLE: u64 = 1 << 53;

/// Adds an attribute as meta or metric, unless the span has one of that name.
fn tag<'a>(to: &mut Span<'a>, key: &'a str, value: view::Value<'a>) {
    match value {
        view::Value::Double(number) => metric(to, key, number),
        view::Value::Int(number) if number.unsigned_abs() <= WHOLE => metric(to, key, number as f64),
        view::Value::Int(_)
        | view::Value::Text(_)
        | view::Value::Bool(_)
        | view::Value::Empty
        | view::Value::Bytes(_)
        | view::Value::List(_)
        | view::Value::Map(_) => meta(to, key, Text(value).into_text()),
    }
}

fn meta<'a>(to: &mut Span<'a>, key: &'a str, value: Cow<'a, str>) {
    if !to.meta.iter().any(|(other, _)| other == key) {
        to.meta.push((key.into(), value));
    }
}

fn metric<'a>(to: &mut Span<'a>, key: &'a str, value: f64) {
    if !to.metrics.iter().any(|(other, _)| other == key) {
        to.metrics.push((key.into(), value));
    }
}

#[cfg(test)]
pub(in crate::traces::datadog) mod tests;
