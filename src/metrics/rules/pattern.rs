//! One rule's pattern: its text for the automaton of all, and alone for what it captured.

use super::error::Fault;
use super::glob;
use crate::config::PatternKind;
use regex::{Captures, Regex};
use std::sync::OnceLock;

/// A pattern that compiles.
#[derive(Debug)]
pub(super) struct Pattern {
    expression: String,
    /// For each capture, the whole match being 0, its name if it has one.
    names: Vec<Option<String>>,
    /// Globs always compile, so they wait until a match asks what they captured: that saves 40 KB and
    /// 0.1 ms for each that never does.
    regex: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(super) fn new(kind: PatternKind, text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::Empty);
        }
        match kind {
            PatternKind::Glob => {
                let expression = glob::name_regex(text).ok_or(Fault::BadGlob)?;
                let captures = text.replace("**", "*").matches('*').count();
                Ok(Pattern { expression, names: vec![None; captures + 1], regex: OnceLock::new() })
            }
            PatternKind::Regex => Self::of_value(text),
        }
    }

    /// A regular expression, as for the values of a tag.
    pub(super) fn of_value(text: &str) -> Result<Self, Fault> {
        let regex = compiled(text)?;
        let names = regex.capture_names().map(|name| name.map(str::to_owned)).collect();
        Ok(Pattern { expression: text.to_owned(), names, regex: OnceLock::from(Some(regex)) })
    }

    pub(super) fn expression(&self) -> &str {
        &self.expression
    }

    pub(super) fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex.get_or_init(|| Regex::new(&self.expression).ok()).as_ref()?.captures(text)
    }

    /// The number of the capture that a template refers to by name or number.
    pub(super) fn capture(&self, reference: &str) -> Option<usize> {
        match reference.parse::<usize>() {
            Ok(number) => (number < self.names.len()).then_some(number),
            Err(_) => self.names.iter().position(|name| name.as_deref() == Some(reference)),
        }
    }
}

/// Compiles, keeping of the reason the last line: the rest draws the pattern.
fn compiled(pattern: &str) -> Result<Regex, Fault> {
    Regex::new(pattern).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Fault::TooLarge,
        error => {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or(&reason);
            Fault::BadRegex(last.trim().trim_start_matches("error: ").to_owned())
        }
    })
}
