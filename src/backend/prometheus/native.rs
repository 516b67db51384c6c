//! Native histograms: base-2 exponential buckets, as fine as they come (from sketches each 2.2 % wide) or, where
//! many hold something, coarser. Counts stay whole and their sum exact.
//!
//! γ of the sketch lies between two of the allowed widths, so a bin moves whole to the bucket of the
//! value that stands for it. The buckets of OTLP's exponential histograms are the same but for their number.

use super::point::{Histogram, NativeOf};
use crate::metrics::points::{Exponential, Side};
use crate::metrics::sketch::{self, Sketch, finest_position};
use std::cmp::Ordering;

/// Buckets from one power of two to the next: 2^SCHEMA, of sketches.
const SCHEMA: i32 = sketch::MAX_SCALE;
const SCHEMA_COARSEST: i32 = -4;
const SCHEMA_FINEST: i32 = 8;
/// Prometheus's usual cap on buckets that hold something; with more they get coarser.
const BUCKETS_LARGEST: usize = 160;
/// Values nearer to zero than this count as zero, as with Prometheus's own client.
const ZERO_OF_SKETCHES: f64 = 1.0 / (1u128 << 127) as f64 / 2.0;
/// Where OTLP names no threshold, as its specification of compatibility says.
const ZERO_UNNAMED: f64 = 1e-128;

/// Sparse buckets: bucket `i` holds values in `(b^(i-1), b^i]` with `b = 2^(2^-schema)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Native {
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    pub(super) zero_count: u64,
    /// Ascending indices with counts above zero.
    pub(super) positive: Vec<(i32, u64)>,
    pub(super) negative: Vec<(i32, u64)>,
}

/// Runs of neighbouring buckets: the first offset is an index, the others gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) offset: i32,
    pub(super) length: u32,
}

impl Native {
    /// Makes the native buckets of a histogram; says whether it has any.
    pub(super) fn of(&mut self, histogram: &Histogram<'_>) -> bool {
        match histogram.native {
            NativeOf::Sketch(sketch, scale) => {
                self.read(sketch, scale);
                true
            }
            NativeOf::Exponential(all) => self.take(all, histogram.count),
            NativeOf::Nothing => false,
        }
    }

    /// Takes a sketch whose values are to be divided by `scale`.
    fn read(&mut self, sketch: &Sketch, scale: f64) {
        self.schema = SCHEMA;
        self.zero_threshold = ZERO_OF_SKETCHES;
        self.zero_count = 0;
        self.positive.clear();
        self.negative.clear();
        let shift = scale.log2() * f64::from(1 << SCHEMA);
        for (key, n) in sketch.bins() {
            match key.cmp(&0) {
                Ordering::Equal => self.zero_count += n,
                Ordering::Greater => self.positive.push((index(key, shift), n)),
                Ordering::Less => self.negative.push((index(-key, shift), n)),
            }
        }
        self.negative.reverse();
        fold(&mut self.positive);
        fold(&mut self.negative);
        self.coarsen();
    }

    /// Takes a histogram of OTLP; says whether Prometheus has numbers for it.
    fn take(&mut self, all: &Exponential, count: u64) -> bool {
        self.schema = all.scale.min(SCHEMA_FINEST);
        self.zero_threshold = if all.zero_threshold > 0.0 { all.zero_threshold } else { ZERO_UNNAMED };
        self.zero_count = all.zero_count;
        let shift = all.scale - self.schema;
        let fits = self.schema >= SCHEMA_COARSEST
            // Counts travel as signed differences.
            && i64::try_from(count).is_ok()
            && read_side(&all.positive, shift, &mut self.positive)
            && read_side(&all.negative, shift, &mut self.negative);
        if fits {
            self.coarsen();
        }
        fits
    }

    /// Joins buckets by twos until few enough hold something.
    fn coarsen(&mut self) {
        while self.schema > SCHEMA_COARSEST && self.positive.len() + self.negative.len() > BUCKETS_LARGEST {
            self.schema -= 1;
            for side in [&mut self.positive, &mut self.negative] {
                // Upper bounds are inclusive: of two, the odd index is the lower half.
                side.iter_mut().for_each(|(i, _)| *i = (*i + 1) >> 1);
                fold(side);
            }
        }
    }
}

/// The buckets of one side `shift` scales coarser; says whether they have numbers.
fn read_side(side: &Side, shift: i32, buckets: &mut Vec<(i32, u64)>) -> bool {
    buckets.clear();
    for (i, n) in side.filled() {
        // Numbered by their lower bounds there, by the upper ones here.
        let Ok(i) = i32::try_from((i >> shift.min(63)) + 1) else { return false };
        buckets.push((i, n));
    }
    fold(buckets);
    true
}

/// Appends spans and count differences of one side.
pub(super) fn push_spans(buckets: &[(i32, u64)], spans: &mut Vec<Span>, deltas: &mut Vec<i64>) {
    let (mut next, mut before) = (0, 0);
    for (i, n) in buckets {
        match spans.last_mut().filter(|_| *i == next) {
            Some(span) => span.length += 1,
            None => spans.push(Span { offset: *i - next, length: 1 }),
        }
        next = *i + 1;
        let n = i64::try_from(*n).unwrap_or(i64::MAX);
        deltas.push(n - before);
        before = n;
    }
}

/// The bucket of the value that stands for a positive key, moved down by `shift` buckets.
fn index(key: i16, shift: f64) -> i32 {
    let exact = finest_position(key) - shift;
    // Upper bounds are inclusive, and 1 must not miss its bucket by the last digit of a logarithm.
    let near = exact.round();
    (if (exact - near).abs() < 1e-6 { near } else { exact.ceil() }) as i32
}

/// Adds up neighbours with the same index.
fn fold(buckets: &mut Vec<(i32, u64)>) {
    buckets.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0 };
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(values: &[(f64, u32)], scale: f64) -> Native {
        let mut sketch = Sketch::new();
        for (value, times) in values {
            (0..*times).for_each(|_| sketch.insert(*value, 1.0));
        }
        let mut native = Native::default();
        native.read(&sketch, scale);
        native
    }

    fn spans(buckets: &[(i32, u64)]) -> (Vec<(i32, u32)>, Vec<i64>) {
        let (mut spans, mut deltas) = (Vec::new(), Vec::new());
        push_spans(buckets, &mut spans, &mut deltas);
        (spans.iter().map(|s| (s.offset, s.length)).collect(), deltas)
    }

    #[test]
    fn indices_are_those_of_prometheus() {
        for (value, i) in [(1.0, 0), (2.5, 43), (3.0, 51), (100.0, 213), (250.0, 255), (0.5, -32), (4.0, 64)]
        {
            assert_eq!(native(&[(value, 1)], 1.0).positive, [(i, 1)], "{value}");
        }
    }

    #[test]
    fn spans_and_deltas_are_those_of_the_specification() {
        let buckets = [(-3, 1), (-2, 4), (1, 2), (2, 2), (6, 5)];
        assert_eq!(spans(&buckets), (vec![(-3, 2), (2, 2), (3, 1)], vec![1, 3, -2, 0, 3]));
        let three = native(&[(2.5, 2), (3.0, 1), (100.0, 4)], 1.0);
        assert_eq!(spans(&three.positive), (vec![(43, 1), (7, 1), (161, 1)], vec![2, -1, 3]));
    }

    #[test]
    fn many_buckets_become_coarser_and_no_count_is_lost() {
        let values: Vec<_> = (0..1_000).map(|i| ((f64::from(i) - 300.0) * 1.01f64.powi(i), 1)).collect();
        let wide = native(&values, 1_000.0);
        let all: u64 = wide.positive.iter().chain(&wide.negative).map(|(_, n)| n).sum();
        assert_eq!((all + wide.zero_count, wide.zero_count), (1_000, 1));
        assert!(wide.schema < SCHEMA && wide.positive.len() + wide.negative.len() <= BUCKETS_LARGEST);
        for side in [&wide.positive, &wide.negative] {
            assert!(side.is_sorted_by(|a, b| a.0 < b.0));
        }
    }

    fn of_otlp(scale: i32, positive: &[u64], negative: &[u64]) -> Exponential {
        let side = |counts: &[u64]| Side { offset: -3, counts: counts.to_vec() };
        let (positive, negative) = (side(positive), side(negative));
        let count = positive.counts.iter().chain(&negative.counts).sum();
        Exponential { scale, positive, negative, count, ..Exponential::default() }
    }

    fn taken(all: &Exponential) -> Native {
        let mut native = Native::default();
        assert!(native.take(all, all.count));
        native
    }

    #[test]
    fn buckets_of_otlp_have_the_next_number() {
        // (2^-3, 2^-2] 4, (2^-2, 2^-1] 1, (2^0, 2^1] 2, and below zero [-2^-2, -2^-1) 7
        let all = Exponential { zero_count: 6, zero_threshold: 0.1, ..of_otlp(0, &[4, 1, 0, 2], &[0, 7]) };
        let native = taken(&all);
        assert_eq!(spans(&native.positive), (vec![(-2, 2), (1, 1)], vec![4, -3, 1]));
        assert_eq!(spans(&native.negative), (vec![(-1, 1)], vec![7]));
        assert_eq!((native.schema, native.zero_count, native.zero_threshold), (0, 6, 0.1));
        let unnamed = taken(&of_otlp(0, &[], &[]));
        assert_eq!((unnamed.zero_threshold, spans(&unnamed.positive)), (ZERO_UNNAMED, (vec![], vec![])));
    }

    #[test]
    fn scales_that_prometheus_does_not_know_become_coarser_or_are_none() {
        // Scale 10, indices -3 to 6, at scale 8: -3..=-1, -1 and below is bucket -1; 0..=3 bucket 0; 4..=6 bucket 1.
        let fine = taken(&of_otlp(10, &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512], &[]));
        assert_eq!((fine.schema, fine.positive), (8, vec![(0, 7), (1, 120), (2, 896)]));
        let finest = taken(&of_otlp(20, &[3, 2, 1, 5], &[1]));
        assert_eq!(
            (finest.schema, finest.positive, finest.negative),
            (8, vec![(0, 6), (1, 5)], vec![(0, 1)])
        );
        assert_eq!(taken(&of_otlp(-4, &[1], &[])).positive, [(-2, 1)]);
        assert!(!Native::default().take(&of_otlp(-5, &[1], &[]), 1));
        assert!(!Native::default().take(&of_otlp(0, &[u64::MAX], &[]), u64::MAX));
    }

    proptest::proptest! {
        #[test]
        fn coarser_buckets_keep_all_counts_and_hold_the_finer(
            scale in -1..21i32,
            offset in -400..400i32,
            positive in proptest::collection::vec(0..5u64, 0..320),
            negative in proptest::collection::vec(0..5u64, 0..320),
        ) {
            let mut all = of_otlp(scale, &positive, &negative);
            (all.positive.offset, all.negative.offset) = (offset, offset);
            let native = taken(&all);
            let shown: u64 = native.positive.iter().chain(&native.negative).map(|(_, n)| n).sum();
            proptest::prop_assert_eq!(shown, all.count);
            let wide = native.positive.len() + native.negative.len() > BUCKETS_LARGEST;
            proptest::prop_assert!(!wide && (SCHEMA_COARSEST..=SCHEMA_FINEST).contains(&native.schema));
            for (buckets, side) in [(&native.positive, &all.positive), (&native.negative, &all.negative)] {
                for (i, n) in buckets {
                    // Bucket i holds (i - 1, i] of its own width, in widths of the finer: i - 1 up to i, less one.
                    let width = 1i64 << (scale - native.schema);
                    let inside = (i64::from(*i) - 1) * width..i64::from(*i) * width;
                    let held: u64 = side.filled().filter(|(i, _)| inside.contains(i)).map(|(_, n)| n).sum();
                    proptest::prop_assert_eq!(held, *n);
                }
            }
        }
    }

    #[test]
    fn buckets_hold_the_values_that_stand_for_them() {
        for exponent in -8..12 {
            let value = 10f64.powi(exponent) * 3.7;
            let one = native(&[(value, 1)], 1.0);
            let base = 2f64.powf(0.5f64.powi(one.schema));
            let upper = base.powi(one.positive[0].0);
            // The bin of the sketch and the bucket each add their half width.
            assert!((upper / value).ln().abs() < 0.0365, "{value} {upper}");
        }
    }
}
