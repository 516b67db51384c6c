//! Bytes as text: hex for ids, base64 for other bytes.
//!
//! Read in every spelling that senders use (hex in either case; base64 of both alphabets, with or without
//! its padding), written in one. Sources: RFC 4648; ProtoJSON for what a reader accepts.

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as lower-case hex.
pub(super) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Reads exactly as many bytes as `into` has; false when the text is another.
pub(super) fn read_hex(text: &str, into: &mut [u8]) -> bool {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != into.len() || !rest.is_empty() {
        return false;
    }
    for ([high, low], byte) in pairs.iter().zip(into) {
        let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) else { return false };
        *byte = high << 4 | low;
    }
    true
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Writes bytes as padded base64 of the standard alphabet.
pub(super) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    base64_digits(bytes).for_each(|four| out.extend_from_slice(&four));
}

/// The digits of that, by four.
pub(in crate::otlp) fn base64_digits(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes.chunks(3).map(|group| {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        let mut four = [18, 12, 6, 0].map(|shift| BASE64[(bits >> shift & 63) as usize]);
        four[group.len() + 1..].fill(b'=');
        four
    })
}

/// The number of bytes that a base64 text stands for, as far as its length tells.
pub(super) fn base64_length(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

/// Reads base64 piece by piece; false when the text is none. At most two `=` may end it, whatever its
/// length; bits beyond the last byte are ignored.
pub(super) fn read_base64(text: &str, mut take: impl FnMut(&[u8])) -> bool {
    let digits = text.strip_suffix('=').unwrap_or(text);
    let digits = digits.strip_suffix('=').unwrap_or(digits);
    for group in digits.as_bytes().chunks(4) {
        let mut bits = 0;
        for (at, digit) in group.iter().enumerate() {
            let Some(value) = sextet(*digit) else { return false };
            bits |= u32::from(value) << (18 - 6 * at);
        }
        let [_, three @ ..] = bits.to_be_bytes();
        match group.len() {
            4 => take(&three),
            3 => take(&three[..2]),
            2 => take(&three[..1]),
            _ => return false,
        }
    }
    true
}

fn sextet(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = read_base64(text, |piece| bytes.extend_from_slice(piece));
        assert!(!read || bytes.len() == base64_length(text), "{text}");
        read.then_some(bytes)
    }

    fn encoded(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_base64(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_of_the_known_vectors() {
        let texts = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, text) in texts.into_iter().enumerate() {
            let bytes = &b"foobar"[..length];
            assert_eq!(encoded(bytes), text);
            assert_eq!(decoded(text).as_deref(), Some(bytes), "{text}");
            assert_eq!(decoded(text.trim_end_matches('=')).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(decoded("-_+/").as_deref(), Some(&[0xfb, 0xff, 0xbf][..]));
        for wrong in ["A", "AAAAA", "A=A=", "AA===", "A A=", "Ä===", "AA\n=", "===="] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hex_of_either_case_and_of_the_right_length() {
        let mut two = [0; 2];
        for (text, expected) in
            [("00fF", true), ("", false), ("00f", false), ("00ff0", false), ("00fg", false), ("0äf", false)]
        {
            assert_eq!(read_hex(text, &mut two), expected, "{text}");
        }
        assert!(read_hex("Ab09", &mut two));
        let mut out = Vec::new();
        write_hex(&two, &mut out);
        assert_eq!(out, b"ab09");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let text = encoded(&bytes);
            prop_assert_eq!(decoded(&text), Some(bytes.clone()));
            prop_assert_eq!(decoded(&text.replace('+', "-").replace('/', "_")), Some(bytes));
        }

        #[test]
        fn any_text_is_read_to_an_end(text in ".{0,40}") {
            decoded(&text);
            read_hex(&text, &mut [0; 8]);
        }
    }
}
