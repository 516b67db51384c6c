//! The queue before one backend: bounded by bytes and never waited for.
//!
//! At the limit, StatsD's metrics and notes push the oldest items out, of whatever kind: they come by the clock,
//! nobody can be told, and what is newest is worth most. OTLP and client statistics are refused instead
//! (`has_room`): their senders are answered only after the offer, and take a refusal as a wish to slow
//! down. So a dead backend fills its queue with these, which then stay until newer windows need the room.
//! An empty queue takes one item of any size, so that a limit below a request's size loses nothing.
//!
//! `offer` is called by the flush and must not block, fail or wait; the one reader is the task in
//! `run`. All books are kept under one short lock, so that whoever looks sees them balanced. Next: `run`.

use super::complaint::Complaint;
use super::ledger::{Ledger, Reason};
use super::status::{BackendStatus, LastError, dropped_by_reason};
use super::{Item, Signal, Target};
use crate::telemetry::{self, Metric};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A handle on the queue and the books of one backend; cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    target: Target,
    limit_bytes: usize,
    state: Mutex<State>,
    /// The task waits here for an item.
    filled: Notify,
    /// When delivery has to end, once a shutdown began.
    deadline: watch::Sender<Option<Instant>>,
    /// Whether the task is over.
    ended: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    ledger: Ledger,
    /// What the items in flight are; there is one item at a time.
    in_flight: Option<Signal>,
    failing: bool,
    last_success: Option<Instant>,
    last_error: Option<(Instant, String)>,
    overflow: Complaint,
}

#[derive(Debug)]
struct Waiting {
    item: Item,
    bytes: usize,
}

impl Queue {
    pub(super) fn new(target: Target, limit_bytes: usize) -> Self {
        Queue(Arc::new(Shared {
            target,
            limit_bytes,
            state: Mutex::default(),
            filled: Notify::new(),
            deadline: watch::Sender::new(None),
            ended: watch::Sender::new(false),
        }))
    }

    pub fn name(&self) -> &str {
        &self.0.target.name
    }

    /// Whether OTLP or client statistics of so many bytes would be taken now, after `before` bytes of others.
    pub fn has_room(&self, bytes: usize, before: usize) -> bool {
        let state = self.state();
        !self.is_closed() && (before == 0 && state.waiting.is_empty() || self.holds(&state, bytes + before))
    }

    /// Whether a shutdown began, or the task is over.
    fn is_closed(&self) -> bool {
        let hurries = self.0.deadline.borrow().is_some();
        hurries || *self.0.ended.borrow()
    }

    fn fits(&self, state: &State, bytes: usize) -> bool {
        state.waiting.is_empty() || self.holds(state, bytes)
    }

    fn holds(&self, state: &State, bytes: usize) -> bool {
        state.bytes.saturating_add(bytes) <= self.0.limit_bytes
    }

    /// Queues an item. When the bytes that wait would exceed the limit, the oldest items go, counted
    /// `queue_full`; pieces of the newest flush never push each other out, so that the true bound is
    /// the limit or one flush, whichever is larger. OTLP and client statistics push nothing out and are
    /// counted `queue_full` themselves. After a shutdown began, counted `shutdown`.
    pub fn offer(&self, item: Item) {
        if item.is_empty() {
            return;
        }
        let (bytes, signal, n) = (item.bytes(), item.signal(), item.count());
        let mut state = self.state();
        state.ledger.offer(n);
        if self.is_closed() {
            state.ledger.drop_waiting(Reason::Shutdown, n);
            drop(state);
            self.count_dropped(signal, Reason::Shutdown, n);
            return;
        }
        if item.can_be_refused() && !self.fits(&state, bytes) {
            state.ledger.drop_waiting(Reason::QueueFull, n);
            let hushed = state.overflow.due();
            drop(state);
            self.count_dropped(signal, Reason::QueueFull, n);
            if let Some(hushed) = hushed {
                let signal = signal.name();
                tracing::warn!(
                    backend = self.name(),
                    signal,
                    hushed,
                    "the queue is full: new data is refused"
                );
            }
            return;
        }
        let mut evicted = Vec::new();
        while state.bytes + bytes > self.0.limit_bytes {
            match state.waiting.front() {
                Some(oldest) if !oldest.item.same_window(&item) => {}
                Some(_) | None => break,
            }
            let Some(oldest) = state.waiting.pop_front() else { break };
            state.bytes -= oldest.bytes;
            state.ledger.drop_waiting(Reason::QueueFull, oldest.item.count());
            evicted.push(oldest);
        }
        state.bytes += bytes;
        state.waiting.push_back(Waiting { item, bytes });
        let queued = state.bytes;
        let hushed = if evicted.is_empty() { None } else { state.overflow.due() };
        drop(state);
        self.0.filled.notify_one();
        telemetry::gauge(Metric::BackendQueueBytes, &[self.name()], queued as f64);
        if let Some(hushed) = hushed {
            tracing::warn!(backend = self.name(), hushed, "the queue is full: its oldest data is dropped");
        }
        for Waiting { item, .. } in evicted {
            self.count_dropped(item.signal(), Reason::QueueFull, item.count());
        }
    }

    /// Counts what cannot be made into something that this backend takes: as if offered, and dropped at once.
    pub fn leave_out(&self, signal: Signal, reason: Reason, n: u64) {
        if n > 0 {
            let mut state = self.state();
            state.ledger.offer(n);
            state.ledger.drop_waiting(reason, n);
            drop(state);
            self.count_dropped(signal, reason, n);
        }
    }

    /// Takes no more, delivers what waits until the deadline and counts the rest as `shutdown`.
    /// Returns what was lost since the call, for whatever reason.
    pub async fn close(&self, deadline: Instant) -> u64 {
        let before = self.begin_close(deadline);
        // The sender lives in `self`, so this can only end by the task's end.
        let _ = self.0.ended.subscribe().wait_for(|ended| *ended).await;
        self.state().ledger.dropped_total() - before
    }

    /// Tells the task to hurry; returns what was lost before.
    pub(super) fn begin_close(&self, deadline: Instant) -> u64 {
        let lost = self.state().ledger.dropped_total();
        self.0.deadline.send_modify(|known| {
            *known = Some(known.map_or(deadline, |known| known.min(deadline)));
        });
        self.0.filled.notify_one();
        lost
    }

    pub fn ledger(&self) -> Ledger {
        self.state().ledger.clone()
    }

    pub fn status(&self) -> BackendStatus {
        let now = Instant::now();
        let ended = *self.0.ended.borrow();
        let state = self.state();
        let age = |then: Instant| now.saturating_duration_since(then).as_secs_f64();
        BackendStatus {
            name: self.0.target.name.clone(),
            kind: self.0.target.kind,
            endpoint: self.0.target.endpoint.clone(),
            queue_items: state.ledger.waiting,
            queue_bytes: state.bytes,
            queue_limit_bytes: self.0.limit_bytes,
            in_flight: state.ledger.in_flight,
            offered: state.ledger.offered,
            sent: state.ledger.sent,
            retried: state.ledger.retried,
            dropped: dropped_by_reason(&state.ledger),
            last_success_seconds_ago: state.last_success.map(age),
            last_error: state
                .last_error
                .as_ref()
                .map(|(then, message)| LastError { message: message.clone(), seconds_ago: age(*then) }),
            failing: state.failing,
            ended,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    fn count_dropped(&self, signal: Signal, reason: Reason, n: u64) {
        telemetry::add(Metric::BackendDropped, &[self.name(), signal.name(), reason.name()], n);
    }
}

/// What only the task may do.
impl Queue {
    /// The oldest item, now in flight; `None` when a shutdown began and nothing waits any more.
    pub(super) async fn next(&self) -> Option<Item> {
        loop {
            // Looked at before the queue: an offer that still saw no shutdown is then seen by `take`.
            let closing = self.0.deadline.borrow().is_some();
            if let Some(item) = self.take() {
                return Some(item);
            }
            if closing {
                return None;
            }
            self.0.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Item> {
        let mut state = self.state();
        let Waiting { item, bytes } = state.waiting.pop_front()?;
        state.bytes -= bytes;
        state.ledger.take(item.count());
        state.in_flight = Some(item.signal());
        let queued = state.bytes;
        drop(state);
        telemetry::gauge(Metric::BackendQueueBytes, &[self.name()], queued as f64);
        Some(item)
    }

    pub(super) fn sent(&self, signal: Signal, n: u64) {
        let mut state = self.state();
        state.ledger.send(n);
        state.failing = false;
        state.last_success = Some(Instant::now());
        drop(state);
        telemetry::add(Metric::BackendSent, &[self.name(), signal.name()], n);
    }

    pub(super) fn retried(&self, signal: Signal) {
        self.state().ledger.retried += 1;
        telemetry::add(Metric::BackendRetried, &[self.name(), signal.name()], 1);
    }

    /// Drops `n` of what is in flight.
    pub(super) fn dropped(&self, signal: Signal, reason: Reason, n: u64) {
        if n > 0 {
            self.state().ledger.drop_in_flight(reason, n);
            self.count_dropped(signal, reason, n);
        }
    }

    /// Remembers what went wrong; `failing` when the payload is kept and sent again.
    pub(super) fn failed(&self, why: &str, failing: bool) {
        let mut state = self.state();
        state.failing = failing;
        state.last_error = Some((Instant::now(), why.to_owned()));
    }

    /// Waits until a shutdown began.
    pub(super) async fn closing(&self) -> Instant {
        let mut deadline = self.0.deadline.subscribe();
        loop {
            if let Some(deadline) = *deadline.borrow_and_update() {
                return deadline;
            }
            if deadline.changed().await.is_err() {
                // The sender lives in `self`: not reached.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the deadline of a shutdown has passed.
    pub(super) async fn deadline(&self) {
        let deadline = self.closing().await;
        tokio::time::sleep_until(deadline).await;
    }

    /// The end of the task, however it came: what is left is lost, and nothing is taken any more.
    pub(super) fn end(&self) {
        let mut state = self.state();
        let waiting = std::mem::take(&mut state.waiting);
        let n = state.ledger.in_flight;
        state.ledger.drop_in_flight(Reason::Shutdown, n);
        let in_flight = state.in_flight.take().map(|signal| (signal, n));
        for Waiting { item, .. } in &waiting {
            state.ledger.drop_waiting(Reason::Shutdown, item.count());
        }
        state.bytes = 0;
        // Under the lock, so that an offer sees either a task that will take it, or none.
        self.0.ended.send_replace(true);
        drop(state);
        telemetry::gauge(Metric::BackendQueueBytes, &[self.name()], 0.0);
        let left = waiting.iter().map(|waiting| (waiting.item.signal(), waiting.item.count()));
        for (signal, n) in in_flight.into_iter().chain(left).filter(|(_, n)| *n > 0) {
            self.count_dropped(signal, Reason::Shutdown, n);
        }
    }
}
