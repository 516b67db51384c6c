//! OTLP's spans as Zipkin's JSON, written in place.
//!
//! What Zipkin has no field for becomes a tag: attributes of the resource and the span, the scope, the
//! status, `tracestate`; events become annotations, links tags `otlp.link.N`. A span that came from Zipkin
//! comes out as it came in.

use super::key;
use crate::otlp::view::{Attributes, Event, ResourceSpans, Scope, Span, Value};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Writes all spans of an encoded `ResourceSpans` as JSON objects, each behind a comma but the first of `out`
/// that follows a `[`. Returns how many.
pub fn write(resource_spans: &[u8], out: &mut Vec<u8>) -> u64 {
    let view = ResourceSpans::read(resource_spans);
    let mut spans = 0;
    for scope in view.scopes() {
        for span in scope.spans() {
            if out.last().is_some_and(|last| *last != b'[') {
                out.push(b',');
            }
            Object { out }.span(&view, &scope.scope, &span);
            spans += 1;
        }
    }
    spans
}

/// An object that is being written.
struct Object<'o> {
    out: &'o mut Vec<u8>,
}

/// One side of a call as attributes tell it.
#[derive(Default)]
struct Side<'a> {
    service: &'a str,
    address: &'a str,
    ipv6: &'a str,
    port: i64,
}

impl Object<'_> {
    fn span(mut self, resource_spans: &ResourceSpans<'_>, scope: &Scope<'_>, span: &Span<'_>) {
        self.out.push(b'{');
        // A padded id was made of 64 bits: so it goes on.
        let trace_id = span.trace_id.strip_prefix(&[0; 8]).unwrap_or(span.trace_id);
        self.id("traceId", trace_id);
        self.id("id", span.span_id);
        if !span.parent_span_id.is_empty() {
            self.id("parentId", span.parent_span_id);
        }
        if !span.name.is_empty() {
            self.text("name", span.name);
        }
        let kind = match span.kind {
            2 => "SERVER",
            3 => "CLIENT",
            4 => "PRODUCER",
            5 => "CONSUMER",
            _ => "",
        };
        if !kind.is_empty() {
            self.text("kind", kind);
        }
        self.times(span);
        let (mut local, mut remote) = (Side::default(), Side::default());
        local.service = resource_spans.resource.attributes.text(key::SERVICE).unwrap_or_default();
        for (name, value) in span.attributes.iter() {
            match (name, value) {
                (key::LOCAL_ADDRESS, Value::Text(text)) => local.address = text,
                (key::LOCAL_IPV6, Value::Text(text)) => local.ipv6 = text,
                (key::LOCAL_PORT, Value::Int(port)) => local.port = port,
                (key::PEER_SERVICE, Value::Text(text)) => remote.service = text,
                (key::PEER_ADDRESS, Value::Text(text)) => remote.address = text,
                (key::PEER_IPV6, Value::Text(text)) => remote.ipv6 = text,
                (key::PEER_PORT, Value::Int(port)) => remote.port = port,
                (key::DEBUG, Value::Bool(true)) => self.raw("debug", "true"),
                (key::SHARED, Value::Bool(true)) => self.raw("shared", "true"),
                _ => {}
            }
        }
        self.side("localEndpoint", &local);
        self.side("remoteEndpoint", &remote);
        self.annotations(span.events());
        self.tags(resource_spans, scope, span);
        self.out.push(b'}');
    }

    fn times(&mut self, span: &Span<'_>) {
        if span.start_ns > 0 {
            self.raw("timestamp", &(span.start_ns / 1_000).max(1).to_string());
        }
        let without_start = span.attributes.get(key::DURATION);
        let duration = match (span.start_ns, without_start) {
            (0, Some(Value::Int(micros))) => u64::try_from(micros).unwrap_or(0),
            (0, _) => 0,
            // Zipkin knows no duration of 0: what is shorter than a microsecond is one.
            (start, _) => span.end_ns.saturating_sub(start).div_ceil(1_000),
        };
        if duration > 0 {
            self.raw("duration", &duration.to_string());
        }
    }

    fn side(&mut self, name: &str, side: &Side<'_>) {
        let port = u16::try_from(side.port).ok().filter(|port| *port > 0);
        let [v4, v6] = addresses(side);
        if side.service.is_empty() && v4.is_empty() && v6.is_empty() && port.is_none() {
            return;
        }
        self.key(name);
        self.out.push(b'{');
        for (name, text) in [("serviceName", side.service), ("ipv4", v4), ("ipv6", v6)] {
            if !text.is_empty() {
                self.text(name, text);
            }
        }
        if let Some(port) = port {
            self.raw("port", &port.to_string());
        }
        self.out.push(b'}');
    }

    fn annotations<'a>(&mut self, events: impl Iterator<Item = Event<'a>>) {
        let mut first = true;
        for event in events {
            if first {
                self.key("annotations");
                self.out.push(b'[');
            } else {
                self.out.push(b',');
            }
            first = false;
            self.out.push(b'{');
            self.raw("timestamp", &(event.time_ns / 1_000).to_string());
            match event.attributes.iter().next() {
                None => self.text("value", event.name),
                Some(_) => {
                    let mut value = Vec::new();
                    quote(event.name, &mut value);
                    value.push(b':');
                    json_map(event.attributes, &mut value);
                    self.text("value", &String::from_utf8_lossy(&value));
                }
            }
            self.out.push(b'}');
        }
        if !first {
            self.out.push(b']');
        }
    }

    fn tags(&mut self, resource_spans: &ResourceSpans<'_>, scope: &Scope<'_>, span: &Span<'_>) {
        let begin = self.out.len();
        self.key("tags");
        self.out.push(b'{');
        let empty = self.out.len();
        let own = span.attributes;
        for (name, value) in own.iter() {
            if let Some(name) = tag_of(name, &value) {
                self.tag(name, &value);
            }
        }
        // What is not the span's own gives way to the span's.
        let absent = |name: &str| own.get(name).is_none();
        for (name, value) in resource_spans.resource.attributes.iter() {
            if name != key::SERVICE && absent(name) {
                self.tag(name, &value);
            }
        }
        for (name, text) in [("otel.scope.name", scope.name), ("otel.scope.version", scope.version)] {
            if !text.is_empty() && absent(name) {
                self.text(name, text);
            }
        }
        if !span.trace_state.is_empty() {
            self.text(key::TRACE_STATE, span.trace_state);
        }
        if span.flags != 0 {
            self.text(key::TRACE_FLAGS, &format!("{:02x}", span.flags));
        }
        if absent(key::ERROR) && absent(key::STATUS_CODE) {
            match span.status {
                1 => self.text(key::STATUS_CODE, "OK"),
                2 => {
                    self.text(key::STATUS_CODE, "ERROR");
                    self.text(
                        key::ERROR,
                        if span.status_message.is_empty() { "true" } else { span.status_message },
                    );
                }
                _ => {}
            }
        }
        for (number, link) in span.links().enumerate() {
            let mut text = hex(link.trace_id);
            let _ = write!(text, "|{}|{}|", hex(link.span_id), link.trace_state);
            let mut attributes = Vec::new();
            json_map(link.attributes, &mut attributes);
            text.push_str(&String::from_utf8_lossy(&attributes));
            self.text(&format!("otlp.link.{number}"), &text);
        }
        if self.out.len() == empty {
            self.out.truncate(begin);
        } else {
            self.out.push(b'}');
        }
    }

    fn tag(&mut self, name: &str, value: &Value<'_>) {
        match value {
            Value::Text(text) => self.text(name, text),
            other => {
                let mut text = Vec::new();
                json(other, &mut text);
                let text = String::from_utf8_lossy(&text);
                self.text(name, text.trim_matches('"'));
            }
        }
    }

    fn key(&mut self, key: &str) {
        if self.out.last().is_some_and(|last| *last != b'{') {
            self.out.push(b',');
        }
        quote(key, self.out);
        self.out.push(b':');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        quote(text, self.out);
    }

    fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.out.extend_from_slice(json.as_bytes());
    }

    fn id(&mut self, key: &str, id: &[u8]) {
        self.text(key, &hex(id));
    }
}

/// The tag that an attribute becomes; `None` where it stands in a field.
fn tag_of<'a>(name: &'a str, value: &Value<'_>) -> Option<&'a str> {
    if let Some(tag) = name.strip_prefix(key::TAG) {
        return Some(tag);
    }
    let in_a_field = match value {
        // What is no address, such as the path of a socket, has no place in an endpoint.
        Value::Text(text) if matches!(name, key::LOCAL_ADDRESS | key::PEER_ADDRESS) => {
            text.parse::<IpAddr>().is_ok()
        }
        Value::Text(_) => matches!(name, key::LOCAL_IPV6 | key::PEER_SERVICE | key::PEER_IPV6),
        Value::Int(port) if matches!(name, key::LOCAL_PORT | key::PEER_PORT) => {
            (1..=i64::from(u16::MAX)).contains(port)
        }
        Value::Int(_) => name == key::DURATION,
        Value::Bool(true) => matches!(name, key::DEBUG | key::SHARED),
        _ => false,
    };
    (!in_a_field).then_some(name)
}

/// `ipv4` and `ipv6` of a side.
fn addresses<'a>(side: &Side<'a>) -> [&'a str; 2] {
    match (side.address.parse::<IpAddr>(), side.ipv6) {
        (Ok(IpAddr::V6(_)), "") => ["", side.address],
        (Ok(IpAddr::V4(_)), v6) => [side.address, v6],
        (_, v6) => ["", v6],
    }
}

fn json(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Empty => {}
        Value::Text(text) => quote(text, out),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Double(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Bytes(bytes) => quote(&hex(bytes), out),
        Value::List(values) => {
            out.push(b'[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                json_or_null(&value, out);
            }
            out.push(b']');
        }
        Value::Map(attributes) => json_map(*attributes, out),
    }
}

fn json_or_null(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Empty => out.extend_from_slice(b"null"),
        Value::Double(number) if !number.is_finite() => quote(&number.to_string(), out),
        other => json(other, out),
    }
}

fn json_map(attributes: Attributes<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (name, value)) in attributes.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        quote(name, out);
        out.push(b':');
        json_or_null(&value, out);
    }
    out.push(b'}');
}

fn quote(text: &str, out: &mut Vec<u8>) {
    // Writing text into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(digits).map(char::from).collect()
}
