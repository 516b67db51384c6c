//! Quantile sketches: DDSketch with the Datadog agent's mapping, so that a sketch can be sent to it
//! without loss (Masson, Rim, Lee: "DDSketch", VLDB 2019).
//!
//! Bins are a sorted list, not a dense array: a sidecar holds thousands of sketches with few keys
//! each. Count, sum, minimum and maximum are kept exactly beside them. Next: `registry`.

use std::sync::LazyLock;

/// Relative accuracy 1/128: γ = 1 + 2/128.
const GAMMA: f64 = 1.015_625;
/// Smallest magnitude that is not counted as zero.
const MIN_VALUE: f64 = 1e-9;
/// Bins beyond this collapse, lowest keys first.
pub const BIN_LIMIT: usize = 4_096;
/// Largest key; values beyond it share its bin.
const MAX_KEY: i32 = 32_767;
/// A bin is one word: the key, offset to sort as unsigned, above a count of this many bits.
const COUNT_BITS: u32 = 48;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// The agent's mapping from values to keys.
struct Mapping {
    ln_gamma: f64,
    bias: i32,
    norm_min: f64,
}

static MAPPING: LazyLock<Mapping> = LazyLock::new(|| {
    let ln_gamma = GAMMA.ln();
    let emin = (MIN_VALUE.ln() / ln_gamma).floor() as i32;
    let bias = 1 - emin;
    Mapping { ln_gamma, bias, norm_min: GAMMA.powi(1 - bias) }
});

/// The key of a value: 0 around zero, negative for negative values.
pub fn key_of(value: f64) -> i16 {
    let m = &*MAPPING;
    let magnitude = value.abs();
    if magnitude < m.norm_min {
        return 0;
    }
    let key = ((magnitude.ln() / m.ln_gamma).round_ties_even() as i32).saturating_add(m.bias).min(MAX_KEY);
    (if value < 0.0 { -key } else { key }) as i16
}

/// The value that stands for a key.
pub fn value_of(key: i16) -> f64 {
    let m = &*MAPPING;
    if key == 0 {
        return 0.0;
    }
    let magnitude = ((i32::from(key).abs() - m.bias) as f64 * m.ln_gamma).exp();
    if key < 0 { -magnitude } else { magnitude }
}

/// A mergeable summary of a distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// Sorted by key, each key once: see `COUNT_BITS`.
    bins: Vec<u64>,
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
        if self.count == 0.0 {
            self.min = value;
            self.max = value;
        } else {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
        // Whole counts so far and after: rounding the running count keeps fractional weights unbiased.
        let before = self.count.round_ties_even();
        self.count += weight;
        self.sum += value * weight;
        let n = (self.count.round_ties_even() - before) as u64;
        self.add(key_of(value), n);
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Sketch) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            self.clone_from(other);
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        let mine = std::mem::take(&mut self.bins);
        self.bins.reserve_exact(mine.len().max(other.bins.len()));
        let (mut a, mut b) = (mine.iter().copied().peekable(), other.bins.iter().copied().peekable());
        loop {
            let next = match (a.peek().copied(), b.peek().copied()) {
                (Some(x), Some(y)) if x >> COUNT_BITS == y >> COUNT_BITS => {
                    a.next();
                    b.next();
                    bin(x >> COUNT_BITS, (x & COUNT_MASK) + (y & COUNT_MASK))
                }
                (Some(x), Some(y)) if x < y => {
                    a.next();
                    x
                }
                (_, Some(y)) => {
                    b.next();
                    y
                }
                (Some(x), None) => {
                    a.next();
                    x
                }
                (None, None) => break,
            };
            self.bins.push(next);
        }
        self.collapse();
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

    pub fn clear(&mut self) {
        *self = Sketch { bins: std::mem::take(&mut self.bins), ..Sketch::default() };
        self.bins.clear();
    }

    /// Ascending keys with their whole counts, which add up to the rounded count.
    pub fn bins(&self) -> impl ExactSizeIterator<Item = (i16, u64)> + '_ {
        self.bins.iter().map(|b| (unpack_key(*b), b & COUNT_MASK))
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.bins.capacity() * size_of::<u64>()
    }

    fn add(&mut self, key: i16, n: u64) {
        if n == 0 {
            return;
        }
        let packed = pack_key(key);
        match self.bins.binary_search_by_key(&packed, |b| b >> COUNT_BITS) {
            Ok(at) => self.bins[at] = bin(packed, (self.bins[at] & COUNT_MASK) + n),
            Err(at) => {
                if self.bins.len() == self.bins.capacity() {
                    // Many small sketches: grow gently.
                    self.bins.reserve_exact((self.bins.len() / 2).max(4));
                }
                self.bins.insert(at, bin(packed, n));
                self.collapse();
            }
        }
    }

    fn collapse(&mut self) {
        if self.bins.len() <= BIN_LIMIT {
            return;
        }
        let extra = self.bins.len() - BIN_LIMIT;
        let folded: u64 = self.bins[..=extra].iter().map(|b| b & COUNT_MASK).sum();
        self.bins[extra] = bin(self.bins[extra] >> COUNT_BITS, folded);
        self.bins.drain(..extra);
    }
}

fn pack_key(key: i16) -> u64 {
    (i32::from(key) + 32_768) as u64
}

fn unpack_key(bin: u64) -> i16 {
    ((bin >> COUNT_BITS) as i32 - 32_768) as i16
}

fn bin(packed_key: u64, count: u64) -> u64 {
    packed_key << COUNT_BITS | count.min(COUNT_MASK)
}

#[cfg(test)]
mod tests;
