//! The clock of aggregation: closes windows at multiples of the flush interval and hands the snapshots
//! to every backend's queue.

use super::allocator;
use crate::clock;
use crate::deliver::{Item, Queue};
use crate::metrics::Aggregator;
use crate::telemetry::{self, Metric};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument as _;

/// Closes windows until told to stop; the last one is the shutdown's.
pub(super) async fn run(
    aggregator: Aggregator,
    interval: Duration,
    queues: Vec<Queue>,
    mut stopping: watch::Receiver<bool>,
) {
    let interval_ns = interval.as_nanos() as u64;
    let mut end_ns = next_end(clock::now_ns(), interval_ns);
    loop {
        let wait = Duration::from_nanos(end_ns.saturating_sub(clock::now_ns()));
        tokio::select! {
            // An error means that the agent is gone, which ends this, too.
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(wait) => {}
        }
        let now_ns = clock::now_ns();
        if now_ns < end_ns {
            // The wall clock was set back, or the timer was early: wait for what is left.
            end_ns = next_end(now_ns, interval_ns);
            continue;
        }
        let missed = (now_ns - end_ns) / interval_ns;
        telemetry::add(Metric::FlushesSkipped, &[], missed);
        close(&aggregator, end_ns + missed * interval_ns, &queues).await;
        allocator::give_back_freed_pages();
        end_ns = next_end(clock::now_ns(), interval_ns);
    }
}

/// Closes the window that ends at `end_ns` and offers its snapshot to all.
pub(super) async fn close(aggregator: &Aggregator, end_ns: u64, queues: &[Queue]) {
    let started = Instant::now();
    let span = tracing::info_span!(target: telemetry::SPANS, "flush", series = tracing::field::Empty);
    let mut series = 0;
    let give = |snapshot: Arc<_>| {
        series += offer(&snapshot, queues);
    };
    aggregator.close_window(end_ns, give).instrument(span.clone()).await;
    span.record("series", series);
    let took = started.elapsed().as_secs_f64();
    telemetry::add(Metric::Flushes, &[], 1);
    telemetry::add_seconds(Metric::FlushSeconds, &[], took);
    telemetry::gauge(Metric::FlushLastDuration, &[], took);
}

fn offer(snapshot: &Arc<crate::metrics::series::Snapshot>, queues: &[Queue]) -> usize {
    for queue in queues {
        queue.offer(Item::Metrics(Arc::clone(snapshot)));
    }
    snapshot.series.len()
}

/// The first multiple of the interval after `now_ns`.
fn next_end(now_ns: u64, interval_ns: u64) -> u64 {
    (now_ns / interval_ns + 1) * interval_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_at_multiples_of_the_interval() {
        for (now, interval, end) in [(0, 10, 10), (9, 10, 10), (10, 10, 20), (11, 10, 20)] {
            assert_eq!(next_end(now, interval), end);
        }
    }
}
