//! The body of the fuzz target for configurations, over everything that lies in `tests/config_errors`
//! and `fuzz/corpus/config`, the example, and mutations of them: the same ones every time, so that a
//! failure can be had again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "fuzz_bodies/config.rs"]
mod body;

use std::path::Path;

/// Mutations of each file.
const MUTATIONS: usize = 100;
/// What mutations put in.
const PIECES: &[&str] = &[
    "\n",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "#",
    "\\",
    "-",
    "0",
    "1e309",
    "nan",
    "inf",
    "10s",
    "0.5",
    "true",
    "é",
    "\u{7f}",
    "\0",
    "[metrics]\n",
    "[[rules]]\nmatch = 'a'\n",
    "tags = ['a:b']\n",
    "listen = []\n",
    "0x7f",
    "1979-05-27",
    "99999999999999999999999999999999999999999999",
];

fn mutate(random: &mut fastrand::Rng, text: &mut Vec<u8>) {
    let at = random.usize(0..=text.len());
    let end = (at + random.usize(0..8)).min(text.len());
    match random.usize(0..5) {
        0 => drop(text.drain(at..end)),
        1 => drop(text.splice(at..at, PIECES[random.usize(0..PIECES.len())].bytes())),
        2 => drop(text.splice(at..end, PIECES[random.usize(0..PIECES.len())].bytes())),
        3 => {
            let copied = text[at..end].to_vec();
            let to = random.usize(0..=text.len());
            drop(text.splice(to..to, copied));
        }
        _ => {
            // Two lines change places: options land in other tables.
            let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let (a, b) = (random.usize(0..lines.len()), random.usize(0..lines.len()));
            lines.swap(a, b);
            *text = lines.join(&b'\n');
        }
    }
}

#[test]
fn the_loader_holds_over_mistakes_and_their_mutations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/config_errors", "fuzz/corpus/config"].map(|folder| root.join(folder));
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.push(root.join("config.toml.example"));
    files.sort();
    assert!(files.len() > 20);
    for (number, file) in files.iter().enumerate() {
        let original = std::fs::read(file).unwrap();
        body::run(&original);
        let mut random = fastrand::Rng::with_seed(number as u64);
        for _ in 0..MUTATIONS {
            let mut text = original.clone();
            for _ in 0..random.usize(1..4) {
                mutate(&mut random, &mut text);
            }
            body::run(&text);
        }
    }
}
