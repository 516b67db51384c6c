//! The delivery machine under a paused clock: single behaviours here, random ones in `simulation`.

mod simulation;

use super::run::Courier;
use super::*;
use crate::metrics::series::{Treatment, Value};
use crate::otlp::chunk::tests::chunk;
use crate::statsd::{Check, Kind, Status};
use std::collections::VecDeque;
use tokio::time::sleep;

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A backend that answers as told, then always `Delivered`.
struct Scripted {
    answers: VecDeque<(Duration, Outcome)>,
    /// Series or notes per body at most.
    largest: usize,
    seen: Arc<parking_lot::Mutex<Vec<(Duration, Bytes)>>>,
    /// Bodies with this name are too large.
    refused: Arc<parking_lot::Mutex<Option<&'static str>>>,
    began: Instant,
}

impl Backend for Scripted {
    fn encode(&mut self, part: Part<'_>) -> Result<Encoded, TooLarge> {
        match part {
            Part::Metrics { series, .. } if series.len() > self.largest => Err(TooLarge),
            Part::Metrics { series, .. } => {
                let names: Vec<&str> = series.iter().map(|series| series.key().name()).collect();
                Ok(Encoded { body: Some(names.join(" ").into()), unsupported: 0 })
            }
            Part::Otlp { chunks, .. } => {
                let spans = part.count() as usize;
                if spans > self.largest {
                    return Err(TooLarge);
                }
                let sizes: Vec<String> = chunks.iter().map(|chunk| chunk.items.to_string()).collect();
                Ok(Encoded { body: Some(sizes.join(" ").into()), unsupported: 0 })
            }
            Part::Notes { .. } | Part::ClientStats(_) => Ok(Encoded::unsupported(part)),
        }
    }

    async fn send(&mut self, payload: &Payload) -> Outcome {
        self.seen.lock().push((self.began.elapsed(), payload.body.clone()));
        let refused = *self.refused.lock();
        if refused.is_some_and(|name| payload.body.split(|b| *b == b' ').any(|word| word == name.as_bytes()))
        {
            return Outcome::TooLarge { why: "413".into() };
        }
        let (delay, outcome) = self.answers.pop_front().unwrap_or((Duration::ZERO, Outcome::Delivered));
        sleep(delay).await;
        outcome
    }
}

struct Fixture {
    queue: Queue,
    seen: Arc<parking_lot::Mutex<Vec<(Duration, Bytes)>>>,
    refused: Arc<parking_lot::Mutex<Option<&'static str>>>,
}

fn scripted(answers: Vec<(Duration, Outcome)>, largest: usize, limit_bytes: usize) -> Fixture {
    let (seen, refused) = (Arc::default(), Arc::default());
    let backend = Scripted {
        answers: answers.into(),
        largest,
        seen: Arc::clone(&seen),
        refused: Arc::clone(&refused),
        began: Instant::now(),
    };
    let queue = Queue::new(target("scripted"), limit_bytes);
    let policy = Policy::new(SECOND, 30 * SECOND, 300 * SECOND).unwrap();
    let courier = Courier::new(backend, queue.clone(), policy, 10 * SECOND, fastrand::Rng::with_seed(7));
    tokio::spawn(courier.run());
    Fixture { queue, seen, refused }
}

impl Fixture {
    fn bodies(&self) -> Vec<String> {
        self.seen.lock().iter().map(|(_, body)| String::from_utf8(body.to_vec()).unwrap()).collect()
    }

    /// Lost since the start, after everything that waits was delivered or given up.
    async fn finish(&self) -> Vec<(&'static str, u64)> {
        self.queue.close(Instant::now() + 3_600 * SECOND).await;
        let ledger = self.queue.ledger();
        assert!(ledger.balanced() && ledger.waiting == 0 && ledger.in_flight == 0, "{ledger:?}");
        self.queue.status().dropped.into_iter().collect()
    }
}

pub(super) fn target(name: &str) -> Target {
    Target { name: name.into(), kind: "test", endpoint: "nowhere".into() }
}

/// A window of counters with these names.
pub(super) fn window<'a>(end_ns: u64, names: impl IntoIterator<Item = &'a str>) -> Item {
    let series = names.into_iter().map(|name| Series {
        key: name.into(),
        kind: Kind::Counter,
        treatment: Arc::new(Treatment {
            ttl: None,
            timer_buckets: Arc::default(),
            histogram_buckets: Arc::default(),
            explicit_buckets: false,
            percentiles: Arc::default(),
            style: config::HistogramStyle::Histogram,
            help: None,
            unit: None,
        }),
        start_ns: 0,
        time_ns: None,
        value: Value::Counter { delta: 1.0, total: 1.0, monotonic: true },
    });
    Item::Metrics(Arc::new(Snapshot {
        start_ns: 0,
        end_ns,
        series: series.collect(),
        resource: Arc::default(),
    }))
}

pub(super) fn notes(n: usize) -> Item {
    let check = Check {
        name: "disk".into(),
        status: Status::Ok,
        time_s: 1,
        host: None,
        message: None,
        tags: Vec::new(),
    };
    Item::Notes { notes: vec![Note::Check(check); n].into(), resource: Arc::default() }
}

/// Chunks with these scopes of so many spans.
fn spans(chunks: &[&[usize]]) -> Item {
    Item::Otlp(Batch::new(otlp::Signal::Traces, chunks.iter().map(|scopes| chunk(scopes)).collect()))
}

fn retry(after: Option<u64>) -> Outcome {
    Outcome::Retry { after: after.map(Duration::from_secs), why: "busy".into() }
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_arrives_in_order() {
    let fixture = scripted(vec![], 100, 1 << 20);
    fixture.queue.offer(window(1, ["a", "b"]));
    fixture.queue.offer(window(2, ["c"]));
    fixture.queue.offer(window(3, []));
    assert_eq!(fixture.finish().await, []);
    assert_eq!(fixture.bodies(), ["a b", "c"]);
    let ledger = fixture.queue.ledger();
    assert_eq!((ledger.offered, ledger.sent), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_loses_its_oldest_window_but_no_piece_of_the_newest() {
    let one = window(1, ["a"]).bytes();
    let fixture = scripted(vec![], 100, 2 * one);
    for (end_ns, name) in [(1, "a"), (2, "b"), (3, "c"), (3, "d"), (3, "e")] {
        fixture.queue.offer(window(end_ns, [name]));
    }
    assert_eq!(fixture.queue.status().queue_bytes, 3 * one, "the newest flush is larger than the limit");
    fixture.queue.offer(window(4, ["f"]));
    assert_eq!(fixture.queue.status().queue_bytes, 2 * one);
    assert_eq!(fixture.finish().await, [("queue_full", 4)]);
    assert_eq!(fixture.bodies(), ["e", "f"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_spans_and_lets_metrics_push_them_out() {
    let one = spans(&[&[1]]).bytes();
    let fixture = scripted(vec![], 100, 2 * one);
    assert!(fixture.queue.has_room(1 << 30, 0), "an empty queue takes anything");
    fixture.queue.offer(spans(&[&[1]]));
    assert!(fixture.queue.has_room(one, 0) && !fixture.queue.has_room(one + 1, 0));
    fixture.queue.offer(spans(&[&[1, 2], &[3]]));
    assert_eq!(fixture.queue.status().dropped.get("queue_full"), Some(&6), "the new ones went");
    fixture.queue.offer(Item::ClientStats(vec![0; one + 1].into()));
    assert_eq!(fixture.queue.status().queue_items, 1);
    fixture.queue.offer(window(1, ["a", "b", "c"]));
    assert_eq!(fixture.queue.status().queue_items, 3, "the spans went for the window");
    assert_eq!(fixture.finish().await, [("queue_full", 8)]);
    assert_eq!(fixture.bodies(), ["a b c"]);
    assert!(!fixture.queue.has_room(0, 0), "closed");
}

#[tokio::test(start_paused = true)]
async fn a_chunk_too_large_alone_is_halved_by_its_spans() {
    // The backend asks for two spans at most, its server refuses the first body.
    let too_large = (Duration::ZERO, Outcome::TooLarge { why: "413".into() });
    let fixture = scripted(vec![too_large], 2, 1 << 20);
    fixture.queue.offer(spans(&[&[1], &[5, 2], &[2]]));
    assert_eq!(fixture.finish().await, [("too_large", 1)]);
    // Three of the first half: one, and two; four of the second.
    assert_eq!(fixture.bodies(), ["1", "1", "2", "2", "2", "2"]);
    let ledger = fixture.queue.ledger();
    assert_eq!((ledger.offered, ledger.sent), (10, 9));
}

#[tokio::test(start_paused = true)]
async fn memory_goes_back_when_an_item_is_settled() {
    let budget = otlp::Budget::new(100);
    let fixture = scripted(vec![(SECOND, Outcome::Delivered)], 100, 1 << 20);
    let held = || Chunk { hold: budget.take(10), ..chunk(&[1]) };
    fixture.queue.offer(Item::Otlp(Batch::new(otlp::Signal::Traces, vec![held(), held()])));
    sleep(SECOND / 2).await;
    assert_eq!(budget.held(), 20);
    sleep(SECOND).await;
    assert_eq!(budget.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_is_waited_out() {
    let fixture =
        scripted(vec![(Duration::ZERO, retry(None)), (Duration::ZERO, retry(Some(20)))], 100, 1 << 20);
    fixture.queue.offer(window(1, ["a"]));
    sleep(SECOND * 60).await;
    let status = fixture.queue.status();
    assert_eq!((status.sent, status.retried, status.failing), (1, 2, false));
    assert_eq!(status.last_error.unwrap().message, "busy");
    let times: Vec<_> = fixture.seen.lock().iter().map(|(when, _)| *when).collect();
    assert!(times[1] - times[0] >= SECOND / 10 && times[1] - times[0] <= SECOND, "{times:?}");
    assert!(times[2] - times[1] >= 20 * SECOND && times[2] - times[1] <= 22 * SECOND, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn patience_ends_and_the_next_payload_has_its_turn() {
    let never = (0..40).map(|_| (SECOND * 9, retry(None))).collect();
    let fixture = scripted(never, 100, 1 << 20);
    fixture.queue.offer(window(1, ["a"]));
    sleep(SECOND * 320).await;
    assert_eq!(fixture.queue.status().dropped.get("retries_exhausted"), Some(&1));
    assert!(fixture.queue.ledger().retried < 40);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_probed_once_a_minute() {
    let unauthorized = || Outcome::Unauthorized { why: "bad key".into() };
    let fixture = scripted((0..50).map(|_| (Duration::ZERO, unauthorized())).collect(), 100, 1 << 20);
    fixture.queue.offer(window(1, ["a"]));
    sleep(SECOND * 310).await;
    assert_eq!(fixture.queue.status().dropped.get("unauthorized"), Some(&1));
    let attempts = fixture.seen.lock().len();
    assert!((5..=7).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_counts_as_none() {
    let fixture = scripted(vec![(SECOND * 3_600, Outcome::Delivered)], 100, 1 << 20);
    fixture.queue.offer(window(1, ["a"]));
    sleep(SECOND * 30).await;
    let status = fixture.queue.status();
    assert_eq!((status.sent, status.retried), (1, 1));
    assert_eq!(status.last_error.unwrap().message, "no answer within 10s");
}

#[tokio::test(start_paused = true)]
async fn too_large_is_halved_and_one_alone_is_dropped() {
    let too_large = || (Duration::ZERO, Outcome::TooLarge { why: "413".into() });
    // The backend asks for two at most; its server refuses the first two, then the first alone.
    let fixture = scripted(vec![too_large(), too_large()], 2, 1 << 20);
    fixture.queue.offer(window(1, ["a", "b", "c", "d", "e"]));
    assert_eq!(fixture.finish().await, [("too_large", 1)]);
    assert_eq!(fixture.bodies(), ["a b", "a", "b", "c d", "e"]);
    // One culprit among many is found in a few steps, and the rest goes on in large parts.
    let names: Vec<String> = (0..1_000).map(|n| format!("n{n}")).collect();
    let fixture = scripted(vec![], 1_000, 1 << 20);
    *fixture.refused.lock() = Some("n700");
    fixture.queue.offer(window(1, names.iter().map(String::as_str)));
    assert_eq!(fixture.finish().await, [("too_large", 1)]);
    assert!(fixture.bodies().len() < 40, "{}", fixture.bodies().len());
    // The next item dares twice as much.
    let fixture = scripted(vec![too_large()], 4, 1 << 20);
    fixture.queue.offer(window(1, ["a", "b", "c", "d"]));
    fixture.queue.offer(window(2, ["e", "f", "g", "h"]));
    assert_eq!(fixture.finish().await, []);
    assert_eq!(fixture.bodies(), ["a b c d", "a b", "c d", "e f g h"]);
}

#[tokio::test(start_paused = true)]
async fn partial_poison_and_unsupported_are_told_apart() {
    let answers = vec![
        (SECOND, Outcome::Partial { refused: 1, why: "one is bad".into() }),
        (SECOND, Outcome::Poison { why: "400".into() }),
        (SECOND, Outcome::Partial { refused: 99, why: "more than there are".into() }),
        (SECOND, Outcome::Partial { refused: 0, why: "only a warning".into() }),
    ];
    let fixture = scripted(answers, 100, 1 << 20);
    for (end_ns, names) in [(1, vec!["a", "b"]), (2, vec!["c"]), (3, vec!["d"]), (4, vec!["e"])] {
        fixture.queue.offer(window(end_ns, names));
    }
    fixture.queue.offer(notes(3));
    assert_eq!(fixture.finish().await, [("partial", 2), ("poison", 1), ("unsupported", 3)]);
    assert_eq!(fixture.queue.ledger().sent, 2);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_hurries_what_waits_and_counts_what_is_late() {
    let mut answers = vec![(Duration::ZERO, retry(Some(30)))];
    answers.extend((0..40).map(|_| (SECOND * 4, Outcome::Delivered)));
    let fixture = scripted(answers, 100, 1 << 20);
    for end_ns in 1..=5 {
        fixture.queue.offer(window(end_ns, ["a", "b"]));
    }
    sleep(SECOND).await;
    let began = Instant::now();
    let lost = fixture.queue.close(began + 10 * SECOND).await;
    assert_eq!(began.elapsed(), 10 * SECOND, "the long wait was cut short");
    assert_eq!(lost, 6, "two windows went out in time");
    let ledger = fixture.queue.ledger();
    assert_eq!((ledger.sent, ledger.dropped(Reason::Shutdown)), (4, 6));
    fixture.queue.offer(window(9, ["late"]));
    assert_eq!(fixture.queue.ledger().dropped(Reason::Shutdown), 7);
    assert!(fixture.queue.ledger().balanced() && fixture.queue.status().ended);
    assert_eq!(fixture.queue.close(began + 20 * SECOND).await, 0, "a second close is over at once");
}

#[tokio::test(start_paused = true)]
async fn all_queues_hurry_at_once() {
    let dead = scripted((0..9).map(|_| (SECOND * 9, retry(None))).collect(), 100, 1 << 20);
    let slow = scripted(vec![(Duration::ZERO, retry(Some(30)))], 100, 1 << 20);
    dead.queue.offer(window(1, ["a", "b"]));
    slow.queue.offer(window(1, ["a"]));
    sleep(SECOND).await;
    let lost = close_all(&[dead.queue.clone(), slow.queue.clone()], Instant::now() + 5 * SECOND).await;
    assert_eq!((lost, slow.queue.ledger().sent), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_backend_closes_at_once() {
    let fixture = scripted(vec![], 100, 1 << 20);
    let began = Instant::now();
    assert_eq!(fixture.queue.close(began + 10 * SECOND).await, 0);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_dead_backend_never_delays_another() {
    let dead = scripted((0..1_000).map(|_| (SECOND * 3_600, Outcome::Delivered)).collect(), 100, 1 << 20);
    let live = scripted(vec![], 100, 1 << 20);
    for end_ns in 1..=100 {
        let item = window(end_ns, ["a"]);
        let before = Instant::now();
        dead.queue.offer(item.clone());
        live.queue.offer(item);
        assert_eq!(before.elapsed(), Duration::ZERO);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(live.queue.ledger().sent, end_ns);
    }
    assert_eq!(dead.queue.ledger().sent, 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_its_payload_only() {
    struct Panics(bool);
    impl Backend for Panics {
        fn encode(&mut self, part: Part<'_>) -> Result<Encoded, TooLarge> {
            assert!(part.len() != 3, "encoding of three");
            Ok(Encoded { body: Some(Bytes::new()), unsupported: 0 })
        }
        async fn send(&mut self, _: &Payload) -> Outcome {
            assert!(std::mem::take(&mut self.0), "every but the first");
            Outcome::Delivered
        }
    }
    let queue = start(target("panics"), Panics(true), &config::Delivery::default()).unwrap();
    for (end_ns, names) in [(1, vec!["a"]), (2, vec!["b", "c"]), (3, vec!["d", "e", "f"])] {
        queue.offer(window(end_ns, names));
    }
    assert_eq!(queue.close(Instant::now() + SECOND).await, 5);
    assert_eq!((queue.ledger().sent, queue.ledger().dropped(Reason::Poison)), (1, 5));
}

#[tokio::test(start_paused = true)]
async fn a_status_says_it_all() {
    let fixture = scripted(vec![(SECOND, Outcome::Delivered), (SECOND, retry(None))], 100, 1_000_000);
    fixture.queue.offer(window(1, ["a"]));
    fixture.queue.offer(window(2, ["b", "c"]));
    fixture.queue.offer(notes(4));
    sleep(Duration::from_millis(2_050)).await;
    let status = serde_json::to_string(&fixture.queue.status()).unwrap();
    insta::assert_snapshot!(status, @r#"{"name":"scripted","kind":"test","endpoint":"nowhere","queue_items":4,"queue_bytes":656,"queue_limit_bytes":1000000,"in_flight":2,"offered":7,"sent":1,"retried":0,"dropped":{},"last_success_seconds_ago":1.05,"last_error":{"message":"busy","seconds_ago":0.05},"failing":true,"ended":false}"#);
}
