//! One series' value in the shape that all writers share.
//!
//! Units are settled here (timers come in milliseconds and leave in seconds), and so is the one count
//! that all lines of a histogram must agree with. It borrows from the registry and must never allocate.
//! Next: `buckets`.

use super::buckets::Filled;
use super::family::Type;
use crate::metrics::Class;
use crate::metrics::points::Exponential;
use crate::metrics::series::{PageDistribution, PageSeries, PageValue};
use crate::metrics::sketch::Sketch;

/// Milliseconds in the unit of the page.
const TIMER_SCALE: f64 = 1_000.0;

#[derive(Clone, Copy, Debug)]
pub(super) enum Point<'a> {
    Single(f64),
    Histogram(Histogram<'a>),
    Summary(Summary<'a>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Histogram<'a> {
    /// Upper bounds in the page's unit, without +Inf.
    pub(super) bounds: &'a [f64],
    pub(super) filled: Filled<'a>,
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) native: NativeOf<'a>,
}

/// What native buckets are made from.
#[derive(Clone, Copy, Debug)]
pub(super) enum NativeOf<'a> {
    /// And what the sketch's values are divided by.
    Sketch(&'a Sketch, f64),
    Exponential(&'a Exponential),
    /// There is no way from bounds of one's own to exponential ones.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Summary<'a> {
    pub(super) quantiles: Quantiles<'a>,
    pub(super) count: u64,
    pub(super) sum: f64,
}

/// Where a summary's quantiles come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Quantiles<'a> {
    /// To be read from a sketch whose values are divided by `scale`.
    Of { asked: &'a [f64], window: Option<&'a Sketch>, scale: f64 },
    /// With their values, ascending.
    Given(&'a [(f64, f64)]),
}

impl<'a> Point<'a> {
    /// `None` when the value does not fit the type, which no registry should ever show.
    pub(super) fn of(series: &PageSeries<'a>, kind: Type) -> Option<Point<'a>> {
        let treatment = series.treatment;
        let scale = if series.class == Class::Timer { TIMER_SCALE } else { 1.0 };
        match (kind, series.value) {
            (Type::Counter | Type::Gauge, PageValue::Counter { total, .. }) => Some(Point::Single(total)),
            (Type::Counter | Type::Gauge, PageValue::Gauge(value) | PageValue::Number(value)) => {
                Some(Point::Single(value))
            }
            (Type::Counter | Type::Gauge, PageValue::Set(members)) => Some(Point::Single(members as f64)),
            (Type::Histogram, PageValue::Distribution(PageDistribution { total, bucket_counts, .. })) => {
                Some(Point::Histogram(Histogram {
                    bounds: treatment.buckets(series.class.like()),
                    filled: Filled::PerBound(bucket_counts),
                    count: whole_count(total),
                    sum: total.sum() / scale,
                    native: NativeOf::Sketch(total, scale),
                }))
            }
            (Type::Histogram, PageValue::Histogram(all)) => Some(Point::Histogram(Histogram {
                bounds: all.bounds,
                filled: Filled::PerBound(all.counts),
                count: all.count,
                sum: all.sum,
                native: NativeOf::Nothing,
            })),
            (Type::Histogram, PageValue::Exponential(all)) => Some(Point::Histogram(Histogram {
                // It has no bounds that people know, so only those that a rule asks for.
                bounds: if treatment.explicit_buckets { &treatment.histogram_buckets } else { &[] },
                filled: Filled::Exponential(all),
                count: Filled::count(all),
                sum: all.sum,
                native: NativeOf::Exponential(all),
            })),
            (Type::Summary, PageValue::Distribution(PageDistribution { total, window, .. })) => {
                Some(Point::Summary(Summary {
                    quantiles: Quantiles::Of { asked: &treatment.percentiles, window, scale },
                    count: whole_count(total),
                    sum: total.sum() / scale,
                }))
            }
            (Type::Summary, PageValue::Summary(all)) => Some(Point::Summary(Summary {
                quantiles: Quantiles::Given(all.quantiles),
                count: all.count,
                sum: all.sum,
            })),
            (Type::Histogram | Type::Summary, _)
            | (
                Type::Counter | Type::Gauge,
                PageValue::Distribution(_)
                | PageValue::Histogram(_)
                | PageValue::Exponential(_)
                | PageValue::Summary(_),
            ) => None,
        }
    }
}

impl Histogram<'_> {
    /// Whether it has no bounds of its own and none that a rule asks for.
    pub(super) fn is_native_only(&self) -> bool {
        self.bounds.is_empty() && matches!(self.native, NativeOf::Exponential(_))
    }
}

impl Summary<'_> {
    /// Quantiles with their values; NaN while the window is empty, as is the custom.
    pub(super) fn values(&self) -> impl Iterator<Item = (f64, f64)> {
        let len = match self.quantiles {
            Quantiles::Of { asked, .. } => asked.len(),
            Quantiles::Given(given) => given.len(),
        };
        let quantile = |i: usize| match self.quantiles {
            Quantiles::Of { asked, .. } => asked[i],
            Quantiles::Given(given) => given[i].0,
        };
        let once = move |i: &usize| {
            let q = quantile(*i);
            (0.0..=1.0).contains(&q) && (0..*i).all(|before| quantile(before) != q)
        };
        (0..len).filter(once).map(|i| match self.quantiles {
            Quantiles::Given(given) => given[i],
            Quantiles::Of { asked, window, scale } => {
                let value = window.and_then(|window| window.quantile(asked[i]));
                (asked[i], value.map_or(f64::NAN, |value| value / scale))
            }
        })
    }
}

/// Samples are weighted, so the exact count may have a fraction; lines show whole counts.
fn whole_count(sketch: &Sketch) -> u64 {
    sketch.bins().map(|(_, n)| n).sum()
}
