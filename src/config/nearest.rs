//! "Did you mean …?": the known word nearest to an unknown one.

/// The nearest of `known`, when one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    let enough = word.len().max(3) / 3;
    let near = known.into_iter().filter_map(|candidate| {
        let other = fold(candidate);
        let distance = edits(&folded, &other);
        // A part of a name counts as two slips, however long the rest is.
        let contained =
            folded.len().min(other.len()) >= 4 && (other.contains(&folded) || folded.contains(&other));
        (contained || distance <= enough)
            .then_some((if contained { distance.min(2) } else { distance }, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Case and separators do not count.
fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-' | '.')).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let known = ["flush_interval", "expiry", "name_limit", "tags", "namespace"];
        for (word, expected) in [
            ("flush_intervall", Some("flush_interval")),
            ("flush-interval", Some("flush_interval")),
            ("flushInterval", Some("flush_interval")),
            ("interval", Some("flush_interval")),
            ("exipry", Some("expiry")),
            ("tag", Some("tags")),
            ("name_limits", Some("name_limit")),
            ("limit", Some("name_limit")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn edits_count_swaps_once() {
        for (a, b, n) in [("", "", 0), ("", "ab", 2), ("ab", "ba", 1), ("kitten", "sitting", 3)] {
            assert_eq!(edits(a, b), n, "{a} {b}");
        }
    }
}
