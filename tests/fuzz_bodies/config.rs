//! What must hold for any configuration file. Lines `#! NAME=value` are variables of the environment.
//!
//! Run by `fuzz/fuzz_targets/config.rs` and, over its corpus, the mistakes in `tests/config_errors` and
//! mutations of both, by `tests/config_fuzz.rs`.

use pillion::config::{Written, load_text};
use std::collections::BTreeMap;

/// Panics when something does not hold.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let variables: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#! ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    match load_text("fuzz.toml", &text, &variables) {
        Err(errors) => {
            assert!(errors.count() > 0);
            assert!(!errors.render(false).is_empty() && !errors.to_string().is_empty());
        }
        Ok(loaded) => {
            // What is shown is what is in effect, but for secrets.
            let shown = loaded.display();
            let mut again = match load_text("shown.toml", &shown, &BTreeMap::new()) {
                Ok(again) => again.config,
                Err(errors) => panic!("what was shown is refused: {errors}\n{shown}"),
            };
            let mut config = loaded.config;
            config.resource.clear();
            config.entity = None;
            // What is shown is written, even where it was a default.
            for listener in config.statsd.listeners.iter_mut().chain(&mut again.statsd.listeners) {
                listener.receive_buffer_written = Written::Nowhere;
            }
            if !shown.contains("(hidden)") {
                assert_eq!(again, config, "{shown}");
            }
        }
    }
}
