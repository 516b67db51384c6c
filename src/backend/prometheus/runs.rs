//! Sorting identifiers by keys that are too many to hold: bounded runs, sorted outside the registry's lock
//! and then merged, reading a few keys of each run at a time.
//!
//! The merge works in the memory of the runs: of a million identifiers there must never be two copies.

use super::family::Place;
use super::name::Scheme;
use super::source::{SLICE_LONGEST, Source};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;

/// Series sorted in memory at once: with keys of some 100 bytes, half a megabyte.
pub(super) const RUN: usize = 4_096;
/// Identifiers of one run whose keys are held while runs are merged. More take the registry's lock less
/// often; each of a million series' 245 runs holds so many keys.
const BLOCK: usize = 16;

const _: () = assert!(RUN.is_multiple_of(BLOCK));

/// Sorts `ids` in place, each `RUN` of them by themselves, and returns where they stand now: series that are
/// gone leave room at the end of their run.
pub(super) fn sort<S: Source>(source: &S, scheme: Scheme, ids: &mut [u32]) -> Vec<Range<usize>> {
    let mut keys = Keys::default();
    let mut sorted: Vec<usize> = Vec::with_capacity(RUN.min(ids.len()));
    let mut runs = Vec::with_capacity(ids.len().div_ceil(RUN));
    for (n, run) in ids.chunks_mut(RUN).enumerate() {
        keys.clear();
        keys.read(source, scheme, run);
        sorted.clear();
        sorted.extend(0..keys.ends.len());
        sorted.sort_unstable_by(|a, b| keys.get(*a).cmp(&keys.get(*b)));
        // A run has at most as many keys as it had identifiers.
        for (place, (_, id)) in run.iter_mut().zip(sorted.iter().filter_map(|at| keys.get(*at))) {
            *place = id;
        }
        runs.push(n * RUN..n * RUN + sorted.len());
    }
    runs
}

/// Merges what was there with the new `runs` of `fresh`, as `sort` left them.
pub(super) fn merge<S: Source>(
    source: &S,
    scheme: Scheme,
    old: &[u32],
    fresh: Vec<u32>,
    runs: Vec<Range<usize>>,
) -> Vec<u32> {
    let mut blocks = Blocks::new(fresh, &runs, old.len());
    let cursor = |rest, is_old| Cursor { rest, is_old, keys: Keys::default(), at: 0 };
    let mut cursors = vec![cursor(0..old.len(), true)];
    cursors.extend(runs.into_iter().map(|run| cursor(run, false)));
    let mut heap = BinaryHeap::with_capacity(cursors.len());
    for (run, cursor) in cursors.iter_mut().enumerate() {
        let mut key = Vec::new();
        if let Some(id) = cursor.next(source, scheme, old, &mut blocks, &mut key) {
            heap.push(Reverse((key, run, id)));
        }
    }
    while let Some(mut top) = heap.peek_mut() {
        let Reverse((key, run, id)) = &mut *top;
        blocks.push(*id);
        match cursors[*run].next(source, scheme, old, &mut blocks, key) {
            Some(next) => *id = next,
            None => {
                PeekMut::pop(top);
            }
        }
    }
    blocks.finish()
}

/// Keys of some series, one behind the other.
#[derive(Debug, Default)]
struct Keys {
    bytes: Vec<u8>,
    /// Where each key ends, and whose it is.
    ends: Vec<(usize, u32)>,
    place: Place,
}

impl Keys {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Appends the keys of `ids`; those that are gone have none.
    fn read<S: Source>(&mut self, source: &S, scheme: Scheme, ids: &[u32]) {
        for slice in ids.chunks(SLICE_LONGEST) {
            source.read(slice, &mut |id, series| {
                let Some(series) = series else { return };
                self.place.of(&series, scheme);
                self.bytes.extend_from_slice(self.place.key());
                self.ends.push((self.bytes.len(), id));
            });
        }
    }

    fn get(&self, at: usize) -> Option<(&[u8], u32)> {
        let (end, id) = *self.ends.get(at)?;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |(end, _)| *end);
        Some((&self.bytes[start..end], id))
    }
}

/// One run while it is merged.
struct Cursor {
    /// What is not read yet: places among the old identifiers, or in the blocks.
    rest: Range<usize>,
    is_old: bool,
    keys: Keys,
    at: usize,
}

impl Cursor {
    /// Puts the next key into `key` and returns whose it is; `None` at the end.
    fn next<S: Source>(
        &mut self,
        source: &S,
        scheme: Scheme,
        old: &[u32],
        blocks: &mut Blocks,
        key: &mut Vec<u8>,
    ) -> Option<u32> {
        while self.at == self.keys.ends.len() {
            if self.rest.is_empty() {
                return None;
            }
            let start = self.rest.start;
            let end = self.rest.end.min(start + BLOCK);
            self.rest.start = end;
            self.at = 0;
            self.keys.clear();
            if self.is_old {
                self.keys.read(source, scheme, &old[start..end]);
            } else {
                self.keys.read(source, scheme, &blocks.ids[start..end]);
                blocks.free.push(start / BLOCK);
            }
        }
        let (bytes, id) = self.keys.get(self.at)?;
        key.clear();
        key.extend_from_slice(bytes);
        self.at += 1;
        Some(id)
    }
}

/// Runs that are read and the merged identifiers that are written, in one memory: a block that has been read
/// is free for what is written. The written blocks lie anywhere and are put in order at the end.
struct Blocks {
    ids: Vec<u32>,
    free: Vec<usize>,
    /// The blocks written, in the order of their contents; all but the last are full.
    written: Vec<u32>,
    len: usize,
}

impl Blocks {
    /// `more`: how many identifiers from elsewhere will be written, too.
    fn new(mut ids: Vec<u32>, runs: &[Range<usize>], more: usize) -> Self {
        ids.reserve_exact(more + 2 * BLOCK - 1);
        ids.resize(ids.len().next_multiple_of(BLOCK), 0);
        let ends = runs.iter().skip(1).map(|run| run.start).chain([ids.len()]);
        let unused = runs.iter().zip(ends).flat_map(|(run, end)| run.end.div_ceil(BLOCK)..end / BLOCK);
        Blocks { free: unused.collect(), written: Vec::new(), len: 0, ids }
    }

    fn push(&mut self, id: u32) {
        let within = self.len % BLOCK;
        if within == 0 {
            let block = self.free.pop().unwrap_or_else(|| {
                self.ids.resize(self.ids.len() + BLOCK, 0);
                self.ids.len() / BLOCK - 1
            });
            self.written.push(block as u32);
        }
        if let Some(block) = self.written.last() {
            self.ids[*block as usize * BLOCK + within] = id;
            self.len += 1;
        }
    }

    fn finish(mut self) -> Vec<u32> {
        for to in 0..self.written.len() {
            let mut from = self.written[to] as usize;
            // A place before `to` is done: what lay there went to where its contents came from.
            while from < to {
                from = self.written[from] as usize;
            }
            self.written[to] = from as u32;
            if from != to {
                for n in 0..BLOCK {
                    self.ids.swap(to * BLOCK + n, from * BLOCK + n);
                }
            }
        }
        self.ids.truncate(self.len);
        self.ids
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Row, Rows};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever runs there are, how full they are, and what was there before.
        #[test]
        fn a_merge_is_a_sort(
            lengths in prop::collection::vec(1usize..200, 0..5),
            old in 0usize..300,
            gone in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
            seed: u64,
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let rows = Rows::default();
            let all = old + lengths.iter().sum::<usize>();
            for n in 0..all {
                rows.add(Row::counter(&format!("n\nt:{}:{n}", random.u32(0..100)), 1.0));
            }
            let mut sorted = |ids: Range<usize>| {
                let mut ids: Vec<u32> = ids.map(|id| id as u32).collect();
                random.shuffle(&mut ids);
                // Fewer than fit a run.
                sort(&rows, Scheme::Underscores, &mut ids);
                ids
            };
            let before = sorted(0..old);
            let expected = sorted(0..all);
            // Runs stand apart: each begins a block of its own and leaves room behind it.
            let (mut fresh, mut runs, mut from) = (Vec::new(), Vec::new(), old);
            for length in lengths {
                fresh.resize(fresh.len().next_multiple_of(BLOCK) + BLOCK * (length % 3), u32::MAX);
                runs.push(fresh.len()..fresh.len() + length);
                fresh.extend(sorted(from..from + length));
                from += length;
            }
            for index in gone.iter().filter(|_| all > 0) {
                rows.remove(index.index(all) as u32);
            }
            let merged = merge(&rows, Scheme::Underscores, &before, fresh, runs);
            let there: Vec<u32> = expected.into_iter().filter(|id| rows.is_there(*id)).collect();
            prop_assert_eq!(merged, there);
        }
    }

    #[test]
    fn a_merge_keeps_to_the_memory_of_its_runs() {
        let rows = Rows::default();
        for n in 0..20_000_u32 {
            rows.add(Row::counter(&format!("n\nt:{}", n.reverse_bits()), 1.0));
        }
        let mut ids: Vec<u32> = (0..rows.slots()).collect();
        ids.reserve_exact(2 * BLOCK);
        let (at, size) = (ids.as_ptr(), ids.len());
        let runs = sort(&rows, Scheme::Underscores, &mut ids);
        let merged = merge(&rows, Scheme::Underscores, &[], ids, runs);
        assert_eq!((merged.as_ptr(), merged.len()), (at, size));
    }
}
