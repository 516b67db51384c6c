//! `[[rules]]`: what becomes of the contexts whose name matches.
//!
//! Here stands only what a rule says; how patterns match is the business of `crate::metrics`.

use super::format::{
    Bounds, Format, OneOf, Optional, Pairs, Quantiles, Shape, Span, Switch, Text, Texts, YEAR_MS, choices,
};
use super::load::Load;
use super::metrics::{HistogramStyle, Style};
use super::node::{Node, Raw};
use super::section::{Section, section};
use crate::statsd::Kind;
use std::collections::BTreeMap;
use std::time::Duration;

choices! {
    Matching: PatternKind { "glob" => PatternKind::Glob, "regex" => PatternKind::Regex }
}

choices! {
    KindName: Kind {
        "c" => Kind::Counter,
        "g" => Kind::Gauge,
        "ms" => Kind::Timer,
        "h" => Kind::Histogram,
        "d" => Kind::Distribution,
        "s" => Kind::Set,
    }
}

section! {
    /// The first rule whose pattern matches a context's name decides what becomes of it.
    pub struct Rule {
        /// The names meant. As a glob, `*` stands for one part between dots or a piece of one, `**` for
        /// anything; both are captured.
        pattern "match": String as Text = String::new(), required "\"http.*.time\"";
        /// What `match` is.
        pattern_kind "match_type": PatternKind as OneOf<Matching> = PatternKind::Glob;
        /// Only metrics of these types (`c`, `g`, `ms`, `h`, `d`, `s`); all when it is empty.
        types "types": Vec<Kind> as Kinds = Vec::new();
        /// Forget the metric.
        drop "drop": bool as Switch = false;
        /// The new name; `$1`, `${2}` and `${name}` stand for what the pattern captured.
        name "name": Option<String> as Optional<Text> = None, example "\"http_time\"";
        /// Tags to set, before `drop_tags` looks; values may hold captures.
        set_tags "set_tags": BTreeMap<String, String> as Pairs = BTreeMap::new();
        /// Keys of tags to remove, as globs.
        drop_tags "drop_tags": Vec<String> as Texts = Vec::new();
        /// Values of tags to rewrite: where the value of the tag `key` matches the regex `match`, it becomes
        /// `value`, which may hold captures.
        rewrite_tags "rewrite_tags": Vec<TagRewrite> as Rewrites = Vec::new();
        /// Take the metric for one of this type.
        force_type "type": Option<Kind> as Optional<OneOf<KindName>> = None, example "\"d\"";
        /// Forget a context that had no message for so long, on `/metrics` too.
        ttl "ttl": Option<Duration> as Optional<Span<1_000, YEAR_MS>> = None, example "\"1h\"";
        /// Upper bounds of buckets, in place of `timer_buckets` and `histogram_buckets`.
        buckets "buckets": Option<Vec<f64>> as Optional<Bounds> = None, example "[0.1, 0.5, 1, 5]";
        /// Quantiles, in place of `percentiles`.
        percentiles "percentiles": Option<Vec<f64>> as Optional<Quantiles> = None, example "[0.5, 0.99]";
        /// In place of `histograms`.
        histograms "histograms": Option<HistogramStyle> as Optional<OneOf<Style>> = None, example "\"summary\"";
        /// The help text on `/metrics`.
        help "help": Option<String> as Optional<Text> = None, example "\"Time to answer a request\"";
        /// The unit in OTLP, and on `/metrics` in OpenMetrics where the name ends in it.
        unit "unit": Option<String> as Optional<Text> = None, example "\"seconds\"";
    }
}

/// What the pattern of a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PatternKind {
    #[default]
    Glob,
    Regex,
}

section! {
    /// One entry of a rule's `rewrite_tags`: values of `key` that match `pattern` (a regex) become `value`.
    pub struct TagRewrite {
        /// The tag.
        key "key": String as Text = String::new(), required "\"path\"";
        /// A regex over the tag's value.
        pattern "match": String as Text = String::new(), required "'/users/\\d+'";
        /// The new value.
        value "value": String as Text = String::new(), required "\"/users/:id\"";
    }
}

/// A list of types of metrics.
struct Kinds;

impl Format for Kinds {
    type Value = Vec<Kind>;

    const SHAPE: Shape = Shape::List;

    fn kind() -> String {
        "list of types".into()
    }

    fn expects() -> String {
        "a list such as `[\"c\", \"g\"]`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Vec<Kind>> {
        let Raw::List(items) = &node.raw else {
            load.wrong::<Self>(path, node);
            return None;
        };
        let read = |(index, item)| OneOf::<KindName>::read(item, &format!("{path}[{index}]"), load);
        let kinds: Vec<Option<Kind>> = items.iter().enumerate().map(read).collect();
        kinds.into_iter().collect()
    }

    fn show(value: &Vec<Kind>) -> Option<String> {
        let kinds: Vec<String> = value.iter().filter_map(OneOf::<KindName>::show).collect();
        Some(format!("[{}]", kinds.join(", ")))
    }
}

/// A list of `TagRewrite`.
struct Rewrites;

impl Format for Rewrites {
    type Value = Vec<TagRewrite>;

    const SHAPE: Shape = Shape::Toml;

    fn kind() -> String {
        "list of rewrites".into()
    }

    fn expects() -> String {
        "a list such as `[{ key = \"path\", match = '/users/\\d+', value = \"/users/:id\" }]`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Self::Value> {
        let Raw::List(items) = &node.raw else {
            load.wrong::<Self>(path, node);
            return None;
        };
        Some(sections(items, path, load))
    }

    fn show(value: &Self::Value) -> Option<String> {
        let rewrites: Vec<String> = value.iter().map(|rewrite| inline(&rewrite.values())).collect();
        Some(format!("[{}]", rewrites.join(", ")))
    }
}

fn inline(values: &[(&'static str, Option<String>)]) -> String {
    let options: Vec<String> =
        values.iter().filter_map(|(key, value)| Some(format!("{key} = {}", value.as_ref()?))).collect();
    format!("{{ {} }}", options.join(", "))
}

/// Reads a list of tables.
fn sections<S: Section + Default>(items: &[Node], path: &str, load: &mut Load) -> Vec<S> {
    let known: Vec<&str> = S::options().iter().map(|option| option.key).collect();
    let mut read = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        load.places.insert(path.clone(), item.at.clone());
        let mut section = S::default();
        if let Raw::Table(table) = &item.raw {
            load.unknown(&path, table, &known);
            load.section(&mut section, &path, table);
        } else {
            let help = format!("write a table with {}", super::load::list(&known, "and"));
            load.fault(&item.at, format!("`{path}` must be a table"), item.found(), help);
        }
        // Kept even when at fault, so that indices stay those of the file.
        read.push(section);
    }
    read
}

/// Reads all rules.
pub(super) fn read(node: &Node, load: &mut Load) -> Vec<Rule> {
    load.places.insert("rules".into(), node.at.clone());
    let Raw::List(items) = &node.raw else {
        let help = "write `[[rules]]` above each rule".to_owned();
        load.fault(&node.at, "`rules` must be a list of tables", node.found(), help);
        return Vec::new();
    };
    let rules: Vec<Rule> = sections(items, "rules", load);
    for (index, rule) in rules.iter().enumerate() {
        check(rule, &format!("rules[{index}]"), load);
    }
    rules
}

/// What can be said of a rule without compiling it.
fn check(rule: &Rule, path: &str, load: &mut Load) {
    if rule.pattern_kind == PatternKind::Regex {
        check_regex(&rule.pattern, &format!("{path}.match"), load);
    }
    for (index, rewrite) in rule.rewrite_tags.iter().enumerate() {
        check_regex(&rewrite.pattern, &format!("{path}.rewrite_tags[{index}].match"), load);
    }
    if rule.drop {
        let conditions = ["match", "match_type", "types", "drop"];
        for option in Rule::options() {
            let option_path = format!("{path}.{}", option.key);
            if !conditions.contains(&option.key) && load.is_written(&option_path) {
                let place = load.place(&option_path);
                let help = format!("remove `{}` or `drop`", option.key);
                load.fault(&place, format!("`{option_path}` stands beside `drop`"), "without effect", help);
            }
        }
    }
}

fn check_regex(pattern: &str, path: &str, load: &mut Load) {
    let Err(error) = regex::Regex::new(pattern) else { return };
    let why = match &error {
        // The last line says what; those before draw the pattern, as the excerpt does.
        regex::Error::Syntax(text) => text.lines().last().unwrap_or_default().replacen("error: ", "", 1),
        other => other.to_string(),
    };
    let place = load.place(path);
    let help = "write a regex of the Rust kind; single quotes keep its backslashes".to_owned();
    load.fault(&place, format!("`{path}` is not a regex: {why}"), "cannot be compiled", help);
}
