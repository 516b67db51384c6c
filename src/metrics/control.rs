//! How the rest of the house reaches an intake thread: one eventfd and a few words.
//!
//! The thread looks here between batches and when the eventfd wakes it; nobody ever waits for it
//! under a lock.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

/// What an intake thread is asked to do, and how far it is.
#[derive(Debug)]
pub struct Control {
    wake: File,
    stop: AtomicBool,
    /// Hand-overs asked for and done, counted.
    asked: AtomicU64,
    done: AtomicU64,
    /// Windows closed: a hand-over that sees a new one lets idle slots age.
    windows: AtomicU64,
    finished: AtomicBool,
    changed: Notify,
}

impl Control {
    pub(super) fn new() -> io::Result<Control> {
        Ok(Control {
            wake: eventfd()?,
            stop: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            done: AtomicU64::new(0),
            windows: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    /// Readable when there is something to do; `clear_wake` makes it quiet again.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub fn clear_wake(&self) {
        // Not readable any more is just what was wanted.
        let _ = (&self.wake).read(&mut [0; 8]);
    }

    /// Asks the thread to read what is left, hand over and end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Asks for a hand-over; gives its number for `wait`.
    pub(super) fn ask(&self, window_closed: bool) -> u64 {
        if window_closed {
            self.windows.fetch_add(1, Ordering::Release);
        }
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        number
    }

    /// Waits until hand-over `number` is done, or the thread has ended.
    pub(super) async fn wait(&self, number: u64) {
        loop {
            let changed = self.changed.notified();
            if self.done.load(Ordering::Acquire) >= number || self.finished.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }

    /// For tests that drive a shard by hand: the next hand-over counts as done.
    #[cfg(test)]
    pub(super) fn pretend_idle(&self) {
        self.done.store(u64::MAX, Ordering::Release);
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    pub(super) fn windows(&self) -> u64 {
        self.windows.load(Ordering::Acquire)
    }

    pub(super) fn finish_hand_over(&self, number: u64) {
        self.done.store(number, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// The thread has made its last hand-over.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    fn wake(&self) {
        // A full counter is readable all the same.
        let _ = (&self.wake).write(&1u64.to_ne_bytes());
    }
}

fn eventfd() -> io::Result<File> {
    #[allow(unsafe_code, reason = "no library in the tree offers eventfd")]
    // SAFETY: eventfd takes plain integers and touches no memory of ours; the descriptor it returns
    // is new, so the File is its only owner.
    unsafe {
        let fd = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(File::from_raw_fd(fd)) }
    }
}
