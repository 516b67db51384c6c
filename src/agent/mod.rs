//! Wiring: from a configuration to a running agent, and back to nothing.
//!
//! Start is one ordered list and stop is its reverse (`stop`). Everything that can fail does so before
//! the first byte is read: ports and files are bound early and served late. Nothing is aggregated,
//! queued or formatted here.

mod allocator;
mod intakes;
mod notes;
mod page;
mod proxy;
mod signals;
mod stop;
mod trim;
mod view;
mod windows;

use crate::admin::{self, State, logging};
use crate::backend::prometheus::Exposition;
use crate::config::Config;
use crate::deliver::Queue;
use crate::intake::http;
use crate::intake::statsd::{self as intake, Bound, Running, Watch};
use crate::metrics::points::Points;
use crate::metrics::rules::{RuleErrors, Rules};
use crate::metrics::tally::Tally;
use crate::metrics::{Aggregator, Pushing};
use crate::statsd::Dialect;
use crate::telemetry::Recorder;
use crate::telemetry::export::Exporter;
use crate::telemetry::recorder::AlreadyInstalled;
use crate::{backend, clock};
use signals::Signals;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use view::View;

/// Events and service checks on their way from the intake threads to the backends.
const NOTES: usize = 1_024;
/// Pages made at once, and the joining of threads at the end.
const BLOCKING_THREADS: usize = 8;

/// For blocking work that is still under way at the very end.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// Why the agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Logging(#[from] logging::LoggingError),
    #[error(transparent)]
    Recorder(#[from] AlreadyInstalled),
    #[error(transparent)]
    Rules(#[from] RuleErrors),
    #[error(transparent)]
    Http(#[from] admin::BindError),
    #[error(transparent)]
    Statsd(#[from] intake::BindError),
    #[error(transparent)]
    Intake(#[from] http::BindError),
    #[error("the backend `{name}` cannot start: {source}")]
    Backend { name: String, source: backend::StartError },
    #[error("the system refused what the agent needs: {0}")]
    System(#[from] io::Error),
}

/// How the agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Told to, and everything was handed on or counted.
    Drained,
    /// A second signal came: whatever was left is lost.
    Interrupted,
}

/// Runs the agent until a signal ends it.
pub fn run(config: Config) -> Result<End, StartError> {
    let runtime =
        Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    let end = runtime.block_on(async {
        let agent = Agent::start(config, &runtime)?;
        stop::until_signals(agent).await
    });
    // A page that a slow client still reads, or a write to a full pipe, must not hold up the exit.
    runtime.shutdown_timeout(LEFTOVERS);
    end
}

/// A running agent, in the order of its start.
pub(crate) struct Agent {
    config: Config,
    exporter: Option<Exporter>,
    aggregator: Aggregator,
    queues: Vec<Queue>,
    notes: JoinHandle<()>,
    /// What the intakes of requests share, and the task that sends their batches on by age.
    signals: Signals,
    batches: JoinHandle<()>,
    listeners: Vec<Running>,
    intakes: intakes::Intakes,
    windows: JoinHandle<()>,
    summary: JoinHandle<()>,
    view: Arc<View>,
    server: admin::Server,
    /// Turns true when windows are no longer closed by the clock.
    stopping: watch::Sender<bool>,
}

impl Agent {
    fn start(config: Config, runtime: &Runtime) -> Result<Agent, StartError> {
        let exporter = logging::start(&config, runtime.handle())?;
        let recorder = Recorder::install()?;
        let rules = Rules::compile(&config.rules, &config.metrics)?;
        let server = admin::bind(&config.http)?;
        let bound = config.statsd.listeners.iter().map(intake::bind).collect::<Result<Vec<_>, _>>()?;
        let intakes = intakes::bind(&config)?;

        let queues = start_backends(&config)?;
        let (note_sender, note_receiver) = mpsc::channel(NOTES);
        let (stopping, stopped) = watch::channel(false);
        let key = fastrand::u64(..);
        let aggregator = Aggregator::new(&config, rules, pushing(&config), note_sender, key, clock::now_ns());
        let notes = tokio::spawn(notes::run(
            note_receiver,
            queues.clone(),
            Arc::clone(aggregator.resource()),
            stopped.clone(),
        ));

        let points = config.metrics.otlp.then(|| Arc::new(Points::new(aggregator.clone())));
        let signals = Signals::new(&config, &queues, points.clone());
        let batches = tokio::spawn(signals.batcher.clone().run(stopped.clone()));

        let view = Arc::new(View::new(
            aggregator.clone(),
            queues.clone(),
            signals.clone(),
            Exposition::new(
                Arc::new(page::Series { aggregator: aggregator.clone(), points }),
                &config.resource,
            ),
            recorder,
        ));
        let mut listeners = Vec::new();
        let proxied = if config.datadog.listen.is_empty() { None } else { Some(proxy::bind(&config)?) };
        let (proxy, statsd) = proxied.unzip();
        for (bound, listener) in bound.into_iter().zip(&config.statsd.listeners) {
            let dialect = Dialect {
                influx: config.statsd.influx_tags,
                librato: config.statsd.librato_tags,
                signalfx: config.statsd.signalfx_tags,
                gauge_deltas: listener.gauge_deltas,
            };
            listeners.push(serve(bound, dialect, &aggregator, &view)?);
        }
        if let Some(bound) = proxy {
            let dialect = Dialect { influx: false, librato: false, signalfx: false, gauge_deltas: false };
            listeners.push(serve(bound, dialect, &aggregator, &view)?);
        }
        let intakes = intakes.serve(&config, &signals.budget, &signals.batcher, statsd)?;
        view.add_intakes(intakes.watches());
        let windows = tokio::spawn(windows::run(
            aggregator.clone(),
            config.metrics.flush_interval,
            queues.clone(),
            stopped.clone(),
        ));
        let summary =
            tokio::spawn(view::summaries(Arc::clone(&view), config.telemetry.summary_interval, stopped));
        let server = server.serve(state(&view))?;
        trim::give_back_file_pages();
        let watches: Vec<_> = listeners.iter().map(Running::watch).collect();
        view.readiness.watch(move || watches.iter().all(Watch::healthy));
        view.readiness.ready();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            metrics = %format!("http://{}/metrics", server.address()),
            backends = queues.len(),
            "ready"
        );
        Ok(Agent {
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
        })
    }
}

fn start_backends(config: &Config) -> Result<Vec<Queue>, StartError> {
    let start = |(name, options): (&String, &crate::config::Backend)| {
        backend::start(name, options, env!("CARGO_PKG_VERSION"))
            .map_err(|source| StartError::Backend { name: name.clone(), source })
    };
    config.backends.iter().map(start).collect()
}

/// What the backends together need of a snapshot.
fn pushing(config: &Config) -> Pushing {
    if config.backends.is_empty() {
        Pushing::Nothing
    } else if config.backends.values().any(|options| backend::wants_totals(&options.kind)) {
        Pushing::Cumulative
    } else {
        Pushing::Delta
    }
}

/// Begins to read from a listener.
fn serve(
    bound: Bound,
    dialect: Dialect,
    aggregator: &Aggregator,
    view: &View,
) -> Result<Running, StartError> {
    let tallies: Vec<Arc<Tally>> = (0..bound.workers()).map(|_| Arc::default()).collect();
    let shards = tallies
        .iter()
        .map(|tally| aggregator.shard(Arc::clone(tally), dialect))
        .collect::<io::Result<Vec<_>>>()?;
    tracing::info!(listener = bound.info().address, "listening");
    let running = bound.serve(shards);
    view.add_listener(running.watch(), tallies);
    Ok(running)
}

/// What the HTTP server answers with.
fn state(view: &Arc<View>) -> State {
    let (pages, status) = (Arc::clone(view), Arc::clone(view));
    State {
        readiness: view.readiness.clone(),
        metrics: Arc::new(move |headers| page::answer(&pages, headers)),
        status: Arc::new(move || status.status()),
    }
}
