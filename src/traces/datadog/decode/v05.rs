//! v0.5: a dictionary of strings, then traces whose spans are arrays of twelve.
//!
//! Strings stand once in the body and any number of times in the spans, so spans borrow them from the
//! dictionary. There is no field for links and events; they stay JSON text in `meta`.

use super::super::{Span, Trace};
use super::msgpack::{Fault, Reader};
use super::span::{FIRST, need_one, small};
use super::{Each, Refused, Room, clear};
use std::borrow::Cow;

/// Hands on every trace of a body, also empty ones.
pub fn traces(body: &[u8], room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Refused> {
    let mut reader = Reader::new(body);
    read(&mut reader, room, each).map_err(|fault| Refused::at(&reader, fault))
}

fn read(reader: &mut Reader<'_>, room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Fault> {
    let parts = reader.array()?;
    if parts < 2 {
        return Err(Fault::Truncated);
    }
    let length = reader.array()?;
    room.need(length.saturating_mul(size_of::<Cow<'_, str>>()))?;
    let mut dictionary = Vec::with_capacity(length);
    for _ in 0..length {
        dictionary.push(reader.text(room)?);
    }
    let mut trace = Trace::default();
    for _ in 0..reader.array()? {
        let used = room.used();
        clear(&mut trace);
        for _ in 0..reader.array()? {
            need_one::<Span<'_>>(room)?;
            trace.spans.push(span(reader, &dictionary, room)?);
        }
        each(&mut trace)?;
        room.back_to(used);
    }
    Ok(())
}

fn word<'d>(reader: &mut Reader<'_>, dictionary: &'d [Cow<'_, str>]) -> Result<Cow<'d, str>, Fault> {
    let index = reader.unsigned()?;
    let found = usize::try_from(index).ok().and_then(|index| dictionary.get(index));
    found.map(|word| Cow::Borrowed(word.as_ref())).ok_or(Fault::Index { index, known: dictionary.len() })
}

fn span<'d>(
    reader: &mut Reader<'_>,
    dictionary: &'d [Cow<'_, str>],
    room: &mut Room<'_>,
) -> Result<Span<'d>, Fault> {
    let elements = reader.array()?;
    if elements != 12 {
        return Err(Fault::Elements(elements));
    }
    let mut span = Span {
        service: word(reader, dictionary)?,
        name: word(reader, dictionary)?,
        resource: word(reader, dictionary)?,
        trace_id: reader.unsigned()?,
        span_id: reader.unsigned()?,
        parent_id: reader.unsigned()?,
        start: reader.signed()?,
        duration: reader.signed()?,
        error: small(reader.signed()?),
        ..Span::default()
    };
    let length = reader.map()?;
    span.meta.reserve_exact(length.min(FIRST));
    for _ in 0..length {
        need_one::<(Cow<'_, str>, Cow<'_, str>)>(room)?;
        let key = word(reader, dictionary)?;
        span.meta.push((key, word(reader, dictionary)?));
    }
    let length = reader.map()?;
    span.metrics.reserve_exact(length.min(FIRST));
    for _ in 0..length {
        need_one::<(Cow<'_, str>, f64)>(room)?;
        let key = word(reader, dictionary)?;
        span.metrics.push((key, reader.float()?));
    }
    span.kind = word(reader, dictionary)?;
    Ok(span)
}
