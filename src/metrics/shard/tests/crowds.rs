//! More contexts, forms or shards than there is room for: what known ones may expect all the same.

use super::*;
use crate::config::Rule;
use std::time::Duration;

#[test]
fn a_short_name_has_the_same_limit() {
    let mut bench = Bench::new(1, |c| c.metrics.name_limit = 3);
    for n in 0..10 {
        bench.send(0, &format!("req:1|c|#id:{n}"));
    }
    assert_eq!((bench.contexts(), bench.shards[0].tally.folded.get()), (3, 7));
}

#[test]
fn a_name_that_was_over_its_limit_gets_all_of_it_again() {
    for limit in 1..4 {
        let mut bench = Bench::new(1, |c| {
            c.metrics.context_limit = limit;
            c.metrics.name_limit = limit;
            c.metrics.expiry = Duration::from_secs(10);
        });
        for n in 0..10 {
            bench.send(0, &format!("bomb:1|c|#id:{n}\nbomb:1|g|#id:{n}"));
        }
        (0..4).for_each(|_| drop(bench.flush()));
        // Another name takes what room there is, and goes.
        for n in 0..10 {
            bench.send(0, &format!("other:1|c|#id:{n}"));
        }
        assert!((0..limit).all(|n| bench.holds(&format!("other\nid:{n}"))), "{limit}");
        (0..4).for_each(|_| drop(bench.flush()));
        for n in 10..20 {
            bench.send(0, &format!("bomb:1|c|#id:{n}"));
        }
        assert!((10..10 + limit).all(|n| bench.holds(&format!("bomb\nid:{n}"))), "{limit}");
        assert_eq!(bench.contexts(), limit);
    }
}

#[test]
fn a_context_may_be_known_to_more_shards_than_a_byte_can_count() {
    let mut bench = Bench::new(300, |c| c.metrics.expiry = Duration::from_secs(10));
    (0..300).for_each(|shard| bench.send(shard, "a:1|c"));
    assert!(matches!(one(&bench.flush(), "a"), Some(Value::Counter { total: 300.0, .. })));
    (0..4).for_each(|_| drop(bench.flush()));
    let registry = bench.aggregator.lock();
    let id = registry.contexts.find("a", Kind::Counter.into()).unwrap();
    assert!(registry.contexts.is_held(id));
}

#[test]
fn bad_values_make_no_contexts() {
    let mut bench = Bench::new(1, |_| {});
    for n in 0..10 {
        bench.send(0, &format!("a{n}:x|c\na{n}:1:x|h\na{n}:1e999|g"));
    }
    assert_eq!((bench.contexts(), bench.shards[0].forms.len()), (0, 0));
    assert_eq!(bench.shards[0].tally.rejected(Reject::BadValue), 30);
}

#[test]
fn a_context_expires_once() {
    let mut bench = Bench::new(1, |c| {
        c.metrics.expiry = Duration::from_secs(30);
        c.rules = vec![Rule { pattern: "*".into(), ttl: Some(Duration::from_secs(10)), ..Rule::default() }];
    });
    bench.send(0, "a:1|c");
    (0..2).for_each(|_| drop(bench.flush()));
    let expired = |bench: &Bench| bench.aggregator.lock().expired;
    assert_eq!((expired(&bench), bench.contexts()), (1, 1), "hidden while the shard knows it");
    (0..5).for_each(|_| drop(bench.flush()));
    assert_eq!((expired(&bench), bench.contexts()), (1, 0));
}

#[test]
fn forms_that_rules_drop_leave_room_for_others() {
    let mut bench = Bench::new(1, |c| {
        c.metrics.context_limit = 100;
        c.metrics.name_limit = 100;
        c.rules = vec![Rule { pattern: "noise".into(), drop: true, ..Rule::default() }];
    });
    (0..10_000).for_each(|n| bench.send(0, &format!("noise:1|c|#id:{n}")));
    (0..100).for_each(|n| bench.send(0, &format!("n{n}:1|c")));
    let shard = &bench.shards[0];
    assert_eq!((shard.tally.ruled_out.get(), shard.tally.forms_refused.get()), (10_000, 0));
    assert_eq!((shard.forms.len(), shard.ruled_out), (1_224 / 4 + 100, 1_224 / 4));
    bench.flush();
    assert_eq!((bench.shards[0].forms.len(), bench.shards[0].ruled_out), (100, 0));
}

/// How long a thread that should not wait may take before it is said to wait: only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes a packet while somebody else holds the registry.
fn send_locked(bench: &mut Bench, packet: &str) {
    let aggregator = bench.aggregator.clone();
    let registry = aggregator.lock();
    let (done, is_done) = std::sync::mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            bench.send(0, packet);
            done.send(())
        });
        let waited = is_done.recv_timeout(PATIENCE).is_err();
        drop(registry);
        assert!(!waited, "a known context asked for the registry");
    });
}

/// One of 4096 orders in which the same tags may stand.
fn tags_in_order(n: usize) -> String {
    let pair = |at: usize| match n >> at & 1 {
        0 => format!("p{at}:a,p{at}:b"),
        _ => format!("p{at}:b,p{at}:a"),
    };
    (0..12).map(pair).collect::<Vec<_>>().join(",")
}

/// Of what a message may cost, all that grows with the number of contexts is behind the registry's lock.
#[test]
fn a_bomb_sends_no_known_context_to_the_registry() {
    let mut bench = Bench::new(1, |c| {
        c.metrics.context_limit = 1_000;
        c.metrics.name_limit = 500;
        c.metrics.expiry = Duration::from_secs(20);
    });
    let known: String = (0..200)
        .map(|n| {
            let kind = ["c", "g", "ms", "h", "d", "s"][n % 6];
            format!("known{n}:1|{kind}|#b:{n},a\nknown{n}:1|{kind}|#a,b:{n}\n")
        })
        .collect();
    bench.send(0, &known);
    for wave in 0..6 {
        // Names, tags of one name, and orders of tags.
        for n in 0..4_096 {
            let order = tags_in_order(n);
            bench.send(0, &format!("name{wave}.{n}:1|c\ntag:1|g|#id:{wave}.{n}\norder:1|c|#{order}"));
        }
        send_locked(&mut bench, &known);
        bench.flush();
        send_locked(&mut bench, &known);
    }
    let shard = &bench.shards[0];
    assert!(shard.tally.folded.get() > 0 && shard.tally.forms_refused.get() > 0, "it was a bomb");
    assert!((0..200).step_by(6).all(|n| bench.holds(&format!("known{n}\na\nb:{n}"))));
    let parts = bench.flush();
    let total = one(&parts, "known0\na\nb:0");
    assert!(matches!(total, Some(Value::Counter { total: 26.0, .. })), "{total:?}");
}

#[test]
fn many_orders_of_the_same_tags_leave_room_for_other_contexts() {
    let mut bench = Bench::new(1, |c| {
        c.metrics.context_limit = 1_000;
        c.metrics.name_limit = 1_000;
    });
    for n in 0..4_096 {
        bench.send(0, &format!("order:1|c|#{}", tags_in_order(n)));
    }
    let fresh: String = (0..700).map(|n| format!("new{n}:1|c|#a,b\nnew{n}:1|c|#b,a\n")).collect();
    bench.send(0, &fresh);
    send_locked(&mut bench, &fresh);
    let parts = bench.flush();
    let sum = |from: &str| -> f64 {
        let all = parts.iter().flat_map(|p| &p.series).filter(|s| s.key.starts_with(from));
        all.map(|s| if let Value::Counter { total, .. } = s.value { total } else { 0.0 }).sum()
    };
    assert_eq!((sum("order"), sum("new")), (4_096.0, 2_800.0));
}

/// New contexts one after the other, each idle before the next comes.
fn churn(bench: &mut Bench, names: std::ops::Range<u32>) {
    for n in names {
        bench.send(0, &format!("churn{n}:1|c"));
        (0..4).for_each(|_| drop(bench.flush()));
    }
}

#[test]
fn pages_that_overlap_for_ever_keep_only_what_they_may_name() {
    let mut bench = Bench::new(1, |c| {
        c.metrics.context_limit = 1;
        c.metrics.expiry = Duration::from_secs(10);
    });
    let mut pin = bench.aggregator.pin();
    churn(&mut bench, 0..3);
    assert_eq!(bench.aggregator.lock().contexts.end(), 3, "a number that a page may name is not used again");
    for n in 1..20 {
        let next = bench.aggregator.pin();
        bench.aggregator.unpin(pin);
        pin = next;
        churn(&mut bench, n * 3..n * 3 + 3);
    }
    assert!(bench.aggregator.lock().contexts.end() < 10);
    bench.aggregator.unpin(pin);
    assert_eq!(bench.aggregator.lock().limbo.len(), 0);
}

#[test]
fn a_page_that_is_read_slowly_bounds_what_may_go() {
    let mut bench = Bench::new(1, |c| {
        c.metrics.context_limit = 512;
        c.metrics.expiry = Duration::from_secs(10);
    });
    let pin = bench.aggregator.pin();
    for round in 0..8 {
        (0..512).for_each(|n| bench.send(0, &format!("n{round}:1|c|#id:{n}")));
        (0..4).for_each(|_| drop(bench.flush()));
    }
    assert_eq!(bench.aggregator.lock().limbo.len(), 1_024 + 128);
    assert!(bench.aggregator.lock().contexts.end() <= 1_024 + 128 + 512 + 8);
    bench.aggregator.unpin(pin);
    bench.send(0, "new:1|c");
    assert!(bench.holds("new"));
}

#[test]
fn a_context_that_was_evicted_folds_only_until_there_is_room() {
    let mut bench = Bench::new(1, |c| {
        c.metrics.context_limit = 1;
        c.metrics.expiry = Duration::from_secs(10);
    });
    bench.send(0, "a:1|c");
    (0..4).for_each(|_| drop(bench.flush()));
    // The form of `a` still leads to the slot that was let go.
    bench.send(0, "b:1|c");
    assert!(bench.holds("b") && !bench.holds("a"));
    bench.send(0, "a:1|c\na:1|c");
    bench.send(0, "a:1|c");
    assert_eq!(bench.shards[0].tally.folded.get(), 3, "each message that folds is counted");
    for _ in 0..4 {
        bench.send(0, "a:1|c");
        bench.flush();
    }
    bench.send(0, "a:1|c");
    assert!(bench.holds("a") && !bench.holds("b"));
}
