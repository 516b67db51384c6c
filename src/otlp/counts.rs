//! How many spans, data points or log records came, by protocol, and how many were refused, by protocol and reason.
//!
//! Counted where the answer to the client is decided, read by `/status` and by own metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where they come from, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Otlp,
    Datadog,
    Zipkin,
}

/// Why some were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusedFor {
    /// No queue has room.
    QueueFull,
    /// The agent ends.
    Shutdown,
    /// It is faulty; its neighbours were taken.
    Invalid,
}

/// The counters of one signal. What was received is sent, dropped by a reason, or waits; what was refused is its
/// client's, which was told.
#[derive(Debug, Default)]
pub struct Counts {
    received: [AtomicU64; Protocol::ALL.len()],
    refused: [[AtomicU64; RefusedFor::ALL.len()]; Protocol::ALL.len()],
}

impl Protocol {
    pub const ALL: [Protocol; 3] = [Protocol::Otlp, Protocol::Datadog, Protocol::Zipkin];

    /// As a label value.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Otlp => "otlp",
            Protocol::Datadog => "datadog",
            Protocol::Zipkin => "zipkin",
        }
    }
}

impl RefusedFor {
    pub const ALL: [RefusedFor; 3] = [RefusedFor::QueueFull, RefusedFor::Shutdown, RefusedFor::Invalid];

    /// As a label value.
    pub fn name(self) -> &'static str {
        match self {
            RefusedFor::QueueFull => "queue_full",
            RefusedFor::Shutdown => "shutdown",
            RefusedFor::Invalid => "invalid",
        }
    }
}

impl Counts {
    pub(super) fn received(&self, from: Protocol, items: u64) {
        self.received[from as usize].fetch_add(items, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, from: Protocol, reason: RefusedFor, items: u64) {
        self.refused[from as usize][reason as usize].fetch_add(items, Ordering::Relaxed);
    }

    pub fn received_of(&self, from: Protocol) -> u64 {
        self.received[from as usize].load(Ordering::Relaxed)
    }

    pub fn received_total(&self) -> u64 {
        Protocol::ALL.into_iter().map(|from| self.received_of(from)).sum()
    }

    pub fn refused_of(&self, from: Protocol, reason: RefusedFor) -> u64 {
        self.refused[from as usize][reason as usize].load(Ordering::Relaxed)
    }

    pub fn refused_total(&self) -> u64 {
        let of = |from| RefusedFor::ALL.into_iter().map(move |reason| self.refused_of(from, reason));
        Protocol::ALL.into_iter().flat_map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_at_its_own_place() {
        for (at, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(protocol as usize, at);
        }
        for (at, reason) in RefusedFor::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
    }
}
