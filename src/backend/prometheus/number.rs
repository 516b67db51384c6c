//! Numbers as the text formats want them.
//!
//! Samples are plain decimals where people would write them so; `le` and `quantile` have one canonical
//! form, Go's shortest, because readers compare them as text.

use std::io::Write;

/// Whole numbers up to here are exact in a double.
const WHOLE_LARGEST: f64 = 9_007_199_254_740_992.0;
/// Below this, a plain decimal is mostly zeros.
const PLAIN_SMALLEST: f64 = 1e-6;

/// A count.
pub(super) fn push_whole(n: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = n;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The value of a sample; `point` adds `.0` to a whole one (OpenMetrics).
pub(super) fn push_value(value: f64, point: bool, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    if !value.is_finite() {
        push_special(value, out);
    } else if magnitude <= WHOLE_LARGEST && value.fract() == 0.0 {
        if value < 0.0 {
            out.push(b'-');
        }
        push_whole(magnitude as u64, out);
        if point {
            out.extend_from_slice(b".0");
        }
    } else if (PLAIN_SMALLEST..=WHOLE_LARGEST).contains(&magnitude) {
        // Writing into a vector cannot fail.
        let _ = write!(out, "{value}");
    } else {
        push_exponent(value, out);
    }
}

/// The value of `le` or `quantile`.
pub(super) fn push_canonical(value: f64, point: bool, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    if !value.is_finite() {
        push_special(value, out);
    } else if magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude) {
        push_exponent(value, out);
    } else {
        // A negative zero is no bound of its own.
        let _ = write!(out, "{}", value + 0.0);
        if point && value.fract() == 0.0 {
            out.extend_from_slice(b".0");
        }
    }
}

fn push_special(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"+Inf"
    } else {
        b"-Inf"
    });
}

/// `1.5e+06`: a sign and at least two digits in the exponent.
fn push_exponent(value: f64, out: &mut Vec<u8>) {
    let start = out.len();
    let _ = write!(out, "{value:e}");
    let Some(e) = out[start..].iter().position(|b| *b == b'e').map(|at| start + at) else { return };
    let negative = out.get(e + 1) == Some(&b'-');
    let digits = e + 1 + usize::from(negative);
    if out.len() - digits < 2 {
        out.insert(digits, b'0');
    }
    if !negative {
        out.insert(digits, b'+');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_plain_where_people_write_them_so() {
        for (value, classic, openmetrics) in [
            (0.0, "0", "0.0"),
            (-0.0, "0", "0.0"),
            (3.0, "3", "3.0"),
            (-3.0, "-3", "-3.0"),
            (0.25, "0.25", "0.25"),
            (1e6, "1000000", "1000000.0"),
            (WHOLE_LARGEST, "9007199254740992", "9007199254740992.0"),
            (1e300, "1e+300", "1e+300"),
            (1e-9, "1e-09", "1e-09"),
            (0.00012, "0.00012", "0.00012"),
            (f64::NAN, "NaN", "NaN"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
        ] {
            assert_eq!(text(|out| push_value(value, false, out)), classic);
            assert_eq!(text(|out| push_value(value, true, out)), openmetrics);
        }
        assert_eq!(text(|out| push_whole(u64::MAX, out)), "18446744073709551615");
        assert_eq!(text(|out| push_whole(0, out)), "0");
    }

    #[test]
    fn bounds_have_the_form_of_go() {
        for (value, classic, openmetrics) in [
            (0.005, "0.005", "0.005"),
            (1.0, "1", "1.0"),
            (10.0, "10", "10.0"),
            (1e-4, "0.0001", "0.0001"),
            (1e-5, "1e-05", "1e-05"),
            (1e5, "100000", "100000.0"),
            (1e6, "1e+06", "1e+06"),
            (1_234_567.5, "1.2345675e+06", "1.2345675e+06"),
            (1e100, "1e+100", "1e+100"),
            (-0.0, "0", "0.0"),
            (-2.5, "-2.5", "-2.5"),
            (f64::INFINITY, "+Inf", "+Inf"),
        ] {
            assert_eq!(text(|out| push_canonical(value, false, out)), classic);
            assert_eq!(text(|out| push_canonical(value, true, out)), openmetrics);
        }
    }

    proptest::proptest! {
        #[test]
        fn numbers_read_back_as_they_were(bits: u64) {
            let value = f64::from_bits(bits);
            for point in [false, true] {
                for write in [push_value, push_canonical] {
                    let back: f64 = text(|out| write(value, point, out)).parse().unwrap();
                    assert!(back == value || (back.is_nan() && value.is_nan()));
                }
            }
        }
    }
}
