//! Repairs spans as the Datadog agent does, for what comes by its API and for what leaves for Datadog.
//!
//! Datadog refuses or misreads spans with empty names, strange characters or impossible times, so they are
//! put right before they go there, and every change is counted by its reason. Pure: the clock comes in. What
//! cannot be put right takes its whole trace with it. Source: `pkg/trace/agent/normalizer.go`,
//! `truncator.go` and `pkg/trace/traceutil/normalize` of the agent. Next: `normalize/words`.

mod words;

#[cfg(test)]
mod tests;

use super::{Span, Trace};
use std::borrow::Cow;
use std::collections::HashSet;

/// Bytes of a service, an operation's name and a type.
const NAME_BYTES: usize = 100;
const RESOURCE_BYTES: usize = 5_000;
const KEY_BYTES: usize = 200;
const VALUE_BYTES: usize = 25_000;
/// What a tag that was cut ends in.
const CUT: &str = "...";
/// The beginning of the year 2000.
const EARLIEST_NS: i64 = 946_684_800_000_000_000;
/// Spans among which ids are compared one by one.
const FEW: usize = 16;

macro_rules! reasons {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $reason:ident $label:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$what])* $reason,)* }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$reason),*];

            /// As a label value.
            pub fn name(self) -> &'static str {
                match self { $($name::$reason => $label,)* }
            }
        }
    };
}

reasons! {
    /// Why a span was changed.
    Reason {
        ServiceEmpty "service_empty",
        ServiceCut "service_truncate",
        /// Nothing was left of it.
        ServiceInvalid "service_invalid",
        ServiceCharacters "service_characters",
        PeerServiceCut "peer_service_truncate",
        PeerServiceInvalid "peer_service_invalid",
        PeerServiceCharacters "peer_service_characters",
        BaseServiceCut "base_service_truncate",
        BaseServiceInvalid "base_service_invalid",
        BaseServiceCharacters "base_service_characters",
        NameEmpty "span_name_empty",
        NameCut "span_name_truncate",
        NameInvalid "span_name_invalid",
        NameCharacters "span_name_characters",
        ResourceEmpty "resource_empty",
        ResourceCut "resource_truncate",
        TypeCut "type_truncate",
        Parent "parent_is_itself",
        Duration "invalid_duration",
        Start "invalid_start_date",
        Environment "env_characters",
        StatusCode "invalid_http_status_code",
        KeyCut "tag_key_truncate",
        ValueCut "tag_value_truncate",
        LinkName "link_name",
        /// Not changed; only counted.
        DuplicateSpanId "duplicate_span_id",
    }
}

reasons! {
    /// Why a trace is dropped whole.
    Dropped {
        Empty "empty_trace",
        TraceIdZero "trace_id_zero",
        SpanIdZero "span_id_zero",
        ForeignSpan "foreign_span",
    }
}

/// How often each reason arose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; Reason::ALL.len()]);

impl Default for Counts {
    fn default() -> Self {
        Counts([0; Reason::ALL.len()])
    }
}

impl Counts {
    fn add(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// Reasons that arose.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.iter().zip(self.0).filter(|(_, count)| *count > 0).map(|(reason, count)| (*reason, count))
    }
}

/// Repairs all spans of a trace, or says why it must be dropped; then some may be changed already.
/// `language` is that of the tracer, for the name of a missing service.
pub fn trace(trace: &mut Trace<'_>, language: &str, now_ns: u64, counts: &mut Counts) -> Result<(), Dropped> {
    let first = trace.spans.first().ok_or(Dropped::Empty)?;
    if trace.spans.iter().any(|span| span.trace_id == 0 && span.trace_id_high == 0) {
        return Err(Dropped::TraceIdZero);
    }
    if trace.spans.iter().any(|span| span.span_id == 0) {
        return Err(Dropped::SpanIdZero);
    }
    let high = high_half(first);
    let foreign = |span: &Span<'_>| {
        span.trace_id != first.trace_id
            || high.is_some_and(|high| high_half(span).is_some_and(|own| own != high))
    };
    if trace.spans.iter().skip(1).any(foreign) {
        return Err(Dropped::ForeignSpan);
    }
    for _ in 0..duplicates(&trace.spans) {
        counts.add(Reason::DuplicateSpanId);
    }
    for repaired in &mut trace.spans {
        span(repaired, language, now_ns, counts);
    }
    Ok(())
}

/// The upper half of the trace id, as a number or as a tag.
fn high_half(span: &Span<'_>) -> Option<u64> {
    if span.trace_id_high != 0 {
        return Some(span.trace_id_high);
    }
    let (_, tag) = span.meta.iter().find(|(key, _)| key == "_dd.p.tid")?;
    u64::from_str_radix(tag, 16).ok()
}

/// Spans whose id an earlier one has.
fn duplicates(spans: &[Span<'_>]) -> usize {
    if spans.len() <= FEW {
        let earlier = |at: usize| spans[..at].iter().any(|other| other.span_id == spans[at].span_id);
        return (1..spans.len()).filter(|at| earlier(*at)).count();
    }
    let ids: HashSet<_> = spans.iter().map(|span| span.span_id).collect();
    spans.len() - ids.len()
}

/// Repairs one span, but for its ids.
pub fn span(span: &mut Span<'_>, language: &str, now_ns: u64, counts: &mut Counts) {
    service(span, language, counts);
    name(&mut span.name, counts);
    if span.resource.is_empty() {
        counts.add(Reason::ResourceEmpty);
        span.resource = span.name.clone();
    }
    cut(&mut span.resource, RESOURCE_BYTES, "", Reason::ResourceCut, counts);
    cut(&mut span.kind, NAME_BYTES, "", Reason::TypeCut, counts);
    if span.parent_id != 0 && span.parent_id == span.span_id {
        counts.add(Reason::Parent);
        span.parent_id = 0;
    }
    times(span, now_ns, counts);
    tags(span, counts);
    for link in &mut span.links {
        if let Some((_, value)) = link.attributes.iter_mut().find(|(key, _)| key == "link.name") {
            let mut own = Counts::default();
            name(value, &mut own);
            if own != Counts::default() {
                counts.add(Reason::LinkName);
            }
        }
    }
}

fn service(span: &mut Span<'_>, language: &str, counts: &mut Counts) {
    if span.service.is_empty() {
        counts.add(Reason::ServiceEmpty);
        span.service = unnamed(language);
        return;
    }
    cut(&mut span.service, NAME_BYTES, "", Reason::ServiceCut, counts);
    characters(&mut span.service, Reason::ServiceCharacters, counts);
    if span.service.is_empty() {
        counts.add(Reason::ServiceInvalid);
        span.service = unnamed(language);
    }
}

fn unnamed(language: &str) -> Cow<'static, str> {
    if language.is_empty() { "unnamed-service".into() } else { format!("unnamed-{language}-service").into() }
}

fn name(name: &mut Cow<'_, str>, counts: &mut Counts) {
    if name.is_empty() {
        counts.add(Reason::NameEmpty);
        *name = "unnamed_operation".into();
        return;
    }
    cut(name, NAME_BYTES, "", Reason::NameCut, counts);
    match words::operation(name) {
        None => {
            counts.add(Reason::NameInvalid);
            *name = "unnamed_operation".into();
        }
        Some(Cow::Borrowed(same)) if same.len() == name.len() => {}
        Some(changed) => {
            counts.add(Reason::NameCharacters);
            *name = changed.into_owned().into();
        }
    }
}

fn times(span: &mut Span<'_>, now_ns: u64, counts: &mut Counts) {
    if span.start < EARLIEST_NS {
        counts.add(Reason::Start);
        let now = i64::try_from(now_ns).unwrap_or(i64::MAX);
        let lasted = span.duration.max(0);
        span.start = if lasted > now { now } else { now - lasted };
    }
    if span.duration < 0 || span.start.checked_add(span.duration).is_none() {
        counts.add(Reason::Duration);
        span.duration = 0;
    }
}

fn tags(span: &mut Span<'_>, counts: &mut Counts) {
    span.meta.retain(|(key, value)| {
        let kept = key != "http.status_code" || is_status(value);
        if !kept {
            counts.add(Reason::StatusCode);
        }
        kept
    });
    for (key, value) in &mut span.meta {
        match key.as_ref() {
            "peer.service" => {
                cut(value, NAME_BYTES, "", Reason::PeerServiceCut, counts);
                other_service(value, Reason::PeerServiceCharacters, Reason::PeerServiceInvalid, counts);
            }
            "_dd.base_service" => {
                cut(value, NAME_BYTES, "", Reason::BaseServiceCut, counts);
                other_service(value, Reason::BaseServiceCharacters, Reason::BaseServiceInvalid, counts);
            }
            "env" => characters(value, Reason::Environment, counts),
            _ => {}
        }
        cut(key, KEY_BYTES, CUT, Reason::KeyCut, counts);
        cut(value, VALUE_BYTES, CUT, Reason::ValueCut, counts);
    }
    for (key, _) in &mut span.metrics {
        cut(key, KEY_BYTES, CUT, Reason::KeyCut, counts);
    }
}

fn is_status(text: &str) -> bool {
    text.parse().is_ok_and(|code: u16| (100..600).contains(&code))
}

fn other_service(value: &mut Cow<'_, str>, changed: Reason, invalid: Reason, counts: &mut Counts) {
    if !value.is_empty() {
        characters(value, changed, counts);
        if value.is_empty() {
            counts.add(invalid);
        }
    }
}

/// Makes a tag's value of `text`.
fn characters(text: &mut Cow<'_, str>, reason: Reason, counts: &mut Counts) {
    if let Some(changed) = words::tag_value(text) {
        counts.add(reason);
        *text = changed.into();
    }
}

/// Leaves at most `bytes`, and `end` behind them; text that was cut before stays as it is.
fn cut(text: &mut Cow<'_, str>, bytes: usize, end: &str, reason: Reason, counts: &mut Counts) {
    if text.len() <= bytes || text.len() <= bytes + end.len() && !end.is_empty() && text.ends_with(end) {
        return;
    }
    counts.add(reason);
    let kept = text.floor_char_boundary(bytes);
    match text {
        Cow::Borrowed(text) if end.is_empty() => *text = &text[..kept],
        _ => {
            let mut owned = text[..kept].to_owned();
            owned.push_str(end);
            *text = owned.into();
        }
    }
}
