//! A span that came from a Datadog tracer, as it was: the exact reverse of [`super::super::to_otlp`].

use super::{Resource, Shared, head, tag};
use crate::otlp::view::{self, Value};
use crate::traces::datadog::Span;
use crate::traces::datadog::names;

pub(super) fn span<'a>(
    span: &view::Span<'a>,
    attributes: &[(&'a str, Value<'a>)],
    resource: &Resource<'a>,
) -> (Span<'a>, Shared<'a>) {
    let mut to = head(span);
    to.service = resource.text(&[names::SERVICE_NAME]).into();
    to.name = span.name.into();
    let mut shared = Shared { native: true, ..Shared::default() };
    for (key, value) in attributes {
        own(&mut to, &mut shared, key, *value);
    }
    // What somebody on the way has added to the resource.
    for (key, value) in resource.attributes.iter().filter(|(key, _)| !is_of_sender(key)) {
        tag(&mut to, key, *value);
    }
    (to, shared)
}

fn own<'a>(to: &mut Span<'a>, shared: &mut Shared<'a>, key: &'a str, value: Value<'a>) {
    match (key, value) {
        (names::RESOURCE, Value::Text(text)) => to.resource = text.into(),
        (names::TYPE, Value::Text(text)) => to.kind = text.into(),
        (names::PRIORITY, Value::Int(priority)) => shared.priority = i32::try_from(priority).ok(),
        (names::PRIORITY, Value::Double(priority)) => {
            to.metrics.push((names::PRIORITY_METRIC.into(), priority))
        }
        (names::PRIORITY, Value::Text(text)) => match text.parse() {
            Ok(priority) => to.metrics.push((names::PRIORITY_METRIC.into(), priority)),
            Err(_) => to.meta.push((key.into(), text.into())),
        },
        (names::ERROR, Value::Int(error)) => to.error = error as i32,
        (names::CHUNK_ORIGIN, Value::Text(text)) => shared.origin = text,
        (names::CHUNK_DROPPED, Value::Bool(dropped)) => shared.dropped = dropped,
        (key, Value::Text(text)) => {
            if let Some(key) = key.strip_prefix(names::CHUNK_TAGS) {
                shared.tags.push((key, text));
            } else {
                to.meta.push((key.strip_prefix(names::META).unwrap_or(key).into(), text.into()));
            }
        }
        (key, Value::Double(number)) => {
            to.metrics.push((key.strip_prefix(names::METRICS).unwrap_or(key).into(), number));
        }
        (key, Value::Bytes(bytes)) => match key.strip_prefix(names::META_STRUCT) {
            Some(key) => to.meta_struct.push((key.into(), bytes.into())),
            None => tag(to, key, value),
        },
        (key, Value::Empty | Value::Bool(_) | Value::Int(_) | Value::List(_) | Value::Map(_)) => {
            tag(to, key, value)
        }
    }
}

/// Whether the sender, or the service, has it.
fn is_of_sender(key: &str) -> bool {
    matches!(
        key,
        names::SERVICE_NAME
            | names::SERVICE_VERSION
            | names::SERVICE_INSTANCE
            | names::ENVIRONMENT
            | names::SDK_NAME
            | names::SDK_LANGUAGE
            | names::SDK_VERSION
            | names::RUNTIME_VERSION
            | names::CONTAINER_ID
            | names::HOST_NAME
            | names::PAYLOAD_ENV
            | names::PAYLOAD_VERSION
            | names::PAYLOAD_RUNTIME_ID
            | names::PAYLOAD_LANGUAGE
    ) || key.starts_with(names::PAYLOAD_TAGS)
}
