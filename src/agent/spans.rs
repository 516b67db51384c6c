//! Spans on their way through the agent: the budget and the batcher that intakes share, and the queues of
//! the backends behind them.
//!
//! Without a backend that carries spans they are taken and counted as dropped, so that an app's tracer
//! works, and `/status` says what to configure.

use super::allocator;
use crate::admin::status::{ClientStatsStatus, RefusedStatus, SpanStatus};
use crate::backend;
use crate::config::{self, Config};
use crate::deliver::{Item, Queue, Signal};
use crate::otlp::counts::RefusedFor;
use crate::otlp::{Batcher, Budget, NoRoom, Outlet, Protocol, SpanBatch};
use crate::telemetry::{self, Metric};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is said where spans come and no backend carries them.
const REMEDY: &str = "spans are dropped: no backend carries traces; configure one of those that do, such as \
                      `[backends.NAME]` with `type = \"otlp\"`";

/// What the intakes of spans are given, and how it fares.
#[derive(Clone)]
pub(super) struct Spans {
    pub(super) budget: Budget,
    pub(super) batcher: Batcher,
    outlet: Arc<Queues>,
}

/// The queues of the backends, by what they carry.
struct Queues {
    traces: Vec<Queue>,
    stats: Vec<Queue>,
    /// Spans that no backend carries.
    no_backend: AtomicU64,
    stats_received: AtomicU64,
    stats_refused: AtomicU64,
    stats_not_carried: AtomicU64,
}

impl Spans {
    /// `queues` stand in the order of the configured backends.
    pub(super) fn new(config: &Config, queues: &[Queue]) -> Spans {
        let carrying = |signal: Signal| -> Vec<Queue> {
            let carries =
                |backend: &config::Backend| backend::descriptor(&backend.kind).signals.contains(&signal);
            let both = config.backends.values().zip(queues);
            both.filter(|(backend, _)| carries(backend)).map(|(_, queue)| queue.clone()).collect()
        };
        let outlet = Arc::new(Queues::new(carrying(Signal::Traces), carrying(Signal::Stats)));
        Spans {
            budget: Budget::new(config.traces.budget_bytes),
            batcher: Batcher::new(Arc::clone(&outlet) as Arc<dyn Outlet>, &config.traces),
            outlet,
        }
    }

    /// Spans taken from all clients.
    pub(super) fn received(&self) -> u64 {
        self.batcher.counts().received_total()
    }

    /// Spans taken that no backend carries.
    pub(super) fn dropped(&self) -> u64 {
        self.outlet.no_backend.load(Ordering::Relaxed)
    }

    /// Copies what is counted here into pillion's own metrics.
    pub(super) fn collect(&self) {
        let counts = self.batcher.counts();
        for from in Protocol::ALL {
            telemetry::total(Metric::SpansReceived, &[from.name()], counts.received_of(from));
            for reason in RefusedFor::ALL {
                let labels = [from.name(), reason.name()];
                telemetry::total(Metric::SpansRefused, &labels, counts.refused_of(from, reason));
            }
        }
        telemetry::total(Metric::SpansDropped, &["no_backend"], self.dropped());
        telemetry::gauge(Metric::SpansPending, &[], self.batcher.waiting().spans as f64);
        telemetry::gauge(Metric::TracesBudgetHeld, &[], self.budget.held() as f64);
        telemetry::gauge(Metric::TracesBudgetLimit, &[], self.budget.limit() as f64);
        let ClientStatsStatus { received, refused, not_carried } = self.outlet.stats_status();
        telemetry::total(Metric::ClientStatsReceived, &[], received);
        telemetry::total(Metric::ClientStatsRefused, &[], refused);
        telemetry::total(Metric::ClientStatsNotCarried, &[], not_carried);
    }

    pub(super) fn status(&self) -> SpanStatus {
        let counts = self.batcher.counts();
        let refused = |from: Protocol| {
            RefusedFor::ALL.into_iter().map(move |reason| RefusedStatus {
                protocol: from.name(),
                reason: reason.name(),
                count: counts.refused_of(from, reason),
            })
        };
        let waiting = self.batcher.waiting();
        let dropped_no_backend = self.dropped();
        SpanStatus {
            received: Protocol::ALL.map(|from| (from.name(), counts.received_of(from))).into(),
            refused: Protocol::ALL
                .into_iter()
                .flat_map(refused)
                .filter(|refused| refused.count > 0)
                .collect(),
            pending: waiting.spans,
            pending_bytes: waiting.bytes,
            budget_held_bytes: self.budget.held(),
            budget_limit_bytes: self.budget.limit(),
            dropped_no_backend,
            remedy: (dropped_no_backend > 0).then_some(REMEDY),
            client_stats: self.outlet.stats_status(),
        }
    }
}

impl Queues {
    fn new(traces: Vec<Queue>, stats: Vec<Queue>) -> Queues {
        let (no_backend, stats_received, stats_refused, stats_not_carried) = Default::default();
        Queues { traces, stats, no_backend, stats_received, stats_refused, stats_not_carried }
    }

    fn stats_status(&self) -> ClientStatsStatus {
        ClientStatsStatus {
            received: self.stats_received.load(Ordering::Relaxed),
            refused: self.stats_refused.load(Ordering::Relaxed),
            not_carried: self.stats_not_carried.load(Ordering::Relaxed),
        }
    }
}

impl Outlet for Queues {
    fn has_room(&self, bytes: usize) -> bool {
        self.traces.is_empty() || self.traces.iter().any(|queue| queue.has_room(bytes))
    }

    fn spans(&self, batch: SpanBatch) {
        allocator::keep_freed_pages();
        if self.traces.is_empty() {
            let before = self.no_backend.fetch_add(batch.spans, Ordering::Relaxed);
            if before == 0 {
                tracing::warn!("{REMEDY}");
            }
        }
        for queue in &self.traces {
            queue.offer(Item::Spans(batch.clone()));
        }
    }

    fn client_stats(&self, payload: Bytes) -> Result<(), NoRoom> {
        if !self.stats.is_empty() && !self.stats.iter().any(|queue| queue.has_room(payload.len())) {
            self.stats_refused.fetch_add(1, Ordering::Relaxed);
            return Err(NoRoom);
        }
        self.stats_received.fetch_add(1, Ordering::Relaxed);
        if self.stats.is_empty() {
            self.stats_not_carried.fetch_add(1, Ordering::Relaxed);
        }
        for queue in &self.stats {
            queue.offer(Item::ClientStats(payload.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
