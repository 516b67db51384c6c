//! A span that no Datadog tracer made, read as the Datadog agent reads OTLP: `pkg/trace/transform` and
//! `pkg/trace/traceutil/otel_util.go` there. Next: `words`.

mod words;

use super::{Resource, head, meta, metric, tag, text_of};
use crate::otlp::view::{self, Scope, Value};
use crate::traces::datadog::names;
use crate::traces::datadog::{Span, Value as EventValue};
use std::borrow::Cow;
use words::Semantics;

/// Whether a span is to be searched and billed for on its own.
const ANALYTICS: &str = "analytics.event";
const ANALYTICS_METRIC: &str = "_dd1.sr.eausr";

pub(super) fn span<'a>(
    span: &view::Span<'a>,
    attributes: &[(&'a str, Value<'a>)],
    scope: &Scope<'a>,
    resource: &Resource<'a>,
) -> Span<'a> {
    let semantics = Semantics { kind: span.kind, name: span.name, attributes, resource };
    let mut to = head(span);
    to.service = semantics.text(&[names::SERVICE_NAME]).into();
    to.name = semantics.operation();
    to.resource = semantics.resource();
    to.kind = semantics.kind();
    let kind = words::kind(span.kind);
    if span.kind != 0 || text_of(attributes, &["span.kind"]).is_none() {
        to.meta.push(("span.kind".into(), kind.into()));
    }
    for (key, value) in attributes {
        attribute(&mut to, key, *value);
    }
    let id = u128::from(to.trace_id_high) << 64 | u128::from(to.trace_id);
    meta(&mut to, "otel.trace_id", Cow::Owned(format!("{id:032x}")));
    for (key, from) in [("version", semantics.version()), ("env", semantics.environment())] {
        if !from.is_empty() {
            meta(&mut to, key, from.into());
        }
    }
    beside_attributes(&mut to, span, scope);
    status(&mut to, span);
    for (key, value) in &resource.attributes {
        match value {
            // As the agent does: only the span's own numbers are metrics.
            Value::Int(_) | Value::Double(_) => {
                meta(&mut to, words::renamed(key), super::Text(*value).into_text())
            }
            _ => attribute(&mut to, key, *value),
        }
    }
    for (key, value) in scope.attributes.iter() {
        tag(&mut to, key, value);
    }
    let namespace = semantics.text(&["db.namespace"]);
    if !namespace.is_empty() {
        meta(&mut to, "db.name", namespace.into());
    }
    to
}

fn attribute<'a>(to: &mut Span<'a>, key: &'a str, value: Value<'a>) {
    match (key, value) {
        // Read elsewhere.
        (names::SERVICE_NAME | "operation.name" | "resource.name" | names::TYPE, Value::Text(_)) => {}
        (names::PRIORITY, Value::Int(priority)) => metric(to, names::PRIORITY_METRIC, priority as f64),
        (names::PRIORITY, Value::Double(priority)) => metric(to, names::PRIORITY_METRIC, priority),
        (names::PRIORITY, Value::Text(text)) => match text.parse() {
            Ok(priority) => metric(to, names::PRIORITY_METRIC, priority),
            Err(_) => meta(to, key, text.into()),
        },
        (ANALYTICS, Value::Bool(on)) => metric(to, ANALYTICS_METRIC, on.into()),
        (ANALYTICS, Value::Text(on @ ("true" | "false"))) => {
            metric(to, ANALYTICS_METRIC, f64::from(on == "true"))
        }
        (key, value) => match key.strip_prefix("http.request.header.") {
            Some("referrer") | None => tag(to, words::renamed(key), value),
            Some(header) => {
                let key = format!("http.request.headers.{header}");
                if !to.meta.iter().any(|(other, _)| *other == key) {
                    to.meta.push((key.into(), super::Text(value).into_text()));
                }
            }
        },
    }
}

/// What OTLP has beside attributes and Datadog has not.
fn beside_attributes<'a>(to: &mut Span<'a>, span: &view::Span<'a>, scope: &Scope<'a>) {
    for (keys, value) in [
        (["otel.scope.name", "otel.library.name"], scope.name),
        (["otel.scope.version", "otel.library.version"], scope.version),
    ] {
        if !value.is_empty() {
            keys.into_iter().for_each(|key| meta(to, key, value.into()));
        }
    }
    if span.flags != 0 {
        meta(to, "w3c.traceflags", Cow::Owned(format!("{:02x}", span.flags)));
    }
    for (key, count) in [
        ("otel.dropped_attributes_count", span.dropped_attributes),
        ("otel.dropped_events_count", span.dropped_events),
        ("otel.dropped_links_count", span.dropped_links),
    ] {
        if count > 0 {
            metric(to, key, count.into());
        }
    }
    if to.events.iter().any(|event| event.name == "exception") {
        meta(to, "_dd.span_events.has_exception", "true".into());
    }
}

/// The status, and what an exception event or the HTTP status says of an error.
fn status<'a>(to: &mut Span<'a>, span: &view::Span<'a>) {
    let code = match span.status {
        1 => "Ok",
        2 => "Error",
        _ => "Unset",
    };
    meta(to, "otel.status_code", code.into());
    if !span.status_message.is_empty() {
        meta(to, "otel.status_description", span.status_message.into());
    }
    if span.status != 2 {
        return;
    }
    let (mut message, mut kind, mut stack) = (None, None, None);
    for event in to.events.iter().filter(|event| event.name == "exception") {
        for (key, value) in &event.attributes {
            let EventValue::Text(text) = value else { continue };
            match &**key {
                "exception.message" => message = Some(text.clone()),
                "exception.type" => kind = Some(text.clone()),
                "exception.stacktrace" => stack = Some(text.clone()),
                _ => {}
            }
        }
    }
    let message = message
        .or_else(|| Some(span.status_message.into()).filter(|text: &Cow<'_, str>| !text.is_empty()))
        .or_else(|| words::http_status(to).map(Cow::Owned));
    for (key, value) in [
        ("error.message", message.clone()),
        ("error.msg", message),
        ("error.type", kind),
        ("error.stack", stack),
    ] {
        if let Some(value) = value {
            meta(to, key, value);
        }
    }
}
