//! Who may know whom. The table stands in `ARCHITECTURE.md` for people and here for the machine; they
//! must be the same, so that the picture stays true and a new arrow is a choice made twice.

use super::tree::{File, none, read, rust};
use std::collections::BTreeSet;

/// A module and the modules that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "cli",
        &["agent", "intake", "admin", "backend", "deliver", "metrics", "statsd", "traces", "otlp", "config"],
    ),
    ("agent", &["intake", "admin", "backend", "deliver", "metrics", "statsd", "traces", "otlp", "config"]),
    ("admin", &["intake", "backend", "deliver", "metrics", "statsd", "traces", "otlp", "serve", "config"]),
    ("intake", &["deliver", "metrics", "statsd", "traces", "otlp", "serve", "config"]),
    ("backend", &["deliver", "metrics", "statsd", "traces", "otlp", "config"]),
    ("deliver", &["metrics", "statsd", "traces", "otlp", "config"]),
    ("metrics", &["statsd", "otlp", "config"]),
    ("traces", &["otlp", "config"]),
    ("otlp", &["config"]),
    ("serve", &[]),
    ("statsd", &["config"]),
    ("config", &[]),
    ("telemetry", &[]),
    ("clock", &[]),
];

/// Known by all.
const BY_ALL: [&str; 2] = ["telemetry", "clock"];

/// Single items that are known against the direction.
const EXCEPTIONS: &[(&str, &str)] = &[("config", "statsd::Kind")];

/// `intake` of `src/intake/statsd/udp.rs`; the crate's root wires and is free.
fn module(file: &File) -> Option<&str> {
    let inside = file.in_src()?;
    let first = inside.split('/').next()?.trim_end_matches(".rs");
    (!matches!(first, "lib" | "main")).then_some(first)
}

/// Every `crate::…` in a line of code, braces of the first level opened: `a::b`, `c`.
fn uses(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let whole = |text: &str| -> String {
            text.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect()
        };
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list.split(',').map(|item| whole(item.trim()))),
            None => found.push(whole(rest)),
        }
    }
    found.retain(|used| !used.is_empty());
    found
}

#[test]
fn modules_use_only_those_below_them() {
    let mut faults = Vec::new();
    for file in rust(&["src"]).iter().filter(|file| !file.is_test()) {
        let Some(from) = module(file) else { continue };
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == from) else {
            faults.push(format!("{}: `{from}` has no row in the table of directions", file.path));
            continue;
        };
        for (number, line) in file.product_lines() {
            for used in uses(line) {
                let to = used.split("::").next().unwrap_or_default();
                let known = to == from || allowed.contains(&to) || BY_ALL.contains(&to);
                let named = MAY_USE.iter().any(|(name, _)| *name == to);
                let excepted = EXCEPTIONS.iter().any(|(who, item)| *who == from && used.starts_with(item));
                if named && !known && !excepted {
                    faults.push(format!("{}:{number}: `{from}` must not know `{used}`", file.path));
                }
            }
        }
    }
    none("forbidden directions", &faults);
}

#[test]
fn the_table_in_the_architecture_is_this_one() {
    let text = read("ARCHITECTURE.md");
    let section =
        text.split("## Who may know whom").nth(1).expect("the section").split("\n## ").next().unwrap();
    let names = |cell: &str| -> BTreeSet<String> {
        cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
    };
    let mut written = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').collect();
        written.push((cells[1].trim().trim_matches('`').to_owned(), names(cells[2])));
    }
    let want: Vec<_> = MAY_USE
        .iter()
        .map(|(name, allowed)| ((*name).to_owned(), allowed.iter().map(|a| (*a).to_owned()).collect()))
        .collect();
    assert_eq!(written, want, "the table in ARCHITECTURE.md and `MAY_USE` differ");
}

#[test]
fn uses_are_found() {
    assert_eq!(uses("use crate::statsd::Kind;"), ["statsd::Kind"]);
    assert_eq!(uses("use crate::{clock, config::Config};"), ["clock", "config::Config"]);
    assert_eq!(
        uses("    let x = crate::agent::run(crate::clock::now_ns());"),
        ["agent::run", "clock::now_ns"]
    );
    assert_eq!(uses("// crate::cli"), [""; 0]);
    assert_eq!(uses("pub(crate) fn x() {}"), [""; 0]);
}
