//! Bodies written by a writer that is not ours, read; and bodies that no client means well with.

use super::super::{Event, Link, Sender, Span, Value};
use super::*;
use crate::otlp::Budget;
use proptest::prelude::*;
use rmp::encode as mp;
use std::borrow::Cow;

mod hostile;
mod maps;
mod numbered;
mod tables;

/// A msgpack body under construction.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn array(mut self, length: u32) -> Self {
        mp::write_array_len(&mut self.0, length).unwrap();
        self
    }

    fn map(mut self, length: u32) -> Self {
        mp::write_map_len(&mut self.0, length).unwrap();
        self
    }

    fn text(mut self, text: &str) -> Self {
        mp::write_str(&mut self.0, text).unwrap();
        self
    }

    fn texts(self, texts: &[&str]) -> Self {
        texts.iter().fold(self, |body, text| body.text(text))
    }

    fn uint(mut self, number: u64) -> Self {
        mp::write_uint(&mut self.0, number).unwrap();
        self
    }

    fn int(mut self, number: i64) -> Self {
        mp::write_sint(&mut self.0, number).unwrap();
        self
    }

    fn float(mut self, number: f64) -> Self {
        mp::write_f64(&mut self.0, number).unwrap();
        self
    }

    fn bool(mut self, flag: bool) -> Self {
        mp::write_bool(&mut self.0, flag).unwrap();
        self
    }

    fn nil(mut self) -> Self {
        mp::write_nil(&mut self.0).unwrap();
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        mp::write_bin(&mut self.0, bytes).unwrap();
        self
    }

    /// Text that is none.
    fn broken(mut self, bytes: &[u8]) -> Self {
        mp::write_str_len(&mut self.0, bytes.len() as u32).unwrap();
        self.0.extend_from_slice(bytes);
        self
    }
}

/// A trace that outlives its body.
fn kept(trace: &Trace<'_>) -> Trace<'static> {
    fn texts(pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
        pairs.iter().map(|(key, value)| (text(key), text(value))).collect()
    }
    fn value(shown: &Value<'_>) -> Value<'static> {
        match shown {
            Value::Text(shown) => Value::Text(text(shown)),
            Value::Bool(flag) => Value::Bool(*flag),
            Value::Int(number) => Value::Int(*number),
            Value::Double(number) => Value::Double(*number),
            Value::List(values) => Value::List(values.iter().map(value).collect()),
        }
    }
    let link = |link: &Link<'_>| Link {
        attributes: texts(&link.attributes),
        tracestate: text(&link.tracestate),
        ..Link {
            trace_id: link.trace_id,
            trace_id_high: link.trace_id_high,
            span_id: link.span_id,
            flags: link.flags,
            ..Link::default()
        }
    };
    let event = |event: &Event<'_>| Event {
        time_ns: event.time_ns,
        name: text(&event.name),
        attributes: event.attributes.iter().map(|(key, shown)| (text(key), value(shown))).collect(),
    };
    let span = |span: &Span<'_>| Span {
        service: text(&span.service),
        name: text(&span.name),
        resource: text(&span.resource),
        kind: text(&span.kind),
        trace_id: span.trace_id,
        trace_id_high: span.trace_id_high,
        span_id: span.span_id,
        parent_id: span.parent_id,
        start: span.start,
        duration: span.duration,
        error: span.error,
        meta: texts(&span.meta),
        metrics: span.metrics.iter().map(|(key, number)| (text(key), *number)).collect(),
        meta_struct: span
            .meta_struct
            .iter()
            .map(|(key, bytes)| (text(key), bytes.clone().into_owned().into()))
            .collect(),
        links: span.links.iter().map(link).collect(),
        events: span.events.iter().map(event).collect(),
    };
    Trace {
        priority: trace.priority,
        origin: text(&trace.origin),
        tags: texts(&trace.tags),
        dropped: trace.dropped,
        spans: trace.spans.iter().map(span).collect(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    V04,
    V05,
    V07,
    V1,
    Json,
}

const FORMATS: [Format; 5] = [Format::V04, Format::V05, Format::V07, Format::V1, Format::Json];

/// All traces of a body.
fn read_within(format: Format, body: &[u8], budget: &Budget) -> Result<Vec<Trace<'static>>, Refused> {
    let mut room = Room::new(budget);
    let mut traces = Vec::new();
    let mut each = |trace: &mut Trace<'_>| {
        traces.push(kept(trace));
        Ok(())
    };
    match format {
        Format::V04 => v04::traces(body, &mut room, &mut each)?,
        Format::V05 => v05::traces(body, &mut room, &mut each)?,
        Format::Json => json::traces(body, &mut room, &mut each)?,
        Format::V07 => v07::Payload::read(body, &mut room)?.traces(&mut room, &mut each)?,
        Format::V1 => {
            let body = v1::repaired(body, &mut room)?;
            v1::Payload::read(&body, &mut room)?.traces(&mut room, &mut each)?;
        }
    }
    Ok(traces)
}

fn read(format: Format, body: &[u8]) -> Result<Vec<Trace<'static>>, Refused> {
    let budget = Budget::new(64 << 20);
    let traces = read_within(format, body, &budget);
    assert_eq!(budget.held(), 0);
    traces
}

fn text(of: &str) -> Cow<'static, str> {
    of.to_owned().into()
}
