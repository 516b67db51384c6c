//! Tags as OTLP attributes, and who sends: resource and scope.
//!
//! Keys of one list are unique, as the data model demands: two tags of one key are joined with `;`, as
//! on `/metrics`, and neither is lost.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Tags as string attributes; a bare tag has the value "".
pub(super) fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Vec<KeyValue> {
    let mut found: Vec<KeyValue> = Vec::with_capacity(pairs.size_hint().0);
    for (key, value) in pairs {
        let value = value.unwrap_or("");
        match found.iter_mut().find(|known| known.key == key) {
            Some(KeyValue {
                value: Some(AnyValue { value: Some(any_value::Value::StringValue(text)) }),
                ..
            }) => {
                text.push(';');
                text.push_str(value);
            }
            Some(_) | None => found.push(attribute(key, value)),
        }
    }
    found
}

pub(super) fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(text(value)), ..Default::default() }
}

pub(super) fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }
}

pub(super) fn resource(facts: &[(String, String)]) -> Resource {
    let attributes = facts.iter().map(|(key, value)| attribute(key, value)).collect();
    Resource { attributes, ..Default::default() }
}

pub(super) fn scope(version: &str) -> InstrumentationScope {
    InstrumentationScope { name: "pillion".to_owned(), version: version.to_owned(), ..Default::default() }
}
