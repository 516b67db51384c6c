//! Signals, metrics and log records on their way through the agent: the budget and the batcher that intakes share, and
//! the queues of the backends behind them.
//!
//! Without a backend that carries a signal it is taken and counted as dropped, so that an app's SDK works, and
//! `/status` says what to configure. Metrics become series on `/metrics` first, as soon as they are taken.

mod carrier;

use super::allocator;
use crate::admin::status::{
    ClientStatsStatus, ConversionStatus, PointsStatus, ReasonStatus, RefusedStatus, RemarkStatus,
    RequestStatus, SeriesStatus, SignalStatus, SpanStatus,
};
use crate::backend;
use crate::clock;
use crate::config::{self, Config};
use crate::deliver::{self, Item, Queue};
use crate::metrics::points::{Conversion, LeftOut, Points, Remark};
use crate::otlp::counts::RefusedFor;
use crate::otlp::{Batch, Batcher, Budget, NoRoom, Outlet, Protocol, Signal};
use crate::telemetry::{self, Metric};
use bytes::Bytes;
use carrier::Carrier;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the intakes of requests are given, and how it fares.
#[derive(Clone)]
pub(super) struct Signals {
    pub(super) budget: Budget,
    pub(super) batcher: Batcher,
    outlet: Arc<Queues>,
}

/// The queues of the backends, by what they carry.
struct Queues {
    /// By signal.
    otlp: [Way; Signal::ALL.len()],
    /// The series on `/metrics`, when it shows them.
    points: Option<Arc<Points>>,
    stats: Vec<Carrier>,
    /// For the copies that conversions make.
    budget: Budget,
    stats_received: AtomicU64,
    stats_refused: AtomicU64,
    stats_not_carried: AtomicU64,
}

/// The way out of one signal.
struct Way {
    carriers: Vec<Carrier>,
    /// Items that no backend carries.
    no_backend: AtomicU64,
}

impl Signals {
    /// `queues` stand in the order of the configured backends; `points` is where metrics are shown.
    pub(super) fn new(config: &Config, queues: &[Queue], points: Option<Arc<Points>>) -> Signals {
        let carrying = |signal: deliver::Signal| -> Vec<Carrier> {
            let carries =
                |backend: &config::Backend| backend::descriptor(&backend.kind).signals.contains(&signal);
            let both = config.backends.values().zip(queues).filter(|(backend, _)| carries(backend));
            both.map(|(backend, queue)| Carrier::new(queue, backend, signal, config)).collect()
        };
        let budget = Budget::new(config.traces.budget_bytes);
        let (stats_received, stats_refused, stats_not_carried) = Default::default();
        let outlet = Arc::new(Queues {
            otlp: Signal::ALL
                .map(|signal| Way { carriers: carrying(signal.into()), no_backend: AtomicU64::new(0) }),
            points,
            stats: carrying(deliver::Signal::Stats),
            budget: budget.clone(),
            stats_received,
            stats_refused,
            stats_not_carried,
        });
        Signals {
            budget,
            batcher: Batcher::new(Arc::clone(&outlet) as Arc<dyn Outlet>, &config.traces),
            outlet,
        }
    }

    /// Items taken from all clients.
    pub(super) fn received(&self, signal: Signal) -> u64 {
        self.batcher.counts(signal).received_total()
    }

    /// Items of all signals, taken and neither carried by a backend nor shown on `/metrics`.
    pub(super) fn dropped(&self) -> u64 {
        let way = self.outlet.way(Signal::Metrics);
        let unshown = match &self.outlet.points {
            Some(points) if way.carriers.is_empty() => points.tally().lost(),
            Some(_) | None => 0,
        };
        self.outlet.otlp.iter().map(Way::dropped).sum::<u64>() + unshown
    }

    /// Data points that `/metrics` shows.
    pub(super) fn shown(&self) -> u64 {
        self.outlet.points.as_ref().map_or(0, |points| points.tally().shown())
    }

    /// Copies what is counted here into pillion's own metrics.
    pub(super) fn collect(&self) {
        for signal in Signal::ALL {
            self.collect_signal(signal);
        }
        if let Some(points) = &self.outlet.points {
            collect_points(points);
        }
        for ConversionStatus { backend, converted, resets, gaps, streams } in self.outlet.conversions() {
            telemetry::total(Metric::PointsConverted, &[&backend], converted);
            telemetry::total(Metric::PointConversionRemarked, &[&backend, "reset"], resets);
            telemetry::total(Metric::PointConversionRemarked, &[&backend, "gap"], gaps);
            telemetry::gauge(Metric::PointConversionStreams, &[&backend], streams as f64);
        }
        telemetry::gauge(Metric::TracesBudgetHeld, &[], self.budget.held() as f64);
        telemetry::gauge(Metric::TracesBudgetLimit, &[], self.budget.limit() as f64);
        let ClientStatsStatus { received, refused, not_carried } = self.outlet.stats_status();
        telemetry::total(Metric::ClientStatsReceived, &[], received);
        telemetry::total(Metric::ClientStatsRefused, &[], refused);
        telemetry::total(Metric::ClientStatsNotCarried, &[], not_carried);
    }

    fn collect_signal(&self, signal: Signal) {
        let [received, refused, dropped, pending] = metrics(signal);
        let counts = self.batcher.counts(signal);
        for from in protocols(signal) {
            telemetry::total(received, &[from.name()], counts.received_of(*from));
            for reason in RefusedFor::ALL {
                let labels = [from.name(), reason.name()];
                telemetry::total(refused, &labels, counts.refused_of(*from, reason));
            }
        }
        telemetry::total(dropped, &["no_backend"], self.outlet.way(signal).dropped());
        telemetry::gauge(pending, &[], self.batcher.waiting(signal).items as f64);
    }

    pub(super) fn status(&self) -> RequestStatus {
        RequestStatus {
            spans: SpanStatus {
                signal: self.signal_status(Signal::Traces),
                budget_held_bytes: self.budget.held(),
                budget_limit_bytes: self.budget.limit(),
                client_stats: self.outlet.stats_status(),
            },
            points: PointsStatus {
                signal: self.signal_status(Signal::Metrics),
                series: self.outlet.points.as_deref().map(series_status),
                conversions: self.outlet.conversions().collect(),
            },
            log_records: self.signal_status(Signal::Logs),
        }
    }

    fn signal_status(&self, signal: Signal) -> SignalStatus {
        let counts = self.batcher.counts(signal);
        let refused = |from: &Protocol| {
            let from = *from;
            RefusedFor::ALL.into_iter().map(move |reason| RefusedStatus {
                protocol: from.name(),
                reason: reason.name(),
                count: counts.refused_of(from, reason),
            })
        };
        let protocols = protocols(signal);
        let waiting = self.batcher.waiting(signal);
        let dropped_no_backend = self.outlet.way(signal).dropped();
        SignalStatus {
            received: protocols.iter().map(|from| (from.name(), counts.received_of(*from))).collect(),
            refused: protocols.iter().flat_map(refused).filter(|refused| refused.count > 0).collect(),
            pending: waiting.items,
            pending_bytes: waiting.bytes,
            dropped_no_backend,
            remedy: (dropped_no_backend > 0).then_some(remedy(signal)),
        }
    }
}

/// Copies what became of data points into pillion's own metrics.
fn collect_points(points: &Points) {
    let tally = points.tally();
    telemetry::total(Metric::PointsShown, &[], tally.shown());
    for why in LeftOut::ALL {
        telemetry::total(Metric::PointsLeftOut, &[why.name()], tally.left_out(why));
    }
    for remark in Remark::ALL {
        telemetry::total(Metric::PointsRemarked, &[remark.name()], tally.remarked(remark));
    }
    telemetry::gauge(Metric::PointStreams, &[], points.streams() as f64);
    telemetry::total(Metric::PointTargetsDropped, &[], points.targets_dropped());
}

fn series_status(points: &Points) -> SeriesStatus {
    let tally = points.tally();
    let left_out = LeftOut::ALL.into_iter().map(|why| ReasonStatus {
        reason: why.name(),
        meaning: why.meaning(),
        count: tally.left_out(why),
    });
    let remarked = Remark::ALL.into_iter().map(|remark| RemarkStatus {
        remark: remark.name(),
        meaning: remark.meaning(),
        count: tally.remarked(remark),
    });
    SeriesStatus {
        shown: tally.shown(),
        left_out: left_out.filter(|status| status.count > 0).collect(),
        remarked: remarked.filter(|status| status.count > 0).collect(),
        streams: points.streams(),
        targets_dropped: points.targets_dropped(),
    }
}

/// What can bring a signal.
fn protocols(signal: Signal) -> &'static [Protocol] {
    match signal {
        Signal::Traces => &Protocol::ALL,
        Signal::Metrics | Signal::Logs => &[Protocol::Otlp],
    }
}

/// The own metrics of a signal: received, refused, dropped, pending.
fn metrics(signal: Signal) -> [Metric; 4] {
    match signal {
        Signal::Traces => {
            [Metric::SpansReceived, Metric::SpansRefused, Metric::SpansDropped, Metric::SpansPending]
        }
        Signal::Metrics => {
            [Metric::PointsReceived, Metric::PointsRefused, Metric::PointsDropped, Metric::PointsPending]
        }
        Signal::Logs => [
            Metric::LogRecordsReceived,
            Metric::LogRecordsRefused,
            Metric::LogRecordsDropped,
            Metric::LogRecordsPending,
        ],
    }
}

/// What is said where items come and no backend carries them.
fn remedy(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => {
            "spans are dropped: no backend carries traces; configure one of those that do, such as \
             `[backends.NAME]` with `type = \"otlp\"`"
        }
        Signal::Metrics => {
            "data points of OTLP are dropped: `metrics.otlp` is off and no backend carries metrics; turn it on for \
             `/metrics`, or configure a backend that carries them, such as `[backends.NAME]` with `type = \"otlp\"`"
        }
        Signal::Logs => {
            "log records are dropped: no backend carries logs; configure one of those that do, such as \
             `[backends.NAME]` with `type = \"otlp\"`"
        }
    }
}

impl Way {
    fn dropped(&self) -> u64 {
        self.no_backend.load(Ordering::Relaxed)
    }
}

impl Queues {
    fn way(&self, signal: Signal) -> &Way {
        &self.otlp[signal as usize]
    }

    /// Of the backends for which points are converted.
    fn conversions(&self) -> impl Iterator<Item = ConversionStatus> {
        self.way(Signal::Metrics).carriers.iter().filter_map(|carrier| {
            let Conversion { converted, resets, gaps, streams } = carrier.conversion()?;
            let backend = carrier.queue.name().to_owned();
            Some(ConversionStatus { backend, converted, resets, gaps, streams })
        })
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
    fn has_room(&self, signal: Signal, bytes: usize, before: usize) -> bool {
        let carriers = &self.way(signal).carriers;
        carriers.is_empty() || carriers.iter().any(|carrier| carrier.queue.has_room(bytes, before))
    }

    fn looks_into(&self, signal: Signal) -> bool {
        signal == Signal::Metrics && self.points.is_some()
    }

    fn look_into(&self, _: Signal, taken: &[Bytes]) {
        if let Some(points) = &self.points {
            let now_ns = clock::now_ns();
            taken.iter().for_each(|bytes| points.take(bytes, now_ns));
        }
    }

    fn batch(&self, batch: Batch) {
        allocator::keep_freed_pages();
        let Way { carriers, no_backend } = self.way(batch.signal);
        if carriers.is_empty() && !self.looks_into(batch.signal) {
            let before = no_backend.fetch_add(batch.items, Ordering::Relaxed);
            if before == 0 {
                tracing::warn!("{}", remedy(batch.signal));
            }
        }
        for carrier in carriers {
            carrier.offer(&batch, &self.budget);
        }
    }

    fn client_stats(&self, payload: Bytes) -> Result<(), NoRoom> {
        if !self.stats.is_empty()
            && !self.stats.iter().any(|carrier| carrier.queue.has_room(payload.len(), 0))
        {
            self.stats_refused.fetch_add(1, Ordering::Relaxed);
            return Err(NoRoom);
        }
        self.stats_received.fetch_add(1, Ordering::Relaxed);
        if self.stats.is_empty() {
            self.stats_not_carried.fetch_add(1, Ordering::Relaxed);
        }
        for carrier in &self.stats {
            carrier.queue.offer(Item::ClientStats(payload.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
