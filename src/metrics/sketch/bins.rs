//! The bins of a sketch: a sorted list of words, each a key above its count.
//!
//! One word a bin keeps the list small and lets it be searched, moved and merged as plain integers.
//! No bin is empty, no key comes twice, and there are never more than `BIN_LIMIT`.

/// Bins beyond this collapse, lowest keys first.
pub const BIN_LIMIT: usize = 4_096;
/// A bin is the key, offset to sort as unsigned, above a count of this many bits. A count that would
/// not fit stays at the largest that does: 2^48 values in one bin are years of a million a second.
const COUNT_BITS: u32 = 48;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// When the other side of a merge is this many times smaller, its places are searched, not walked to.
const SEARCH_RATIO: usize = 16;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Bins(Vec<u64>);

impl Clone for Bins {
    fn clone(&self) -> Self {
        Bins(self.0.clone())
    }

    /// Keeps the room that is there.
    fn clone_from(&mut self, source: &Self) {
        self.0.clear();
        self.0.reserve_exact(source.0.len());
        self.0.extend_from_slice(&source.0);
    }
}

impl Bins {
    pub(super) fn packed(&self) -> &[u64] {
        &self.0
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (i16, u64)> + DoubleEndedIterator + '_ {
        self.0.iter().map(|bin| (unpack_key(bin >> COUNT_BITS), bin & COUNT_MASK))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }

    /// The key that holds most; any when there are several, 0 when there is none.
    pub(super) fn largest(&self) -> i16 {
        self.iter().max_by_key(|(_, n)| *n).map_or(0, |(key, _)| key)
    }

    pub(super) fn add(&mut self, key: i16, n: u64) {
        if n == 0 {
            return;
        }
        let key = pack_key(key);
        match self.find(key) {
            Ok(at) => self.0[at] = increased(self.0[at], n),
            Err(at) => {
                self.make_room(1);
                self.0.insert(at, bin(key, n));
                self.collapse();
            }
        }
    }

    /// Adds sorted bins, each key once, none of them empty. Nothing moves when all keys are known.
    pub(super) fn merge(&mut self, other: &[u64]) {
        let missing = self.add_known(other);
        if missing > 0 {
            self.make_room(missing);
            self.add_missing(other, missing);
            self.collapse();
        }
    }

    /// Makes bins that add up to `held` add up to `due`, by `key` where that is possible.
    pub(super) fn settle(&mut self, key: i16, due: u64, held: u64) {
        if due > held {
            self.add(key, due - held);
            return;
        }
        let lacking = held - due;
        // The key may have collapsed into the lowest bin.
        let at = self.find(pack_key(key)).unwrap_or(0);
        let Some(found) = self.0.get_mut(at) else { return };
        let (key, n) = unpack(*found);
        if n > lacking {
            *found = bin(key, n - lacking);
        } else {
            self.0.remove(at);
        }
    }

    fn find(&self, key: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |bin| bin >> COUNT_BITS)
    }

    /// Adds the counts whose keys are here; returns how many keys are not.
    fn add_known(&mut self, other: &[u64]) -> usize {
        let search = other.len() * SEARCH_RATIO < self.0.len();
        let (mut at, mut missing) = (0, 0);
        for theirs in other {
            let (key, n) = unpack(*theirs);
            if search {
                at += self.0[at..].partition_point(|bin| bin >> COUNT_BITS < key);
            } else {
                while at < self.0.len() && self.0[at] >> COUNT_BITS < key {
                    at += 1;
                }
            }
            match self.0.get_mut(at) {
                Some(ours) if *ours >> COUNT_BITS == key => *ours = increased(*ours, n),
                Some(_) | None => missing += 1,
            }
        }
        missing
    }

    /// Puts the bins whose keys are not here in their places, from the end, so that each bin moves once.
    fn add_missing(&mut self, other: &[u64], mut missing: usize) {
        let mut ours = self.0.len();
        let mut theirs = other.len();
        self.0.resize(ours + missing, 0);
        while missing > 0 {
            let next = other[theirs - 1];
            let to = ours + missing - 1;
            match self.0[..ours].last() {
                Some(last) if last >> COUNT_BITS > next >> COUNT_BITS => {
                    self.0[to] = *last;
                    ours -= 1;
                }
                Some(last) if last >> COUNT_BITS == next >> COUNT_BITS => {
                    self.0[to] = *last;
                    ours -= 1;
                    theirs -= 1;
                }
                Some(_) | None => {
                    self.0[to] = next;
                    missing -= 1;
                    theirs -= 1;
                }
            }
        }
    }

    fn make_room(&mut self, more: usize) {
        if self.0.capacity() - self.0.len() < more {
            // Many small sketches: grow gently.
            self.0.reserve_exact(more.max((self.0.len() / 4).max(4)));
        }
    }

    fn collapse(&mut self) {
        if self.0.len() <= BIN_LIMIT {
            return;
        }
        let extra = self.0.len() - BIN_LIMIT;
        let folded = self.0[..extra].iter().map(|bin| bin & COUNT_MASK).sum();
        self.0[extra] = increased(self.0[extra], folded);
        self.0.drain(..extra);
    }
}

pub(super) fn pack_key(key: i16) -> u64 {
    (i32::from(key) - i32::from(i16::MIN)) as u64
}

fn unpack_key(packed_key: u64) -> i16 {
    (packed_key as i32 + i32::from(i16::MIN)) as i16
}

pub(super) fn bin(packed_key: u64, n: u64) -> u64 {
    packed_key << COUNT_BITS | n.min(COUNT_MASK)
}

/// A bin's packed key and its count.
pub(super) fn unpack(bin: u64) -> (u64, u64) {
    (bin >> COUNT_BITS, bin & COUNT_MASK)
}

fn increased(found: u64, n: u64) -> u64 {
    let (key, before) = unpack(found);
    bin(key, before.saturating_add(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn bins_of(pairs: impl IntoIterator<Item = (i16, u64)>) -> Bins {
        let mut bins = Bins::default();
        pairs.into_iter().for_each(|(key, n)| bins.add(key, n));
        bins
    }

    #[test]
    fn counts_stop_at_their_largest() {
        let mut bins = bins_of([(3, u64::MAX), (3, 5)]);
        bins.merge(bins_of([(3, u64::MAX)]).packed());
        assert_eq!(bins.iter().collect::<Vec<_>>(), [(3, COUNT_MASK)]);
    }

    #[test]
    fn the_lowest_keys_collapse() {
        let mut bins = bins_of((0..BIN_LIMIT as i16).map(|key| (key, 2)));
        bins.add(-7, 1);
        bins.add(9_000, 1);
        assert_eq!(bins.iter().len(), BIN_LIMIT);
        assert_eq!(bins.iter().next(), Some((1, 2 + 2 + 1)));
        let more = bins_of((5_000..5_100).map(|key| (key, 1)));
        bins.merge(more.packed());
        assert_eq!(bins.iter().len(), BIN_LIMIT);
        assert_eq!(bins.iter().map(|(_, n)| n).sum::<u64>(), 2 * BIN_LIMIT as u64 + 102);
        assert_eq!(bins.iter().last(), Some((9_000, 1)));
    }

    #[test]
    fn what_is_over_or_missing_is_settled() {
        for (bins, key, due, held, expected) in [
            (vec![(1, 2), (5, 3)], 5, 6, 5, vec![(1, 2), (5, 4)]),
            (vec![(1, 2), (5, 3)], 5, 4, 5, vec![(1, 2), (5, 2)]),
            (vec![(1, 2), (5, 1)], 5, 2, 3, vec![(1, 2)]),
            (vec![(1, 2), (5, 1)], -9, 2, 3, vec![(1, 1), (5, 1)]),
        ] {
            let mut settled = bins_of(bins);
            settled.settle(key, due, held);
            assert_eq!(settled.iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn merging_known_keys_moves_and_allocates_nothing() {
        let mut bins = bins_of((0..100).map(|key| (key, 1)));
        let before = (bins.0.as_ptr(), bins.heap_bytes());
        bins.merge(bins_of([(5, 1), (99, 4)]).packed());
        assert_eq!((bins.0.as_ptr(), bins.heap_bytes()), before);
    }

    proptest! {
        #[test]
        fn bins_are_those_of_a_map(
            lists in prop::collection::vec(prop::collection::vec((-300..300i16, 1..9u64), 0..200), 1..5),
        ) {
            let mut merged = Bins::default();
            let mut model = BTreeMap::new();
            for list in &lists {
                merged.merge(bins_of(list.iter().copied()).packed());
                list.iter().for_each(|(key, n)| *model.entry(*key).or_insert(0) += n);
            }
            prop_assert_eq!(merged.iter().collect::<Vec<_>>(), model.into_iter().collect::<Vec<_>>());
        }
    }
}
