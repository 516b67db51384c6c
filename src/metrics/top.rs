//! The busiest contexts, estimated: one message in a few dozen is looked at.
//!
//! Space-saving counters (Metwally, Agrawal, El Abbadi 2005): a bounded list in which a newcomer takes
//! the place, and the count, of the smallest. For people who ask which metric is loud; nothing is
//! decided by it.

use super::context::ContextId;
use std::collections::HashMap;

/// Contexts followed at once.
const FOLLOWED: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Top {
    counts: HashMap<ContextId, u64>,
    /// The smallest count when it was looked for last, and who had it: where many contexts are alike, most do.
    least: u64,
    smallest: Vec<ContextId>,
}

impl Top {
    pub(super) fn count(&mut self, id: ContextId, messages: u64) {
        if let Some(n) = self.counts.get_mut(&id) {
            *n += messages;
            return;
        }
        let mut inherited = 0;
        if self.counts.len() >= FOLLOWED
            && let Some(smallest) = self.smallest()
        {
            self.counts.remove(&smallest);
            inherited = self.least;
        }
        self.counts.insert(id, inherited + messages);
    }

    /// One with the smallest count.
    fn smallest(&mut self) -> Option<ContextId> {
        loop {
            while let Some(id) = self.smallest.pop() {
                if self.counts.get(&id) == Some(&self.least) {
                    return Some(id);
                }
            }
            self.least = self.counts.values().copied().min()?;
            let least = self.counts.iter().filter(|(_, n)| **n == self.least);
            self.smallest.extend(least.map(|(id, _)| *id));
        }
    }

    /// Moves everything into `other`.
    pub(super) fn empty_into(&mut self, other: &mut Top) {
        self.smallest.clear();
        for (id, n) in self.counts.drain() {
            other.count(id, n);
        }
    }

    /// Halves every count, so that yesterday's loudest fade.
    pub(super) fn fade(&mut self) {
        self.smallest.clear();
        self.counts.retain(|_, n| {
            *n /= 2;
            *n > 0
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ContextId, u64)> {
        self.counts.iter().map(|(id, n)| (*id, *n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_loudest_stays_among_many() {
        let mut top = Top::default();
        for n in 0..100_000u32 {
            top.count(if n % 3 == 0 { 7 } else { 1_000 + n }, 1);
        }
        assert_eq!(top.iter().count(), FOLLOWED);
        assert_eq!(top.iter().max_by_key(|(_, n)| *n).unwrap().0, 7);
        let mut other = Top::default();
        top.empty_into(&mut other);
        assert_eq!((top.iter().count(), other.iter().count()), (0, FOLLOWED));
        (0..40).for_each(|_| other.fade());
        assert_eq!(other.iter().count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// The newcomer takes the place of the smallest, or of one of those that are equal.
        #[test]
        fn what_is_followed_adds_up(ids in prop::collection::vec(0..1_000u32, 0..1_000), fades in 100..900usize) {
            let mut top = Top::default();
            for (n, id) in ids.iter().enumerate() {
                let before = top.iter().collect::<HashMap<_, _>>();
                top.count(*id, 3);
                let after = top.iter().collect::<HashMap<_, _>>();
                let least = if before.len() < FOLLOWED { 0 } else { *before.values().min().unwrap() };
                prop_assert_eq!(after[id], before.get(id).copied().unwrap_or(least) + 3);
                let gone = before.keys().find(|id| !after.contains_key(id));
                prop_assert!(gone.is_none_or(|gone| before[gone] == least));
                if n % fades == 0 {
                    top.fade();
                }
            }
        }
    }
}
