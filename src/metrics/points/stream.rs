//! The streams of points that are known: which series each belongs to, and where it stood last.
//!
//! A stream is one metric with one set of attributes from one resource and scope; several may be one series
//! (rules may drop what tells them apart). Known by 64 bits of a keyed hash, as forms are
//! (`docs/decisions/0005-forms-by-hash.md`). Bounded: streams of series that are gone are forgotten by and by, and
//! those that are idle when there are too many; `forgotten_ns` keeps what comes again from being counted twice. What
//! is new in a point is decided in `standing`.

use super::read::{Accumulation, Times};
use super::standing::Standing;
use super::total::Amount;
use crate::metrics::context::{ContextId, HIDDEN};
use crate::metrics::registry::Registry;
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;

/// Streams looked at before another thread may have the registry.
const SLICE: usize = 256;
/// Below this, no stream is looked for that could go.
const SWEEP_AT: usize = 4_096;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) series: ContextId,
    /// Tells the series from a later one of the same number.
    pub(super) born: u64,
    /// The registry's window of its last point.
    pub(super) window: u32,
    pub(super) standing: Standing,
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

    pub(super) fn forget(&mut self, hash: u64) -> Option<Stream> {
        self.known.remove(&hash)
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
                    *forgotten_ns = stream.standing.times.time_ns.min(now_ns).max(*forgotten_ns);
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
        Stream { series, born, window: 0, standing: Standing::default() }
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
        self.standing.went_on(times, how, now, now_ns);
    }

    /// Whether its series is the one that it belonged to.
    pub(super) fn is_alive(&self, registry: &Registry) -> bool {
        let in_sight = registry.contexts.get(self.series).is_some_and(|context| context.flags & HIDDEN == 0);
        in_sight && registry.contexts.born(self.series) == self.born
    }
}
