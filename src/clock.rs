//! The one place that reads the machine's clocks. Known by all, knows none.
//!
//! Logic takes the time as an argument, so that tests choose it; only the outermost callers (threads,
//! tasks, commands) ask here. Nothing here may be called on the path of a single message.

#![allow(clippy::disallowed_methods, reason = "the clock module itself")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the epoch by the wall clock; 0 while the clock stands before 1970.
pub fn now_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The monotonic clock: for durations only.
pub fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_past_2020() {
        assert!(now_ns() > 1_577_836_800_000_000_000);
    }
}
