//! One point: from its stream to its series.
//!
//! A known stream leads to its series by its number alone; the first point of a stream is named, ruled and given a
//! series, without the registry's lock as far as that goes. Every way out is an `Ok` (the point is shown) or a
//! reason.

use super::key::{self, Place};
use super::read::{Accumulation, Facts};
use super::standing;
use super::stream::Stream;
use super::tally::{LeftOut, Remark};
use super::total::{Amount, Found, New};
use super::{Meta, Points, Taken, Taking};
use crate::metrics::Class;
use crate::metrics::context::{ContextId, HIDDEN, OVERFLOW};
use crate::metrics::limits::Resolved;
use crate::metrics::registry::Registry;
use std::sync::Arc;

impl Points {
    /// Adds a point to its series. `now`, its value, may be exchanged for one of no more use.
    pub(super) fn take_point(
        &self,
        taking: &mut Taking,
        taken: &Taken<'_>,
        facts: &Facts<'_>,
        hash: u64,
        now: &mut Amount,
    ) -> Result<(), LeftOut> {
        let how = taken.how.ok_or(LeftOut::NoTemporality)?;
        if let Some(stream) = taking.streams.get(hash) {
            let mut registry = self.aggregator.lock();
            if stream.is_alive(&registry) {
                if facts.ended {
                    let is_gone = registry.end(stream.series);
                    drop(registry);
                    if is_gone {
                        taking.streams.forget(hash);
                    }
                    self.tally.remark(Remark::Ended);
                    return Ok(());
                }
                let (new, remark) = stream.standing.next(&facts.times, how, taken.class, taken.now_ns)?;
                let found = registry.add_to_total(stream.series, now, new, taken.class);
                stream.went_on(&facts.times, registry.window, how, now, taken.now_ns);
                drop(registry);
                self.remark(remark, found);
                return Ok(());
            }
        }
        if facts.ended {
            self.tally.remark(Remark::Ended);
            return Ok(());
        }
        self.take_first(taking, taken, facts, hash, now, how)
    }

    /// The first point of a stream that is not known.
    #[cold]
    fn take_first(
        &self,
        taking: &mut Taking,
        taken: &Taken<'_>,
        facts: &Facts<'_>,
        hash: u64,
        now: &mut Amount,
        how: Accumulation,
    ) -> Result<(), LeftOut> {
        let inner = &self.aggregator.inner();
        let place = Place {
            around: taken.around,
            metric: taken.metric,
            class: taken.class,
            unit: &taken.unit,
            attributes: facts.attributes,
        };
        let named = key::name(&place, &inner.rules, &inner.limits)?;
        let has_room = taking.streams.has_room(&inner.registry, inner.expiry_windows, taken.now_ns);
        // Where a cumulative stream stood must be known, or it would count again and again.
        if !has_room && how == Accumulation::Cumulative {
            return Err(LeftOut::NoRoom);
        }
        let meta = taking.metas.get(taken.metric.description, &taken.unit);
        let now_s = (taken.now_ns / 1_000_000_000) as u32;
        let mut registry = inner.registry.lock();
        let (series, folded) = match registry.resolve(&named.key, taken.class, named.treatment, now_s) {
            Resolved::Context(id) => (id, false),
            Resolved::Folded(id) => (id, true),
            Resolved::NoRoom => return Err(LeftOut::NoRoom),
        };
        // Others that fold are asked for anew, so that they get a series of their own once there is room.
        let keeps = has_room && !(folded && how != Accumulation::Cumulative);
        let fresh = registry.contexts.at(series).flags & HIDDEN != 0;
        if fresh {
            registry.begin_total(series, meta, facts.times.start_ns.min(taken.now_ns));
        }
        let (new, remark) = standing::first(&facts.times, how, fresh, taking.streams.forgotten_ns());
        let found = registry.add_to_total(series, now, new, taken.class);
        let (born, window) = (registry.contexts.born(series), registry.window);
        drop(registry);
        self.remark(remark, found);
        if folded {
            self.tally.remark(Remark::Folded);
        }
        if keeps {
            let mut stream = Stream::new(series, born);
            stream.went_on(&facts.times, window, how, now, taken.now_ns);
            taking.streams.insert(hash, stream);
            if how == Accumulation::Cumulative && taken.class == Class::OtlpUpDownSum {
                taking.up_downs.begin(hash);
            }
        }
        Ok(())
    }

    /// Counts some points for the names with the most messages.
    pub(super) fn count_for_top(&self, taking: &mut Taking, hash: u64, points: u64) {
        if let Some(stream) = taking.streams.get(hash) {
            self.aggregator.lock().top.count(stream.series, points);
        }
    }

    fn remark(&self, remark: Option<Remark>, found: Found) {
        let found = [found.reset.then_some(Remark::Reset), found.rebinned.then_some(Remark::Rebinned)];
        for remark in remark.into_iter().chain(found.into_iter().flatten()) {
            self.tally.remark(remark);
        }
    }
}

impl Registry {
    /// Gives a series that comes into sight its words and its beginning.
    fn begin_total(&mut self, id: ContextId, meta: Arc<Meta>, start_ns: u64) {
        let bits = self.contexts.at(id).bits;
        if let Some(total) = self.totals.get_mut(bits) {
            (total.meta, total.start_ns) = (Some(meta), start_ns);
        }
    }

    fn add_to_total(&mut self, id: ContextId, now: &Amount, new: New<'_>, class: Class) -> Found {
        let bits = self.touch(id).bits;
        match self.totals.get_mut(bits) {
            Some(total) => total.take(now, new, class),
            None => Found::default(),
        }
    }

    /// Takes a series out of sight whose app says that it has no value; says whether it did. An overflow series
    /// has values of others, too, and stays with what is in it.
    fn end(&mut self, id: ContextId) -> bool {
        let context = *self.contexts.at(id);
        if context.flags & OVERFLOW != 0 {
            return false;
        }
        if self.may_remove() {
            self.remove_context(id);
        } else {
            self.hide(id, context);
        }
        true
    }
}
