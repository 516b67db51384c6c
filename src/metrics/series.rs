//! What a series looks like to those that read it: the `/metrics` page and the push backends.
//!
//! Plain data, no behaviour beyond reading. It must never say how a backend names or formats things.

use super::class::Class;
use super::points::{Exponential, Meta};
use super::sketch::Sketch;
use crate::config::HistogramStyle;
use crate::statsd::Kind;
use std::sync::Arc;
use std::time::Duration;

/// A context's name and tags, as one text: the name, then each tag behind a `\n`. Tags are sorted by
/// their bytes and free of duplicates; neither name nor tags hold control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key<'a>(pub &'a str);

impl<'a> Key<'a> {
    pub fn name(self) -> &'a str {
        match memchr::memchr(b'\n', self.0.as_bytes()) {
            Some(at) => &self.0[..at],
            None => self.0,
        }
    }

    /// Every tag as it came, `key:value` or bare.
    pub fn tags(self) -> impl Iterator<Item = &'a str> + Clone {
        let mut rest = self.0.get(self.name().len() + 1..);
        std::iter::from_fn(move || {
            let all = rest?;
            // A byte search: every tag of every new context and of every line of a page passes here.
            match memchr::memchr(b'\n', all.as_bytes()) {
                Some(at) => {
                    rest = Some(&all[at + 1..]);
                    Some(&all[..at])
                }
                None => rest.take(),
            }
        })
    }

    /// Every tag as key and value; a bare tag has none. The value may hold further colons.
    pub fn pairs(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone {
        self.tags().map(|tag| match tag.split_once(':') {
            Some((key, value)) => (key, Some(value)),
            None => (tag, None),
        })
    }
}

/// How the contexts under one rule are treated; index 0 of the registry's list is the default.
#[derive(Clone, Debug, PartialEq)]
pub struct Treatment {
    pub ttl: Option<Duration>,
    /// Upper bounds as shown on the page, ascending, without +Inf: seconds for timers.
    pub timer_buckets: Arc<[f64]>,
    pub histogram_buckets: Arc<[f64]>,
    /// Whether the bounds were asked for by a rule (then push backends send them, too).
    pub explicit_buckets: bool,
    pub percentiles: Arc<[f64]>,
    pub style: HistogramStyle,
    pub help: Option<Arc<str>>,
    pub unit: Option<Arc<str>>,
}

impl Treatment {
    /// The bounds that hold for a kind.
    pub fn buckets(&self, kind: Kind) -> &Arc<[f64]> {
        if kind == Kind::Timer { &self.timer_buckets } else { &self.histogram_buckets }
    }
}

/// One series as the `/metrics` page reads it: running values since `start_ns`.
#[derive(Clone, Copy, Debug)]
pub struct PageSeries<'a> {
    /// Order of creation: of two that collide, the one with the larger number is the later.
    pub born: u64,
    pub key: Key<'a>,
    pub class: Class,
    pub treatment: &'a Treatment,
    /// What the metric says of itself; StatsD's say nothing.
    pub meta: Option<&'a Meta>,
    /// When the context began, in nanoseconds since the epoch.
    pub start_ns: u64,
    pub value: PageValue<'a>,
}

/// A value on the page.
#[derive(Clone, Copy, Debug)]
pub enum PageValue<'a> {
    /// The running total; not monotonic once a negative value came.
    Counter {
        total: f64,
        monotonic: bool,
    },
    Gauge(f64),
    /// Members seen in the last closed window.
    Set(u64),
    Distribution(PageDistribution<'a>),
    /// A number of OTLP: of a sum, the running total.
    Number(f64),
    Histogram(PageHistogram<'a>),
    Exponential(&'a Exponential),
    Summary(PageSummary<'a>),
}

/// A timer (values in milliseconds), histogram or distribution on the page.
#[derive(Clone, Copy, Debug)]
pub struct PageDistribution<'a> {
    /// Everything since the context began; `count`, `sum`, `min`, `max` are exact.
    pub total: &'a Sketch,
    /// Not cumulative; one per bound of `treatment.buckets(kind)` and one for +Inf. Exact.
    /// Empty when the treatment's style is `Summary`.
    pub bucket_counts: &'a [u64],
    /// The sliding window of summaries; `None` when the style is `Histogram`.
    pub window: Option<&'a Sketch>,
}

/// A histogram of OTLP with its own bounds.
#[derive(Clone, Copy, Debug)]
pub struct PageHistogram<'a> {
    /// Upper bounds, ascending, without +Inf.
    pub bounds: &'a [f64],
    /// Not cumulative; one per bound and one for +Inf. They add up to `count`.
    pub counts: &'a [u64],
    pub count: u64,
    /// 0 where the app sends none.
    pub sum: f64,
}

/// A summary of OTLP.
#[derive(Clone, Copy, Debug)]
pub struct PageSummary<'a> {
    /// Quantiles from 0 to 1 with their values, as the app computed them last.
    pub quantiles: &'a [(f64, f64)],
    pub count: u64,
    pub sum: f64,
}

/// One flush window (or a part of a large one), immutable, shared by all push backends.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The window's bounds in nanoseconds since the epoch.
    pub start_ns: u64,
    pub end_ns: u64,
    pub series: Vec<Series>,
    /// Global facts for the resource of a payload: sorted `key`, `value`.
    pub resource: Arc<[(String, String)]>,
}

/// One series of a snapshot.
#[derive(Clone, Debug)]
pub struct Series {
    /// See [`Key`].
    pub key: Box<str>,
    pub kind: Kind,
    pub treatment: Arc<Treatment>,
    /// When the context began (start of cumulative values), in nanoseconds since the epoch.
    pub start_ns: u64,
    /// The client's own time for a point that skipped aggregation.
    pub time_ns: Option<u64>,
    pub value: Value,
}

/// What a series did in its window.
#[derive(Clone, Debug)]
pub enum Value {
    /// `total` includes `delta`. Not monotonic once a negative value came.
    Counter {
        delta: f64,
        total: f64,
        monotonic: bool,
    },
    Gauge(f64),
    Set(u64),
    Distribution(Box<Distribution>),
}

/// A timer (milliseconds), histogram or distribution in its window.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    pub delta: Sketch,
    /// Present when a backend asked for cumulative values.
    pub total: Option<Sketch>,
    /// Present when a rule set explicit buckets: counts per bound of `treatment.buckets(kind)` and
    /// one for +Inf, in this window and since the start.
    pub buckets: Option<BucketCounts>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct BucketCounts {
    pub delta: Vec<u64>,
    pub total: Vec<u64>,
}

impl Series {
    pub fn key(&self) -> Key<'_> {
        Key(&self.key)
    }
}

impl Snapshot {
    /// Roughly what it holds in memory, in bytes: what a queue counts.
    pub fn bytes(&self) -> usize {
        let series = |s: &Series| {
            let inside = match &s.value {
                Value::Distribution(d) => {
                    size_of::<Distribution>()
                        + d.delta.heap_bytes()
                        + d.total.as_ref().map_or(0, Sketch::heap_bytes)
                }
                Value::Counter { .. } | Value::Gauge(_) | Value::Set(_) => 0,
            };
            size_of::<Series>() + s.key.len() + inside
        };
        size_of::<Self>() + self.series.iter().map(series).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_splits_into_name_and_tags() {
        let key = Key("page.views\na\nenv:dev\nurl:http://x");
        assert_eq!(key.name(), "page.views");
        assert_eq!(key.tags().collect::<Vec<_>>(), ["a", "env:dev", "url:http://x"]);
        let pairs: Vec<_> = key.pairs().collect();
        assert_eq!(pairs, [("a", None), ("env", Some("dev")), ("url", Some("http://x"))]);
        assert_eq!(Key("alone").tags().count(), 0);
    }
}
