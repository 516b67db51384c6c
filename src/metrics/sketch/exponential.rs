//! Sketches as base-2 exponential histograms, for OTLP and Prometheus's native histograms.
//!
//! The sketch's γ lies between scale 6 and scale 5, so no exact translation exists. A bin's whole
//! count goes to the bucket of the value that stands for the bin: counts stay whole and their sum
//! exact. Buckets are numbered as in OTLP: index i holds (b^i, b^(i+1)] with b = 2^(2^−scale);
//! Prometheus's index is one more.

use super::Sketch;
use super::mapping::Mapping;

/// The finest scale that is made: its factor of 1.0219 is the next above γ = 1.0156.
pub const MAX_SCALE: i32 = 5;
/// OTLP's coarsest.
const MIN_SCALE: i32 = -10;

/// An exponential histogram; count, sum, minimum and maximum are the sketch's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exponential {
    pub scale: i32,
    /// Values nearer to zero than 1e-9.
    pub zero_count: u64,
    pub positive: Buckets,
    /// Of the magnitudes of negative values.
    pub negative: Buckets,
}

/// Counts of neighbouring buckets, the first of index `offset`. Neither the first nor the last is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    pub offset: i32,
    pub counts: Vec<u64>,
}

impl Sketch {
    /// The finest histogram, of scale 5 at most, with no more than `max_buckets` (2 at least) on each side.
    pub fn exponential(&self, max_buckets: usize) -> Exponential {
        self.exponential_at(self.exponential_scale(max_buckets))
    }

    /// The scale of [`Sketch::exponential`]. It depends on the outermost bins alone, and values that
    /// come only move these outwards, so a running sketch's scale falls and never rises again. (The
    /// one exception: more than `BIN_LIMIT` bins, when the lowest collapse; who must not rise even then
    /// takes the least of this and the scale before.)
    pub fn exponential_scale(&self, max_buckets: usize) -> i32 {
        // Buckets −1 and 0 stay two at every scale, so a side of both signs of index needs two.
        let most = i64::try_from(max_buckets).unwrap_or(i64::MAX).max(2);
        let fits = |keys: Option<(i16, i16)>, scale| {
            keys.is_none_or(|(lowest, highest)| {
                i64::from(index(highest, scale)) - i64::from(index(lowest, scale)) < most
            })
        };
        let mut scale = MAX_SCALE;
        while scale > MIN_SCALE && !(fits(self.positive_keys(), scale) && fits(self.negative_keys(), scale)) {
            scale -= 1;
        }
        scale
    }

    /// The histogram at a given scale, which is held between −10 and 5.
    pub fn exponential_at(&self, scale: i32) -> Exponential {
        let scale = scale.clamp(MIN_SCALE, MAX_SCALE);
        let zero_count = self.bins.iter().find(|(key, _)| *key == 0).map_or(0, |(_, n)| n);
        let positive = self.bins.iter().filter(|(key, _)| *key > 0);
        let negative = self.bins.iter().rev().filter(|(key, _)| *key < 0).map(|(key, n)| (-key, n));
        Exponential {
            scale,
            zero_count,
            positive: buckets(positive, self.positive_keys(), scale),
            negative: buckets(negative, self.negative_keys(), scale),
        }
    }

    /// Lowest and highest key above zero.
    fn positive_keys(&self) -> Option<(i16, i16)> {
        let lowest = self.bins.iter().find(|(key, _)| *key > 0)?.0;
        Some((lowest, self.bins.iter().next_back()?.0))
    }

    /// Lowest and highest magnitude of the keys below zero.
    fn negative_keys(&self) -> Option<(i16, i16)> {
        let lowest = -self.bins.iter().rev().find(|(key, _)| *key < 0)?.0;
        Some((lowest, -self.bins.iter().next()?.0))
    }
}

/// Fills the buckets of one side from bins of ascending positive keys, whose outermost are given.
fn buckets(bins: impl Iterator<Item = (i16, u64)>, outermost: Option<(i16, i16)>, scale: i32) -> Buckets {
    let Some((lowest, highest)) = outermost else { return Buckets::default() };
    let offset = index(lowest, scale);
    let mut counts = vec![0u64; (index(highest, scale) - offset + 1) as usize];
    for (key, n) in bins {
        if let Some(count) = counts.get_mut((index(key, scale) - offset) as usize) {
            *count += n;
        }
    }
    Buckets { offset, counts }
}

/// How many buckets of [`MAX_SCALE`] lie between 1 and the value that stands for a positive key.
///
/// The value is γ^n with n = key − bias, so its logarithm needs no logarithm. γ is no power of two, so
/// only n = 0, the value 1, lies on a bound, and there the product is exactly 0.
pub fn finest_position(key: i16) -> f64 {
    let mapping = Mapping::get();
    let buckets_per_key = mapping.ln_gamma / std::f64::consts::LN_2 * f64::from(1 << MAX_SCALE);
    f64::from(i32::from(key) - mapping.bias) * buckets_per_key
}

/// The OTLP index of the value that stands for a positive key: ceil(log2(value) · 2^scale) − 1.
fn index(key: i16, scale: i32) -> i32 {
    let position = finest_position(key);
    let cut = position as i32;
    let finest = cut + i32::from(position > f64::from(cut)) - 1;
    finest >> (MAX_SCALE - scale)
}

#[cfg(test)]
mod tests {
    use super::super::value_of;
    use super::*;
    use proptest::prelude::*;

    fn sketch_of(samples: &[(f64, f64)]) -> Sketch {
        let mut sketch = Sketch::new();
        sketch.insert_block(samples);
        sketch
    }

    fn filled(buckets: &Buckets) -> Vec<(i32, u64)> {
        let counts = buckets.counts.iter().enumerate();
        counts.filter(|(_, n)| **n > 0).map(|(at, n)| (buckets.offset + at as i32, *n)).collect()
    }

    /// The rule of OTLP for any value: exact powers of two by their exponent, the rest by logarithm.
    fn index_by_rule(value: f64, scale: i32) -> i32 {
        let exponent = value.to_bits() >> 52;
        if value.to_bits() & ((1 << 52) - 1) == 0 && scale >= 0 {
            return ((exponent as i32 - 1023) << scale) - 1;
        }
        (value.log2() * 2f64.powi(scale)).ceil() as i32 - 1
    }

    #[test]
    fn the_table_of_vectors_holds() {
        for (value, scale_5) in [(1.0, -1), (2.5, 42), (3.0, 50), (100.0, 212), (250.0, 254)] {
            let made = sketch_of(&[(value, 1.0)]).exponential(160);
            assert_eq!(made.positive, Buckets { offset: scale_5, counts: vec![1] }, "{value}");
            let negative = sketch_of(&[(-value, 1.0)]).exponential(160);
            assert_eq!(
                (negative.negative, negative.positive),
                (made.positive, Buckets::default()),
                "{value}"
            );
        }
        let made = sketch_of(&[(2.5, 2.0), (3.0, 1.0), (100.0, 4.0)]).exponential(171);
        assert_eq!((made.scale, made.positive.offset, made.positive.counts.len()), (5, 42, 171));
        assert_eq!(filled(&made.positive), [(42, 2), (50, 1), (212, 4)]);
        let coarser = sketch_of(&[(2.5, 2.0), (3.0, 1.0), (100.0, 4.0)]).exponential(160);
        assert_eq!((coarser.scale, coarser.positive.offset), (4, 21));
        assert_eq!(filled(&coarser.positive), [(21, 2), (25, 1), (106, 4)]);
    }

    #[test]
    fn every_key_at_every_scale_lies_where_the_rule_says() {
        for key in 1..=i16::MAX {
            for scale in MIN_SCALE..=MAX_SCALE {
                assert_eq!(
                    index(key, scale),
                    index_by_rule(value_of(key), scale),
                    "key {key}, scale {scale}"
                );
            }
        }
    }

    #[test]
    fn any_span_fits_at_some_scale() {
        let widest = sketch_of(&[(1e-9, 1.0), (1e300, 1.0), (-1e300, 1.0), (0.0, 3.0), (-2.0, 1.0)]);
        for (most, scale) in [(160, -3), (2, -10), (0, -10), (usize::MAX, 5)] {
            let made = widest.exponential(most);
            assert_eq!(made.scale, scale, "{most}");
            assert!(made.positive.counts.len() <= most.max(2) && made.negative.counts.len() <= most.max(2));
            assert_eq!(made.zero_count, 3);
        }
        assert_eq!(Sketch::new().exponential(160).positive, Buckets::default());
    }

    proptest! {
        #[test]
        fn no_value_is_lost_and_scales_only_fall(samples in prop::collection::vec((-1e6..1e12f64, 1..5u32), 1..60)) {
            let mut sketch = Sketch::new();
            let mut scale_before = MAX_SCALE;
            for (value, weight) in &samples {
                sketch.insert(*value, f64::from(*weight));
                let made = sketch.exponential(160);
                let sum = made.positive.counts.iter().chain(&made.negative.counts).sum::<u64>() + made.zero_count;
                prop_assert_eq!(sum as f64, sketch.count());
                prop_assert!(made.scale <= scale_before);
                scale_before = made.scale;
                prop_assert!(made.positive.counts.len() <= 160 && made.negative.counts.len() <= 160);
                for side in [&made.positive, &made.negative] {
                    prop_assert!(side.counts.first() != Some(&0) && side.counts.last() != Some(&0));
                }
                for finer in made.scale..=MAX_SCALE {
                    let sides = |e: &Exponential| (coarsened(&e.positive, finer - made.scale), coarsened(&e.negative, finer - made.scale));
                    prop_assert_eq!(sides(&sketch.exponential_at(finer)), (filled(&made.positive), filled(&made.negative)));
                }
            }
        }
    }

    fn coarsened(buckets: &Buckets, steps: i32) -> Vec<(i32, u64)> {
        let mut coarse: Vec<(i32, u64)> = Vec::new();
        for (index, n) in filled(buckets) {
            match coarse.last_mut() {
                Some(last) if last.0 == index >> steps => last.1 += n,
                _ => coarse.push((index >> steps, n)),
            }
        }
        coarse
    }
}
