//! What a point's series is called: name and labels of resource, scope and attributes, through the rules.
//!
//! The slow way, once for each stream. Labels follow "Prometheus and OpenMetrics Compatibility" of the
//! OpenTelemetry specification; a key holds them as it holds StatsD's tags (`series::Key`), so what a key
//! cannot hold is replaced: control characters by their pictures (U+2400 on), a colon in a label's name by `_`.

use super::name::add_unit;
use super::tally::LeftOut;
use crate::metrics::Class;
use crate::metrics::rules::{Rules, Verdict};
use crate::otlp::text::Text;
use crate::otlp::view::metrics::{Metric, ScopeMetrics};
use crate::otlp::view::{Attributes, Resource, Value};
use crate::statsd::FormLimits;
use crate::statsd::form::is_reserved;
use std::cell::OnceCell;

/// `job` and `instance`.
pub(super) type Identity = (Option<String>, Option<String>);

/// The resource and scope around points: they may say much, so what they say is read once, and only when a point
/// needs a name.
pub(super) struct Around<'a> {
    pub(super) resource: &'a Resource<'a>,
    pub(super) identity: &'a OnceCell<Identity>,
    pub(super) scope: &'a ScopeMetrics<'a>,
    pub(super) tags: OnceCell<Result<Vec<String>, LeftOut>>,
}

/// Where a point stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) around: &'a Around<'a>,
    pub(super) metric: &'a Metric<'a>,
    pub(super) class: Class,
    /// In words.
    pub(super) unit: &'a str,
    pub(super) attributes: Attributes<'a>,
}

/// A key and how its series is treated.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) key: String,
    pub(super) treatment: u16,
}

/// Names the series of a point.
pub(super) fn name(place: &Place<'_>, rules: &Rules, limits: &FormLimits) -> Result<Named, LeftOut> {
    let mut name = String::with_capacity(place.metric.name.len() + place.unit.len() + 1);
    push_clean(place.metric.name, false, &mut name);
    if name.is_empty() {
        return Err(LeftOut::BadName);
    }
    if is_reserved(&name) {
        return Err(LeftOut::ReservedName);
    }
    if !has_room(&name, place, limits) {
        return Err(LeftOut::TooLong);
    }
    let mut tags = tags(place, limits)?;
    match rules.apply(place.class.like(), &mut name, &mut tags) {
        Verdict::Drop => Err(LeftOut::RuledOut),
        Verdict::Keep { treatment, .. } => {
            add_unit(&mut name, place.unit, place.class);
            let mut key = name;
            for tag in &tags {
                key.push('\n');
                key.push_str(tag);
            }
            Ok(Named { key, treatment })
        }
    }
}

/// Whether the name is short enough, also with its unit, which may be any text.
fn has_room(name: &str, place: &Place<'_>, limits: &FormLimits) -> bool {
    if name.len().max(place.unit.len()) > limits.name_bytes {
        return false;
    }
    let mut whole = name.to_owned();
    add_unit(&mut whole, place.unit, place.class);
    whole.len() <= limits.name_bytes
}

/// `job` and `instance` of a resource.
pub(super) fn identity(resource: &Resource<'_>) -> Identity {
    let text = |key: &str| {
        let value = resource.attributes.get(key)?;
        Some(Text(value).into_text().into_owned()).filter(|text| !text.is_empty())
    };
    let job = text("service.name").map(|name| match text("service.namespace") {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name,
    });
    (job, text("service.instance.id"))
}

/// Sorted, each once.
fn tags(place: &Place<'_>, limits: &FormLimits) -> Result<Vec<String>, LeftOut> {
    let mut tags = match place.around.tags.get_or_init(|| tags_around(place.around, limits)) {
        Ok(tags) => tags.clone(),
        Err(why) => return Err(*why),
    };
    for (key, value) in place.attributes.iter() {
        push_tag("", key, value, limits, &mut tags)?;
    }
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

/// Those that all points of a resource and scope have.
fn tags_around(around: &Around<'_>, limits: &FormLimits) -> Result<Vec<String>, LeftOut> {
    let mut tags = Vec::new();
    let (job, instance) = around.identity.get_or_init(|| identity(around.resource));
    let scope = around.scope;
    let words = [
        ("job", job.as_deref().unwrap_or_default()),
        ("instance", instance.as_deref().unwrap_or_default()),
        ("otel_scope_name", scope.scope.name),
        ("otel_scope_version", scope.scope.version),
        ("otel_scope_schema_url", scope.schema_url),
    ];
    for (key, word) in words.into_iter().filter(|(_, word)| !word.is_empty()) {
        push_tag("", key, Value::Text(word), limits, &mut tags)?;
    }
    for (key, value) in scope.scope.attributes.iter().filter(|(key, _)| !is_of_scope(key)) {
        push_tag("otel_scope_", key, value, limits, &mut tags)?;
    }
    Ok(tags)
}

/// Whether an attribute of a scope would become one of the labels that the scope has anyway.
fn is_of_scope(key: &str) -> bool {
    let same = |word: &str| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        key.len() == word.len() && key.chars().map(plain).eq(word.chars())
    };
    ["name", "version", "schema_url"].into_iter().any(same)
}

fn push_tag(
    front: &str,
    key: &str,
    value: Value<'_>,
    limits: &FormLimits,
    tags: &mut Vec<String>,
) -> Result<(), LeftOut> {
    if tags.len() >= limits.tags {
        return Err(LeftOut::TooManyTags);
    }
    let value = Text(value).into_text();
    let mut tag = String::with_capacity(front.len() + key.len() + 1 + value.len());
    tag.push_str(front);
    push_clean(key, true, &mut tag);
    tag.push(':');
    push_clean(&value, false, &mut tag);
    if tag.len() > limits.tag_bytes {
        return Err(LeftOut::TooLong);
    }
    tags.push(tag);
    Ok(())
}

fn push_clean(text: &str, is_key: bool, out: &mut String) {
    if !text.contains(|c: char| c.is_control() || (is_key && c == ':')) {
        return out.push_str(text);
    }
    out.extend(text.chars().map(|c| match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or(' '),
        '\x7f' => '\u{2421}',
        c if c.is_control() => '\u{fffd}',
        ':' if is_key => '_',
        c => c,
    }));
}
