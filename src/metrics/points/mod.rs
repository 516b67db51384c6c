//! OTLP's data points as series of the registry, beside StatsD's: rules, limits and expiry hold alike.
//!
//! A checked `ResourceMetrics` message is read in place. A point finds its stream by a hash of the bytes that name
//! it, and the stream its series; names, labels and rules cost once for each stream (`key`). What a point adds to
//! the series is decided by the stream (`stream`) and done by `total`. No point is lost without a reason in
//! `tally`; the registry is held for one point at a time.

mod convert;
mod exponential;
mod histogram;
mod key;
mod meta;
mod name;
mod read;
mod standing;
mod stream;
mod summary;
mod take;
mod tally;
mod targets;
#[cfg(test)]
mod tests;
mod total;
mod withdraw;
mod write;

pub use convert::{Conversion, Converted, Converter, Unconverted};
pub use exponential::{Exponential, Side, bound};
pub use meta::Meta;
pub use tally::{LeftOut, PointTally, Remark};
pub use targets::Target;
pub(super) use total::Total;

use super::aggregator::Aggregator;
use super::class::Class;
use crate::otlp::view::metrics::{self as view, Data, Metric, ResourceMetrics};
use key::Around;
use meta::Metas;
use parking_lot::Mutex;
use read::{Accumulation, Reading, Scratch};
use std::borrow::Cow;
use std::cell::OnceCell;
use stream::Streams;
use targets::Targets;
use total::Amount;
use withdraw::UpDowns;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One point in so many is counted for the names with the most messages.
const TOP_EVERY: u64 = 32;

/// The way of OTLP's points into the registry.
#[derive(Debug)]
pub struct Points {
    aggregator: Aggregator,
    taking: Mutex<Taking>,
    targets: Mutex<Targets>,
    tally: PointTally,
}

/// What is kept from point to point.
#[derive(Debug)]
struct Taking {
    streams: Streams,
    up_downs: UpDowns,
    metas: Metas,
    scratch: Scratch,
}

/// A metric whose points are being taken.
struct Taken<'a> {
    around: &'a Around<'a>,
    metric: &'a Metric<'a>,
    class: Class,
    /// `None` when it does not say.
    how: Option<Accumulation>,
    unit: Cow<'static, str>,
    /// Of all that names the metric.
    hash: u64,
    now_ns: u64,
}

impl Points {
    pub fn new(aggregator: Aggregator) -> Points {
        let streams = Streams::new(aggregator.inner().forms_limit);
        let (up_downs, metas, scratch) = Default::default();
        let taking = Taking { streams, up_downs, metas, scratch };
        Points {
            aggregator,
            taking: Mutex::new(taking),
            targets: Mutex::default(),
            tally: PointTally::default(),
        }
    }

    /// Takes all points of an encoded, checked `ResourceMetrics` message.
    pub fn take(&self, resource_metrics: &[u8], now_ns: u64) {
        let all = ResourceMetrics::read(resource_metrics);
        let key = self.aggregator.inner().key;
        self.targets.lock().see(&all.resource, key, now_ns);
        let resource_hash = xxh3_64_with_seed(all.resource.raw, key);
        let mut taking = self.taking.lock();
        let Taking { streams, up_downs, .. } = &mut *taking;
        self.withdraw_silent(streams, up_downs);
        let identity = OnceCell::new();
        for scope in all.scopes() {
            let (resource, identity) = (&all.resource, &identity);
            let around = Around { resource, identity, scope: &scope, tags: OnceCell::new() };
            let scope_hash = read::scope_hash(&scope, resource_hash);
            for metric in scope.metrics() {
                let (class, how) = read::kind(&metric.data);
                let hash = read::metric_hash(&metric, class, how, scope_hash);
                let unit = name::unit_in_words(metric.unit, class);
                let (around, metric) = (&around, &metric);
                self.take_metric(&mut taking, &Taken { around, metric, class, how, unit, hash, now_ns });
            }
        }
    }

    pub fn tally(&self) -> &PointTally {
        &self.tally
    }

    /// The resources that metrics came from.
    pub fn targets(&self) -> Vec<Target> {
        self.targets.lock().shown()
    }

    /// Resources whose attributes are not shown, for want of room.
    pub fn targets_dropped(&self) -> u64 {
        self.targets.lock().dropped
    }

    /// Streams that are known.
    pub fn streams(&self) -> usize {
        self.taking.lock().streams.len()
    }

    fn take_metric(&self, taking: &mut Taking, taken: &Taken<'_>) {
        match taken.metric.data {
            Data::None => {}
            Data::Gauge(points) | Data::Sum { points, .. } => self.take_points(taking, taken, points),
            Data::Histogram { points, .. } => self.take_points(taking, taken, points),
            Data::Exponential { points, .. } => self.take_points(taking, taken, points),
            Data::Summary(points) => self.take_points(taking, taken, points),
        }
    }

    fn take_points<'a, P: Reading<'a>>(
        &self,
        taking: &mut Taking,
        taken: &Taken<'_>,
        points: view::Points<'a, P>,
    ) {
        for point in points.iter() {
            let facts = point.facts();
            let hash = read::hash(&facts.attributes, taken.hash);
            let scratch = P::scratch(&mut taking.scratch);
            let read = if facts.ended { Ok(()) } else { point.read_into(scratch, taken.class) };
            let mut now = std::mem::replace(scratch, Amount::Number(0.0));
            match read.and_then(|()| self.take_point(taking, taken, &facts, hash, &mut now)) {
                Ok(()) => {
                    if self.tally.show().is_multiple_of(TOP_EVERY) {
                        self.count_for_top(taking, hash, TOP_EVERY);
                    }
                }
                Err(why) => self.tally.leave_out(why),
            }
            *P::scratch(&mut taking.scratch) = now;
        }
    }
}
