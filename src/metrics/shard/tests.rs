use super::*;
use crate::config::Config;
use crate::metrics::series::{Snapshot, Value};
use crate::metrics::{Aggregator, Pushing, rules::Rules};
use crate::statsd::Note;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc;

mod clock;
mod crowds;
mod gathered;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

/// An aggregator whose shards are driven by hand.
struct Bench {
    aggregator: Aggregator,
    shards: Vec<Shard>,
    notes: mpsc::Receiver<Note>,
    now_ns: u64,
}

impl Bench {
    fn new(shards: usize, change: impl FnOnce(&mut Config)) -> Bench {
        let mut config = Config::default();
        change(&mut config);
        let rules = Rules::compile(&config.rules, &config.metrics).unwrap();
        let (sender, notes) = mpsc::channel(16);
        let aggregator = Aggregator::new(&config, rules, Pushing::Cumulative, sender, 42, START);
        let shards =
            (0..shards).map(|_| aggregator.shard(Arc::default(), Dialect::default()).unwrap()).collect();
        Bench { aggregator, shards, notes, now_ns: START }
    }

    fn send(&mut self, shard: usize, packet: &str) {
        self.now_ns += 1;
        self.shards[shard].ingest([packet.as_bytes()].into_iter(), self.now_ns);
    }

    /// Hands over and closes a window, as the agent does.
    fn flush(&mut self) -> Vec<Arc<Snapshot>> {
        self.now_ns += 10 * SECOND;
        for shard in &mut self.shards {
            shard.control.ask(true);
            while shard.hand_over(self.now_ns) {}
        }
        self.close(self.now_ns)
    }

    fn close(&mut self, end_ns: u64) -> Vec<Arc<Snapshot>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut parts = Vec::new();
        for shard in &mut self.shards {
            // The window's own hand-over finds nothing to do but must be answered.
            shard.control.pretend_idle();
        }
        runtime.block_on(self.aggregator.close_window(end_ns, |part| parts.push(part)));
        parts
    }

    fn contexts(&self) -> usize {
        self.aggregator.lock().contexts.live()
    }

    /// Whether a counter of this key is held.
    fn holds(&self, key: &str) -> bool {
        self.aggregator.lock().contexts.find(key, Kind::Counter.into()).is_some()
    }
}

/// What a reader of snapshots knows of a series after some windows.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    counter: f64,
    gauge: Option<f64>,
    sets: Vec<u64>,
    count: f64,
    sum: f64,
    bins: BTreeMap<i16, u64>,
}

fn gather(into: &mut BTreeMap<String, Seen>, parts: &[Arc<Snapshot>]) {
    for series in parts.iter().flat_map(|part| &part.series) {
        let seen = into.entry(format!("{} {}", series.kind.symbol(), series.key)).or_default();
        match &series.value {
            Value::Counter { delta, total, .. } => {
                seen.counter += delta;
                assert_eq!(seen.counter, *total, "deltas add up to the total");
            }
            Value::Gauge(value) => seen.gauge = Some(*value),
            Value::Set(n) => seen.sets.push(*n),
            Value::Distribution(d) => {
                seen.count += d.delta.count();
                seen.sum += d.delta.sum();
                for (key, n) in d.delta.bins() {
                    *seen.bins.entry(key).or_default() += n;
                }
            }
        }
    }
}

fn one<'a>(parts: &'a [Arc<Snapshot>], key: &str) -> Option<&'a Value> {
    parts.iter().flat_map(|p| &p.series).find(|s| &*s.key == key).map(|s| &s.value)
}

#[test]
fn counters_report_zero_until_expiry_and_then_nothing() {
    let mut bench = Bench::new(1, |c| c.metrics.expiry = std::time::Duration::from_secs(30));
    bench.send(0, "n:2|c|#b,a\nn:1|c|@0.5|#a,b");
    assert!(matches!(one(&bench.flush(), "n\na\nb"), Some(Value::Counter { delta: 4.0, total: 4.0, .. })));
    for _ in 0..3 {
        assert!(matches!(
            one(&bench.flush(), "n\na\nb"),
            Some(Value::Counter { delta: 0.0, total: 4.0, .. })
        ));
    }
    assert!(one(&bench.flush(), "n\na\nb").is_none());
    assert_eq!(bench.contexts(), 1, "idle is not gone");
    bench.send(0, "n:1|c|#a,b");
    assert!(matches!(one(&bench.flush(), "n\na\nb"), Some(Value::Counter { delta: 1.0, total: 5.0, .. })));
}

#[test]
fn gauges_keep_their_value_and_take_deltas() {
    let mut bench = Bench::new(1, |_| {});
    for (packet, value) in
        [("g:5|g", 5.0), ("g:+3|g", 8.0), ("g:-2|g\ng:-2|g", 4.0), ("g:1|g\ng:+1|g", 2.0), ("", 2.0)]
    {
        bench.send(0, packet);
        assert!(matches!(one(&bench.flush(), "g"), Some(Value::Gauge(v)) if *v == value), "{packet}");
    }
}

#[test]
fn a_bad_value_costs_its_message_and_nothing_else() {
    let mut bench = Bench::new(1, |_| {});
    bench.send(0, "a:1|c\nh:1:x:3|h\nh:2|h\ng:1|g\ng:+1:x|g\na:1:nan|c\na:2|c\na:1e308:1e308|c");
    let parts = bench.flush();
    assert!(matches!(one(&parts, "a"), Some(Value::Counter { total: 3.0, .. })));
    assert!(matches!(one(&parts, "g"), Some(Value::Gauge(1.0))));
    assert!(matches!(one(&parts, "h"), Some(Value::Distribution(d)) if d.delta.count() == 1.0));
    let tally = &bench.shards[0].tally;
    assert_eq!((tally.rejected(Reject::BadValue), tally.messages.get()), (4, 4));
}

#[test]
fn negative_counters_are_not_monotonic() {
    let mut bench = Bench::new(1, |_| {});
    bench.send(0, "a:5|c\na:-1|c");
    assert!(matches!(one(&bench.flush(), "a"), Some(Value::Counter { total: 4.0, monotonic: false, .. })));
}

#[test]
fn sums_stay_finite() {
    let mut bench = Bench::new(1, |_| {});
    for _ in 0..3 {
        bench.send(0, "a:1e308|c\na:1e308|c\ng:1e308|g\ng:+1e308|g");
        let parts = bench.flush();
        assert!(
            matches!(one(&parts, "a"), Some(Value::Counter { total: f64::MAX, delta, .. }) if delta.is_finite())
        );
        assert!(matches!(one(&parts, "g"), Some(Value::Gauge(f64::MAX))));
    }
}

#[test]
fn points_with_their_own_time_skip_aggregation() {
    let mut bench = Bench::new(1, |c| c.metrics.timestamped_limit = 1);
    bench.send(0, "a:1e308:1e308|c|T1656581400");
    assert_eq!(bench.shards[0].tally.rejected(Reject::BadValue), 1);
    bench.send(0, "a:5|c|@0.5|T1656581400\na:6|c|T1656581400\na:1|c");
    let parts = bench.flush();
    let series: Vec<_> = parts.iter().flat_map(|p| &p.series).collect();
    assert_eq!(series.len(), 2);
    assert!(matches!(series[0].value, Value::Counter { delta: 1.0, .. }));
    assert_eq!(series[1].time_ns, Some(1_656_581_400 * SECOND));
    assert!(matches!(series[1].value, Value::Counter { delta: 5.0, .. }));
    let tally = &bench.shards[0].tally;
    assert_eq!((tally.timestamped.get(), tally.timestamped_dropped.get()), (2, 1));
}

#[test]
fn events_and_checks_leave_at_once_and_are_counted_when_nobody_takes_them() {
    let mut bench = Bench::new(1, |_| {});
    for _ in 0..10 {
        bench.send(0, "_e{5,4}:title|text\n_sc|redis|2");
    }
    assert!(matches!(bench.notes.try_recv().unwrap(), Note::Event(_)));
    let tally = &bench.shards[0].tally;
    assert_eq!((tally.events.get(), tally.checks.get(), tally.events_dropped.get()), (10, 10, 4));
}

#[test]
fn a_name_over_its_limit_folds_within_itself_and_evicts_nobody() {
    let mut bench = Bench::new(1, |c| c.metrics.name_limit = 3);
    bench.send(0, "live:1|c");
    for n in 0..10 {
        bench.send(0, &format!("bomb:1|c|#id:{n}\nbomb:2|g|#id:{n}"));
    }
    bench.send(0, "live:1|c\nbomb:1|c|#id:0");
    let parts = bench.flush();
    assert!(matches!(one(&parts, "live"), Some(Value::Counter { total: 2.0, .. })));
    assert!(matches!(one(&parts, "bomb\nid:0"), Some(Value::Counter { total: 2.0, .. })));
    let mut seen = BTreeMap::new();
    gather(&mut seen, &parts);
    let sum: f64 = seen.iter().filter(|(k, _)| k.starts_with("c bomb")).map(|(_, s)| s.counter).sum();
    assert_eq!(sum, 11.0, "folded values are kept: {seen:#?}");
    assert!(seen.contains_key("c bomb\npillion_overflow:true"));
    assert_eq!(seen.len(), 1 + 3 + 2, "{seen:#?}");
    assert_eq!(bench.shards[0].tally.folded.get(), 17);
    let registry = bench.aggregator.lock();
    assert_eq!(registry.overflow.folded().0["bomb"].messages, 17);
}

#[test]
fn over_the_total_limit_the_longest_idle_goes_and_a_live_one_never() {
    let mut bench = Bench::new(1, |c| {
        c.metrics.context_limit = 4;
        c.metrics.expiry = std::time::Duration::from_secs(20);
    });
    bench.send(0, "oldest:1|c\nolder:1|c\nlive:1|c");
    bench.flush();
    bench.send(0, "older:1|c\nlive:1|c\nyoung:1|c");
    bench.flush();
    bench.send(0, "live:1|c\nnew:1|c");
    let parts = bench.flush();
    assert!(one(&parts, "new").is_none(), "nobody is idle long enough: it folds");
    assert!(one(&parts, "new\npillion_overflow:true").is_some());
    for _ in 0..5 {
        bench.send(0, "live:1|c\nyoung:1|c");
        bench.flush();
    }
    bench.send(0, "new:1|c");
    bench.flush();
    let find = |name: &str| bench.aggregator.lock().contexts.find(name, Kind::Counter.into()).is_some();
    assert_eq!(
        (find("oldest"), find("older"), find("live"), find("young"), find("new")),
        (false, true, true, true, true)
    );
    assert_eq!(bench.contexts(), 4);
}

#[test]
fn a_bomb_of_names_and_tags_moves_memory_no_further_than_the_limit() {
    let mut bench = Bench::new(1, |c| c.metrics.context_limit = 1_000);
    bench.send(0, "live:1|c|#env:dev");
    for n in 0..50_000 {
        bench.send(0, &format!("bomb{n}:1|c|#id:{n}"));
        if n % 10_000 == 0 {
            bench.send(0, "live:1|c|#env:dev");
            bench.flush();
        }
    }
    let parts = bench.flush();
    let shard = &bench.shards[0];
    assert!(bench.contexts() <= 1_000);
    assert!(
        shard.slots.len() <= 2_100 && shard.forms.len() <= 2_100,
        "{} {}",
        shard.slots.len(),
        shard.forms.len()
    );
    assert!(matches!(one(&parts, "live\nenv:dev"), Some(Value::Counter { total: 6.0, .. })));
    let sum: f64 = parts
        .iter()
        .flat_map(|p| &p.series)
        .map(|s| if let Value::Counter { total, .. } = s.value { total } else { 0.0 })
        .sum();
    assert_eq!(sum, 50_006.0);
}

#[test]
fn idle_slots_are_let_go_and_come_back_with_their_totals() {
    let mut bench = Bench::new(1, |c| c.metrics.expiry = std::time::Duration::from_secs(20));
    for n in 0..3_000 {
        bench.send(0, &format!("n{n}:1|c|#b,a"));
    }
    for _ in 0..6 {
        bench.send(0, "live:1|c");
        bench.flush();
    }
    assert_eq!(bench.shards[0].forms.len(), 1, "the forms of idle contexts are forgotten");
    for n in (0..3_000).rev() {
        bench.send(0, &format!("n{n}:1|c|#a,b\nn{n}:1|c|#b,a"));
    }
    let parts = bench.flush();
    for n in 0..3_000 {
        assert!(
            matches!(
                one(&parts, &format!("n{n}\na\nb")),
                Some(Value::Counter { delta: 2.0, total: 3.0, .. })
            ),
            "{n}"
        );
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send { shard: usize, line: String },
    HandOver { shard: usize, steps: usize },
    Flush,
}

fn lines() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c.d"]);
    let tags = prop::sample::select(vec!["", "|#x", "|#x,y:1", "|#y:1,x", "|#y:2"]);
    let value = prop::sample::select(vec!["c", "c", "g", "ms", "h", "d", "s"]);
    (name, tags, value, -3i32..9, prop::bool::ANY).prop_map(|(name, tags, kind, n, sampled)| {
        let rate = if sampled && kind != "g" && kind != "s" { "|@0.5" } else { "" };
        let n = if kind == "g" { format!("{n:+}") } else { n.to_string() };
        format!("{name}.{kind}:{n}|{kind}{rate}{tags}")
    })
}

fn steps(shards: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..shards, lines()).prop_map(|(shard, line)| Step::Send { shard, line }),
        3 => (0..shards, 0..3usize).prop_map(|(shard, steps)| Step::HandOver { shard, steps }),
        1 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 1..200)
}

fn run(shards: usize, steps: &[Step]) -> BTreeMap<String, Seen> {
    let mut bench = Bench::new(shards, |_| {});
    let mut seen = BTreeMap::new();
    for step in steps {
        match step {
            Step::Send { shard, line } => bench.send(*shard, line),
            Step::HandOver { shard, steps } => {
                let now_ns = bench.now_ns;
                let shard = &mut bench.shards[*shard];
                shard.control.ask(false);
                for _ in 0..*steps {
                    shard.hand_over(now_ns);
                }
            }
            Step::Flush => gather(&mut seen, &bench.flush()),
        }
    }
    gather(&mut seen, &bench.flush());
    seen
}

/// Everything in one go: one shard, one flush at the end, sets by window as the steps cut them.
fn model(steps: &[Step]) -> (BTreeMap<String, Seen>, BTreeMap<String, Vec<u64>>) {
    let one: Vec<Step> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Send { line, .. } => Some(Step::Send { shard: 0, line: line.clone() }),
            Step::HandOver { .. } | Step::Flush => None,
        })
        .collect();
    let (mut members, mut sets) =
        (BTreeMap::<String, BTreeSet<String>>::new(), BTreeMap::<String, Vec<u64>>::new());
    for step in steps.iter().chain([&Step::Flush]) {
        match step {
            Step::Send { line, .. } if line.contains("|s") => {
                let (name, rest) = line.split_once(':').unwrap();
                let (member, tags) = rest.split_once("|s").unwrap();
                let mut tags: Vec<&str> =
                    tags.trim_start_matches("|#").split(',').filter(|t| !t.is_empty()).collect();
                tags.sort_unstable();
                let key = [vec![name], tags].concat().join("\n");
                members.entry(format!("s {key}")).or_default().insert(member.to_owned());
            }
            Step::Send { .. } | Step::HandOver { .. } => {}
            Step::Flush => {
                for (key, members) in std::mem::take(&mut members) {
                    sets.entry(key).or_default().push(members.len() as u64);
                }
            }
        }
    }
    (run(1, &one), sets)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Deltas only for gauges here: absolutes over several shards are ordered by time, see below.
    #[test]
    fn any_interleaving_over_shards_gives_the_same_sums(steps in steps(3)) {
        let (mut expected, sets) = model(&steps);
        let mut seen = run(3, &steps);
        for (key, one) in seen.iter_mut().chain(expected.iter_mut()) {
            one.sets = sets.get(key).cloned().unwrap_or_default();
        }
        let by_window = run(3, &steps);
        for (key, sizes) in sets {
            prop_assert_eq!(&by_window[&key].sets, &sizes);
        }
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn within_a_shard_gauges_are_those_of_a_single_thread(
        changes in prop::collection::vec((0..3u8, -5i32..5), 1..100)
    ) {
        let mut bench = Bench::new(1, |_| {});
        let mut value = None::<f64>;
        for (what, n) in changes {
            match what {
                0 => {
                    bench.send(0, &format!("g:{}|g", n.abs()));
                    value = Some(f64::from(n.abs()));
                }
                1 => {
                    bench.send(0, &format!("g:{n:+}|g"));
                    value = Some(value.unwrap_or_default() + f64::from(n));
                }
                _ => {
                    let parts = bench.flush();
                    let shown = one(&parts, "g").map(|v| if let Value::Gauge(g) = v { *g } else { f64::NAN });
                    prop_assert_eq!(shown, value);
                }
            }
        }
    }
}

#[test]
fn the_later_absolute_wins_whichever_shard_hands_over_first() {
    for order in [[0, 1], [1, 0]] {
        let mut bench = Bench::new(2, |_| {});
        bench.send(0, "g:1|g");
        bench.send(1, "g:1|g");
        bench.flush();
        bench.send(0, "g:7|g");
        bench.send(1, "g:8|g\ng:+1|g");
        let now_ns = bench.now_ns;
        for at in order {
            bench.shards[at].control.ask(false);
            while bench.shards[at].hand_over(now_ns) {}
        }
        assert!(matches!(one(&bench.flush(), "g"), Some(Value::Gauge(9.0))), "{order:?}");
    }
}
