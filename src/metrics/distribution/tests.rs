use super::*;
use std::sync::Arc;

fn treatment(style: HistogramStyle) -> Treatment {
    Treatment {
        ttl: None,
        timer_buckets: Arc::new([0.1, 0.5]),
        histogram_buckets: Arc::new([1.0, 10.0]),
        explicit_buckets: true,
        percentiles: Arc::new([0.5]),
        style,
        help: None,
        unit: None,
    }
}

#[test]
fn timers_are_bucketed_in_seconds_with_upper_bounds_inclusive() {
    let treatment = treatment(HistogramStyle::Histogram);
    let mut state = DistributionState::new(Kind::Timer, &treatment, false);
    state.insert(Kind::Timer, &treatment, &[(100.0, 1.0), (100.1, 2.0), (500.0, 1.0), (9e9, 1.0)]);
    assert_eq!(state.page().bucket_counts, [1, 3, 1]);
    assert_eq!(state.page().total.count(), 5.0);
}

#[test]
fn fractional_weights_round_as_the_sketch_does() {
    let treatment = treatment(HistogramStyle::Histogram);
    let mut state = DistributionState::new(Kind::Histogram, &treatment, false);
    for n in 0..100 {
        state.insert(Kind::Histogram, &treatment, &[(f64::from(n % 3) * 5.0, 1.0 / 0.3)]);
    }
    let page = state.page();
    let bins: u64 = page.total.bins().map(|(_, n)| n).sum();
    assert_eq!(page.bucket_counts.iter().sum::<u64>(), bins);
    assert_eq!(bins, 333);
}

#[test]
fn what_was_taken_is_not_taken_again() {
    let treatment = treatment(HistogramStyle::Histogram);
    let mut state = DistributionState::new(Kind::Histogram, &treatment, true);
    state.insert(Kind::Histogram, &treatment, &[(1.0, 1.0), (2.0, 1.0)]);
    let first = state.take(&treatment, true).unwrap();
    assert_eq!((first.delta.count(), first.buckets.unwrap().delta), (2.0, vec![1, 1, 0]));
    assert!(state.take(&treatment, true).is_none());
    state.insert(Kind::Histogram, &treatment, &[(1.0, 1.0)]);
    let second = state.take(&treatment, true).unwrap();
    assert_eq!((second.delta.count(), second.total.unwrap().count()), (1.0, 3.0));
    assert_eq!(second.buckets, Some(BucketCounts { delta: vec![1, 0, 0], total: vec![2, 1, 0] }));
}

#[test]
fn a_summary_forgets_what_slid_out_of_its_window() {
    let treatment = treatment(HistogramStyle::Summary);
    let mut state = DistributionState::new(Kind::Histogram, &treatment, false);
    state.insert(Kind::Histogram, &treatment, &[(1.0, 1.0)]);
    for _ in 0..WINDOW_PARTS - 1 {
        state.slide(WINDOW_PARTS);
        assert_eq!(state.page().window.unwrap().count(), 1.0);
    }
    state.slide(WINDOW_PARTS);
    assert_eq!((state.page().window.unwrap().count(), state.page().total.count()), (0.0, 1.0));
}
