//! One series' value in the shape that all writers share.
//!
//! Units are settled here (timers come in milliseconds and leave in seconds), and so is the one count
//! that all lines of a histogram must agree with.

use super::family::Type;
use crate::metrics::series::{PageDistribution, PageSeries, PageValue};
use crate::metrics::sketch::Sketch;
use crate::statsd::Kind;
use std::sync::Arc;

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
    pub(super) bounds: &'a Arc<[f64]>,
    /// Not cumulative.
    pub(super) counts: &'a [u64],
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) sketch: &'a Sketch,
    /// What the sketch's values are divided by.
    pub(super) scale: f64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Summary<'a> {
    pub(super) quantiles: &'a [f64],
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) window: Option<&'a Sketch>,
    pub(super) scale: f64,
}

impl<'a> Point<'a> {
    /// `None` when the value does not fit the type, which no registry should ever show.
    pub(super) fn of(series: &PageSeries<'a>, kind: Type) -> Option<Point<'a>> {
        let scale = if series.kind == Kind::Timer { TIMER_SCALE } else { 1.0 };
        match (kind, series.value) {
            (Type::Counter | Type::Gauge, PageValue::Counter { total, .. }) => Some(Point::Single(total)),
            (Type::Counter | Type::Gauge, PageValue::Gauge(value)) => Some(Point::Single(value)),
            (Type::Counter | Type::Gauge, PageValue::Set(members)) => Some(Point::Single(members as f64)),
            (Type::Histogram, PageValue::Distribution(PageDistribution { total, bucket_counts, .. })) => {
                Some(Point::Histogram(Histogram {
                    bounds: series.treatment.buckets(series.kind),
                    counts: bucket_counts,
                    count: whole_count(total),
                    sum: total.sum() / scale,
                    sketch: total,
                    scale,
                }))
            }
            (Type::Summary, PageValue::Distribution(PageDistribution { total, window, .. })) => {
                Some(Point::Summary(Summary {
                    quantiles: &series.treatment.percentiles,
                    count: whole_count(total),
                    sum: total.sum() / scale,
                    window,
                    scale,
                }))
            }
            (Type::Histogram | Type::Summary, _) | (_, PageValue::Distribution(_)) => None,
        }
    }
}

impl Histogram<'_> {
    /// Bounds with cumulative counts, without +Inf: ascending, none twice, none above `count`.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut cumulative = 0u64;
        let mut last = f64::NEG_INFINITY;
        self.bounds.iter().zip(self.counts).filter_map(move |(bound, n)| {
            cumulative = cumulative.saturating_add(*n);
            let ascends = bound.is_finite() && *bound > last;
            last = if ascends { *bound } else { last };
            ascends.then(|| (*bound, cumulative.min(self.count)))
        })
    }
}

impl Summary<'_> {
    /// Quantiles with their values; NaN while the window is empty, as is the custom.
    pub(super) fn values(&self) -> impl Iterator<Item = (f64, f64)> {
        let once = |(i, q): &(usize, &f64)| (0.0..=1.0).contains(*q) && !self.quantiles[..*i].contains(q);
        self.quantiles.iter().enumerate().filter(once).map(|(_, q)| {
            let value = self.window.and_then(|window| window.quantile(*q));
            (*q, value.map_or(f64::NAN, |value| value / self.scale))
        })
    }
}

/// Samples are weighted, so the exact count may have a fraction; lines show whole counts.
fn whole_count(sketch: &Sketch) -> u64 {
    sketch.bins().map(|(_, n)| n).sum()
}
