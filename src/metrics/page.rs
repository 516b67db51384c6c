//! How the `/metrics` page reads the registry: by context number, in slices, one hold of the lock each.
//!
//! A page pins the registry while it is made: numbers of contexts that go meanwhile are not given to
//! others until it ends, so a number always means one context or none. Pages may overlap for ever: what
//! waits only for pages that have ended must not wait for later ones, too.

use super::aggregator::Aggregator;
use super::class::Class;
use super::context::{ContextId, HIDDEN};
use super::points::Total;
use super::registry::Registry;
use super::series::{Key, PageSeries, PageValue};
use std::collections::VecDeque;
use std::ops::Range;

/// Contexts looked at for births under one hold of the lock.
const BIRTHS_SLICE: u32 = 16_384;
/// Contexts buried under one hold of the lock.
const BURIED_SLICE: usize = 1_024;

/// Contexts that are gone but may still be named by pages under way.
#[derive(Debug, Default)]
pub(super) struct Limbo {
    /// The pages under way by what was next to be born at their begin, ascending.
    pages: Vec<u64>,
    /// What is gone, with what was next to be born then, ascending.
    gone: VecDeque<(u64, ContextId)>,
}

impl Limbo {
    /// Takes a removed context when a page may name it; says whether it did.
    pub(super) fn take(&mut self, id: ContextId, next_born: u64) -> bool {
        let is_read = !self.pages.is_empty();
        if is_read {
            self.gone.push_back((next_born, id));
        }
        is_read
    }

    /// A context that no page under way can name any more.
    fn release(&mut self) -> Option<ContextId> {
        let oldest = self.pages.first().copied().unwrap_or(u64::MAX);
        self.gone.pop_front_if(|(born, _)| *born < oldest).map(|(_, id)| id)
    }

    pub(super) fn len(&self) -> usize {
        self.gone.len()
    }
}

impl Aggregator {
    /// Keeps every number readable until `unpin`. Returns what `PageSeries::born` will be for the next
    /// series, which is also the name of this pin.
    pub fn pin(&self) -> u64 {
        let mut registry = self.lock();
        let pin = registry.contexts.next_born();
        registry.limbo.pages.push(pin);
        pin
    }

    pub fn unpin(&self, pin: u64) {
        let mut registry = self.lock();
        if let Ok(at) = registry.limbo.pages.binary_search(&pin) {
            registry.limbo.pages.remove(at);
        }
        drop(registry);
        while self.lock().bury_some() {}
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
    /// Gives back a slice of the numbers that pages waited for; `true` when there may be more.
    fn bury_some(&mut self) -> bool {
        for _ in 0..BURIED_SLICE {
            let Some(id) = self.limbo.release() else { return false };
            self.contexts.bury(id);
        }
        true
    }

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
        let value = match context.class {
            Class::Counter => PageValue::Counter {
                total: f64::from_bits(context.bits),
                monotonic: context.flags & super::context::NEGATIVE == 0,
            },
            Class::Gauge => PageValue::Gauge(f64::from_bits(context.bits)),
            Class::Set => match self.sets.get(context.bits) {
                Some(set) => PageValue::Set(set.closed.unwrap_or_else(|| set.current.estimate())),
                None => return visit(id, None),
            },
            Class::Timer | Class::Histogram | Class::Distribution => {
                match self.distributions.get(context.bits) {
                    Some(state) => PageValue::Distribution(state.page()),
                    None => return visit(id, None),
                }
            }
            Class::OtlpSum
            | Class::OtlpUpDownSum
            | Class::OtlpGauge
            | Class::OtlpHistogram
            | Class::OtlpExponentialHistogram
            | Class::OtlpSummary => match self.totals.get(context.bits) {
                Some(total) => total.page(),
                None => return visit(id, None),
            },
        };
        let total = context.class.statsd().is_none().then(|| self.totals.get(context.bits)).flatten();
        visit(
            id,
            Some(PageSeries {
                born: self.contexts.born(id),
                key: Key(key),
                class: context.class,
                treatment: &self.treatments[context.treatment as usize],
                meta: total.and_then(Total::meta),
                start_ns: total.map_or_else(|| context.start_ns(), Total::start_ns),
                value,
            }),
        );
    }
}
