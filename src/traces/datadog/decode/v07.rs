//! v0.7: a map of what is known of the sender, and chunks with spans as in v0.4.

use super::super::{Sender, Trace};
use super::msgpack::{Fault, Reader};
use super::span::{pairs, small, spans};
use super::{Each, Refused, Room, clear};

/// A body whose sender was read; its chunks, which may stand before the rest, were passed over.
#[derive(Debug)]
pub struct Payload<'a> {
    pub sender: Sender<'a>,
    chunks: Option<Reader<'a>>,
}

impl<'a> Payload<'a> {
    pub fn read(body: &'a [u8], room: &mut Room<'_>) -> Result<Self, Refused> {
        let mut reader = Reader::new(body);
        payload(&mut reader, room).map_err(|fault| Refused::at(&reader, fault))
    }

    /// Hands on every trace, also empty ones.
    pub fn traces(self, room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Refused> {
        let Some(mut reader) = self.chunks else { return Ok(()) };
        chunks(&mut reader, room, each).map_err(|fault| Refused::at(&reader, fault))
    }
}

fn payload<'a>(reader: &mut Reader<'a>, room: &mut Room<'_>) -> Result<Payload<'a>, Fault> {
    let mut sender = Sender::default();
    let mut chunks = None;
    for _ in 0..reader.map()? {
        match reader.raw()? {
            b"container_id" => sender.container_id = reader.text(room)?,
            b"language_name" => sender.language = reader.text(room)?,
            b"language_version" => sender.language_version = reader.text(room)?,
            b"tracer_version" => sender.tracer_version = reader.text(room)?,
            b"runtime_id" => sender.runtime_id = reader.text(room)?,
            b"env" => sender.env = reader.text(room)?,
            b"hostname" => sender.hostname = reader.text(room)?,
            b"app_version" => sender.app_version = reader.text(room)?,
            b"tags" => pairs(reader, room, &mut sender.tags, Reader::text)?,
            b"chunks" => {
                chunks = Some(reader.clone());
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(Payload { sender, chunks })
}

fn chunks(reader: &mut Reader<'_>, room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Fault> {
    let mut trace = Trace::default();
    for _ in 0..reader.array()? {
        let used = room.used();
        clear(&mut trace);
        for _ in 0..reader.map()? {
            match reader.raw()? {
                b"priority" => trace.priority = priority(reader.signed()?),
                b"origin" => trace.origin = reader.text(room)?,
                b"tags" => pairs(reader, room, &mut trace.tags, Reader::text)?,
                b"dropped_trace" => trace.dropped = reader.flag()?,
                b"spans" => spans(reader, room, &mut trace.spans)?,
                _ => reader.skip()?,
            }
        }
        each(&mut trace)?;
        room.back_to(used);
    }
    Ok(())
}

/// −128 stands for none.
pub(super) fn priority(number: i64) -> Option<i32> {
    (number != i64::from(i8::MIN)).then(|| small(number))
}
