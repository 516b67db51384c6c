//! The grammar of the fields behind a type, a text or a status, one field at a time.
//!
//! Splitting at `|` is done by whoever calls; here a field's letter is read and nothing else, so the
//! same small parsers serve metrics, events and checks. No field here may allocate. Next: `form.rs`.

use super::{Alert, Reject, Remark, Remarks};
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, u64 as whole};
use nom::combinator::{all_consuming, map, rest, value};
use nom::error::Error;
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// Seconds beyond this do not fit 64 bits as nanoseconds.
const LAST_SECOND: u64 = u64::MAX / 1_000_000_000;

/// A field of a metric line besides `@` and `#`, which the hot path reads itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum MetricField<'a> {
    Local(&'a [u8]),
    External(&'a [u8]),
    Cardinality(&'a [u8]),
    Timestamp(&'a [u8]),
}

/// A field of an event or a service check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NoteField<'a> {
    Time(&'a str),
    Host(&'a str),
    Key(&'a str),
    Priority(&'a str),
    Source(&'a str),
    Alert(&'a str),
    Message(&'a str),
    Tags(&'a str),
    Local(&'a str),
    External(&'a str),
    Cardinality(&'a str),
}

/// `None` for a field with an unknown letter.
#[inline(never)]
pub(super) fn metric_field(input: &[u8]) -> Option<MetricField<'_>> {
    let parsed: IResult<_, _, Error<_>> = alt((
        map(preceded(tag("c:"), rest), MetricField::Local),
        map(preceded(tag("e:"), rest), MetricField::External),
        map(preceded(char('T'), rest), MetricField::Timestamp),
        map(preceded(tag("card:"), rest), MetricField::Cardinality),
    ))
    .parse(input);
    parsed.ok().map(|(_, field)| field)
}

/// `None` for a field with an unknown letter.
fn note_field(input: &str) -> Option<NoteField<'_>> {
    let parsed: IResult<_, _, Error<_>> = alt((
        map(preceded(char('#'), rest), NoteField::Tags),
        map(preceded(tag("d:"), rest), NoteField::Time),
        map(preceded(tag("h:"), rest), NoteField::Host),
        map(preceded(tag("k:"), rest), NoteField::Key),
        map(preceded(tag("p:"), rest), NoteField::Priority),
        map(preceded(tag("s:"), rest), NoteField::Source),
        map(preceded(tag("t:"), rest), NoteField::Alert),
        map(preceded(tag("m:"), rest), NoteField::Message),
        map(preceded(tag("c:"), rest), NoteField::Local),
        map(preceded(tag("e:"), rest), NoteField::External),
        map(preceded(tag("card:"), rest), NoteField::Cardinality),
    ))
    .parse(input);
    parsed.ok().map(|(_, field)| field)
}

/// Reads the fields of an event or a check one by one. `take` keeps one and says whether it means anything
/// there; what does not, what is unknown and what came before is remarked and does no harm.
pub(super) fn note_fields<'a>(
    fields: impl Iterator<Item = &'a str>,
    mut take: impl FnMut(NoteField<'a>) -> Result<bool, Reject>,
) -> Result<Remarks, Reject> {
    let mut remarks = Remarks::default();
    let mut seen = Seen::default();
    for field in fields.filter(|field| !field.is_empty()) {
        let known = match note_field(field) {
            Some(field) => {
                if seen.again(&field) {
                    remarks.insert(Remark::RepeatedField);
                }
                take(field)?
            }
            None => false,
        };
        if !known {
            remarks.insert(Remark::UnknownField);
        }
    }
    Ok(remarks)
}

/// A whole number of Unix seconds, at least 1, that fits 64 bits as nanoseconds.
pub(super) fn seconds(input: &[u8]) -> Result<u64, Reject> {
    let parsed: IResult<_, _, Error<_>> = all_consuming(whole).parse(input);
    match parsed {
        Ok((_, time @ 1..=LAST_SECOND)) => Ok(time),
        Ok(_) | Err(_) => Err(Reject::BadTimestamp),
    }
}

/// `p:`, whether the priority is low.
pub(super) fn priority(input: &str) -> Option<bool> {
    let parsed: IResult<_, _, Error<_>> =
        all_consuming(alt((value(true, tag("low")), value(false, tag("normal"))))).parse(input);
    parsed.ok().map(|(_, low)| low)
}

/// `t:`
pub(super) fn alert(input: &str) -> Option<Alert> {
    let parsed: IResult<_, _, Error<_>> = all_consuming(alt((
        value(Alert::Info, tag("info")),
        value(Alert::Success, tag("success")),
        value(Alert::Warning, tag("warning")),
        value(Alert::Error, tag("error")),
    )))
    .parse(input);
    parsed.ok().map(|(_, alert)| alert)
}

/// Which fields of a note came already.
#[derive(Default)]
struct Seen(u16);

impl Seen {
    /// Whether a field with this letter came before.
    fn again(&mut self, field: &NoteField<'_>) -> bool {
        let bit = match field {
            NoteField::Time(_) => 1 << 0,
            NoteField::Host(_) => 1 << 1,
            NoteField::Key(_) => 1 << 2,
            NoteField::Priority(_) => 1 << 3,
            NoteField::Source(_) => 1 << 4,
            NoteField::Alert(_) => 1 << 5,
            NoteField::Message(_) => 1 << 6,
            NoteField::Tags(_) => 1 << 7,
            NoteField::Local(_) => 1 << 8,
            NoteField::External(_) => 1 << 9,
            NoteField::Cardinality(_) => 1 << 10,
        };
        let again = self.0 & bit != 0;
        self.0 |= bit;
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_whole_and_fit() {
        let cases: [(&str, Option<u64>); 9] = [
            ("1656581400", Some(1_656_581_400)),
            ("1", Some(1)),
            ("18446744073", Some(18_446_744_073)),
            ("18446744074", None),
            ("99999999999999999999999", None),
            ("0", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(seconds(text.as_bytes()).ok(), want, "{text}");
        }
    }

    #[test]
    fn letters_need_their_colon() {
        assert_eq!(metric_field(b"c:ci-1"), Some(MetricField::Local(b"ci-1")));
        assert_eq!(metric_field(b"card:low"), Some(MetricField::Cardinality(b"low")));
        assert_eq!(metric_field(b"T"), Some(MetricField::Timestamp(b"")));
        assert_eq!(metric_field(b"ci-1"), None);
        assert_eq!(metric_field(b""), None);
        assert_eq!(note_field("card:low"), Some(NoteField::Cardinality("low")));
        assert_eq!(note_field("d"), None);
    }
}
