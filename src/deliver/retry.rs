//! When to try again: exponential backoff with full jitter, bounded in wait and in total time.
//!
//! Pure: time and randomness come in as arguments. A server's own wish (`Retry-After`) lengthens a
//! wait up to the policy's longest, plus up to a tenth, because all pods get the same number.

use fastrand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// Part of a wait that jitter leaves, so that a loop never spins.
const FLOOR: f64 = 0.1;

/// What jitter adds to a wait that the server named, at most.
const SPREAD: f64 = 0.1;

/// How long refused credentials rest between two probes.
const UNAUTHORIZED_WAIT: Duration = Duration::from_secs(60);

/// How patient a backend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    initial: Duration,
    longest: Duration,
    elapsed: Duration,
}

/// Values that make no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("`retry_initial` must be longer than zero")]
    NoInitial,
    #[error("`retry_max` ({longest:?}) must not be shorter than `retry_initial` ({initial:?})")]
    LongestBelowInitial { initial: Duration, longest: Duration },
    #[error("`retry_max` ({longest:?}) must not be longer than a day")]
    LongestTooLong { longest: Duration },
}

/// The attempts at one payload.
#[derive(Clone, Debug)]
pub struct Attempts {
    policy: Policy,
    give_up: Instant,
    failures: u32,
}

impl Policy {
    /// `elapsed` may be zero: then nothing is tried twice.
    pub fn new(initial: Duration, longest: Duration, elapsed: Duration) -> Result<Self, PolicyError> {
        if initial.is_zero() {
            return Err(PolicyError::NoInitial);
        }
        if longest < initial {
            return Err(PolicyError::LongestBelowInitial { initial, longest });
        }
        if longest > Duration::from_secs(86_400) {
            return Err(PolicyError::LongestTooLong { longest });
        }
        Ok(Policy { initial, longest, elapsed })
    }

    /// A new payload, first tried at `now`.
    pub fn begin(self, now: Instant) -> Attempts {
        // A century is for ever, and cannot overflow the clock.
        let elapsed = self.elapsed.min(Duration::from_secs(3_153_600_000));
        Attempts { policy: self, give_up: now + elapsed, failures: 0 }
    }
}

impl Attempts {
    /// How long to wait after a failure at `now`; `None` when it is time to give up. The last wait is
    /// cut so that one attempt happens at the very end.
    pub fn next_wait(&mut self, now: Instant, after: Option<Duration>, random: &mut Rng) -> Option<Duration> {
        let doubled = self.policy.initial.saturating_mul(1 << self.failures.min(30)).min(self.policy.longest);
        self.failures = self.failures.saturating_add(1);
        let jittered = doubled.mul_f64(FLOOR + (1.0 - FLOOR) * random.f64());
        let asked = after.map_or(Duration::ZERO, |after| {
            after.min(self.policy.longest).mul_f64(1.0 + SPREAD * random.f64())
        });
        self.cut(now, jittered.max(asked))
    }

    /// As `next_wait`, after refused credentials: they seldom heal by themselves, so probes are rare.
    pub fn next_probe(&mut self, now: Instant, random: &mut Rng) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        self.cut(now, UNAUTHORIZED_WAIT.mul_f64(1.0 + SPREAD * random.f64()))
    }

    fn cut(&self, now: Instant, wait: Duration) -> Option<Duration> {
        let left = self.give_up.saturating_duration_since(now);
        if left.is_zero() { None } else { Some(wait.min(left)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn nonsense_is_refused() {
        let new =
            |initial, longest| Policy::new(initial, longest, SECOND).map(|_| ()).unwrap_err().to_string();
        insta::assert_snapshot!(new(Duration::ZERO, SECOND), @"`retry_initial` must be longer than zero");
        insta::assert_snapshot!(new(2 * SECOND, SECOND), @"`retry_max` (1s) must not be shorter than `retry_initial` (2s)");
        insta::assert_snapshot!(new(SECOND, Duration::MAX), @"`retry_max` (18446744073709551615.999999999s) must not be longer than a day");
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_within_their_jitter_and_end_on_time() {
        let start = Instant::now();
        for seed in 0..200 {
            let mut random = Rng::with_seed(seed);
            let mut attempts = Policy::new(SECOND, 8 * SECOND, 100 * SECOND).unwrap().begin(start);
            let mut now = start;
            for doubled in [1, 2, 4, 8, 8, 8] {
                let wait = attempts.next_wait(now, None, &mut random).unwrap();
                assert!(wait >= SECOND * doubled / 10 && wait <= SECOND * doubled, "{wait:?} of {doubled} s");
                now += wait;
            }
            let mut last = now;
            while let Some(wait) = attempts.next_wait(now, None, &mut random) {
                now += wait;
                last = now;
            }
            assert_eq!(last, start + 100 * SECOND, "one attempt at the very end");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_servers_wish_lengthens_a_wait_up_to_the_longest() {
        let now = Instant::now();
        for seed in 0..200 {
            let mut random = Rng::with_seed(seed);
            let mut attempts = Policy::new(SECOND, 8 * SECOND, 100 * SECOND).unwrap().begin(now);
            let wait = attempts.next_wait(now, Some(5 * SECOND), &mut random).unwrap();
            assert!(wait >= 5 * SECOND && wait <= SECOND * 55 / 10, "{wait:?}");
            let wait = attempts.next_wait(now, Some(3_600 * SECOND), &mut random).unwrap();
            assert!(wait >= 8 * SECOND && wait <= SECOND * 88 / 10, "{wait:?}");
            let wait = attempts.next_wait(now, Some(Duration::ZERO), &mut random).unwrap();
            assert!(wait >= SECOND * 4 / 10, "{wait:?}");
            let wait = attempts.next_probe(now, &mut random).unwrap();
            assert!(wait >= 60 * SECOND && wait <= 66 * SECOND, "{wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_time_means_no_second_attempt_and_all_time_never_ends() {
        let now = Instant::now();
        let mut random = Rng::with_seed(1);
        let mut never = Policy::new(SECOND, SECOND, Duration::ZERO).unwrap().begin(now);
        assert_eq!(never.next_wait(now, None, &mut random), None);
        let mut ever = Policy::new(SECOND, SECOND, Duration::MAX).unwrap().begin(now);
        assert!((0..1_000).all(|_| ever.next_wait(now, None, &mut random).is_some()));
    }
}
