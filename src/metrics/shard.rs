//! One intake thread's share of the aggregation: what a known context costs is decided here.
//!
//! No lock, no allocation, no clock on the path of a message whose form is known.

use super::tally::Tally;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// State of one intake thread; not shared.
#[derive(Debug)]
pub struct Shard {
    tally: Arc<Tally>,
    control: Arc<Control>,
}

/// How others reach an intake thread: to ask for a hand-over, or for its end.
#[derive(Debug)]
pub struct Control {
    wake: OwnedFd,
    stop: AtomicBool,
}

impl Shard {
    /// Takes every message of a batch of packets, received at `now_ns` (Unix nanoseconds). Messages
    /// and refusals are counted in the tally; packets and bytes are the caller's to count.
    pub fn ingest<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, now_ns: u64) {
        let _ = (packets, now_ns);
    }

    /// Does one bounded step of a hand-over that was asked for; `true` while more remains. Cheap when
    /// nothing was asked. Call it between batches, and when `Control::wake_fd` becomes readable.
    pub fn hand_over(&mut self, now_ns: u64) -> bool {
        let _ = now_ns;
        false
    }

    /// The last hand-over, whole, at the end of the thread.
    pub fn finish(self, now_ns: u64) {
        let _ = now_ns;
    }

    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }
}

impl Control {
    /// Readable (an eventfd) when there is something to do; `clear_wake` makes it quiet again.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub fn clear_wake(&self) {}

    /// The thread should read what is left, hand over and end.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
