//! The batcher before an outlet of limited room, under a paused clock; random offers against its books.

use super::Signal::Traces;
use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::sleep;

#[derive(Default)]
struct Shelf {
    batches: Mutex<Vec<Batch>>,
    room: AtomicUsize,
}

impl Shelf {
    fn with_room(bytes: usize) -> Arc<Shelf> {
        Arc::new(Shelf { room: bytes.into(), ..Shelf::default() })
    }

    /// Spans of each batch so far.
    fn sizes(&self) -> Vec<u64> {
        self.batches.lock().iter().map(|batch| batch.items).collect()
    }
}

impl Outlet for Shelf {
    fn has_room(&self, _: Signal, bytes: usize, before: usize) -> bool {
        self.batches.lock().iter().map(|batch| batch.bytes).sum::<usize>() + bytes + before
            <= self.room.load(Ordering::Relaxed)
    }

    fn batch(&self, batch: Batch) {
        assert_eq!(batch.items, batch.chunks.iter().map(|chunk| u64::from(chunk.items)).sum::<u64>());
        self.batches.lock().push(batch);
    }

    fn client_stats(&self, _: Bytes) -> Result<(), NoRoom> {
        Ok(())
    }
}

fn options(batch_bytes: usize, batch_spans: usize) -> config::Traces {
    config::Traces { batch_bytes, batch_spans, ..config::Traces::default() }
}

fn chunk(spans: u32, bytes: usize) -> Chunk {
    Chunk { signal: Traces, bytes: vec![0; bytes].into(), items: spans, identity: 1, hold: None }
}

/// One chunk without its bytes.
const ROOM: usize = size_of::<Chunk>();

#[tokio::test(start_paused = true)]
async fn a_full_batch_goes_at_once_and_a_small_one_by_its_age() {
    let shelf = Shelf::with_room(usize::MAX);
    let batcher = Batcher::new(Arc::clone(&shelf) as Arc<dyn Outlet>, &options(3 * ROOM, 10));
    let (stopping, stopped) = watch::channel(false);
    let task = tokio::spawn(batcher.clone().run(stopped));
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(10, 0)]).unwrap();
    assert_eq!(shelf.sizes(), [10], "by spans");
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(1, 2 * ROOM)]).unwrap();
    assert_eq!(shelf.sizes(), [10, 1], "by bytes");

    batcher.offer(Protocol::Zipkin, Traces, vec![chunk(2, 0)]).unwrap();
    sleep(Duration::from_millis(400)).await;
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(3, 0)]).unwrap();
    assert_eq!(batcher.waiting(Traces), Waiting { items: 5, bytes: 2 * ROOM });
    sleep(Duration::from_millis(99)).await;
    assert_eq!(shelf.sizes().len(), 2);
    sleep(Duration::from_millis(2)).await;
    assert_eq!(shelf.sizes(), [10, 1, 5], "by the age of its first");
    assert_eq!(batcher.waiting(Traces), Waiting::default());

    // A batch that went by its size leaves its successor the whole time.
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(1, 0)]).unwrap();
    sleep(Duration::from_millis(400)).await;
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(9, 0)]).unwrap();
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(4, 0)]).unwrap();
    sleep(Duration::from_millis(499)).await;
    assert_eq!(shelf.sizes()[3..], [10]);
    sleep(Duration::from_millis(2)).await;
    assert_eq!(shelf.sizes()[3..], [10, 4]);

    // Nothing by age any more after the stop; the close takes the rest.
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(6, 0)]).unwrap();
    stopping.send_replace(true);
    task.await.unwrap();
    assert_eq!(shelf.sizes().len(), 5);
    batcher.close();
    assert_eq!(shelf.sizes()[5..], [6]);
    assert_eq!(batcher.offer(Protocol::Datadog, Traces, vec![chunk(7, 0)]), Err(NoRoom));
    assert_eq!(batcher.client_stats(Bytes::new()), Err(NoRoom));
    let counts = batcher.counts(Traces);
    assert_eq!(Protocol::ALL.map(|from| counts.received_of(from)), [34, 0, 2]);
    assert_eq!(counts.refused_of(Protocol::Datadog, RefusedFor::Shutdown), 7);
}

#[tokio::test(start_paused = true)]
async fn what_waits_counts_against_the_room() {
    let shelf = Shelf::with_room(3 * ROOM);
    let batcher = Batcher::new(Arc::clone(&shelf) as Arc<dyn Outlet>, &options(1 << 20, 100));
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(1, 0), chunk(1, 0)]).unwrap();
    assert_eq!(batcher.offer(Protocol::Otlp, Traces, vec![chunk(4, 0), chunk(4, 0)]), Err(NoRoom));
    assert_eq!(batcher.waiting(Traces).items, 2, "all or nothing");
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(1, 0)]).unwrap();
    batcher.close();
    assert_eq!(shelf.sizes(), [3]);
    assert_eq!(batcher.counts(Traces).refused_total(), 8);
}

#[tokio::test(start_paused = true)]
async fn each_signal_has_a_batch_of_its_own_and_all_share_the_room() {
    let shelf = Shelf::with_room(4 * ROOM);
    let batcher = Batcher::new(Arc::clone(&shelf) as Arc<dyn Outlet>, &options(1 << 20, 10));
    let (_stopping, stopped) = watch::channel(false);
    let task = tokio::spawn(batcher.clone().run(stopped));
    let of = |signal, items| vec![Chunk { signal, ..chunk(items, 0) }];
    let offer = |signal, items| batcher.offer(Protocol::Otlp, signal, of(signal, items));
    offer(Traces, 1).unwrap();
    sleep(Duration::from_millis(300)).await;
    offer(Signal::Metrics, 2).unwrap();
    offer(Signal::Logs, 3).unwrap();
    offer(Signal::Logs, 4).unwrap();
    assert_eq!(offer(Signal::Metrics, 5), Err(NoRoom), "what waits of others counts, too");
    assert_eq!(Signal::ALL.map(|signal| batcher.waiting(signal).items), [1, 2, 7]);
    let signals = || shelf.batches.lock().iter().map(|batch| (batch.signal, batch.items)).collect::<Vec<_>>();
    sleep(Duration::from_millis(201)).await;
    assert_eq!(signals(), [(Traces, 1)], "each by the age of its own first");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(signals(), [(Traces, 1), (Signal::Metrics, 2), (Signal::Logs, 7)]);
    assert_eq!(batcher.counts(Signal::Metrics).refused_total(), 5);
    assert_eq!(Signal::ALL.map(|signal| batcher.counts(signal).received_total()), [1, 2, 7]);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn without_an_age_nothing_waits() {
    let shelf = Shelf::with_room(usize::MAX);
    let traces = config::Traces { batch_age: Duration::ZERO, ..config::Traces::default() };
    let batcher = Batcher::new(Arc::clone(&shelf) as Arc<dyn Outlet>, &traces);
    batcher.offer(Protocol::Otlp, Traces, vec![chunk(1, 0)]).unwrap();
    batcher.offer(Protocol::Otlp, Traces, vec![]).unwrap();
    assert_eq!(shelf.sizes(), [1]);
}

proptest! {
    #[test]
    fn whatever_is_offered_is_sent_on_refused_or_waits(
        offers in proptest::collection::vec((0..3_usize, proptest::collection::vec((1..20_u32, 0..200_usize), 0..4)), 0..60),
        batch in (1..2_000_usize, 1..100_usize),
        room in 0..20_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let shelf = Shelf::with_room(room);
        let batcher = Batcher::new(Arc::clone(&shelf) as Arc<dyn Outlet>, &options(batch.0, batch.1));
        let mut offered = 0;
        for (from, chunks) in offers {
            let chunks: Vec<Chunk> = chunks.into_iter().map(|(spans, bytes)| chunk(spans, bytes)).collect();
            let spans = chunks.iter().map(|chunk| u64::from(chunk.items)).sum::<u64>();
            offered += spans;
            let before = batcher.counts(Traces).refused_total();
            let taken = batcher.offer(Protocol::ALL[from], Traces, chunks).is_ok();
            prop_assert_eq!(batcher.counts(Traces).refused_total() - before, if taken { 0 } else { spans });
            prop_assert_eq!(batcher.counts(Traces).received_total() + batcher.counts(Traces).refused_total(), offered);
            let sent = shelf.sizes().iter().sum::<u64>();
            prop_assert_eq!(sent + batcher.waiting(Traces).items, batcher.counts(Traces).received_total());
            prop_assert!(batcher.waiting(Traces).bytes < batch.0 && batcher.waiting(Traces).items < batch.1 as u64);
        }
        batcher.close();
        prop_assert_eq!(shelf.sizes().iter().sum::<u64>(), batcher.counts(Traces).received_total());
        prop_assert!(shelf.batches.lock().iter().map(|batch| batch.bytes).sum::<usize>() <= room);
    }
}
