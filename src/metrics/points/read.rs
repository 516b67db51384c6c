//! The four forms of a point behind one face: what names it, when it is from, and its value.

use super::tally::LeftOut;
use super::total::Amount;
use crate::metrics::Class;
use crate::otlp::view::Attributes;
use crate::otlp::view::metrics::{
    Data, ExponentialPoint, HistogramPoint, Metric, Number, NumberPoint, Point, ScopeMetrics, SummaryPoint,
    Temporality,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// When a point is from, in Unix nanoseconds, 0 where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) start_ns: u64,
    pub(super) time_ns: u64,
}

/// How the points of a stream follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accumulation {
    /// The last one counts.
    Last,
    Delta,
    Cumulative,
}

/// A point beside its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) attributes: Attributes<'a>,
    pub(super) times: Times,
    /// The app says that there is no value.
    pub(super) ended: bool,
}

/// A point's value, one for each form of it; their memory is used again.
#[derive(Debug)]
pub(super) struct Scratch {
    number: Amount,
    histogram: Amount,
    exponential: Amount,
    summary: Amount,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch {
            number: Amount::Number(0.0),
            histogram: Amount::Histogram(Box::default()),
            exponential: Amount::Exponential(Box::default()),
            summary: Amount::Summary(Box::default()),
        }
    }
}

/// A point of some form.
pub(super) trait Reading<'a>: Point<'a> {
    fn facts(&self) -> Facts<'a>;

    /// Takes over the value.
    fn read_into(&self, amount: &mut Amount, class: Class) -> Result<(), LeftOut>;

    /// Where values of this form are read into.
    fn scratch(all: &mut Scratch) -> &mut Amount;

    /// The value, if it is a whole number and sent as one.
    fn whole(&self) -> Option<i64> {
        None
    }

    /// Whether there is a sum, of those that may have none.
    fn has_sum(&self) -> bool {
        true
    }
}

/// The class of a metric's series, and how its points follow each other; `None` when it does not say.
pub(super) fn kind(data: &Data<'_>) -> (Class, Option<Accumulation>) {
    let how = |temporality: Temporality| match temporality {
        Temporality::Unspecified => None,
        Temporality::Delta => Some(Accumulation::Delta),
        Temporality::Cumulative => Some(Accumulation::Cumulative),
    };
    match data {
        Data::None | Data::Gauge(_) => (Class::OtlpGauge, Some(Accumulation::Last)),
        Data::Sum { temporality, monotonic: true, .. } => (Class::OtlpSum, how(*temporality)),
        Data::Sum { temporality, monotonic: false, .. } => (Class::OtlpUpDownSum, how(*temporality)),
        Data::Histogram { temporality, .. } => (Class::OtlpHistogram, how(*temporality)),
        Data::Exponential { temporality, .. } => (Class::OtlpExponentialHistogram, how(*temporality)),
        Data::Summary(_) => (Class::OtlpSummary, Some(Accumulation::Cumulative)),
    }
}

/// What names a scope, within its resource.
pub(super) fn scope_hash(scope: &ScopeMetrics<'_>, resource: u64) -> u64 {
    let hash = xxh3_64_with_seed(scope.schema_url.as_bytes(), resource);
    xxh3_64_with_seed(scope.scope.raw, hash)
}

/// What names a metric, within its scope.
pub(super) fn metric_hash(metric: &Metric<'_>, class: Class, how: Option<Accumulation>, scope: u64) -> u64 {
    let hash = xxh3_64_with_seed(metric.name.as_bytes(), scope ^ class as u64);
    xxh3_64_with_seed(metric.unit.as_bytes(), hash ^ how.map_or(0, |how| 1 + how as u64))
}

/// What names a point, within its metric: attributes have no order.
pub(super) fn hash(attributes: &Attributes<'_>, metric: u64) -> u64 {
    attributes.raw().fold(metric, |hash, pair| hash.wrapping_add(xxh3_64_with_seed(pair, metric)))
}

macro_rules! facts {
    ($point:expr) => {
        Facts {
            attributes: $point.attributes,
            times: Times { start_ns: $point.start_ns, time_ns: $point.time_ns },
            ended: $point.no_recorded_value(),
        }
    };
}

impl<'a> Reading<'a> for NumberPoint<'a> {
    fn facts(&self) -> Facts<'a> {
        facts!(self)
    }

    fn read_into(&self, amount: &mut Amount, class: Class) -> Result<(), LeftOut> {
        let value = self.value.ok_or(LeftOut::BadValue)?.as_f64();
        let fits = match class {
            Class::OtlpSum => value.is_finite() && value >= 0.0,
            Class::OtlpUpDownSum => value.is_finite(),
            _ => true,
        };
        *amount = Amount::Number(value);
        if fits { Ok(()) } else { Err(LeftOut::BadValue) }
    }

    fn scratch(all: &mut Scratch) -> &mut Amount {
        &mut all.number
    }

    fn whole(&self) -> Option<i64> {
        match self.value? {
            Number::Int(number) => Some(number),
            Number::Double(_) => None,
        }
    }
}

impl<'a> Reading<'a> for HistogramPoint<'a> {
    fn facts(&self) -> Facts<'a> {
        facts!(self)
    }

    fn read_into(&self, amount: &mut Amount, _: Class) -> Result<(), LeftOut> {
        match amount {
            Amount::Histogram(histogram) => histogram.read(self).ok_or(LeftOut::BadBuckets),
            _ => Err(LeftOut::BadBuckets),
        }
    }

    fn scratch(all: &mut Scratch) -> &mut Amount {
        &mut all.histogram
    }

    fn has_sum(&self) -> bool {
        self.sum.is_some()
    }
}

impl<'a> Reading<'a> for ExponentialPoint<'a> {
    fn facts(&self) -> Facts<'a> {
        facts!(self)
    }

    fn read_into(&self, amount: &mut Amount, _: Class) -> Result<(), LeftOut> {
        match amount {
            Amount::Exponential(exponential) => exponential.read(self).ok_or(LeftOut::BadBuckets),
            _ => Err(LeftOut::BadBuckets),
        }
    }

    fn scratch(all: &mut Scratch) -> &mut Amount {
        &mut all.exponential
    }

    fn has_sum(&self) -> bool {
        self.sum.is_some()
    }
}

impl<'a> Reading<'a> for SummaryPoint<'a> {
    fn facts(&self) -> Facts<'a> {
        facts!(self)
    }

    fn read_into(&self, amount: &mut Amount, _: Class) -> Result<(), LeftOut> {
        match amount {
            Amount::Summary(summary) => summary.read(self).ok_or(LeftOut::BadBuckets),
            _ => Err(LeftOut::BadBuckets),
        }
    }

    fn scratch(all: &mut Scratch) -> &mut Amount {
        &mut all.summary
    }
}
