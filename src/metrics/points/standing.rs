//! Where a stream of points stood last, and so what is new in its next point.
//!
//! The decisions alone, shared by the series on `/metrics` (`stream`) and by the conversion for backends
//! (`convert`): what is a delta that came twice, a late total, an app that began anew, a gap. It must not know where
//! the points go.

use super::read::{Accumulation, Times};
use super::tally::{LeftOut, Remark};
use super::total::{Amount, New};
use crate::metrics::Class;

#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Of the last point.
    pub(super) times: Times,
    /// What the last point said; `None` unless cumulative.
    pub(super) last: Option<Amount>,
}

impl Standing {
    /// Takes a point for the last. `now` gets what was the last before.
    pub(super) fn went_on(&mut self, times: &Times, how: Accumulation, now: &mut Amount) {
        self.times = Times { start_ns: times.start_ns, time_ns: times.time_ns.max(self.times.time_ns) };
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
    ) -> Result<(New<'_>, Option<Remark>), LeftOut> {
        let last = &self.times;
        let both = |a: u64, b: u64| a > 0 && b > 0;
        match how {
            Accumulation::Last if both(point.time_ns, last.time_ns) && point.time_ns < last.time_ns => {
                Err(LeftOut::Stale)
            }
            Accumulation::Last => Ok((New::All, None)),
            Accumulation::Delta => {
                let twice = point == last && both(point.time_ns, point.start_ns);
                let gap = both(point.start_ns, last.time_ns) && point.start_ns > last.time_ns;
                if twice { Err(LeftOut::Stale) } else { Ok((New::All, gap.then_some(Remark::Gap))) }
            }
            Accumulation::Cumulative => {
                let starts = both(point.start_ns, last.start_ns).then(|| point.start_ns.cmp(&last.start_ns));
                let older = both(point.time_ns, last.time_ns) && point.time_ns < last.time_ns;
                match (starts, &self.last) {
                    (Some(std::cmp::Ordering::Less), _) => Err(LeftOut::Stale),
                    (Some(std::cmp::Ordering::Equal) | None, _) if older => Err(LeftOut::Stale),
                    (Some(std::cmp::Ordering::Equal) | None, Some(last)) => Ok((New::Since(last), None)),
                    // What it says now takes the place of what it said, whenever it began.
                    (_, Some(last)) if class == Class::OtlpUpDownSum => Ok((New::Since(last), None)),
                    (Some(std::cmp::Ordering::Greater), Some(_)) => Ok((New::All, Some(Remark::Reset))),
                    (_, None) => Ok((New::All, None)),
                }
            }
        }
    }
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
