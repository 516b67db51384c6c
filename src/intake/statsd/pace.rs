//! When a UDP thread that has emptied its socket should sleep a little, and how long.
//!
//! StatsD is not latency-sensitive: one wake-up for fifty datagrams costs far less than fifty. But the
//! receive buffer must never fill up because of a sleep, so a sleep is bounded by four things:
//!
//! - the configured time;
//! - the configured share of the buffer at the fastest rate seen of late (it decays, half in a second);
//! - a burst that nobody saw coming: a sender that begins at full speed (`BURST`) in the moment a sleep
//!   begins must not fill the buffer either, at the memory that datagrams take of late;
//! - the flow: where fewer than two datagrams are to be expected, blocking costs less than sleeping.
//!
//! Where the buffer is too small for a sleep, a flow of 40,000 datagrams a second and more is worth a nap. A thread
//! that blocks is woken by the sender, on the sender's own core when the machine is busy, and then waits for it to
//! pause while the buffer fills; one that a timer wakes is not (`docs/decisions/0010-small-receive-buffer.md`).
//!
//! Pure arithmetic over times and counts that the caller brings; it never sleeps itself.

use std::time::Duration;

/// Datagrams a nanosecond from a sender at full speed: a core that does nothing but `sendmmsg` over
/// loopback was measured at 0.23 datagrams a microsecond.
const BURST: f64 = 0.3e-3;
/// How late a sleep may end: the timers' slack, and getting a core in a busy virtual machine. A thread
/// that is awake when a burst begins does not run this risk, so what it costs stands against sleeping.
const LATE_NS: f64 = 250_000.0;
/// A shorter sleep is not worth its timer.
const SHORTEST_NS: f64 = 100_000.0;
/// A nap. That it may end late costs nothing beside blocking, which may, too.
const NAP_NS: f64 = 50_000.0;
/// The flow is a mean over about this time, so that it takes a while of traffic to begin sleeping.
const FLOW_NS: f64 = 5_000_000.0;
/// The fastest rate seen is forgotten by half in this time.
const PEAK_HALVES_NS: f64 = 1e9;
/// Datagrams that a sleep must gather to be worth it.
const WORTHWHILE: f64 = 2.0;
/// The newest datagrams count for this share of the mean size.
const SIZE_WEIGHT: f64 = 0.125;

/// What a thread remembers of its socket's traffic.
#[derive(Debug)]
pub(super) struct Pace {
    coalesce_ns: f64,
    /// Bytes of the receive buffer, and of them what may fill up during a sleep.
    buffer: f64,
    budget: f64,
    /// Bytes of memory that a datagram takes, a mean.
    size: f64,
    /// Fastest growth of the queue seen of late, in bytes a nanosecond.
    peak: f64,
    /// Datagrams a nanosecond.
    flow: f64,
    emptied_ns: u64,
}

impl Pace {
    /// For a socket whose receive buffer holds `buffer` bytes as the kernel counts them.
    pub(super) fn new(coalesce: Duration, fill: f64, buffer: usize) -> Self {
        let buffer = buffer as f64;
        Pace {
            coalesce_ns: coalesce.as_nanos() as f64,
            buffer,
            budget: buffer * fill,
            size: memory(1_432.0),
            peak: 0.0,
            flow: 0.0,
            emptied_ns: 0,
        }
    }

    /// The socket is empty, and gave `datagrams` of `bytes` since it was empty last: how long to sleep,
    /// or `None` to block until something comes.
    pub(super) fn emptied(&mut self, datagrams: u64, bytes: u64, now_ns: u64) -> Option<Duration> {
        let elapsed = now_ns.saturating_sub(self.emptied_ns).max(1) as f64;
        self.emptied_ns = now_ns;
        self.flow += (datagrams as f64 / elapsed - self.flow) * (elapsed / (elapsed + FLOW_NS));
        self.peak *= (-elapsed / PEAK_HALVES_NS).exp2();
        // After a sleep in vain the flow has paused: sleeping on would only add wake-ups.
        if datagrams == 0 {
            return None;
        }
        self.size += (memory(bytes as f64 / datagrams as f64) - self.size) * SIZE_WEIGHT;
        let allowed = if self.peak > 0.0 { self.budget / self.peak } else { f64::INFINITY };
        let burst = self.buffer / (self.size * BURST) - LATE_NS;
        let sleep = self.coalesce_ns.min(allowed).min(burst);
        if sleep >= SHORTEST_NS {
            return self.worth(sleep);
        }
        let fits = allowed.min(self.budget / (self.size * BURST));
        if NAP_NS <= self.coalesce_ns.min(fits) { self.worth(NAP_NS) } else { None }
    }

    fn worth(&self, sleep: f64) -> Option<Duration> {
        (self.flow * sleep >= WORTHWHILE).then(|| Duration::from_nanos(sleep as u64))
    }

    /// After a sleep the socket holds `queued` bytes of memory.
    pub(super) fn slept(&mut self, queued: u32, now_ns: u64) {
        let elapsed = now_ns.saturating_sub(self.emptied_ns).max(1) as f64;
        self.peak = self.peak.max(f64::from(queued) / elapsed);
    }
}

/// Bytes of the receive buffer that Linux counts for a datagram of `length` bytes: a block of a power
/// of two for it, its headers and the kernel's own (the smallest has 576 bytes), and 256 beside it.
fn memory(length: f64) -> f64 {
    let needed = length as u64 + 380;
    256.0 + if needed <= 576 { 576.0 } else { needed.next_power_of_two() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    /// The kernel's default.
    const BUFFER: usize = 212_992;
    const SMALL: u64 = 200;

    /// Runs a steady flow for a while, in simulated time: the last sleep, and the fullest buffer.
    fn steady(pace: &mut Pace, per_second: u64, length: u64, from_ns: u64) -> (Option<Duration>, u64) {
        let size = memory(length as f64) as u64;
        let (mut now, mut last, mut fullest, mut pending) = (from_ns, None, 0, 0);
        let end = now + 300 * MS;
        while now < end {
            let next = {
                let datagrams = std::mem::take(&mut pending);
                pace.emptied(datagrams, datagrams * length, now)
            };
            // Blocking ends with the next datagram; a sleep is late by what the timer is coarse.
            let slept = next.map_or(1_000_000_000 / per_second, |d| d.as_nanos() as u64 + LATE_NS as u64);
            now += slept;
            pending = (slept * per_second / 1_000_000_000).max(1);
            if next.is_some() {
                pace.slept((pending * size) as u32, now);
                fullest = fullest.max(pending * size);
            }
            last = next.or(last);
        }
        (last, fullest)
    }

    #[test]
    fn memory_is_what_the_kernel_was_seen_to_count() {
        let seen = [(4.0, 832.0), (196.0, 832.0), (200.0, 1_280.0), (1_432.0, 2_304.0), (8_192.0, 16_640.0)];
        for (length, bytes) in seen {
            assert_eq!(memory(length), bytes, "{length}");
        }
    }

    #[test]
    fn a_trickle_never_sleeps_and_a_flow_does() {
        for (per_second, sleeps) in [(10, false), (1_000, false), (20_000, true), (50_000, true)] {
            let mut pace = Pace::new(Duration::from_millis(1), 0.25, 4 << 20);
            assert_eq!(steady(&mut pace, per_second, SMALL, 0).0.is_some(), sleeps, "{per_second} a second");
        }
    }

    #[test]
    fn a_sleep_is_as_long_as_configured_when_the_buffer_is_large() {
        let mut pace = Pace::new(Duration::from_millis(1), 0.25, 4 << 20);
        assert_eq!(steady(&mut pace, 50_000, SMALL, 0).0, Some(Duration::from_millis(1)));
    }

    #[test]
    fn a_fast_flow_keeps_to_its_share_of_the_buffer() {
        for per_second in [50_000, 100_000, 200_000, 400_000] {
            let mut pace = Pace::new(Duration::from_millis(1), 0.25, BUFFER);
            steady(&mut pace, per_second, SMALL, 0);
            let (sleep, fullest) = steady(&mut pace, per_second, SMALL, 300 * MS);
            // What comes while the timer is late is not the sleep's to decide.
            let size = memory(SMALL as f64) as u64;
            let late = per_second * size * LATE_NS as u64 / 1_000_000_000;
            assert!(fullest <= BUFFER as u64 / 4 + late + size, "{per_second}: {fullest} {sleep:?}");
        }
    }

    #[test]
    fn a_burst_at_full_speed_fits_while_asleep() {
        for length in [10, SMALL, 1_432, 8_192] {
            for buffer in [BUFFER, 425_984, 4 << 20] {
                let mut pace = Pace::new(Duration::from_millis(1), 0.25, buffer);
                let Some(sleep) = steady(&mut pace, 30_000, length, 0).0 else { continue };
                let arrived = (sleep.as_nanos() as f64 + LATE_NS) * BURST * memory(length as f64);
                assert!(arrived < buffer as f64 * 1.01, "{sleep:?} of {buffer} at {length}");
            }
        }
    }

    #[test]
    fn small_datagrams_allow_sleeps_in_a_small_buffer_and_large_ones_do_not() {
        let sleep = |length, buffer| {
            steady(&mut Pace::new(Duration::from_millis(1), 0.25, buffer), 30_000, length, 0).0
        };
        assert_eq!(sleep(1_432, BUFFER), None);
        assert!(sleep(SMALL, BUFFER).unwrap() > Duration::from_micros(280));
        assert!(sleep(1_432, 2 * BUFFER).unwrap() > Duration::from_micros(280));
    }

    #[test]
    fn a_dense_flow_naps_where_the_buffer_holds_no_sleep() {
        let nap = Some(Duration::from_nanos(NAP_NS as u64));
        let rest = |per_second, length, fill| {
            steady(&mut Pace::new(Duration::from_millis(1), fill, BUFFER), per_second, length, 0).0
        };
        assert_eq!(rest(60_000, 1_432, 0.25), nap);
        assert_eq!(rest(180_000, 1_432, 0.25), nap);
        assert_eq!(rest(30_000, 1_432, 0.25), None, "too few come in it");
        assert_eq!(rest(60_000, 8_192, 0.25), None, "a burst of these would take more than the share");
        assert_eq!(rest(60_000, 1_432, 0.1), None, "a smaller share may fill");
        // A flow so fast that its sleeps become naps.
        assert_eq!(rest(600_000, SMALL, 0.25), nap);
    }

    #[test]
    fn a_burst_shortens_the_sleeps_after_it_and_is_forgotten() {
        let mut pace = Pace::new(Duration::from_millis(1), 0.25, 4 << 20);
        let (before, _) = steady(&mut pace, 50_000, SMALL, 0);
        let _ = pace.emptied(50, 50 * SMALL, 300 * MS);
        pace.slept(3 << 20, 301 * MS);
        let after = pace.emptied(2_400, 2_400 * SMALL, 301 * MS).unwrap();
        assert!(after < before.unwrap() / 2, "{after:?}");
        assert_eq!(steady(&mut pace, 50_000, SMALL, 20_000 * MS).0, before);
    }

    #[test]
    fn a_clock_that_steps_back_or_stands_does_no_harm() {
        let mut pace = Pace::new(Duration::from_millis(1), 0.25, BUFFER);
        for now in [5 * MS, 5 * MS, MS, 0, u64::MAX, 7] {
            let sleep = pace.emptied(40, 4_000, now);
            assert!(sleep.is_none_or(|d| d <= Duration::from_millis(1)));
            pace.slept(BUFFER as u32, now);
        }
    }

    #[test]
    fn no_time_to_coalesce_never_sleeps() {
        let mut pace = Pace::new(Duration::ZERO, 0.25, 4 << 20);
        assert_eq!(steady(&mut pace, 50_000, SMALL, 0).0, None);
    }
}
