//! The books of one backend: every point, record, span or client payload that was offered stands in
//! exactly one column.
//!
//! A closed list of reasons says why something was lost; the same words stand in `/status`, in the
//! labels of `pillion_backend_dropped_total` and in the documentation.

/// Why something was lost at a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// The queue had no room: the oldest went, or new spans were not taken.
    QueueFull,
    /// A passing fault did not pass within `retry_elapsed`.
    RetriesExhausted,
    /// One series, note or span alone is larger than the backend takes.
    TooLarge,
    /// The backend refused the payload for what it holds.
    Poison,
    /// The credentials were refused for as long as `retry_elapsed`.
    Unauthorized,
    /// The backend took the payload but for these.
    Partial,
    /// The backend cannot carry this kind of data.
    Unsupported,
    /// Not delivered before the deadline of the shutdown.
    Shutdown,
    /// To be made a delta: a total whose beginning is not known.
    UnknownStart,
    /// To be made a delta: a total of which a part may have been sent, nobody knows which.
    Gap,
    /// To be converted: an older total than the last, or a point that came twice.
    Stale,
    /// To be converted: a value or buckets that cannot be.
    BadValue,
    /// To be converted, and there are more streams of points than are remembered.
    TooManyStreams,
    /// To be converted, and the budget of memory had no room for a copy.
    NoBudget,
}

impl Reason {
    pub const COUNT: usize = 14;

    pub const ALL: [Reason; Reason::COUNT] = [
        Reason::QueueFull,
        Reason::RetriesExhausted,
        Reason::TooLarge,
        Reason::Poison,
        Reason::Unauthorized,
        Reason::Partial,
        Reason::Unsupported,
        Reason::Shutdown,
        Reason::UnknownStart,
        Reason::Gap,
        Reason::Stale,
        Reason::BadValue,
        Reason::TooManyStreams,
        Reason::NoBudget,
    ];

    /// As a label value.
    pub fn name(self) -> &'static str {
        match self {
            Reason::QueueFull => "queue_full",
            Reason::RetriesExhausted => "retries_exhausted",
            Reason::TooLarge => "too_large",
            Reason::Poison => "poison",
            Reason::Unauthorized => "unauthorized",
            Reason::Partial => "partial",
            Reason::Unsupported => "unsupported",
            Reason::Shutdown => "shutdown",
            Reason::UnknownStart => "unknown_start",
            Reason::Gap => "gap",
            Reason::Stale => "stale",
            Reason::BadValue => "bad_value",
            Reason::TooManyStreams => "too_many_streams",
            Reason::NoBudget => "no_budget",
        }
    }
}

/// Points, records, spans and client payloads by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub offered: u64,
    pub waiting: u64,
    /// Taken off the queue, not yet settled.
    pub in_flight: u64,
    pub sent: u64,
    dropped: [u64; Reason::COUNT],
    /// Payloads, not points: how often one was sent again.
    pub retried: u64,
}

impl Ledger {
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped[reason as usize]
    }

    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// The invariant of this module.
    pub fn balanced(&self) -> bool {
        self.offered == self.sent + self.dropped_total() + self.waiting + self.in_flight
    }

    pub(super) fn offer(&mut self, n: u64) {
        self.offered += n;
        self.waiting += n;
        debug_assert!(self.balanced());
    }

    /// From waiting to in flight.
    pub(super) fn take(&mut self, n: u64) {
        self.waiting -= n;
        self.in_flight += n;
        debug_assert!(self.balanced());
    }

    /// From in flight to delivered.
    pub(super) fn send(&mut self, n: u64) {
        self.in_flight -= n;
        self.sent += n;
        debug_assert!(self.balanced());
    }

    /// From in flight to lost.
    pub(super) fn drop_in_flight(&mut self, reason: Reason, n: u64) {
        self.in_flight -= n;
        self.dropped[reason as usize] += n;
        debug_assert!(self.balanced());
    }

    /// From waiting to lost.
    pub(super) fn drop_waiting(&mut self, reason: Reason, n: u64) {
        self.waiting -= n;
        self.dropped[reason as usize] += n;
        debug_assert!(self.balanced());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_at_their_own_place() {
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
        let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Reason::COUNT);
    }
}
