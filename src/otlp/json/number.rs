//! Numbers as ProtoJSON has them: 64-bit integers are strings, and so are doubles that JSON has no digits
//! for.
//!
//! Read as a number or as a string, whichever the sender chose, but never rounded: what does not fit its
//! field is refused. Next: `read`.

use super::shape::Kind;

/// The integer that a string holds.
pub(super) fn integer(text: &str) -> Option<i128> {
    text.parse().ok()
}

/// The integer that a double is.
pub(super) fn whole(number: f64) -> Option<i128> {
    /// Beyond this no field has room.
    const LIMIT: f64 = 1.0e20;
    (number.fract() == 0.0 && number.abs() < LIMIT).then_some(number as i128)
}

/// The double that a string holds.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// The bits of an integer in a field of that kind, where they fit.
pub(super) fn bits(kind: Kind, number: i128) -> Option<u64> {
    match kind {
        Kind::Uint32 | Kind::Fixed32 => u32::try_from(number).ok().map(u64::from),
        Kind::Fixed64 | Kind::Uint64 => u64::try_from(number).ok(),
        Kind::Sfixed64 | Kind::Int64 => i64::try_from(number).ok().map(|number| number as u64),
        Kind::Sint32 => i32::try_from(number).ok().map(|number| zigzag(number).into()),
        // Negative numbers take 64 bits on the wire.
        Kind::Enum(_) => i32::try_from(number).ok().map(|number| i64::from(number) as u64),
        Kind::Double => Some((number as f64).to_bits()),
        Kind::Text
        | Kind::Texts
        | Kind::Id(_)
        | Kind::Bytes
        | Kind::Bool
        | Kind::Doubles
        | Kind::Fixed64s
        | Kind::Uint64s
        | Kind::Message(_)
        | Kind::Messages(_) => None,
    }
}

/// Small numbers of either sign as small numbers without one.
fn zigzag(number: i32) -> u32 {
    (number << 1 ^ number >> 31) as u32
}

/// The way back.
pub(super) fn unzigzag(bits: u32) -> i32 {
    (bits >> 1) as i32 ^ -((bits & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_or_are_refused() {
        let all_ones = u64::MAX;
        for (kind, number, expected) in [
            (Kind::Uint32, 4_294_967_295, Some(4_294_967_295)),
            (Kind::Uint32, 4_294_967_296, None),
            (Kind::Fixed32, -1, None),
            (Kind::Fixed64, i128::from(all_ones), Some(all_ones)),
            (Kind::Fixed64, i128::from(all_ones) + 1, None),
            (Kind::Fixed64, -1, None),
            (Kind::Int64, -1, Some(all_ones)),
            (Kind::Int64, i128::from(i64::MAX) + 1, None),
            (Kind::Sfixed64, -1, Some(all_ones)),
            (Kind::Uint64, i128::from(all_ones), Some(all_ones)),
            (Kind::Uint64, -1, None),
            (Kind::Sint32, -1, Some(1)),
            (Kind::Sint32, i128::from(i32::MIN), Some(u32::MAX.into())),
            (Kind::Sint32, 1 << 31, None),
            (Kind::Enum(&[]), -1, Some(all_ones)),
            (Kind::Enum(&[]), 1 << 31, None),
            (Kind::Double, -2, Some((-2.0_f64).to_bits())),
            (Kind::Text, 1, None),
        ] {
            assert_eq!(bits(kind, number), expected, "{kind:?} {number}");
        }
    }

    #[test]
    fn zigzag_and_back() {
        for number in [0, -1, 1, i32::MIN, i32::MAX] {
            assert_eq!(unzigzag(zigzag(number)), number);
        }
    }

    #[test]
    fn doubles_that_are_whole() {
        for (number, expected) in [
            (3.0, Some(3)),
            (-0.0, Some(0)),
            (1.5, None),
            (1.0e19, Some(10_000_000_000_000_000_000)),
            (1.0e20, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(whole(number), expected, "{number}");
        }
    }

    #[test]
    fn doubles_as_strings() {
        for (text, expected) in [
            ("1.5", Some(1.5)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("Infinity", Some(f64::INFINITY)),
            ("inf", None),
            ("nan", None),
            ("1e999", None),
            ("", None),
        ] {
            assert_eq!(double(text), expected, "{text}");
        }
        assert!(double("NaN").is_some_and(f64::is_nan));
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN.into()));
        assert_eq!((integer(""), integer("1.0"), integer(" 1"), integer("0x1")), (None, None, None, None));
    }
}
