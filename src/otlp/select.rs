//! Copies of an encoded message with some of what is counted in it left out: of faulty neighbours, or of halves.
//!
//! What is counted stands two levels down (spans, log records) or, of metrics, four: a metric has its points in
//! one of five messages. They are numbered through the whole message, in their order. Whatever is left without
//! any of them goes; all else is kept as it is. Field numbers as in `walk`.

use super::protobuf::{Fields, Value, Writer};
use super::signal::Signal;

/// What a message is, on the way down to what is counted.
#[derive(Clone, Copy)]
enum Level {
    Resource,
    Scope,
    Metric,
    /// A gauge, sum, histogram, exponential histogram or summary.
    Data,
}

/// What a field is there.
enum Inner<'a> {
    Level(Level, &'a [u8]),
    Counted,
    Other,
}

/// A `ResourceSpans`, `ResourceMetrics` or `ResourceLogs` with what is `wanted` of it, by number.
pub(super) fn select(signal: Signal, resource: &[u8], wanted: &dyn Fn(u32) -> bool) -> Vec<u8> {
    let out = Writer::onto(Vec::with_capacity(resource.len()));
    let mut selection = Selection { signal, wanted, at: 0, out };
    selection.copy(Level::Resource, resource);
    selection.out.into_inner()
}

/// The points of an encoded metric, as far as it can be read: the numbers that they take.
pub(super) fn points(metric: &[u8]) -> u32 {
    let mut selection = Selection { signal: Signal::Metrics, wanted: &|_| false, at: 0, out: Writer::new() };
    selection.copy(Level::Metric, metric);
    selection.at
}

struct Selection<'w> {
    signal: Signal,
    wanted: &'w dyn Fn(u32) -> bool,
    /// The number of the next.
    at: u32,
    out: Writer,
}

impl Selection<'_> {
    /// Copies what is wanted of a message; false when that is nothing.
    fn copy(&mut self, level: Level, message: &[u8]) -> bool {
        let mut any = false;
        let mut fields = Fields::new(message);
        while let Some(Ok((number, value, raw))) = fields.next_raw() {
            match self.inner(level, number, value) {
                Inner::Other => self.out.raw(raw),
                Inner::Counted => {
                    if (self.wanted)(self.at) {
                        self.out.raw(raw);
                        any = true;
                    }
                    self.at += 1;
                }
                Inner::Level(level, message) => {
                    let began = self.out.len();
                    let open = self.out.begin(number, message.len());
                    let some = self.copy(level, message);
                    self.out.end(open);
                    if !some {
                        self.out.truncate(began);
                    }
                    any |= some;
                }
            }
        }
        any
    }

    fn inner<'a>(&self, level: Level, number: u32, value: Value<'a>) -> Inner<'a> {
        let Value::Bytes(message) = value else { return Inner::Other };
        match (level, number) {
            (Level::Resource, 2) => Inner::Level(Level::Scope, message),
            (Level::Scope, 2) if self.signal == Signal::Metrics => Inner::Level(Level::Metric, message),
            (Level::Metric, 5 | 7 | 9 | 10 | 11) => Inner::Level(Level::Data, message),
            (Level::Scope, 2) | (Level::Data, 1) => Inner::Counted,
            (Level::Resource | Level::Scope | Level::Metric | Level::Data, _) => Inner::Other,
        }
    }
}
