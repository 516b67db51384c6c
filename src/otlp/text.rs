//! An attribute's value as text, for models that have texts only: texts and numbers as they are, lists and maps as
//! JSON, bytes as base64.

use super::json::base64_digits;
use super::view::{Attributes, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::borrow::Cow;

/// A value to be shown; inside JSON what has no text of its own stays what it is.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(pub Value<'a>);

impl<'a> Text<'a> {
    pub fn into_text(self) -> Cow<'a, str> {
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

fn base64(bytes: &[u8]) -> String {
    base64_digits(bytes).flatten().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::protobuf::Writer;
    use crate::otlp::write;

    fn shown(value: Value<'_>) -> String {
        Text(value).into_text().into_owned()
    }

    #[test]
    fn every_value_has_a_text() {
        assert_eq!(shown(Value::Empty), "");
        assert_eq!(shown(Value::Text("a\"b")), "a\"b");
        assert_eq!(shown(Value::Bool(true)), "true");
        assert_eq!(shown(Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(shown(Value::Double(1.5)), "1.5");
        assert_eq!(shown(Value::Double(f64::INFINITY)), "inf");
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(shown(Value::Bytes(bytes.as_bytes())), text);
        }
    }

    #[test]
    fn maps_and_lists_are_json() {
        let mut map = Writer::new();
        write::text(&mut map, 1, "a", "\"");
        write::double(&mut map, 1, "b", f64::NAN);
        write::bytes(&mut map, 1, "c", b"foo");
        write::pair(&mut map, 1, "d", 4, |to| {
            let list = to.begin(5, 4);
            let value = to.begin(1, 2);
            to.varint(2, 1);
            to.end(value);
            to.bytes(1, b"");
            to.end(list);
        });
        let map = Value::Map(Attributes::new(map.written(), 1));
        assert_eq!(shown(map), r#"{"a":"\"","b":"NaN","c":"Zm9v","d":[true,null]}"#);
    }
}
