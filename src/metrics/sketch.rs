//! Quantile sketches: DDSketch with the Datadog agent's mapping, so that a sketch can be sent to it
//! without loss (Masson, Rim, Lee: "DDSketch", VLDB 2019).
//!
//! Bins are a sorted list, not a dense array: a sidecar holds thousands of sketches with few keys
//! each. Count, sum, minimum and maximum are kept exactly beside them. Nothing here may panic or
//! lose a value, whatever the values are. Next: `registry`.

mod bins;
mod exponential;
mod mapping;
mod quantile;

pub use bins::BIN_LIMIT;
pub use exponential::{Buckets, Exponential, MAX_SCALE, finest_position};
pub use mapping::{key_of, value_of};

use bins::Bins;
use mapping::Mapping;

/// Below this many samples, finding a place for each is cheaper than gathering them (measured).
const SMALL_BLOCK: usize = 24;
/// Neighbouring keys that a block is counted in (4 KiB): from 1/53 to 53 times its first value.
const DENSE_KEYS: usize = 512;

/// A mergeable summary of a distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    bins: Bins,
    /// Sum of the weights; bins hold this rounded half to even.
    count: f64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Sketch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value that stands for `weight` values (1 / sample rate, at least 1).
    pub fn insert(&mut self, value: f64, weight: f64) {
        self.widen(value, value);
        let n = self.take(value, weight);
        self.bins.add(key_of(value), n);
    }

    /// Adds many values with their weights at once: the same sketch as by [`Sketch::insert`] one after
    /// the other, for a fraction of the price.
    pub fn insert_block(&mut self, samples: &[(f64, f64)]) {
        if samples.len() < SMALL_BLOCK {
            samples.iter().for_each(|(value, weight)| self.insert(*value, *weight));
        } else {
            self.insert_many(samples);
        }
    }

    /// Adds everything that `other` holds. With whole weights, sketches merged in any order are equal
    /// to one that saw every value. With fractional ones, rounding leaves one count over or missing
    /// now and then: it is settled in the largest bin of `other`, so that the bins still add up to the
    /// rounded count and no bin of `self` ever shrinks (a running histogram must not).
    pub fn merge(&mut self, other: &Sketch) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        self.widen(other.min, other.max);
        let held = whole(self.count) + whole(other.count);
        self.count += other.count;
        self.sum += other.sum;
        self.bins.merge(other.bins.packed());
        let due = whole(self.count);
        if due != held {
            self.bins.settle(other.bins.largest(), due, held);
        }
    }

    /// Sum of the weights, exact.
    pub fn count(&self) -> f64 {
        self.count
    }

    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// 0 when empty.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// 0 when empty.
    pub fn max(&self) -> f64 {
        self.max
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0.0
    }

    pub fn mean(&self) -> f64 {
        if self.is_empty() { 0.0 } else { self.sum / self.count }
    }

    /// Forgets everything but the room for bins.
    pub fn clear(&mut self) {
        let mut bins = std::mem::take(&mut self.bins);
        bins.clear();
        *self = Sketch { bins, ..Sketch::default() };
    }

    /// Ascending keys with their whole counts, which add up to the rounded count.
    pub fn bins(&self) -> impl ExactSizeIterator<Item = (i16, u64)> + '_ {
        self.bins.iter()
    }

    /// Reads the places where the search for a key begins, so that they are in the processor's cache.
    pub(super) fn fetch(&self) -> u64 {
        let bins = self.bins.packed();
        let part = bins.len() / 4;
        [2 * part, part, 3 * part].iter().filter_map(|at| bins.get(*at)).fold(0, |all, bin| all ^ bin)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.bins.heap_bytes()
    }

    /// Counts a weighted value; returns the whole count that its bin gets. Rounding the running count
    /// instead of each weight keeps fractional weights free of bias.
    fn take(&mut self, value: f64, weight: f64) -> u64 {
        let before = whole(self.count);
        self.count += weight;
        self.sum += value * weight;
        whole(self.count).saturating_sub(before)
    }

    fn widen(&mut self, low: f64, high: f64) {
        if self.is_empty() {
            (self.min, self.max) = (low, high);
        } else {
            self.min = self.min.min(low);
            self.max = self.max.max(high);
        }
    }

    /// Counts a block in an array of neighbouring keys, then merges that as a list of bins. Values far
    /// from the first go to their bins one by one.
    fn insert_many(&mut self, block: &[(f64, f64)]) {
        let Some((first, _)) = block.first() else { return };
        let mapping = Mapping::get();
        let origin = bins::pack_key(mapping.key_of(*first)).saturating_sub(DENSE_KEYS as u64 / 2);
        let mut counts = [0; DENSE_KEYS];
        let (mut low, mut high) = (DENSE_KEYS, 0);
        for (value, weight) in block {
            self.widen(*value, *value);
            let n = self.take(*value, *weight);
            let key = mapping.key_of(*value);
            let at = bins::pack_key(key).wrapping_sub(origin) as usize;
            match counts.get_mut(at) {
                Some(count) => {
                    *count += n;
                    (low, high) = (low.min(at), high.max(at + 1));
                }
                None => self.bins.add(key, n),
            }
        }
        // Filled counts move to the front and become bins: never ahead of where they are read.
        let mut filled = 0;
        for at in low..high {
            let n = counts[at];
            counts[filled] = bins::bin(origin + at as u64, n);
            filled += usize::from(n > 0);
        }
        self.bins.merge(&counts[..filled]);
    }
}

/// Rounds half to even, for what is not negative. Adding 2^52 leaves the processor no bits behind the
/// point, so its own rounding does the work: `f64::round_ties_even` is a call on the base x86-64.
fn whole(count: f64) -> u64 {
    const NO_FRACTION: f64 = (1u64 << 52) as f64;
    let whole = if count < NO_FRACTION { (count + NO_FRACTION) - NO_FRACTION } else { count };
    // By way of i64, which is one instruction there.
    whole as i64 as u64
}

#[cfg(test)]
mod tests;
