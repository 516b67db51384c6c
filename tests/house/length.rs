//! Long files and functions are choices: the longest are printed on every run, and the extremes need
//! a place on a list.

#![allow(clippy::print_stdout, reason = "the list is read in the run's output")]

use super::tree::{File, none, rust};

const FILE_LIMIT: usize = 800;
const FUNCTION_LIMIT: usize = 150;

/// Files and functions (`path` or `path: name`) that may be longer, each with the reason beside it.
const ALLOWED: &[&str] = &[];

struct Function {
    name: String,
    lines: usize,
}

/// Functions by indentation, which the formatter keeps: from `fn` to the `}` in the same column.
fn functions(file: &File) -> Vec<Function> {
    let lines: Vec<&str> = file.product_lines().map(|(_, line)| line).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(name) = name(code) else { continue };
        let indent = &line[..line.len() - code.len()];
        let end = lines[at..].iter().position(|l| {
            let own = l.strip_prefix(indent).unwrap_or_default();
            own.starts_with('}') || (own.starts_with(|c: char| !c.is_whitespace()) && l.ends_with(['}', ';']))
        });
        found.push(Function { name: format!("{}: {name}", file.path), lines: end.unwrap_or(0) + 1 });
    }
    found
}

/// The name when the line opens a function.
fn name(code: &str) -> Option<String> {
    let before = code.split("fn ").next()?;
    let words = before.split_whitespace().all(|word| {
        matches!(word, "pub" | "async" | "const" | "unsafe" | "extern" | "\"C\"") || word.starts_with("pub(")
    });
    let rest = code.get(before.len() + 3..)?;
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (words && !name.is_empty()).then_some(name)
}

fn print_longest(what: &str, mut all: Vec<(usize, String)>) {
    all.sort_by(|a, b| b.cmp(a));
    let middle = all.get(all.len() / 2).map_or(0, |(lines, _)| *lines);
    let ninth = all.get(all.len() / 10).map_or(0, |(lines, _)| *lines);
    println!("\nthe ten longest {what} of {} (median {middle}, p90 {ninth}):", all.len());
    for (lines, name) in all.iter().take(10) {
        println!("{lines:6}  {name}");
    }
}

#[test]
fn nothing_is_too_long_to_hold() {
    let files = rust(&["src"]);
    let mut faults = Vec::new();
    let mut lengths = Vec::new();
    let mut function_lengths = Vec::new();
    for file in files.iter().filter(|file| !file.is_test()) {
        let lines = file.product_lines().count();
        if lines > FILE_LIMIT && !ALLOWED.contains(&file.path.as_str()) {
            faults.push(format!("{}: {lines} lines, more than {FILE_LIMIT}", file.path));
        }
        lengths.push((lines, file.path.clone()));
        for function in functions(file) {
            if function.lines > FUNCTION_LIMIT && !ALLOWED.contains(&function.name.as_str()) {
                faults
                    .push(format!("{}: {} lines, more than {FUNCTION_LIMIT}", function.name, function.lines));
            }
            function_lengths.push((function.lines, function.name));
        }
    }
    print_longest("files", lengths);
    print_longest("functions", function_lengths);
    none("too long", &faults);
}

#[test]
fn functions_are_measured() {
    let text = "pub fn a() {\n    b();\n}\n\nimpl X {\n    async fn c(&self) -> u8 {\n        3\n    }\n    fn d();\n}\n";
    let file = File { path: "x".into(), text: text.into() };
    let found: Vec<_> = functions(&file).into_iter().map(|f| (f.name, f.lines)).collect();
    assert_eq!(found, [("x: a".to_owned(), 3), ("x: c".to_owned(), 3), ("x: d".to_owned(), 1)]);
}
