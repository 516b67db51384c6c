//! Content encodings, undone: as much as the limit and the budget allow, and not a byte more.
//!
//! A small body may stand for a very large one, so room is taken step by step before it is filled. What a
//! decoder itself needs (a window of at most 8 MiB, as RFC 9659 has it for zstd) lives only while it runs.

use crate::otlp::{Budget, Hold};
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::HeaderName;
use std::io::{self, Read};

/// Room at first, when the body is small.
const FIRST: usize = 4 << 10;
/// The largest window of zstd, as a power of two.
const WINDOW_LOG: u32 = 23;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    /// With any number of members.
    Gzip,
    /// In the format of zlib.
    Deflate,
    /// With any number of frames.
    Zstd,
}

/// Why nothing came out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the decompressed body is too large")]
    TooLarge,
    #[error("there is no room for the decompressed body")]
    NoRoom,
    #[error("the body cannot be decompressed: {0}")]
    Broken(String),
}

impl Encoding {
    /// What a header says; the name that is not known as the error.
    pub fn of(headers: &HeaderMap, header: HeaderName) -> Result<Encoding, String> {
        let mut found = Encoding::Identity;
        for value in headers.get_all(header) {
            let name = value.as_bytes().trim_ascii();
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            let one = if name.is_empty() || is("identity") {
                continue;
            } else if is("gzip") || is("x-gzip") {
                Encoding::Gzip
            } else if is("deflate") {
                Encoding::Deflate
            } else if is("zstd") {
                Encoding::Zstd
            } else {
                return Err(String::from_utf8_lossy(name).into_owned());
            };
            if found != Encoding::Identity {
                return Err("more than one".to_owned());
            }
            found = one;
        }
        Ok(found)
    }
}

/// The bytes that `body` stands for, at most `limit`, with their place in the budget.
///
/// # Errors
/// What came out so far is forgotten.
pub fn inflate(
    encoding: Encoding,
    body: &[u8],
    limit: usize,
    budget: &Budget,
) -> Result<(Vec<u8>, Hold), Fault> {
    if body.is_empty() {
        return fill(io::empty(), 0, limit, budget);
    }
    match encoding {
        Encoding::Identity => fill(body, body.len(), limit, budget),
        Encoding::Gzip => fill(MultiGzDecoder::new(body), 4 * body.len(), limit, budget),
        Encoding::Deflate => {
            let mut decoder = ZlibDecoder::new(body);
            let filled = fill(&mut decoder, 4 * body.len(), limit, budget)?;
            if !decoder.into_inner().is_empty() {
                return Err(Fault::Broken("there are bytes behind its end".into()));
            }
            Ok(filled)
        }
        Encoding::Zstd => {
            let broken = |error: io::Error| Fault::Broken(error.to_string());
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(broken)?;
            decoder.window_log_max(WINDOW_LOG).map_err(broken)?;
            fill(decoder, 4 * body.len(), limit, budget)
        }
    }
}

fn fill(
    mut from: impl Read,
    expected: usize,
    limit: usize,
    budget: &Budget,
) -> Result<(Vec<u8>, Hold), Fault> {
    // One byte more than the limit tells what is too large from what just fits.
    let most = limit.saturating_add(1);
    let mut capacity = expected.max(FIRST).min(most);
    let mut hold = budget.take(capacity).ok_or(Fault::NoRoom)?;
    let mut out = Vec::with_capacity(capacity);
    loop {
        let room = (capacity - out.len()) as u64;
        from.by_ref().take(room).read_to_end(&mut out).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Broken("it ends early".into()),
            _ => Fault::Broken(error.to_string()),
        })?;
        if out.len() > limit {
            return Err(Fault::TooLarge);
        }
        if out.len() < capacity {
            break;
        }
        capacity = capacity.saturating_mul(2).min(most);
        if !hold.resize(capacity) {
            return Err(Fault::NoRoom);
        }
        out.reserve_exact(capacity - out.len());
    }
    out.shrink_to_fit();
    hold.resize(out.capacity());
    Ok((out, hold))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use http::header::CONTENT_ENCODING;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn out(encoding: Encoding, body: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
        let budget = Budget::new(10 << 20);
        let found = inflate(encoding, body, limit, &budget).map(|(out, hold)| {
            assert_eq!((hold.bytes(), budget.held()), (out.capacity(), out.capacity()));
            out
        });
        assert_eq!(budget.held(), 0);
        found
    }

    #[test]
    fn every_encoding_comes_back_whole() {
        for length in [0, 1, 4_095, 4_096, 4_097, 100_000] {
            let text: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let cases = [
                (Encoding::Identity, text.clone()),
                (Encoding::Gzip, gzip(&text)),
                (Encoding::Deflate, zlib(&text)),
                (Encoding::Zstd, zstd(&text)),
                (Encoding::Gzip, [gzip(&text[..length / 2]), gzip(&text[length / 2..])].concat()),
                (Encoding::Zstd, [zstd(&text[..length / 2]), zstd(&text[length / 2..])].concat()),
            ];
            for (encoding, body) in cases {
                assert_eq!(out(encoding, &body, length).unwrap(), text, "{encoding:?} {length}");
                if length > 0 {
                    assert_eq!(
                        out(encoding, &body, length - 1),
                        Err(Fault::TooLarge),
                        "{encoding:?} {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit_or_at_the_budget() {
        let zeros = vec![0; 30 << 20];
        for (encoding, bomb) in [
            (Encoding::Gzip, gzip(&zeros)),
            (Encoding::Deflate, zlib(&zeros)),
            (Encoding::Zstd, zstd(&zeros)),
        ] {
            assert!(bomb.len() < 100_000);
            assert_eq!(out(encoding, &bomb, 1 << 20), Err(Fault::TooLarge));
            assert_eq!(out(encoding, &bomb, 20 << 20), Err(Fault::NoRoom));
        }
    }

    #[test]
    fn what_is_cut_or_foreign_is_told() {
        let text = b"some text that is long enough to be worth it".repeat(10);
        for (encoding, body) in
            [(Encoding::Gzip, gzip(&text)), (Encoding::Deflate, zlib(&text)), (Encoding::Zstd, zstd(&text))]
        {
            for bad in
                [&body[..body.len() - 1], &body[..3], &[body.as_slice(), b"x"].concat(), b"{\"plain\":1}"]
            {
                let found = out(encoding, bad, 1 << 20);
                assert!(matches!(found, Err(Fault::Broken(_))), "{encoding:?} {bad:?} {found:?}");
            }
        }
    }

    #[test]
    fn headers_are_read_as_they_are_written() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, http::HeaderValue::from_static(value));
            }
            Encoding::of(&headers, CONTENT_ENCODING)
        };
        assert_eq!(of(&[]), Ok(Encoding::Identity));
        assert_eq!(of(&[""]), Ok(Encoding::Identity));
        assert_eq!(of(&["Identity"]), Ok(Encoding::Identity));
        assert_eq!(of(&["GZIP"]), Ok(Encoding::Gzip));
        assert_eq!(of(&["identity", "zstd"]), Ok(Encoding::Zstd));
        assert_eq!(of(&["deflate"]), Ok(Encoding::Deflate));
        assert_eq!(of(&["br"]), Err("br".to_owned()));
        assert_eq!(of(&["gzip, gzip"]), Err("gzip, gzip".to_owned()));
        assert_eq!(of(&["gzip", "gzip"]), Err("more than one".to_owned()));
    }
}
