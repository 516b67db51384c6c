//! Forms of values: how an option is written, read, shown and named in messages. One type a form,
//! so that "a duration" is read, refused and documented alike wherever it occurs.

mod address;
mod listens;
mod number;
mod text;
mod time;

pub(crate) use address::{
    Address, Endpoint, FilePath, Headers, ListenUrl, SecretText, SocketMode, endpoint_target, listen_address,
};
pub(crate) use listens::HttpListens;
pub(crate) use number::{Bounds, Bytes, Count, Fraction, Quantiles, Switch};
pub(crate) use text::{Choices, LogFilter, Namespace, OneOf, Pairs, Tags, Text, Texts, choices};
pub(crate) use time::{Span, WholeSeconds, YEAR_MS, duration};

use super::load::Load;
use super::node::{Node, Raw};

/// How a value of a form is built, which decides how an environment variable is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    One,
    /// Comma separated, or a TOML array.
    List,
    /// `key=value` comma separated, or a TOML inline table.
    Table,
    /// A TOML array only: its items hold commas.
    Toml,
}

/// A form of values.
pub(crate) trait Format {
    type Value;

    const SHAPE: Shape = Shape::One;
    /// Values of a secret form are never shown.
    const SECRET: bool = false;

    /// A noun without article: "duration".
    fn kind() -> String;

    /// What to write: "a duration such as `10s`".
    fn expects() -> String;

    /// Reads a value; a mistake goes to `load`, at the place where it stands.
    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Self::Value>;

    /// The value as TOML; `None` when it is not set. Reading it gives the same value, unless secret.
    fn show(value: &Self::Value) -> Option<String>;
}

/// A value that may stay unset.
pub(crate) struct Optional<F>(std::marker::PhantomData<F>);

impl<F: Format> Format for Optional<F> {
    type Value = Option<F::Value>;

    const SHAPE: Shape = F::SHAPE;
    const SECRET: bool = F::SECRET;

    fn kind() -> String {
        F::kind()
    }

    fn expects() -> String {
        F::expects()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Self::Value> {
        F::read(node, path, load).map(Some)
    }

    fn show(value: &Self::Value) -> Option<String> {
        value.as_ref().and_then(F::show)
    }
}

/// The items of a list; a mistake when `node` is none.
fn items<'a, F: Format>(node: &'a Node, path: &str, load: &mut Load) -> Option<&'a [Node]> {
    if let Raw::List(items) = &node.raw {
        return Some(items);
    }
    load.wrong::<F>(path, node);
    None
}

/// Reads each item of a list; `None` when one of them cannot be read, after all have been tried.
fn each<F: Format, T>(
    node: &Node,
    path: &str,
    load: &mut Load,
    mut read: impl FnMut(&Node, &str, &mut Load) -> Option<T>,
) -> Option<Vec<T>> {
    let items = items::<F>(node, path, load)?;
    let read: Vec<Option<T>> =
        items.iter().enumerate().map(|(index, item)| read(item, &format!("{path}[{index}]"), load)).collect();
    read.into_iter().collect()
}

/// Text as a TOML string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key as TOML: bare where that is allowed.
pub(crate) fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { text.to_owned() } else { quote(text) }
}

fn show_list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// "duration" → "a duration"
pub(crate) fn with_article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}
