//! Where a stream of points stood last, and so what is new in its next point.
//!
//! The decisions alone, shared by the series on `/metrics` (`stream`) and by the conversion for backends
//! (`convert`): what is a delta that came twice, a late total, an app that began anew, a gap. It must not know where
//! the points go.

use super::read::{Accumulation, Times};
use super::tally::{LeftOut, Remark};
use super::total::{Amount, New};
use crate::metrics::Class;
use std::cmp::Ordering;

/// A time this far ahead was told by a clock that was wrong: it says nothing about what comes after it.
const AHEAD_NS: u64 = 300_000_000_000;

#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Of the last point.
    pub(super) times: Times,
    /// What the last point said; `None` unless cumulative.
    pub(super) last: Option<Amount>,
}

impl Standing {
    /// Takes a point for the last. `now` gets what was the last before.
    pub(super) fn went_on(&mut self, times: &Times, how: Accumulation, now: &mut Amount, now_ns: u64) {
        let before_ns = if is_ahead(self.times.time_ns, now_ns) { 0 } else { self.times.time_ns };
        self.times = Times { start_ns: times.start_ns, time_ns: times.time_ns.max(before_ns) };
        if how == Accumulation::Cumulative {
            match &mut self.last {
                Some(last) => std::mem::swap(last, now),
                None => self.last = Some(now.clone()),
            }
        }
    }

    /// What is new in the next point.
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
