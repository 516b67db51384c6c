//! The loop of a datagram thread, UDP and Unix: drain, give a portion to the consumer, hand over, wait.
//!
//! It never waits while the socket holds anything, never wakes when there is nothing to do, and does
//! not end before it has read what the kernel held when the end was asked for. Nothing that comes from
//! the network ends it. Next: `statsd/message.rs`, by way of the consumer, `metrics/shard.rs`.

use super::consumer::Consumer;
use super::drain::{Drain, pause};
use super::loss::Loss;
use super::pace::Pace;
use super::running::Worker;
use super::turns;
use std::io;
use std::time::Duration;

/// Datagrams read after the end was asked for, at most: senders may go on sending for ever. More than
/// a receive buffer of 32 MiB holds.
const LAST_DATAGRAMS: u64 = 65_536;
/// Between two looks at the kernel's drops, be the socket never empty or empty after each datagram: a look is
/// a system call. Where the thread wakes anyhow, from a pause or for a hand-over, it looks at once.
const CHECK_NS: u64 = 100_000_000;
/// A pause after a failed call, so that a lasting fault does not take a core.
const FAULT_PAUSE: Duration = Duration::from_millis(100);

/// Runs until the consumer says that it is stopping. Without a `pace` (Unix sockets, where the sender
/// waits for room and the kernel drops nothing) it blocks whenever the socket is empty.
pub(super) fn run<C: Consumer>(
    drain: Drain,
    pace: Option<Pace>,
    consumer: C,
    worker: &Worker,
    clock: fn() -> u64,
) {
    if let Err(error) = turns::ask_for_short_ones() {
        tracing::debug!(%error, "the kernel gives this thread no turns of its own length");
    }
    // Drops are counted from zero: what was lost between bind and serve is lost as well.
    let losses = Losses { drops: 0, checked_ns: clock(), read: 0 };
    let mut thread = Thread { drain, pace, consumer, worker, losses, gathered: 0, gathered_bytes: 0 };
    while !thread.consumer.stopping() {
        let now_ns = clock();
        let more = thread.step(now_ns);
        let more_to_hand_over = thread.consumer.hand_over(now_ns);
        if !more && !more_to_hand_over {
            thread.rest(now_ns, clock);
        }
    }
    thread.gathered = 0;
    while thread.step(clock()) && thread.gathered < LAST_DATAGRAMS {}
    while thread.give(clock()) {}
    let now_ns = clock();
    thread.losses.check(&thread.drain, &thread.consumer, worker, now_ns);
    thread.consumer.finish(now_ns);
}

struct Thread<'w, C> {
    drain: Drain,
    pace: Option<Pace>,
    consumer: C,
    worker: &'w Worker,
    losses: Losses,
    /// Datagrams and bytes since the socket was empty last.
    gathered: u64,
    gathered_bytes: u64,
}

impl<C: Consumer> Thread<'_, C> {
    /// Takes what the kernel holds and gives a portion of it; `true` when more is there, or likely.
    fn step(&mut self, now_ns: u64) -> bool {
        let tally = self.consumer.tally();
        tally.wakeups.add(1);
        let batch = match self.drain.receive() {
            Ok(batch) => batch,
            Err(error) => {
                self.fault("receiving", &error);
                return false;
            }
        };
        if batch.datagrams > 0 {
            tally.packets.add(batch.datagrams as u64);
            tally.bytes.add(batch.bytes as u64);
            if batch.oversized > 0 {
                tally.oversized.add(batch.oversized as u64);
            }
            self.gathered += batch.datagrams as u64;
            self.gathered_bytes += batch.bytes as u64;
            self.losses.read += batch.datagrams as u64;
        }
        let was_full = self.drain.is_full();
        self.give(now_ns) || was_full
    }

    /// Gives a portion of what was taken to the consumer; `true` when more of it is left.
    fn give(&mut self, now_ns: u64) -> bool {
        if self.drain.is_empty() {
            return false;
        }
        self.consumer.take(self.drain.portion(), now_ns);
        if now_ns.saturating_sub(self.losses.checked_ns) >= CHECK_NS {
            self.losses.check(&self.drain, &self.consumer, self.worker, now_ns);
        }
        !self.drain.is_empty()
    }

    /// The socket was empty a moment ago: sleeps while more gathers, or until more comes.
    fn rest(&mut self, now_ns: u64, clock: fn() -> u64) {
        let (datagrams, bytes) = (self.gathered, self.gathered_bytes);
        (self.gathered, self.gathered_bytes) = (0, 0);
        let sleep = self.pace.as_mut().and_then(|pace| pace.emptied(datagrams, bytes, now_ns));
        let woken = match sleep {
            Some(sleep) => {
                self.consumer.tally().waits.add(1);
                pause(self.consumer.wake_fd(), sleep)
            }
            None => {
                if now_ns.saturating_sub(self.losses.checked_ns) >= CHECK_NS {
                    self.check_since_read(now_ns);
                }
                let woken = self.drain.wait(self.consumer.wake_fd());
                if matches!(woken, Ok(true)) {
                    // What was dropped before the traffic stopped counts in the window that now ends.
                    self.check_since_read(clock());
                }
                woken
            }
        };
        match woken {
            Ok(true) => self.consumer.clear_wake(),
            Ok(false) => {}
            Err(error) => self.fault("waiting", &error),
        }
        if let (Some(_), Some(pace)) = (sleep, &mut self.pace) {
            let now_ns = clock();
            let queued = self.losses.check(&self.drain, &self.consumer, self.worker, now_ns);
            pace.slept(queued, now_ns);
        }
    }

    /// Nothing was dropped where nothing was read since the last look, nor on a Unix socket.
    fn check_since_read(&mut self, now_ns: u64) {
        if self.losses.read > 0 && self.pace.is_some() {
            self.losses.check(&self.drain, &self.consumer, self.worker, now_ns);
        }
    }

    fn fault(&self, doing: &str, error: &io::Error) {
        self.worker.fault(doing, error);
        match pause(self.consumer.wake_fd(), FAULT_PAUSE) {
            Ok(true) => self.consumer.clear_wake(),
            Ok(false) => {}
            Err(_) => std::thread::park_timeout(FAULT_PAUSE),
        }
    }
}

/// Watches the kernel's count of datagrams that found the receive buffer full.
struct Losses {
    /// The kernel's count as last seen; it wraps at 32 bits.
    drops: u32,
    checked_ns: u64,
    /// Datagrams read since then.
    read: u64,
}

impl Losses {
    /// Counts new drops; returns the bytes of memory that the queue holds now.
    fn check<C: Consumer>(&mut self, drain: &Drain, consumer: &C, worker: &Worker, now_ns: u64) -> u32 {
        let since_ns = now_ns.saturating_sub(self.checked_ns);
        let read = std::mem::take(&mut self.read);
        self.checked_ns = now_ns;
        let Some(memory) = drain.meminfo() else { return 0 };
        let dropped = memory.drops.wrapping_sub(self.drops);
        if dropped > 0 {
            self.drops = memory.drops;
            consumer.tally().kernel_dropped.add(dropped.into());
            worker.lost(Loss { time_ns: now_ns, dropped: dropped.into(), read, since_ns });
        }
        memory.queued
    }
}

#[cfg(test)]
mod tests;
