//! The counters of one intake thread: written by that thread alone, read by everyone.
//!
//! Plain loads and stores (no read-modify-write), so that counting costs next to nothing on the path
//! of a message. Nothing here may lock on that path: samples of refused messages are rate-limited.

use crate::statsd::{Reject, Remark};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Only the owning thread may add.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one intake thread saw.
#[derive(Debug, Default)]
pub struct Tally {
    /// Datagrams, frames, or reads of a TCP stream.
    pub packets: Count,
    pub bytes: Count,
    /// Metric lines taken.
    pub messages: Count,
    /// Values inside them (packed messages hold several).
    pub values: Count,
    pub events: Count,
    pub checks: Count,
    pub events_dropped: Count,
    /// Points with a client timestamp, and those over the limit of a window.
    pub timestamped: Count,
    pub timestamped_dropped: Count,
    /// Messages that a rule told to drop.
    pub ruled_out: Count,
    /// Messages that went into an overflow series.
    pub folded: Count,
    /// Messages that found no room even in an overflow series.
    pub no_room: Count,
    /// Messages whose form was not remembered because the table of forms was full.
    pub forms_refused: Count,
    /// Forms held at the last hand-over.
    pub forms: Count,
    /// Packets larger than the limit, not read.
    pub oversized: Count,
    /// Frames with an impossible length, and streams cut inside a frame or line.
    pub bad_frames: Count,
    /// Connections accepted, and those refused because the limit was reached.
    pub connections: Count,
    pub connections_refused: Count,
    /// Datagrams that the kernel dropped because the receive buffer was full.
    pub kernel_dropped: Count,
    /// Receive calls, and how often the thread slept to let datagrams gather.
    pub wakeups: Count,
    pub waits: Count,
    rejected: [Count; Reject::COUNT],
    remarked: [Count; Remark::COUNT],
    samples: Mutex<[Option<Sample>; Reject::COUNT]>,
}

/// A refused message, kept for `/status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub time_ns: u64,
    /// At most 200 bytes of the message, escaped.
    pub message: String,
}

/// Bytes of a sample that are kept.
const SAMPLE_BYTES: usize = 200;
/// One sample a reason in this time.
const SAMPLE_EVERY_NS: u64 = 1_000_000_000;

impl Tally {
    pub fn reject(&self, reason: Reject, message: &[u8], now_ns: u64) {
        self.rejected[reason as usize].add(1);
        // Nobody waits here: a reader that holds the lock costs this sample, not the thread's time.
        let Some(mut samples) = self.samples.try_lock() else { return };
        let slot = &mut samples[reason as usize];
        if slot.as_ref().is_none_or(|s| now_ns.saturating_sub(s.time_ns) >= SAMPLE_EVERY_NS) {
            let shown = &message[..message.len().min(SAMPLE_BYTES)];
            *slot = Some(Sample { time_ns: now_ns, message: shown.escape_ascii().to_string() });
        }
    }

    pub fn remark(&self, remark: Remark) {
        self.remarked[remark as usize].add(1);
    }

    pub fn rejected(&self, reason: Reject) -> u64 {
        self.rejected[reason as usize].get()
    }

    pub fn remarked(&self, remark: Remark) -> u64 {
        self.remarked[remark as usize].get()
    }

    pub fn sample(&self, reason: Reject) -> Option<Sample> {
        self.samples.lock()[reason as usize].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_escaped_cut_and_rate_limited() {
        let tally = Tally::default();
        tally.reject(Reject::BadValue, b"a:\xff\n|c", 5);
        tally.reject(Reject::BadValue, b"b:y|c", 6);
        assert_eq!(tally.rejected(Reject::BadValue), 2);
        assert_eq!(tally.sample(Reject::BadValue).unwrap().message, "a:\\xff\\n|c");
        tally.reject(Reject::BadValue, &[b'x'; 500], 5 + SAMPLE_EVERY_NS);
        assert_eq!(tally.sample(Reject::BadValue).unwrap().message.len(), SAMPLE_BYTES);
    }
}
