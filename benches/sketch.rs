//! What a sketch costs: a value, a block of values, a merge, a quantile, a translation.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pillion::metrics::sketch::{Sketch, key_of};
use std::hint::black_box;

/// Values as of latencies, log-normal around 20 ms: some 200 keys.
fn latencies(count: usize) -> Vec<(f64, f64)> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut normal = || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    (0..count).map(|_| (20.0 * (0.6 * normal()).exp(), 1.0)).collect()
}

/// Values over 18 orders of magnitude.
fn wide(count: usize) -> Vec<(f64, f64)> {
    let mut random = fastrand::Rng::with_seed(8);
    (0..count).map(|_| (10f64.powf(random.f64() * 18.0 - 6.0), 1.0)).collect()
}

fn sketch_of(samples: &[(f64, f64)]) -> Sketch {
    let mut sketch = Sketch::new();
    sketch.insert_block(samples);
    sketch
}

fn inserting(c: &mut Criterion) {
    let mut group = c.benchmark_group("sketch");
    let samples = latencies(4_096);
    let full = sketch_of(&samples);
    group.throughput(Throughput::Elements(samples.len() as u64));
    group.bench_function("key", |b| {
        b.iter(|| samples.iter().map(|(value, _)| i64::from(key_of(*value))).sum::<i64>());
    });
    group.bench_function("insert", |b| {
        let mut sketch = full.clone();
        b.iter(|| samples.iter().for_each(|(value, weight)| sketch.insert(*value, *weight)));
    });
    for (name, samples) in [("insert_block", &samples), ("insert_block_wide", &wide(4_096))] {
        for size in [1, 8, 32, 256] {
            let mut sketch = sketch_of(samples);
            group.bench_with_input(BenchmarkId::new(name, size), &size, |b, size| {
                b.iter(|| samples.chunks(*size).for_each(|block| sketch.insert_block(block)));
            });
        }
    }
    group.finish();
}

fn merging(c: &mut Criterion) {
    let mut group = c.benchmark_group("sketch_merge");
    let big = sketch_of(&latencies(10_000));
    for size in [1, 10, 100, 10_000] {
        let small = sketch_of(&latencies(size));
        group.bench_with_input(BenchmarkId::new("known_keys", size), &small, |b, small| {
            let mut running = big.clone();
            b.iter(|| running.merge(small));
        });
    }
    let apart = sketch_of(&wide(1_000));
    group.bench_function("new_keys", |b| {
        b.iter_batched_ref(|| big.clone(), |running| running.merge(&apart), BatchSize::SmallInput);
    });
    group.finish();
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("sketch_read");
    let sketch = sketch_of(&latencies(10_000));
    group.bench_function("quantile", |b| b.iter(|| black_box(&sketch).quantile(0.99)));
    group.bench_function("exponential", |b| b.iter(|| black_box(&sketch).exponential(160)));
    group.finish();
}

criterion_group!(benches, inserting, merging, reading);
criterion_main!(benches);
