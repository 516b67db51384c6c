//! What aggregation costs: a known context, a new one, a hand-over and a window of 100k contexts.
//!
//! For comparison on one machine in one run only. `cargo bench --bench aggregate`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]

mod lines;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pillion::config::Config;
use pillion::metrics::rules::Rules;
use pillion::metrics::{Aggregator, Pushing, Shard};
use pillion::statsd::Dialect;
use std::hint::black_box;

const NOW_NS: u64 = 1_700_000_000_000_000_000;

fn aggregator(pushing: Pushing) -> Aggregator {
    let config = Config::default();
    let rules = Rules::compile(&config.rules, &config.metrics).expect("no rules are good rules");
    let (notes, _) = tokio::sync::mpsc::channel(1);
    Aggregator::new(&config, rules, pushing, notes, 42, NOW_NS)
}

/// Packets of about ten messages with five tags each.
fn packets(contexts: usize, kind: &str) -> Vec<String> {
    let line = |n: usize| {
        format!(
            "shop.orders.part{n}.created:{}|{kind}|#env:production,region:eu-west-{},service:checkout,version:1.{},pod:p{n}",
            n % 100,
            n % 3,
            n % 7
        )
    };
    (0..contexts)
        .collect::<Vec<_>>()
        .chunks(10)
        .map(|c| c.iter().map(|n| line(*n)).collect::<Vec<_>>().join("\n"))
        .collect()
}

/// Messages of all types and lengths in no order, each context some ten times.
fn mixed(contexts: usize) -> Vec<String> {
    let mut random = lines::Random(1);
    let lines: Vec<String> = (0..contexts).map(|_| lines::mixed(&mut random)).collect();
    let picked: Vec<&str> =
        (0..10 * contexts).map(|_| &*lines[random.range(0, contexts as u64 - 1) as usize]).collect();
    picked.chunks(7).map(|lines| lines.join("\n")).collect()
}

fn ingest(shard: &mut Shard, packets: &[String]) {
    for batch in packets.chunks(64) {
        shard.ingest(batch.iter().map(|p| p.as_bytes()), NOW_NS);
    }
}

fn known(c: &mut Criterion) {
    type Make = fn() -> Vec<String>;
    let mut group = c.benchmark_group("known");
    let cases: [(&str, u64, Make); 6] = [
        ("counter", 10_000, || packets(10_000, "c")),
        ("counter_1m", 1_000_000, || packets(1_000_000, "c")),
        ("gauge", 10_000, || packets(10_000, "g")),
        ("timer", 10_000, || packets(10_000, "ms")),
        ("set", 10_000, || packets(10_000, "s")),
        ("mixed", 100_000, || mixed(10_000)),
    ];
    for (name, messages, make) in cases {
        let packets = make();
        let aggregator = aggregator(Pushing::Nothing);
        let mut shard = aggregator.shard(Default::default(), Dialect::default()).expect("an eventfd");
        ingest(&mut shard, &packets);
        group.throughput(Throughput::Elements(messages));
        group.sample_size(10);
        group.bench_function(name, |b| b.iter(|| ingest(black_box(&mut shard), black_box(&packets))));
    }
    group.finish();
}

fn new(c: &mut Criterion) {
    let packets = packets(10_000, "c");
    let mut group = c.benchmark_group("new");
    group.throughput(Throughput::Elements(10_000));
    group.sample_size(10);
    group.bench_function("counter", |b| {
        let shard = || {
            aggregator(Pushing::Nothing).shard(Default::default(), Dialect::default()).expect("an eventfd")
        };
        b.iter_batched_ref(shard, |shard| ingest(shard, &packets), BatchSize::LargeInput);
    });
    group.finish();
}

fn window(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut group = c.benchmark_group("window_100k");
    group.throughput(Throughput::Elements(100_000));
    group.sample_size(10);
    for (name, pushing) in [("page_only", Pushing::Nothing), ("push", Pushing::Delta)] {
        let aggregator = aggregator(pushing);
        let packets = packets(100_000, "c");
        let mut shard = aggregator.shard(Default::default(), Dialect::default()).expect("an eventfd");
        ingest(&mut shard, &packets);
        shard.finish(NOW_NS);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut series = 0;
                runtime.block_on(aggregator.close_window(NOW_NS, |part| series += part.series.len()));
                series
            })
        });
    }
    group.finish();
}

criterion_group!(benches, known, new, window);
criterion_main!(benches);
