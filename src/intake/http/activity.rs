//! What a connection is doing, and how long it may take.
//!
//! Over HTTP/1 a connection is idle, a head is on its way, or a request is being answered. Over HTTP/2,
//! where heads come between pings and windows, it is idle or has requests under way; the preface tells the
//! two apart. hyper's own timers do not know idle from slow, so the clocks are ours.

use super::server::Limits;
use crate::serve::{self, End};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Told when the connection should end after the answers under way.
    close: Notify,
}

#[derive(Debug)]
struct State {
    wire: Wire,
    /// Since when nothing (or nothing else) happens.
    since: Instant,
    /// HTTP/1: a head is on its way.
    head: bool,
    under_way: u32,
}

/// Which protocol the first bytes speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// Nothing came yet, or only a `P`.
    Unknown {
        p: bool,
    },
    Http1,
    Http2,
}

/// A request under way, until it is dropped with its answer.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl Default for Activity {
    fn default() -> Self {
        let wire = Wire::Unknown { p: false };
        let state = State { wire, since: Instant::now(), head: false, under_way: 0 };
        Activity { state: Mutex::new(state), close: Notify::new() }
    }
}

impl Activity {
    /// A request's head was read; also, when its first byte came, as far as that is known.
    pub(super) fn begin(self: &Arc<Self>) -> (UnderWay, Instant) {
        let mut state = self.state.lock();
        let now = Instant::now();
        let began = if state.head { state.since } else { now };
        state.head = false;
        state.under_way += 1;
        state.since = now;
        (UnderWay(self.clone()), began)
    }

    /// When patience ends, and what it is then called.
    pub(super) fn patience(&self, limits: &Limits) -> (Instant, End) {
        let State { since, head, under_way, .. } = *self.state.lock();
        if under_way > 0 {
            (since + limits.request + limits.stall, End::StalledClient)
        } else if head {
            (since + limits.request, End::HeadTimeout)
        } else {
            (since + limits.idle, End::IdleTimeout)
        }
    }
}

impl serve::Activity for Activity {
    fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        (!state.head && state.under_way == 0).then_some(state.since)
    }

    fn close(&self) -> &Notify {
        &self.close
    }

    fn was_read(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        if let Wire::Unknown { p } = state.wire {
            // Of all methods only `PRI`, which begins HTTP/2, begins so.
            state.wire = match (p, bytes) {
                (false, [b'P']) => Wire::Unknown { p: true },
                (false, [b'P', b'R', ..]) | (true, [b'R', ..]) => Wire::Http2,
                _ => Wire::Http1,
            };
        }
        if state.wire != Wire::Http2 && state.under_way == 0 && !state.head {
            state.head = true;
            state.since = Instant::now();
        } else if state.wire == Wire::Http2 && state.head {
            state.head = false;
        }
    }

    fn was_written(&self) {
        let mut state = self.state.lock();
        if state.under_way > 0 {
            state.since = Instant::now();
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.under_way -= 1;
        state.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::Activity as _;
    use std::time::Duration;

    const LIMITS: Limits = Limits {
        connections: 1,
        request: Duration::from_secs(10),
        idle: Duration::from_secs(120),
        stall: Duration::from_secs(30),
    };

    fn end(activity: &Activity) -> (u64, &'static str) {
        let (until, end) = activity.patience(&LIMITS);
        (until.duration_since(Instant::now()).as_secs(), end.as_str())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_of_http1_must_come_whole_and_a_ping_of_http2_is_no_head() {
        let activity = Arc::new(Activity::default());
        assert_eq!(end(&activity), (120, "idle_timeout"));
        activity.was_read(b"P");
        assert_eq!(end(&activity), (10, "head_timeout"));
        activity.was_read(b"OST / HTTP/1.1");
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(end(&activity), (6, "head_timeout"));
        let began = Instant::now() - Duration::from_secs(4);
        let (under_way, since) = activity.begin();
        assert_eq!(since, began);
        assert_eq!((end(&activity), activity.idle_since()), ((40, "stalled_client"), None));
        drop(under_way);
        assert_eq!(end(&activity), (120, "idle_timeout"));

        let activity = Arc::new(Activity::default());
        activity.was_read(b"P");
        activity.was_read(b"RI * HTTP/2.0");
        activity.was_read(b"ping");
        assert_eq!(end(&activity), (120, "idle_timeout"));
        let (first, _) = activity.begin();
        let (second, _) = activity.begin();
        drop(first);
        assert_eq!(end(&activity), (40, "stalled_client"));
        drop(second);
        assert!(activity.idle_since().is_some());
    }
}
