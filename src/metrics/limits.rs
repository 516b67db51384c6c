//! What may live: the limits on contexts, who goes when room is needed, and where the rest folds.
//!
//! Over a limit a new context is not refused: its values go into one overflow series of its name, so
//! that sums stay true. A name over its own limit evicts nobody; over the total limit the longest
//! idle context goes first, and a context that is not idle never goes.

use super::context::{Context, ContextId, GONE, HIDDEN, OVERFLOW};
use super::records::Address;
use super::registry::Registry;
use super::window::EVICTABLE_SHARE;
use crate::statsd::Kind;
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
    /// Messages folded, by name; at most `OVERFLOW_NAMES`.
    names: BTreeMap<Box<str>, u64>,
    others: u64,
}

impl Overflow {
    fn count(&mut self, name: &str) {
        if let Some(n) = self.names.get_mut(name) {
            *n += 1;
        } else if self.names.len() < OVERFLOW_NAMES {
            self.names.insert(name.into(), 1);
        } else {
            self.others += 1;
        }
    }

    /// Names with their folded messages, and the messages of names beyond the list.
    pub(super) fn folded(&self) -> (&BTreeMap<Box<str>, u64>, u64) {
        (&self.names, self.others)
    }
}

/// What the names beyond the list fold into, by type.
fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counters",
        Kind::Gauge => "gauges",
        Kind::Timer => "timers",
        Kind::Histogram => "histograms",
        Kind::Distribution => "distributions",
        Kind::Set => "sets",
    }
}

impl Registry {
    /// Finds or makes the context of a key; over a limit, the series that it folds into.
    pub(super) fn resolve(&mut self, key: &str, kind: Kind, treatment: u16, now_s: u32) -> Resolved {
        if let Some(id) = self.contexts.find(key, kind) {
            return Resolved::Context(id);
        }
        let name = key.split('\n').next().unwrap_or_default();
        if self.is_full(name) || !self.make_room() {
            return self.fold(name, kind, now_s);
        }
        match self.create(key, kind, treatment, now_s, 0) {
            Some(id) => Resolved::Context(id),
            None => self.fold(name, kind, now_s),
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

    fn fold(&mut self, name: &str, kind: Kind, now_s: u32) -> Resolved {
        self.overflow.count(name);
        let tags = &self.options.overflow_tags;
        let own = format!("{name}\n{tags}");
        if let Some(id) = self.contexts.find(&own, kind) {
            return Resolved::Folded(id);
        }
        let is_own = self.overflow.series < OVERFLOW_NAMES;
        let key = if is_own { own } else { format!("pillion.overflow.{}\n{tags}", plural(kind)) };
        if let Some(id) = self.contexts.find(&key, kind) {
            return Resolved::Folded(id);
        }
        match self.create(&key, kind, DEFAULT_TREATMENT, now_s, OVERFLOW) {
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

    fn create(&mut self, key: &str, kind: Kind, treatment: u16, now_s: u32, flags: u8) -> Option<ContextId> {
        let bits = self.new_state(kind, treatment);
        // `HIDDEN` until the first value comes: a page read in between must not show a bare zero.
        let context = Context {
            bits,
            address: Address::NOWHERE,
            start_s: now_s,
            last: self.window,
            kind,
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
