//! When a UDP thread that has emptied its socket should sleep a little, and how long.
//!
//! StatsD is not latency-sensitive: one wake-up for fifty datagrams costs far less than fifty. But the
//! receive buffer must never fill up because of a sleep, so a sleep is bounded by four things:
//!
//! - the configured time;
//! - the configured share of the buffer at the fastest rate seen of late (it decays, half in a second);
//! - a burst that nobody saw coming: a sender that begins at full speed (`BURST`) in the moment a sleep
//!   begins must not fill the buffer either, at the memory that datagrams were seen to take;
//! - the flow: where fewer than two datagrams are to be expected, blocking costs less than sleeping.
//!
//! Pure arithmetic over times and counts that the caller brings; it never sleeps itself.

use std::time::Duration;

/// Datagrams a nanosecond from a sender at full speed: a core that does nothing but `sendmmsg` over
/// loopback was measured at 0.23 datagrams a microsecond.
const BURST: f64 = 0.3e-3;
/// How late a sleep may end: the timers' slack, and getting a core.
const LATE_NS: f64 = 60_000.0;
/// A shorter sleep is not worth its timer.
const SHORTEST_NS: f64 = 50_000.0;
/// The flow is a mean over about this time, so that it takes a while of traffic to begin sleeping.
const FLOW_NS: f64 = 5_000_000.0;
/// The fastest rate seen is forgotten by half in this time.
const PEAK_HALVES_NS: f64 = 1e9;
/// Datagrams that a sleep must gather to be worth it.
const WORTHWHILE: f64 = 2.0;
/// Memory that a datagram of 1,432 bytes takes, assumed until something is seen; the least that any takes.
const SIZE: f64 = 2_304.0;
const SIZE_LEAST: f64 = 768.0;
/// Datagrams from which a mean size is taken.
const SIZE_FROM: u64 = 8;

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
    /// Bytes of memory that were queued after the last sleep; 0 after blocking.
    queued: f64,
}

impl Pace {
    /// For a socket whose receive buffer holds `buffer` bytes as the kernel counts them.
    pub(super) fn new(coalesce: Duration, fill: f64, buffer: usize) -> Self {
        let buffer = buffer as f64;
        Pace {
            coalesce_ns: coalesce.as_nanos() as f64,
            buffer,
            budget: buffer * fill,
            size: SIZE,
            peak: 0.0,
            flow: 0.0,
            emptied_ns: 0,
            queued: 0.0,
        }
    }

    /// The socket is empty, and gave `datagrams` since it was empty last: how long to sleep, or `None`
    /// to block until something comes.
    pub(super) fn emptied(&mut self, datagrams: u64, now_ns: u64) -> Option<Duration> {
        let elapsed = now_ns.saturating_sub(self.emptied_ns).max(1) as f64;
        self.emptied_ns = now_ns;
        self.flow += (datagrams as f64 / elapsed - self.flow) * (elapsed / (elapsed + FLOW_NS));
        self.peak *= (-elapsed / PEAK_HALVES_NS).exp2();
        let queued = std::mem::take(&mut self.queued);
        if queued > 0.0 && datagrams >= SIZE_FROM {
            // Those that came while the queue was read make this a little too small, by chance only:
            // a queue that grows while it is read is a fast flow, which the peak bounds.
            self.size += ((queued / datagrams as f64).max(SIZE_LEAST) - self.size) / 8.0;
        }
        // After a sleep in vain the flow has paused: sleeping on would only add wake-ups.
        if datagrams == 0 {
            return None;
        }
        let allowed = if self.peak > 0.0 { self.budget / self.peak } else { f64::INFINITY };
        let burst = self.buffer / (self.size * BURST) - LATE_NS;
        let sleep = self.coalesce_ns.min(allowed).min(burst);
        let worth = sleep >= SHORTEST_NS && self.flow * sleep >= WORTHWHILE;
        worth.then(|| Duration::from_nanos(sleep as u64))
    }

    /// After a sleep the socket holds `queued` bytes of memory.
    pub(super) fn slept(&mut self, queued: u32, now_ns: u64) {
        let elapsed = now_ns.saturating_sub(self.emptied_ns).max(1) as f64;
        self.queued = queued.into();
        self.peak = self.peak.max(self.queued / elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    /// The kernel's default.
    const BUFFER: usize = 212_992;
    /// What a datagram of 200 bytes takes of it.
    const SMALL: u64 = 1_280;

    /// Runs a steady flow for a while, in simulated time: the last sleep, and the fullest buffer.
    fn steady(pace: &mut Pace, per_second: u64, size: u64, from_ns: u64) -> (Option<Duration>, u64) {
        let (mut now, mut last, mut fullest, mut pending) = (from_ns, None, 0, 0);
        let end = now + 300 * MS;
        while now < end {
            let next = pace.emptied(std::mem::take(&mut pending), now);
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
            let late = per_second * SMALL * LATE_NS as u64 / 1_000_000_000;
            assert!(fullest <= BUFFER as u64 / 4 + late + SMALL, "{per_second}: {fullest} {sleep:?}");
        }
    }

    #[test]
    fn a_burst_at_full_speed_fits_while_asleep() {
        for size in [832, SMALL, 2_304] {
            for buffer in [BUFFER, 425_984, 4 << 20] {
                let mut pace = Pace::new(Duration::from_millis(1), 0.25, buffer);
                let sleep = steady(&mut pace, 30_000, size, 0).0.unwrap();
                let arrived = (sleep.as_nanos() as f64 + LATE_NS) * BURST * size as f64;
                assert!(arrived < buffer as f64 * 1.01, "{sleep:?} of {buffer} at {size}");
            }
        }
    }

    #[test]
    fn small_datagrams_allow_longer_sleeps_than_large_ones() {
        let sleep =
            |size| steady(&mut Pace::new(Duration::from_millis(1), 0.25, BUFFER), 30_000, size, 0).0.unwrap();
        assert!(sleep(2_304) < Duration::from_micros(300));
        assert!(sleep(SMALL) > Duration::from_micros(450));
    }

    #[test]
    fn a_burst_shortens_the_sleeps_after_it_and_is_forgotten() {
        let mut pace = Pace::new(Duration::from_millis(1), 0.25, 4 << 20);
        let (before, _) = steady(&mut pace, 50_000, SMALL, 0);
        let _ = pace.emptied(50, 300 * MS);
        pace.slept(3 << 20, 301 * MS);
        let after = pace.emptied(2_400, 301 * MS).unwrap();
        assert!(after < before.unwrap() / 2, "{after:?}");
        assert_eq!(steady(&mut pace, 50_000, SMALL, 20_000 * MS).0, before);
    }

    #[test]
    fn a_clock_that_steps_back_or_stands_does_no_harm() {
        let mut pace = Pace::new(Duration::from_millis(1), 0.25, BUFFER);
        for now in [5 * MS, 5 * MS, MS, 0, u64::MAX, 7] {
            let sleep = pace.emptied(40, now);
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
