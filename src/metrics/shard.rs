//! One intake thread's share of the aggregation: what a known context costs is decided here.
//!
//! A batch is taken in two passes over groups of messages: decode and look up all forms, then apply.
//! The look-ups of a group do not depend on each other, so the processor overlaps their cache misses
//! and a million contexts cost hardly more than ten thousand (`docs/decisions/0011-cache-misses.md`).
//! No lock, no allocation and no clock on the path of a message whose form is known. A new form goes
//! the slow way (`resolve`); what was gathered goes to the registry by hand-over (`hand_over`).
//! Next: `registry`.

use super::aggregator::Inner;
use super::context::ContextId;
use super::control::Control;
use super::forms::{FormHash, Forms, RULED_OUT, Target};
use super::samples::{Sample, Samples};
use super::tally::Tally;
use super::top::Top;
use crate::statsd::{Dialect, Form, Kind, Line, Metric, Reject, Values, messages};
use std::hint::black_box;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Messages decoded before they are applied: a group and what it points at stay in the first cache.
const GROUP: usize = 64;
/// One message in this many is looked at for the busiest names; a prime, so that no rhythm of an app
/// hides from it.
const TOP_EVERY: u32 = 251;

/// State of one intake thread; not shared.
#[derive(Debug)]
pub struct Shard {
    pub(super) aggregator: Arc<Inner>,
    pub(super) tally: Arc<Tally>,
    pub(super) control: Arc<Control>,
    pub(super) dialect: Dialect,
    pub(super) forms: Forms,
    pub(super) slots: Vec<Slot>,
    /// The slot of each context that this shard knows, by the context's number.
    pub(super) slot_of: Vec<u32>,
    pub(super) free: Vec<u32>,
    pub(super) retired: usize,
    pub(super) ruled_out: usize,
    pub(super) samples: Samples,
    /// When each gauge was set, by slot; only kept when several shards may set one gauge.
    pub(super) gauge_times: Vec<u64>,
    pub(super) several: bool,
    pub(super) hand_over: HandOver,
    pub(super) top: Top,
    until_top: u32,
    pub(super) form: Form,
    pub(super) key: String,
}

/// What a thread gathers for one context between two hand-overs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// A counter's change, or a gauge's value or change.
    pub(super) value: f64,
    pub(super) id: ContextId,
    pub(super) kind: Kind,
    pub(super) flags: u8,
    /// Hand-overs at a window's end since the last message, in steps of `HandOver::idle_step`.
    pub(super) idle: u8,
    /// Forms that lead here, as far as they were counted.
    pub(super) forms: u8,
}

const _: () = assert!(size_of::<Slot>() == 16);

/// There is something to hand over.
pub(super) const DIRTY: u8 = 1;
/// A counter received a negative value.
pub(super) const NEGATIVE: u8 = 2;
/// A gauge received an absolute value.
pub(super) const ABSOLUTE: u8 = 4;
/// Idle too long: its context was let go, its forms still lead here.
pub(super) const RETIRED: u8 = 8;
/// Not in use; no form leads here.
pub(super) const FREE: u8 = 16;

/// A context without a slot in this shard.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// How far a hand-over is.
#[derive(Debug, Default)]
pub(super) struct HandOver {
    /// The number being worked on and the slot to go on with.
    pub(super) running: Option<(u64, usize)>,
    /// The part of the samples to go on with; they come before the slots.
    pub(super) part: usize,
    pub(super) done: u64,
    pub(super) windows: u64,
    /// Whether idle slots grow older in this one.
    pub(super) ages: bool,
}

/// What the second pass needs of a message whose form is known.
struct Decoded<'a> {
    hash: FormHash,
    target: Option<Target>,
    values: Values<'a>,
    weight: f64,
    /// The packet from this message on, to read it again where its form is not known.
    packet: &'a [u8],
}

/// More would be copied by a call for each message.
const _: () = assert!(size_of::<Decoded>() <= 96);

impl Shard {
    pub(super) fn new(
        aggregator: Arc<Inner>,
        tally: Arc<Tally>,
        control: Arc<Control>,
        dialect: Dialect,
    ) -> Shard {
        let forms = Forms::new(aggregator.forms_limit);
        Shard {
            aggregator,
            tally,
            control,
            dialect,
            forms,
            slots: Vec::new(),
            slot_of: Vec::new(),
            free: Vec::new(),
            retired: 0,
            ruled_out: 0,
            samples: Samples::new(),
            gauge_times: Vec::new(),
            several: false,
            hand_over: HandOver::default(),
            top: Top::default(),
            until_top: TOP_EVERY,
            form: Form::default(),
            key: String::new(),
        }
    }

    /// Takes every message of a batch of packets, received at `now_ns` (Unix nanoseconds). Messages
    /// and refusals are counted in the tally; packets and bytes are the caller's to count.
    pub fn ingest<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, now_ns: u64) {
        let mut group: Vec<Decoded<'a>> = Vec::with_capacity(GROUP);
        for packet in packets {
            let mut lines = messages(packet, self.dialect);
            loop {
                if let Some((metric, packet)) = lines.plain() {
                    if has_no_extras(&metric) {
                        let hash = self.hash(&metric);
                        let Metric { values, weight, .. } = metric;
                        group.push(Decoded { hash, target: None, values, weight, packet });
                        if group.len() == GROUP {
                            self.apply_group(&mut group, now_ns);
                        }
                    } else {
                        self.apply_group(&mut group, now_ns);
                        self.apply_rare(&metric, now_ns);
                    }
                    continue;
                }
                match lines.next() {
                    Some(Ok(Line::Metric(metric))) => {
                        self.apply_group(&mut group, now_ns);
                        self.apply_rare(&metric, now_ns);
                    }
                    Some(Ok(Line::Event(event))) => self.note(Ok(event), now_ns),
                    Some(Ok(Line::Check(check))) => self.note(Err(check), now_ns),
                    Some(Err(refused)) => self.tally.reject(refused.reason, refused.message, now_ns),
                    None => break,
                }
            }
        }
        self.apply_group(&mut group, now_ns);
    }

    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Inlined, so that the rest of a metric need not lie in memory.
    #[inline(always)]
    fn hash(&self, metric: &Metric<'_>) -> FormHash {
        let hash = FormHash::new(self.aggregator.key, metric.kind, metric.name, metric.tags);
        if self.aggregator.origin {
            hash.with_origin([metric.local, metric.external, metric.cardinality])
        } else {
            hash
        }
    }

    #[inline(never)]
    fn apply_group(&mut self, group: &mut Vec<Decoded<'_>>, now_ns: u64) {
        // Misses overlap only while nothing between the reads depends on what they give.
        black_box(group.iter().fold(0, |all, decoded| all ^ self.forms.fetch(decoded.hash)));
        for decoded in group.iter_mut() {
            decoded.target = self.forms.find(decoded.hash);
        }
        let slot = |decoded: &Decoded<'_>| self.slots.get(decoded.target? as usize);
        black_box(group.iter().filter_map(slot).fold(0, |all, slot| all ^ slot.id));
        let mut taken = 0;
        for decoded in &*group {
            let dialect = self.dialect;
            let read = || read_again(decoded.packet, dialect);
            let slot = self.slot(decoded.hash, decoded.target, read, now_ns);
            let Some(slot) = slot else { continue };
            taken += u64::from(self.apply(slot, &decoded.values, decoded.weight, now_ns));
        }
        group.clear();
        self.tally.messages.add(taken);
    }

    /// Applies a message that is not alone in its line, has its own time or something to remark on.
    #[cold]
    #[inline(never)]
    fn apply_rare(&mut self, metric: &Metric<'_>, now_ns: u64) {
        for remark in metric.remarks.iter() {
            self.tally.remark(remark);
        }
        let taken = if metric.timestamp.is_some() {
            self.point(metric, now_ns)
        } else {
            let hash = self.hash(metric);
            match self.slot(hash, self.forms.find(hash), || Some(*metric), now_ns) {
                Some(slot) => self.apply(slot, &metric.values, metric.weight, now_ns),
                None => false,
            }
        };
        self.tally.messages.add(u64::from(taken));
    }

    /// The slot that a form leads to; one that leads nowhere needs the whole message. `None` when that is not taken.
    #[inline]
    fn slot<'a>(
        &mut self,
        hash: FormHash,
        target: Option<Target>,
        metric: impl FnOnce() -> Option<Metric<'a>>,
        now_ns: u64,
    ) -> Option<u32> {
        match target {
            Some(RULED_OUT) => {
                self.tally.ruled_out.add(1);
                None
            }
            Some(target) if self.slots[target as usize].flags & RETIRED == 0 => Some(target),
            target => self.resolve(hash, target, &metric()?, now_ns),
        }
    }

    /// Applies a message to its slot; says whether it was taken.
    #[inline(always)]
    fn apply(&mut self, slot: u32, values: &Values<'_>, weight: f64, now_ns: u64) -> bool {
        self.until_top -= 1;
        if self.until_top == 0 {
            self.until_top = TOP_EVERY;
            self.top.count(self.slots[slot as usize].id, u64::from(TOP_EVERY));
        }
        let taken = self.apply_values(slot, values, weight, now_ns);
        if !taken {
            self.tally.reject(Reject::BadValue, values.bytes, now_ns);
        }
        taken
    }

    /// Applies the values of a message to its slot; nothing when one of them is bad.
    #[inline(always)]
    fn apply_values(&mut self, at: u32, values: &Values<'_>, weight: f64, now_ns: u64) -> bool {
        let kind = self.slots[at as usize].kind;
        match kind {
            Kind::Counter => {
                let (mut sum, mut negative, mut count) = (0.0, false, 0);
                for number in values.numbers() {
                    let Some(number) = number else { return false };
                    sum += number.value;
                    negative |= number.value < 0.0;
                    count += 1;
                }
                // Finite values may add up to more than a number can be.
                let change = sum * weight;
                if !change.is_finite() {
                    return false;
                }
                let slot = &mut self.slots[at as usize];
                slot.value += change;
                slot.flags |= DIRTY | if negative { NEGATIVE } else { 0 };
                self.tally.values.add(count);
            }
            Kind::Gauge => {
                if !values.are_numbers() {
                    return false;
                }
                for number in values.numbers().flatten() {
                    self.set_gauge(at, number.value, number.delta, now_ns);
                    self.tally.values.add(1);
                }
            }
            Kind::Timer | Kind::Histogram | Kind::Distribution => {
                let weight = self.weight_number(weight);
                let part = self.samples.part_of(at);
                let samples = self.samples.part(part);
                let before = samples.len();
                for number in values.numbers() {
                    let Some(number) = number else {
                        samples.truncate(before);
                        return false;
                    };
                    samples.push(Sample { bits: number.value.to_bits(), slot: at, weight });
                }
                self.tally.values.add((samples.len() - before) as u64);
                self.slots[at as usize].flags |= DIRTY;
                self.fold_when_due(part);
            }
            Kind::Set => {
                let hash = xxh3_64_with_seed(values.bytes, self.aggregator.key);
                let part = self.samples.part_of(at);
                self.samples.part(part).push(Sample { bits: hash, slot: at, weight: 0 });
                self.tally.values.add(1);
                self.slots[at as usize].flags |= DIRTY;
                self.fold_when_due(part);
            }
        }
        true
    }

    #[inline]
    fn set_gauge(&mut self, at: u32, value: f64, delta: bool, now_ns: u64) {
        let slot = &mut self.slots[at as usize];
        if delta {
            slot.value += value;
            slot.flags |= DIRTY;
            return;
        }
        slot.value = value;
        slot.flags |= DIRTY | ABSOLUTE;
        if self.several {
            if self.gauge_times.len() <= at as usize {
                self.gauge_times.resize(self.slots.len(), 0);
            }
            self.gauge_times[at as usize] = now_ns;
        }
    }

    /// The number of a weight. Apps use few sample rates; with more than fit, samples are folded early.
    #[inline]
    fn weight_number(&mut self, weight: f64) -> u32 {
        loop {
            match self.samples.number(weight) {
                Some(number) => return number,
                None => self.fold_all(),
            }
        }
    }

    #[inline]
    fn fold_when_due(&mut self, part: usize) {
        if self.samples.is_due(part, || self.aggregator.registry.is_locked()) {
            self.fold(part);
        }
    }
}

/// The metric that was read from here before.
#[cold]
#[inline(never)]
fn read_again(packet: &[u8], dialect: Dialect) -> Option<Metric<'_>> {
    match messages(packet, dialect).next() {
        Some(Ok(Line::Metric(metric))) => Some(metric),
        Some(_) | None => None,
    }
}

/// Whether a message is its name, type, tags, values and weight, and nothing else that would have to be kept.
#[inline]
fn has_no_extras(metric: &Metric<'_>) -> bool {
    metric.remarks.is_empty() && metric.timestamp.is_none()
}

impl Drop for Shard {
    /// Also when the thread panicked: nobody may wait for it.
    fn drop(&mut self) {
        self.control.finish();
    }
}

#[cfg(test)]
mod tests;
