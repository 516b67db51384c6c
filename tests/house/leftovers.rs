//! What must not be left behind in the sources.

use super::tree::{File, none, rust};

/// Never, in no file. Taken apart, so that this file does not hold them.
const NEVER: [(&str, &str); 8] = [
    ("FIX", "ME"),
    ("XX", "X"),
    ("TO", "DO"),
    ("todo", "!"),
    ("dbg", "!"),
    ("unimplemented", "!"),
    ("#[ign", "ore"),
    ("#![fea", "ture"),
];

/// Only commands write to the terminal.
const PRINTS: [(&str, &str); 4] = [("print", "ln!"), ("eprint", "ln!"), ("print", "!("), ("eprint", "!(")];

fn may_print(file: &File) -> bool {
    file.path.starts_with("src/cli") || file.path == "src/main.rs" || file.in_src().is_none()
}

/// The whole word: `METHODS` holds no leftover.
fn holds(line: &str, word: &str) -> bool {
    let edge = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let starts = edge(line[..at].chars().next_back()) || !word.starts_with(char::is_alphanumeric);
        starts && (edge(line[at + word.len()..].chars().next()) || word.ends_with(['!', '(']))
    })
}

#[test]
fn nothing_is_left_behind() {
    let mut faults = Vec::new();
    for file in rust(&["src", "tests", "benches", "fuzz"]) {
        for (at, line) in file.text.lines().enumerate() {
            let mut look = |word: (&str, &str)| {
                let word = format!("{}{}", word.0, word.1);
                if holds(line, &word) {
                    faults.push(format!("{}:{}: {word}", file.path, at + 1));
                }
            };
            NEVER.into_iter().for_each(&mut look);
            if !may_print(&file) && !line.trim_start().starts_with("//") {
                PRINTS.into_iter().for_each(&mut look);
            }
        }
    }
    none("leftovers", &faults);
}
