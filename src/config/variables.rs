//! The environment: every option as `PILLION_<TABLE>_<OPTION>`, laid over what the file says.
//!
//! A variable that begins with `PILLION_` and is no option is a mistake like an unknown key, except
//! for those that Kubernetes makes for a Service called `pillion…`. Values are read here only as far
//! as their shape goes; what they mean is read together with the file's.

use super::fault::Source;
use super::format::Shape;
use super::load::Load;
use super::nearest::nearest;
use super::node::{Entry, Node, Place, Raw, Table, from_toml};
use super::schema::{ChapterKind, chapters};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeValue;

const PREFIX: &str = "PILLION_";
/// What excerpts show of a secret.
const HIDDEN: &str = "(hidden)";
const BACKENDS: &str = "PILLION_BACKENDS_";
/// Known, but no option: they say where the options are.
const OTHERS: [&str; 1] = ["PILLION_CONFIG"];

/// What a variable sets.
struct Target {
    path: Vec<String>,
    shape: Shape,
    secret: bool,
}

/// Lays the variables over `root`. An empty variable counts as not set.
pub(super) fn overlay(root: &mut Table, environment: &BTreeMap<String, String>, load: &mut Load) {
    let fixed = fixed_targets();
    for (name, value) in environment.range(PREFIX.to_owned()..) {
        if !name.starts_with(PREFIX) {
            break;
        }
        let target = match fixed.get(name) {
            Some(target) => Some(Target { path: target.path.clone(), ..*target }),
            None => backend_target(name, root),
        };
        let Some(target) = target else {
            if !OTHERS.contains(&name.as_str()) && !is_service_link(name, value) {
                unknown(name, &fixed, load);
            }
            continue;
        };
        if value.is_empty() {
            continue;
        }
        remember(name, if target.secret { HIDDEN } else { value }, load);
        if let Some(mut node) = read(name, value, &target, load) {
            if target.secret {
                hide(&mut node, &place(name, 0..HIDDEN.len()));
            }
            root.put(&target.path, node);
        }
    }
}

/// The variables whose names do not depend on a backend's.
fn fixed_targets() -> BTreeMap<String, Target> {
    let mut targets = BTreeMap::new();
    for chapter in chapters() {
        match chapter.kind {
            ChapterKind::Table => {
                for option in &chapter.options {
                    let path = chapter.path.split('.').chain([option.key]).map(str::to_owned).collect();
                    let target = Target { path, shape: option.shape, secret: option.secret };
                    targets.extend(chapter.variable(option.key, "").map(|name| (name, target)));
                }
            }
            ChapterKind::List => {
                let path = vec![chapter.path.to_owned()];
                let name = format!("{PREFIX}{}", chapter.path.to_uppercase());
                targets.insert(name, Target { path, shape: Shape::Toml, secret: false });
            }
            ChapterKind::Delivery | ChapterKind::Backend(_) => {}
        }
    }
    targets
}

/// Splits `PILLION_BACKENDS_<NAME>_<OPTION>`: by the names in the file, else by the longest option.
fn backend_target(name: &str, root: &Table) -> Option<Target> {
    let rest = name.strip_prefix(BACKENDS)?;
    let options: Vec<_> = chapters()
        .into_iter()
        .filter(|chapter| matches!(chapter.kind, ChapterKind::Delivery | ChapterKind::Backend(_)))
        .flat_map(|chapter| chapter.options)
        .collect();
    let named = match root.get("backends").map(|node| &node.raw) {
        Some(Raw::Table(table)) => table.entries.keys().cloned().collect(),
        Some(_) | None => Vec::new(),
    };
    let by_file = named.into_iter().find_map(|backend| {
        let upper = backend.to_uppercase().replace('-', "_");
        let key = rest.strip_prefix(&upper)?.strip_prefix('_')?.to_lowercase();
        let option = options.iter().find(|option| option.key == key)?;
        Some((backend, option))
    });
    let by_option = || {
        let split = |option: &super::section::Opt| {
            let backend = rest.strip_suffix(&option.key.to_uppercase())?.strip_suffix('_')?;
            (!backend.is_empty()).then(|| backend.to_lowercase())
        };
        let fitting = options.iter().filter_map(|option| Some((split(option)?, option)));
        fitting.max_by_key(|(_, option)| option.key.len())
    };
    let (backend, option) = by_file.or_else(by_option)?;
    let path = vec!["backends".to_owned(), backend, option.key.to_owned()];
    Some(Target { path, shape: option.shape, secret: option.secret })
}

/// The place of a part of a variable's value.
fn place(name: &str, value: Range<usize>) -> Place {
    let before = name.len() + 1;
    Place::Variable(name.to_owned(), value.start + before..value.end + before)
}

/// Takes a value apart by its shape.
fn read(name: &str, value: &str, target: &Target, load: &mut Load) -> Option<Node> {
    let place = |range: Range<usize>| place(name, range);
    let word =
        |range: Range<usize>| Node { raw: Raw::Word(value[range.clone()].to_owned()), at: place(range) };
    let opening = match target.shape {
        Shape::One => None,
        Shape::List | Shape::Toml => Some('['),
        Shape::Table => Some('{'),
    };
    if opening.is_some_and(|opening| value.trim_start().starts_with(opening)) {
        return toml_value(value, &place, target, load);
    }
    match target.shape {
        Shape::One => Some(word(0..value.len())),
        Shape::List => Some(Node {
            raw: Raw::List(pieces(value).into_iter().map(word).collect()),
            at: place(0..value.len()),
        }),
        Shape::Table => {
            let mut table = Table::empty(place(0..value.len()));
            for piece in pieces(value) {
                let Some(equals) = value[piece.clone()].find('=').map(|at| at + piece.start) else {
                    let at = if target.secret { place(0..HIDDEN.len()) } else { place(piece) };
                    let help = "write `name=value,name=value`".to_owned();
                    load.fault(&at, format!("`{name}` holds a part without `=`"), "here", help);
                    return None;
                };
                let key = value[piece.start..equals].trim().to_owned();
                let node = word(trimmed(value, equals + 1..piece.end));
                table.entries.insert(key, Entry { key_at: place(piece.start..equals), node });
            }
            Some(Node { raw: Raw::Table(table), at: place(0..value.len()) })
        }
        Shape::Toml => {
            let help = "write a TOML array of tables: `[{ match = \"a.*\", drop = true }]`".to_owned();
            load.fault(&place(0..value.len()), format!("`{name}` must be a TOML array"), "no array", help);
            None
        }
    }
}

fn toml_value(
    value: &str,
    place: &impl Fn(Range<usize>) -> Place,
    target: &Target,
    load: &mut Load,
) -> Option<Node> {
    match DeValue::parse(value) {
        Ok(parsed) => Some(from_toml(parsed, place)),
        Err(error) => {
            let range = if target.secret { 0..HIDDEN.len() } else { error.span().unwrap_or(0..value.len()) };
            let help =
                "lists may also be written with commas alone; TOML needs quotes around text".to_owned();
            let message = format!("`{}` is not a TOML value", target.path.join("."));
            load.fault(&place(range), message, error.message().to_owned(), help);
            None
        }
    }
}

/// The parts between commas, without the blanks around them; empty ones do not count.
fn pieces(value: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut pieces = Vec::new();
    for part in value.split(',') {
        let piece = trimmed(value, start..start + part.len());
        if !piece.is_empty() {
            pieces.push(piece);
        }
        start += part.len() + 1;
    }
    pieces
}

fn trimmed(value: &str, range: Range<usize>) -> Range<usize> {
    let part = &value[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// Keeps a variable for excerpts.
fn remember(name: &str, value: &str, load: &mut Load) {
    // One line: an excerpt shows lines, and places count bytes, so a break becomes a blank.
    let text = format!("{name}={}", value.replace(['\n', '\r'], " "));
    load.variables
        .insert(name.to_owned(), Arc::new(Source { name: "environment".into(), text, is_variable: true }));
}

/// Moves all places of a secret to where its excerpt says nothing.
fn hide(node: &mut Node, at: &Place) {
    node.at = at.clone();
    match &mut node.raw {
        Raw::List(items) => items.iter_mut().for_each(|item| hide(item, at)),
        Raw::Table(table) => {
            table.at = at.clone();
            for entry in table.entries.values_mut() {
                entry.key_at = at.clone();
                hide(&mut entry.node, at);
            }
        }
        Raw::Text(_) | Raw::Word(_) | Raw::Integer { .. } | Raw::Float(_) | Raw::Switch(_) | Raw::Date => {}
    }
}

fn unknown(name: &str, fixed: &BTreeMap<String, Target>, load: &mut Load) {
    remember(name, "…", load);
    let help = match nearest_variable(name, fixed) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`pillion config reference` lists all".to_owned(),
    };
    // The value may be anything, so only the name is shown.
    let place = Place::Variable(name.to_owned(), 0..name.len());
    load.fault(&place, format!("unknown variable `{name}`"), "not an option", help);
}

fn nearest_variable(name: &str, fixed: &BTreeMap<String, Target>) -> Option<String> {
    if let Some(rest) = name.strip_prefix(BACKENDS) {
        // With the name of the backend taken off part by part, what is left may resemble an option.
        let chapters = chapters();
        let options = || {
            let of_backends = chapters
                .iter()
                .filter(|chapter| matches!(chapter.kind, ChapterKind::Delivery | ChapterKind::Backend(_)));
            of_backends.flat_map(|chapter| chapter.options.iter().map(|option| option.key))
        };
        return rest.match_indices('_').find_map(|(at, _)| {
            let near = nearest(&rest[at + 1..], options())?;
            Some(format!("{BACKENDS}{}_{}", &rest[..at], near.to_uppercase()))
        });
    }
    nearest(name, fixed.keys().map(String::as_str)).map(str::to_owned)
}

/// `PILLION_SERVICE_HOST`, `PILLION_PORT_8125_UDP_ADDR`, …: Kubernetes puts them into every container
/// of a namespace that has a Service called `pillion`.
fn is_service_link(name: &str, value: &str) -> bool {
    let of_port = |rest: &str| {
        let mut parts = rest.split('_');
        let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
        let protocol = parts.next().is_some_and(|part| matches!(part, "TCP" | "UDP" | "SCTP"));
        let rest = parts.next().is_none_or(|part| matches!(part, "ADDR" | "PORT" | "PROTO"));
        number && protocol && rest && parts.next().is_none()
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.rsplit_once("_PORT_").is_some_and(|(_, rest)| of_port(rest))
        || name.match_indices("_PORT_").any(|(at, found)| of_port(&name[at + found.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_no_blanks() {
        let value = " a, b ,,c";
        let words: Vec<&str> = pieces(value).into_iter().map(|range| &value[range]).collect();
        assert_eq!(words, ["a", "b", "c"]);
    }

    #[test]
    fn service_links_are_known() {
        for (name, value, link) in [
            ("PILLION_SERVICE_HOST", "10.0.0.1", true),
            ("PILLION_SERVICE_PORT", "8125", true),
            ("PILLION_SERVICE_PORT_STATSD", "8125", true),
            ("PILLION_PORT", "udp://10.0.0.1:8125", true),
            ("PILLION_PORT_8125_UDP", "udp://10.0.0.1:8125", true),
            ("PILLION_PORT_8125_UDP_ADDR", "10.0.0.1", true),
            ("PILLION_METRICS_PORT_9102_TCP_PORT", "9102", true),
            ("PILLION_PORT", "8125", false),
            ("PILLION_STATSD_PORT", "8125", false),
            ("PILLION_PORT_X_UDP", "", false),
        ] {
            assert_eq!(is_service_link(name, value), link, "{name}");
        }
    }
}
