//! The way of a metric is six files, and each names the next, so that reading is following.

use super::tree::{read, root};

/// The six files in order, and what the one before must name behind `Next`.
const SIX: [(&str, &str); 6] = [
    ("src/intake/statsd/udp.rs", ""),
    ("src/statsd/message.rs", "statsd::message"),
    ("src/metrics/shard.rs", "metrics::shard"),
    ("src/metrics/registry.rs", "registry"),
    ("src/deliver/mod.rs", "deliver"),
    ("src/backend/prometheus/mod.rs", "backend"),
];

/// The module comment as one line, without markup.
fn comment(path: &str) -> String {
    let text = read(path);
    let lines = text.lines().take_while(|line| line.starts_with("//!"));
    lines.map(|line| line.trim_start_matches("//!").trim()).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_of_the_six_files_names_the_next() {
    for pair in SIX.windows(2) {
        let ((path, _), (next, name)) = (pair[0], pair[1]);
        assert!(root().join(next).is_file(), "{next} is missing");
        let comment = comment(path);
        let said = comment.split("Next:").nth(1).unwrap_or_default().replace('/', "::");
        assert!(
            said.contains(name),
            "{path} must say in its module comment `Next: {name}`; it says {said:?}"
        );
    }
}

#[test]
fn the_architecture_lists_them_in_order() {
    let text = read("ARCHITECTURE.md");
    let mut at = 0;
    for (path, _) in SIX {
        let found = text[at..].find(path).unwrap_or_else(|| panic!("{path} is not listed, or out of order"));
        at += found + path.len();
    }
}
