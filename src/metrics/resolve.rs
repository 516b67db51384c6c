//! The slow way of a message: what a form never seen before means.
//!
//! Tags are split and sorted, rules applied, the context found or made, once per form; after that the
//! form's hash leads to the slot. Events, service checks and points with a client timestamp go from
//! here, too. Correct without the table of forms, only slower.

use super::context::ContextId;
use super::forms::{FormHash, RULED_OUT, Target};
use super::limits::Resolved;
use super::rules::Verdict;
use super::series::{Series, Value};
use super::shard::{FREE, NO_SLOT, RETIRED, Shard, Slot};
use crate::statsd::{CheckRef, EventRef, Kind, Metric, Note, Reject, form};
use std::sync::Arc;

/// Forms that rules drop, remembered at most, and the share of all forms that they may be: those of living
/// contexts must find room.
const RULED_OUT_FORMS: usize = 65_536;
const RULED_OUT_SHARE: usize = 4;

/// Forms of one context that may always be remembered. More are when the table is less than half full: an app
/// that writes its tags in ever other orders must leave room for its neighbours.
const FORMS_OF_ONE: u8 = 64;

/// Why a message has no context.
enum Without {
    Refused(Reject),
    RuledOut,
}

impl Shard {
    /// The slot of a message whose form is not known, or leads to a slot that was let go. `None` when
    /// the message is refused or ruled out (both are counted here).
    #[cold]
    pub(super) fn resolve(
        &mut self,
        hash: FormHash,
        old: Option<Target>,
        metric: &Metric<'_>,
        now_ns: u64,
    ) -> Option<u32> {
        // A form first seen earlier in this very group is known by now.
        if old.is_none()
            && let Some(target) = self.forms.find(hash)
            && target != RULED_OUT
            && self.slots[target as usize].flags & RETIRED == 0
        {
            return Some(target);
        }
        let (kind, treatment) = match self.read_form(metric) {
            Ok(read) => read,
            Err(Without::Refused(reason)) => {
                self.tally.reject(reason, metric.name, now_ns);
                return None;
            }
            Err(Without::RuledOut) => {
                self.tally.ruled_out.add(1);
                self.remember_ruled_out(hash);
                return None;
            }
        };
        if metric.check_values().is_err() {
            // Before a context is made that nobody would ever see.
            self.tally.reject(Reject::BadValue, metric.values.bytes, now_ns);
            return None;
        }
        let now_s = (now_ns / 1_000_000_000) as u32;
        let mut registry = self.aggregator.registry.lock();
        let (id, folded) = match registry.resolve(&self.key, kind.into(), treatment, now_s) {
            Resolved::Context(id) => (id, false),
            Resolved::Folded(id) => (id, true),
            Resolved::NoRoom => {
                drop(registry);
                self.tally.no_room.add(1);
                return None;
            }
        };
        let known = self.slot_of.get(id as usize).copied().unwrap_or(NO_SLOT);
        if known == NO_SLOT {
            registry.contexts.hold(id);
        }
        drop(registry);
        // The forms that lead to a retired slot are those of its own context: an overflow series must not
        // move in under them.
        let retired = old.filter(|at| !folded && *at != RULED_OUT);
        let slot = if known == NO_SLOT { self.new_slot(id, kind, retired) } else { known };
        if folded {
            self.tally.folded.add(1);
        } else if !self.remember(hash, slot) {
            self.tally.forms_refused.add(1);
        }
        self.several = self.aggregator.has_several_shards();
        Some(slot)
    }

    /// A point that keeps the client's time and skips aggregation; says whether it was taken.
    #[cold]
    pub(super) fn point(&mut self, metric: &Metric<'_>, now_ns: u64) -> bool {
        let (kind, treatment) = match self.read_form(metric) {
            Ok(read) => read,
            Err(Without::Refused(reason)) => {
                self.tally.reject(reason, metric.name, now_ns);
                return false;
            }
            Err(Without::RuledOut) => {
                self.tally.ruled_out.add(1);
                return false;
            }
        };
        let numbers = || metric.numbers().flatten().map(|number| number.value);
        // Finite values may add up to more than a number can be.
        let adds_up = || kind != Kind::Counter || numbers().sum::<f64>().is_finite();
        if metric.check_values().is_err() || !adds_up() {
            self.tally.reject(Reject::BadValue, metric.values.bytes, now_ns);
            return false;
        }
        let value = match kind {
            Kind::Counter => {
                let delta = numbers().sum();
                Value::Counter { delta, total: delta, monotonic: numbers().all(|v| v >= 0.0) }
            }
            Kind::Gauge | Kind::Timer | Kind::Histogram | Kind::Distribution | Kind::Set => {
                Value::Gauge(numbers().last().unwrap_or_default())
            }
        };
        let time_ns = metric.timestamp.unwrap_or_default().saturating_mul(1_000_000_000);
        let mut registry = self.aggregator.registry.lock();
        let treatment = Arc::clone(&registry.treatments[treatment as usize]);
        let key = self.key.as_str().into();
        let point = Series { key, kind, treatment, start_ns: time_ns, time_ns: Some(time_ns), value };
        let taken = registry.add_point(point);
        drop(registry);
        self.tally.timestamped.add(1);
        self.tally.timestamped_dropped.add(u64::from(!taken));
        true
    }

    /// Hands an event (`Ok`) or a service check (`Err`) to those that can carry it.
    #[cold]
    pub(super) fn note(&mut self, note: Result<EventRef<'_>, CheckRef<'_>>, now_ns: u64) {
        let now_s = now_ns / 1_000_000_000;
        let note = match note {
            Ok(event) => {
                self.tally.events.add(1);
                Note::Event(event.to_owned(now_s))
            }
            Err(check) => {
                self.tally.checks.add(1);
                Note::Check(check.to_owned(now_s))
            }
        };
        if self.aggregator.notes.try_send(note).is_err() {
            self.tally.events_dropped.add(1);
        }
    }

    /// Reads name and tags into `self.key`; gives the type that counts and the treatment.
    fn read_form(&mut self, metric: &Metric<'_>) -> Result<(Kind, u16), Without> {
        let form = &mut self.form;
        form::read_into(metric, self.dialect, &self.aggregator.limits, form).map_err(Without::Refused)?;
        for remark in form.remarks.iter() {
            self.tally.remark(remark);
        }
        if self.aggregator.origin {
            form.add_origin(metric, self.aggregator.entity.as_deref(), &self.aggregator.limits);
        }
        match self.aggregator.rules.apply(metric.kind, &mut form.name, &mut form.tags) {
            Verdict::Drop => Err(Without::RuledOut),
            Verdict::Keep { kind, treatment } => {
                self.key.clear();
                self.key.push_str(&form.name);
                for tag in &form.tags {
                    self.key.push('\n');
                    self.key.push_str(tag);
                }
                Ok((kind, treatment))
            }
        }
    }

    /// A slot for a context that has none here: the retired one that its form leads to, when there is one.
    fn new_slot(&mut self, id: ContextId, kind: Kind, retired: Option<u32>) -> u32 {
        let slot = Slot { value: 0.0, id, kind, flags: 0, idle: 0, forms: 0 };
        let at = match retired {
            Some(at) => {
                self.retired -= 1;
                self.slots[at as usize] = slot;
                at
            }
            None => match self.free.pop() {
                Some(at) => {
                    self.slots[at as usize] = slot;
                    at
                }
                None => {
                    self.slots.push(slot);
                    self.samples.share_out(self.slots.len());
                    (self.slots.len() - 1) as u32
                }
            },
        };
        if self.slot_of.len() <= id as usize {
            self.slot_of.resize(id as usize + 1, NO_SLOT);
        }
        self.slot_of[id as usize] = at;
        at
    }

    /// Leads a form to its slot from now on; says whether there was room.
    fn remember(&mut self, hash: FormHash, at: u32) -> bool {
        let slot = &mut self.slots[at as usize];
        if slot.forms >= FORMS_OF_ONE && self.forms.is_half_full() {
            return false;
        }
        slot.forms = slot.forms.saturating_add(1);
        self.forms.insert(hash, at)
    }

    /// Makes the next message of a dropped form cheap. When too many are remembered, those that come anew
    /// take the slow way, without the lock, until the next sweep.
    fn remember_ruled_out(&mut self, hash: FormHash) {
        if !self.ruled_out_is_full() && self.forms.find(hash).is_none() {
            self.ruled_out += usize::from(self.forms.insert(hash, RULED_OUT));
        }
    }

    pub(super) fn ruled_out_is_full(&self) -> bool {
        self.ruled_out >= RULED_OUT_FORMS.min(self.aggregator.forms_limit / RULED_OUT_SHARE)
    }

    /// Forgets the forms of retired slots, so that the slots can be used again; the forms that rules drop,
    /// too, when they are too many.
    pub(super) fn sweep(&mut self) {
        let slots = &self.slots;
        let keeps_ruled_out = !self.ruled_out_is_full();
        let keep = |target: Target| match target {
            RULED_OUT => keeps_ruled_out,
            at => slots[at as usize].flags & RETIRED == 0,
        };
        self.forms.retain(|target| keep(target).then_some(target));
        if !keeps_ruled_out {
            self.ruled_out = 0;
        }
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.flags & RETIRED != 0 {
                slot.flags = FREE;
                self.free.push(at as u32);
            }
        }
        self.retired = 0;
    }
}
