//! An exponential histogram, as a point brings it and as points add up to it.
//!
//! Bucket `i` of scale `s` holds what is in `(b^i, b^(i+1)]` with `b = 2^(2^-s)`; one scale less joins buckets by
//! twos, so histograms of any scales add up exactly at the coarser one. A side never holds more than
//! `BUCKETS_LARGEST` buckets: it gets coarser instead. Source: the metrics data model of OpenTelemetry.

use crate::otlp::view::metrics::{Buckets, ExponentialPoint};

/// Buckets of one side, from its first with a count to its last: twice what SDKs make.
const BUCKETS_LARGEST: i64 = 320;
/// The coarsest that Prometheus knows.
const SCALE_COARSEST: i32 = -4;
/// Finer than any SDK makes, and enough for whatever a number can tell apart.
const SCALE_FINEST: i32 = 20;
/// Beyond the powers of two that a number can be.
const POWER_LARGEST: f64 = 1_100.0;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exponential {
    pub scale: i32,
    pub zero_count: u64,
    /// Values up to this, above and below 0, are in `zero_count`.
    pub zero_threshold: f64,
    pub positive: Side,
    pub negative: Side,
    /// What all buckets add up to.
    pub count: u64,
    /// 0 where the app sends none.
    pub sum: f64,
}

/// The buckets of the positive or of the negative values, by the size of the value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// The index of the first bucket.
    pub offset: i32,
    pub counts: Vec<u64>,
}

impl Exponential {
    /// Takes over what a point says; `None` when its buckets cannot be a histogram's.
    pub(super) fn read(&mut self, point: &ExponentialPoint<'_>) -> Option<()> {
        let spans = [span(&point.positive), span(&point.negative)];
        let is_long = |shift: u32| {
            let long = |(first, last): &(i64, i64)| (last >> shift) - (first >> shift) >= BUCKETS_LARGEST;
            spans.iter().flatten().any(long)
        };
        let mut shift = point.scale.saturating_sub(SCALE_FINEST).clamp(0, 62) as u32;
        while shift < 63 && is_long(shift) {
            shift += 1;
        }
        self.scale = point.scale.checked_sub(shift as i32)?;
        self.zero_count = point.zero_count;
        self.zero_threshold = point.zero_threshold;
        self.count = point.zero_count;
        self.sum = point.sum.unwrap_or_default();
        for (side, buckets) in [(&mut self.positive, &point.positive), (&mut self.negative, &point.negative)]
        {
            side.clear();
            for (index, n) in numbered(buckets) {
                side.put(index >> shift, n)?;
                self.count = self.count.checked_add(n)?;
            }
        }
        let fits = (SCALE_COARSEST..=SCALE_FINEST).contains(&self.scale)
            && self.are_numbers()
            && self.count == point.count
            && self.sum.is_finite()
            && self.zero_threshold >= 0.0
            && self.zero_threshold.is_finite();
        fits.then_some(())
    }

    /// Whether all buckets are among the numbers, so that some scale always has room for them.
    fn are_numbers(&self) -> bool {
        let spans = [self.positive.span(), self.negative.span()];
        let power = |index: i64| index as f64 * f64::from(-self.scale).exp2();
        spans
            .iter()
            .flatten()
            .all(|(first, last)| power(*first) >= -POWER_LARGEST && power(*last) <= POWER_LARGEST)
    }

    /// What came since `before`; `None` when there was more then.
    pub(super) fn without(&self, before: &Exponential) -> Option<Exponential> {
        let (mut rest, mut before) = (self.clone(), before.clone());
        let scale = rest.scale.min(before.scale);
        rest.coarsen(scale);
        before.coarsen(scale);
        // A zero bucket may only grow, and then takes in what lay beside it.
        before.widen_zero(rest.zero_threshold);
        rest.zero_count = rest.zero_count.checked_sub(before.zero_count)?;
        rest.positive.take(&before.positive)?;
        rest.negative.take(&before.negative)?;
        rest.count -= before.count;
        Some(rest)
    }

    /// Adds counts; the sum is the caller's.
    pub(super) fn add(&mut self, other: &Exponential) {
        if self.count == 0 {
            let sum = self.sum;
            self.clone_from(other);
            self.sum = sum;
            return;
        }
        let mut other = other.clone();
        let threshold = self.zero_threshold.max(other.zero_threshold);
        self.widen_zero(threshold);
        other.widen_zero(self.zero_threshold);
        self.widen_zero(other.zero_threshold);
        let mut scale = self.scale.min(other.scale);
        while scale > SCALE_COARSEST && !self.fits_with(&other, scale) {
            scale -= 1;
        }
        self.coarsen(scale);
        other.coarsen(scale);
        self.zero_count = self.zero_count.saturating_add(other.zero_count);
        for (to, from) in [(&mut self.positive, &other.positive), (&mut self.negative, &other.negative)] {
            for (index, n) in from.filled() {
                // Bounded by the scale that was chosen above.
                let _ = to.put(index, n);
            }
        }
        self.count = self.count.saturating_add(other.count);
    }

    /// Whether both together are short enough at a scale.
    fn fits_with(&self, other: &Exponential, scale: i32) -> bool {
        let at = |side: &Side, from: i32| {
            let shift = from - scale;
            side.span().map(|(first, last)| (first >> shift, last >> shift))
        };
        [(&self.positive, &other.positive), (&self.negative, &other.negative)].into_iter().all(|(a, b)| {
            let spans = [at(a, self.scale), at(b, other.scale)];
            let first = spans.iter().flatten().map(|span| span.0).min();
            let last = spans.iter().flatten().map(|span| span.1).max();
            first.zip(last).is_none_or(|(first, last)| last - first < BUCKETS_LARGEST)
        })
    }

    /// Joins buckets until the scale is this.
    fn coarsen(&mut self, scale: i32) {
        let shift = (self.scale - scale).max(0) as u32;
        if shift == 0 {
            return;
        }
        self.scale = scale;
        for side in [&mut self.positive, &mut self.negative] {
            let fine = std::mem::take(side);
            for (index, n) in fine.filled() {
                let _ = side.put(index >> shift, n);
            }
        }
    }

    /// Moves buckets that begin below `threshold` into the zero bucket.
    fn widen_zero(&mut self, threshold: f64) {
        if threshold <= self.zero_threshold {
            return;
        }
        self.zero_threshold = threshold;
        for side in [&mut self.positive, &mut self.negative] {
            let all = std::mem::take(side);
            for (index, n) in all.filled() {
                let (lower, upper) = (bound(index, self.scale), bound(index + 1, self.scale));
                if lower < threshold {
                    self.zero_count = self.zero_count.saturating_add(n);
                    self.zero_threshold = self.zero_threshold.max(upper);
                } else {
                    let _ = side.put(index, n);
                }
            }
        }
    }
}

impl Side {
    fn clear(&mut self) {
        self.offset = 0;
        self.counts.clear();
    }

    /// Every bucket with a count, with its index, ascending.
    pub fn filled(&self) -> impl Iterator<Item = (i64, u64)> {
        (i64::from(self.offset)..).zip(self.counts.iter().copied()).filter(|(_, n)| *n > 0)
    }

    /// The first and the last index.
    fn span(&self) -> Option<(i64, i64)> {
        let last = self.counts.len().checked_sub(1)?;
        Some((self.offset.into(), i64::from(self.offset) + last as i64))
    }

    /// Adds to a bucket; `None` when the side would get too long, or its index too large.
    fn put(&mut self, index: i64, n: u64) -> Option<()> {
        if n == 0 {
            return Some(());
        }
        let Some((first, last)) = self.span() else {
            self.offset = i32::try_from(index).ok()?;
            self.counts.push(n);
            return Some(());
        };
        if last.max(index) - first.min(index) >= BUCKETS_LARGEST {
            return None;
        }
        if index < first {
            self.offset = i32::try_from(index).ok()?;
            self.counts.splice(0..0, std::iter::repeat_n(0, (first - index) as usize));
        } else if index > last {
            self.counts.resize((index - first + 1) as usize, 0);
        }
        let bucket = &mut self.counts[(index - i64::from(self.offset)) as usize];
        *bucket = bucket.saturating_add(n);
        Some(())
    }

    /// Takes away what was there before; `None` when that was more.
    fn take(&mut self, before: &Side) -> Option<()> {
        for (index, n) in before.filled() {
            let at = usize::try_from(index - i64::from(self.offset)).ok()?;
            let bucket = self.counts.get_mut(at)?;
            *bucket = bucket.checked_sub(n)?;
        }
        Some(())
    }
}

/// The lower bound of a bucket.
pub fn bound(index: i64, scale: i32) -> f64 {
    (index as f64 * f64::from(-scale).exp2()).exp2()
}

/// The buckets of a point with their indices.
fn numbered(buckets: &Buckets<'_>) -> impl Iterator<Item = (i64, u64)> {
    (i64::from(buckets.offset)..).zip(buckets.counts()).filter(|(_, n)| *n > 0)
}

/// The first and the last bucket with a count.
fn span(buckets: &Buckets<'_>) -> Option<(i64, i64)> {
    let mut filled = numbered(buckets).map(|(index, _)| index);
    let first = filled.next()?;
    Some((first, filled.last().unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(scale: i32, positive: &[(i64, u64)]) -> Exponential {
        let mut all = Exponential { scale, ..Exponential::default() };
        for (index, n) in positive {
            all.positive.put(*index, *n).unwrap();
            all.count += n;
        }
        all
    }

    fn buckets(all: &Exponential) -> (i32, Vec<(i64, u64)>) {
        (all.scale, all.positive.filled().collect())
    }

    #[test]
    fn histograms_of_two_scales_add_up_at_the_coarser() {
        let mut all = exponential(1, &[(-3, 1), (0, 2), (1, 3)]);
        all.add(&exponential(0, &[(-2, 5), (0, 7)]));
        assert_eq!(buckets(&all), (0, vec![(-2, 6), (0, 12)]));
        assert_eq!(all.count, 18);
    }

    #[test]
    fn a_wide_one_gets_coarser_and_no_count_is_lost() {
        let mut all = exponential(20, &[(0, 1), (100, 1)]);
        all.add(&exponential(20, &[(1 << 20, 1)]));
        all.add(&exponential(20, &[(-(900 << 20), 1)]));
        assert_eq!(all.positive.filled().map(|(_, n)| n).sum::<u64>(), 4);
        assert!(all.positive.counts.len() as i64 <= BUCKETS_LARGEST && all.scale < 0, "{}", all.scale);
    }

    #[test]
    fn what_was_there_is_taken_away_at_any_scale() {
        let now = exponential(0, &[(0, 9), (1, 4)]);
        let rest = now.without(&exponential(1, &[(0, 2), (1, 3), (2, 4)])).unwrap();
        assert_eq!((buckets(&rest), rest.count), ((0, vec![(0, 4)]), 4));
        assert_eq!(exponential(0, &[(0, 9)]).without(&exponential(0, &[(1, 1)])), None);
    }

    #[test]
    fn a_wider_zero_bucket_takes_in_what_is_below() {
        let mut all = exponential(0, &[(-2, 1), (0, 2), (3, 4)]);
        let wide = Exponential { zero_count: 5, zero_threshold: 1.5, count: 5, ..exponential(0, &[]) };
        all.add(&wide);
        assert_eq!((all.zero_count, all.zero_threshold, all.count), (8, 2.0, 12));
        assert_eq!(buckets(&all), (0, vec![(3, 4)]));
    }
}
