//! Rules: what a context is called, which tags it keeps, as what it counts and how it is treated.
//!
//! Runs once for each form of a context never seen before, so that known ones pay nothing. The first
//! rule whose pattern matches the name as sent (and whose types hold the kind) decides; later ones
//! are not looked at. Then follow the namespace and the global tags. Nothing here may panic or refuse:
//! what a rule makes of a name that cannot be a name leaves the name as it was. Next: `registry`.

mod compile;
mod error;
mod glob;
mod pattern;
mod tags;
mod template;

pub use error::{Fault, RuleError, RuleErrors};

use super::series::Treatment;
use crate::statsd::Kind;
use crate::statsd::form::is_reserved;
use pattern::Pattern;
use regex::RegexSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tags::GlobalTag;
use template::Template;

/// What becomes of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its messages are to be dropped and counted.
    Drop,
    /// It counts as `kind` and is treated as `Rules::treatments()[treatment]`.
    Keep { kind: Kind, treatment: u16 },
}

/// All rules of a configuration, compiled.
#[derive(Debug)]
pub struct Rules {
    /// The patterns of all rules as one automaton.
    patterns: RegexSet,
    rules: Vec<Rule>,
    treatments: Vec<Arc<Treatment>>,
    namespace: String,
    namespace_exclude: Vec<String>,
    global_tags: Vec<GlobalTag>,
}

#[derive(Debug)]
struct Rule {
    /// The pattern as configured.
    written: String,
    /// Forms that it decided.
    matched: AtomicU64,
    /// One bit for each `Kind` that the rule is for.
    kinds: u8,
    /// The pattern alone, where a template asks for what it captured.
    captures: Option<Pattern>,
    drop: bool,
    name: Option<Template>,
    /// Keys with their values, ascending.
    set_tags: Vec<(String, Template)>,
    rewrite_tags: Vec<Rewrite>,
    /// Matches keys.
    drop_tags: RegexSet,
    force_type: Option<Kind>,
    treatment: u16,
}

/// Values of `key` that match become `value`.
#[derive(Debug)]
struct Rewrite {
    key: String,
    pattern: Pattern,
    value: Template,
}

impl Rules {
    /// Changes `name` and `tags` by the rule that matches, the namespace and the global tags. `tags`
    /// are `key:value` or bare, sorted by their bytes and free of duplicates, before and after.
    pub fn apply(&self, kind: Kind, name: &mut String, tags: &mut Vec<String>) -> Verdict {
        let rule = self.matching(kind, name);
        let mut verdict = Verdict::Keep { kind, treatment: 0 };
        if let Some(rule) = rule {
            rule.matched.fetch_add(1, Ordering::Relaxed);
            if rule.drop {
                return Verdict::Drop;
            }
            verdict = Verdict::Keep { kind: rule.kind(kind), treatment: rule.treatment };
            rule.rewrite(name, tags);
        }
        self.enter_namespace(name);
        tags::add_global(tags, &self.global_tags);
        verdict
    }

    /// How contexts may be treated; the first is the default, the others belong to one rule each.
    pub fn treatments(&self) -> &[Arc<Treatment>] {
        &self.treatments
    }

    /// Each rule's pattern, in order, with the forms that it decided so far.
    pub fn matched(&self) -> impl Iterator<Item = (&str, u64)> {
        self.rules.iter().map(|rule| (rule.written.as_str(), rule.matched.load(Ordering::Relaxed)))
    }

    fn matching(&self, kind: Kind, name: &str) -> Option<&Rule> {
        if self.rules.is_empty() {
            return None;
        }
        let matches = self.patterns.matches(name);
        matches.iter().map(|at| &self.rules[at]).find(|rule| rule.kinds & kind_bit(kind) != 0)
    }

    fn enter_namespace(&self, name: &mut String) {
        let excluded = || self.namespace_exclude.iter().any(|prefix| name.starts_with(prefix.as_str()));
        if self.namespace.is_empty() || excluded() {
            return;
        }
        name.insert_str(0, &self.namespace);
        // `p` before `illion_x` would make a name of our own.
        if is_reserved(name) {
            name.drain(..self.namespace.len());
        }
    }
}

impl Rule {
    /// A set's members cannot become numbers, nor numbers members.
    fn kind(&self, sent: Kind) -> Kind {
        match (sent, self.force_type) {
            (Kind::Set, _) | (_, None) => sent,
            (_, Some(forced)) => forced,
        }
    }

    /// Name, then tags: set, rewrite, drop.
    fn rewrite(&self, name: &mut String, tags: &mut Vec<String>) {
        if self.name.is_some() || !self.set_tags.is_empty() {
            // Captures borrow the name as it was sent.
            let sent = std::mem::take(name);
            let captures = self.captures.as_ref().and_then(|pattern| pattern.captures(&sent));
            let renamed = self.name.as_ref().map(|template| template.expand(captures.as_ref()));
            for (key, value) in &self.set_tags {
                tags::set(tags, key, &value.expand(captures.as_ref()));
            }
            *name = match renamed {
                Some(renamed) if is_name(&renamed) => renamed,
                Some(_) | None => sent,
            };
        }
        self.rewrite_tags.iter().for_each(|rewrite| tags::rewrite(tags, rewrite));
        if !self.drop_tags.is_empty() {
            tags.retain(|tag| !self.drop_tags.is_match(tags::key(tag)));
        }
        tags.sort_unstable();
        tags.dedup();
    }
}

fn kind_bit(kind: Kind) -> u8 {
    1 << kind as u8
}

/// Whether a context may have this name: the decoder's rules, but for the length.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|c: char| c.is_control() || matches!(c, '|' | ':'))
        && !is_reserved(name)
}

#[cfg(test)]
mod tests;
