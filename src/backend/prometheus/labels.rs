//! Labels of one series: tags with their keys made legal, sorted, each name once.
//!
//! Nothing is dropped: tags that become one label are joined. The memory is reused from series to
//! series, so that a page of many series allocates for none.

use super::name::{self, Scheme};
use std::ops::Range;

/// What a bare tag says.
const BARE: &str = "true";
/// Between the values of tags that became one label.
const JOINT: char = ';';

/// Sorted by name, each name once.
#[derive(Debug, Default)]
pub(super) struct Labels {
    text: String,
    pairs: Vec<Pair>,
    joined: bool,
}

#[derive(Clone, Debug)]
struct Pair {
    name: Range<u32>,
    value: Range<u32>,
}

impl Labels {
    /// Takes the tags of a series in place of those before. `taken`: see [`name::push_label`].
    pub(super) fn read<'a>(
        &mut self,
        tags: impl Iterator<Item = (&'a str, Option<&'a str>)>,
        scheme: Scheme,
        taken: Option<&str>,
    ) {
        self.text.clear();
        self.pairs.clear();
        self.joined = false;
        let mut ascending = true;
        for (key, value) in tags {
            let start = self.end();
            name::push_label(scheme, key, taken, &mut self.text);
            let middle = self.end();
            self.text.push_str(value.unwrap_or(BARE));
            let pair = Pair { name: start..middle, value: middle..self.end() };
            if let Some(last) = self.pairs.last() {
                ascending &= self.at(&last.name) < self.at(&pair.name);
            }
            self.pairs.push(pair);
        }
        if !ascending {
            let text = &self.text;
            self.pairs.sort_by(|a, b| at(text, &a.name).cmp(at(text, &b.name)));
            self.join();
        }
    }

    /// Labels as they are.
    pub(super) fn set<'a>(&mut self, labels: impl Iterator<Item = (&'a str, &'a str)>) {
        self.read(labels.map(|(k, v)| (k, Some(v))), Scheme::Utf8, None);
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.pairs.iter().map(|p| (self.at(&p.name), self.at(&p.value)))
    }

    /// Whether two tags became one label.
    pub(super) fn joined(&self) -> bool {
        self.joined
    }

    fn join(&mut self) {
        let mut kept = 0;
        for i in 1..self.pairs.len() {
            let pair = self.pairs[i].clone();
            if self.at(&self.pairs[kept].name) != self.at(&pair.name) {
                kept += 1;
                self.pairs[kept] = pair;
                continue;
            }
            self.joined = true;
            let first = self.pairs[kept].value.clone();
            let start = self.end();
            if first.end == start {
                // Already at the end of the text: goes on where it stands.
                self.text.push(JOINT);
                self.text.extend_from_within(usize_range(&pair.value));
                self.pairs[kept].value = first.start..self.end();
            } else {
                self.text.extend_from_within(usize_range(&first));
                self.text.push(JOINT);
                self.text.extend_from_within(usize_range(&pair.value));
                self.pairs[kept].value = start..self.end();
            }
        }
        self.pairs.truncate(kept + 1);
    }

    fn at(&self, range: &Range<u32>) -> &str {
        at(&self.text, range)
    }

    /// A series' tags are far below 4 GiB: the protocol limits them.
    fn end(&self) -> u32 {
        u32::try_from(self.text.len()).unwrap_or(u32::MAX)
    }
}

fn at<'a>(text: &'a str, range: &Range<u32>) -> &'a str {
    text.get(usize_range(range)).unwrap_or_default()
}

fn usize_range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::series::Key;

    #[test]
    fn tags_become_labels_without_loss() {
        let mut labels = Labels::default();
        for (key, taken, want, joined) in [
            ("n\ncanary\nenv:dev", None, "canary=true env=dev", false),
            ("n\nb:c\nb:d", None, "b=c;d", true),
            ("n\na.b:2\na:1\na_b:3", None, "a=1 a_b=2;3", true),
            ("n\na-b:1\na.b:2\na_b:3\nz:9", None, "a_b=1;2;3 z=9", true),
            ("n\nkey:", None, "key=", false),
            ("n\nurl:http://x", None, "url=http://x", false),
            ("n\nle:1", Some("le"), "exported_le=1", false),
            ("n", None, "", false),
            ("n\nx\nx:1", None, "x=true;1", true),
        ] {
            labels.read(Key(key).pairs(), Scheme::Underscores, taken);
            let shown: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            assert_eq!(shown.join(" "), want);
            assert_eq!(labels.joined(), joined, "{key:?}");
        }
    }
}
