//! Random loads, answers and delays by seed under a paused clock: the books are balanced at every
//! step, and once the backend heals everything that still waits arrives.

use super::super::run::Courier;
use super::super::*;
use super::{SECOND, notes, target, window};
use crate::otlp::chunk::tests::chunk;
use fastrand::Rng;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

const SEEDS: u64 = 300;

/// What the backend itself saw, to be compared with the books.
#[derive(Debug, Default)]
struct Truth {
    taken: u64,
    refused: u64,
    healed: bool,
}

struct Moody {
    random: Rng,
    truth: Arc<Mutex<Truth>>,
    queue: Queue,
}

impl Backend for Moody {
    fn encode(&mut self, part: Part<'_>) -> Result<Encoded, TooLarge> {
        assert!(!part.is_empty());
        assert!(self.queue.ledger().balanced());
        if self.random.u8(..) < 40 && !self.truth.lock().healed {
            return Err(TooLarge);
        }
        let n = part.count();
        match self.random.u8(..10) {
            0 => Ok(Encoded { body: None, unsupported: n }),
            1 => Ok(Encoded { body: Some(Bytes::from_static(b"x")), unsupported: self.random.u64(..=n) }),
            _ => Ok(Encoded { body: Some(Bytes::from_static(b"x")), unsupported: 0 }),
        }
    }

    async fn send(&mut self, payload: &Payload) -> Outcome {
        let healed = self.truth.lock().healed;
        let delay = if healed { 0 } else { self.random.u64(..12_000) };
        sleep(Duration::from_millis(delay)).await;
        let why = String::from("mood");
        let outcome = match self.random.u8(..if healed { 4 } else { 12 }) {
            0..=4 => Outcome::Delivered,
            5 => Outcome::Partial { refused: self.random.u64(..=payload.items), why },
            6 => Outcome::TooLarge { why },
            7 => Outcome::Poison { why },
            8 => Outcome::Unauthorized { why },
            9 => Outcome::Retry { after: Some(SECOND * self.random.u32(..100)), why },
            _ => Outcome::Retry { after: None, why },
        };
        let mut truth = self.truth.lock();
        match &outcome {
            Outcome::Delivered => truth.taken += payload.items,
            Outcome::Partial { refused, .. } => {
                truth.taken += payload.items - refused;
                truth.refused += refused;
            }
            Outcome::TooLarge { .. }
            | Outcome::Poison { .. }
            | Outcome::Unauthorized { .. }
            | Outcome::Retry { .. } => {}
        }
        outcome
    }
}

/// Chunks of up to three scopes with up to nine spans each.
fn spans(random: &mut Rng) -> Item {
    let mut chunks = Vec::new();
    for _ in 0..random.usize(1..4) {
        let scopes: Vec<usize> = (0..random.usize(1..4)).map(|_| random.usize(1..10)).collect();
        chunks.push(chunk(&scopes));
    }
    Item::Otlp(Batch::new(otlp::Signal::Traces, chunks))
}

fn check(queue: &Queue, truth: &Mutex<Truth>, offered: u64, seed: u64) {
    let (ledger, truth) = (queue.ledger(), truth.lock());
    assert!(ledger.balanced(), "seed {seed}: {ledger:?}");
    assert_eq!(ledger.offered, offered, "seed {seed}");
    assert_eq!(ledger.sent, truth.taken, "seed {seed}: {ledger:?}");
    assert_eq!(ledger.dropped(Reason::Partial), truth.refused, "seed {seed}: {ledger:?}");
}

async fn simulate(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let truth = Arc::new(Mutex::new(Truth::default()));
    let queue = Queue::new(target("moody"), random.usize(500..20_000));
    let patience = SECOND * random.u32(..400);
    let policy = Policy::new(SECOND / 10, SECOND * 30, patience).unwrap();
    let backend = Moody { random: random.fork(), truth: Arc::clone(&truth), queue: queue.clone() };
    let courier = Courier::new(backend, queue.clone(), policy, SECOND * 10, random.fork());
    let task = tokio::spawn(courier.run());

    let mut offered = 0;
    for step in 0..random.u64(5..60) {
        let item = match random.u8(..8) {
            0 => notes(random.usize(..5)),
            1 => Item::ClientStats(Bytes::from_static(b"stats")),
            2 | 3 => spans(&mut random),
            _ => window(step / 2, std::iter::repeat_n("n", random.usize(..40))),
        };
        offered += item.count();
        queue.offer(item);
        check(&queue, &truth, offered, seed);
        sleep(Duration::from_millis(random.u64(..20_000))).await;
        check(&queue, &truth, offered, seed);
    }
    let heals = random.bool();
    let before = queue.ledger().dropped_total();
    truth.lock().healed = heals;
    let deadline = if heals { 7_200 } else { random.u32(..60) };
    let lost = queue.close(Instant::now() + SECOND * deadline).await;
    task.await.unwrap();
    check(&queue, &truth, offered, seed);
    let ledger = queue.ledger();
    assert_eq!((ledger.waiting, ledger.in_flight), (0, 0), "seed {seed}: {ledger:?}");
    assert_eq!(ledger.dropped_total() - before, lost, "seed {seed}");
    if heals {
        assert_eq!(ledger.dropped(Reason::Shutdown), 0, "seed {seed}: {ledger:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_books_balance_whatever_the_backend_does() {
    for seed in 0..SEEDS {
        simulate(seed).await;
    }
}
