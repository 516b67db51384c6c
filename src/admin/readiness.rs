//! Whether the agent is ready, as one small value that all who must say so share.

use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

/// Where the agent stands between start and end. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Phase {
    /// Not all listeners are bound yet.
    Starting,
    Ready,
    /// A listener's thread ended by a fault.
    Failed,
    /// A signal to end has come; data is still taken.
    Draining,
}

impl Phase {
    /// Why `/ready` says no.
    pub fn why_not_ready(self) -> Option<&'static str> {
        match self {
            Phase::Starting => Some("starting: not all listeners are bound yet"),
            Phase::Ready => None,
            Phase::Failed => Some("a listener receives nothing any more: see /status and the log"),
            Phase::Draining => Some("draining: the agent was told to end and takes what still comes"),
        }
    }
}

/// The shared value; clones are the same value.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Default)]
struct Shared {
    phase: AtomicU8,
    healthy: OnceLock<Healthy>,
}

/// Whether every listener's thread still receives. Asked on the path of a probe: it must not block.
type Healthy = Box<dyn Fn() -> bool + Send + Sync>;

impl Readiness {
    /// Looks at the listeners as well, so that a probe learns of a fault at once.
    pub fn phase(&self) -> Phase {
        if self.0.healthy.get().is_some_and(|healthy| !healthy()) {
            // Only a restart mends that.
            self.forward(Phase::Failed);
        }
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            2 => Phase::Failed,
            _ => Phase::Draining,
        }
    }

    /// What tells whether every listener's thread still receives; the first one given stays. It must not block.
    pub fn watch(&self, healthy: impl Fn() -> bool + Send + Sync + 'static) {
        // Set once, at the start.
        let _ = self.0.healthy.set(Box::new(healthy));
    }

    /// All listeners are bound. Says nothing when draining has begun.
    pub fn ready(&self) {
        self.forward(Phase::Ready);
    }

    pub fn drain(&self) {
        self.forward(Phase::Draining);
    }

    fn forward(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").field(&self.phase()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn it_only_moves_forward() {
        let readiness = Readiness::default();
        let seen = readiness.clone();
        assert_eq!(seen.phase(), Phase::Starting);
        readiness.ready();
        assert_eq!(seen.phase(), Phase::Ready);
        readiness.drain();
        readiness.ready();
        assert_eq!(seen.phase(), Phase::Draining);
    }

    #[test]
    fn a_listener_that_failed_shows_when_asked_and_for_good() {
        let readiness = Readiness::default();
        let healthy = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&healthy);
        readiness.watch(move || asked.load(Ordering::Acquire));
        readiness.ready();
        assert_eq!(readiness.phase(), Phase::Ready);
        healthy.store(false, Ordering::Release);
        assert_eq!(readiness.phase(), Phase::Failed);
        healthy.store(true, Ordering::Release);
        assert_eq!(readiness.phase(), Phase::Failed);
        readiness.drain();
        assert_eq!(readiness.phase(), Phase::Draining);
    }
}
