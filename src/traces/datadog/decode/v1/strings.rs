//! The table of strings of a v1.0 body: empty at first, growing with every string that is new.

use super::super::msgpack::{Fault, Item, Reader};
use super::super::{Refused, Room};
use hashbrown::HashSet;
use std::borrow::Cow;

/// Bytes for each string in the list and in the map, with room for their growth.
const EACH: usize = 128;

/// Index 0 is the empty string.
#[derive(Debug, Default)]
pub(super) struct Strings<'a> {
    /// All but the empty one.
    known: Vec<&'a str>,
    /// A string that comes again as text is still the same one.
    seen: HashSet<&'a str>,
}

impl<'a> Strings<'a> {
    /// What this has needed of the room.
    pub(super) fn bytes(&self) -> usize {
        self.known.len() * EACH
    }

    fn add(&mut self, text: &'a str, room: &mut Room<'_>) -> Result<(), Fault> {
        if !text.is_empty() && !self.seen.contains(text) {
            room.need(EACH)?;
            self.seen.insert(text);
            self.known.push(text);
        }
        Ok(())
    }

    /// A string, new or known.
    pub(super) fn read(&mut self, reader: &mut Reader<'a>, room: &mut Room<'_>) -> Result<&'a str, Fault> {
        let index = match reader.item()? {
            Item::Text(bytes) | Item::Binary(bytes) => {
                let text = text(bytes);
                self.add(text, room)?;
                return Ok(text);
            }
            Item::Nil | Item::Unsigned(0) => return Ok(""),
            Item::Unsigned(index) => index,
            Item::Signed(index) => index as u64,
            other => return Err(other.wanted("a string or its index")),
        };
        let place = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
        let known = self.known.len() + 1;
        place.and_then(|place| self.known.get(place)).copied().ok_or(Fault::Index { index, known })
    }

    /// A whole table, which must come before any other string.
    pub(super) fn table(&mut self, reader: &mut Reader<'a>, room: &mut Room<'_>) -> Result<(), Fault> {
        if !self.known.is_empty() {
            return Err(Fault::LateStrings);
        }
        for _ in 0..reader.array()? {
            self.add(text(reader.raw()?), room)?;
        }
        Ok(())
    }
}

/// Bytes of a repaired body are text; others would be cut where they are none.
fn text(bytes: &[u8]) -> &str {
    let end = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    std::str::from_utf8(&bytes[..end]).unwrap_or_default()
}

/// Whether a string's text comes next, not its index.
pub(super) fn is_text(reader: &Reader<'_>) -> bool {
    matches!(reader.rest().first(), Some(0xa0..=0xbf | 0xd9..=0xdb))
}

/// The body itself when all of its strings are UTF-8, which is the rule; else a copy with those replaced
/// that are not, so that strings can be borrowed however often they are referred to.
pub(super) fn repaired<'a>(body: &'a [u8], room: &mut Room<'_>) -> Result<Cow<'a, [u8]>, Refused> {
    let mut reader = Reader::new(body);
    let mut copy = Vec::new();
    // Up to here, `body` is in `copy` if it is in use.
    let mut copied = 0;
    let mut left = 1_usize;
    while left > 0 {
        left -= 1;
        let before = reader.at();
        match reader.item().map_err(|fault| Refused::at(&reader, fault))? {
            Item::Array(length) => left += length,
            Item::Map(length) => left += 2 * length,
            Item::Text(bytes) if std::str::from_utf8(bytes).is_err() => {
                if copied == 0 {
                    // A byte becomes three at most; a short head becomes five.
                    room.need(body.len().saturating_mul(4))?;
                }
                let text = String::from_utf8_lossy(bytes);
                copy.extend_from_slice(&body[copied..before]);
                copy.push(0xdb);
                copy.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                copy.extend_from_slice(text.as_bytes());
                copied = reader.at();
            }
            Item::Nil
            | Item::Bool(_)
            | Item::Unsigned(_)
            | Item::Signed(_)
            | Item::Float(_)
            | Item::Text(_)
            | Item::Binary(_)
            | Item::Extension => {}
        }
        if left > reader.rest().len() {
            return Err(Refused::at(&reader, Fault::Length));
        }
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(body));
    }
    copy.extend_from_slice(&body[copied..]);
    Ok(Cow::Owned(copy))
}
