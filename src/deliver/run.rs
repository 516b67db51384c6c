//! The task of one backend: item → parts → payloads → answers → books.
//!
//! One payload is in flight at a time, so that a backend sees windows in order. A part that proves too
//! large is halved and written again from where it began; the size that worked is remembered. A chunk
//! that is too large alone is halved by its spans, points or records, down to one that is dropped. Nothing
//! a backend does, a panic included, may end the task before its queue is closed. Next: `crate::backend`.

use super::complaint::Complaint;
use super::ledger::Reason;
use super::queue::Queue;
use super::retry::Policy;
use super::{Backend, Encoded, Item, Outcome, PART_LIMIT, Part, Payload, Signal, TooLarge};
use crate::otlp::Chunk;
use crate::telemetry;
use fastrand::Rng;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

/// Carries the items of one queue to one backend.
pub(super) struct Courier<B> {
    backend: B,
    queue: Queue,
    policy: Policy,
    timeout: Duration,
    random: Rng,
    /// Pieces of the next part, and how far that may grow before the next item.
    part_len: usize,
    ceiling: usize,
    /// A shutdown was noticed: the one wait that it cut short is over.
    hurried: bool,
    faults: Complaint,
    losses: Complaint,
    /// The log knows of a fault and not yet of its end.
    failing: bool,
}

/// What became of a part.
enum Settled {
    /// Every item of it is in the books.
    Done,
    /// Nothing is in the books yet; smaller parts may do.
    TooLarge(String),
}

/// Closes the books, however the task ends.
struct Ending(Queue);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<B: Backend> Courier<B> {
    pub(super) fn new(backend: B, queue: Queue, policy: Policy, timeout: Duration, random: Rng) -> Self {
        Courier {
            backend,
            queue,
            policy,
            timeout,
            random,
            part_len: PART_LIMIT,
            ceiling: PART_LIMIT,
            hurried: false,
            faults: Complaint::default(),
            losses: Complaint::default(),
            failing: false,
        }
    }

    /// Until a shutdown has emptied the queue, or its deadline has passed.
    pub(super) async fn run(mut self) {
        let ending = Ending(self.queue.clone());
        tokio::select! {
            biased;
            () = ending.0.deadline() => {}
            () = self.deliver_all() => {}
        }
    }

    async fn deliver_all(&mut self) {
        while let Some(item) = self.queue.next().await {
            self.deliver(&item).await;
        }
    }

    async fn deliver(&mut self, item: &Item) {
        self.ceiling = (self.ceiling * 2).min(PART_LIMIT);
        self.part_len = (self.part_len * 2).min(self.ceiling);
        let mut at = 0;
        while at < item.len() {
            let n = self.part_len.min(item.len() - at);
            match self.settle(item.signal(), item.part(at..at + n)).await {
                Settled::Done => {
                    at += n;
                    self.part_len = (self.part_len * 2).min(self.ceiling);
                }
                Settled::TooLarge(_) if n > 1 => {
                    self.part_len = n / 2;
                    self.ceiling = n / 2;
                }
                Settled::TooLarge(why) => {
                    self.divide(item.signal(), item.part(at..at + 1), &why).await;
                    at += 1;
                    // The culprit is found: nothing is known against larger parts any more.
                    self.ceiling = PART_LIMIT;
                }
            }
            // A large item must not keep a worker of the runtime to itself.
            tokio::task::yield_now().await;
        }
    }

    /// A piece that is too large alone: a chunk goes on in halves, anything else is lost.
    async fn divide(&mut self, signal: Signal, piece: Part<'_>, why: &str) {
        let Some([first, second]) = piece.chunk().and_then(Chunk::halves) else {
            self.lose(signal, Reason::TooLarge, piece.count(), why);
            return;
        };
        // The last is next. Each chunk on it has at most half the spans of the one below.
        let mut rest = vec![second, first];
        while let Some(chunk) = rest.pop() {
            let part = Part::Otlp { signal: chunk.signal, chunks: std::slice::from_ref(&chunk) };
            if let Settled::TooLarge(why) = self.settle(signal, part).await {
                match chunk.halves() {
                    Some([first, second]) => rest.extend([second, first]),
                    None => self.lose(signal, Reason::TooLarge, part.count(), &why),
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn settle(&mut self, signal: Signal, part: Part<'_>) -> Settled {
        let n = part.count();
        let encoded = match catch_unwind(AssertUnwindSafe(|| self.backend.encode(part))) {
            Ok(Ok(encoded)) => encoded,
            Ok(Err(TooLarge)) => return Settled::TooLarge("larger than a request may be".into()),
            Err(_) => {
                self.lose(signal, Reason::Poison, n, "encoding panicked");
                return Settled::Done;
            }
        };
        let Encoded { body, unsupported } = encoded;
        let unsupported = if body.is_some() { unsupported.min(n) } else { n };
        if let Some(body) = body {
            let payload = Payload { signal, body, items: n - unsupported };
            if let Settled::TooLarge(why) = self.carry(&payload).await {
                return Settled::TooLarge(why);
            }
        }
        self.queue.dropped(signal, Reason::Unsupported, unsupported);
        Settled::Done
    }

    /// Sends one payload until it is settled.
    async fn carry(&mut self, payload: &Payload) -> Settled {
        let Payload { signal, items, .. } = *payload;
        let mut attempts = self.policy.begin(Instant::now());
        loop {
            let (wait, why, exhausted) = match self.attempt(payload).await {
                Outcome::Delivered => {
                    self.delivered(signal, items);
                    return Settled::Done;
                }
                Outcome::Partial { refused, why } => {
                    let refused = refused.min(items);
                    self.delivered(signal, items - refused);
                    match refused {
                        0 => self.warned(&why),
                        refused => self.lose(signal, Reason::Partial, refused, &why),
                    }
                    return Settled::Done;
                }
                Outcome::TooLarge { why } => return Settled::TooLarge(why),
                Outcome::Poison { why } => {
                    self.lose(signal, Reason::Poison, items, &why);
                    return Settled::Done;
                }
                Outcome::Retry { after, why } => {
                    let wait = attempts.next_wait(Instant::now(), after, &mut self.random);
                    (wait, why, Reason::RetriesExhausted)
                }
                Outcome::Unauthorized { why } => {
                    (attempts.next_probe(Instant::now(), &mut self.random), why, Reason::Unauthorized)
                }
            };
            let Some(wait) = wait else {
                self.lose(signal, exhausted, items, &why);
                return Settled::Done;
            };
            self.queue.failed(&why, true);
            self.failing = true;
            if let Some(hushed) = self.faults.due() {
                let backend = self.queue.name();
                tracing::warn!(backend, hushed, "backend fails, data is kept and sent again: {why}");
            }
            self.rest(wait).await;
            self.queue.retried(signal);
        }
    }

    /// One attempt, limited in time. A panic costs the payload, not the task.
    async fn attempt(&mut self, payload: &Payload) -> Outcome {
        let span = tracing::info_span!(
            target: telemetry::SPANS,
            "backend_send",
            backend = self.queue.name(),
            signal = payload.signal.name(),
            items = payload.items,
            bytes = payload.body.len()
        );
        let mut send = pin!(self.backend.send(payload));
        let caught =
            poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| send.as_mut().poll(context))) {
                Ok(poll) => poll,
                Err(_) => Poll::Ready(Outcome::Poison { why: "sending panicked".into() }),
            });
        match timeout(self.timeout, caught).instrument(span).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Retry { after: None, why: format!("no answer within {:?}", self.timeout) },
        }
    }

    /// Waits before the next attempt; the beginning of a shutdown cuts one such wait short.
    async fn rest(&mut self, wait: Duration) {
        if self.hurried {
            return sleep(wait).await;
        }
        tokio::select! {
            () = sleep(wait) => {}
            _ = self.queue.closing() => self.hurried = true,
        }
    }

    fn delivered(&mut self, signal: Signal, n: u64) {
        self.queue.sent(signal, n);
        if std::mem::take(&mut self.failing) {
            tracing::info!(backend = self.queue.name(), "backend takes data again");
        }
    }

    fn warned(&mut self, why: &str) {
        self.queue.failed(why, false);
        if let Some(hushed) = self.faults.due() {
            tracing::warn!(backend = self.queue.name(), hushed, "backend took everything and warns: {why}");
        }
    }

    fn lose(&mut self, signal: Signal, reason: Reason, n: u64, why: &str) {
        if n > 0 {
            self.queue.dropped(signal, reason, n);
            self.queue.failed(why, false);
            if let Some(hushed) = self.losses.due() {
                let (backend, reason) = (self.queue.name(), reason.name());
                tracing::warn!(backend, reason, items = n, hushed, "backend lost data: {why}");
            }
        }
    }
}
