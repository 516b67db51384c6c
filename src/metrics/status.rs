//! What the registry says of itself to `/status`, to its own metrics and to the summary in the log.

use super::aggregator::Aggregator;
use super::context::HIDDEN;
use super::registry::Registry;
use std::collections::HashMap;

/// Names in each list.
const NAMES: usize = 20;

/// See the module comment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextStatus {
    pub held: usize,
    pub limit: usize,
    pub name_limit: usize,
    /// Since the start: made, gone to make room, gone by a TTL.
    pub created: u64,
    pub evicted: u64,
    pub expired: u64,
    /// Idle contexts that would go if room were needed.
    pub evictable: usize,
    /// Names whose new contexts fold, with the messages folded, most first.
    pub folded: Vec<(String, u64)>,
    /// Messages folded of names beyond those listed.
    pub folded_others: u64,
    /// Names with the most contexts.
    pub by_contexts: Vec<(String, u64)>,
    /// Names with the most messages in the last windows, estimated.
    pub by_messages: Vec<(String, u64)>,
    pub windows_closed: u64,
}

impl Aggregator {
    /// A short look under the lock.
    pub fn status(&self) -> ContextStatus {
        let mut status = self.lock().status();
        status.windows_closed = self.flushes();
        status
    }

    /// Contexts held, for the gauge.
    pub fn contexts(&self) -> usize {
        self.lock().contexts.live()
    }
}

impl Registry {
    fn status(&self) -> ContextStatus {
        let (folded, folded_others) = self.overflow.folded();
        let mut by_name: HashMap<&str, u64> = HashMap::new();
        for (id, messages) in self.top.iter() {
            if self.contexts.get(id).is_some_and(|c| c.flags & HIDDEN == 0) {
                *by_name.entry(self.contexts.name(id)).or_default() += messages;
            }
        }
        ContextStatus {
            held: self.contexts.live(),
            limit: self.options.context_limit,
            name_limit: self.options.name_limit,
            created: self.created,
            evicted: self.evicted,
            expired: self.expired,
            evictable: self.evictable.len(),
            folded: most(folded.iter().map(|(name, n)| (&**name, *n))),
            folded_others,
            by_contexts: most(self.contexts.shared_names().map(|(name, n)| (name, u64::from(n)))),
            by_messages: most(by_name.into_iter()),
            windows_closed: 0,
        }
    }
}

/// The largest, by number and then by name.
fn most<'a>(all: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, u64)> {
    let mut all: Vec<(&str, u64)> = all.collect();
    let order = |a: &(&str, u64), b: &(&str, u64)| b.1.cmp(&a.1).then(a.0.cmp(b.0));
    if all.len() > NAMES {
        all.select_nth_unstable_by(NAMES, order);
        all.truncate(NAMES);
    }
    all.sort_unstable_by(order);
    all.into_iter().map(|(name, n)| (name.to_owned(), n)).collect()
}
