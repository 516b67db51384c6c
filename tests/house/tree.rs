//! The files of the tree, as the other rules read them.

use std::path::{Path, PathBuf};

/// A text file and where it lies, from the root.
pub(crate) struct File {
    /// With `/`, from the root: `src/lib.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// The lines outside the tests at the end of the file, numbered from 1.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
    }

    /// Whether the whole file is tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// `intake/statsd/udp.rs` of `src/intake/statsd/udp.rs`.
    pub(crate) fn in_src(&self) -> Option<&str> {
        self.path.strip_prefix("src/")
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file under `folders`, sorted by path.
pub(crate) fn rust(folders: &[&str]) -> Vec<File> {
    files(folders, "rs")
}

/// Every document of the tree, sorted by path.
pub(crate) fn documents() -> Vec<File> {
    let mut found = files(&["docs", "benches", "fuzz", "tests"], "md");
    let at_root = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    found.extend(at_root.filter(|path| path.extension().is_some_and(|e| e == "md")).map(file));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn files(folders: &[&str], extension: &str) -> Vec<File> {
    let mut found = Vec::new();
    for folder in folders {
        walk(&root().join(folder), extension, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Folders that hold what tools made.
const MADE: [&str; 4] = ["target", "node_modules", "artifacts", "corpus"];

fn walk(folder: &Path, extension: &str, found: &mut Vec<File>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && !MADE.contains(&&*name) && !name.starts_with('.') {
            walk(&path, extension, found);
        } else if path.is_file() && path.extension().is_some_and(|e| e == extension) {
            found.push(file(path));
        }
    }
}

fn file(path: PathBuf) -> File {
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    File { path, text }
}

/// Fails with all of `faults` at once.
pub(crate) fn none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}
