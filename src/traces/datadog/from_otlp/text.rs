//! An attribute's value as text: texts and numbers as they are, lists and maps as JSON, bytes as base64.

use crate::otlp::view::{Attributes, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::borrow::Cow;

/// A value to be shown.
pub(super) struct Text<'a>(pub(super) Value<'a>);

impl<'a> Text<'a> {
    pub(super) fn into_text(self) -> Cow<'a, str> {
        match self.0 {
            Value::Empty => "".into(),
            Value::Text(text) => text.into(),
            Value::Bool(true) => "true".into(),
            Value::Bool(false) => "false".into(),
            Value::Int(number) => number.to_string().into(),
            Value::Double(number) => number.to_string().into(),
            Value::Bytes(bytes) => base64(bytes).into(),
            // Writing into memory cannot fail, and all keys are texts.
            Value::List(_) | Value::Map(_) => serde_json::to_string(&self).unwrap_or_default().into(),
        }
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Empty => serializer.serialize_unit(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bool(value) => serializer.serialize_bool(value),
            Value::Int(number) => serializer.serialize_i64(number),
            Value::Double(number) if number.is_finite() => serializer.serialize_f64(number),
            // JSON has no numbers for these.
            Value::Double(number) => serializer.serialize_str(&number.to_string()),
            Value::Bytes(bytes) => serializer.serialize_str(&base64(bytes)),
            Value::List(values) => {
                let mut list = serializer.serialize_seq(None)?;
                for value in values.iter() {
                    list.serialize_element(&Text(value))?;
                }
                list.end()
            }
            Value::Map(attributes) => map(attributes, serializer),
        }
    }
}

fn map<S: Serializer>(attributes: Attributes<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (key, value) in attributes.iter() {
        map.serialize_entry(key, &Text(value))?;
    }
    map.end()
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(if digit <= three.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
