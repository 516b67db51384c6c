//! The handle on the aggregation: makes shards, asks them for hand-overs, closes windows.
//!
//! The registry's lock lives here and nowhere else. Everything that walks the registry lets go of the
//! lock between slices.

use super::control::Control;
use super::limits::OVERFLOW_TAG;
use super::registry::{Options, Pushing, Registry};
use super::rules::Rules;
use super::series::{Series, Snapshot};
use super::shard::Shard;
use super::tally::Tally;
use crate::config;
use crate::statsd::{Dialect, FormLimits, Note};
use parking_lot::{Mutex, MutexGuard};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Series in one part of a snapshot: what a push backend encodes and queues at once.
const SNAPSHOT_SERIES: usize = 8_192;
/// How long a hand-over may take before the window is closed without it; its values come in the next.
const HAND_OVER_TIME: Duration = Duration::from_secs(1);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Aggregator(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) registry: Mutex<Registry>,
    pub(super) rules: Rules,
    pub(super) limits: FormLimits,
    pub(super) origin: bool,
    /// Where messages come from that do not say it.
    pub(super) entity: Option<String>,
    /// Random, for the forms of all shards and the members of sets.
    pub(super) key: u64,
    pub(super) forms_limit: usize,
    pub(super) expiry_windows: u32,
    pub(super) notes: mpsc::Sender<Note>,
    shards: Mutex<Vec<Arc<Control>>>,
    resource: Arc<[(String, String)]>,
}

impl Aggregator {
    /// `key` must be random per process; events and checks go into `notes`.
    pub fn new(
        config: &config::Config,
        rules: Rules,
        pushing: Pushing,
        notes: mpsc::Sender<Note>,
        key: u64,
        now_ns: u64,
    ) -> Aggregator {
        let metrics = &config.metrics;
        let window_ns = metrics.flush_interval.as_nanos() as u64;
        let expiry_windows = (metrics.expiry.as_nanos() as u64).div_ceil(window_ns.max(1)) as u32;
        let options = Options {
            context_limit: metrics.context_limit,
            name_limit: metrics.name_limit,
            expiry_windows,
            window_ns,
            summary_window_ns: metrics.summary_window.as_nanos() as u64,
            set_exact: metrics.set_exact,
            timestamped_limit: metrics.timestamped_limit,
            overflow_tags: overflow_tags(&metrics.tags),
            pushing,
        };
        let registry = Registry::new(options, rules.treatments().into(), key, now_ns);
        Aggregator(Arc::new(Inner {
            registry: Mutex::new(registry),
            rules,
            limits: FormLimits {
                name_bytes: config.limits.name_bytes,
                tag_bytes: config.limits.tag_bytes,
                tags: config.limits.tags,
            },
            origin: config.statsd.origin,
            entity: config.entity.clone(),
            key,
            forms_limit: metrics.context_limit.saturating_mul(2).saturating_add(1_024),
            expiry_windows,
            notes,
            shards: Mutex::new(Vec::new()),
            resource: resource(config),
        }))
    }

    /// A shard for one intake thread, which counts in `tally`.
    pub fn shard(&self, tally: Arc<Tally>, dialect: Dialect) -> io::Result<Shard> {
        let control = Arc::new(Control::new()?);
        let mut shards = self.0.shards.lock();
        shards.push(Arc::clone(&control));
        Ok(Shard::new(Arc::clone(&self.0), tally, control, dialect))
    }

    /// Asks every shard to hand over and waits for it (a bounded time).
    pub async fn sync(&self) {
        self.hand_over(false).await;
    }

    /// Closes the window that ends at `end_ns` and gives its snapshot in parts.
    pub async fn close_window(&self, end_ns: u64, mut give: impl FnMut(Arc<Snapshot>)) {
        self.hand_over(true).await;
        let mut closing = self.lock().begin_close(end_ns);
        let (start_ns, mut series) = (closing.start_ns, Vec::new());
        let mut part = |series: &mut Vec<Series>| {
            if !series.is_empty() {
                let series = std::mem::take(series);
                give(Arc::new(Snapshot { start_ns, end_ns, series, resource: Arc::clone(&self.0.resource) }));
            }
        };
        while self.lock().close_slice(&mut closing, &mut series) {
            if series.len() >= SNAPSHOT_SERIES {
                part(&mut series);
            }
            tokio::task::yield_now().await;
        }
        let evictable = closing.evictable();
        self.lock().end_close(evictable, &mut series);
        part(&mut series);
    }

    /// Asks every intake thread to read what is left, hand over and end.
    pub fn stop_intake(&self) {
        for control in self.0.shards.lock().iter() {
            control.stop();
        }
    }

    /// The rules that contexts go through.
    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// The facts about this process that push backends put into their resource.
    pub fn resource(&self) -> &Arc<[(String, String)]> {
        &self.0.resource
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    /// The registry, for a short look: intake threads may be waiting.
    pub(super) fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock()
    }

    async fn hand_over(&self, window_closed: bool) {
        let asked: Vec<_> = {
            let mut shards = self.0.shards.lock();
            shards.retain(|control| !control.is_finished());
            shards.iter().map(|control| (Arc::clone(control), control.ask(window_closed))).collect()
        };
        let deadline = tokio::time::Instant::now() + HAND_OVER_TIME;
        for (control, number) in asked {
            if tokio::time::timeout_at(deadline, control.wait(number)).await.is_err() {
                tracing::warn!("an intake thread has not handed over within {HAND_OVER_TIME:?}");
            }
        }
    }
}

impl Inner {
    /// Whether gauges of several threads must be ordered by time.
    pub(super) fn has_several_shards(&self) -> bool {
        self.shards.lock().len() > 1
    }
}

/// Sorted, like the tags of any key.
fn overflow_tags(global: &[String]) -> String {
    let mut tags: Vec<&str> = global.iter().map(String::as_str).chain([OVERFLOW_TAG]).collect();
    tags.sort_unstable();
    tags.dedup();
    tags.join("\n")
}

/// The facts about this process that push backends put into their resource.
fn resource(config: &config::Config) -> Arc<[(String, String)]> {
    let mut all = config.resource.clone();
    for tag in &config.metrics.tags {
        let (key, value) = tag.split_once(':').unwrap_or((tag, "true"));
        all.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    all.into_iter().collect()
}
