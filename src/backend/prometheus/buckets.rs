//! Classic buckets: how many values lie at or below each bound, from counts for each bound or from exponential
//! buckets.
//!
//! An exponential bucket counts whole, in the classic bucket that holds its upper bound: counts stay whole, and
//! no value is shown below a bound that it may be above. Nothing is allocated: a page reads them under the
//! registry's lock. Next: `text`.

use super::point::Histogram;
use crate::metrics::points::{Exponential, bound};

/// What the buckets are counted from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filled<'a> {
    /// Not cumulative; one for each bound and one for +Inf.
    PerBound(&'a [u64]),
    Exponential(&'a Exponential),
}

impl Filled<'_> {
    /// What the buckets of an exponential histogram add up to.
    pub(super) fn count(all: &Exponential) -> u64 {
        let sides = all.positive.counts.iter().chain(&all.negative.counts);
        sides.fold(all.zero_count, |count, n| count.saturating_add(*n))
    }
}

impl<'a> Histogram<'a> {
    /// Bounds with cumulative counts, without +Inf: ascending, none twice, none above `count`.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + use<'a> {
        let mut below = Below { filled: self.filled, next: 0, count: 0 };
        let (mut ascends, most) = (ascending(), self.count);
        self.bounds.iter().enumerate().filter_map(move |(at, bound)| {
            let n = below.count(at, *bound)?;
            ascends(*bound).then(|| (*bound, n.min(most)))
        })
    }
}

/// Says of one bound after the other whether it is shown.
pub(super) fn ascending() -> impl FnMut(f64) -> bool {
    let mut last = f64::NEG_INFINITY;
    move |bound| {
        let ascends = bound.is_finite() && bound > last;
        last = if ascends { bound } else { last };
        ascends
    }
}

/// Counts upwards.
struct Below<'a> {
    filled: Filled<'a>,
    /// The first exponential bucket that is not counted yet.
    next: usize,
    count: u64,
}

impl Below<'_> {
    /// Values up to the bound at `at`; `None` when nothing was counted for it.
    fn count(&mut self, at: usize, bound: f64) -> Option<u64> {
        match self.filled {
            Filled::PerBound(counts) => self.count = self.count.saturating_add(*counts.get(at)?),
            Filled::Exponential(all) => {
                while let Some(n) = bucket(all, self.next) {
                    if n > 0 && upper(all, self.next) > bound {
                        break;
                    }
                    self.count = self.count.saturating_add(n);
                    self.next += 1;
                }
            }
        }
        Some(self.count)
    }
}

/// The count of the bucket at a place: those of the negative side from the lowest values on, zero, the positive.
fn bucket(all: &Exponential, at: usize) -> Option<u64> {
    let negatives = all.negative.counts.len();
    match at.checked_sub(negatives) {
        None => all.negative.counts.get(negatives - 1 - at).copied(),
        Some(0) => Some(all.zero_count),
        Some(at) => all.positive.counts.get(at - 1).copied(),
    }
}

/// The upper bound of the bucket at a place.
fn upper(all: &Exponential, at: usize) -> f64 {
    let negatives = all.negative.counts.len();
    match at.checked_sub(negatives) {
        None => -bound(i64::from(all.negative.offset) + (negatives - 1 - at) as i64, all.scale),
        Some(0) => all.zero_threshold,
        Some(at) => bound(i64::from(all.positive.offset) + at as i64, all.scale),
    }
}

#[cfg(test)]
mod tests {
    use super::super::point::NativeOf;
    use super::*;
    use crate::metrics::points::Side;
    use proptest::prelude::*;

    fn cumulative(all: &Exponential, bounds: &[f64]) -> Vec<(f64, u64)> {
        let count = Filled::count(all);
        let native = NativeOf::Exponential(all);
        Histogram { bounds, filled: Filled::Exponential(all), count, sum: 0.0, native }.buckets().collect()
    }

    #[test]
    fn a_bucket_counts_where_its_upper_bound_is() {
        // (-4, -2] 3, (-2, -1] 2, zero 5, (0.5, 1] 1, (1, 2] 7, (4, 8] 9
        let all = Exponential {
            scale: 0,
            zero_count: 5,
            positive: Side { offset: -1, counts: vec![1, 7, 0, 9] },
            negative: Side { offset: 0, counts: vec![2, 3] },
            ..Exponential::default()
        };
        let bounds = [-2.0, -1.5, -1.0, 0.0, 0.75, 1.0, 1.9, 2.0, 7.0, 8.0];
        let counts = [3, 3, 5, 10, 10, 11, 11, 18, 18, 27];
        let all_bounds: Vec<_> = bounds.into_iter().zip(counts).collect();
        assert_eq!(cumulative(&all, &bounds), all_bounds);
        assert_eq!(cumulative(&all, &[-3.0, 0.5]), [(-3.0, 0), (0.5, 10)]);
        // A wide zero bucket may hold values up to its threshold.
        let wide = Exponential { zero_threshold: 0.25, ..all };
        assert_eq!(cumulative(&wide, &[0.0, 0.3]), [(0.0, 5), (0.3, 10)]);
    }

    proptest! {
        #[test]
        fn bounds_between_all_buckets_show_every_count(
            scale in -4..9i32,
            offset in -20..20i32,
            positive in prop::collection::vec(0..9u64, 0..40),
            negative in prop::collection::vec(0..9u64, 0..40),
            zero_count in 0..9u64,
        ) {
            let side = |counts: &[u64]| Side { offset, counts: counts.to_vec() };
            let (positive, negative) = (side(&positive), side(&negative));
            let all = Exponential { scale, zero_count, positive, negative, ..Exponential::default() };
            let places = 0..all.positive.counts.len() + all.negative.counts.len() + 1;
            let bounds: Vec<_> = places.clone().map(|at| upper(&all, at)).collect();
            let mut sum = 0;
            let wanted: Vec<_> = places.map(|at| { sum += bucket(&all, at).unwrap(); (bounds[at], sum) }).collect();
            prop_assert_eq!(cumulative(&all, &bounds), wanted);
            prop_assert_eq!(sum, Filled::count(&all));
        }
    }
}
