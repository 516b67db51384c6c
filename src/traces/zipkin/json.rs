//! Zipkin v2's JSON: an array of spans, read one at a time.
//!
//! Nulls and unknown fields are ignored, short ids are padded. A span without a usable id refuses the whole
//! body: a client that writes such ids is broken, and the message says where.

use super::{Endpoint, Kind, Span};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Gives each span of `body` to `take`; an error of `take` ends the reading and comes back in the outer
/// `Err` as `None`.
///
/// # Errors
/// The text says what is wrong and where (line and column).
pub fn read<'a, E>(
    body: &'a [u8],
    take: impl FnMut(Span<'a>) -> Result<(), E>,
) -> Result<Result<(), E>, serde_json::Error> {
    let mut stopped = None;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = deserializer.deserialize_seq(Spans { take, stopped: &mut stopped });
    if let Some(stopped) = stopped {
        return Ok(Err(stopped));
    }
    read?;
    deserializer.end()?;
    Ok(Ok(()))
}

struct Spans<'s, F, E> {
    take: F,
    stopped: &'s mut Option<E>,
}

impl<'de, F: FnMut(Span<'de>) -> Result<(), E>, E> Visitor<'de> for Spans<'_, F, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of Zipkin spans")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut spans: A) -> Result<(), A::Error> {
        let mut number = 0_usize;
        while let Some(raw) = spans.next_element::<RawSpan<'de>>()? {
            let span = raw.span().map_err(|why| A::Error::custom(format_args!("span {number}: {why}")))?;
            number += 1;
            if let Err(stopped) = (self.take)(span) {
                *self.stopped = Some(stopped);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSpan<'a> {
    #[serde(borrow, default)]
    trace_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parent_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    timestamp: Option<Micros>,
    #[serde(default)]
    duration: Option<Micros>,
    #[serde(default)]
    debug: Option<bool>,
    #[serde(default)]
    shared: Option<bool>,
    #[serde(borrow, default)]
    local_endpoint: Option<RawEndpoint<'a>>,
    #[serde(borrow, default)]
    remote_endpoint: Option<RawEndpoint<'a>>,
    #[serde(borrow, default)]
    annotations: Option<Vec<RawAnnotation<'a>>>,
    #[serde(borrow, default)]
    tags: Option<Tags<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct RawEndpoint<'a> {
    #[serde(borrow, default)]
    service_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    ipv4: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    ipv6: Option<Cow<'a, str>>,
    #[serde(default)]
    port: Option<u16>,
}

#[derive(Deserialize)]
struct RawAnnotation<'a> {
    #[serde(default)]
    timestamp: Option<Micros>,
    #[serde(borrow, default)]
    value: Option<Cow<'a, str>>,
}

/// Microseconds; some clients write them as floats.
#[derive(Clone, Copy, Default)]
struct Micros(u64);

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Micros;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("microseconds as a number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Micros, E> {
                Ok(Micros(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Micros, E> {
                Ok(Micros(u64::try_from(number).unwrap_or(0)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Micros, E> {
                Ok(Micros(number as u64))
            }
        }
        from.deserialize_any(Number)
    }
}

/// Tags in their order; numbers and booleans become text, nulls and anything nested is left out.
struct Tags<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Tags<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Tags<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tags")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags<'de>, A::Error> {
                let mut tags = Vec::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    if let Some(value) = map.next_value_seed(Scalar)? {
                        tags.push((key.0, value));
                    }
                }
                Ok(Tags(tags))
            }
        }
        from.deserialize_map(Pairs)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Text, or what has an obvious text.
struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(if value { "true" } else { "false" })))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(value.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'a> RawSpan<'a> {
    fn span(self) -> Result<Span<'a>, String> {
        let trace_id = hex::<16>("traceId", &self.trace_id.ok_or("`traceId` is missing")?)?;
        let span_id = hex::<8>("id", &self.id.ok_or("`id` is missing")?)?;
        let parent_id = match self.parent_id.as_deref() {
            None | Some("") => None,
            Some(text) => Some(hex::<8>("parentId", text)?),
        };
        let annotations = self.annotations.unwrap_or_default().into_iter();
        Ok(Span {
            trace_id,
            id: span_id,
            // A parent of zeros is how some clients say that there is none.
            parent_id: parent_id.filter(|parent| *parent != [0; 8]),
            name: self.name.unwrap_or_default(),
            kind: Kind::from_name(self.kind.as_deref().unwrap_or_default()),
            timestamp: self.timestamp.unwrap_or_default().0,
            duration: self.duration.unwrap_or_default().0,
            debug: self.debug.unwrap_or_default(),
            shared: self.shared.unwrap_or_default(),
            local: endpoint(self.local_endpoint),
            remote: endpoint(self.remote_endpoint),
            annotations: annotations
                .map(|raw| (raw.timestamp.unwrap_or_default().0, raw.value.unwrap_or_default()))
                .collect(),
            tags: self.tags.map(|Tags(tags)| tags).unwrap_or_default(),
        })
    }
}

fn endpoint(raw: Option<RawEndpoint<'_>>) -> Endpoint<'_> {
    let raw = raw.unwrap_or_default();
    Endpoint {
        service: raw.service_name.unwrap_or_default(),
        ipv4: raw.ipv4.unwrap_or_default(),
        ipv6: raw.ipv6.unwrap_or_default(),
        port: raw.port.unwrap_or_default(),
    }
}

/// Hex digits of either case, at most `2 N`, padded on the left; all zeros is no id.
fn hex<const N: usize>(name: &str, text: &str) -> Result<[u8; N], String> {
    let digits = text.as_bytes();
    if digits.is_empty() || digits.len() > 2 * N {
        return Err(format!("`{name}` has {} hex digits instead of 1 to {}", digits.len(), 2 * N));
    }
    let mut id = [0_u8; N];
    for (place, digit) in digits.iter().rev().enumerate() {
        let value = char::from(*digit).to_digit(16).ok_or_else(|| format!("`{name}` is not hexadecimal"))?;
        id[N - 1 - place / 2] |= (value as u8) << (4 * (place % 2));
    }
    if id == [0; N] && name != "parentId" {
        return Err(format!("`{name}` is zero"));
    }
    Ok(id)
}
