//! Text: free, chosen from a list, lists of it, tags, prefixes, and tables of text.

use super::{Format, Shape, each, key, quote, show_list};
use crate::config::load::{Load, join, list};
use crate::config::nearest::nearest;
use crate::config::node::{Node, Raw};
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// Any text but the empty one: to leave an option out, one does not write it.
pub(crate) struct Text;

impl Format for Text {
    type Value = String;

    fn kind() -> String {
        "text".into()
    }

    fn expects() -> String {
        "text in quotes".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<String> {
        let text = node.text().filter(|text| !text.is_empty());
        if text.is_none() {
            load.fault(
                &node.at,
                format!("`{path}` must be text"),
                node.found(),
                "write text in quotes".to_owned(),
            );
        }
        text.map(str::to_owned)
    }

    fn show(value: &String) -> Option<String> {
        Some(quote(value))
    }
}

/// A list of texts.
pub(crate) struct Texts;

impl Format for Texts {
    type Value = Vec<String>;

    const SHAPE: Shape = Shape::List;

    fn kind() -> String {
        "list of texts".into()
    }

    fn expects() -> String {
        "a list such as `[\"a\", \"b\"]`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Vec<String>> {
        each::<Self, String>(node, path, load, Text::read)
    }

    fn show(value: &Vec<String>) -> Option<String> {
        Some(show_list(value.iter().map(|text| quote(text))))
    }
}

/// A list of tags: `key:value`, or bare.
pub(crate) struct Tags;

impl Format for Tags {
    type Value = Vec<String>;

    const SHAPE: Shape = Shape::List;

    fn kind() -> String {
        "list of tags".into()
    }

    fn expects() -> String {
        "a list such as `[\"env:dev\", \"team:shop\"]`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Vec<String>> {
        each::<Self, String>(node, path, load, |item, path, load| {
            let tag = Text::read(item, path, load)?;
            if tag.starts_with(':') || tag.contains([',', '|', '\n', '\r']) {
                load.fault(
                    &item.at,
                    format!("`{path}` is not a tag"),
                    item.found(),
                    "write `key:value` without `,`, `|` or line breaks".to_owned(),
                );
                return None;
            }
            Some(tag)
        })
    }

    fn show(value: &Vec<String>) -> Option<String> {
        Texts::show(value)
    }
}

/// What stands before every name. May be empty.
pub(crate) struct Namespace;

impl Format for Namespace {
    type Value = String;

    fn kind() -> String {
        "text".into()
    }

    fn expects() -> String {
        "text with its separator, such as `\"shop.\"`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<String> {
        let Some(text) = node.text() else {
            load.wrong::<Self>(path, node);
            return None;
        };
        let reserved = text
            .strip_prefix("pillion")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| !c.is_ascii_alphanumeric()));
        if reserved {
            let help = "choose another prefix: `pillion_` is for what pillion says of itself".to_owned();
            load.fault(&node.at, format!("`{path}` is reserved"), node.found(), help);
            return None;
        }
        if text.contains(|c: char| c.is_control() || matches!(c, ':' | '|' | '@' | '#')) {
            let help = "write a prefix without `:`, `|`, `@`, `#` and control characters".to_owned();
            load.fault(&node.at, format!("`{path}` cannot begin a name"), node.found(), help);
            return None;
        }
        Some(text.to_owned())
    }

    fn show(value: &String) -> Option<String> {
        Some(quote(value))
    }
}

/// A filter for `tracing`.
pub(crate) struct LogFilter;

impl Format for LogFilter {
    type Value = String;

    fn kind() -> String {
        "log filter".into()
    }

    fn expects() -> String {
        "a level or a filter, such as `\"info\"` or `\"warn,pillion=debug\"`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<String> {
        let text = Text::read(node, path, load)?;
        match tracing_subscriber::EnvFilter::try_new(&text) {
            // A lone word is read as the name of a module, and silences everything else.
            Ok(_) if is_level(&text) || text.contains(['=', ',']) => Some(text),
            Ok(_) => {
                let levels = ["error", "warn", "info", "debug", "trace", "off"];
                let help = match nearest(&text, levels) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write {}", Self::expects()),
                };
                load.fault(&node.at, format!("`{path}` is not a log level"), node.found(), help);
                None
            }
            Err(error) => {
                let help = format!("write {}", Self::expects());
                load.fault(&node.at, format!("`{path}` is not a log filter: {error}"), node.found(), help);
                None
            }
        }
    }

    fn show(value: &String) -> Option<String> {
        Some(quote(value))
    }
}

fn is_level(text: &str) -> bool {
    text.parse::<tracing_subscriber::filter::LevelFilter>().is_ok()
}

/// A table of texts.
pub(crate) struct Pairs;

impl Format for Pairs {
    type Value = BTreeMap<String, String>;

    const SHAPE: Shape = Shape::Table;

    fn kind() -> String {
        "table of texts".into()
    }

    fn expects() -> String {
        "a table such as `{ key = \"value\" }`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Self::Value> {
        let Raw::Table(table) = &node.raw else {
            load.wrong::<Self>(path, node);
            return None;
        };
        let pairs: Vec<Option<(String, String)>> = table
            .entries
            .iter()
            .map(|(key, entry)| {
                Text::read(&entry.node, &join(path, key), load).map(|text| (key.clone(), text))
            })
            .collect();
        pairs.into_iter().collect()
    }

    fn show(value: &Self::Value) -> Option<String> {
        let pairs: Vec<String> =
            value.iter().map(|(name, text)| format!("{} = {}", key(name), quote(text))).collect();
        Some(if pairs.is_empty() { "{}".into() } else { format!("{{ {} }}", pairs.join(", ")) })
    }
}

/// A closed set of words and what they stand for.
pub(crate) trait Choices {
    type Value: Clone + PartialEq + 'static;

    const ALL: &'static [(&'static str, Self::Value)];
}

/// Declares a type of `Choices`.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident: $value:ty { $($word:literal => $stands:expr),+ $(,)? }) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl $crate::config::format::Choices for $name {
            type Value = $value;

            const ALL: &'static [(&'static str, $value)] = &[$(($word, $stands)),+];
        }
    };
}

pub(crate) use choices;

/// One of a closed set of words.
pub(crate) struct OneOf<C>(PhantomData<C>);

impl<C: Choices> OneOf<C> {
    fn words() -> Vec<&'static str> {
        C::ALL.iter().map(|(word, _)| *word).collect()
    }
}

impl<C: Choices> Format for OneOf<C> {
    type Value = C::Value;

    fn kind() -> String {
        let words: Vec<String> = Self::words().iter().map(|word| format!("`\"{word}\"`")).collect();
        words.join(" or ")
    }

    fn expects() -> String {
        list(&Self::words(), "or")
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<C::Value> {
        let word = node.text().unwrap_or_default();
        let choice = C::ALL.iter().find(|(name, _)| *name == word);
        if choice.is_none() {
            let help = match nearest(word, Self::words()) {
                Some(near) => format!("did you mean `\"{near}\"`? It can be {}", Self::expects()),
                None => format!("write {}", Self::expects()),
            };
            load.fault(&node.at, format!("`{path}` has no such choice"), node.found(), help);
        }
        choice.map(|(_, value)| value.clone())
    }

    fn show(value: &C::Value) -> Option<String> {
        C::ALL.iter().find(|(_, candidate)| candidate == value).map(|(word, _)| quote(word))
    }
}
