//! How a shard's gathered values reach the registry, in steps small enough to receive in between.
//!
//! Nothing is lost and nothing counted twice at whatever moment a hand-over comes: a slot is emptied in
//! the same hold of the lock in which the registry takes its value. Values that arrive while the steps
//! go on are in this hand-over or the next.

use super::registry::GaugeChange;
use super::samples::{ENOUGH, PARTS, Sample};
use super::shard::{ABSOLUTE, DIRTY, FREE, NEGATIVE, NO_SLOT, RETIRED, Shard};
use crate::statsd::Kind;
use parking_lot::MutexGuard;

/// Slots looked at, and slots handed over, under one hold of the lock.
const STEP_SLOTS: usize = 8_192;
const STEP_DIRTY: usize = 1_024;
/// Groups of samples folded before another thread may have the lock.
const FOLD_GROUPS: usize = 128;
/// Samples whose places in the registry are fetched at once, and stay in the first cache.
const FETCH: usize = 64;
/// Retired slots that are worth a sweep of the forms.
const SWEEP_AT: usize = 1_024;
/// An idle slot's age fits a byte; with more windows before expiry, it grows slower.
const OLDEST: u32 = 200;

impl Shard {
    /// Does one bounded step of a hand-over that was asked for; `true` while more remains. Cheap when
    /// nothing was asked. Call it between batches, and when `Control::wake_fd` becomes readable.
    pub fn hand_over(&mut self, now_ns: u64) -> bool {
        let _ = now_ns;
        let (number, from) = match self.hand_over.running {
            Some(running) => running,
            None => {
                let asked = self.control.asked();
                if asked == self.hand_over.done {
                    return false;
                }
                let windows = self.control.windows();
                let (step, _) = ageing(self.aggregator.expiry_windows);
                self.hand_over.ages =
                    windows != self.hand_over.windows && windows.is_multiple_of(u64::from(step));
                self.hand_over.windows = windows;
                self.several = self.aggregator.has_several_shards();
                self.hand_over.part = 0;
                (asked, 0)
            }
        };
        if self.fold_some() {
            self.hand_over.running = Some((number, from));
            return true;
        }
        match self.step(from) {
            Some(next) => {
                self.hand_over.running = Some((number, next));
                true
            }
            None => {
                self.end_hand_over(number);
                false
            }
        }
    }

    /// The last hand-over, whole, at the end of the thread.
    pub fn finish(mut self, now_ns: u64) {
        let _ = now_ns;
        self.hand_over.ages = false;
        self.fold_all();
        let mut from = 0;
        while let Some(next) = self.step(from) {
            from = next;
        }
        let mut registry = self.aggregator.registry.lock();
        for slot in self.slots.iter().filter(|slot| slot.flags & (RETIRED | FREE) == 0) {
            registry.contexts.let_go(slot.id);
        }
        self.top.empty_into(&mut registry.top);
    }

    /// Folds some of the parts that a hand-over has not folded yet; `true` while more remain.
    fn fold_some(&mut self) -> bool {
        let mut folded = 0;
        while self.hand_over.part < PARTS && folded < ENOUGH {
            folded += self.fold(self.hand_over.part);
            self.hand_over.part += 1;
        }
        self.hand_over.part < PARTS
    }

    pub(super) fn fold_all(&mut self) {
        for part in 0..PARTS {
            self.fold(part);
        }
    }

    /// Folds a part of the samples into the registry's sketches and sets, a block for each context; gives how many.
    #[inline(never)]
    pub(super) fn fold(&mut self, part: usize) -> usize {
        let samples = self.samples.take(part);
        if !samples.is_empty() {
            self.fold_into_registry(&samples);
        }
        let folded = samples.len();
        self.samples.give_back(part, samples);
        folded
    }

    /// Samples sorted by slots.
    fn fold_into_registry(&mut self, samples: &[Sample]) {
        let mut registry = self.aggregator.registry.lock();
        let mut block: Vec<(f64, f64)> = Vec::new();
        let (mut at, mut fetched) = (0, 0);
        for (n, group) in samples.chunk_by(|a, b| a.slot == b.slot).enumerate() {
            if at >= fetched {
                let next = samples[at..].iter().take(FETCH);
                registry.fetch(next.map(|sample| self.slots[sample.slot as usize].id));
                fetched = at + FETCH;
            }
            at += group.len();
            let slot = &mut self.slots[group[0].slot as usize];
            slot.flags &= !DIRTY;
            slot.idle = 0;
            if slot.kind == Kind::Set {
                registry.add_members(slot.id, group.iter().map(|sample| sample.bits));
            } else {
                block.clear();
                block.extend(group.iter().map(|s| (f64::from_bits(s.bits), self.samples.weight(s.weight))));
                registry.add_samples(slot.id, &block);
            }
            if n % FOLD_GROUPS == FOLD_GROUPS - 1 {
                MutexGuard::bump(&mut registry);
            }
        }
    }

    /// Hands over some slots from `from` on; gives where to go on.
    fn step(&mut self, from: usize) -> Option<usize> {
        let end = self.slots.len().min(from + STEP_SLOTS);
        let (_, oldest) = ageing(self.aggregator.expiry_windows);
        let mut registry = self.aggregator.registry.lock();
        let mut handed = 0;
        let mut at = from;
        while at < end && handed < STEP_DIRTY {
            let slot = &mut self.slots[at];
            if slot.flags & DIRTY != 0 {
                handed += 1;
                match slot.kind {
                    Kind::Counter => {
                        registry.add_counter(slot.id, slot.value, slot.flags & NEGATIVE != 0);
                        slot.value = 0.0;
                        slot.flags = 0;
                    }
                    Kind::Gauge => {
                        let change = if slot.flags & ABSOLUTE != 0 {
                            let time_ns = self.gauge_times.get(at).copied().unwrap_or_default();
                            GaugeChange::Absolute { value: slot.value, time_ns }
                        } else {
                            GaugeChange::Delta(slot.value)
                        };
                        registry.change_gauge(slot.id, change, self.several);
                        slot.value = 0.0;
                        slot.flags = 0;
                    }
                    // Their samples wait for the next fold, which clears the mark.
                    Kind::Timer | Kind::Histogram | Kind::Distribution | Kind::Set => {}
                }
                slot.idle = 0;
            } else if self.hand_over.ages && slot.flags & (RETIRED | FREE) == 0 {
                slot.idle = slot.idle.saturating_add(1);
                if slot.idle > oldest {
                    registry.contexts.let_go(slot.id);
                    self.slot_of[slot.id as usize] = NO_SLOT;
                    slot.flags = RETIRED;
                    self.retired += 1;
                }
            }
            at += 1;
        }
        (at < self.slots.len()).then_some(at)
    }

    fn end_hand_over(&mut self, number: u64) {
        self.hand_over.running = None;
        self.hand_over.done = number;
        let many_retired = self.retired > SWEEP_AT.max(self.slots.len() / 4);
        // Once in a window at most: a sweep looks at every form.
        if many_retired || (self.hand_over.ages && self.ruled_out_is_full()) {
            self.sweep();
        }
        self.tally.forms.set(self.forms.len() as u64);
        self.top.empty_into(&mut self.aggregator.registry.lock().top);
        self.control.finish_hand_over(number);
    }
}

/// Windows for each step of an idle slot's age, and the age that it may reach.
fn ageing(expiry_windows: u32) -> (u32, u8) {
    let step = expiry_windows.div_ceil(OLDEST).max(1);
    (step, expiry_windows.div_ceil(step) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_slot_goes_soon_after_expiry_and_never_before() {
        for windows in (1..3_000).chain([31_536_000]) {
            let (step, oldest) = ageing(windows);
            assert!(u32::from(oldest) <= OLDEST);
            let stays = u32::from(oldest) * step;
            assert!(stays >= windows && stays < windows + step, "{windows}: {step} {oldest}");
        }
    }
}
