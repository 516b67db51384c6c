//! A histogram with explicit bounds, as a point brings it and as points add up to it.
//!
//! Counts are whole and none is lost when bounds change: a bucket moves into the one that holds its upper
//! bound. It must never hold more bounds than `BOUNDS_LARGEST`, or bounds that do not ascend.

use crate::otlp::view::metrics::HistogramPoint;

/// Bounds in one histogram: SDKs make 15.
const BOUNDS_LARGEST: usize = 1_024;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    /// Upper bounds, ascending and finite, without +Inf.
    pub(super) bounds: Vec<f64>,
    /// Not cumulative; one per bound and one for +Inf.
    pub(super) counts: Vec<u64>,
    /// What the counts add up to.
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Histogram {
    /// Takes over what a point says; `None` when its buckets cannot be a histogram's.
    pub(super) fn read(&mut self, point: &HistogramPoint<'_>) -> Option<()> {
        self.bounds.clear();
        self.counts.clear();
        self.bounds.extend(point.bounds().take(BOUNDS_LARGEST + 1));
        self.counts.extend(point.counts().take(BOUNDS_LARGEST + 2));
        // +Inf stands at the end anyway.
        if self.bounds.last() == Some(&f64::INFINITY) {
            self.bounds.pop();
            let last = self.counts.pop()?;
            let before = self.counts.last_mut()?;
            *before = before.checked_add(last)?;
        }
        if self.counts.is_empty() {
            self.counts.push(point.count);
        }
        let ascending = self.bounds.is_sorted_by(|a, b| a < b) && self.bounds.iter().all(|b| b.is_finite());
        let fits = self.bounds.len() <= BOUNDS_LARGEST && self.counts.len() == self.bounds.len() + 1;
        self.count = self.counts.iter().try_fold(0u64, |all, n| all.checked_add(*n))?;
        self.sum = point.sum.unwrap_or_default();
        (ascending && fits && self.count == point.count && self.sum.is_finite()).then_some(())
    }

    /// What came since `before`; `None` when there was more then.
    pub(super) fn without(&self, before: &Histogram) -> Option<Histogram> {
        let mut refit = None;
        let before = if self.bounds == before.bounds {
            before
        } else {
            let refit = refit.insert(before.clone());
            refit.fit(&self.bounds);
            refit
        };
        let mut rest = self.clone();
        for (now, before) in rest.counts.iter_mut().zip(&before.counts) {
            *now = now.checked_sub(*before)?;
        }
        rest.count -= before.count;
        Some(rest)
    }

    /// Adds counts, not the sum; says whether the bounds were changed for that.
    pub(super) fn add(&mut self, other: &Histogram) -> bool {
        let fresh = self.counts.is_empty();
        let changed = fresh || self.bounds != other.bounds;
        if changed {
            self.fit(&other.bounds);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(all, n)| *all = all.saturating_add(*n));
        self.count = self.counts.iter().fold(0, |all, n| all.saturating_add(*n));
        changed && !fresh
    }

    /// Moves all counts into buckets with these bounds.
    fn fit(&mut self, bounds: &[f64]) {
        let mut counts = vec![0u64; bounds.len() + 1];
        for (at, n) in self.counts.iter().enumerate() {
            let upper = self.bounds.get(at).copied().unwrap_or(f64::INFINITY);
            let to = &mut counts[bounds.partition_point(|bound| *bound < upper)];
            *to = to.saturating_add(*n);
        }
        self.counts = counts;
        self.bounds.clear();
        self.bounds.extend_from_slice(bounds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(bounds: &[f64], counts: &[u64]) -> Histogram {
        Histogram { bounds: bounds.to_vec(), counts: counts.to_vec(), count: counts.iter().sum(), sum: 0.0 }
    }

    #[test]
    fn new_bounds_lose_no_count() {
        let mut total = histogram(&[1.0, 2.0, 5.0], &[1, 2, 3, 4]);
        assert!(total.add(&histogram(&[1.5, 5.0], &[1, 1, 1])));
        assert_eq!(total, histogram(&[1.5, 5.0], &[2, 6, 5]));
        assert!(!total.add(&histogram(&[1.5, 5.0], &[0, 0, 2])));
        assert_eq!(total.counts, [2, 6, 7]);
    }

    #[test]
    fn what_was_there_is_taken_away_or_nothing() {
        let now = histogram(&[1.0], &[5, 3]);
        assert_eq!(now.without(&histogram(&[1.0], &[4, 3])), Some(histogram(&[1.0], &[1, 0])));
        assert_eq!(now.without(&histogram(&[1.0, 2.0], &[4, 1, 1])), Some(histogram(&[1.0], &[1, 1])));
        assert_eq!(now.without(&histogram(&[1.0], &[0, 4])), None);
    }

    #[test]
    fn an_empty_total_takes_the_bounds_of_the_first() {
        let mut total = Histogram::default();
        assert!(!total.add(&histogram(&[1.0], &[2, 3])));
        assert_eq!(total, histogram(&[1.0], &[2, 3]));
    }
}
