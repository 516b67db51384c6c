//! When the next datagrams may leave.
//!
//! A sender that was late and then sends all it owes at once overruns a default receive buffer by itself: 92
//! datagrams are two milliseconds of half a million messages a second. Where drops are what is measured the
//! sender must be even: it makes up for what is late slowly, and for no more than [`OWED`].

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as it goes.
    Free,
    /// Messages a second on the average, in full batches, and all that is late at once. Cheapest to send.
    Average(f64),
    /// Messages a second, a portion each [`STEP`], and never more than [`FASTER`] times as fast.
    Even(f64),
}

impl Pace {
    /// `rate` is in messages a second; 0 is as fast as it goes.
    pub fn average(rate: f64) -> Pace {
        if rate > 0.0 { Pace::Average(rate) } else { Pace::Free }
    }
}

/// From one portion to the next, where one datagram does not take longer.
const STEP: Duration = Duration::from_micros(100);

/// A portion that comes late is not larger than what this time brings, times [`FASTER`].
const PORTION: Duration = Duration::from_micros(200);

/// How much faster an even sender is while it makes up for what is late.
const FASTER: f64 = 1.25;

/// What is later than this is not made up for: the sender goes on from there, and reaches a lower rate.
const OWED: Duration = Duration::from_millis(1);

/// Tells a sender how many messages may leave, and sleeps until some may.
pub struct Pacer {
    pace: Pace,
    /// When the message with number 0 was due. It moves when an even sender gives up what is late.
    origin: Instant,
    /// When the portion before left.
    portion: Instant,
    /// Messages up to here may leave without another look at the clock.
    granted: u64,
}

impl Pacer {
    pub fn new(pace: Pace) -> Pacer {
        if matches!(pace, Pace::Even(_)) {
            timers_fire_on_time();
        }
        let now = Instant::now();
        Pacer { pace, origin: now, portion: now, granted: 0 }
    }

    /// Messages that may leave now, when `sent` have left. At least one.
    pub fn wait(&mut self, sent: u64) -> u64 {
        match self.pace {
            Pace::Free => u64::MAX,
            Pace::Average(rate) => {
                let due = self.origin + Duration::from_secs_f64(sent as f64 / rate);
                if due > Instant::now() + Duration::from_micros(50) {
                    sleep_until(due);
                }
                u64::MAX
            }
            Pace::Even(rate) => {
                if sent >= self.granted {
                    sleep_until(self.next_portion(sent, rate));
                    self.grant(sent, rate, Instant::now());
                }
                self.granted - sent
            }
        }
    }

    /// When an even sender's next portion is due.
    fn next_portion(&self, sent: u64, rate: f64) -> Instant {
        self.due(sent, rate).max(self.portion + STEP)
    }

    fn due(&self, message: u64, rate: f64) -> Instant {
        self.origin + Duration::from_secs_f64(message as f64 / rate)
    }

    /// Lets leave what is due by `now`, as far as that is no burst; at least one message.
    fn grant(&mut self, sent: u64, rate: f64, now: Instant) {
        let late = now.saturating_duration_since(self.due(sent, rate));
        self.origin += late.saturating_sub(OWED);
        let due = now.saturating_duration_since(self.origin).as_secs_f64() * rate;
        let since = now.saturating_duration_since(self.portion).min(PORTION);
        let even = sent as f64 + since.as_secs_f64() * rate * FASTER;
        self.granted = (due.min(even) as u64).max(sent + 1);
        self.portion = now;
    }
}

fn sleep_until(due: Instant) {
    let wait = due.saturating_duration_since(Instant::now());
    if !wait.is_zero() {
        thread::sleep(wait);
    }
}

/// The kernel may delay a sleeping thread's timers by 50 µs; not this thread's.
fn timers_fire_on_time() {
    // SAFETY: prctl with a number; it touches no memory of ours, and a refusal is harmless.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64, 0_u64, 0_u64, 0_u64) };
}

/// How even a sender was: the most datagrams that left within one millisecond.
#[derive(Default)]
pub struct Evenness {
    recent: VecDeque<(Instant, u64)>,
    within: u64,
    most: u64,
}

impl Evenness {
    pub fn sent(&mut self, datagrams: u64, now: Instant) {
        self.recent.push_back((now, datagrams));
        self.within += datagrams;
        while let Some(&(at, count)) = self.recent.front() {
            if now.duration_since(at) < Duration::from_millis(1) {
                break;
            }
            self.within -= count;
            self.recent.pop_front();
        }
        self.most = self.most.max(self.within);
    }

    /// Datagrams in the fullest millisecond.
    pub fn most(&self) -> u64 {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends 100,000 messages a second with a clock of its own; `late` is how late the timer is in each step.
    /// The portions, with when they left.
    fn portions(late: &[Duration]) -> Vec<(Duration, u64)> {
        let rate = 100_000.0;
        let mut pacer = Pacer::new(Pace::Even(rate));
        let start = pacer.origin;
        let mut now = start;
        let mut sent = 0;
        late.iter()
            .map(|late| {
                now = pacer.next_portion(sent, rate).max(now) + *late;
                pacer.grant(sent, rate, now);
                let portion = pacer.granted - sent;
                sent = pacer.granted;
                (now - start, portion)
            })
            .collect()
    }

    /// Messages sent, and the time that they should have taken less the time that they took, in milliseconds.
    fn ahead_ms(portions: &[(Duration, u64)]) -> f64 {
        let sent: u64 = portions.iter().map(|(_, portion)| portion).sum();
        sent as f64 / 100.0 - portions.last().unwrap().0.as_secs_f64() * 1e3
    }

    /// The largest portion that may leave: 200 µs at 1.25 times the rate.
    const LARGEST: u64 = 25;

    #[test]
    fn portions_follow_the_rate_though_each_timer_is_late() {
        let even = portions(&[Duration::from_micros(60); 1000]);
        assert!(ahead_ms(&even).abs() < 0.2, "{}", ahead_ms(&even));
        assert!(even.iter().all(|(_, portion)| *portion <= 17), "{even:?}");
    }

    #[test]
    fn a_little_late_is_made_up_for_slowly() {
        let mut late = [Duration::ZERO; 1000];
        late[500] = Duration::from_micros(800);
        let even = portions(&late);
        assert!(ahead_ms(&even[..=501]) < -0.5, "not at once");
        assert!(ahead_ms(&even).abs() < 0.2, "{}", ahead_ms(&even));
        assert!(even.iter().all(|(_, portion)| *portion <= LARGEST), "{even:?}");
    }

    #[test]
    fn much_late_is_not_made_up_for() {
        let mut late = [Duration::ZERO; 1000];
        late[500] = Duration::from_millis(30);
        let even = portions(&late);
        assert!((-30.0..-28.8).contains(&ahead_ms(&even)), "{}", ahead_ms(&even));
        assert!(even.iter().all(|(_, portion)| *portion <= LARGEST), "{even:?}");
        assert!(even[900..].iter().all(|(_, portion)| *portion <= 11), "it goes on as before: {even:?}");
    }

    #[test]
    fn the_fullest_millisecond_is_found() {
        let start = Instant::now();
        let mut evenness = Evenness::default();
        for (micros, datagrams) in [(0, 5), (900, 7), (1_000, 1), (1_899, 2), (1_900, 3), (5_000, 9)] {
            evenness.sent(datagrams, start + Duration::from_micros(micros));
        }
        assert_eq!(evenness.most(), 12);
        assert_eq!(Evenness::default().most(), 0);
    }
}
