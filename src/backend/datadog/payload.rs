//! Traces as one `AgentPayload` in protobuf. Pure.
//!
//! Source: `pkg/proto/datadog/trace/{agent_payload,tracer_payload,span}.proto` of the Datadog agent.

use crate::deliver::TooLarge;
use crate::otlp::protobuf::Writer;
use crate::traces::datadog::from_otlp::Payload;
use crate::traces::datadog::{Event, Link, Span, Trace, Value};
use std::borrow::Cow;

/// The priority of a chunk whose tracer gave none.
const NO_PRIORITY: i32 = -128;

const SMALL: usize = 60;
const SPAN: usize = 400;
const LARGE: usize = 20_000;

/// Who sends.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) hostname: String,
    /// Of spans that name none.
    pub(super) env: String,
    pub(super) version: &'static str,
}

/// The payload, at most `limit` bytes long.
pub(super) fn body(agent: &Agent, payloads: &[Payload<'_>], limit: usize) -> Result<Vec<u8>, TooLarge> {
    let mut to = Writer::new();
    to.text_if(1, &agent.hostname);
    to.text_if(2, &agent.env);
    for payload in payloads.iter().filter(|payload| !payload.traces.is_empty()) {
        tracer_payload(&mut to, agent, payload, limit)?;
    }
    to.text_if(7, agent.version);
    if to.len() > limit { Err(TooLarge) } else { Ok(to.into_inner()) }
}

fn tracer_payload(
    to: &mut Writer,
    agent: &Agent,
    payload: &Payload<'_>,
    limit: usize,
) -> Result<(), TooLarge> {
    let Payload { sender, traces } = payload;
    let or_of_span = |own: &str, key: &str, otherwise: &str| match own {
        "" => first_meta(traces, key).unwrap_or(otherwise).to_owned(),
        own => own.to_owned(),
    };
    let open = to.begin(5, LARGE);
    to.text_if(1, &sender.container_id);
    to.text_if(2, &sender.language);
    to.text_if(3, &sender.language_version);
    to.text_if(4, &sender.tracer_version);
    to.text_if(5, &or_of_span(&sender.runtime_id, "runtime-id", ""));
    for trace in traces {
        chunk(to, trace);
        if to.len() > limit {
            return Err(TooLarge);
        }
    }
    texts(to, 7, &sender.tags);
    to.text_if(8, &or_of_span(&sender.env, "env", &agent.env));
    to.text_if(9, if sender.hostname.is_empty() { &agent.hostname } else { &sender.hostname });
    to.text_if(10, &or_of_span(&sender.app_version, "version", ""));
    to.end(open);
    Ok(())
}

/// The first value of that meta among the spans that begin a chunk.
fn first_meta<'a>(traces: &'a [Trace<'_>], key: &str) -> Option<&'a str> {
    let firsts = traces.iter().filter_map(|trace| trace.spans.first());
    firsts.flat_map(|span| &span.meta).find(|(name, _)| name == key).map(|(_, value)| &**value)
}

fn chunk(to: &mut Writer, trace: &Trace<'_>) {
    let open = to.begin(6, LARGE);
    to.varint_if(1, i64::from(priority(trace)) as u64);
    let origin = match &*trace.origin {
        "" => first_meta(std::slice::from_ref(trace), "_dd.origin").unwrap_or_default(),
        origin => origin,
    };
    to.text_if(2, origin);
    for each in &trace.spans {
        span(to, each);
    }
    texts(to, 4, &trace.tags);
    to.varint_if(5, trace.dropped.into());
    to.end(open);
}

fn priority(trace: &Trace<'_>) -> i32 {
    let metrics = trace.spans.iter().flat_map(|span| &span.metrics);
    let of_span = metrics.into_iter().find(|(key, _)| key == "_sampling_priority_v1");
    trace.priority.or(of_span.map(|(_, priority)| *priority as i32)).unwrap_or(NO_PRIORITY)
}

fn span(to: &mut Writer, span: &Span<'_>) {
    let open = to.begin(3, SPAN);
    to.text_if(1, &span.service);
    to.text_if(2, &span.name);
    to.text_if(3, &span.resource);
    to.varint_if(4, span.trace_id);
    to.varint_if(5, span.span_id);
    to.varint_if(6, span.parent_id);
    to.varint_if(7, span.start as u64);
    to.varint_if(8, span.duration as u64);
    to.varint_if(9, i64::from(span.error) as u64);
    texts(to, 10, &span.meta);
    for (key, value) in &span.metrics {
        entry(to, 11, key, |to| to.double(2, *value));
    }
    to.text_if(12, &span.kind);
    for (key, value) in &span.meta_struct {
        entry(to, 13, key, |to| to.bytes(2, value));
    }
    for each in &span.links {
        link(to, each);
    }
    for each in &span.events {
        event(to, each);
    }
    to.end(open);
}

fn link(to: &mut Writer, link: &Link<'_>) {
    let open = to.begin(14, SMALL);
    to.varint_if(1, link.trace_id);
    to.varint_if(2, link.trace_id_high);
    to.varint_if(3, link.span_id);
    texts(to, 4, &link.attributes);
    to.text_if(5, &link.tracestate);
    to.varint_if(6, link.flags.into());
    to.end(open);
}

fn event(to: &mut Writer, event: &Event<'_>) {
    let open = to.begin(15, SMALL);
    to.fixed64_if(1, event.time_ns);
    to.text_if(2, &event.name);
    for (key, shown) in &event.attributes {
        entry(to, 3, key, |to| {
            let open = to.begin(2, SMALL);
            value(to, shown);
            to.end(open);
        });
    }
    to.end(open);
}

/// The fields of an `AttributeAnyValue`.
fn value(to: &mut Writer, shown: &Value<'_>) {
    if let Value::List(values) = shown {
        to.varint(1, 4);
        let list = to.begin(6, SMALL);
        for shown in values {
            let open = to.begin(1, SMALL);
            element(to, shown);
            to.end(open);
        }
        to.end(list);
        return;
    }
    // Plain values are laid out alike here and in a list.
    element(to, shown);
}

/// The fields of an `AttributeArrayValue`; lists in lists do not exist.
fn element(to: &mut Writer, shown: &Value<'_>) {
    match shown {
        Value::Text(text) => to.text(2, text),
        Value::Bool(value) => {
            to.varint(1, 1);
            to.varint(3, (*value).into());
        }
        Value::Int(value) => {
            to.varint(1, 2);
            to.varint(4, *value as u64);
        }
        Value::Double(value) => {
            to.varint(1, 3);
            to.double(5, *value);
        }
        Value::List(_) => {}
    }
}

fn texts(to: &mut Writer, field: u32, map: &[(Cow<'_, str>, Cow<'_, str>)]) {
    for (key, value) in map {
        entry(to, field, key, |to| to.text(2, value));
    }
}

/// An entry of a map.
fn entry(to: &mut Writer, field: u32, key: &str, value: impl FnOnce(&mut Writer)) {
    let open = to.begin(field, SMALL);
    to.text(1, key);
    value(to);
    to.end(open);
}
