//! v1.0: fields have numbers, and a string is its text where it first comes, later its index.
//!
//! The table of strings grows while the body is read, so what stands behind the chunks can only be read
//! through them: such a body, which no known tracer sends, is read twice. Attributes of every kind become
//! what the older versions have: text and booleans `meta`, numbers `metrics`, bytes `meta_struct`, lists
//! and maps JSON text in `meta`. Next: `attribute`, then `strings`.

mod attribute;
mod strings;

use super::super::{Event, Link, Sender, Span, Trace};
use super::msgpack::{Fault, Reader};
use super::span::{need_one, small};
use super::{Each, Refused, Room, clear, v07};
use attribute::Attribute;
use std::borrow::Cow;
use strings::Strings;

/// A body whose sender was read.
#[derive(Debug)]
pub struct Payload<'a> {
    pub sender: Sender<'a>,
    body: &'a [u8],
}

/// A body in which all strings are UTF-8: the one that came, or a repaired one.
pub fn repaired<'a>(body: &'a [u8], room: &mut Room<'_>) -> Result<Cow<'a, [u8]>, Refused> {
    strings::repaired(body, room)
}

impl<'a> Payload<'a> {
    /// `body` comes from [`repaired`].
    pub fn read(body: &'a [u8], room: &mut Room<'_>) -> Result<Self, Refused> {
        let mut decoder = Decoder::new(body);
        let mut sender = Sender::default();
        let used = room.used();
        let read = decoder.payload(&mut sender, room, None);
        read.map_err(|fault| Refused::at(&decoder.reader, fault))?;
        room.back_to(used);
        Ok(Payload { sender, body })
    }

    /// Hands on every trace, also empty ones.
    pub fn traces(self, room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Refused> {
        let mut decoder = Decoder::new(self.body);
        let read = decoder.payload(&mut Sender::default(), room, Some(each));
        read.map_err(|fault| Refused::at(&decoder.reader, fault))
    }
}

struct Decoder<'a> {
    reader: Reader<'a>,
    strings: Strings<'a>,
}

impl<'a> Decoder<'a> {
    fn new(body: &'a [u8]) -> Self {
        Decoder { reader: Reader::new(body), strings: Strings::default() }
    }

    fn text(&mut self, room: &mut Room<'_>) -> Result<&'a str, Fault> {
        self.strings.read(&mut self.reader, room)
    }

    /// Without `each`, chunks are read only as far as fields behind them ask for it.
    fn payload(
        &mut self,
        sender: &mut Sender<'a>,
        room: &mut Room<'_>,
        mut each: Option<&mut Each<'_>>,
    ) -> Result<(), Fault> {
        let fields = self.reader.map()?;
        for field in 1..=fields {
            match self.reader.unsigned()? {
                1 => self.strings.table(&mut self.reader, room)?,
                2 => sender.container_id = self.text(room)?.into(),
                3 => sender.language = self.text(room)?.into(),
                4 => sender.language_version = self.text(room)?.into(),
                5 => sender.tracer_version = self.text(room)?.into(),
                6 => sender.runtime_id = self.text(room)?.into(),
                7 => sender.env = self.text(room)?.into(),
                8 => sender.hostname = self.text(room)?.into(),
                9 => sender.app_version = self.text(room)?.into(),
                10 => {
                    for attribute in self.attributes(room)? {
                        sender.tags.push((attribute.key.into(), attribute.value.into_text()));
                    }
                }
                11 => match each.as_mut() {
                    Some(each) => self.chunks(room, each)?,
                    None if field == fields => return Ok(()),
                    None => self.chunks(room, &mut |_| Ok(()))?,
                },
                _ => self.reader.skip()?,
            }
        }
        Ok(())
    }

    fn chunks(&mut self, room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Fault> {
        let mut trace = Trace::default();
        for _ in 0..self.reader.array()? {
            // The table of strings keeps growing: what it needs must outlive the trace.
            let (used, table) = (room.used(), self.strings.bytes());
            clear(&mut trace);
            self.chunk(&mut trace, room)?;
            each(&mut trace)?;
            room.back_to(used + self.strings.bytes() - table);
        }
        Ok(())
    }

    fn chunk(&mut self, trace: &mut Trace<'a>, room: &mut Room<'_>) -> Result<(), Fault> {
        let mut id = 0_u128;
        for _ in 0..self.reader.map()? {
            match self.reader.unsigned()? {
                1 => trace.priority = v07::priority(self.reader.signed()?),
                2 => trace.origin = self.text(room)?.into(),
                3 => {
                    for attribute in self.attributes(room)? {
                        trace.tags.push((attribute.key.into(), attribute.value.into_text()));
                    }
                }
                4 => {
                    for _ in 0..self.reader.array()? {
                        need_one::<Span<'_>>(room)?;
                        let span = self.span(room)?;
                        trace.spans.push(span);
                    }
                }
                5 => trace.dropped = self.reader.flag()?,
                6 => id = trace_id(self.reader.raw()?),
                7 => {
                    if let Some(mechanism) = self.mechanism(room)? {
                        trace.tags.push(("_dd.p.dm".into(), mechanism));
                    }
                }
                _ => self.reader.skip()?,
            }
        }
        for span in &mut trace.spans {
            span.trace_id = id as u64;
            span.trace_id_high = (id >> 64) as u64;
        }
        Ok(())
    }

    /// The sampling mechanism: a number, or (in earlier drafts) the tag's text.
    fn mechanism(&mut self, room: &mut Room<'_>) -> Result<Option<Cow<'a, str>>, Fault> {
        if strings::is_text(&self.reader) {
            let text = self.text(room)?;
            return Ok((!text.is_empty()).then_some(text.into()));
        }
        let number = self.reader.unsigned()?;
        Ok((number != 0).then(|| format!("-{number}").into()))
    }

    fn span(&mut self, room: &mut Room<'_>) -> Result<Span<'a>, Fault> {
        let mut span = Span::default();
        for _ in 0..self.reader.map()? {
            match self.reader.unsigned()? {
                1 => span.service = self.text(room)?.into(),
                2 => span.name = self.text(room)?.into(),
                3 => span.resource = self.text(room)?.into(),
                4 => span.span_id = self.reader.unsigned()?,
                5 => span.parent_id = self.reader.unsigned()?,
                6 => span.start = self.reader.signed()?,
                7 => span.duration = self.reader.signed()?,
                8 => span.error = small(self.reader.signed()?),
                9 => {
                    for attribute in self.attributes(room)? {
                        attribute.onto(&mut span, room)?;
                    }
                }
                10 => span.kind = self.text(room)?.into(),
                11 => {
                    for _ in 0..self.reader.array()? {
                        need_one::<Link<'_>>(room)?;
                        let link = self.link(room)?;
                        span.links.push(link);
                    }
                }
                12 => {
                    for _ in 0..self.reader.array()? {
                        need_one::<Event<'_>>(room)?;
                        let event = self.event(room)?;
                        span.events.push(event);
                    }
                }
                13 => self.meta(&mut span, "env", room)?,
                14 => self.meta(&mut span, "version", room)?,
                15 => self.meta(&mut span, "component", room)?,
                16 => {
                    if let Some(kind) = kind(self.reader.unsigned()?) {
                        need_one::<(Cow<'_, str>, Cow<'_, str>)>(room)?;
                        span.meta.push(("span.kind".into(), kind.into()));
                    }
                }
                _ => self.reader.skip()?,
            }
        }
        Ok(span)
    }

    fn meta(&mut self, span: &mut Span<'a>, key: &'static str, room: &mut Room<'_>) -> Result<(), Fault> {
        let text = self.text(room)?;
        if !text.is_empty() {
            need_one::<(Cow<'_, str>, Cow<'_, str>)>(room)?;
            span.meta.push((key.into(), text.into()));
        }
        Ok(())
    }

    fn link(&mut self, room: &mut Room<'_>) -> Result<Link<'a>, Fault> {
        let mut link = Link::default();
        for _ in 0..self.reader.map()? {
            match self.reader.unsigned()? {
                1 => {
                    let id = trace_id(self.reader.raw()?);
                    (link.trace_id, link.trace_id_high) = (id as u64, (id >> 64) as u64);
                }
                2 => link.span_id = self.reader.unsigned()?,
                3 => {
                    for attribute in self.attributes(room)? {
                        link.attributes.push((attribute.key.into(), attribute.value.into_text()));
                    }
                }
                4 => link.tracestate = self.text(room)?.into(),
                5 => link.flags = self.reader.unsigned()? as u32,
                _ => self.reader.skip()?,
            }
        }
        Ok(link)
    }

    fn event(&mut self, room: &mut Room<'_>) -> Result<Event<'a>, Fault> {
        let mut event = Event::default();
        for _ in 0..self.reader.map()? {
            match self.reader.unsigned()? {
                1 => event.time_ns = self.reader.unsigned()?,
                2 => event.name = self.text(room)?.into(),
                3 => {
                    for attribute in self.attributes(room)? {
                        event.attributes.push((attribute.key.into(), attribute.value.into_value()));
                    }
                }
                _ => self.reader.skip()?,
            }
        }
        Ok(event)
    }

    fn attributes(&mut self, room: &mut Room<'_>) -> Result<Vec<Attribute<'a>>, Fault> {
        attribute::list(&mut self.reader, &mut self.strings, room, 0)
    }
}

/// The last sixteen bytes, or all of fewer, as a number.
fn trace_id(bytes: &[u8]) -> u128 {
    let last = &bytes[bytes.len().saturating_sub(16)..];
    last.iter().fold(0, |id, byte| id << 8 | u128::from(*byte))
}

/// A span's kind as OTLP numbers it.
fn kind(number: u64) -> Option<&'static str> {
    match number {
        1 => Some("internal"),
        2 => Some("server"),
        3 => Some("client"),
        4 => Some("producer"),
        5 => Some("consumer"),
        _ => None,
    }
}
