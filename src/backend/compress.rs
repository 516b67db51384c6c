//! Compression of payloads, for backends whose transport does not do it.

use crate::config::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// What `Content-Encoding` says; `None` for plain bodies.
pub(super) fn encoding(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
    }
}

pub(super) fn compressed(body: Vec<u8>, compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => body,
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
            // Writing into memory cannot fail.
            let _ = encoder.write_all(&body);
            encoder.finish().unwrap_or_default()
        }
    }
}
