//! What the registry says of itself to `/status`, to its own metrics and to the summary in the log.

use super::aggregator::Aggregator;
use super::context::HIDDEN;
use super::registry::Registry;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Names in each list.
const NAMES: usize = 20;
/// Names gathered before the largest are chosen from them.
const SIFTED: usize = 256;
/// Names looked at under one hold of the lock.
const SLICE: usize = 4_096;

/// What costs nothing to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContextCounts {
    pub held: usize,
    pub limit: usize,
    /// Since the start: made, gone to make room, gone by a TTL.
    pub created: u64,
    pub evicted: u64,
    pub expired: u64,
    /// Names that folded in this window or the one before: of all that are remembered, not only of those that
    /// `ContextStatus` lists.
    pub names_folded: usize,
}

/// Counts and lists, for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextStatus {
    pub counts: ContextCounts,
    pub name_limit: usize,
    /// Names whose new contexts folded since the start, those with the most messages folded first.
    pub folded: Vec<Folded>,
    /// Messages folded of names that are not listed.
    pub folded_others: u64,
    /// Names with the most contexts.
    pub by_contexts: Vec<(String, u64)>,
    /// Names with the most messages in the last windows, estimated.
    pub by_messages: Vec<(String, u64)>,
}

/// A name whose new contexts fold.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    pub name: String,
    /// Messages folded.
    pub messages: u64,
    /// Whether the name has as many contexts as one name may have; else the total was reached.
    pub name_is_full: bool,
}

impl Aggregator {
    /// For a scrape: no list is made under the lock.
    pub fn counts(&self) -> ContextCounts {
        self.lock().counts()
    }

    /// Looks at every name, so not for what happens often; under the lock at a slice of them. Names that come
    /// or go meanwhile may be missed.
    pub fn status(&self) -> ContextStatus {
        let mut status = self.lock().status();
        let mut most = Most::default();
        let mut next = Some(0);
        while let Some(from) = next {
            next = self.lock().sift_names(from, &mut most);
        }
        status.by_contexts = most.largest();
        status
    }
}

impl Registry {
    fn counts(&self) -> ContextCounts {
        ContextCounts {
            held: self.contexts.live(),
            limit: self.options.context_limit,
            created: self.created,
            evicted: self.evicted,
            expired: self.expired,
            names_folded: self.overflow.folding(self.window),
        }
    }

    /// Offers a slice of the shared names; returns where the next slice begins, `None` behind the last.
    fn sift_names(&self, from: usize, most: &mut Most) -> Option<usize> {
        let to = from + SLICE;
        self.contexts.shared_names(from..to).for_each(|(name, n)| most.offer(name, u64::from(n)));
        (to < self.contexts.names_end()).then_some(to)
    }

    /// All but the names with the most contexts; the lists that it looks at are short.
    fn status(&self) -> ContextStatus {
        let (names, others) = self.overflow.folded();
        let folded = most(names.iter().map(|(name, folded)| (&**name, folded.messages)));
        let unlisted =
            |listed: u64| names.values().map(|folded| folded.messages).sum::<u64>() + others - listed;
        let mut by_name: HashMap<&str, u64> = HashMap::new();
        for (id, messages) in self.top.iter() {
            if self.contexts.get(id).is_some_and(|c| c.flags & HIDDEN == 0) {
                *by_name.entry(self.contexts.name(id)).or_default() += messages;
            }
        }
        ContextStatus {
            counts: self.counts(),
            name_limit: self.options.name_limit,
            folded_others: unlisted(folded.iter().map(|(_, n)| n).sum()),
            folded: folded.into_iter().map(|(name, messages)| self.folded(name, messages)).collect(),
            by_contexts: Vec::new(),
            by_messages: most(by_name.into_iter()),
        }
    }

    fn folded(&self, name: String, messages: u64) -> Folded {
        let name_is_full = self.contexts.sharing_name(&name) as usize >= self.options.name_limit;
        Folded { name, messages, name_is_full }
    }
}

fn most<'a>(all: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, u64)> {
    let mut most = Most::default();
    all.for_each(|(name, n)| most.offer(name, n));
    most.largest()
}

/// The largest, by number and then by name. There may be a million: no list of all, and most are not copied.
#[derive(Debug, Default)]
struct Most {
    kept: Vec<(String, u64)>,
    /// Whether `kept` begins with the largest of all before, the least of them last.
    sifted: bool,
}

impl Most {
    fn offer(&mut self, name: &str, n: u64) {
        if self.sifted && order((name, n), named(&self.kept[NAMES - 1])).is_gt() {
            return;
        }
        self.kept.push((name.to_owned(), n));
        if self.kept.len() == SIFTED {
            self.kept.select_nth_unstable_by(NAMES - 1, |a, b| order(named(a), named(b)));
            self.kept.truncate(NAMES);
            self.sifted = true;
        }
    }

    fn largest(mut self) -> Vec<(String, u64)> {
        self.kept.sort_unstable_by(|a, b| order(named(a), named(b)));
        self.kept.truncate(NAMES);
        self.kept
    }
}

/// The larger first, then by name.
fn order(a: (&str, u64), b: (&str, u64)) -> Ordering {
    b.1.cmp(&a.1).then(a.0.cmp(b.0))
}

fn named((name, n): &(String, u64)) -> (&str, u64) {
    (name, *n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::metrics::Pushing;
    use crate::metrics::rules::Rules;
    use crate::statsd::Dialect;
    use std::sync::Arc;

    #[test]
    fn the_largest_are_found_among_any_number() {
        for len in [0, 1, NAMES, NAMES + 1, SIFTED, 10 * SIFTED + 7] {
            let names: Vec<String> = (0..len).map(|n| format!("n{n:04}")).collect();
            let all = names.iter().enumerate().map(|(n, name)| (name.as_str(), (n * 7_919 % len / 3) as u64));
            let mut expected: Vec<(String, u64)> =
                all.clone().map(|(name, n)| (name.to_owned(), n)).collect();
            expected.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            expected.truncate(NAMES);
            assert_eq!(most(all), expected, "{len}");
        }
    }

    #[test]
    fn the_names_with_the_most_contexts_are_found_over_all_slices() {
        let mut config = Config::default();
        // Below this, contexts of a name are counted exactly.
        config.metrics.name_limit = 20;
        let rules = Rules::compile(&config.rules, &config.metrics).unwrap();
        let (notes, _) = tokio::sync::mpsc::channel(1);
        let aggregator = Aggregator::new(&config, rules, Pushing::Nothing, notes, 42, 0);
        let mut shard = aggregator.shard(Arc::default(), Dialect::default()).unwrap();
        // Every name has two contexts, and one in a thousand more: in each slice there are some.
        let names = 2 * SLICE + 1_000;
        let contexts = |name: usize| if name % 1_000 == 7 { 3 + name / 1_000 } else { 2 };
        for name in 0..names {
            let lines = (0..contexts(name)).map(|id| format!("n{name:05}:1|c|#id:{id}"));
            let lines: Vec<String> = lines.collect();
            shard.ingest(lines.iter().map(String::as_bytes), 1);
        }
        assert!(aggregator.lock().contexts.names_end() > 2 * SLICE);
        let mut expected: Vec<_> =
            (0..names).map(|name| (format!("n{name:05}"), contexts(name) as u64)).collect();
        expected.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        expected.truncate(NAMES);
        assert_eq!(aggregator.status().by_contexts, expected);
    }

    #[test]
    fn what_folds_is_named_with_its_limit_and_what_is_not_listed_is_summed() {
        let mut config = Config::default();
        (config.metrics.name_limit, config.metrics.context_limit) = (2, 48);
        let rules = Rules::compile(&config.rules, &config.metrics).unwrap();
        let (notes, _) = tokio::sync::mpsc::channel(1);
        let aggregator = Aggregator::new(&config, rules, Pushing::Nothing, notes, 42, 0);
        let mut shard = aggregator.shard(Arc::default(), Dialect::default()).unwrap();
        // 24 names use up all contexts; 5 of them go on for 2 messages each, and 25 new ones for 1.
        let mut lines = Vec::new();
        for id in 0..2 {
            lines.extend((0..24).map(|name| format!("full{name}:1|c|#id:{id}")));
        }
        lines.extend((0..5).flat_map(|name| [2, 3].map(|id| format!("full{name}:1|c|#id:{id}"))));
        lines.extend((0..25).map(|name| format!("new{name:02}:1|c")));
        shard.ingest(lines.iter().map(String::as_bytes), 1);
        let status = aggregator.status();
        assert_eq!((status.counts.names_folded, status.folded.len(), status.folded_others), (30, NAMES, 10));
        let folded =
            |name: &str, messages, name_is_full| Folded { name: name.into(), messages, name_is_full };
        assert_eq!(status.folded[..6], {
            let full = (0..5).map(|name| folded(&format!("full{name}"), 2, true));
            full.chain([folded("new00", 1, false)]).collect::<Vec<_>>()
        });
    }
}
