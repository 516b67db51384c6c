//! Numbers from bytes, exactly as the standard library reads them, faster for the short ones.
//!
//! Never yields NaN or an infinity, and never differs from `str::parse` for a finite number: a
//! property test holds it there. Next: `metric.rs`.

/// Powers of ten that an `f64` holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Whole numbers below this are exact in an `f64`.
const MANTISSA_LIMIT: u64 = 1 << 53;
/// This many digits and a point cannot overflow a `u64`.
const SHORT_BYTES: usize = 19;

/// A finite number in decimal or exponent form, with or without a sign; `None` for anything else.
#[inline]
pub fn parse(bytes: &[u8]) -> Option<f64> {
    match short(bytes) {
        Some(value) => Some(value),
        None => long(bytes),
    }
}

/// The number at the start of `bytes` that ends at `end` (a `|` or `:`) within eight bytes, and its
/// length: what most lines hold, read as one word without a loop. `None` means "not that easy", not
/// "wrong".
#[inline(always)]
pub(super) fn before(bytes: &[u8], end: u8) -> Option<(f64, usize)> {
    let word = match bytes.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => padded(bytes),
    };
    let length = first(word, end)?;
    let negative = bytes[0] == b'-';
    let sign = usize::from(negative || bytes[0] == b'+');
    // A sign alone, or nothing at all.
    let unsigned = (length - sign.min(length)).checked_sub(1)? + 1;
    // The digits in the upper bytes, in their order, with `0` before them.
    let digits = (word >> (8 * sign) << (64 - 8 * unsigned)) | (ZEROS >> (8 * unsigned));
    let magnitude = match first(digits, b'.') {
        None => whole(digits)? as f64,
        Some(_) if unsigned == 1 => return None,
        Some(point) => {
            let below = (1 << (8 * point)) - 1;
            let without_point =
                (digits & !below & !(0xff << (8 * point))) | (digits & below) << 8 | u64::from(b'0');
            whole(without_point)? as f64 / POWERS[7 - point]
        }
    };
    Some((if negative { -magnitude } else { magnitude }, length))
}

/// Fewer than eight bytes, at the end of a packet.
#[cold]
fn padded(bytes: &[u8]) -> u64 {
    let mut chunk = [0; 8];
    chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(chunk)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const ZEROS: u64 = ONES * b'0' as u64;

/// Where the first of eight bytes, lowest first, that equals `byte` stands.
#[inline(always)]
fn first(word: u64, byte: u8) -> Option<usize> {
    let difference = word ^ (ONES * u64::from(byte));
    // A byte's upper bit survives where the byte is zero; above the first such byte it may lie.
    let zero = difference.wrapping_sub(ONES) & !difference & (ONES << 7);
    (zero != 0).then_some(zero.trailing_zeros() as usize / 8)
}

/// Eight digits, the most significant lowest, as a number.
#[inline]
fn whole(digits: u64) -> Option<u64> {
    let high = digits & (ONES * 0xf0);
    let carried = digits.wrapping_add(ONES * 6) & (ONES * 0xf0);
    if high | carried >> 4 != ONES * 0x33 {
        return None;
    }
    // Neighbours are joined: digits to pairs, pairs to fours, fours to the whole.
    let pairs = (digits & (ONES * 0x0f)).wrapping_mul(10 << 8 | 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 << 16 | 1) >> 16;
    Some((fours & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// Numbers whose digits and power of ten are both exact as `f64`: one rounding, so the result is the
/// nearest one (Clinger 1990). `None` means "not that easy", not "wrong".
#[inline]
fn short(bytes: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if unsigned.len() > SHORT_BYTES {
        return None;
    }
    let mut mantissa = 0;
    let behind_whole = digits(unsigned, &mut mantissa);
    let mut read = unsigned.len() - behind_whole.len();
    let mut power = 0;
    let mut rest = behind_whole;
    if let [b'.', fraction @ ..] = rest {
        rest = digits(fraction, &mut mantissa);
        let places = fraction.len() - rest.len();
        read += places;
        power = -(places as i32);
    }
    if read == 0 {
        return None;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        power += small_exponent(exponent)?;
    } else if !rest.is_empty() {
        return None;
    }
    if mantissa >= MANTISSA_LIMIT {
        return None;
    }
    let scale = *POWERS.get(power.unsigned_abs() as usize)?;
    let whole = mantissa as f64;
    let magnitude = if power < 0 { whole / scale } else { whole * scale };
    Some(if negative { -magnitude } else { magnitude })
}

/// Adds leading digits to `mantissa` and says what follows them.
#[inline]
fn digits<'a>(mut bytes: &'a [u8], mantissa: &mut u64) -> &'a [u8] {
    while let [digit @ b'0'..=b'9', rest @ ..] = bytes {
        *mantissa = *mantissa * 10 + u64::from(digit - b'0');
        bytes = rest;
    }
    bytes
}

/// An exponent of one or two digits.
fn small_exponent(bytes: &[u8]) -> Option<i32> {
    let (sign, unsigned) = match bytes {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    let mut exponent = 0;
    let short = matches!(unsigned.len(), 1 | 2) && digits(unsigned, &mut exponent).is_empty();
    short.then_some(sign * exponent as i32)
}

#[cold]
fn long(bytes: &[u8]) -> Option<f64> {
    std::str::from_utf8(bytes).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn std_parse(text: &str) -> Option<f64> {
        text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// Bits, so that -0 is not 0.
    fn same(text: &str) {
        let (ours, theirs) = (parse(text.as_bytes()), std_parse(text));
        assert_eq!(ours.map(f64::to_bits), theirs.map(f64::to_bits), "{text:?}: {ours:?}, std {theirs:?}");
    }

    #[test]
    fn equals_the_standard_library_at_the_edges() {
        let cases = "0 -0 +0 1 -1 +1 .5 5. -.5 0.1 0.25 1e3 1E3 1e+3 1e-3 1e22 1e23 1e-22 1e-23 9007199254740991 \
            9007199254740992 9007199254740993 9999999999999999999 18446744073709551615 18446744073709551616 \
            123456789012345678901234567890 0.1234567890123456789 1e308 1e309 -1e309 1e-320 1e-400 00001 1e00003 \
            . - + e 1e 1e+ 1e- e5 .e5 1.2.3 1-2 --1 +-1 0x10 1_000 1,5 nan NaN inf -inf infinity 1e5.5 1e99 1f";
        cases.split_ascii_whitespace().for_each(same);
        for text in ["", " ", "1 ", " 1", "1\n", "1\0", "٣"] {
            same(text);
        }
        assert_eq!(parse(b"\xff"), None);
        assert_eq!(parse(b"1e309"), None);
        assert_eq!(parse(b"nan"), None);
    }

    #[test]
    fn a_number_before_a_bar_is_read_as_one_word() {
        let easy = "0 7 42 1234567 +7 -7 -0 0.5 .5 5. -1.25 +123.45 00001.0 512.25";
        for text in easy.split(' ') {
            let line = format!("{text}|c|#a:b");
            let (value, length) = before(line.as_bytes(), b'|').unwrap_or_else(|| panic!("{text}"));
            assert_eq!((value.to_bits(), length), (std_parse(text).unwrap().to_bits(), text.len()), "{text}");
        }
        for text in [
            "", "-", "+", ".", "-.", "1:2", "1.2.3", "1e3", "a", "12345678", "1\n2", "--1", "1-", "٣", "/",
            ":",
        ] {
            assert_eq!(before(format!("{text}|c|#a:b:c").as_bytes(), b'|'), None, "{text}");
        }
        assert_eq!(before(b"1|c", b'|'), Some((1.0, 1)));
        assert_eq!(before(b"1234567", b'|'), None);
        assert_eq!(before(b"", b'|'), None);
    }

    proptest! {
        #[test]
        fn a_number_before_a_bar_equals_the_standard_library(text in "[-+.0-9]{0,7}|[-+]?[0-9]{1,3}\\.[0-9]{0,2}|[ -{}~]{0,7}") {
            let line = format!("{text}||||||||");
            let ours = before(line.as_bytes(), b'|');
            let plain = text.bytes().all(|byte| matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9'));
            let theirs = if plain { std_parse(&text).map(|value| (value.to_bits(), text.len())) } else { None };
            prop_assert_eq!(ours.map(|(value, length)| (value.to_bits(), length)), theirs);
        }

        #[test]
        fn equals_the_standard_library(text in "[-+]?[0-9]{0,21}(\\.[0-9]{0,8})?([eE][-+]?[0-9]{1,3})?") {
            same(&text);
        }

        #[test]
        fn equals_the_standard_library_for_noise(text in "[-+.eE0-9infa_x]{0,8}") {
            same(&text);
        }

        #[test]
        fn reads_back_what_rust_prints(value in proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(parse(value.to_string().as_bytes()), Some(value));
            prop_assert_eq!(parse(format!("{value:e}").as_bytes()), Some(value));
        }
    }
}
