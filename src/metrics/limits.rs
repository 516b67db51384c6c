//! What may live: the limits on contexts, who goes when room is needed, and where the rest folds.
//!
//! Over a limit a new context is not refused: its values go into one overflow series of its name, so
//! that sums stay true. A name over its own limit evicts nobody; over the total limit the longest
//! idle context goes first, and a context that is not idle never goes.

use super::class::Class;
use super::context::{Context, ContextId, GONE, HIDDEN, OVERFLOW};
use super::records::Address;
use super::registry::Registry;
use super::window::EVICTABLE_SHARE;
use std::collections::BTreeMap;

/// The tag of an overflow series.
pub const OVERFLOW_TAG: &str = "pillion_overflow:true";
/// Names with an overflow series of their own; the others share one for each type.
const OVERFLOW_NAMES: usize = 1_000;
/// The treatment of an overflow series: the defaults.
const DEFAULT_TREATMENT: u16 = 0;

/// Where the messages of a form go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    Context(ContextId),
    /// Into an overflow series: this message only, the form must be asked for again.
    Folded(ContextId),
    /// Not even an overflow series fits.
    NoRoom,
}

/// What was folded.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    series: usize,
    /// Overflow series of their own, by name.
    own: BTreeMap<Box<str>, usize>,
    /// What was folded by name since the start; at most `OVERFLOW_NAMES`.
    names: BTreeMap<Box<str>, FoldedName>,
    others: u64,
    /// The window of the last fold, and how many names folded last in it and in the one before.
    window: u32,
    recent: [usize; 2],
}

/// A name that folded.
#[derive(Debug)]
pub(super) struct FoldedName {
    pub(super) messages: u64,
    /// The window of its last fold.
    last: u32,
}

impl Overflow {
    fn count(&mut self, name: &str, window: u32) {
        self.recent = self.recent_at(window);
        self.window = window;
        if let Some(folded) = self.names.get_mut(name) {
            folded.messages += 1;
            let last = std::mem::replace(&mut folded.last, window);
            self.recent[0] += usize::from(last != window);
            self.recent[1] -= usize::from(last + 1 == window);
        } else if self.names.len() < OVERFLOW_NAMES {
            self.names.insert(name.into(), FoldedName { messages: 1, last: window });
            self.recent[0] += 1;
        } else {
            self.others += 1;
        }
    }

    fn recent_at(&self, window: u32) -> [usize; 2] {
        match window - self.window {
            0 => self.recent,
            1 => [0, self.recent[0]],
            _ => [0, 0],
        }
    }

    /// Names with what was folded since the start, and the messages of names beyond the list.
    pub(super) fn folded(&self) -> (&BTreeMap<Box<str>, FoldedName>, u64) {
        (&self.names, self.others)
    }

    /// Names, among those of the list, that folded in this window or in the one before.
    pub(super) fn folding(&self, window: u32) -> usize {
        self.recent_at(window).iter().sum()
    }
}

/// What the names beyond the list fold into, by type.
fn plural(class: Class) -> &'static str {
    match class {
        Class::Counter => "counters",
        Class::Gauge => "gauges",
        Class::Timer => "timers",
        Class::Histogram => "histograms",
        Class::Distribution => "distributions",
        Class::Set => "sets",
        Class::OtlpSum => "otlp_sums",
        Class::OtlpUpDownSum => "otlp_up_down_sums",
        Class::OtlpGauge => "otlp_gauges",
        Class::OtlpHistogram => "otlp_histograms",
        Class::OtlpExponentialHistogram => "otlp_exponential_histograms",
        Class::OtlpSummary => "otlp_summaries",
    }
}

impl Registry {
    /// Finds or makes the context of a key; over a limit, the series that it folds into.
    pub(super) fn resolve(&mut self, key: &str, class: Class, treatment: u16, now_s: u32) -> Resolved {
        if let Some(id) = self.contexts.find(key, class) {
            return Resolved::Context(id);
        }
        let name = key.split('\n').next().unwrap_or_default();
        if self.is_full(name) || !self.make_room() {
            return self.fold(name, class, now_s);
        }
        match self.create(key, class, treatment, now_s, 0) {
            Some(id) => Resolved::Context(id),
            None => self.fold(name, class, now_s),
        }
    }

    /// Removes a context that nobody holds.
    pub(super) fn remove_context(&mut self, id: ContextId) {
        let context = *self.contexts.at(id);
        self.contexts.remove(id);
        self.drop_state(context);
        if !self.limbo.take(id, self.contexts.next_born()) {
            self.contexts.bury(id);
        }
    }

    /// Whether a context may go now: what pages still read must not grow without end.
    pub(super) fn may_remove(&self) -> bool {
        self.limbo.len() < self.options.context_limit / EVICTABLE_SHARE + 1_024
    }

    /// Whether a name has as many contexts as it may; its overflow series are none of them.
    fn is_full(&self, name: &str) -> bool {
        let sharing = self.contexts.sharing_name(name) as usize;
        let limit = self.options.name_limit;
        let overflow = || self.overflow.own.get(name).copied().unwrap_or_default();
        sharing >= limit && sharing - overflow().min(sharing) >= limit
    }

    /// Whether there is room for one more, making it where somebody is idle.
    fn make_room(&mut self) -> bool {
        while self.contexts.live() >= self.options.context_limit {
            if !self.may_remove() {
                return false;
            }
            let Some(id) = self.evictable.pop() else { return false };
            let idle = self.contexts.get(id).is_some_and(|c| self.is_idle(c)) && !self.contexts.is_held(id);
            if idle {
                self.remove_context(id);
                self.evicted += 1;
            }
        }
        true
    }

    pub(super) fn is_idle(&self, context: &Context) -> bool {
        self.window.saturating_sub(context.last) > self.options.expiry_windows
            && context.flags & (OVERFLOW | GONE) == 0
    }

    fn fold(&mut self, name: &str, class: Class, now_s: u32) -> Resolved {
        self.overflow.count(name, self.window);
        let tags = &self.options.overflow_tags;
        let own = format!("{name}\n{tags}");
        if let Some(id) = self.contexts.find(&own, class) {
            return Resolved::Folded(id);
        }
        let is_own = self.overflow.series < OVERFLOW_NAMES;
        let key = if is_own { own } else { format!("pillion.overflow.{}\n{tags}", plural(class)) };
        if let Some(id) = self.contexts.find(&key, class) {
            return Resolved::Folded(id);
        }
        match self.create(&key, class, DEFAULT_TREATMENT, now_s, OVERFLOW) {
            Some(id) => {
                self.overflow.series += 1;
                if is_own {
                    *self.overflow.own.entry(name.into()).or_default() += 1;
                }
                Resolved::Folded(id)
            }
            None => Resolved::NoRoom,
        }
    }

    fn create(
        &mut self,
        key: &str,
        class: Class,
        treatment: u16,
        now_s: u32,
        flags: u8,
    ) -> Option<ContextId> {
        let bits = self.new_state(class, treatment);
        // `HIDDEN` until the first value comes: a page read in between must not show a bare zero.
        let context = Context {
            bits,
            address: Address::NOWHERE,
            start_s: now_s,
            last: self.window,
            class,
            flags: flags | HIDDEN,
            treatment,
        };
        let id = self.contexts.insert(key, context);
        match id {
            Some(id) if id as usize >= self.sent.len() && self.options.pushing != super::Pushing::Nothing => {
                self.sent.resize(id as usize + 1, 0.0);
            }
            Some(id) => {
                if let Some(sent) = self.sent.get_mut(id as usize) {
                    *sent = 0.0;
                }
            }
            None => self.drop_state(context),
        }
        self.created += u64::from(id.is_some());
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_as_folding_for_this_window_and_the_next() {
        let mut overflow = Overflow::default();
        let folding = |overflow: &Overflow, windows: [u32; 3]| windows.map(|window| overflow.folding(window));
        assert_eq!(folding(&overflow, [1, 2, 3]), [0, 0, 0]);
        for name in ["a", "b", "a"] {
            overflow.count(name, 3);
        }
        assert_eq!(folding(&overflow, [3, 4, 5]), [2, 2, 0]);
        overflow.count("b", 4);
        overflow.count("c", 4);
        assert_eq!(folding(&overflow, [4, 5, 6]), [3, 2, 0]);
        overflow.count("a", 9);
        assert_eq!(folding(&overflow, [9, 10, 11]), [1, 1, 0]);
        assert_eq!(overflow.folded().0["a"].messages, 3);
    }
}
