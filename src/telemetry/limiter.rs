//! A rate limit for log lines on paths that a flood of input can reach.
//!
//! Each call site may say so many lines in an interval; what is held back is counted and told with the
//! next line. Nothing here locks or reads a clock: the time comes in.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Lines held back in this process, by all call sites together.
static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// The limit of one call site; see [`limited!`](crate::telemetry::limiter::limited).
#[derive(Debug)]
pub struct Limiter {
    burst: u32,
    interval_ns: u64,
    /// When the running interval began; 0 before the first line.
    since_ns: AtomicU64,
    said: AtomicU32,
    held_back: AtomicU64,
}

/// Whether a line may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Say it; this many were held back since the last one that was said.
    Say {
        suppressed: u64,
    },
    HoldBack,
}

/// How many log lines were held back since the start.
pub fn suppressed() -> u64 {
    SUPPRESSED.load(Relaxed)
}

impl Limiter {
    /// `burst` lines in each `interval`.
    pub const fn new(burst: u32, interval: Duration) -> Self {
        Limiter {
            burst,
            interval_ns: interval.as_nanos() as u64,
            since_ns: AtomicU64::new(0),
            said: AtomicU32::new(0),
            held_back: AtomicU64::new(0),
        }
    }

    /// Asks for one line at `now_ns` (Unix nanoseconds). Threads that race at the edge of an interval
    /// may say a line or two more than the burst; none is held back uncounted.
    pub fn check(&self, now_ns: u64) -> Verdict {
        let since = self.since_ns.load(Relaxed);
        // A clock that was set back opens an interval, too: the limit must not last for hours.
        let over = since == 0 || now_ns < since || now_ns - since >= self.interval_ns;
        if over && self.since_ns.compare_exchange(since, now_ns.max(1), Relaxed, Relaxed).is_ok() {
            self.said.store(1, Relaxed);
            return Verdict::Say { suppressed: self.held_back.swap(0, Relaxed) };
        }
        if self.said.fetch_update(Relaxed, Relaxed, |n| (n < self.burst).then_some(n + 1)).is_ok() {
            return Verdict::Say { suppressed: 0 };
        }
        self.held_back.fetch_add(1, Relaxed);
        SUPPRESSED.fetch_add(1, Relaxed);
        Verdict::HoldBack
    }
}

/// Logs like `tracing::event!`, at most five lines in ten seconds from this place:
/// `limited!(WARN, now_ns, error = %error, "what happened")`.
macro_rules! limited {
    ($level:ident, $now_ns:expr, $($line:tt)+) => {{
        static LIMITER: $crate::telemetry::Limiter =
            $crate::telemetry::Limiter::new(5, std::time::Duration::from_secs(10));
        if let $crate::telemetry::limiter::Verdict::Say { suppressed } = LIMITER.check($now_ns) {
            if suppressed > 0 {
                tracing::event!(tracing::Level::$level, suppressed, "lines like the next were held back");
            }
            tracing::event!(tracing::Level::$level, $($line)+);
        }
    }};
}
pub(crate) use limited;

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{HoldBack, Say};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_is_said_the_rest_is_counted_and_told_later() {
        let limiter = Limiter::new(2, Duration::from_secs(10));
        let start = 1_700_000_000 * SECOND;
        let cases = [
            (0, Say { suppressed: 0 }),
            (1, Say { suppressed: 0 }),
            (2, HoldBack),
            (9, HoldBack),
            (10, Say { suppressed: 2 }),
            (11, Say { suppressed: 0 }),
            (12, HoldBack),
            (40, Say { suppressed: 1 }),
        ];
        let before = suppressed();
        for (second, expected) in cases {
            assert_eq!(limiter.check(start + second * SECOND), expected, "second {second}");
        }
        // Other tests may hold lines back at the same time.
        assert!(suppressed() >= before + 3);
    }

    #[test]
    fn a_clock_set_back_does_not_silence_a_place() {
        let limiter = Limiter::new(1, Duration::from_secs(10));
        assert_eq!(limiter.check(100 * SECOND), Say { suppressed: 0 });
        assert_eq!(limiter.check(101 * SECOND), HoldBack);
        assert_eq!(limiter.check(50 * SECOND), Say { suppressed: 1 });
    }

    #[test]
    fn the_macro_says_a_limited_number_of_lines() {
        use crate::telemetry::logs::testing::captured;
        let lines = captured("info", || {
            for n in 0..8_u64 {
                limited!(WARN, (1 + n) * SECOND, n, "it happened");
            }
            limited!(WARN, 1, "elsewhere has a limit of its own");
            limited!(DEBUG, 1, "not asked for");
        });
        assert_eq!(lines.matches("it happened").count(), 5, "{lines}");
        assert_eq!(lines.matches("a limit of its own").count(), 1, "{lines}");
        assert!(!lines.contains("not asked for"), "{lines}");
    }
}
