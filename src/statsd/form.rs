//! What a metric line names: its name and tags, validated, sorted and free of duplicates.
//!
//! The cold path: once for every new form (a name, type and tags as they stand on the wire), never
//! for a message whose form is known. It must not decide what becomes of a name (rules, limits on
//! contexts); it says how the bytes read, or why they are refused. Next: `crate::metrics`.

use super::origin::{entity_tag, origin_tags};
use super::style::{Styled, pair, styled};
use super::{Dialect, Metric, Reject, Remark, Remarks};
use memchr::memchr;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::{all_consuming, map, rest, value};
use nom::error::Error;
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// Limits of one message; lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormLimits {
    /// Of the name without the tags that stand in it.
    pub name_bytes: usize,
    /// Of one tag, `key:value`.
    pub tag_bytes: usize,
    /// Tags that are not empty, duplicates included.
    pub tags: usize,
}

impl Default for FormLimits {
    fn default() -> Self {
        FormLimits { name_bytes: 200, tag_bytes: 200, tags: 100 }
    }
}

/// How many of the tags that a client's origin stands for it asks for (`card:`). Ordered: each has the
/// tags of those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cardinality {
    None,
    /// `kube_container_name`
    Low,
    /// `pod_uid`
    Orchestrator,
    /// `container_id`
    High,
}

/// A name and its tags. Made to be used again: [`read_into`] keeps the memory of the form before.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Not empty, no control characters, no `:` and no `|`.
    pub name: String,
    /// `key:value` or bare, sorted by bytes, no duplicates, none empty, no control characters.
    pub tags: Vec<String>,
    /// What was odd about the name and the tags; the remarks of the metric itself are not repeated.
    pub remarks: Remarks,
    /// From the tag `dd.internal.entity_id:`, which is taken out; empty where the client wants none.
    pub entity: Option<String>,
    /// From the tag `dd.internal.jmx_check_name:`, which is taken out.
    pub jmx_check: Option<String>,
    /// From the field `card:`, else from the tag `dd.internal.card:`, which is taken out.
    pub cardinality: Option<Cardinality>,
    /// Strings of earlier forms, to be filled again.
    spare: Vec<String>,
}

/// Reads the name and the tags of a metric. On an error `form` holds nothing of use.
pub fn read_into(
    metric: &Metric<'_>,
    dialect: Dialect,
    limits: &FormLimits,
    form: &mut Form,
) -> Result<(), Reject> {
    form.clear();
    let name = text(metric.name)?;
    let tags = text(metric.tags)?;
    match styled(name, dialect) {
        Styled::Plain => form.name.push_str(name),
        Styled::Bad => {
            form.remarks.insert(Remark::BadTag);
            form.name.push_str(name);
        }
        Styled::Tagged { tags: named, .. }
            if !tags.is_empty() && named.split(',').any(|tag| !tag.is_empty()) =>
        {
            return Err(Reject::MixedTaggingStyles);
        }
        Styled::Tagged { before, after, tags } => {
            form.name.push_str(before);
            form.name.push_str(after);
            for tag in tags.split(',') {
                match pair(tag) {
                    Some((key, value)) => form.take(&[key, ":", value], limits)?,
                    None => form.take(&[], limits)?,
                }
            }
        }
    }
    check_name(&form.name, limits)?;
    if !tags.is_empty() {
        let mut rest = tags;
        // Not `str::split`, whose search for a character takes several times the instructions.
        while let Some(comma) = memchr(b',', rest.as_bytes()) {
            form.take(&[&rest[..comma]], limits)?;
            rest = &rest[comma + 1..];
        }
        form.take(&[rest], limits)?;
    }
    if !metric.cardinality.is_empty() {
        form.set_cardinality(metric.cardinality);
    }
    form.sort();
    Ok(())
}

impl Form {
    /// Adds the tags that the metric's origin stands for, where origin detection is on: all, unless the
    /// client asks for fewer. A metric without `c:` and `e:` has the origin of its entity, and without that
    /// the one of `entity`. What is longer than a tag may be is left out with a remark.
    pub fn add_origin(&mut self, metric: &Metric<'_>, entity: Option<&str>, limits: &FormLimits) {
        let most = self.cardinality.unwrap_or(Cardinality::High);
        let is_silent = metric.local.is_empty() && metric.external.is_empty();
        let entity = self.entity.as_deref().or(entity).filter(|_| is_silent).and_then(entity_tag);
        for (cardinality, tag) in origin_tags(metric.local, metric.external).chain(entity) {
            if cardinality > most {
                continue;
            }
            if tag.len() <= limits.tag_bytes {
                self.tags.push(tag);
            } else {
                self.remarks.insert(Remark::BadTag);
            }
        }
        self.sort();
    }

    fn clear(&mut self) {
        self.name.clear();
        self.spare.append(&mut self.tags);
        self.remarks = Remarks::default();
        self.entity = None;
        self.jmx_check = None;
        self.cardinality = None;
    }

    /// Takes a tag that is given in pieces.
    fn take(&mut self, pieces: &[&str], limits: &FormLimits) -> Result<(), Reject> {
        let bytes = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        if bytes == 0 {
            self.remarks.insert(Remark::EmptyTag);
            return Ok(());
        }
        if bytes > limits.tag_bytes {
            return Err(Reject::TooLong);
        }
        let mut tag = self.spare.pop().unwrap_or_default();
        tag.clear();
        tag.extend(pieces.iter().copied());
        match internal(&tag) {
            None if self.tags.len() >= limits.tags => return Err(Reject::TooManyTags),
            None => {
                self.tags.push(tag);
                return Ok(());
            }
            // Clients write `none` where they are told to send no entity.
            Some(Internal::Entity("none")) => self.entity = Some(String::new()),
            Some(Internal::Entity(id)) => self.entity = Some(id.to_owned()),
            Some(Internal::JmxCheck(name)) => self.jmx_check = Some(name.to_owned()),
            Some(Internal::Cardinality(word)) => self.set_cardinality(word.as_bytes()),
        }
        self.spare.push(tag);
        Ok(())
    }

    fn set_cardinality(&mut self, word: &[u8]) {
        match cardinality(word) {
            Some(cardinality) => self.cardinality = Some(cardinality),
            None => self.remarks.insert(Remark::UnknownField),
        }
    }

    fn sort(&mut self) {
        self.tags.sort_unstable();
        self.tags.dedup();
    }
}

/// UTF-8 without control characters.
fn text(bytes: &[u8]) -> Result<&str, Reject> {
    let text = std::str::from_utf8(bytes).map_err(|_| Reject::NotUtf8)?;
    let controls = if text.is_ascii() {
        // To the end in any case: a loop that may end early takes a byte at a time.
        bytes.iter().fold(false, |found, byte| found | byte.is_ascii_control())
    } else {
        text.contains(char::is_control)
    };
    if controls { Err(Reject::ControlCharacter) } else { Ok(text) }
}

fn check_name(name: &str, limits: &FormLimits) -> Result<(), Reject> {
    if name.is_empty() {
        return Err(Reject::EmptyName);
    }
    if name.len() > limits.name_bytes {
        return Err(Reject::TooLong);
    }
    if name.contains('|') {
        // The colon that ended the name belongs to a field.
        return Err(Reject::NoValue);
    }
    if is_reserved(name) { Err(Reject::ReservedName) } else { Ok(()) }
}

/// Names of pillion's own: `pillion`, alone or before anything but a letter or digit. Backends make `_` of
/// what their names cannot hold, so `pillion-x` would read as one, too.
pub fn is_reserved(name: &str) -> bool {
    let behind = name.strip_prefix("pillion");
    behind.is_some_and(|behind| !behind.starts_with(|next: char| next.is_ascii_alphanumeric()))
}

/// Tags by which Datadog's clients talk to the agent.
enum Internal<'a> {
    Entity(&'a str),
    JmxCheck(&'a str),
    Cardinality(&'a str),
}

fn internal(input: &str) -> Option<Internal<'_>> {
    let known = alt((
        map(preceded(tag("entity_id:"), rest), Internal::Entity),
        map(preceded(tag("jmx_check_name:"), rest), Internal::JmxCheck),
        map(preceded(tag("card:"), rest), Internal::Cardinality),
    ));
    let parsed: IResult<_, _, Error<_>> = preceded(tag("dd.internal."), known).parse(input);
    parsed.ok().map(|(_, internal)| internal)
}

fn cardinality(input: &[u8]) -> Option<Cardinality> {
    let parsed: IResult<_, _, Error<_>> = all_consuming(alt((
        value(Cardinality::None, tag("none")),
        value(Cardinality::Low, tag("low")),
        value(Cardinality::Orchestrator, tag("orchestrator")),
        value(Cardinality::High, tag("high")),
    )))
    .parse(input);
    parsed.ok().map(|(_, cardinality)| cardinality)
}

/// The tags of an event or a service check: sorted, no duplicates, none empty.
pub(super) fn note_tags(tags: &str) -> Vec<String> {
    let mut tags: Vec<_> = tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Whether [`note_tags`] leaves an empty tag out.
pub(super) fn has_empty_tag(tags: &str) -> bool {
    !tags.is_empty() && tags.split(',').any(str::is_empty)
}
