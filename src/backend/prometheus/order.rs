//! The order of a page, kept from scrape to scrape: identifiers sorted by where their series stand.
//!
//! Four bytes a series and no names: keys are made anew from the registry (`runs`). A scrape without
//! new contexts only looks for births. Next: `plan`.

use super::family::Place;
use super::name::Scheme;
use super::runs::{RUN, merge, sort};
use super::shelf::Shelf;
use super::source::Source;
use std::sync::Arc;

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
            let runs = sort(source, self.scheme, &mut fresh);
            self.ids = Arc::new(match runs.as_slice() {
                [run] if run.len() <= self.ids.len() / FEW => self.put_in(source, &fresh[run.clone()]),
                _ => merge(source, self.scheme, &self.ids, fresh, runs),
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
