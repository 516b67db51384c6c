//! How many distinct strings a set saw in its window.
//!
//! Most sets are small, so the hashes of their members are kept and counted exactly; beyond a bound
//! a set turns into a HyperLogLog of fixed size and stays one until it is cleared. Members come in as
//! 64-bit hashes: the strings are never kept. Why this estimator: docs/decisions/0003-hyperloglog.md.

use hashbrown::HashTable;
use hyperloglockless::HyperLogLog;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// Registers are 2^13 bytes: a standard error of 1.15 %.
const PRECISION: u8 = 13;

/// Takes hashes only, so the hasher is never run; it has no size.
type Estimator = HyperLogLog<BuildHasherDefault<DefaultHasher>>;

/// The members of a set: exact while few, estimated when many.
#[derive(Clone, Debug)]
pub struct Set(Members);

#[derive(Clone, Debug)]
enum Members {
    /// Each hash stands for itself in the table.
    Exact(HashTable<u64>),
    Estimated(Box<Estimator>),
}

impl Set {
    pub fn new() -> Self {
        Set(Members::Exact(HashTable::new()))
    }

    /// Adds a member by its hash, which must be well mixed in all 64 bits. The set stays exact up to
    /// and with `exact_bound` members.
    pub fn insert(&mut self, hash: u64, exact_bound: usize) {
        match &mut self.0 {
            Members::Exact(hashes) => {
                if hashes.find(hash, |h| *h == hash).is_some() {
                    return;
                }
                if hashes.len() < exact_bound {
                    hashes.insert_unique(hash, hash, |h| *h);
                } else {
                    let mut estimator = Self::estimator(hashes);
                    estimator.insert_hash(hash);
                    self.0 = Members::Estimated(estimator);
                }
            }
            Members::Estimated(estimator) => estimator.insert_hash(hash),
        }
    }

    /// Makes this the union of both, under the same bound as [`Set::insert`].
    pub fn merge(&mut self, other: &Set, exact_bound: usize) {
        match (&mut self.0, &other.0) {
            (_, Members::Exact(theirs)) => theirs.iter().for_each(|hash| self.insert(*hash, exact_bound)),
            (Members::Exact(ours), Members::Estimated(theirs)) => {
                let mut union = theirs.clone();
                ours.iter().for_each(|hash| union.insert_hash(*hash));
                self.0 = Members::Estimated(union);
            }
            (Members::Estimated(ours), Members::Estimated(theirs)) => {
                let united = ours.union(theirs);
                debug_assert!(united.is_ok(), "all estimators have {PRECISION} bits of precision");
            }
        }
    }

    /// The number of distinct members: exact up to the bound, beyond it with a standard error of 1.15 %.
    pub fn estimate(&self) -> u64 {
        match &self.0 {
            Members::Exact(hashes) => hashes.len() as u64,
            Members::Estimated(estimator) => estimator.raw_count().round() as u64,
        }
    }

    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Members::Exact(hashes) => hashes.is_empty(),
            Members::Estimated(_) => false,
        }
    }

    /// Forgets all members; a small set keeps its room for the next window.
    pub fn clear(&mut self) {
        match &mut self.0 {
            Members::Exact(hashes) => hashes.clear(),
            Members::Estimated(_) => *self = Set::new(),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Members::Exact(hashes) => hashes.allocation_size(),
            Members::Estimated(estimator) => size_of::<Estimator>() + estimator.len(),
        }
    }

    fn estimator(hashes: &HashTable<u64>) -> Box<Estimator> {
        let mut estimator = Box::new(Estimator::with_hasher(PRECISION, BuildHasherDefault::new()));
        hashes.iter().for_each(|hash| estimator.insert_hash(*hash));
        estimator
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

/// Same members, or estimators in the same state.
impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Members::Exact(a), Members::Exact(b)) => {
                a.len() == b.len() && a.iter().all(|hash| b.find(*hash, |h| h == hash).is_some())
            }
            (Members::Estimated(a), Members::Estimated(b)) => a == b,
            (Members::Exact(_), Members::Estimated(_)) | (Members::Estimated(_), Members::Exact(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests;
