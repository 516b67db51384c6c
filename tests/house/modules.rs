//! Every module says first why it exists.

use super::tree::{none, rust};

#[test]
fn every_module_opens_with_a_comment() {
    let mut faults = Vec::new();
    for file in rust(&["src", "tests", "benches", "fuzz"]) {
        // Tests beside a module belong to its comment.
        if file.path.starts_with("src/") && file.is_test() {
            continue;
        }
        let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let says = first.strip_prefix("//!").is_some_and(|text| text.trim().len() > 20);
        if !says {
            faults.push(format!(
                "{}: opens with {first:?}, not with a `//!` that says why it exists",
                file.path
            ));
        }
    }
    none("modules without an opening comment", &faults);
}
