//! v0.3 and v0.4 as JSON: rewritten as msgpack, then read as that.
//!
//! JSON is what tracers of long ago and people with `curl` send. Rewriting it costs little code and gives it
//! the very leniency and bounds of the msgpack reader; the rewritten body is never much larger than the one
//! that came. `meta_struct` is taken as the string it is, not from base64.

use super::{Each, Refused, Room, v04};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Hands on every trace of a body, also empty ones. What is no JSON is refused before the first of them.
pub fn traces(body: &[u8], room: &mut Room<'_>, each: &mut Each<'_>) -> Result<(), Refused> {
    // `1e9,` becomes nine bytes, `[],` five.
    room.need(body.len().saturating_mul(3))?;
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.into(),
        Err(_) => {
            room.need(body.len().saturating_mul(3 + 6))?;
            String::from_utf8_lossy(body)
        }
    };
    let mut packed = Vec::with_capacity(body.len());
    let mut json = serde_json::Deserializer::from_str(&text);
    Packer(&mut packed).deserialize(&mut json).map_err(|error| Refused::Json(error.to_string()))?;
    v04::traces(&packed, room, each)
}

/// Appends what is deserialized.
struct Packer<'p>(&'p mut Vec<u8>);

impl Packer<'_> {
    fn head(&mut self, first: u8, number: [u8; 8]) {
        self.0.push(first);
        self.0.extend_from_slice(&number);
    }

    /// Reserves the head of a list or map whose length is not known yet.
    fn open(&mut self, first: u8) -> usize {
        self.0.extend_from_slice(&[first, 0, 0, 0, 0]);
        self.0.len()
    }

    fn close<E: Error>(&mut self, open: usize, length: u64) -> Result<(), E> {
        let length = u32::try_from(length).map_err(E::custom)?;
        self.0[open - 4..open].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Packer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Packer<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push(0xc0);
        Ok(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.0.push(if flag { 0xc3 } else { 0xc2 });
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<(), E> {
        match u8::try_from(number) {
            Ok(small @ ..=0x7f) => self.0.push(small),
            _ => self.head(0xcf, number.to_be_bytes()),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, number: i64) -> Result<(), E> {
        self.head(0xd3, number.to_be_bytes());
        Ok(())
    }

    fn visit_f64<E: Error>(mut self, number: f64) -> Result<(), E> {
        self.head(0xcb, number.to_be_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let length = u32::try_from(text.len()).map_err(E::custom)?;
        match u8::try_from(length) {
            Ok(small @ ..=31) => self.0.push(0xa0 | small),
            _ => {
                self.0.push(0xdb);
                self.0.extend_from_slice(&length.to_be_bytes());
            }
        }
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut from: A) -> Result<(), A::Error> {
        let open = self.open(0xdd);
        let mut length = 0;
        while from.next_element_seed(Packer(self.0))?.is_some() {
            length += 1;
        }
        self.close(open, length)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut from: A) -> Result<(), A::Error> {
        let open = self.open(0xdf);
        let mut length = 0;
        while from.next_key_seed(Packer(self.0))?.is_some() {
            from.next_value_seed(Packer(self.0))?;
            length += 1;
        }
        self.close(open, length)
    }
}
