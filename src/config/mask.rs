//! Blanks secrets in the text that excerpts are cut from: the same length, so that places hold.

use super::node::{Node, Place, Raw, Table};
use super::schema::chapters;

/// The keys of options whose values may be seen.
fn harmless() -> Vec<&'static str> {
    let options = chapters().into_iter().flat_map(|chapter| chapter.options);
    options.filter(|option| !option.secret).map(|option| option.key).collect()
}

/// `text` with everything blanked that stands below `[backends.NAME]` and is not known to be
/// harmless, and the user part of every URL.
pub(super) fn mask(text: &str, root: &Table) -> String {
    let harmless = harmless();
    let mut bytes = text.as_bytes().to_vec();
    walk(root, false, &harmless, &mut bytes);
    // Only whole characters were replaced, each of their bytes by one blank.
    String::from_utf8(bytes).unwrap_or_default()
}

/// The same for a text that is no TOML, where nobody can say what stands where: by lines, what is
/// behind a key that is not known to be harmless.
pub(super) fn mask_lines(text: &str) -> String {
    let harmless = harmless();
    let blank = |line: &str| match line.split_once('=') {
        Some((key, value)) if !harmless.contains(&key.trim()) => {
            let hidden = |c: char| if c.is_alphanumeric() { "*".repeat(c.len_utf8()) } else { c.to_string() };
            format!("{key}={}", value.chars().map(hidden).collect::<String>())
        }
        Some(_) | None => line.to_owned(),
    };
    text.split('\n').map(blank).collect::<Vec<_>>().join("\n")
}

fn walk(table: &Table, in_backend: bool, harmless: &[&str], bytes: &mut [u8]) {
    for (key, entry) in &table.entries {
        match &entry.node.raw {
            Raw::Table(inner) if !in_backend && key == "backends" => {
                for backend in inner.entries.values() {
                    if let Raw::Table(backend) = &backend.node.raw {
                        walk(backend, true, harmless, bytes);
                    }
                }
            }
            Raw::Table(inner) if !in_backend => walk(inner, false, harmless, bytes),
            _ if in_backend && !harmless.contains(&key.as_str()) => blank_values(&entry.node, bytes),
            _ => blank_user(&entry.node, bytes),
        }
    }
}

fn blank_values(node: &Node, bytes: &mut [u8]) {
    match &node.raw {
        Raw::List(items) => items.iter().for_each(|item| blank_values(item, bytes)),
        Raw::Table(table) => table.entries.values().for_each(|entry| blank_values(&entry.node, bytes)),
        Raw::Text(_) | Raw::Word(_) | Raw::Integer { .. } | Raw::Float(_) | Raw::Switch(_) | Raw::Date => {
            if let Place::File(range) = &node.at {
                fill(bytes.get_mut(range.clone()));
            }
        }
    }
}

/// `http://user:password@host`
fn blank_user(node: &Node, bytes: &mut [u8]) {
    if let Raw::List(items) = &node.raw {
        items.iter().for_each(|item| blank_user(item, bytes));
    }
    let (Raw::Text(_), Place::File(range)) = (&node.raw, &node.at) else { return };
    let Some(written) = bytes.get_mut(range.clone()) else { return };
    let Some(start) = written.windows(3).position(|window| window == b"://") else { return };
    if let Some(length) = written[start + 3..].iter().rposition(|byte| *byte == b'@') {
        fill(written.get_mut(start + 3..start + 3 + length));
    }
}

fn fill(bytes: Option<&mut [u8]>) {
    for byte in bytes.into_iter().flatten().filter(|byte| **byte != b'\n') {
        *byte = b'*';
    }
}
