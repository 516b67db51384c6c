//! Whether the agent is ready, as one small value that all who must say so share.

use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            2 => Phase::Failed,
            _ => Phase::Draining,
        }
    }

    /// All listeners are bound. Says nothing when draining has begun.
    pub fn ready(&self) {
        self.0.fetch_max(Phase::Ready as u8, Ordering::AcqRel);
    }

    /// A listener's thread ended by a fault; only a restart mends that.
    pub fn fail(&self) {
        self.0.fetch_max(Phase::Failed as u8, Ordering::AcqRel);
    }

    pub fn drain(&self) {
        self.0.fetch_max(Phase::Draining as u8, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
