use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn sketch_of(samples: &[(f64, f64)]) -> Sketch {
    let mut sketch = Sketch::new();
    samples.iter().for_each(|(value, weight)| sketch.insert(*value, *weight));
    sketch
}

fn total(sketch: &Sketch) -> u64 {
    sketch.bins().map(|(_, n)| n).sum()
}

/// The same but for the order in which the sum was added up.
fn check_alike(a: &Sketch, b: &Sketch) {
    assert_eq!(a.bins().collect::<Vec<_>>(), b.bins().collect::<Vec<_>>());
    assert_eq!((a.count(), a.min(), a.max()), (b.count(), b.min(), b.max()));
    assert!((a.sum() - b.sum()).abs() <= 1e-9 * a.sum().abs().max(1.0), "{} {}", a.sum(), b.sum());
}

#[test]
fn a_sketch_is_small() {
    assert_eq!(size_of::<Sketch>(), 56);
    assert_eq!(Sketch::new().heap_bytes(), 0);
    assert!(sketch_of(&[(1.0, 1.0)]).heap_bytes() <= 4 * 8);
}

#[test]
fn a_cleared_sketch_is_empty_and_keeps_its_room() {
    let mut sketch = sketch_of(&[(-1.0, 1.0), (5.0, 2.0)]);
    let room = sketch.heap_bytes();
    sketch.clear();
    assert!(sketch.is_empty());
    assert_eq!(sketch, Sketch::new());
    assert_eq!(sketch.heap_bytes(), room);
    sketch.insert(7.0, 1.0);
    assert_eq!((sketch.min(), sketch.max(), sketch.sum()), (7.0, 7.0, 7.0));
}

#[test]
fn merging_with_an_empty_one_changes_nothing() {
    let full = sketch_of(&[(3.0, 1.5), (-4.0, 1.0)]);
    let mut merged = Sketch::new();
    merged.merge(&full);
    merged.merge(&Sketch::new());
    assert_eq!(merged, full);
}

#[test]
fn quantiles_of_few_values_are_those_values() {
    let sketch = sketch_of(&[(10.0, 1.0), (20.0, 1.0), (30.0, 1.0)]);
    for (q, expected) in [(-1.0, 10.0), (0.0, 10.0), (0.5, 20.0), (1.0, 30.0), (2.0, 30.0)] {
        let value = sketch.quantile(q).unwrap();
        assert!((value / expected - 1.0f64).abs() <= 1.0 / 128.0, "{q}: {value}");
    }
    assert_eq!(Sketch::new().quantile(0.5), None);
    let same = sketch_of(&[(7.3, 1_000.0)]);
    assert_eq!([0.01, 0.5, 0.99].map(|q| same.quantile(q).unwrap()), [7.3; 3]);
    let signs = sketch_of(&[(-8.0, 10.0), (0.0, 10.0), (8.0, 10.0)]);
    let [low, middle, high] = [0.2, 0.5, 0.8].map(|q| signs.quantile(q).unwrap());
    assert_eq!(middle, 0.0);
    assert!(low < -7.9 && high > 7.9, "{low} {high}");
}

#[test]
fn whole_rounds_half_to_even() {
    let cases =
        [0.0, 0.4, 0.5, 0.6, 1.5, 2.5, 3.5, 1e6 + 0.5, 4_503_599_627_370_495.5, 4.6e15, 9.1e18, 1e300];
    for count in cases {
        assert_eq!(whole(count), count.round_ties_even() as i64 as u64, "{count}");
    }
}

#[test]
fn fractional_weights_are_unbiased() {
    // One value at a time, merged into a running sketch, as flushes of a sampled timer do.
    for rate in [0.3, 0.7, 0.9, 1.0 / 3.0, 0.45] {
        let mut running = Sketch::new();
        for i in 0..10_000 {
            running.merge(&sketch_of(&[(if i % 4 == 0 { 10.0 } else { 50.0 }, 1.0 / rate)]));
        }
        let expected = 10_000.0 / rate;
        assert_eq!(total(&running), whole(running.count()));
        assert!((running.count() - expected).abs() < 1e-3);
        let ten = running.bins().next().unwrap().1 as f64;
        assert!((ten / (expected / 4.0) - 1.0).abs() < 0.15, "{rate}: {ten} of {expected}");
    }
}

#[test]
fn many_values_of_any_kind_never_panic() {
    let odd =
        [0.0, -0.0, 5e-324, -1e-9, f64::MAX, f64::MIN, 1e-9, 1e9, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let samples: Vec<_> = odd.iter().cycle().take(600).map(|value| (*value, 2.6e8)).collect();
    let mut sketch = Sketch::new();
    sketch.insert_block(&samples);
    sketch.merge(&sketch.clone());
    assert_eq!(total(&sketch), whole(sketch.count()));
    let _ = (sketch.quantile(0.5), sketch.quantile(f64::NAN), sketch.exponential(160));
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.1..500f64, 2 => (0..50u32).prop_map(f64::from), 1 => -1e9..1e9f64, 1 => 1e-12..1e-6f64]
}

fn whole_weighted() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((value(), (1..20u32).prop_map(f64::from)), 0..150)
}

fn fractional() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((value(), (0.01..=1f64).prop_map(|rate| 1.0 / rate)), 0..200)
}

/// The value that a quantile stands for: of rank q · (n − 1), rounded half to even.
fn exact_quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[(q * (sorted.len() - 1) as f64).round_ties_even() as usize]
}

proptest! {
    #[test]
    fn a_block_is_its_values_one_by_one(samples in fractional(), more in fractional()) {
        let mut by_block = sketch_of(&more);
        by_block.insert_block(&samples);
        let mut one_by_one = sketch_of(&more);
        samples.iter().for_each(|(value, weight)| one_by_one.insert(*value, *weight));
        prop_assert_eq!(by_block, one_by_one);
    }

    #[test]
    fn merging_in_any_order_equals_inserting_all(a in whole_weighted(), b in whole_weighted(), c in whole_weighted()) {
        let all = sketch_of(&[a.as_slice(), &b, &c].concat());
        let parts = [sketch_of(&a), sketch_of(&b), sketch_of(&c)];
        let mut left = parts[0].clone();
        left.merge(&parts[1]);
        left.merge(&parts[2]);
        let mut inner = parts[2].clone();
        inner.merge(&parts[1]);
        let mut right = parts[0].clone();
        right.merge(&inner);
        for merged in [&left, &right] {
            check_alike(merged, &all);
            for q in [0.0, 0.01, 0.5, 0.9, 0.99, 1.0] {
                prop_assert_eq!(merged.quantile(q), all.quantile(q));
            }
        }
    }

    #[test]
    fn bins_add_up_to_the_rounded_count_and_never_shrink(parts in prop::collection::vec(fractional(), 1..4)) {
        let mut running = Sketch::new();
        for part in &parts {
            let before = running.clone();
            running.merge(&sketch_of(part));
            prop_assert_eq!(total(&running), whole(running.count()));
            let now: BTreeMap<_, _> = running.bins().collect();
            prop_assert!(before.bins().all(|(key, n)| now.get(&key).is_some_and(|now| *now >= n)));
        }
    }

    #[test]
    fn quantiles_are_within_one_percent(mut values in prop::collection::vec(value(), 1..200), q in 0.0..=1f64) {
        let sketch = sketch_of(&values.iter().map(|value| (*value, 1.0)).collect::<Vec<_>>());
        values.sort_by(f64::total_cmp);
        let exact = exact_quantile(&values, q);
        let found = sketch.quantile(q).unwrap();
        prop_assert!((found - exact).abs() <= 0.01 * exact.abs() + 2e-9, "{found} for {exact}");
    }

    #[test]
    fn quantiles_rise(values in prop::collection::vec(value(), 1..150)) {
        let sketch = sketch_of(&values.iter().map(|value| (*value, 1.0)).collect::<Vec<_>>());
        let found: Vec<_> = (0..=100).map(|percent| sketch.quantile(f64::from(percent) / 100.0).unwrap()).collect();
        prop_assert!(found.is_sorted(), "{found:?}");
    }
}
