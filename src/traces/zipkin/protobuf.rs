//! Zipkin's protobuf: a `ListOfSpans`, read one span at a time (`zipkin.proto` of `openzipkin/zipkin-api`).

use super::{Endpoint, Kind, Span};
use crate::otlp::protobuf::{Fields, Malformed, Value};
use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("span {span}: {why}")]
    Malformed { span: usize, why: Malformed },
    #[error("span {span}: `{field}` has {length} bytes and must be an id that is not zero")]
    Id { span: usize, field: &'static str, length: usize },
}

/// Gives each span of `body` to `take`; an error of `take` ends the reading.
///
/// # Errors
/// The first span that cannot be read, by its number.
pub fn read<'a, E>(
    body: &'a [u8],
    mut take: impl FnMut(Span<'a>) -> Result<(), E>,
) -> Result<Result<(), E>, Refused> {
    let mut number = 0;
    for field in Fields::new(body) {
        let malformed = |why| Refused::Malformed { span: number, why };
        let (1, value) = field.map_err(malformed)? else { continue };
        let span = span(value.bytes().map_err(malformed)?, number)?;
        if let Err(stopped) = take(span) {
            return Ok(Err(stopped));
        }
        number += 1;
    }
    Ok(Ok(()))
}

fn span(message: &[u8], number: usize) -> Result<Span<'_>, Refused> {
    let malformed = |why| Refused::Malformed { span: number, why };
    let mut span = Span::default();
    for field in Fields::new(message) {
        let (field, value) = field.map_err(malformed)?;
        match field {
            1 => span.trace_id = id(value.bytes().map_err(malformed)?, "trace_id", number)?,
            2 => {
                let parent = value.bytes().map_err(malformed)?;
                if parent.iter().any(|byte| *byte != 0) {
                    span.parent_id = Some(id(parent, "parent_id", number)?);
                }
            }
            3 => span.id = id(value.bytes().map_err(malformed)?, "id", number)?,
            4 => {
                span.kind = match value.varint().map_err(malformed)? {
                    1 => Kind::Client,
                    2 => Kind::Server,
                    3 => Kind::Producer,
                    4 => Kind::Consumer,
                    _ => Kind::None,
                };
            }
            5 => span.name = text(value).map_err(malformed)?,
            6 => span.timestamp = value.fixed64().map_err(malformed)?,
            7 => span.duration = value.varint().map_err(malformed)?,
            8 => span.local = endpoint(value).map_err(malformed)?,
            9 => span.remote = endpoint(value).map_err(malformed)?,
            10 => span.annotations.push(annotation(value).map_err(malformed)?),
            11 => span.tags.push(pair(value).map_err(malformed)?),
            12 => span.debug = value.varint().map_err(malformed)? != 0,
            13 => span.shared = value.varint().map_err(malformed)? != 0,
            _ => {}
        }
    }
    if span.trace_id == [0; 16] {
        return Err(Refused::Id { span: number, field: "trace_id", length: 0 });
    }
    if span.id == [0; 8] {
        return Err(Refused::Id { span: number, field: "id", length: 0 });
    }
    Ok(span)
}

/// An id of `N` bytes, or of half of them padded.
fn id<const N: usize>(bytes: &[u8], field: &'static str, span: usize) -> Result<[u8; N], Refused> {
    let fits = bytes.len() == N || (N == 16 && bytes.len() == 8);
    if !fits || bytes.iter().all(|byte| *byte == 0) {
        return Err(Refused::Id { span, field, length: bytes.len() });
    }
    let mut id = [0; N];
    id[N - bytes.len()..].copy_from_slice(bytes);
    Ok(id)
}

fn text(value: Value<'_>) -> Result<Cow<'_, str>, Malformed> {
    value.text().map(Cow::Borrowed)
}

fn endpoint(value: Value<'_>) -> Result<Endpoint<'_>, Malformed> {
    let mut endpoint = Endpoint::default();
    for field in Fields::new(value.bytes()?) {
        let (field, value) = field?;
        match field {
            1 => endpoint.service = text(value)?,
            2 => {
                if let Ok(address) = <[u8; 4]>::try_from(value.bytes()?) {
                    endpoint.ipv4 = Cow::Owned(Ipv4Addr::from(address).to_string());
                }
            }
            3 => {
                if let Ok(address) = <[u8; 16]>::try_from(value.bytes()?) {
                    endpoint.ipv6 = Cow::Owned(Ipv6Addr::from(address).to_string());
                }
            }
            4 => endpoint.port = u16::try_from(value.varint()?).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(endpoint)
}

fn annotation(value: Value<'_>) -> Result<(u64, Cow<'_, str>), Malformed> {
    let mut annotation = (0, Cow::default());
    for field in Fields::new(value.bytes()?) {
        match field? {
            (1, value) => annotation.0 = value.fixed64()?,
            (2, value) => annotation.1 = text(value)?,
            _ => {}
        }
    }
    Ok(annotation)
}

fn pair(value: Value<'_>) -> Result<(Cow<'_, str>, Cow<'_, str>), Malformed> {
    let mut pair = (Cow::default(), Cow::default());
    for field in Fields::new(value.bytes()?) {
        match field? {
            (1, value) => pair.0 = text(value)?,
            (2, value) => pair.1 = text(value)?,
            _ => {}
        }
    }
    Ok(pair)
}
