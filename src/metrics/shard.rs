//! One intake thread's share of the aggregation: what a known context costs is decided here.
//!
//! A batch is taken in two passes over groups of messages: decode and look up all forms, then apply.
//! The look-ups of a group do not depend on each other, so the processor overlaps their cache misses
//! and a million contexts cost hardly more than ten thousand. No lock, no allocation and no clock on
//! the path of a message whose form is known. A new form goes the slow way (`resolve`); what was
//! gathered goes to the registry by hand-over (`hand_over`). Next: `registry`.

use super::aggregator::Inner;
use super::context::ContextId;
use super::control::Control;
use super::forms::{FormHash, Forms, RULED_OUT, Target};
use super::tally::Tally;
use super::top::Top;
use crate::statsd::{Dialect, Form, Kind, Line, Metric, Reject, messages};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Messages decoded before they are applied: a group and what it points at stay in the first cache.
const GROUP: usize = 64;
/// Values of timers and members of sets kept before they go to the registry. Folding them keeps the thread from
/// its socket: 2,048 of 2,000 contexts took a millisecond, in which a default receive buffer overflows.
const SAMPLES: usize = 256;
/// Kept, at most, while somebody else holds the registry.
const MOST_SAMPLES: usize = 2_048;
/// One message in this many is looked at for the busiest names; a prime, so that no rhythm of an app
/// hides from it.
const TOP_EVERY: u32 = 251;
/// Different weights (sample rates) among the samples kept.
const WEIGHTS: usize = 16;

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
    /// Values in order of arrival, bounded by `MOST_SAMPLES`: folded into sketches and sets in blocks.
    pub(super) samples: Vec<Sample>,
    /// The weights that samples refer to; the first is 1.
    pub(super) weights: Vec<f64>,
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

/// A timer's value or a set member's hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) bits: u64,
    pub(super) slot: u32,
    /// Index into `Shard::weights`.
    pub(super) weight: u32,
}

const _: () = assert!(size_of::<Sample>() == 16);

/// How far a hand-over is.
#[derive(Debug, Default)]
pub(super) struct HandOver {
    /// The number being worked on and the slot to go on with.
    pub(super) running: Option<(u64, usize)>,
    pub(super) done: u64,
    pub(super) windows: u64,
    /// Whether idle slots grow older in this one.
    pub(super) ages: bool,
}

/// A message between the two passes.
struct Decoded<'a> {
    hash: FormHash,
    target: Option<Target>,
    metric: Metric<'a>,
}

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
            samples: Vec::new(),
            weights: vec![1.0],
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
            for line in messages(packet, self.dialect) {
                match line {
                    Ok(Line::Metric(metric)) => {
                        group.push(Decoded { hash: self.hash(&metric), target: None, metric });
                        if group.len() == GROUP {
                            self.apply_group(&mut group, now_ns);
                        }
                    }
                    Ok(Line::Event(event)) => self.note(Ok(event), now_ns),
                    Ok(Line::Check(check)) => self.note(Err(check), now_ns),
                    Err(refused) => self.tally.reject(refused.reason, refused.message, now_ns),
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

    #[inline]
    fn hash(&self, metric: &Metric<'_>) -> FormHash {
        let hash = FormHash::new(self.aggregator.key, metric.kind, metric.name, metric.tags);
        if self.aggregator.origin {
            hash.with_origin([metric.local, metric.external, metric.cardinality])
        } else {
            hash
        }
    }

    fn apply_group(&mut self, group: &mut Vec<Decoded<'_>>, now_ns: u64) {
        for decoded in group.iter_mut() {
            decoded.target = self.forms.find(decoded.hash);
        }
        let mut taken = 0;
        for decoded in &*group {
            taken += u64::from(self.apply(decoded, now_ns));
        }
        group.clear();
        self.tally.messages.add(taken);
    }

    /// Applies one message; says whether it was taken.
    #[inline]
    fn apply(&mut self, decoded: &Decoded<'_>, now_ns: u64) -> bool {
        let metric = &decoded.metric;
        if !metric.remarks.is_empty() {
            self.remark(metric);
        }
        if metric.timestamp.is_some() {
            return self.point(metric, now_ns);
        }
        let target = match decoded.target {
            Some(target) if target != RULED_OUT && self.slots[target as usize].flags & RETIRED == 0 => target,
            Some(RULED_OUT) => {
                self.tally.ruled_out.add(1);
                return false;
            }
            target => match self.resolve(decoded.hash, target, metric, now_ns) {
                Some(slot) => slot,
                None => return false,
            },
        };
        self.until_top -= 1;
        if self.until_top == 0 {
            self.until_top = TOP_EVERY;
            self.top.count(self.slots[target as usize].id, u64::from(TOP_EVERY));
        }
        let taken = self.apply_values(target, metric, now_ns);
        if !taken {
            self.tally.reject(Reject::BadValue, metric.values, now_ns);
        }
        taken
    }

    /// Applies the values of a message to its slot; nothing when one of them is bad.
    #[inline]
    fn apply_values(&mut self, at: u32, metric: &Metric<'_>, now_ns: u64) -> bool {
        let kind = self.slots[at as usize].kind;
        match kind {
            Kind::Counter => {
                let (mut sum, mut negative, mut count) = (0.0, false, 0);
                for number in metric.numbers() {
                    let Some(number) = number else { return false };
                    sum += number.value;
                    negative |= number.value < 0.0;
                    count += 1;
                }
                // Finite values may add up to more than a number can be.
                let change = sum * metric.weight;
                if !change.is_finite() {
                    return false;
                }
                let slot = &mut self.slots[at as usize];
                slot.value += change;
                slot.flags |= DIRTY | if negative { NEGATIVE } else { 0 };
                self.tally.values.add(count);
            }
            Kind::Gauge => {
                if metric.check_values().is_err() {
                    return false;
                }
                for number in metric.numbers().flatten() {
                    self.set_gauge(at, number.value, number.delta, now_ns);
                    self.tally.values.add(1);
                }
            }
            Kind::Timer | Kind::Histogram | Kind::Distribution => {
                let weight = self.weight(metric.weight);
                let before = self.samples.len();
                for number in metric.numbers() {
                    let Some(number) = number else {
                        self.samples.truncate(before);
                        return false;
                    };
                    self.samples.push(Sample { bits: number.value.to_bits(), slot: at, weight });
                }
                self.tally.values.add((self.samples.len() - before) as u64);
                self.slots[at as usize].flags |= DIRTY;
                self.fold_when_full();
            }
            Kind::Set => {
                let hash = xxh3_64_with_seed(metric.values, self.aggregator.key);
                self.samples.push(Sample { bits: hash, slot: at, weight: 0 });
                self.tally.values.add(1);
                self.slots[at as usize].flags |= DIRTY;
                self.fold_when_full();
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

    /// The index of a weight. Apps use few sample rates; with more than fit, samples are folded early.
    #[inline]
    fn weight(&mut self, weight: f64) -> u32 {
        if let Some(at) = self.weights.iter().position(|known| *known == weight) {
            return at as u32;
        }
        if self.weights.len() == WEIGHTS {
            self.fold_samples();
        }
        self.weights.push(weight);
        (self.weights.len() - 1) as u32
    }

    #[inline]
    fn fold_when_full(&mut self) {
        let kept = self.samples.len();
        if kept >= MOST_SAMPLES || (kept >= SAMPLES && !self.aggregator.registry.is_locked()) {
            self.fold_samples();
        }
    }

    #[cold]
    fn remark(&mut self, metric: &Metric<'_>) {
        for remark in metric.remarks.iter() {
            self.tally.remark(remark);
        }
    }
}

impl Drop for Shard {
    /// Also when the thread panicked: nobody may wait for it.
    fn drop(&mut self) {
        self.control.finish();
    }
}

#[cfg(test)]
mod tests;
