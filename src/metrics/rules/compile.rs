//! From the configuration to compiled rules. All mistakes are gathered before any is reported.

use super::error::{Fault, RuleError, RuleErrors};
use super::pattern::Pattern;
use super::tags::GlobalTag;
use super::template::{Template, TemplateFault};
use super::{Rewrite, Rule, Rules, glob, is_name, kind_bit};
use crate::config;
use crate::metrics::series::Treatment;
use crate::statsd::Kind;
use crate::statsd::form::is_reserved;
use regex::RegexSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

impl Rules {
    /// Compiles the rules, with the namespace, the global tags and the default treatment of `metrics`.
    /// The error holds every mistake of every rule.
    pub fn compile(rules: &[config::Rule], metrics: &config::Metrics) -> Result<Rules, RuleErrors> {
        let mut errors = Vec::new();
        if rules.len() > usize::from(u16::MAX) {
            errors.push(RuleError {
                rule: None,
                pattern: String::new(),
                field: "rules",
                fault: Fault::TooMany,
            });
            return Err(RuleErrors(errors));
        }
        check_metrics(metrics, &mut errors);
        let mut treatments = vec![Arc::new(default_treatment(metrics))];
        let mut compiled = Vec::new();
        let mut patterns = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            let mut compiler = Compiler { at, rule, errors: &mut errors };
            compiler.check();
            if let Some(pattern) = compiler.pattern() {
                patterns.push(pattern.expression().to_owned());
                let mut made = compiler.rule(pattern);
                if let Some(treatment) = own_treatment(rule, &treatments[0]) {
                    // At most u16::MAX rules, so the index fits.
                    made.treatment = treatments.len() as u16;
                    treatments.push(Arc::new(treatment));
                }
                compiled.push(made);
            }
        }
        let set = RegexSet::new(&patterns);
        if set.is_err() {
            errors.push(RuleError {
                rule: None,
                pattern: String::new(),
                field: "rules",
                fault: Fault::TooLarge,
            });
        }
        match set {
            Ok(set) if errors.is_empty() => Ok(Rules {
                patterns: set,
                rules: compiled,
                treatments,
                namespace: metrics.namespace.clone(),
                namespace_exclude: metrics.namespace_exclude.clone(),
                global_tags: metrics.tags.iter().cloned().map(GlobalTag).collect(),
            }),
            Ok(_) | Err(_) => Err(RuleErrors(errors)),
        }
    }
}

/// What is at hand while one rule is compiled.
struct Compiler<'a> {
    at: usize,
    rule: &'a config::Rule,
    errors: &'a mut Vec<RuleError>,
}

impl Compiler<'_> {
    fn fault(&mut self, field: &'static str, fault: Fault) {
        let pattern = self.rule.pattern.clone();
        self.errors.push(RuleError { rule: Some(self.at), pattern, field, fault });
    }

    fn pattern(&mut self) -> Option<Pattern> {
        Pattern::new(self.rule.pattern_kind, &self.rule.pattern)
            .map_err(|fault| self.fault("pattern", fault))
            .ok()
    }

    fn rule(&mut self, pattern: Pattern) -> Rule {
        let rule = self.rule;
        let name = rule.name.as_ref().and_then(|name| self.name(name, &pattern));
        let mut set_tags = Vec::new();
        for (key, value) in &rule.set_tags {
            self.tag_key("set_tags", key);
            set_tags.extend(self.tag_value("set_tags", value, &pattern).map(|value| (key.clone(), value)));
        }
        let rewrite_tags = rule.rewrite_tags.iter().filter_map(|rewrite| self.rewrite(rewrite)).collect();
        let captures = name.iter().chain(set_tags.iter().map(|(_, value)| value));
        let needs_captures = captures.into_iter().any(|template| template.constant().is_none());
        Rule {
            written: rule.pattern.clone(),
            matched: AtomicU64::new(0),
            kinds: match rule.types.as_slice() {
                [] => u8::MAX,
                types => types.iter().fold(0, |bits, kind| bits | kind_bit(*kind)),
            },
            captures: needs_captures.then_some(pattern),
            drop: rule.drop,
            name,
            set_tags,
            rewrite_tags,
            drop_tags: self.drop_tags(),
            force_type: rule.force_type,
            treatment: 0,
        }
    }

    fn name(&mut self, name: &str, pattern: &Pattern) -> Option<Template> {
        let template = self.template("name", name, pattern)?;
        let fault = match template.constant() {
            Some("") => Some(Fault::Empty),
            Some(constant) if is_reserved(constant) => Some(Fault::Reserved(name.to_owned())),
            Some(constant) if !is_name(constant) => Some(Fault::BadName(name.to_owned())),
            // What comes between captures must fit, too; captures are pieces of a good name.
            None if is_reserved(name) => Some(Fault::Reserved(name.to_owned())),
            None if name.contains(|c: char| c.is_control() || matches!(c, '|' | ':')) => {
                Some(Fault::BadName(name.to_owned()))
            }
            Some(_) | None => None,
        };
        match fault {
            Some(fault) => self.fault("name", fault),
            None => return Some(template),
        }
        None
    }

    fn tag_value(&mut self, field: &'static str, value: &str, pattern: &Pattern) -> Option<Template> {
        if value.is_empty() {
            self.fault(field, Fault::Empty);
        } else if !is_tag(value) {
            self.fault(field, Fault::BadTag(value.to_owned()));
        }
        self.template(field, value, pattern)
    }

    fn tag_key(&mut self, field: &'static str, key: &str) {
        if key.is_empty() {
            self.fault(field, Fault::Empty);
        } else if !is_tag(key) || key.contains(':') {
            self.fault(field, Fault::BadTagKey(key.to_owned()));
        }
    }

    fn rewrite(&mut self, rewrite: &config::TagRewrite) -> Option<Rewrite> {
        self.tag_key("rewrite_tags.key", &rewrite.key);
        match Pattern::of_value(&rewrite.pattern) {
            Ok(pattern) => {
                let value = self.tag_value("rewrite_tags.value", &rewrite.value, &pattern)?;
                Some(Rewrite { key: rewrite.key.clone(), pattern, value })
            }
            Err(fault) => {
                self.fault("rewrite_tags.pattern", fault);
                None
            }
        }
    }

    fn drop_tags(&mut self) -> RegexSet {
        let rule = self.rule;
        rule.drop_tags.iter().for_each(|key| self.tag_key("drop_tags", key));
        RegexSet::new(rule.drop_tags.iter().map(|key| glob::key_regex(key))).unwrap_or_else(|_| {
            self.fault("drop_tags", Fault::TooLarge);
            RegexSet::empty()
        })
    }

    fn template(&mut self, field: &'static str, text: &str, pattern: &Pattern) -> Option<Template> {
        let fault = match Template::parse(text, pattern) {
            Ok(template) => return Some(template),
            Err(TemplateFault::Dollar) => Fault::Dollar(text.to_owned()),
            Err(TemplateFault::NoCapture(capture)) => Fault::NoCapture { template: text.to_owned(), capture },
        };
        self.fault(field, fault);
        None
    }

    /// What needs no pattern.
    fn check(&mut self) {
        let rule = self.rule;
        if rule.drop {
            for (given, what) in [
                (rule.name.is_some(), "name"),
                (!rule.set_tags.is_empty(), "set_tags"),
                (!rule.rewrite_tags.is_empty(), "rewrite_tags"),
                (!rule.drop_tags.is_empty(), "drop_tags"),
                (rule.force_type.is_some(), "force_type"),
                (rule.ttl.is_some(), "ttl"),
                (rule.buckets.is_some(), "buckets"),
                (rule.percentiles.is_some(), "percentiles"),
                (rule.histograms.is_some(), "histograms"),
                (rule.help.is_some(), "help"),
                (rule.unit.is_some(), "unit"),
            ] {
                if given {
                    self.fault("drop", Fault::Dropped(what));
                }
            }
        }
        if rule.force_type == Some(Kind::Set) || (rule.force_type.is_some() && rule.types == [Kind::Set]) {
            self.fault("force_type", Fault::SetForced);
        }
        if rule.ttl.is_some_and(|ttl| ttl.is_zero()) {
            self.fault("ttl", Fault::NoTime);
        }
        if let Some(fault) = rule.buckets.as_deref().and_then(bucket_fault) {
            self.fault("buckets", fault);
        }
        match rule.percentiles.as_deref() {
            Some([]) => self.fault("percentiles", Fault::Empty),
            Some(percentiles) => {
                let bad = percentiles.iter().find(|share| !(**share > 0.0 && **share < 1.0));
                bad.iter().for_each(|share| self.fault("percentiles", Fault::BadPercentile(**share)));
            }
            None => {}
        }
        for (field, text) in [("help", &rule.help), ("unit", &rule.unit)] {
            if text.as_deref() == Some("") {
                self.fault(field, Fault::Empty);
            }
        }
        if let Some(unit) = rule.unit.as_deref().filter(|unit| unit.contains(char::is_control)) {
            self.fault("unit", Fault::BadName(unit.to_owned()));
        }
    }
}

fn check_metrics(metrics: &config::Metrics, errors: &mut Vec<RuleError>) {
    let mut fault =
        |field, fault| errors.push(RuleError { rule: None, pattern: String::new(), field, fault });
    let namespace = &metrics.namespace;
    if is_reserved(namespace) {
        fault("metrics.namespace", Fault::Reserved(namespace.clone()));
    } else if !namespace.is_empty() && !is_name(namespace) {
        fault("metrics.namespace", Fault::BadName(namespace.clone()));
    }
    if metrics.namespace_exclude.iter().any(String::is_empty) {
        fault("metrics.namespace_exclude", Fault::Empty);
    }
    for tag in &metrics.tags {
        if tag.is_empty() || tag.starts_with(':') {
            fault("metrics.tags", Fault::Empty);
        } else if !is_tag(tag) {
            fault("metrics.tags", Fault::BadTag(tag.clone()));
        }
    }
}

fn is_tag(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || matches!(c, '|' | ','))
}

fn bucket_fault(bounds: &[f64]) -> Option<Fault> {
    if bounds.is_empty() || bounds.iter().any(|bound| !bound.is_finite()) {
        return Some(Fault::BucketsNotFinite);
    }
    let fallen = bounds.windows(2).find(|pair| pair[1] <= pair[0]);
    fallen.map(|pair| Fault::BucketsNotAscending(pair[1]))
}

fn default_treatment(metrics: &config::Metrics) -> Treatment {
    Treatment {
        ttl: None,
        timer_buckets: metrics.timer_buckets.as_slice().into(),
        histogram_buckets: metrics.histogram_buckets.as_slice().into(),
        explicit_buckets: false,
        percentiles: metrics.percentiles.as_slice().into(),
        style: metrics.histograms,
        help: None,
        unit: None,
    }
}

/// The treatment of a rule that says something about it.
fn own_treatment(rule: &config::Rule, default: &Treatment) -> Option<Treatment> {
    let mut own = default.clone();
    own.ttl = rule.ttl;
    if let Some(buckets) = &rule.buckets {
        own.timer_buckets = buckets.as_slice().into();
        own.histogram_buckets = own.timer_buckets.clone();
        own.explicit_buckets = true;
    }
    if let Some(percentiles) = &rule.percentiles {
        own.percentiles = percentiles.as_slice().into();
    }
    own.style = rule.histograms.unwrap_or(own.style);
    own.help = rule.help.as_deref().map(Into::into);
    own.unit = rule.unit.as_deref().map(Into::into);
    (own != *default).then_some(own)
}
