//! What was written, before it means anything: one tree for the file and the environment, in which
//! every key and value knows its place, so that a mistake found later can still be shown.
//!
//! Nothing here knows an option. Next: `crate::config::load`.

use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where something was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// Nowhere: a default.
    Default,
    /// Bytes of the file.
    File(Range<usize>),
    /// An environment variable and bytes of `NAME=value`.
    Variable(String, Range<usize>),
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) raw: Raw,
    pub(crate) at: Place,
}

/// A value as written.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    Text(String),
    /// From the environment, where nothing is quoted: it may stand for text, a number or a switch.
    Word(String),
    Integer {
        value: i128,
        radix: u32,
    },
    Float(f64),
    Switch(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

/// Keys and values; `at` is where the table begins.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) at: Place,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key_at: Place,
    pub(crate) node: Node,
}

impl Table {
    pub(crate) fn empty(at: Place) -> Self {
        Table { entries: BTreeMap::new(), at }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|entry| &entry.node)
    }

    /// Puts a value at `path`, over what stood there, making the tables on the way. When something
    /// on the way is no table, nothing happens: that mistake is reported where it stands.
    pub(crate) fn put(&mut self, path: &[String], node: Node) {
        let Some((first, rest)) = path.split_first() else { return };
        if rest.is_empty() {
            let key_at = node.at.clone();
            self.entries.insert(first.clone(), Entry { key_at, node });
            return;
        }
        let entry = self.entries.entry(first.clone()).or_insert_with(|| Entry {
            key_at: node.at.clone(),
            node: Node { raw: Raw::Table(Table::empty(node.at.clone())), at: node.at.clone() },
        });
        if let Raw::Table(table) = &mut entry.node.raw {
            table.put(rest, node);
        }
    }
}

impl Node {
    /// Text, quoted or from the environment.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.raw {
            Raw::Text(text) | Raw::Word(text) => Some(text),
            Raw::Integer { .. }
            | Raw::Float(_)
            | Raw::Switch(_)
            | Raw::Date
            | Raw::List(_)
            | Raw::Table(_) => None,
        }
    }

    /// What stands here, for messages: "the text `x`".
    pub(crate) fn found(&self) -> String {
        match &self.raw {
            Raw::Text(text) | Raw::Word(text) if text.is_empty() => "this is empty".into(),
            Raw::Text(text) => format!("this is the text `{}`", clip(text)),
            Raw::Word(text) => format!("this is `{}`", clip(text)),
            Raw::Integer { value, .. } => format!("this is the number {value}"),
            Raw::Float(value) => format!("this is the number {value}"),
            Raw::Switch(value) => format!("this is `{value}`"),
            Raw::Date => "this is a date".into(),
            Raw::List(_) => "this is a list".into(),
            Raw::Table(_) => "this is a table".into(),
        }
    }
}

fn clip(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Takes a parsed TOML value over; `place` turns its byte range into a place.
pub(crate) fn from_toml(value: Spanned<DeValue<'_>>, place: &impl Fn(Range<usize>) -> Place) -> Node {
    let at = place(value.span());
    let raw = match value.into_inner() {
        DeValue::String(text) => Raw::Text(text.into_owned()),
        DeValue::Integer(integer) => Raw::Integer {
            value: i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX),
            radix: integer.radix(),
        },
        DeValue::Float(float) => Raw::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Raw::Switch(value),
        DeValue::Datetime(_) => Raw::Date,
        DeValue::Array(items) => Raw::List(items.into_iter().map(|item| from_toml(item, place)).collect()),
        DeValue::Table(table) => Raw::Table(table_from_toml(table, at.clone(), place)),
    };
    Node { raw, at }
}

/// The same for a table, such as a whole document.
pub(crate) fn table_from_toml(
    table: DeTable<'_>,
    at: Place,
    place: &impl Fn(Range<usize>) -> Place,
) -> Table {
    let entries = table
        .into_iter()
        .map(|(key, value)| {
            let key_at = place(key.span());
            (key.into_inner().into_owned(), Entry { key_at, node: from_toml(value, place) })
        })
        .collect();
    Table { entries, at }
}
