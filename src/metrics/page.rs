//! How the `/metrics` page reads the registry: by context number, in slices, one hold of the lock each.
//!
//! A page pins the registry while it is made: numbers of contexts that go meanwhile are not given to
//! others until it ends, so a number always means one context or none.

use super::aggregator::Aggregator;
use super::context::{ContextId, HIDDEN};
use super::registry::Registry;
use super::series::{Key, PageSeries, PageValue};
use crate::statsd::Kind;
use std::ops::Range;

/// Contexts looked at for births under one hold of the lock.
const BIRTHS_SLICE: u32 = 16_384;

impl Aggregator {
    /// Keeps every number readable until `unpin`. Returns what `PageSeries::born` will be for the next
    /// series.
    pub fn pin(&self) -> u64 {
        let mut registry = self.lock();
        registry.pins += 1;
        registry.contexts.next_born()
    }

    pub fn unpin(&self) {
        let mut registry = self.lock();
        registry.pins = registry.pins.saturating_sub(1);
        if registry.pins == 0 {
            for id in std::mem::take(&mut registry.limbo) {
                registry.contexts.bury(id);
            }
        }
    }

    /// Appends the series in sight that were born inside `born`, among a slice of the numbers from
    /// `from` on. Returns where the next slice begins, `None` behind the last.
    pub fn births(&self, from: ContextId, born: Range<u64>, out: &mut Vec<ContextId>) -> Option<ContextId> {
        let registry = self.lock();
        let end = registry.contexts.end();
        let to = end.min(from.saturating_add(BIRTHS_SLICE));
        let seen = |id: &ContextId| {
            registry.contexts.get(*id).is_some_and(|c| c.flags & HIDDEN == 0)
                && born.contains(&registry.contexts.born(*id))
        };
        out.extend((from..to).filter(seen));
        (to < end).then_some(to)
    }

    /// Shows the series of `ids` in that order, `None` for one that is not in sight.
    pub fn read(&self, ids: &[ContextId], visit: &mut dyn FnMut(ContextId, Option<PageSeries<'_>>)) {
        let registry = self.lock();
        let mut key = String::new();
        for id in ids {
            registry.read(*id, &mut key, visit);
        }
    }
}

impl Registry {
    fn read(
        &self,
        id: ContextId,
        key: &mut String,
        visit: &mut dyn FnMut(ContextId, Option<PageSeries<'_>>),
    ) {
        let Some(context) = self.contexts.get(id).filter(|c| c.flags & HIDDEN == 0) else {
            return visit(id, None);
        };
        key.clear();
        self.contexts.read_key(id, key);
        let value = match context.kind {
            Kind::Counter => PageValue::Counter {
                total: f64::from_bits(context.bits),
                monotonic: context.flags & super::context::NEGATIVE == 0,
            },
            Kind::Gauge => PageValue::Gauge(f64::from_bits(context.bits)),
            Kind::Set => match self.sets.get(context.bits) {
                Some(set) => PageValue::Set(set.closed.unwrap_or_else(|| set.current.estimate())),
                None => return visit(id, None),
            },
            Kind::Timer | Kind::Histogram | Kind::Distribution => {
                match self.distributions.get(context.bits) {
                    Some(state) => PageValue::Distribution(state.page()),
                    None => return visit(id, None),
                }
            }
        };
        visit(
            id,
            Some(PageSeries {
                born: self.contexts.born(id),
                key: Key(key),
                kind: context.kind,
                treatment: &self.treatments[context.treatment as usize],
                start_ns: u64::from(context.start_s) * 1_000_000_000,
                value,
            }),
        );
    }
}
