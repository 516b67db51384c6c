//! Every mistake that a configuration can hold, as people read it: each file of `tests/config_errors`
//! has a snapshot beside it. Lines `#! NAME=value` of a file are variables.
//!
//! `INSTA_UPDATE=always cargo test --test config_errors` writes the snapshots anew; read them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config_errors");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    cases.sort();
    cases
}

#[test]
fn every_mistake_is_told() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("config_errors");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let cases = cases();
    assert!(cases.len() > 20, "{} cases", cases.len());
    for case in cases {
        let name = case.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&case).unwrap();
        let variables: BTreeMap<String, String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#! ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let errors = pillion::config::load_text(&format!("{name}.toml"), &text, &variables).expect_err(name);
        settings.bind(|| insta::assert_snapshot!(name, errors.render(false)));
    }
}
