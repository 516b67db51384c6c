//! The end, in the reverse order of the start: each part ends when its last item is handed on.

use super::{Agent, End, StartError, windows};
use crate::clock;
use crate::deliver::{self, Queue};
use crate::intake::statsd::Running;
use crate::otlp::Signal;
use std::time::Duration;
use tokio::signal::unix::{Signal as UnixSignal, SignalKind, signal};
use tokio::time::Instant;

/// How often a drain looks whether messages still come.
const LOOK: Duration = Duration::from_millis(50);
/// For the last log lines and spans, and for connections that still read.
const FAREWELL: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT, then drains; a second signal ends everything at once.
pub(super) async fn until_signals(agent: Agent) -> Result<End, StartError> {
    let mut signals =
        Signals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
    let name = signals.next().await;
    tracing::info!(signal = name, "draining");
    tokio::select! {
        () = drain(agent) => Ok(End::Drained),
        name = signals.next() => {
            tracing::warn!(signal = name, "a second signal: ending at once, what is left is lost");
            Ok(End::Interrupted)
        }
    }
}

struct Signals {
    term: UnixSignal,
    int: UnixSignal,
}

impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

async fn drain(agent: Agent) {
    let Agent {
        config,
        exporter,
        aggregator,
        queues,
        notes,
        signals,
        batches,
        listeners,
        intakes,
        windows,
        summary,
        view,
        server,
        stopping,
        ..
    } = agent;
    server.begin_drain();
    until_quiet(|| view.packets() + view.requests(), config.shutdown.quiet, config.shutdown.drain).await;

    // Close the intake: threads read what the kernel still holds and hand over.
    // The requests first: some carry StatsD lines.
    let deadline = Instant::now() + config.shutdown.deadline;
    intakes.shutdown(deadline.min(Instant::now() + config.intake.request_timeout)).await;
    aggregator.stop_intake();
    let joined = tokio::task::spawn_blocking(|| listeners.into_iter().for_each(Running::join));
    if tokio::time::timeout_at(deadline, joined).await.is_err() {
        tracing::error!("an intake thread did not end; what it holds is lost");
    }

    // The last batch, one more window, the last notes, and then the queues.
    stopping.send_replace(true);
    ended("batches", batches).await;
    signals.batcher.close();
    ended("windows", windows).await;
    ended("summary", summary).await;
    ended("notes", notes).await;
    windows::close(&aggregator, clock::now_ns(), &queues).await;
    deliver::close_all(&queues, deadline).await;
    let longest = config.shutdown.await_scrape;
    if !longest.is_zero() && view.unfetched() > 0 {
        // `/metrics` is still answered. What is not fetched in time is told by the last line.
        tracing::info!(unfetched = view.unfetched(), "waiting at most {longest:?} for a last scrape");
        let _ = tokio::time::timeout(longest, view.all_fetched()).await;
    }
    server.shutdown(FAREWELL).await;
    farewell(&view, &queues);
    if let Some(exporter) = exporter
        && let Err(error) = exporter.shutdown(FAREWELL).await
    {
        tracing::warn!("{error}");
    }
}

/// Waits until `quiet` passes without a packet or a request, at most `longest`.
async fn until_quiet(packets: impl Fn() -> u64, quiet: Duration, longest: Duration) {
    let begin = Instant::now();
    let (mut last, mut since) = (packets(), begin);
    while since.elapsed() < quiet && begin.elapsed() < longest {
        tokio::time::sleep(LOOK.min(quiet)).await;
        let now = packets();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

async fn ended(what: &str, task: tokio::task::JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(task = what, "ended badly: {error}");
    }
}

/// The last line: what was received, delivered and lost.
fn farewell(view: &super::view::View, queues: &[Queue]) {
    let (mut delivered, mut lost) = (0, 0);
    for queue in queues {
        let ledger = queue.ledger();
        delivered += ledger.sent;
        lost += ledger.dropped_total();
    }
    let before = view.intake_losses() + view.signals.dropped();
    tracing::info!(
        received = view.messages(),
        spans = view.signals.received(Signal::Traces),
        points = view.signals.received(Signal::Metrics),
        log_records = view.signals.received(Signal::Logs),
        delivered,
        lost = lost + before,
        unfetched = view.unfetched(),
        "ended: messages, spans, data points and log records received, all delivered to backends, lost anywhere, and \
         messages no scrape has fetched"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_after_a_quiet_second_or_at_its_limit() {
        let begin = Instant::now();
        until_quiet(|| 7, Duration::from_secs(1), Duration::from_secs(5)).await;
        assert_eq!(begin.elapsed().as_secs(), 1);

        let (begin, count) = (Instant::now(), Cell::new(0));
        let busy = || {
            count.set(count.get() + 1);
            count.get()
        };
        until_quiet(busy, Duration::from_secs(1), Duration::from_secs(5)).await;
        assert_eq!(begin.elapsed().as_secs(), 5);
    }
}
