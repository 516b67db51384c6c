//! The streams of points that are known: which series each belongs to, and where it stood last.
//!
//! A stream is one metric with one set of attributes from one resource and scope; several may be one series
//! (rules may drop what tells them apart). Known by 64 bits of a keyed hash, as forms are
//! (`docs/decisions/0005-forms-by-hash.md`). Bounded: streams of series that are gone are forgotten by and by, and
//! those that are idle when there are too many; `forgotten_ns` keeps what comes again from being counted twice.

use super::read::{Accumulation, Times};
use super::tally::{LeftOut, Remark};
use super::total::{Amount, New};
use crate::metrics::Class;
use crate::metrics::context::{ContextId, HIDDEN};
use crate::metrics::registry::Registry;
use parking_lot::{Mutex, MutexGuard};
use std::cmp::Ordering;
use std::collections::HashMap;

/// Streams looked at before another thread may have the registry.
const SLICE: usize = 256;
/// Below this, no stream is looked for that could go.
const SWEEP_AT: usize = 4_096;
/// A time this far ahead was told by a clock that was wrong: it says nothing about what comes after it.
const AHEAD_NS: u64 = 300_000_000_000;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) series: ContextId,
    /// Tells the series from a later one of the same number.
    pub(super) born: u64,
    /// Of its last point.
    pub(super) times: Times,
    /// The registry's window of its last point.
    pub(super) window: u32,
    /// What its last point said; `None` unless cumulative.
    pub(super) last: Option<Amount>,
}

#[derive(Debug)]
pub(super) struct Streams {
    known: HashMap<u64, Stream>,
    limit: usize,
    /// The latest time of a stream that was forgotten, in Unix nanoseconds.
    forgotten_ns: u64,
    /// The window of the last sweep in need.
    swept: u32,
    /// Streams from which on it is worth to look for those whose series are gone.
    sweep_at: usize,
}

impl Streams {
    pub(super) fn new(limit: usize) -> Streams {
        Streams { known: HashMap::new(), limit, forgotten_ns: 0, swept: 0, sweep_at: SWEEP_AT }
    }

    pub(super) fn get(&mut self, hash: u64) -> Option<&mut Stream> {
        self.known.get_mut(&hash)
    }

    pub(super) fn forget(&mut self, hash: u64) {
        self.known.remove(&hash);
    }

    pub(super) fn insert(&mut self, hash: u64, stream: Stream) {
        self.known.insert(hash, stream);
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn forgotten_ns(&self) -> u64 {
        self.forgotten_ns
    }

    /// Whether one more has room, after a look at what may go: when as many came as were there, and in need, then
    /// once a window.
    pub(super) fn has_room(&mut self, registry: &Mutex<Registry>, expiry_windows: u32, now_ns: u64) -> bool {
        let has_room = self.known.len() < self.limit;
        if has_room && self.known.len() < self.sweep_at {
            return true;
        }
        let mut registry = registry.lock();
        let window = registry.window;
        if !has_room && std::mem::replace(&mut self.swept, window) == window {
            return false;
        }
        let mut n = 0;
        self.known.retain(|_, stream| {
            n += 1;
            if n % SLICE == 0 {
                MutexGuard::bump(&mut registry);
            }
            stream.is_alive(&registry)
        });
        // What follows may take long, and asks the registry for nothing.
        drop(registry);
        if self.known.len() >= self.limit {
            let forgotten_ns = &mut self.forgotten_ns;
            self.known.retain(|_, stream| {
                let stays = window.saturating_sub(stream.window) <= expiry_windows;
                if !stays {
                    // A clock that is ahead must not make all other streams look known.
                    *forgotten_ns = stream.times.time_ns.min(now_ns).max(*forgotten_ns);
                }
                stays
            });
        }
        self.sweep_at = (2 * self.known.len()).max(SWEEP_AT);
        self.known.shrink_to(self.sweep_at);
        self.known.len() < self.limit
    }
}

impl Stream {
    pub(super) fn new(series: ContextId, born: u64) -> Stream {
        Stream { series, born, times: Times::default(), window: 0, last: None }
    }

    /// Takes a point for the last. `now` gets what was the last before.
    pub(super) fn went_on(
        &mut self,
        times: &Times,
        window: u32,
        how: Accumulation,
        now: &mut Amount,
        now_ns: u64,
    ) {
        self.window = window;
        let before_ns = if is_ahead(self.times.time_ns, now_ns) { 0 } else { self.times.time_ns };
        self.times = Times { start_ns: times.start_ns, time_ns: times.time_ns.max(before_ns) };
        if how == Accumulation::Cumulative {
            match &mut self.last {
                Some(last) => std::mem::swap(last, now),
                None => self.last = Some(now.clone()),
            }
        }
    }

    /// Whether its series is the one that it belonged to.
    pub(super) fn is_alive(&self, registry: &Registry) -> bool {
        let in_sight = registry.contexts.get(self.series).is_some_and(|context| context.flags & HIDDEN == 0);
        in_sight && registry.contexts.born(self.series) == self.born
    }

    /// What is new in its next point.
    #[inline]
    pub(super) fn next(
        &self,
        point: &Times,
        how: Accumulation,
        class: Class,
        now_ns: u64,
    ) -> Result<(New<'_>, Option<Remark>), LeftOut> {
        let last = &self.times;
        let both = |a: u64, b: u64| a > 0 && b > 0;
        let older = both(point.time_ns, last.time_ns)
            && point.time_ns < last.time_ns
            && !is_ahead(last.time_ns, now_ns);
        match how {
            Accumulation::Last if older => Err(LeftOut::Stale),
            Accumulation::Last => Ok((New::All, None)),
            Accumulation::Delta => {
                let twice = point == last && both(point.time_ns, point.start_ns);
                let gap = both(point.start_ns, last.time_ns) && point.start_ns > last.time_ns;
                if twice { Err(LeftOut::Stale) } else { Ok((New::All, gap.then_some(Remark::Gap))) }
            }
            Accumulation::Cumulative => {
                let starts = both(point.start_ns, last.start_ns).then(|| {
                    let starts = point.start_ns.cmp(&last.start_ns);
                    if is_ahead(last.start_ns, now_ns) { starts.max(starts.reverse()) } else { starts }
                });
                match (starts, &self.last) {
                    (Some(Ordering::Less), _) => Err(LeftOut::Stale),
                    (Some(Ordering::Equal) | None, _) if older => Err(LeftOut::Stale),
                    (Some(Ordering::Equal) | None, Some(last)) => Ok((New::Since(last), None)),
                    // What it says now takes the place of what it said, whenever it began.
                    (_, Some(last)) if class == Class::OtlpUpDownSum => Ok((New::Since(last), None)),
                    (Some(Ordering::Greater), Some(_)) => Ok((New::All, Some(Remark::Reset))),
                    (_, None) => Ok((New::All, None)),
                }
            }
        }
    }
}

fn is_ahead(time_ns: u64, now_ns: u64) -> bool {
    time_ns > now_ns.saturating_add(AHEAD_NS)
}

/// What is new in the first point of a stream. `fresh`: its series has no value yet. `forgotten_ns`: streams that
/// began before this may have been known, and be in the series' total.
pub(super) fn first(
    point: &Times,
    how: Accumulation,
    fresh: bool,
    forgotten_ns: u64,
) -> (New<'static>, Option<Remark>) {
    match how {
        Accumulation::Last | Accumulation::Delta => (New::All, None),
        Accumulation::Cumulative if fresh => (New::All, None),
        Accumulation::Cumulative if point.start_ns == 0 => (New::Nothing, Some(Remark::UnknownStart)),
        Accumulation::Cumulative if point.start_ns <= forgotten_ns => (New::Nothing, Some(Remark::Gap)),
        Accumulation::Cumulative => (New::All, None),
    }
}
