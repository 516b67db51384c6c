//! Timers' values and sets' members on their way from messages to the registry's sketches and sets.
//!
//! What one value needs there is eight places in memory, of which with some thousand contexts hardly any is in a
//! cache. So values wait, in parts by neighbouring slots: a part that is folded walks through the registry's
//! memory in order, and finds several values of a context at once. Every part is bounded, and small enough to be
//! folded while a receive buffer fills. Folding itself is `hand_over`'s.

/// The slots are shared out over this many parts, of some kilobytes each.
pub(super) const PARTS: usize = 16;
/// Values of a part that are folded as soon as nobody else holds the registry. Folding keeps the thread from its
/// socket: 2,048 of 2,000 contexts took a millisecond, in which a default receive buffer overflows.
pub(super) const ENOUGH: usize = 512;
/// Kept in a part, at most, while somebody else holds the registry.
const MOST: usize = 1_024;
/// Different weights (sample rates) among the values kept.
const WEIGHTS: usize = 16;

/// A timer's value or a set member's hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) bits: u64,
    pub(super) slot: u32,
    /// See [`Samples::weight`].
    pub(super) weight: u32,
}

const _: () = assert!(size_of::<Sample>() == 16);

/// The values that one shard keeps, each part in order of arrival.
#[derive(Debug)]
pub(super) struct Samples {
    parts: [Vec<Sample>; PARTS],
    /// Slots whose numbers agree but for this many bits share a part.
    shift: u32,
    /// What the kept values' weights are numbers of; the first is 1.
    weights: Vec<f64>,
}

impl Samples {
    pub(super) fn new() -> Self {
        Samples { parts: Default::default(), shift: 0, weights: vec![1.0] }
    }

    /// Shares `slots` slots out anew. What is kept stays where it is: a slot may be in two parts then, once.
    pub(super) fn share_out(&mut self, slots: usize) {
        while slots > PARTS << self.shift {
            self.shift += 1;
        }
    }

    #[inline]
    pub(super) fn part_of(&self, slot: u32) -> usize {
        ((slot >> self.shift) as usize).min(PARTS - 1)
    }

    #[inline]
    pub(super) fn part(&mut self, part: usize) -> &mut Vec<Sample> {
        &mut self.parts[part]
    }

    /// Whether a part should be folded; `locked`: it would have to wait for the registry.
    #[inline]
    pub(super) fn is_due(&self, part: usize, locked: impl FnOnce() -> bool) -> bool {
        let kept = self.parts[part].len();
        kept >= MOST || (kept >= ENOUGH && !locked())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.iter().all(Vec::is_empty)
    }

    /// The number of a weight; `None` when there are too many: they can be told apart again once all is folded.
    #[inline]
    pub(super) fn number(&mut self, weight: f64) -> Option<u32> {
        let known = self.weights.iter().position(|known| *known == weight);
        let number = match known {
            Some(number) => number,
            None if self.weights.len() == WEIGHTS => return None,
            None => {
                self.weights.push(weight);
                self.weights.len() - 1
            }
        };
        Some(number as u32)
    }

    #[inline]
    pub(super) fn weight(&self, number: u32) -> f64 {
        self.weights[number as usize]
    }

    /// Takes a part out, sorted by slots, to be given back once it is folded.
    pub(super) fn take(&mut self, part: usize) -> Vec<Sample> {
        let mut samples = std::mem::take(&mut self.parts[part]);
        samples.sort_unstable_by_key(|sample| sample.slot);
        samples
    }

    /// Takes back what was folded, for its room. Without any value the weights begin anew.
    pub(super) fn give_back(&mut self, part: usize, mut folded: Vec<Sample>) {
        folded.clear();
        self.parts[part] = folded;
        if self.is_empty() {
            self.weights.truncate(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_part_and_neighbours_share_it() {
        let mut samples = Samples::new();
        for slots in 1..5_000 {
            samples.share_out(slots);
            let parts: Vec<_> = (0..slots as u32).map(|slot| samples.part_of(slot)).collect();
            assert!(parts.is_sorted() && *parts.last().unwrap() < PARTS);
            let largest = parts.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap();
            assert!(largest <= slots.div_ceil(PARTS).next_power_of_two(), "{slots}: {largest}");
        }
    }

    #[test]
    fn a_part_is_due_when_it_is_large_and_at_last_whoever_holds_the_registry() {
        let mut samples = Samples::new();
        for kept in 1..=MOST {
            samples.part(3).push(Sample { bits: 0, slot: 3, weight: 0 });
            assert_eq!(samples.is_due(3, || false), kept >= ENOUGH);
            assert_eq!(samples.is_due(3, || true), kept >= MOST);
        }
    }

    #[test]
    fn weights_keep_their_numbers_until_all_is_folded() {
        let mut samples = Samples::new();
        assert_eq!((samples.number(1.0), samples.number(2.5)), (Some(0), Some(1)));
        samples.part(0).push(Sample { bits: 0, slot: 0, weight: 1 });
        samples.part(5).push(Sample { bits: 0, slot: 5, weight: 1 });
        let folded = samples.take(0);
        samples.give_back(0, folded);
        assert_eq!((samples.weight(1), samples.number(4.0)), (2.5, Some(2)));
        for n in 3..WEIGHTS {
            assert_eq!(samples.number(n as f64 * 10.0), Some(n as u32));
        }
        assert_eq!((samples.number(7.0), samples.number(2.5)), (None, Some(1)));
        let folded = samples.take(5);
        samples.give_back(5, folded);
        assert_eq!((samples.is_empty(), samples.number(7.0)), (true, Some(1)));
    }
}
