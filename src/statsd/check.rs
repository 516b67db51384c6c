//! Service checks: `_sc|name|status|fields`.
//!
//! A check is one line, checked whole here, so that `to_owned` cannot fail. Next: `note.rs`.

use super::event::{present, unescape};
use super::field::{NoteField, note_fields, seconds};
use super::{Check, Reject, Remark, Remarks, Status, form};
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::{all_consuming, value};
use nom::error::Error;
use nom::{IResult, Parser};

/// A service check as it stands on the wire. Texts that are absent are empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckRef<'a> {
    /// Not empty.
    pub name: &'a str,
    pub status: Status,
    /// Behind `d:`, Unix seconds.
    pub time_s: Option<u64>,
    pub host: &'a str,
    /// Behind `m:`; newlines still as the two characters `\n`, `m:` as `m\:`.
    pub message: &'a str,
    /// Behind `#`, with commas between them.
    pub tags: &'a str,
    /// Behind `c:`, `e:` and `card:`, as in a metric.
    pub local: &'a [u8],
    pub external: &'a [u8],
    pub cardinality: &'a [u8],
    pub remarks: Remarks,
}

impl CheckRef<'_> {
    /// With escapes undone and tags sorted; `now_s` (Unix seconds) stands in for an absent time.
    pub fn to_owned(&self, now_s: u64) -> Check {
        Check {
            name: self.name.to_owned(),
            status: self.status,
            time_s: self.time_s.unwrap_or(now_s),
            host: present(self.host),
            message: present(self.message).map(|message| unescape(&message.replace("m\\:", "m:"))),
            tags: form::note_tags(self.tags),
        }
    }
}

/// Reads a check from its line, which begins with `_sc|`.
pub(super) fn read(line: &[u8]) -> Result<CheckRef<'_>, Reject> {
    let line = std::str::from_utf8(line).map_err(|_| Reject::NotUtf8)?;
    let mut fields = line.split('|').skip(1);
    let name = fields.next().filter(|name| !name.is_empty()).ok_or(Reject::BadCheck)?;
    let status = status(fields.next().ok_or(Reject::BadCheck)?).ok_or(Reject::BadCheckStatus)?;
    let mut check = CheckRef {
        name,
        status,
        time_s: None,
        host: "",
        message: "",
        tags: "",
        local: &[],
        external: &[],
        cardinality: &[],
        remarks: Remarks::default(),
    };
    check.remarks = note_fields(fields, |field| check.take(field))?;
    if form::has_empty_tag(check.tags) {
        check.remarks.insert(Remark::EmptyTag);
    }
    Ok(check)
}

fn status(input: &str) -> Option<Status> {
    let parsed: IResult<_, _, Error<_>> = all_consuming(alt((
        value(Status::Ok, tag("0")),
        value(Status::Warning, tag("1")),
        value(Status::Critical, tag("2")),
        value(Status::Unknown, tag("3")),
    )))
    .parse(input);
    parsed.ok().map(|(_, status)| status)
}

impl<'a> CheckRef<'a> {
    /// Keeps a field; `false` for one that says nothing of a check.
    fn take(&mut self, field: NoteField<'a>) -> Result<bool, Reject> {
        match field {
            NoteField::Time(time) => self.time_s = Some(seconds(time.as_bytes())?),
            NoteField::Host(host) => self.host = host,
            NoteField::Message(message) => self.message = message,
            NoteField::Tags(tags) => self.tags = tags,
            NoteField::Local(data) => self.local = data.as_bytes(),
            NoteField::External(data) => self.external = data.as_bytes(),
            NoteField::Cardinality(word) => self.cardinality = word.as_bytes(),
            NoteField::Key(_) | NoteField::Priority(_) | NoteField::Source(_) | NoteField::Alert(_) => {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
