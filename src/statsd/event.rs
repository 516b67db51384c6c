//! Events: `_e{title-bytes,text-bytes}:title|text|fields`.
//!
//! An event is cut by the byte counts it declares, never at the first LF, since its text may hold LF
//! and `|`. It is checked whole here, so that `to_owned` cannot fail. Next: `check.rs`.

use super::field::{NoteField, alert, note_fields, priority, seconds};
use super::message::line;
use super::{Alert, Event, Reject, Remark, Remarks, form};
use nom::bytes::complete::{tag, take};
use nom::character::complete::{char, usize as count};
use nom::combinator::verify;
use nom::error::Error;
use nom::sequence::{delimited, separated_pair};
use nom::{IResult, Parser};

/// An event as it stands on the wire. Texts that are absent are empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventRef<'a> {
    /// Not empty; newlines still as the two characters `\n`.
    pub title: &'a str,
    /// Not empty; newlines still as the two characters `\n`.
    pub text: &'a str,
    /// Behind `d:`, Unix seconds.
    pub time_s: Option<u64>,
    pub host: &'a str,
    pub aggregation_key: &'a str,
    pub source_type: &'a str,
    pub low_priority: bool,
    pub alert: Alert,
    /// Behind `#`, with commas between them.
    pub tags: &'a str,
    /// Behind `c:`, `e:` and `card:`, as in a metric.
    pub local: &'a [u8],
    pub external: &'a [u8],
    pub cardinality: &'a [u8],
    pub remarks: Remarks,
}

impl EventRef<'_> {
    /// With newlines restored and tags sorted; `now_s` (Unix seconds) stands in for an absent time.
    pub fn to_owned(&self, now_s: u64) -> Event {
        Event {
            title: unescape(self.title),
            text: unescape(self.text),
            time_s: self.time_s.unwrap_or(now_s),
            host: present(self.host),
            aggregation_key: present(self.aggregation_key),
            source_type: present(self.source_type),
            low_priority: self.low_priority,
            alert: self.alert,
            tags: form::note_tags(self.tags),
        }
    }
}

/// Reads the event at the start of `packet`, and says what follows it.
pub(super) fn read(packet: &[u8]) -> Result<(EventRef<'_>, &[u8]), Reject> {
    let (behind, (title, text)) = head(packet).map_err(|_| Reject::BadEvent)?;
    let mut event = EventRef {
        title: std::str::from_utf8(title).map_err(|_| Reject::NotUtf8)?,
        text: std::str::from_utf8(text).map_err(|_| Reject::NotUtf8)?,
        time_s: None,
        host: "",
        aggregation_key: "",
        source_type: "",
        low_priority: false,
        alert: Alert::default(),
        tags: "",
        local: &[],
        external: &[],
        cardinality: &[],
        remarks: Remarks::default(),
    };
    let (fields, rest) = line(behind);
    match fields {
        [] => {}
        [b'|', fields @ ..] => {
            let fields = std::str::from_utf8(fields).map_err(|_| Reject::NotUtf8)?.split('|');
            event.remarks = note_fields(fields, |field| event.take(field))?;
        }
        _ => return Err(Reject::BadEvent),
    }
    if form::has_empty_tag(event.tags) {
        event.remarks.insert(Remark::EmptyTag);
    }
    Ok((event, rest))
}

/// Title and text by their byte counts.
fn head(packet: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    let counts = separated_pair(verify(count, |n| *n > 0), char(','), verify(count, |n| *n > 0));
    let (rest, (title_bytes, text_bytes)) = delimited(tag("_e{"), counts, tag("}:")).parse(packet)?;
    separated_pair(take(title_bytes), char::<_, Error<_>>('|'), take(text_bytes)).parse(rest)
}

impl<'a> EventRef<'a> {
    /// Keeps a field; `false` for one that says nothing of an event.
    fn take(&mut self, field: NoteField<'a>) -> Result<bool, Reject> {
        match field {
            NoteField::Time(time) => self.time_s = Some(seconds(time.as_bytes())?),
            NoteField::Host(host) => self.host = host,
            NoteField::Key(key) => self.aggregation_key = key,
            NoteField::Source(source) => self.source_type = source,
            NoteField::Priority(word) => match priority(word) {
                Some(low) => self.low_priority = low,
                None => return Ok(false),
            },
            NoteField::Alert(word) => match alert(word) {
                Some(alert) => self.alert = alert,
                None => return Ok(false),
            },
            NoteField::Tags(tags) => self.tags = tags,
            NoteField::Local(data) => self.local = data.as_bytes(),
            NoteField::External(data) => self.external = data.as_bytes(),
            NoteField::Cardinality(word) => self.cardinality = word.as_bytes(),
            NoteField::Message(_) => return Ok(false),
        }
        Ok(true)
    }
}

/// Newlines travel as the two characters `\n`.
pub(super) fn unescape(text: &str) -> String {
    text.replace("\\n", "\n")
}

/// Absent texts are empty on the wire.
pub(super) fn present(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
