use super::*;
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

const BOUND: usize = 64;

fn set_of(members: impl IntoIterator<Item = u64>) -> Set {
    let mut set = Set::new();
    members.into_iter().for_each(|member| set.insert(hash(member), BOUND));
    set
}

fn hash(member: u64) -> u64 {
    xxh3_64(&member.to_le_bytes())
}

#[test]
fn a_small_set_is_small() {
    assert!(size_of::<Set>() <= 32);
    assert_eq!(Set::new().heap_bytes(), 0);
    assert!(size_of::<Set>() + set_of(0..1).heap_bytes() <= 64 + 3 * 8);
    assert!(set_of(0..10).heap_bytes() <= 64 + 16 * 8);
    assert!(set_of(0..1_000).heap_bytes() <= 8_300);
}

#[test]
fn the_bound_itself_is_exact() {
    assert_eq!(set_of(0..BOUND as u64).estimate(), BOUND as u64);
    assert!(matches!(set_of(0..BOUND as u64).0, Members::Exact(_)));
    assert!(matches!(set_of(0..=BOUND as u64).0, Members::Estimated(_)));
    let mut always_estimated = Set::new();
    always_estimated.insert(hash(1), 0);
    assert_eq!(always_estimated.estimate(), 1);
}

#[test]
fn estimates_stay_within_four_standard_errors() {
    for members in [65, 100, 1_000, 5_000, 20_000, 40_000, 100_000, 1_000_000u64] {
        let mut worst = 0.0f64;
        for seed in 0..5u64 {
            let set = set_of((0..members).map(|member| seed << 40 | member));
            worst = worst.max((set.estimate() as f64 / members as f64 - 1.0).abs());
        }
        assert!(worst < 4.0 * 0.0115, "{members}: {worst}");
    }
}

#[test]
fn extreme_hashes_are_members_like_any_other() {
    for bound in [0, 10] {
        let mut set = Set::new();
        [0, u64::MAX, 1 << 63, 1].iter().for_each(|hash| set.insert(*hash, bound));
        assert!((3..=5).contains(&set.estimate()), "{}", set.estimate());
    }
}

#[test]
fn a_cleared_set_is_exact_and_empty() {
    for mut set in [set_of(0..10), set_of(0..10_000)] {
        assert!(!set.is_empty());
        set.clear();
        assert!(set.is_empty());
        assert_eq!(set, Set::new());
        set.insert(hash(7), BOUND);
        assert_eq!(set.estimate(), 1);
    }
}

proptest! {
    #[test]
    fn a_set_below_the_bound_counts_exactly(members in prop::collection::vec(0..60u64, 0..200)) {
        let distinct: std::collections::BTreeSet<_> = members.iter().collect();
        prop_assert_eq!(set_of(members.iter().copied()).estimate(), distinct.len() as u64);
    }

    #[test]
    fn merging_is_the_union_in_any_order(
        a in prop::collection::vec(0..500u64, 0..300),
        b in prop::collection::vec(0..500u64, 0..300),
        c in prop::collection::vec(0..500u64, 0..300),
    ) {
        let (sets, all) = ([&a, &b, &c].map(|m| set_of(m.iter().copied())), a.iter().chain(&b).chain(&c));
        let whole = set_of(all.copied());
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut merged = Set::new();
            order.iter().for_each(|i| merged.merge(&sets[*i], BOUND));
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(merged.estimate(), whole.estimate());
        }
    }
}
