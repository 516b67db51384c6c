//! What the registry keeps of a timer, histogram or distribution.
//!
//! Always: everything since the start (the page's totals). On demand: exact bucket counts for classic
//! histograms, a sliding window for summaries, and what no snapshot has carried yet for push backends.

use super::series::{BucketCounts, Distribution, PageDistribution, Treatment};
use super::sketch::Sketch;
use crate::config::HistogramStyle;
use crate::statsd::Kind;

/// Parts of a summary's sliding window; the oldest goes when a part is full.
pub(super) const WINDOW_PARTS: usize = 5;

#[derive(Debug, Default)]
pub(super) struct DistributionState {
    total: Sketch,
    /// One per bound and one for +Inf; empty when nobody asks for buckets.
    buckets: Box<[u64]>,
    unsent: Option<Box<Unsent>>,
    window: Option<Box<Window>>,
}

/// What the next snapshot will carry.
#[derive(Debug, Default)]
struct Unsent {
    delta: Sketch,
    /// The bucket counts that the last snapshot carried.
    sent_buckets: Box<[u64]>,
}

#[derive(Debug, Default)]
struct Window {
    parts: [Sketch; WINDOW_PARTS],
    open: usize,
    merged: Sketch,
}

impl DistributionState {
    pub(super) fn new(kind: Kind, treatment: &Treatment, pushing: bool) -> Self {
        let summary = treatment.style == HistogramStyle::Summary;
        let bounds =
            if summary && !treatment.explicit_buckets { 0 } else { treatment.buckets(kind).len() + 1 };
        DistributionState {
            total: Sketch::new(),
            buckets: vec![0; bounds].into(),
            unsent: pushing.then(Box::default),
            window: summary.then(Box::default),
        }
    }

    /// Adds values with their weights (1 / sample rate).
    pub(super) fn insert(&mut self, kind: Kind, treatment: &Treatment, values: &[(f64, f64)]) {
        let bounds = treatment.buckets(kind);
        if !self.buckets.is_empty() {
            // The same rounding as the sketch's, so that the buckets add up to its count.
            let mut count = self.total.count();
            for (value, weight) in values {
                let before = count.round_ties_even();
                count += weight;
                let shown = if kind == Kind::Timer { value / 1e3 } else { *value };
                let at = bounds.partition_point(|bound| *bound < shown);
                self.buckets[at] += (count.round_ties_even() - before) as u64;
            }
        }
        self.total.insert_block(values);
        if let Some(unsent) = &mut self.unsent {
            unsent.delta.insert_block(values);
        }
        if let Some(window) = &mut self.window {
            window.parts[window.open].insert_block(values);
            window.merged.insert_block(values);
        }
    }

    pub(super) fn total_count(&self) -> f64 {
        self.total.count()
    }

    /// Reads here and there of what an insert will look at: see [`Registry::fetch`](super::registry::Registry::fetch).
    pub(super) fn fetch(&self) -> u64 {
        let buckets = [self.buckets.first(), self.buckets.get(self.buckets.len() / 2)];
        let unsent = self.unsent.as_ref().map_or(0, |unsent| unsent.delta.fetch());
        buckets.into_iter().flatten().fold(self.total.fetch() ^ unsent, |all, count| all ^ count)
    }

    pub(super) fn page(&self) -> PageDistribution<'_> {
        PageDistribution {
            total: &self.total,
            bucket_counts: &self.buckets,
            window: self.window.as_deref().map(|w| &w.merged),
        }
    }

    /// What the window did, for a snapshot; `None` when nothing came.
    pub(super) fn take(&mut self, treatment: &Treatment, cumulative: bool) -> Option<Distribution> {
        let unsent = self.unsent.as_mut()?;
        if unsent.delta.is_empty() {
            return None;
        }
        let buckets = treatment.explicit_buckets.then(|| {
            let sent = |at: usize| unsent.sent_buckets.get(at).copied().unwrap_or(0);
            let delta = self.buckets.iter().enumerate().map(|(at, n)| n - sent(at)).collect();
            BucketCounts { delta, total: self.buckets.to_vec() }
        });
        if buckets.is_some() {
            unsent.sent_buckets.clone_from(&self.buckets);
        }
        let total = cumulative.then(|| self.total.clone());
        Some(Distribution { delta: std::mem::take(&mut unsent.delta), total, buckets })
    }

    /// Opens the next of the `parts` of a summary's window and forgets the oldest.
    pub(super) fn slide(&mut self, parts: usize) {
        let Some(window) = &mut self.window else { return };
        window.open = (window.open + 1) % parts.clamp(1, WINDOW_PARTS);
        window.parts[window.open].clear();
        window.merged.clear();
        for part in &window.parts {
            window.merged.merge(part);
        }
    }
}

#[cfg(test)]
mod tests;
