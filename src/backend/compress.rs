//! Compression of payloads, for backends whose transport does not do it.

use crate::config::Compression;
use crate::deliver::TooLarge;
use flate2::write::GzEncoder;
use std::io::Write;

/// What `Content-Encoding` says; `None` for plain bodies.
pub(super) fn encoding(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Zstd => Some("zstd"),
    }
}

/// Level 1 of either: the next ones cost more than they save on payloads like these.
pub(super) fn compressed(body: Vec<u8>, compression: Compression) -> Result<Vec<u8>, TooLarge> {
    Ok(match compression {
        Compression::None => body,
        Compression::Gzip => {
            let room = Vec::with_capacity(body.len() / 4);
            let mut encoder = GzEncoder::new(room, flate2::Compression::fast());
            // Writing into memory cannot fail.
            let _ = encoder.write_all(&body);
            encoder.finish().unwrap_or_default()
        }
        // Fails for want of memory only; a smaller part wants less.
        Compression::Zstd => zstd::bulk::compress(&body, 1).map_err(|_| TooLarge)?,
    })
}
