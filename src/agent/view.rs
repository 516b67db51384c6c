//! The running agent as others look at it: `/status`, its own metrics, the summary in the log.

use super::page::Series;
use super::signals::Signals;
use crate::admin::collect::{self, ListenerSource};
use crate::admin::intakes::IntakeStatus;
use crate::admin::kernel_drops::SocketFacts;
use crate::admin::status::{
    BackendReport, BackendState, ContextStatus, OverflowStatus, RequestStatus, ScrapeStatus, Status,
    StatusSource,
};
use crate::admin::{Phase, Readiness, summary};
use crate::backend::prometheus::Exposition;
use crate::clock;
use crate::config::ListenAddress;
use crate::deliver::Queue;
use crate::intake::http;
use crate::intake::statsd::{State as WorkerState, Watch};
use crate::metrics::Aggregator;
use crate::metrics::status::Folded;
use crate::metrics::tally::Tally;
use crate::telemetry::{self, Metric, Recorder};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};

pub(super) struct View {
    pub(super) readiness: Readiness,
    pub(super) aggregator: Aggregator,
    pub(super) exposition: Arc<Exposition<Series>>,
    pub(super) recorder: Recorder,
    pub(super) signals: Signals,
    queues: Vec<Queue>,
    listeners: Mutex<Vec<Listener>>,
    intakes: Mutex<Vec<http::Watch>>,
    started_ns: u64,
    pages: AtomicU64,
    last_page_ns: AtomicU64,
    /// Messages and data points that the last whole page has shown.
    fetched: AtomicU64,
    scraped: Notify,
}

/// A listener with the counters of its threads.
struct Listener {
    watch: Watch,
    tallies: Vec<Arc<Tally>>,
}

impl View {
    pub(super) fn new(
        aggregator: Aggregator,
        queues: Vec<Queue>,
        signals: Signals,
        exposition: Arc<Exposition<Series>>,
        recorder: Recorder,
    ) -> View {
        View {
            readiness: Readiness::default(),
            aggregator,
            exposition,
            recorder,
            signals,
            queues,
            listeners: Mutex::default(),
            intakes: Mutex::default(),
            started_ns: clock::now_ns(),
            pages: AtomicU64::new(0),
            last_page_ns: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
            scraped: Notify::new(),
        }
    }

    pub(super) fn add_listener(&self, watch: Watch, tallies: Vec<Arc<Tally>>) {
        self.listeners.lock().push(Listener { watch, tallies });
    }

    pub(super) fn add_intakes(&self, watches: Vec<http::Watch>) {
        self.intakes.lock().extend(watches);
    }

    /// Requests answered by the span intakes.
    pub(super) fn requests(&self) -> u64 {
        self.intakes.lock().iter().map(http::Watch::requests).sum()
    }

    /// Metric lines taken by all listeners.
    pub(super) fn messages(&self) -> u64 {
        self.sum(|tally| tally.messages.get())
    }

    pub(super) fn packets(&self) -> u64 {
        self.sum(|tally| tally.packets.get())
    }

    /// What was lost before aggregation, messages and datagrams together.
    pub(super) fn intake_losses(&self) -> u64 {
        self.sum(|tally| {
            tally.no_room.get()
                + tally.kernel_dropped.get()
                + tally.oversized.get()
                + tally.events_dropped.get()
                + tally.timestamped_dropped.get()
        })
    }

    fn sum(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        self.listeners.lock().iter().flat_map(|listener| &listener.tallies).map(|tally| of(tally)).sum()
    }

    /// A whole page went out that showed this many messages.
    pub(super) fn scraped(&self, shown: u64) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.last_page_ns.store(clock::now_ns(), Ordering::Relaxed);
        self.fetched.fetch_max(shown, Ordering::Relaxed);
        self.scraped.notify_waiters();
    }

    /// Messages and data points taken that `/metrics` shows.
    pub(super) fn fetchable(&self) -> u64 {
        self.messages() + self.signals.shown()
    }

    /// Messages and data points taken since the last whole page.
    pub(super) fn unfetched(&self) -> u64 {
        self.fetchable().saturating_sub(self.fetched.load(Ordering::Relaxed))
    }

    /// Returns when whole pages have shown every message and data point taken.
    pub(super) async fn all_fetched(&self) {
        loop {
            // Made before the look, so that a page that ends in between is not missed.
            let scraped = self.scraped.notified();
            if self.unfetched() == 0 {
                return;
            }
            scraped.await;
        }
    }

    /// Copies what is counted elsewhere into pillion's own metrics.
    pub(super) fn collect(&self) {
        collect::listeners(&self.listeners());
        collect::intakes(&self.intakes.lock());
        let contexts = self.aggregator.counts();
        telemetry::gauge(Metric::Contexts, &[], contexts.held as f64);
        telemetry::gauge(Metric::ContextLimit, &[], contexts.limit as f64);
        telemetry::gauge(Metric::NamesOverLimit, &[], contexts.names_folded as f64);
        telemetry::gauge(Metric::Forms, &[], self.sum(|tally| tally.forms.get()) as f64);
        telemetry::total(Metric::ContextsCreated, &[], contexts.created);
        telemetry::total(Metric::ContextsEvicted, &["room"], contexts.evicted);
        telemetry::total(Metric::ContextsEvicted, &["expired"], contexts.expired);
        self.signals.collect();
        telemetry::process::collect(Duration::from_nanos(self.started_ns));
    }

    pub(super) fn status(&self) -> Status {
        Status::read(self, self.started_ns, clock::now_ns())
    }
}

impl StatusSource for View {
    fn phase(&self) -> Phase {
        self.readiness.phase()
    }

    fn listeners(&self) -> Vec<ListenerSource> {
        self.listeners.lock().iter().map(source).collect()
    }

    fn intakes(&self, now_ns: u64) -> Vec<IntakeStatus> {
        self.intakes.lock().iter().map(|watch| IntakeStatus::read(watch, now_ns)).collect()
    }

    fn contexts(&self) -> ContextStatus {
        let status = self.aggregator.status();
        let overflow = |Folded { name, messages, name_is_full }: Folded| OverflowStatus {
            name,
            messages,
            limit: if name_is_full { "name" } else { "total" },
        };
        ContextStatus {
            held: status.counts.held as u64,
            limit: status.counts.limit as u64,
            limit_per_name: status.name_limit as u64,
            forms: self.sum(|tally| tally.forms.get()),
            evicted: status.counts.evicted,
            overflow: status.folded.into_iter().map(overflow).collect(),
            overflow_others: status.folded_others,
            top_by_messages: status.by_messages.iter().cloned().map(Into::into).collect(),
            top_by_contexts: status.by_contexts.iter().cloned().map(Into::into).collect(),
        }
    }

    fn rules(&self) -> Value {
        let rule = |(pattern, forms): (&str, u64)| json!({ "match": pattern, "forms": forms });
        self.aggregator.rules().matched().map(rule).collect()
    }

    fn page(&self) -> Value {
        serde_json::to_value(self.exposition.conflicts()).unwrap_or_default()
    }

    fn backends(&self) -> Vec<BackendReport> {
        self.queues.iter().map(report).collect()
    }

    fn scrapes(&self) -> ScrapeStatus {
        let last_ns = self.last_page_ns.load(Ordering::Relaxed);
        ScrapeStatus {
            pages: self.pages.load(Ordering::Relaxed),
            last_seconds_ago: (last_ns > 0).then(|| clock::now_ns().saturating_sub(last_ns) as f64 / 1e9),
            messages_unfetched: self.unfetched(),
        }
    }

    fn requests(&self) -> RequestStatus {
        self.signals.status()
    }
}

fn source(listener: &Listener) -> ListenerSource {
    let info = listener.watch.info();
    let kind = match info.bound {
        ListenAddress::Udp(_) => "udp",
        ListenAddress::Tcp(_) => "tcp",
        ListenAddress::UnixDatagram(_) => "unixgram",
        ListenAddress::UnixStream(_) => "unix",
    };
    let loss =
        listener.watch.workers().filter_map(|worker| worker.last_loss()).max_by_key(|loss| loss.time_ns);
    let socket =
        SocketFacts { buffer: info.receive_buffer, largest_burst: loss.map(|loss| loss.read + loss.dropped) };
    ListenerSource {
        address: info.address.clone(),
        kind,
        tallies: listener.tallies.clone(),
        failed: listener.watch.workers().filter(|worker| worker.state() == WorkerState::Failed).count(),
        socket,
    }
}

fn report(queue: &Queue) -> BackendReport {
    let status = queue.status();
    let state = if status.ended {
        BackendState::Ended
    } else if status.failing {
        BackendState::Failing
    } else if status.last_success_seconds_ago.is_some() {
        BackendState::Ok
    } else {
        BackendState::Waiting
    };
    BackendReport {
        name: status.name.clone(),
        state,
        last_error: status.last_error.as_ref().map(|error| error.message.clone()),
        dropped: queue.ledger().dropped_total(),
        detail: serde_json::to_value(&status).unwrap_or_default(),
    }
}

/// Logs the summary for people until told to stop.
pub(super) async fn summaries(view: Arc<View>, every: Duration, mut stopping: watch::Receiver<bool>) {
    if every.is_zero() {
        return;
    }
    let mut before = view.status();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(every) => {}
        }
        let after = view.status();
        tracing::info!("{}", summary::line(&before, &after));
        before = after;
    }
}
