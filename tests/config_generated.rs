//! The committed example and reference are the generated ones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

fn fresh(file: &str, generated: &str, command: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let line = committed.lines().zip(generated.lines()).position(|(a, b)| a != b).map_or(0, |at| at + 1);
    assert!(committed == generated, "{file} is stale (first at line {line}); write it anew: {command}");
}

#[test]
fn the_example_is_fresh() {
    let command = "cargo run -- config example > config.toml.example";
    fresh("config.toml.example", &pillion::config::example(), command);
}

#[test]
fn the_reference_is_fresh() {
    let command = "cargo run -- config reference > docs/configuration.md";
    fresh("docs/configuration.md", &pillion::config::reference(), command);
}
