//! The registry: every series' running state, fed by the shards' hand-overs.
//!
//! It sits behind one lock that intake threads take for new forms and hand-overs only
//! (`docs/decisions/0002-one-registry-lock.md`), so nothing here may take long: whatever walks all
//! contexts does so in slices (`window`, `page`). It never looks at a clock or a socket. What may
//! live, fold or go is decided in `limits`. Next: `crate::deliver`.

use super::class::Class;
use super::context::{Context, ContextId, Contexts, HIDDEN, NEGATIVE};
use super::distribution::{DistributionState, WINDOW_PARTS};
use super::limits::Overflow;
use super::page::Limbo;
use super::points::Total;
use super::series::{Series, Treatment};
use super::set::Set;
use super::top::Top;
use std::collections::HashMap;
use std::sync::Arc;

/// Below this limit of contexts for each name, one more or less is noticed.
const EXACT_NAMES_BELOW: usize = 1_000;

/// What push backends need of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pushing {
    /// No push backend: no snapshots, and nothing kept for them.
    #[default]
    Nothing,
    Delta,
    /// Deltas and totals since the start of each context.
    Cumulative,
}

/// The registry's share of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) context_limit: usize,
    pub(super) name_limit: usize,
    /// Windows without a message after which a context is idle.
    pub(super) expiry_windows: u32,
    pub(super) window_ns: u64,
    pub(super) summary_window_ns: u64,
    pub(super) set_exact: usize,
    pub(super) timestamped_limit: usize,
    /// The tags of an overflow series as they stand in a key: its mark and the global ones.
    pub(super) overflow_tags: String,
    pub(super) pushing: Pushing,
}

impl Options {
    /// The parts of a summary's sliding window, and the flush windows in each: what is shown reaches back
    /// over all parts, of which the newest is not full yet.
    pub(super) fn summary_parts(&self) -> (usize, u64) {
        let windows = self.summary_window_ns.div_ceil(self.window_ns.max(1));
        // Never one alone: a page right behind the window's end would show nothing.
        let parts = windows.clamp(2, WINDOW_PARTS as u64);
        (parts as usize, windows.div_ceil(parts))
    }
}

#[derive(Debug)]
pub struct Registry {
    pub(super) options: Options,
    pub(super) contexts: Contexts,
    pub(super) treatments: Arc<[Arc<Treatment>]>,
    pub(super) distributions: Slab<DistributionState>,
    pub(super) sets: Slab<SetState>,
    /// What OTLP's points add up to.
    pub(super) totals: Slab<Total>,
    /// The total of each counter that the last snapshot carried; empty without push backends.
    pub(super) sent: Vec<f64>,
    /// Points with a client timestamp, for the next snapshot.
    pub(super) points: Vec<Series>,
    /// The window that is open, counted from the start, and when it began.
    pub(super) window: u32,
    pub(super) window_start_ns: u64,
    /// When each gauge's value was received, of those handed over in this window and in the one before: only
    /// with several shards.
    pub(super) gauge_times: HashMap<ContextId, u64>,
    pub(super) gauge_times_before: HashMap<ContextId, u64>,
    /// Idle contexts that nobody holds, the longest idle last.
    pub(super) evictable: Vec<ContextId>,
    pub(super) overflow: Overflow,
    pub(super) limbo: Limbo,
    pub(super) top: Top,
    pub(super) created: u64,
    pub(super) evicted: u64,
    pub(super) expired: u64,
}

#[derive(Debug, Default)]
pub(super) struct SetState {
    pub(super) current: Set,
    /// Members of the last closed window; `None` before the first.
    pub(super) closed: Option<u64>,
}

/// One gauge's hand-over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum GaugeChange {
    /// The last absolute value with the deltas behind it, received at this time.
    Absolute { value: f64, time_ns: u64 },
    /// Deltas only.
    Delta(f64),
}

impl Registry {
    pub(super) fn new(options: Options, treatments: Arc<[Arc<Treatment>]>, key: u64, now_ns: u64) -> Self {
        let contexts = Contexts::new(key, options.name_limit < EXACT_NAMES_BELOW);
        Registry {
            options,
            contexts,
            treatments,
            distributions: Slab::default(),
            sets: Slab::default(),
            totals: Slab::default(),
            sent: Vec::new(),
            points: Vec::new(),
            window: 1,
            window_start_ns: now_ns,
            gauge_times: HashMap::new(),
            gauge_times_before: HashMap::new(),
            evictable: Vec::new(),
            overflow: Overflow::default(),
            limbo: Limbo::default(),
            top: Top::default(),
            created: 0,
            evicted: 0,
            expired: 0,
        }
    }

    pub(super) fn add_counter(&mut self, id: ContextId, delta: f64, negative: bool) {
        let context = self.touch(id);
        context.bits = finite(f64::from_bits(context.bits) + finite(delta)).to_bits();
        if negative {
            context.flags |= NEGATIVE;
        }
    }

    pub(super) fn change_gauge(&mut self, id: ContextId, change: GaugeChange, several_shards: bool) {
        if let GaugeChange::Absolute { time_ns, .. } = change
            && several_shards
        {
            let before = self.gauge_times_before.get(&id).copied().unwrap_or_default();
            let last = self.gauge_times.entry(id).or_insert(before);
            // A hand-over is never this late: the clock was set back.
            let longest_ns = 2 * self.options.window_ns;
            if *last > time_ns && *last - time_ns <= longest_ns {
                self.touch(id);
                return;
            }
            *last = time_ns;
        }
        let context = self.touch(id);
        context.bits = match change {
            GaugeChange::Absolute { value, .. } => finite(value),
            GaugeChange::Delta(delta) => finite(f64::from_bits(context.bits) + finite(delta)),
        }
        .to_bits();
    }

    /// Adds values with their weights to a timer, histogram or distribution.
    pub(super) fn add_samples(&mut self, id: ContextId, values: &[(f64, f64)]) {
        let context = *self.touch(id);
        let treatment = &self.treatments[context.treatment as usize];
        if let Some(state) = self.distributions.get_mut(context.bits) {
            state.insert(context.class.like(), treatment, values);
        }
    }

    /// Brings what [`Registry::add_samples`] will need into the processor's cache: reads that do not depend on each
    /// other overlap, where one sample after the other would wait for each of its own.
    pub(super) fn fetch(&self, ids: impl Iterator<Item = ContextId> + Clone) {
        let state = |id| {
            let context = self.contexts.get(id)?;
            if context.class == Class::Set { None } else { self.distributions.get(context.bits) }
        };
        let counts: f64 = ids.clone().filter_map(state).map(DistributionState::total_count).sum();
        let bins = ids.filter_map(state).fold(0, |bins, state| bins ^ state.fetch());
        std::hint::black_box((counts, bins));
    }

    /// Adds the hashes of a set's members.
    pub(super) fn add_members(&mut self, id: ContextId, hashes: impl Iterator<Item = u64>) {
        let context = *self.touch(id);
        let exact = self.options.set_exact;
        if let Some(state) = self.sets.get_mut(context.bits) {
            for hash in hashes {
                state.current.insert(hash, exact);
            }
        }
    }

    /// Keeps a point with the client's own time for the next snapshot; says whether it did.
    pub(super) fn add_point(&mut self, point: Series) -> bool {
        let taken =
            self.options.pushing != Pushing::Nothing && self.points.len() < self.options.timestamped_limit;
        if taken {
            self.points.push(point);
        }
        taken
    }

    /// Makes the state that a class needs; gives the bits of a new context.
    pub(super) fn new_state(&mut self, class: Class, treatment: u16) -> u64 {
        match class {
            Class::Counter | Class::Gauge => 0f64.to_bits(),
            Class::Set => self.sets.insert(SetState::default()),
            Class::Timer | Class::Histogram | Class::Distribution => {
                let treatment = &self.treatments[treatment as usize];
                let pushing = self.options.pushing != Pushing::Nothing;
                self.distributions.insert(DistributionState::new(class.like(), treatment, pushing))
            }
            Class::OtlpSum
            | Class::OtlpUpDownSum
            | Class::OtlpGauge
            | Class::OtlpHistogram
            | Class::OtlpExponentialHistogram
            | Class::OtlpSummary => self.totals.insert(Total::new(class)),
        }
    }

    pub(super) fn drop_state(&mut self, context: Context) {
        match context.class {
            Class::Counter | Class::Gauge => {}
            Class::Set => self.sets.remove(context.bits),
            Class::Timer | Class::Histogram | Class::Distribution => self.distributions.remove(context.bits),
            Class::OtlpSum
            | Class::OtlpUpDownSum
            | Class::OtlpGauge
            | Class::OtlpHistogram
            | Class::OtlpExponentialHistogram
            | Class::OtlpSummary => self.totals.remove(context.bits),
        }
    }

    pub(super) fn touch(&mut self, id: ContextId) -> &mut Context {
        let start_s = (self.window_start_ns / 1_000_000_000) as u32;
        let window = self.window;
        if self.contexts.at(id).flags & HIDDEN != 0 {
            self.contexts.bear(id);
            let context = self.contexts.at(id);
            context.flags &= !HIDDEN;
            context.start_s = start_s;
        }
        let context = self.contexts.at(id);
        context.last = window;
        context
    }
}

/// Finite values may add up to more than a number can be: the sum stays at its end instead of becoming
/// infinite, and later not a number.
pub(super) fn finite(sum: f64) -> f64 {
    if sum.is_nan() { 0.0 } else { sum.clamp(f64::MIN, f64::MAX) }
}

/// Values under small numbers that are used again.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(super) fn insert(&mut self, value: T) -> u64 {
        if let Some(at) = self.free.pop() {
            self.places[at as usize] = Some(value);
            return u64::from(at);
        }
        self.places.push(Some(value));
        (self.places.len() - 1) as u64
    }

    pub(super) fn get(&self, at: u64) -> Option<&T> {
        self.places.get(at as usize).and_then(Option::as_ref)
    }

    pub(super) fn get_mut(&mut self, at: u64) -> Option<&mut T> {
        self.places.get_mut(at as usize).and_then(Option::as_mut)
    }

    pub(super) fn remove(&mut self, at: u64) {
        self.places[at as usize] = None;
        self.free.push(at as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_looks_back_as_far_as_asked() {
        for (summary, window, parts) in [
            (300, 10, (5, 6)),
            (75, 10, (5, 2)),
            (50, 10, (5, 1)),
            (30, 10, (3, 1)),
            (10, 10, (2, 1)),
            (1, 60, (2, 1)),
        ] {
            let options = Options {
                context_limit: 1,
                name_limit: 1,
                expiry_windows: 1,
                window_ns: window,
                summary_window_ns: summary,
                set_exact: 1,
                timestamped_limit: 1,
                overflow_tags: String::new(),
                pushing: Pushing::Nothing,
            };
            assert_eq!(options.summary_parts(), parts, "{summary} in windows of {window}");
        }
    }
}
