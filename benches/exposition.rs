//! What a scrape costs: a page of `/metrics` per series, by format, and bringing its order up to date.
//!
//! The registry is a plain vector behind a mutex, so that only the page is measured.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use parking_lot::Mutex;
use pillion::backend::prometheus::{Exposition, Format, Negotiated, PageRequest, Scheme, Source};
use pillion::config;
use pillion::metrics::series::{Key, PageDistribution, PageSeries, PageValue, Treatment};
use pillion::metrics::sketch::Sketch;
use pillion::statsd::Kind;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

struct Registry(Mutex<Contexts>);

struct Contexts {
    keys: Vec<String>,
    kind: Kind,
    treatment: Treatment,
    sketch: Sketch,
    buckets: Vec<u64>,
}

impl Registry {
    /// `names` names with four tags each, in an order that is not the page's.
    fn new(series: usize, names: usize, kind: Kind) -> Arc<Self> {
        let defaults = config::Metrics::default();
        let treatment = Treatment {
            ttl: None,
            timer_buckets: defaults.timer_buckets.into(),
            histogram_buckets: defaults.histogram_buckets.into(),
            explicit_buckets: false,
            percentiles: defaults.percentiles.into(),
            style: defaults.histograms,
            help: None,
            unit: None,
        };
        let key = |i: usize| {
            let i = i.wrapping_mul(7_919) % series.max(1);
            let (name, id) = (i % names, i / names);
            format!(
                "shop.part{}.requests{name}\nenv:production\nid:{id}\nregion:eu-central-1\nstatus:200",
                name % 7
            )
        };
        let mut sketch = Sketch::new();
        (1..200).for_each(|i| sketch.insert(f64::from(i) * 1.7, 1.0));
        let buckets = vec![15; treatment.buckets(kind).len() + 1];
        let keys = (0..series).map(key).collect();
        Arc::new(Registry(Mutex::new(Contexts { keys, kind, treatment, sketch, buckets })))
    }
}

impl Source for Registry {
    fn pin(&self) -> u64 {
        self.0.lock().keys.len() as u64
    }

    fn unpin(&self, _pin: u64) {}

    fn births(&self, from: u32, born: Range<u64>, out: &mut Vec<u32>) -> Option<u32> {
        const SLICE: usize = 8_192;
        let contexts = self.0.lock();
        let until = (from as usize + SLICE).min(contexts.keys.len());
        out.extend((from..until as u32).filter(|id| born.contains(&u64::from(*id))));
        (until < contexts.keys.len()).then_some(until as u32)
    }

    fn read(&self, ids: &[u32], visit: &mut dyn FnMut(u32, Option<PageSeries<'_>>)) {
        let contexts = self.0.lock();
        for id in ids {
            let series = contexts.keys.get(*id as usize).map(|key| PageSeries {
                born: u64::from(*id),
                key: Key(key),
                class: contexts.kind.into(),
                meta: None,
                treatment: &contexts.treatment,
                start_ns: 1_700_000_000_000_000_000,
                value: match contexts.kind {
                    Kind::Counter => PageValue::Counter { total: f64::from(*id), monotonic: true },
                    Kind::Gauge | Kind::Set => PageValue::Gauge(f64::from(*id) / 8.0),
                    Kind::Timer | Kind::Histogram | Kind::Distribution => {
                        PageValue::Distribution(PageDistribution {
                            total: &contexts.sketch,
                            bucket_counts: &contexts.buckets,
                            window: None,
                        })
                    }
                },
            });
            visit(*id, series);
        }
    }
}

/// Reads a whole page and returns its size.
fn scrape(exposition: &Arc<Exposition<Registry>>, wanted: Negotiated) -> usize {
    let mut page = exposition.page(PageRequest { wanted, ..PageRequest::default() });
    let mut bytes = 0;
    while let Some(chunk) = page.next_chunk(0) {
        bytes += black_box(chunk.map_or(0, |chunk| chunk.len()));
    }
    bytes
}

fn pages(c: &mut Criterion) {
    let wanted = |format, scheme, gzip| Negotiated { format, scheme, gzip, timeout: None };
    let kinds = [("counters", Kind::Counter, 10_000), ("timers", Kind::Timer, 2_000)];
    for (what, kind, series) in kinds {
        let mut group = c.benchmark_group(format!("page of {what}"));
        group.throughput(Throughput::Elements(series as u64)).sample_size(20);
        let exposition = Exposition::new(Registry::new(series, 100, kind), &BTreeMap::new());
        for (name, wanted) in [
            ("text", wanted(Format::Text, Scheme::Underscores, false)),
            ("text, gzip", wanted(Format::Text, Scheme::Underscores, true)),
            ("openmetrics, utf-8", wanted(Format::OpenMetrics1, Scheme::Utf8, false)),
            ("protobuf", wanted(Format::Protobuf, Scheme::Underscores, false)),
        ] {
            group.bench_function(name, |b| b.iter(|| scrape(&exposition, wanted)));
        }
        group.finish();
    }
}

fn many_names(c: &mut Criterion) {
    let mut group = c.benchmark_group("page of one series a name");
    group.throughput(Throughput::Elements(10_000)).sample_size(20);
    for (what, kind) in [("counters", Kind::Counter), ("timers", Kind::Timer)] {
        let exposition = Exposition::new(Registry::new(10_000, 10_000, kind), &BTreeMap::new());
        let wanted = Negotiated { format: Format::OpenMetrics1, ..Negotiated::default() };
        group.bench_function(what, |b| b.iter(|| scrape(&exposition, wanted)));
    }
    group.finish();
}

fn first_page(c: &mut Criterion) {
    let mut group = c.benchmark_group("first page");
    group.throughput(Throughput::Elements(100_000)).sample_size(10);
    let registry = Registry::new(100_000, 500, Kind::Counter);
    let fresh = || Exposition::new(registry.clone(), &BTreeMap::new());
    group.bench_function("counters, order made anew", |b| {
        b.iter_batched(
            fresh,
            |exposition| scrape(&exposition, Negotiated::default()),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, pages, many_names, first_page);
criterion_main!(benches);
