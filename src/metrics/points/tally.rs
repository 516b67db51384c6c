//! What became of the points: shown, left out and why, and what was noticed on the way.
//!
//! Shown and left out add up to the points that came. Nothing is left out without a reason here.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why a point is in no series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    BadName,
    ReservedName,
    TooLong,
    TooManyTags,
    RuledOut,
    NoRoom,
    BadValue,
    BadBuckets,
    NoTemporality,
    Stale,
}

impl LeftOut {
    pub const ALL: [LeftOut; 10] = [
        LeftOut::BadName,
        LeftOut::ReservedName,
        LeftOut::TooLong,
        LeftOut::TooManyTags,
        LeftOut::RuledOut,
        LeftOut::NoRoom,
        LeftOut::BadValue,
        LeftOut::BadBuckets,
        LeftOut::NoTemporality,
        LeftOut::Stale,
    ];

    /// The name in metrics, `/status` and documentation.
    pub fn name(self) -> &'static str {
        match self {
            LeftOut::BadName => "bad_name",
            LeftOut::ReservedName => "reserved_name",
            LeftOut::TooLong => "too_long",
            LeftOut::TooManyTags => "too_many_tags",
            LeftOut::RuledOut => "ruled_out",
            LeftOut::NoRoom => "no_room",
            LeftOut::BadValue => "bad_value",
            LeftOut::BadBuckets => "bad_buckets",
            LeftOut::NoTemporality => "no_temporality",
            LeftOut::Stale => "stale",
        }
    }

    /// One sentence for people.
    pub fn meaning(self) -> &'static str {
        match self {
            LeftOut::BadName => "the metric has no name",
            LeftOut::ReservedName => "the name belongs to pillion itself",
            LeftOut::TooLong => "the name or an attribute is longer than `limits` allow",
            LeftOut::TooManyTags => "there are more attributes than `limits` allow",
            LeftOut::RuledOut => "a rule says `drop`",
            LeftOut::NoRoom => "no series, and no stream of one, has room; see `metrics.context_limit`",
            LeftOut::BadValue => "a sum is negative or not finite, or there is no value",
            LeftOut::BadBuckets => "the buckets, quantiles or sum do not make a histogram or summary",
            LeftOut::NoTemporality => "a sum or histogram says neither delta nor cumulative",
            LeftOut::Stale => "an older point than the last of its stream, or a delta that came twice",
        }
    }
}

/// What was noticed on points that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    Reset,
    Gap,
    UnknownStart,
    Rebinned,
    Ended,
    Withdrawn,
    Folded,
}

impl Remark {
    pub const ALL: [Remark; 7] = [
        Remark::Reset,
        Remark::Gap,
        Remark::UnknownStart,
        Remark::Rebinned,
        Remark::Ended,
        Remark::Withdrawn,
        Remark::Folded,
    ];

    /// The name in metrics, `/status` and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Remark::Reset => "reset",
            Remark::Gap => "gap",
            Remark::UnknownStart => "unknown_start",
            Remark::Rebinned => "rebinned",
            Remark::Ended => "ended",
            Remark::Withdrawn => "withdrawn",
            Remark::Folded => "folded",
        }
    }

    /// One sentence for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Remark::Reset => "a cumulative stream began anew; its series goes on from where it was",
            Remark::Gap => {
                "the time before the point is not covered by any that came; what was in it is unknown"
            }
            Remark::UnknownStart => {
                "a cumulative point without a start, of a stream not known, on a series with a value: only what \
                 comes after it counts"
            }
            Remark::Rebinned => "a histogram's bounds changed; older counts moved to the buckets above them",
            Remark::Ended => "the app says that it has no value any more; the series is gone until the next",
            Remark::Withdrawn => {
                "a process fell silent while others of its series went on: what it said last is out of a sum that may fall"
            }
            Remark::Folded => "the point is in an overflow series, because a limit was reached",
        }
    }
}

/// Counters; written under the lock of the streams.
#[derive(Debug, Default)]
pub struct PointTally {
    shown: AtomicU64,
    left_out: [AtomicU64; LeftOut::ALL.len()],
    remarks: [AtomicU64; Remark::ALL.len()],
}

impl PointTally {
    /// Counts a point; gives how many there were before.
    pub(super) fn show(&self) -> u64 {
        self.shown.fetch_add(1, Relaxed)
    }

    pub(super) fn leave_out(&self, why: LeftOut) {
        self.left_out[why as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn remark(&self, remark: Remark) {
        self.remarks[remark as usize].fetch_add(1, Relaxed);
    }

    /// Points that are in a series.
    pub fn shown(&self) -> u64 {
        self.shown.load(Relaxed)
    }

    /// Points that nobody asked to leave out and that no other point stands for.
    pub fn lost(&self) -> u64 {
        let wanted = |why: &LeftOut| !matches!(why, LeftOut::RuledOut | LeftOut::Stale);
        LeftOut::ALL.into_iter().filter(wanted).map(|why| self.left_out(why)).sum()
    }

    pub fn left_out(&self, why: LeftOut) -> u64 {
        self.left_out[why as usize].load(Relaxed)
    }

    pub fn remarked(&self, remark: Remark) -> u64 {
        self.remarks[remark as usize].load(Relaxed)
    }
}
