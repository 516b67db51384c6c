//! What waits in a shard, for the end of a group or for a fold: nothing is lost, doubled or out of order.

use super::*;

#[test]
fn messages_of_all_shapes_keep_their_order() {
    let mut bench = Bench::new(1, |_| {});
    for (packet, value, messages) in [
        ("g:1|g\ng:2|g:+3|g\ng:+4|g|zz:1", 9.0, 4),
        ("g:2|g:+3|g\ng:1|g", 1.0, 3),
        ("g:+1|g|zz:1\n_e{1,1}:a|b\ng:+1|g\nbad\ng:+1|g", 4.0, 3),
        ("g:7|g\ng:8|g|T1700000000\ng:+1|g", 8.0, 2),
    ] {
        let before = bench.shards[0].tally.messages.get();
        bench.send(0, packet);
        let timestamped = u64::from(packet.contains('T'));
        assert_eq!(bench.shards[0].tally.messages.get() - before, messages + timestamped, "{packet}");
        let parts = bench.flush();
        let kept = parts.iter().flat_map(|p| &p.series).find(|s| &*s.key == "g" && s.time_ns.is_none());
        assert!(matches!(kept.map(|s| &s.value), Some(Value::Gauge(v)) if *v == value), "{packet}");
    }
}

/// With more contexts than parts, more values than a part keeps and more sample rates than are told apart.
#[test]
fn values_that_wait_in_parts_all_arrive() {
    let mut bench = Bench::new(1, |_| {});
    let mut seen = BTreeMap::new();
    let mut sent: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for n in 0..40_000u32 {
        // New contexts go on coming, so that the slots are shared out anew while values wait.
        let name = format!("t{}", n % (3 + n / 40));
        let (value, weight) = (f64::from(n % 977), f64::from(1 << (n % 23)));
        bench.send(0, &format!("{name}:{value}|ms|@{}", 1.0 / weight));
        let sum = sent.entry(format!("ms {name}")).or_default();
        *sum = (sum.0 + weight, sum.1 + value * weight);
        match n % 9_000 {
            8_999 => gather(&mut seen, &bench.flush()),
            // A hand-over that is still under way when more comes.
            4_000 => _ = bench.shards[0].control.ask(false),
            4_001..4_040 => _ = bench.shards[0].hand_over(bench.now_ns),
            _ => {}
        }
    }
    gather(&mut seen, &bench.flush());
    let seen: BTreeMap<_, _> = seen.into_iter().map(|(key, seen)| (key, (seen.count, seen.sum))).collect();
    assert_eq!(seen, sent);
}
