//! Zipkin's spans as OTLP: one `ResourceSpans` for each service of a request.
//!
//! Whatever Zipkin has and OTLP has not stands in attributes under the names of [`super::key`], so that
//! `from_otlp` gives the same span back. A trace's 64-bit id is padded.

use super::{Endpoint, Span, key};
use crate::otlp::budget::Budget;
use crate::otlp::chunk::Chunk;
use crate::otlp::grow::Growing;
pub use crate::otlp::grow::NoBudget;
use crate::otlp::protobuf::Writer;
use crate::otlp::write::{self, RESOURCE_ATTRIBUTES, SPAN_ATTRIBUTES, SpanHead};

/// Services of one request that are gathered at the same time; one more closes the one begun longest ago.
const OPEN_GROUPS: usize = 64;
/// What a span takes beside its texts: ids, times, endpoints and all their keys.
const FIXED_BYTES: usize = 512;
/// What a tag or an annotation takes beside its texts.
const FRAME_BYTES: usize = 48;

/// Gathers the spans of one request.
#[derive(Debug)]
pub struct Builder<'b> {
    budget: &'b Budget,
    /// By service, in the order of their begin.
    open: Vec<(String, Growing)>,
    closed: Vec<Chunk>,
}

impl<'b> Builder<'b> {
    pub fn new(budget: &'b Budget) -> Self {
        Builder { budget, open: Vec::new(), closed: Vec::new() }
    }

    /// Adds a span. After an error the whole request is to be refused.
    pub fn span(&mut self, span: &Span<'_>) -> Result<(), NoBudget> {
        let at = self.group(&span.local.service)?;
        let growing = &mut self.open[at].1;
        growing.span(bound(span), |to| write_span(to, span))?;
        if growing.is_full() {
            let (_, growing) = self.open.remove(at);
            self.closed.push(growing.close());
        }
        Ok(())
    }

    fn group(&mut self, service: &str) -> Result<usize, NoBudget> {
        if let Some(at) = self.open.iter().rposition(|(open, _)| open == service) {
            return Ok(at);
        }
        if self.open.len() == OPEN_GROUPS {
            self.closed.push(self.open.remove(0).1.close());
        }
        let resource = |to: &mut Writer| {
            write::resource(to, |to| {
                if !service.is_empty() {
                    write::text(to, RESOURCE_ATTRIBUTES, key::SERVICE, service);
                }
            });
        };
        let growing = Growing::begin(self.budget, resource, ("", ""), service.len())?;
        self.open.push((service.to_owned(), growing));
        Ok(self.open.len() - 1)
    }

    /// The chunks; none without spans.
    pub fn finish(self) -> Vec<Chunk> {
        let Builder { open, mut closed, .. } = self;
        closed.extend(open.into_iter().map(|(_, growing)| growing.close()));
        closed
    }
}

/// More than a span takes as OTLP.
pub(super) fn bound(span: &Span<'_>) -> usize {
    let endpoint =
        |endpoint: &Endpoint<'_>| endpoint.service.len() + endpoint.ipv4.len() + endpoint.ipv6.len();
    // The text of `error` stands twice: as the tag and as the status.
    let tags = span.tags.iter().map(|(name, value)| name.len() + 2 * value.len() + FRAME_BYTES);
    let annotations = span.annotations.iter().map(|(_, value)| value.len() + FRAME_BYTES);
    FIXED_BYTES
        + span.name.len()
        + endpoint(&span.local)
        + endpoint(&span.remote)
        + tags.sum::<usize>()
        + annotations.sum::<usize>()
}

pub(super) fn write_span(to: &mut Writer, span: &Span<'_>) {
    let tag = |name: &str| span.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_ref());
    let start_ns = span.timestamp.saturating_mul(1_000);
    let end_ns = match (span.timestamp, span.duration) {
        (0, _) | (_, 0) => 0,
        (_, duration) => start_ns.saturating_add(duration.saturating_mul(1_000)),
    };
    // Only as `from_otlp` writes them: any other text stays a tag.
    let flags = tag(key::TRACE_FLAGS).and_then(|text| {
        let flags = u32::from_str_radix(text, 16).ok()?;
        (flags != 0 && text == format!("{flags:02x}")).then_some(flags)
    });
    let head = SpanHead {
        trace_id: &span.trace_id,
        span_id: &span.id,
        parent_span_id: span.parent_id.as_ref().map_or(&[], <[u8; 8]>::as_slice),
        trace_state: tag(key::TRACE_STATE).unwrap_or_default(),
        flags: flags.unwrap_or_default(),
        name: &span.name,
        kind: span.kind.otlp(),
        start_ns,
        end_ns,
    };
    let open = write::begin_span(to, &head);
    for (name, value) in &span.tags {
        match name.as_ref() {
            key::TRACE_STATE if !value.is_empty() => {}
            key::TRACE_FLAGS if flags.is_some() => {}
            taken if key::is_taken(taken) => {
                write::text(to, SPAN_ATTRIBUTES, &format!("{}{taken}", key::TAG), value);
            }
            name => write::text(to, SPAN_ATTRIBUTES, name, value),
        }
    }
    endpoint(to, &span.local, None, [key::LOCAL_ADDRESS, key::LOCAL_IPV6, key::LOCAL_PORT]);
    endpoint(to, &span.remote, Some(key::PEER_SERVICE), [key::PEER_ADDRESS, key::PEER_IPV6, key::PEER_PORT]);
    if span.debug {
        write::boolean(to, SPAN_ATTRIBUTES, key::DEBUG, true);
    }
    if span.shared {
        write::boolean(to, SPAN_ATTRIBUTES, key::SHARED, true);
    }
    if span.timestamp == 0 && span.duration > 0 {
        let duration = i64::try_from(span.duration).unwrap_or(i64::MAX);
        write::integer(to, SPAN_ATTRIBUTES, key::DURATION, duration);
    }
    for (timestamp, text) in &span.annotations {
        let event = write::begin_event(to, timestamp.saturating_mul(1_000), text);
        to.end(event);
    }
    match (tag(key::ERROR), tag(key::STATUS_CODE)) {
        // The presence of the tag says so, whatever its text.
        (Some(text), _) => write::status(to, 2, if text == "true" { "" } else { text }),
        (None, Some("ERROR")) => write::status(to, 2, tag("otel.status_description").unwrap_or_default()),
        (None, Some("OK")) => write::status(to, 1, ""),
        (None, _) => {}
    }
    to.end(open);
}

fn endpoint(to: &mut Writer, endpoint: &Endpoint<'_>, service: Option<&str>, keys: [&str; 3]) {
    let [address, ipv6, port] = keys;
    if let Some(service) = service.filter(|_| !endpoint.service.is_empty()) {
        write::text(to, SPAN_ATTRIBUTES, service, &endpoint.service);
    }
    match (endpoint.ipv4.as_ref(), endpoint.ipv6.as_ref()) {
        ("", "") => {}
        ("", only) | (only, "") => write::text(to, SPAN_ATTRIBUTES, address, only),
        (v4, v6) => {
            write::text(to, SPAN_ATTRIBUTES, address, v4);
            write::text(to, SPAN_ATTRIBUTES, ipv6, v6);
        }
    }
    if endpoint.port > 0 {
        write::integer(to, SPAN_ATTRIBUTES, port, endpoint.port.into());
    }
}
