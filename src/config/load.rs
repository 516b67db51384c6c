//! Reading: a tree of what was written becomes values, and every mistake on the way is kept with its
//! place instead of ending the reading.

use super::fault::{ConfigError, Excerpt, Source};
use super::format::{Format, with_article};
use super::nearest::nearest;
use super::node::{Node, Place, Raw, Table};
use super::section::Section;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One reading of a configuration.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// The file, with secrets blanked, for excerpts.
    pub(super) file: Option<Arc<Source>>,
    /// `NAME=value` of the variables that were taken, with secrets blanked.
    pub(super) variables: BTreeMap<String, Arc<Source>>,
    /// Where each option that was written stands, by its path (`metrics.expiry`).
    pub(super) places: BTreeMap<String, Place>,
    /// What else an option's value comes from.
    pub(super) also: BTreeMap<String, String>,
    faults: Vec<(Place, ConfigError)>,
}

impl Load {
    /// Keeps a mistake.
    pub(crate) fn fault(
        &mut self,
        at: &Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        let excerpt = match at {
            Place::Default => None,
            Place::File(range) => self.file.clone().map(|source| Excerpt::new(source, range.clone())),
            Place::Variable(name, range) => {
                self.variables.get(name).cloned().map(|source| Excerpt::new(source, range.clone()))
            }
        };
        let error = ConfigError { message: message.into(), label: label.into(), help: help.into(), excerpt };
        self.faults.push((at.clone(), error));
    }

    /// Keeps the mistake "this is not what the option takes".
    pub(crate) fn wrong<F: Format>(&mut self, path: &str, node: &Node) {
        let found = if F::SECRET { "not shown, it may be secret".into() } else { node.found() };
        self.fault(
            &node.at,
            format!("`{path}` must be {}", with_article(&F::kind())),
            found,
            format!("write {}", F::expects()),
        );
    }

    /// Reads one option, when `table` has it and it can be read.
    pub(crate) fn option<F: Format>(&mut self, path: &str, key: &str, table: &Table) -> Option<F::Value> {
        let node = table.get(key)?;
        let path = join(path, key);
        self.places.insert(path.clone(), node.at.clone());
        F::read(node, &path, self)
    }

    /// Reads a section over what `into` holds, and reports the required options that are missing.
    /// Unknown keys are another matter: one table may hold several sections.
    pub(crate) fn section<S: Section>(&mut self, into: &mut S, path: &str, table: &Table) {
        into.read(path, table, self);
        for option in S::options() {
            let Some(sample) = option.sample else { continue };
            if sample.required && table.get(option.key).is_none() {
                self.fault(
                    &table.at,
                    format!("`{}` is missing", join(path, option.key)),
                    "not in this table",
                    format!("write `{} = {}`", option.key, sample.text),
                );
            }
        }
    }

    /// Reports keys of `table` that are none of `known`.
    pub(crate) fn unknown(&mut self, path: &str, table: &Table, known: &[&str]) {
        for (key, entry) in &table.entries {
            if known.contains(&key.as_str()) {
                continue;
            }
            let help = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => match super::schema::home_of(key) {
                    Some(home) => format!("`{key}` is an option of `{home}`"),
                    None if path.is_empty() => format!("the tables are {}", list(known, "and")),
                    None => format!("the options here are {}", list(known, "and")),
                },
            };
            let table = path.is_empty() && matches!(entry.node.raw, Raw::Table(_) | Raw::List(_));
            let what = if table { "table" } else { "option" };
            self.fault(
                &entry.key_at,
                format!("unknown {what} `{}`", join(path, key)),
                format!("not a known {what}"),
                help,
            );
        }
    }

    /// A table at `key`, or a mistake; `None` also when there is nothing.
    pub(crate) fn table<'a>(&mut self, path: &str, key: &str, table: &'a Table) -> Option<&'a Table> {
        let node = table.get(key)?;
        let path = join(path, key);
        self.as_table(&path, node)
    }

    pub(crate) fn as_table<'a>(&mut self, path: &str, node: &'a Node) -> Option<&'a Table> {
        if let Raw::Table(table) = &node.raw {
            return Some(table);
        }
        self.fault(&node.at, format!("`{path}` is not a table"), node.found(), format!("write `[{path}]`"));
        None
    }

    /// Where the option at `path` stands; `Place::Default` when it was not written.
    pub(crate) fn place(&self, path: &str) -> Place {
        self.places.get(path).cloned().unwrap_or(Place::Default)
    }

    /// Where the option at `path` comes from, in words: "pillion.toml:7", "PILLION_HTTP_LISTEN", "default".
    pub(super) fn origin(&self, path: &str) -> String {
        let place = match (self.place(path), &self.file) {
            (Place::Default, _) | (Place::File(_), None) => None,
            (Place::File(range), Some(file)) => Some(format!("{}:{}", file.name, file.line(range.start))),
            (Place::Variable(variable, _), _) => Some(variable),
        };
        let also = self.also.get(path).cloned();
        let origins: Vec<String> = place.into_iter().chain(also).collect();
        if origins.is_empty() { "default".to_owned() } else { origins.join(" and ") }
    }

    pub(crate) fn is_written(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// The mistakes so far, those of the file first and in its order.
    pub(crate) fn take_faults(&mut self) -> Vec<ConfigError> {
        let mut faults = std::mem::take(&mut self.faults);
        faults.sort_by_key(|(place, _)| match place {
            Place::File(range) => (0, String::new(), range.start),
            Place::Variable(name, range) => (1, name.clone(), range.start),
            Place::Default => (2, String::new(), 0),
        });
        faults.into_iter().map(|(_, error)| error).collect()
    }
}

/// `metrics` and `expiry` → `metrics.expiry`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// "`a`, `b` and `c`", with "and" or "or" before the last.
pub(crate) fn list(words: &[&str], before_last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [all @ .., last] => {
            let all: Vec<String> = all.iter().map(|word| format!("`{word}`")).collect();
            format!("{} {before_last} `{last}`", all.join(", "))
        }
    }
}
