//! Values out of msgpack bytes, borrowed, as lenient in their types as the Datadog agent is.
//!
//! Reading never allocates (but for text that has to be repaired) and never recurses. A declared length
//! that the bytes left cannot hold is an error at once. Source: the msgpack specification.

use super::room::{OutOfRoom, Room};
use std::borrow::Cow;

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the body ends inside a value")]
    Truncated,
    #[error("a length is larger than what is left of the body")]
    Length,
    #[error("a value begins with the unused byte 0xc1")]
    Unused,
    #[error("{found} where {wanted} is due")]
    Kind { wanted: &'static str, found: &'static str },
    #[error("a string has the index {index}, but only {known} are known")]
    Index { index: u64, known: usize },
    #[error("a span has {0} elements instead of 12")]
    Elements(usize),
    #[error("a list of attributes has {0} elements, which is no multiple of {1}")]
    Multiple(usize, usize),
    #[error("an attribute has the unknown type {0}")]
    ValueType(u64),
    #[error("an attribute is nested too deeply")]
    Depth,
    #[error("the table of strings does not come first")]
    LateStrings,
    #[error(transparent)]
    OutOfRoom(#[from] OutOfRoom),
}

/// One value; of lists and maps their head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    /// Mostly a negative one.
    Signed(i64),
    Float(f64),
    Text(&'a [u8]),
    Binary(&'a [u8]),
    /// So many values follow.
    Array(usize),
    /// So many keys with a value each follow.
    Map(usize),
    Extension,
}

impl Item<'_> {
    /// The fault of finding this.
    pub(super) fn wanted(self, wanted: &'static str) -> Fault {
        let found = match self {
            Item::Nil => "nil",
            Item::Bool(_) => "a boolean",
            Item::Unsigned(_) | Item::Signed(_) => "an integer",
            Item::Float(_) => "a float",
            Item::Text(_) => "a string",
            Item::Binary(_) => "binary data",
            Item::Array(_) => "an array",
            Item::Map(_) => "a map",
            Item::Extension => "an extension",
        };
        Fault::Kind { wanted, found }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Reader { rest: body, length: body.len() }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Fault::Length)?;
        self.rest = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A big-endian number of `N` bytes.
    fn number<const N: usize>(&mut self) -> Result<u64, Fault> {
        let bytes = self.bytes::<N>()?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A length of `N` bytes, at most four.
    fn length<const N: usize>(&mut self) -> Result<usize, Fault> {
        Ok(self.number::<N>()? as usize)
    }

    fn array_of(&self, length: usize) -> Result<Item<'a>, Fault> {
        if length > self.rest.len() { Err(Fault::Length) } else { Ok(Item::Array(length)) }
    }

    fn map_of(&self, length: usize) -> Result<Item<'a>, Fault> {
        if length > self.rest.len() / 2 { Err(Fault::Length) } else { Ok(Item::Map(length)) }
    }

    /// The next value, whatever it is.
    #[inline]
    pub(super) fn item(&mut self) -> Result<Item<'a>, Fault> {
        let [first] = self.bytes::<1>()?;
        Ok(match first {
            0x00..=0x7f => Item::Unsigned(first.into()),
            0x80..=0x8f => self.map_of(usize::from(first & 0x0f))?,
            0x90..=0x9f => self.array_of(usize::from(first & 0x0f))?,
            0xa0..=0xbf => Item::Text(self.take(usize::from(first & 0x1f))?),
            0xe0..=0xff => Item::Signed((first as i8).into()),
            0xc0..=0xdf => self.long_item(first)?,
        })
    }

    fn long_item(&mut self, first: u8) -> Result<Item<'a>, Fault> {
        Ok(match first {
            0xc0 => Item::Nil,
            0xc2 | 0xc3 => Item::Bool(first == 0xc3),
            0xc4 => {
                let length = self.length::<1>()?;
                Item::Binary(self.take(length)?)
            }
            0xc5 => {
                let length = self.length::<2>()?;
                Item::Binary(self.take(length)?)
            }
            0xc6 => {
                let length = self.length::<4>()?;
                Item::Binary(self.take(length)?)
            }
            0xc7 => self.length::<1>().and_then(|length| self.extension(length))?,
            0xc8 => self.length::<2>().and_then(|length| self.extension(length))?,
            0xc9 => self.length::<4>().and_then(|length| self.extension(length))?,
            0xca => Item::Float(f32::from_be_bytes(self.bytes()?).into()),
            0xcb => Item::Float(f64::from_be_bytes(self.bytes()?)),
            0xcc => Item::Unsigned(self.number::<1>()?),
            0xcd => Item::Unsigned(self.number::<2>()?),
            0xce => Item::Unsigned(self.number::<4>()?),
            0xcf => Item::Unsigned(u64::from_be_bytes(self.bytes()?)),
            0xd0 => Item::Signed(i8::from_be_bytes(self.bytes()?).into()),
            0xd1 => Item::Signed(i16::from_be_bytes(self.bytes()?).into()),
            0xd2 => Item::Signed(i32::from_be_bytes(self.bytes()?).into()),
            0xd3 => Item::Signed(i64::from_be_bytes(self.bytes()?)),
            0xd4..=0xd8 => self.extension(1 << (first - 0xd4))?,
            0xd9 => {
                let length = self.length::<1>()?;
                Item::Text(self.take(length)?)
            }
            0xda => {
                let length = self.length::<2>()?;
                Item::Text(self.take(length)?)
            }
            0xdb => {
                let length = self.length::<4>()?;
                Item::Text(self.take(length)?)
            }
            0xdc => self.length::<2>().and_then(|length| self.array_of(length))?,
            0xdd => self.length::<4>().and_then(|length| self.array_of(length))?,
            0xde => self.length::<2>().and_then(|length| self.map_of(length))?,
            0xdf => self.length::<4>().and_then(|length| self.map_of(length))?,
            _ => return Err(Fault::Unused),
        })
    }

    fn extension(&mut self, length: usize) -> Result<Item<'a>, Fault> {
        // Its type is one byte more.
        self.take(length.saturating_add(1))?;
        Ok(Item::Extension)
    }

    /// Passes over one value with all that is in it.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut left = 1_usize;
        while left > 0 {
            left -= 1;
            match self.item()? {
                Item::Array(length) => left += length,
                Item::Map(length) => left += 2 * length,
                Item::Nil
                | Item::Bool(_)
                | Item::Unsigned(_)
                | Item::Signed(_)
                | Item::Float(_)
                | Item::Text(_)
                | Item::Binary(_)
                | Item::Extension => {}
            }
            // Every value takes a byte.
            if left > self.rest.len() {
                return Err(Fault::Length);
            }
        }
        Ok(())
    }

    /// The length of an array; nil is an empty one.
    pub(super) fn array(&mut self) -> Result<usize, Fault> {
        match self.item()? {
            Item::Array(length) => Ok(length),
            Item::Nil => Ok(0),
            other => Err(other.wanted("an array")),
        }
    }

    /// The length of a map; nil is an empty one.
    pub(super) fn map(&mut self) -> Result<usize, Fault> {
        match self.item()? {
            Item::Map(length) => Ok(length),
            Item::Nil => Ok(0),
            other => Err(other.wanted("a map")),
        }
    }

    /// A string's bytes as they are; those of nil are none.
    pub(super) fn raw(&mut self) -> Result<&'a [u8], Fault> {
        match self.item()? {
            Item::Text(bytes) | Item::Binary(bytes) => Ok(bytes),
            Item::Nil => Ok(&[]),
            other => Err(other.wanted("a string")),
        }
    }

    pub(super) fn text(&mut self, room: &mut Room<'_>) -> Result<Cow<'a, str>, Fault> {
        repaired(self.raw()?, room)
    }

    /// An id: negative numbers are its two's complement.
    pub(super) fn unsigned(&mut self) -> Result<u64, Fault> {
        match self.item()? {
            Item::Unsigned(number) => Ok(number),
            Item::Signed(number) => Ok(number as u64),
            Item::Float(number) => Ok(number as u64),
            Item::Bool(flag) => Ok(flag.into()),
            Item::Nil => Ok(0),
            other => Err(other.wanted("an integer")),
        }
    }

    pub(super) fn signed(&mut self) -> Result<i64, Fault> {
        match self.item()? {
            Item::Unsigned(number) => Ok(number as i64),
            Item::Signed(number) => Ok(number),
            Item::Float(number) => Ok(number as i64),
            Item::Bool(flag) => Ok(flag.into()),
            Item::Nil => Ok(0),
            other => Err(other.wanted("an integer")),
        }
    }

    pub(super) fn float(&mut self) -> Result<f64, Fault> {
        match self.item()? {
            Item::Float(number) => Ok(number),
            Item::Unsigned(number) => Ok(number as f64),
            Item::Signed(number) => Ok(number as f64),
            Item::Nil => Ok(0.0),
            other => Err(other.wanted("a number")),
        }
    }

    pub(super) fn flag(&mut self) -> Result<bool, Fault> {
        match self.item()? {
            Item::Bool(flag) => Ok(flag),
            Item::Unsigned(number) => Ok(number != 0),
            Item::Signed(number) => Ok(number != 0),
            Item::Nil => Ok(false),
            other => Err(other.wanted("a boolean")),
        }
    }
}

/// The bytes as text, what is no UTF-8 replaced.
pub(super) fn repaired<'a>(bytes: &'a [u8], room: &mut Room<'_>) -> Result<Cow<'a, str>, Fault> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    // A byte becomes three at most.
    room.need(bytes.len().saturating_mul(3))?;
    Ok(String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_held_against_what_is_left() {
        for (body, fault) in [
            (&[0xdd, 0xff, 0xff, 0xff, 0xff, 0][..], Fault::Length),
            (&[0xdf, 0xff, 0xff, 0xff, 0xff, 0], Fault::Length),
            (&[0xdb, 0xff, 0xff, 0xff, 0xff, 0], Fault::Length),
            (&[0xc6, 0xff, 0xff, 0xff, 0xff, 0], Fault::Length),
            (&[0xc9, 0xff, 0xff, 0xff, 0xff, 0], Fault::Length),
            (&[0x93, 0x01, 0x01], Fault::Length),
            (&[0x81, 0x01], Fault::Length),
            (&[0xdd, 0xff], Fault::Truncated),
            (&[], Fault::Truncated),
            (&[0xc1], Fault::Unused),
        ] {
            assert_eq!(Reader::new(body).item(), Err(fault), "{body:x?}");
        }
    }

    #[test]
    fn skipping_passes_over_exactly_one_value_however_deep() {
        let mut body = vec![0x91; 1_000_000];
        body.extend([0x82, 0xa1, b'a', 0xd4, 1, 2, 0xc0, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.push(0x07);
        let mut reader = Reader::new(&body);
        reader.skip().unwrap();
        assert_eq!(reader.rest(), [7]);
        for end in 0..body.len().min(40) {
            assert!(Reader::new(&body[..end]).skip().is_err());
        }
        // Each head alone is possible, all of them together are not.
        assert_eq!(Reader::new(&[0x9f; 20]).skip(), Err(Fault::Length));
    }

    #[test]
    fn numbers_are_taken_as_they_come() {
        let read = |body: &[u8]| {
            let reader = Reader::new(body);
            (
                reader.clone().unsigned().ok(),
                reader.clone().signed().ok(),
                reader.clone().float().ok(),
                reader.clone().flag().ok(),
            )
        };
        assert_eq!(read(&[0xff]), (Some(u64::MAX), Some(-1), Some(-1.0), Some(true)));
        assert_eq!(read(&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]).0, Some(1 << 63));
        assert_eq!(read(&[0xcb, 0x40, 0x08, 0, 0, 0, 0, 0, 0]), (Some(3), Some(3), Some(3.0), None));
        assert_eq!(read(&[0xc0]), (Some(0), Some(0), Some(0.0), Some(false)));
        assert_eq!(read(&[0xc3]), (Some(1), Some(1), None, Some(true)));
        assert_eq!(read(&[0xa1, b'1']), (None, None, None, None));
    }
}
