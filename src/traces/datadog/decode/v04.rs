//! v0.3 and v0.4: an array of traces, each an array of spans.

use super::super::Trace;
use super::msgpack::{Fault, Reader};
use super::{Each, Refused, Room, clear, span};

/// Hands on every trace of a body, also empty ones.
pub fn traces(body: &[u8], room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Refused> {
    let mut reader = Reader::new(body);
    read(&mut reader, room, each).map_err(|fault| Refused::at(&reader, fault))
}

fn read(reader: &mut Reader<'_>, room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Fault> {
    let mut trace = Trace::default();
    for _ in 0..reader.array()? {
        let used = room.used();
        clear(&mut trace);
        span::spans(reader, room, &mut trace.spans)?;
        each(&mut trace)?;
        room.back_to(used);
    }
    Ok(())
}
