//! One budget of memory over everything that intakes read, decode and queue.
//!
//! Whoever is about to hold bytes takes them from the budget first and gets a `Hold`; the last clone that
//! is dropped gives them back. Nothing here waits: what does not fit is refused, and the intake says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shared limit in bytes; clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    held: AtomicUsize,
}

/// Bytes that were taken; given back when the last clone goes.
#[derive(Clone, Debug)]
pub struct Hold(Arc<Held>);

#[derive(Debug)]
struct Held {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub fn new(limit: usize) -> Self {
        Budget(Arc::new(Inner { limit, held: AtomicUsize::new(0) }))
    }

    /// Takes `bytes`, or nothing when they do not fit.
    pub fn take(&self, bytes: usize) -> Option<Hold> {
        let fits = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= self.0.limit);
        self.0.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Hold(Arc::new(Held { budget: self.clone(), bytes })))
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    pub fn limit(&self) -> usize {
        self.0.limit
    }
}

impl Hold {
    /// Takes `bytes` more, or nothing when they do not fit or somebody else has a clone.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let Some(held) = Arc::get_mut(&mut self.0) else { return false };
        let Some(mut more) = held.budget.take(bytes) else { return false };
        let Some(more) = Arc::get_mut(&mut more.0) else { return false };
        held.bytes += std::mem::take(&mut more.bytes);
        true
    }

    /// Gives `bytes` back early, unless somebody else has a clone.
    pub fn shrink(&mut self, bytes: usize) {
        if let Some(held) = Arc::get_mut(&mut self.0) {
            let bytes = bytes.min(held.bytes);
            held.bytes -= bytes;
            held.budget.0.held.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_clone_gives_back_and_too_much_is_refused() {
        let budget = Budget::new(100);
        let first = budget.take(60).unwrap();
        assert!(budget.take(41).is_none());
        assert!(budget.take(usize::MAX).is_none());
        let second = first.clone();
        drop(first);
        assert_eq!(budget.held(), 60);
        drop(second);
        assert_eq!(budget.held(), 0);
        assert!(budget.take(100).is_some());
    }

    #[test]
    fn a_hold_grows_and_shrinks_while_it_is_alone() {
        let budget = Budget::new(100);
        let mut hold = budget.take(60).unwrap();
        assert!(hold.grow(40) && !hold.grow(1));
        hold.shrink(70);
        assert_eq!(budget.held(), 30);
        let second = hold.clone();
        assert!(!hold.grow(1));
        hold.shrink(1);
        assert_eq!(budget.held(), 30);
        drop((hold, second));
        assert_eq!(budget.held(), 0);
    }
}
