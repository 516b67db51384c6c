//! Changes to a context's tags. Order and duplicates are the caller's to restore.

use super::Rewrite;

/// A tag that every context gets which has none of its key.
#[derive(Debug)]
pub(super) struct GlobalTag(pub(super) String);

/// What stands before the first colon; all of a bare tag.
pub(super) fn key(tag: &str) -> &str {
    tag.split_once(':').map_or(tag, |(key, _)| key)
}

/// Makes `value` the only value of `key`; an empty one leaves no tag of that key.
pub(super) fn set(tags: &mut Vec<String>, wanted: &str, value: &str) {
    tags.retain(|tag| key(tag) != wanted);
    if !value.is_empty() {
        tags.push(format!("{wanted}:{value}"));
    }
}

/// Rewrites the values that match; a tag whose value becomes empty goes. Bare tags have no value.
pub(super) fn rewrite(tags: &mut Vec<String>, rewrite: &Rewrite) {
    tags.retain_mut(|tag| {
        let Some((key, value)) = tag.split_once(':') else { return true };
        if key != rewrite.key {
            return true;
        }
        let Some(captures) = rewrite.pattern.captures(value) else { return true };
        let rewritten = rewrite.value.expand(Some(&captures));
        let keep = !rewritten.is_empty();
        *tag = format!("{key}:{rewritten}");
        keep
    });
}

/// Adds the global tags whose key the context does not have, in order and without duplicates.
pub(super) fn add_global(tags: &mut Vec<String>, global: &[GlobalTag]) {
    let own = tags.len();
    for GlobalTag(tag) in global {
        if !tags[..own].iter().any(|own| key(own) == key(tag)) {
            tags.push(tag.clone());
        }
    }
    if tags.len() > own {
        tags.sort_unstable();
        tags.dedup();
    }
}
