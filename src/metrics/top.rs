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
}

impl Top {
    pub(super) fn count(&mut self, id: ContextId, messages: u64) {
        if let Some(n) = self.counts.get_mut(&id) {
            *n += messages;
            return;
        }
        let mut inherited = 0;
        if self.counts.len() >= FOLLOWED
            && let Some((smallest, n)) = self.counts.iter().min_by_key(|(_, n)| **n).map(|(id, n)| (*id, *n))
        {
            self.counts.remove(&smallest);
            inherited = n;
        }
        self.counts.insert(id, inherited + messages);
    }

    /// Moves everything into `other`.
    pub(super) fn empty_into(&mut self, other: &mut Top) {
        for (id, n) in self.counts.drain() {
            other.count(id, n);
        }
    }

    /// Halves every count, so that yesterday's loudest fade.
    pub(super) fn fade(&mut self) {
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
}
