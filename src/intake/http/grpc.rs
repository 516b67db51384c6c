//! gRPC as far as one message in and one out need it: the prefix of a message, statuses and their details.
//!
//! Sources: "gRPC over HTTP2" of the gRPC documentation, `google/rpc/status.proto`, `error_details.proto`.

use super::protocol::Grpc;
use crate::otlp::protobuf::Writer;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::fmt::Write as _;
use std::time::Duration;
use tonic::metadata::BinaryMetadataValue;

/// Bytes before a message: whether it is compressed, and its length.
pub const PREFIX: usize = 5;
pub(super) const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
/// Clients limit what a head may hold.
const MESSAGE_BYTES: usize = 1_024;

/// Codes by number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

pub(super) fn name(code: u8) -> &'static str {
    NAMES.get(usize::from(code)).copied().unwrap_or("UNKNOWN")
}

/// The code for an answer that names none.
pub(super) fn code_of(status: StatusCode) -> u8 {
    match status.as_u16() {
        200..=299 => 0,
        401 => 16,
        403 => 7,
        404 | 405 | 415 => 12,
        408 => 4,
        413 => 8,
        429 | 502..=504 => 14,
        400 => 3,
        _ => 2,
    }
}

/// Whether a request's content type is gRPC with protobuf inside.
pub(super) fn speaks(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    let kind = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    kind.eq_ignore_ascii_case(b"application/grpc") || kind.eq_ignore_ascii_case(b"application/grpc+proto")
}

/// The whole length of a body of one message, by its beginning.
pub(super) fn announced(beginning: &[u8]) -> Option<usize> {
    let (prefix, _) = beginning.split_first_chunk::<PREFIX>()?;
    let [_, a, b, c, d] = *prefix;
    usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?.checked_add(PREFIX)
}

/// The one message of a body, and whether it is compressed.
///
/// # Errors
/// What is wrong, for the client.
pub fn unframe(body: &Bytes) -> Result<(bool, Bytes), &'static str> {
    let Some(end) = announced(body) else {
        return Err(if body.is_empty() {
            "there is no message"
        } else {
            "the message ends inside its prefix"
        });
    };
    let compressed = match body[0] {
        0 => false,
        1 => true,
        _ => return Err("the first byte of the message is neither 0 nor 1"),
    };
    if body.len() < end {
        return Err("the message is shorter than its prefix says");
    }
    if body.len() > end {
        return Err("there is more than one message");
    }
    Ok((compressed, body.slice(PREFIX..)))
}

/// Frames a message.
pub(super) fn frame(message: &Bytes) -> Bytes {
    if message.is_empty() {
        return Bytes::from_static(&[0; PREFIX]);
    }
    // Answers are small: far below what four bytes can say.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// A status as headers or trailers.
pub(super) fn status(status: &Grpc, retry_after: Option<Duration>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(4);
    if status.code == 0 {
        map.insert(STATUS, HeaderValue::from_static("0"));
        return map;
    }
    map.insert(STATUS, HeaderValue::from(u16::from(status.code)));
    if let Ok(value) = HeaderValue::try_from(percent(cut(&status.message))) {
        map.insert(MESSAGE, value);
    }
    map.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity,gzip,deflate,zstd"));
    if let Some(after) = retry_after {
        let details = BinaryMetadataValue::from_bytes(&details(status, after));
        if let Ok(value) = HeaderValue::from_bytes(details.as_encoded_bytes()) {
            map.insert(DETAILS, value);
        }
    }
    map
}

/// `google.rpc.Status` as protobuf: the body of an OTLP error.
pub fn status_message(code: u8, message: &str) -> Vec<u8> {
    let mut to = Writer::new();
    to.varint_if(1, code.into());
    to.text_if(2, message);
    to.into_inner()
}

/// The same with `google.rpc.RetryInfo` inside.
fn details(status: &Grpc, after: Duration) -> Vec<u8> {
    let mut delay = Writer::new();
    delay.varint_if(1, after.as_secs());
    delay.varint_if(2, after.subsec_nanos().into());
    let mut info = Writer::new();
    info.bytes(1, delay.written());
    let mut to = Writer::onto(status_message(status.code, cut(&status.message)));
    let any = to.begin(3, RETRY_INFO.len() + 16);
    to.text(1, RETRY_INFO);
    to.bytes(2, info.written());
    to.end(any);
    to.into_inner()
}

fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES)]
}

/// What is no printable ASCII, and `%` itself, as `%XX`.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_unframed_and_everything_else_is_told() {
        let unframe = |bytes: &[u8]| unframe(&Bytes::copy_from_slice(bytes));
        assert_eq!(unframe(&[0, 0, 0, 0, 0]), Ok((false, Bytes::new())));
        assert_eq!(unframe(b"\x01\0\0\0\x02ab"), Ok((true, Bytes::from_static(b"ab"))));
        let cases: [(&[u8], &str); 5] = [
            (b"", "there is no message"),
            (b"\0\0\0\0", "the message ends inside its prefix"),
            (b"\x02\0\0\0\0", "the first byte of the message is neither 0 nor 1"),
            (b"\0\0\0\0\x03ab", "the message is shorter than its prefix says"),
            (b"\0\0\0\0\0\0\0\0\0\0", "there is more than one message"),
        ];
        for (bytes, why) in cases {
            assert_eq!(unframe(bytes), Err(why));
        }
        assert_eq!(frame(&Bytes::from_static(b"ab")), Bytes::from_static(b"\0\0\0\0\x02ab"));
    }

    #[test]
    fn a_status_tells_when_to_come_again() {
        let refused = Grpc { code: 14, message: "no room: 100 % – later".into() };
        let map = status(&refused, Some(Duration::from_millis(1_500)));
        assert_eq!(map["grpc-status"], "14");
        assert_eq!(map["grpc-message"], "no room: 100 %25 %E2%80%93 later");
        let read = tonic::Status::from_header_map(&map).unwrap();
        assert_eq!((read.code(), read.message()), (tonic::Code::Unavailable, &*refused.message));
        let mut expected = status_message(14, &refused.message);
        let info = b"\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x01";
        expected.extend_from_slice(&[0x1a, (2 + RETRY_INFO.len() + 2 + info.len()) as u8, 0x0a, 40]);
        expected.extend_from_slice(RETRY_INFO.as_bytes());
        expected.extend_from_slice(&[0x12, info.len() as u8]);
        expected.extend_from_slice(info);
        assert_eq!(read.details(), expected);
    }
}
