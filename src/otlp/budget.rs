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
    /// Takes more, or gives some back, so that `bytes` are held. `false`, and nothing changed, when they do
    /// not fit, or when there are other clones.
    pub fn resize(&mut self, bytes: usize) -> bool {
        let Some(held) = Arc::get_mut(&mut self.0) else { return false };
        let Inner { limit, held: total } = &*held.budget.0;
        let fits = |now: usize| (now - held.bytes).checked_add(bytes).filter(|sum| *sum <= *limit);
        if total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return false;
        }
        held.bytes = bytes;
        true
    }

    /// Bytes held by all clones together.
    pub fn bytes(&self) -> usize {
        self.0.bytes
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
        let mut hold = budget.take(10).unwrap();
        assert!(hold.resize(100));
        assert!(!hold.resize(101));
        assert!(!hold.resize(usize::MAX));
        assert_eq!((hold.bytes(), budget.held()), (100, 100));
        assert!(hold.resize(30));
        assert_eq!(budget.held(), 30);
        let other = hold.clone();
        assert!(!hold.resize(20));
        drop((hold, other));
        assert_eq!(budget.held(), 0);
    }
}
