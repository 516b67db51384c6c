//! Datadog's trace model, and its mapping to and from OTLP: pure, without I/O.
//!
//! One structure for what every version of the tracers' protocol carries, borrowed from the request's body,
//! made for one trace at a time and gone before the next. Source: `pkg/proto/datadog/trace/*.proto` of the
//! Datadog agent; the mapping's tables are in `docs/traces.md`.

pub mod decode;
pub mod from_otlp;
mod names;
pub mod normalize;
pub mod to_otlp;

use std::borrow::Cow;

/// What a request says of its sender: the body of v0.7 and v1.0, the headers of older versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sender<'a> {
    pub container_id: Cow<'a, str>,
    pub language: Cow<'a, str>,
    pub language_version: Cow<'a, str>,
    pub tracer_version: Cow<'a, str>,
    pub runtime_id: Cow<'a, str>,
    pub env: Cow<'a, str>,
    pub hostname: Cow<'a, str>,
    pub app_version: Cow<'a, str>,
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Spans of one trace as one tracer sent them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace<'a> {
    /// Sampling priority, where the protocol has it beside the spans (v0.7, v1.0).
    pub priority: Option<i32>,
    pub origin: Cow<'a, str>,
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub dropped: bool,
    pub spans: Vec<Span<'a>>,
}

/// One span; times are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span<'a> {
    pub service: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub resource: Cow<'a, str>,
    pub kind: Cow<'a, str>,
    pub trace_id: u64,
    /// The upper half of a 128-bit id where the protocol has it (v1.0); else `_dd.p.tid` in `meta`.
    pub trace_id_high: u64,
    pub span_id: u64,
    pub parent_id: u64,
    pub start: i64,
    pub duration: i64,
    pub error: i32,
    pub meta: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub metrics: Vec<(Cow<'a, str>, f64)>,
    /// msgpack values.
    pub meta_struct: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    pub links: Vec<Link<'a>>,
    pub events: Vec<Event<'a>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link<'a> {
    pub trace_id: u64,
    pub trace_id_high: u64,
    pub span_id: u64,
    pub attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub tracestate: Cow<'a, str>,
    /// Bit 31 is set where flags were given.
    pub flags: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event<'a> {
    pub time_ns: u64,
    pub name: Cow<'a, str>,
    pub attributes: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// The value of an event's attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    List(Vec<Value<'a>>),
}
