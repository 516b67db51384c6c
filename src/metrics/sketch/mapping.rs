//! From values to keys and back, as the Datadog agent defines it.
//!
//! The definition needs a logarithm a value, the dearest step of an insert. `key_of` estimates it from
//! the float's own exponent and a table over its mantissa, with a known error, and takes the
//! logarithm only where that error could change the key: it always equals the definition.

use std::sync::LazyLock;

/// Relative accuracy 1/128: γ = 1 + 2/128.
const GAMMA: f64 = 1.015_625;
/// Smallest magnitude that is not counted as zero, before it is moved to a bin's bound.
const MIN_VALUE: f64 = 1e-9;
/// Largest key; values beyond it share its bin.
const MAX_KEY: i32 = 32_767;

/// Bits of the mantissa that choose a segment of the table; within it log is taken as linear.
const SEGMENT_BITS: u32 = 7;
const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
const REST_BITS: u32 = MANTISSA_BITS - SEGMENT_BITS;
/// How far a chord lies below ln over a segment of width h is at most h²/8; in keys, over ln γ.
/// (1/128)² / 8 / 0.015504 = 4.92e-4.
const CHORD_ERROR: f64 = 4.93e-4;
/// More than all rounding on both ways together, for keys up to 46,000.
const ROUNDING_ERROR: f64 = 1e-9;

pub(super) struct Mapping {
    pub(super) ln_gamma: f64,
    pub(super) bias: i32,
    norm_min: f64,
    /// Keys in a factor of two.
    octave: f64,
    /// For each segment log γ of its start, and the rise over it divided by 2^REST_BITS.
    segments: [(f64, f64); 1 << SEGMENT_BITS],
}

static MAPPING: LazyLock<Mapping> = LazyLock::new(|| {
    let ln_gamma = GAMMA.ln();
    let emin = (MIN_VALUE.ln() / ln_gamma).floor() as i32;
    let bias = 1 - emin;
    let at = |segment: usize| (segment as f64 / (1 << SEGMENT_BITS) as f64).ln_1p() / ln_gamma;
    let segments = std::array::from_fn(|s| (at(s), (at(s + 1) - at(s)) / (1u64 << REST_BITS) as f64));
    Mapping {
        ln_gamma,
        bias,
        norm_min: GAMMA.powi(1 - bias),
        octave: std::f64::consts::LN_2 / ln_gamma,
        segments,
    }
});

/// The key of a value: 0 around zero, negative for negative values.
pub fn key_of(value: f64) -> i16 {
    Mapping::get().key_of(value)
}

/// The value that stands for a key.
pub fn value_of(key: i16) -> f64 {
    Mapping::get().value_at(key, 0.0)
}

impl Mapping {
    pub(super) fn get() -> &'static Mapping {
        &MAPPING
    }

    pub(super) fn key_of(&self, value: f64) -> i16 {
        let magnitude = value.abs();
        if magnitude < self.norm_min {
            return 0;
        }
        let bits = magnitude.to_bits();
        let exponent = (bits >> MANTISSA_BITS) as i32 - (f64::MAX_EXP - 1);
        let segment = (bits >> REST_BITS) as usize & ((1 << SEGMENT_BITS) - 1);
        let rest = (bits & ((1 << REST_BITS) - 1)) as i64 as f64;
        let (start, slope) = self.segments[segment];
        let estimate = f64::from(exponent) * self.octave + start + rest * slope;
        // Half a key more, so that cutting off rounds; positive, as the smallest key is 1.
        let low = estimate + (f64::from(self.bias) + 0.5 - ROUNDING_ERROR);
        let high = low + (CHORD_ERROR + 2.0 * ROUNDING_ERROR);
        let key = low as i32;
        let key = if key == high as i32 { key } else { self.exact_key_of(magnitude) };
        let key = key.min(MAX_KEY);
        (if value < 0.0 { -key } else { key }) as i16
    }

    /// The definition, for magnitudes from `norm_min` up.
    #[cold]
    fn exact_key_of(&self, magnitude: f64) -> i32 {
        ((magnitude.ln() / self.ln_gamma).round_ties_even() as i32).saturating_add(self.bias)
    }

    /// The value `shift` keys above the one that stands for `key`.
    pub(super) fn value_at(&self, key: i16, shift: f64) -> f64 {
        if key == 0 {
            return 0.0;
        }
        let signed_shift = if key < 0 { -shift } else { shift };
        let magnitude = ((f64::from(i32::from(key).abs() - self.bias) + signed_shift) * self.ln_gamma).exp();
        if key < 0 { -magnitude } else { magnitude }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn defined_key_of(value: f64) -> i16 {
        let mapping = Mapping::get();
        if value.abs() < mapping.norm_min {
            return 0;
        }
        let key = mapping.exact_key_of(value.abs()).min(MAX_KEY);
        (if value < 0.0 { -key } else { key }) as i16
    }

    #[test]
    fn keys_are_those_of_the_datadog_agent() {
        let cases =
            [(1.0, 1338), (2.5, 1397), (3.0, 1409), (100.0, 1635), (250.0, 1694), (0.0, 0), (-1.0, -1338)];
        for (value, key) in cases {
            assert_eq!(key_of(value), key, "{value}");
        }
        for (key, value) in [(1338, 1.0), (1397, 2.49614), (1409, 3.00656), (1635, 99.9573), (1694, 249.508)]
        {
            assert!((value_of(key) - value).abs() / value < 1e-5, "{key}");
        }
        assert_eq!(Mapping::get().bias, 1338);
        assert_eq!((key_of(1e-9), key_of(1e-10), key_of(-0.0)), (1, 0, 0));
        assert_eq!((key_of(f64::MAX), key_of(f64::MIN)), (32_767, -32_767));
    }

    /// Around every bound between two keys, the floats next to it and a little farther.
    #[test]
    fn keys_at_every_bound_are_as_defined() {
        let mapping = Mapping::get();
        for key in 1..MAX_KEY as i16 {
            let bound = mapping.value_at(key, 0.5);
            for step in [0, 1, 2, 3, 50, 1 << 20, 1 << 40, 1 << 43] {
                for bits in [bound.to_bits() - step, bound.to_bits() + step] {
                    let value = f64::from_bits(bits);
                    assert_eq!(key_of(value), defined_key_of(value), "{value:e}");
                }
            }
            assert_eq!(key_of(value_of(key)), key);
            assert_eq!(key_of(-value_of(key)), -key);
        }
        let bounds = [mapping.norm_min, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1e300, 1e211, 1e212];
        for value in bounds.iter().flat_map(|b| [b.next_down(), *b, b.next_up()]).filter(|v| v.is_finite()) {
            assert_eq!(key_of(value), defined_key_of(value), "{value:e}");
        }
    }

    #[test]
    fn keys_over_all_segments_and_octaves_are_as_defined() {
        for exponent in -40..80 {
            for segment in 0..1u64 << (SEGMENT_BITS + 1) {
                let value = (1.0 + segment as f64 / 256.0) * 2f64.powi(exponent);
                for value in [value, value.next_down()] {
                    assert_eq!(key_of(value), defined_key_of(value), "{value:e}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn keys_of_any_value_are_as_defined(value in any::<f64>()) {
            prop_assert_eq!(key_of(value), defined_key_of(value));
        }

        #[test]
        fn keys_of_common_values_are_as_defined(whole in 0..100_000_000u64, scale in 0..9i32) {
            let value = whole as f64 / 10f64.powi(scale);
            prop_assert_eq!(key_of(value), defined_key_of(value));
        }

        #[test]
        fn a_key_stands_for_its_values_within_one_128th(value in 1e-8..1e200f64) {
            prop_assert!((value_of(key_of(value)) / value - 1.0).abs() <= 1.0 / 128.0);
        }
    }
}
