//! Reading an order of series: keys by position, and searches in it.
//!
//! Each probe takes the registry's lock for one series, so searches start from where the page stands
//! and grow outwards: what they look for (`x_count` beside `x`) lies near.

use super::family::{self, Place, Type};
use super::name::Scheme;
use super::source::{SLICE_LONGEST, Source};
use std::ops::Range;

/// Series in page order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shelf<'a, S> {
    pub(super) source: &'a S,
    pub(super) ids: &'a [u32],
    pub(super) scheme: Scheme,
}

/// The oldest series of a family: it decides the family's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Oldest {
    pub(super) born: u64,
    pub(super) id: u32,
    pub(super) kind: Type,
}

/// Memory for searches, reused.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) place: Place,
    target: Vec<u8>,
}

impl<S: Source> Shelf<'_, S> {
    /// Puts the series at `at` into `place`; `false` when there is none.
    pub(super) fn place(&self, at: usize, place: &mut Place) -> bool {
        let Some(id) = self.ids.get(at) else { return false };
        let mut found = false;
        self.source.read(std::slice::from_ref(id), &mut |_, series| {
            if let Some(series) = series {
                place.of(&series, self.scheme);
                found = true;
            }
        });
        found
    }

    /// The first position whose key is not below `target`, searched from `hint` outwards.
    pub(super) fn seek(&self, target: &[u8], hint: usize, place: &mut Place) -> usize {
        let len = self.ids.len();
        // A series that is gone has no key: the next one behind it that is there answers for it.
        let mut below = |at: usize| {
            let there = (at..len).find(|at| self.place(*at, place)).is_some();
            there && place.key() < target
        };
        let hint = hint.min(len);
        let (mut low, mut high, mut step) = (hint, hint, 1);
        if hint < len && below(hint) {
            low = hint + 1;
            high = len;
            while low + step <= len {
                if !below(low + step - 1) {
                    high = low + step - 1;
                    break;
                }
                low += step;
                step *= 2;
            }
        } else {
            while low > 0 {
                let probe = low.saturating_sub(step);
                if below(probe) {
                    low = probe + 1;
                    break;
                }
                low = probe;
                high = probe;
                step *= 2;
            }
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if below(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Behind the last series of the family that stands at `from`.
    pub(super) fn family_end(&self, name: &str, from: usize, scratch: &mut Scratch) -> usize {
        family::last_key(name, &mut scratch.target);
        self.seek(&scratch.target, from, &mut scratch.place)
    }

    /// The first series of type `kind` in the family that stands at `from`.
    pub(super) fn type_start(&self, name: &str, kind: Type, from: usize, scratch: &mut Scratch) -> usize {
        family::first_key_of(name, kind, &mut scratch.target);
        self.seek(&scratch.target, from, &mut scratch.place)
    }

    /// Behind the last series of type `kind` in the family that stands at `from`.
    pub(super) fn type_end(&self, name: &str, kind: Type, from: usize, scratch: &mut Scratch) -> usize {
        family::last_key_of(name, kind, &mut scratch.target);
        self.seek(&scratch.target, from, &mut scratch.place)
    }

    /// Where a family of this name stands; empty when there is none.
    pub(super) fn family(&self, name: &str, hint: usize, scratch: &mut Scratch) -> Range<usize> {
        family::first_key(name, &mut scratch.target);
        let start = self.seek(&scratch.target, hint, &mut scratch.place);
        if !self.place(start, &mut scratch.place) || scratch.place.name() != name {
            return start..start;
        }
        start..self.family_end(name, start, scratch)
    }

    /// The oldest series inside a range; reads all of them, so only for what is in conflict.
    pub(super) fn oldest(&self, range: Range<usize>) -> Option<Oldest> {
        let mut oldest: Option<Oldest> = None;
        for slice in self.ids.get(range)?.chunks(SLICE_LONGEST) {
            self.source.read(slice, &mut |id, series| {
                let Some(series) = series else { return };
                if oldest.is_none_or(|o| series.born < o.born) {
                    oldest = Some(Oldest { born: series.born, id, kind: family::naming(&series).2 });
                }
            });
        }
        oldest
    }
}
