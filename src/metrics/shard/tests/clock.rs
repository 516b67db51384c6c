//! Clocks that go wrong, and hand-overs that come late.

use super::*;

/// Closes the window at `end_ns` after hand-overs of the shards in `handing`.
fn close(bench: &mut Bench, handing: &[usize], end_ns: u64) -> Vec<Arc<Snapshot>> {
    for at in handing {
        bench.shards[*at].control.ask(true);
        while bench.shards[*at].hand_over(bench.now_ns) {}
    }
    bench.close(end_ns)
}

#[test]
fn nothing_begins_behind_its_window_when_the_clock_is_set_back() {
    let mut bench = Bench::new(1, |_| {});
    bench.send(0, "a:1|c");
    bench.flush();
    bench.send(0, "b:1|c");
    for minutes in [60, 59] {
        let end_ns = START - minutes * 60 * SECOND;
        let parts = close(&mut bench, &[0], end_ns);
        assert!(parts[0].start_ns < end_ns && parts[0].end_ns == end_ns);
        assert!(parts[0].series.len() == 2 && parts[0].series.iter().all(|s| s.start_ns < end_ns));
    }
}

#[test]
fn a_late_hand_over_brings_no_older_gauge_back() {
    let mut bench = Bench::new(2, |_| {});
    for shard in [0, 1] {
        bench.send(shard, "g:0|g");
    }
    bench.flush();
    bench.send(0, "g:1|g");
    bench.send(1, "g:2|g");
    bench.now_ns += 10 * SECOND;
    let now_ns = bench.now_ns;
    assert!(matches!(one(&close(&mut bench, &[1], now_ns), "g"), Some(Value::Gauge(2.0))));
    bench.now_ns += 10 * SECOND;
    let now_ns = bench.now_ns;
    assert!(matches!(one(&close(&mut bench, &[0, 1], now_ns), "g"), Some(Value::Gauge(2.0))));
}

#[test]
fn gauges_follow_a_clock_that_was_set_back() {
    let mut bench = Bench::new(2, |_| {});
    bench.send(1, "g:1|g");
    bench.send(0, "g:1|g");
    bench.flush();
    bench.now_ns -= 3_600 * SECOND;
    bench.send(0, "g:5|g");
    let now_ns = bench.now_ns;
    assert!(matches!(one(&close(&mut bench, &[0, 1], now_ns), "g"), Some(Value::Gauge(5.0))));
}
