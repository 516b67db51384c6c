//! Zipkin's spans as OTLP: one `ResourceSpans` for each service of a request.
//!
//! Whatever Zipkin has and OTLP has not stands in attributes under the names of [`super::key`], so that
//! `from_otlp` gives the same span back. A trace's 64-bit id is padded.

use super::{Endpoint, Span, key};
use crate::traces::budget::{Budget, Hold};
use crate::traces::chunk::{Chunk, identity};
use crate::traces::protobuf::{Open, Writer};

use crate::traces::write::{self, RESOURCE_ATTRIBUTES, SPAN_ATTRIBUTES, SpanHead};
use bytes::Bytes;

/// The budget cannot hold what the request becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBudget;

/// Bytes taken from the budget at a time.
const STEP: usize = 64 << 10;
/// Services of one request that are gathered; spans of more begin chunks of their own.
const GROUPS: usize = 64;

/// Gathers the spans of one request.
#[derive(Debug)]
pub struct Builder<'b> {
    budget: &'b Budget,
    holds: Vec<Hold>,
    held: usize,
    written: usize,
    groups: Vec<Group>,
    done: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    service: String,
    to: Writer,
    scope: Open,
    spans: u32,
}

impl<'b> Builder<'b> {
    pub fn new(budget: &'b Budget) -> Self {
        Builder { budget, holds: Vec::new(), held: 0, written: 0, groups: Vec::new(), done: Vec::new() }
    }

    /// Adds a span.
    ///
    /// # Errors
    /// When the budget is used up; what was added stays in the builder.
    pub fn span(&mut self, span: &Span<'_>) -> Result<(), NoBudget> {
        let group = self.group(&span.local.service);
        let before = self.groups[group].to.len();
        write_span(&mut self.groups[group].to, span);
        self.groups[group].spans += 1;
        self.written += self.groups[group].to.len() - before;
        while self.held < self.written {
            let bytes = STEP.max(self.written - self.held);
            self.holds.push(self.budget.take(bytes).ok_or(NoBudget)?);
            self.held += bytes;
        }
        Ok(())
    }

    fn group(&mut self, service: &str) -> usize {
        if let Some(at) = self.groups.iter().rposition(|group| group.service == service) {
            return at;
        }
        if self.groups.len() == GROUPS {
            self.done.push(self.groups.remove(0));
        }
        let mut to = Writer::new();
        write::resource(&mut to, |to| {
            if !service.is_empty() {
                write::text(to, RESOURCE_ATTRIBUTES, key::SERVICE, service);
            }
        });
        let scope = write::begin_scope(&mut to, "", "", |_| {});
        self.groups.push(Group { service: service.to_owned(), to, scope, spans: 0 });
        self.groups.len() - 1
    }

    /// The chunks, in the order of their services' first spans.
    pub fn finish(self) -> Vec<Chunk> {
        let Builder { budget, holds, groups, done, .. } = self;
        // Too much was taken on the way: each chunk takes what it is.
        let chunks: Vec<(Bytes, u32)> = done
            .into_iter()
            .chain(groups)
            .map(|Group { mut to, scope, spans, .. }| {
                to.end(scope);
                (to.into_inner().into(), spans)
            })
            .collect();
        drop(holds);
        chunks
            .into_iter()
            .map(|(bytes, spans)| {
                let identity = identity(&bytes);
                // Freed a moment ago on this thread; without it the chunk is small enough to go on.
                let hold = budget.take(bytes.len());
                Chunk { bytes, spans, identity, hold }
            })
            .collect()
    }
}

fn write_span(to: &mut Writer, span: &Span<'_>) {
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
