//! Documents name only what exists: every path, every option and variable, every metric of pillion's own.
//! Comments in sources are held to the same for paths.

use super::tree::{File, documents, none, read, root, rust};
use std::collections::{BTreeMap, BTreeSet};

/// Endings that make a word a path.
const ENDINGS: [&str; 12] =
    [".rs", ".toml", ".md", ".js", ".py", ".json", ".lock", ".txt", ".example", ".yml", ".yaml", ".sh"];
/// Where files appear only after a build.
const MADE: [&str; 2] = ["target/", "out/"];
/// Paths in comments that lie elsewhere, or stand for several.
const FOREIGN: [&str; 2] = ["docs/metric_types.md", "fuzz/corpus/NAME"];
/// Variables that are no options.
const VARIABLES: [&str; 3] = ["PILLION_CONFIG", "PILLION_BLESS", "PILLION_BACKENDS_<NAME>_<OPTION>"];
/// Sections of the configuration.
const SECTIONS: [&str; 8] =
    ["statsd", "limits", "metrics", "rules", "http", "backends", "telemetry", "shutdown"];

/// What stands between backticks outside of code blocks, with its line.
fn words(file: &File) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut block = false;
    for (at, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if !block {
            found.extend(line.split('`').skip(1).step_by(2).map(|word| (at + 1, word)));
        }
    }
    found
}

/// Targets of links, with their line.
fn links(file: &File) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for part in line.split("](").skip(1) {
            found.extend(part.split(')').next().map(|target| (at + 1, target)));
        }
    }
    found
}

fn is_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let first = word.split('/').next().unwrap_or_default();
    let inside = word.contains('/') && root().join(first).is_dir() && !first.is_empty();
    plain && !word.starts_with(['/', '-']) && (inside || ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

/// From the root, from `src` (as the architecture speaks), or from the document's own folder.
fn exists(document: &File, path: &str) -> bool {
    let own = root().join(&document.path);
    let folder = own.parent().unwrap_or(root()).join(path);
    [root().join(path), root().join("src").join(path), folder].iter().any(|place| place.exists())
}

#[test]
fn every_path_in_the_documents_exists() {
    let mut faults = Vec::new();
    for file in documents() {
        let named = words(&file).into_iter().filter(|(_, word)| is_path(word));
        let linked = links(&file).into_iter().filter(|(_, target)| !target.contains("://"));
        for (line, path) in named.chain(linked) {
            let path = path.split('#').next().unwrap_or_default();
            if !path.is_empty() && !MADE.iter().any(|made| path.starts_with(made)) && !exists(&file, path) {
                faults.push(format!("{}:{line}: {path}", file.path));
            }
        }
    }
    none("documents name paths that do not exist", &faults);
}

/// `section.option` for every option of the example, which is generated from the configuration's types.
fn options() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut section = String::new();
    for line in read("config.toml.example").lines() {
        let line = line.trim_start_matches(['#', ' ']);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let name = name.trim_matches('[');
            if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
                // One name stands for all backends.
                section = if name.starts_with("backends.") { "backends".into() } else { name.into() };
                found.insert(section.clone());
            }
        }
        // `key = …`, also inside an inline table.
        for (at, _) in line.match_indices('=') {
            let before = line[..at].trim_end();
            let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let key = &before[before.trim_end_matches(letter).len()..];
            found.insert(format!("{section}.{key}"));
        }
    }
    found
}

#[test]
fn every_option_in_the_documents_exists() {
    let options = options();
    let mut faults = Vec::new();
    // Attributes of spans look like options.
    for file in documents().into_iter().filter(|file| file.path != "docs/traces.md") {
        for (line, word) in words(&file) {
            let option = word.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'));
            let section = word.split('.').next().unwrap_or_default();
            if option
                && word.contains('.')
                && SECTIONS.contains(&section)
                && !is_path(word)
                && !options.contains(word)
            {
                faults.push(format!("{}:{line}: {word}", file.path));
            }
        }
    }
    none("documents name options that config.toml.example does not hold", &faults);
}

/// Every `PILLION_…` of a text, code blocks included.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_ascii_uppercase() || matches!(c, '_' | '<' | '>');
    text.split(move |c| !part(c)).filter(|word| word.starts_with("PILLION_") && *word != "PILLION_")
}

#[test]
fn every_variable_in_the_documents_exists() {
    let example = read("config.toml.example");
    // One name stands for all backends there.
    let known: BTreeSet<String> = variables(&example)
        .map(|name| {
            ["OTLP", "FILE", "ZIPKIN", "DATADOG"].iter().fold(name.to_owned(), |name, backend| {
                name.replace(&format!("_BACKENDS_{backend}_"), "_BACKENDS_<NAME>_")
            })
        })
        .chain(VARIABLES.map(ToOwned::to_owned))
        .chain(["PILLION_BACKENDS_<NAME>_TYPE".to_owned()])
        .collect();
    let mut faults = Vec::new();
    for file in documents() {
        for name in variables(&file.text).filter(|name| !known.contains(*name)) {
            faults.push(format!("{}: {name}", file.path));
        }
    }
    none("documents name variables that config.toml.example does not hold", &faults);
}

#[test]
fn every_configuration_in_the_documents_loads() {
    let mut faults = Vec::new();
    let mut count = 0;
    for file in documents() {
        for block in file.text.split("```toml\n").skip(1) {
            let text = block.split("```").next().unwrap_or_default();
            count += 1;
            if let Err(errors) = pillion::config::load_text(&file.path, text, &BTreeMap::new()) {
                faults.push(errors.render(false));
            }
        }
    }
    none("documents show configurations that are refused", &faults);
    assert!(count > 0, "the README shows one");
}

/// From the root, from `src`, or from the source's own folder or module.
#[test]
fn every_path_in_a_comment_exists() {
    let mut faults = Vec::new();
    for file in rust(&["src", "tests", "benches", "fuzz"]) {
        let lines = file.text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"));
        for (at, line) in lines {
            let named = line.split('`').skip(1).step_by(2).filter(|word| is_path(word));
            for path in named.filter(|path| path.contains('/') && !FOREIGN.contains(path)) {
                if !MADE.iter().any(|made| path.starts_with(made)) && !exists(&file, path) {
                    faults.push(format!("{}:{}: {path}", file.path, at + 1));
                }
            }
        }
    }
    none("comments name paths that do not exist", &faults);
}

#[test]
fn every_own_metric_in_the_documents_is_in_the_table() {
    let known: BTreeSet<&str> = pillion::telemetry::Metric::ALL.iter().map(|metric| metric.name()).collect();
    let mut faults = Vec::new();
    for file in documents() {
        for (line, word) in words(&file) {
            let name = word.split('{').next().unwrap_or_default();
            let whole = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if name.starts_with("pillion_") && name.len() > "pillion_".len() && whole && !known.contains(name)
            {
                faults.push(format!("{}:{line}: {name}", file.path));
            }
        }
    }
    none("documents name metrics that are not in the table", &faults);
}

#[test]
fn the_architecture_holds_the_list_of_threads() {
    let table = pillion::admin::threads::markdown();
    let text = read("ARCHITECTURE.md");
    assert!(
        text.contains(&table),
        "ARCHITECTURE.md must hold this table of src/admin/threads.rs:\n\n{table}"
    );
}
