//! The order of a page, kept from scrape to scrape: identifiers sorted by where their series stand.
//!
//! Four bytes a series and no names: keys are made anew from the registry, in bounded runs that are
//! sorted outside its lock and then merged, reading a few keys of each run at a time. A scrape without
//! new contexts only looks for births. Next: `plan`.

use super::family::Place;
use super::name::Scheme;
use super::shelf::Shelf;
use super::source::{SLICE_LONGEST, Source};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::sync::Arc;

/// Series sorted in memory at once: with keys of some 100 bytes, half a megabyte.
const RUN: usize = 4_096;
/// Keys of one run held while runs are merged.
const BLOCK: usize = 32;
/// New series are put in one by one below this share of all, else everything is merged.
const FEW: usize = 16;

/// The order for one scheme of names.
#[derive(Debug)]
pub(super) struct Order {
    scheme: Scheme,
    ids: Arc<Vec<u32>>,
    /// Series born before this are in.
    known: u64,
    /// Series that a page did not find, or not where they should be.
    stale: Vec<u32>,
}

impl Order {
    pub(super) fn new(scheme: Scheme) -> Self {
        Order { scheme, ids: Arc::default(), known: 0, stale: Vec::new() }
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Series to look at again before the next page.
    pub(super) fn mark_stale(&mut self, ids: &[u32]) {
        // Several pages may find the same; what does not fit is found again by the next.
        if self.stale.len() <= self.ids.len().max(RUN) {
            self.stale.extend_from_slice(ids);
        }
    }

    /// Brings the order up to `pin` and returns it. The source must be pinned.
    pub(super) fn update<S: Source>(&mut self, source: &S, pin: u64) -> Arc<Vec<u32>> {
        let mut fresh = std::mem::take(&mut self.stale);
        let mut from = Some(0);
        while let Some(at) = from {
            from = source.births(at, self.known..pin, &mut fresh).filter(|next| *next > at);
        }
        self.known = self.known.max(pin);
        if !fresh.is_empty() {
            fresh.sort_unstable();
            fresh.dedup();
            self.take_out(&fresh);
            let runs = sort_runs(source, self.scheme, &mut fresh);
            let few = runs.len() == 1 && fresh.len() <= self.ids.len() / FEW;
            self.ids = Arc::new(if few {
                self.put_in(source, &fresh)
            } else {
                merge(source, self.scheme, &self.ids, &fresh, &runs)
            });
        }
        self.ids.clone()
    }

    /// Removes what stands in `fresh` (sorted): identifiers used anew, series that moved.
    fn take_out(&mut self, fresh: &[u32]) {
        if self.ids.is_empty() {
            return;
        }
        let largest = fresh.last().copied().unwrap_or(0) as usize;
        let mut bits = vec![0u64; largest / 64 + 1];
        for id in fresh {
            bits[*id as usize / 64] |= 1 << (id % 64);
        }
        let stays = |id: &u32| bits.get(*id as usize / 64).is_none_or(|word| word >> (id % 64) & 1 == 0);
        if !self.ids.iter().all(stays) {
            self.ids = Arc::new(self.ids.iter().copied().filter(stays).collect());
        }
    }

    /// One search each: for a few new series among many.
    fn put_in<S: Source>(&self, source: &S, sorted: &[u32]) -> Vec<u32> {
        let shelf = Shelf { source, ids: &self.ids, scheme: self.scheme };
        let (mut place, mut probe) = (Place::default(), Place::default());
        let mut merged = Vec::with_capacity(self.ids.len() + sorted.len());
        let mut done = 0;
        for id in sorted {
            let alone = Shelf { source, ids: std::slice::from_ref(id), scheme: self.scheme };
            if !alone.place(0, &mut place) {
                continue;
            }
            let at = shelf.seek(place.key(), done, &mut probe).max(done);
            merged.extend_from_slice(&self.ids[done..at]);
            merged.push(*id);
            done = at;
        }
        merged.extend_from_slice(&self.ids[done..]);
        merged
    }
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

/// Sorts `ids` in runs in place and returns where the runs are. Series that are gone are left out.
fn sort_runs<S: Source>(source: &S, scheme: Scheme, ids: &mut Vec<u32>) -> Vec<Range<usize>> {
    let mut keys = Keys::default();
    let mut sorted: Vec<usize> = Vec::with_capacity(RUN);
    let mut runs = Vec::new();
    let (mut from, mut to) = (0, 0);
    while from < ids.len() {
        let until = (from + RUN).min(ids.len());
        keys.clear();
        keys.read(source, scheme, &ids[from..until]);
        sorted.clear();
        sorted.extend(0..keys.ends.len());
        sorted.sort_unstable_by(|a, b| keys.get(*a).cmp(&keys.get(*b)));
        let start = to;
        for (_, id) in sorted.iter().filter_map(|at| keys.get(*at)) {
            // Never overtakes `from`: a run has at most as many keys as it had identifiers.
            ids[to] = id;
            to += 1;
        }
        runs.push(start..to);
        from = until;
    }
    ids.truncate(to);
    runs
}

/// One run while it is merged.
struct Cursor<'a> {
    rest: &'a [u32],
    keys: Keys,
    at: usize,
}

impl Cursor<'_> {
    /// Puts the next key into `key` and returns whose it is; `None` at the end.
    fn next<S: Source>(&mut self, source: &S, scheme: Scheme, key: &mut Vec<u8>) -> Option<u32> {
        while self.at == self.keys.ends.len() {
            if self.rest.is_empty() {
                return None;
            }
            let (block, rest) = self.rest.split_at(BLOCK.min(self.rest.len()));
            self.rest = rest;
            self.at = 0;
            self.keys.clear();
            self.keys.read(source, scheme, block);
        }
        let (bytes, id) = self.keys.get(self.at)?;
        key.clear();
        key.extend_from_slice(bytes);
        self.at += 1;
        Some(id)
    }
}

/// Merges what was there with the new runs.
fn merge<S: Source>(
    source: &S,
    scheme: Scheme,
    old: &[u32],
    fresh: &[u32],
    runs: &[Range<usize>],
) -> Vec<u32> {
    let rests = std::iter::once(old).chain(runs.iter().filter_map(|run| fresh.get(run.clone())));
    let mut cursors: Vec<_> = rests.map(|rest| Cursor { rest, keys: Keys::default(), at: 0 }).collect();
    let mut heap = BinaryHeap::with_capacity(cursors.len());
    for (run, cursor) in cursors.iter_mut().enumerate() {
        let mut key = Vec::new();
        if let Some(id) = cursor.next(source, scheme, &mut key) {
            heap.push(Reverse((key, run, id)));
        }
    }
    let mut merged = Vec::with_capacity(old.len() + fresh.len());
    while let Some(mut top) = heap.peek_mut() {
        let Reverse((key, run, id)) = &mut *top;
        merged.push(*id);
        match cursors[*run].next(source, scheme, key) {
            Some(next) => *id = next,
            None => {
                PeekMut::pop(top);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Row, Rows};
    use super::*;
    use std::collections::BTreeMap;

    /// The order by definition: all keys at once.
    fn sorted(rows: &Rows, scheme: Scheme) -> Vec<u32> {
        let mut place = Place::default();
        let mut keys = BTreeMap::new();
        let ids: Vec<u32> = (0..rows.slots()).collect();
        for id in ids {
            rows.read(&[id], &mut |id, series| {
                if let Some(series) = series {
                    place.of(&series, scheme);
                    keys.insert(place.key().to_vec(), id);
                }
            });
        }
        keys.into_values().collect()
    }

    #[test]
    fn births_deaths_moves_and_reuse_keep_the_order_sorted() {
        let mut random = fastrand::Rng::with_seed(7);
        for scheme in [Scheme::Underscores, Scheme::Utf8, Scheme::Dots, Scheme::Values] {
            let rows = Rows::default();
            let mut order = Order::new(scheme);
            for step in 0..16 {
                let births = if step % 8 == 0 { RUN + 900 } else { random.usize(0..20) };
                for _ in 0..births {
                    let (name, tag) = (random.u32(0..50), random.u32(0..1_000));
                    let separator = random.choice(['.', '_', '-', ':']).unwrap_or('.');
                    rows.add(Row::counter(&format!("n{separator}{name}\nt:{tag}"), 1.0));
                }
                for _ in 0..random.u32(0..30) {
                    rows.remove(random.u32(0..rows.slots()));
                }
                for _ in 0..random.u32(0..3) {
                    let id = random.u32(0..rows.slots());
                    rows.set_counter(id, -1.0, false);
                    order.mark_stale(&[id]);
                }
                let pin = rows.pin();
                let ids = order.update(&rows, pin);
                rows.unpin(pin);
                let living: Vec<u32> = ids.iter().copied().filter(|id| rows.is_there(*id)).collect();
                assert!(living == sorted(&rows, scheme), "step {step}");
            }
        }
    }

    #[test]
    fn an_order_without_news_is_the_same_memory() {
        let rows = Rows::default();
        rows.add(Row::counter("a", 1.0));
        let mut order = Order::new(Scheme::Underscores);
        let first = order.update(&rows, 1);
        let second = order.update(&rows, 1);
        assert!(Arc::ptr_eq(&first, &second));
    }
}
