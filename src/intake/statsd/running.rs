//! The threads of a bound listener, seen from outside: alive or not, what they lost, and their end.
//!
//! The rule for a panic: it ends its thread, not the agent. The thread's shard is lost with it, the
//! socket is closed, the panic is counted (`pillion_listener_panics_total`) and logged, and the
//! listener counts as not healthy from then on, so that readiness fails and a supervisor can act.
//! A silent restart would hide that figures are missing.

use super::bound::Info;
use super::buffer::true_size;
use super::loss::Loss;
use super::path::SocketFile;
use crate::metrics::tally::Tally;
use crate::telemetry::{self, Metric};
use parking_lot::Mutex;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

/// The threads of one listener.
#[derive(Debug)]
pub struct Running {
    watch: Watch,
    threads: Vec<JoinHandle<()>>,
    /// Removed when all threads have ended.
    _file: Option<SocketFile>,
}

/// A view of a listener that outlives it: for readiness, `/status` and the last log line.
#[derive(Clone, Debug)]
pub struct Watch {
    info: Arc<Info>,
    workers: Arc<[Arc<Worker>]>,
}

/// One thread of a listener.
#[derive(Debug)]
pub struct Worker {
    name: String,
    info: Arc<Info>,
    tally: Arc<Tally>,
    state: AtomicU8,
    faults: AtomicU64,
    losses: AtomicU64,
    loss: Mutex<Option<Loss>>,
}

/// What a listener thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    Receiving,
    /// It was asked to end, and did.
    Ended,
    /// It panicked, or could not start.
    Failed,
}

/// A thread's work: it ends when the consumer is stopping, or with an error when it could not begin.
pub(super) type Run = Box<dyn FnOnce(&Arc<Worker>) -> io::Result<()> + Send>;

/// One thread to start: its tally, and what it does until it is told to stop.
pub(super) struct Job {
    pub(super) tally: Arc<Tally>,
    pub(super) run: Run,
}

impl Running {
    pub(super) fn start(info: Info, jobs: Vec<Job>, file: Option<SocketFile>) -> Self {
        let info = Arc::new(info);
        let mut workers = Vec::with_capacity(jobs.len());
        let mut threads = Vec::with_capacity(jobs.len());
        for (index, job) in jobs.into_iter().enumerate() {
            let worker = Arc::new(Worker::new(Arc::clone(&info), index, job.tally));
            workers.push(Arc::clone(&worker));
            let overseen = Arc::clone(&worker);
            let body = move || oversee(&overseen, job.run);
            match Builder::new().name(worker.name.clone()).spawn(body) {
                Ok(thread) => threads.push(thread),
                Err(error) => worker.fail(&format!("the thread could not be started: {error}")),
            }
        }
        Running { watch: Watch { info, workers: workers.into() }, threads, _file: file }
    }

    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Returns when every thread has read what the kernel still held after its `Control` said
    /// stopping, and has handed over. Removes the socket file of a Unix listener.
    pub fn join(self) {
        for thread in self.threads {
            // A panic was caught and told inside the thread.
            let _ = thread.join();
        }
    }
}

/// The top of every listener thread.
fn oversee(worker: &Arc<Worker>, run: Run) {
    match catch_unwind(AssertUnwindSafe(|| run(worker))) {
        Ok(Ok(())) => worker.state.store(State::Ended as u8, Ordering::Release),
        Ok(Err(error)) => worker.fail(&error.to_string()),
        Err(panic) => {
            telemetry::add(Metric::ListenerPanics, &[&worker.info.address], 1);
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            worker.fail(&format!("it panicked ({text}); what it had not handed over is lost"));
        }
    }
}

impl Watch {
    pub fn info(&self) -> &Info {
        &self.info
    }

    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().map(Arc::as_ref)
    }

    /// Whether every thread receives, or has ended because it was asked to.
    pub fn healthy(&self) -> bool {
        self.workers().all(|worker| worker.state() != State::Failed)
    }
}

impl Worker {
    fn new(info: Arc<Info>, index: usize, tally: Arc<Tally>) -> Self {
        Worker {
            name: info.thread_name(index),
            info,
            tally,
            state: AtomicU8::new(State::Receiving as u8),
            faults: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            loss: Mutex::new(None),
        }
    }

    /// The thread's name: `statsd-udp-8125-0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Receiving,
            1 => State::Ended,
            _ => State::Failed,
        }
    }

    /// Calls to the kernel that failed.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// The burst that filled this thread's receive buffer last.
    pub fn last_loss(&self) -> Option<Loss> {
        *self.loss.lock()
    }

    /// What the kernel dropped, why, and the one thing to change; `None` while it dropped nothing.
    pub fn explain_loss(&self) -> Option<String> {
        let size = self.tally.bytes.get().checked_div(self.tally.packets.get()).unwrap_or(0);
        self.last_loss()?.explain(self.tally.kernel_dropped.get(), true_size(size), &self.info)
    }

    /// Keeps a loss that the tally already counts; logs the first, second, fourth, eighth …
    pub(super) fn lost(&self, loss: Loss) {
        *self.loss.lock() = Some(loss);
        if (self.losses.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two()
            && let Some(text) = self.explain_loss()
        {
            tracing::warn!(thread = self.name, "{text}");
        }
    }

    /// Counts a failed call and logs the first, second, fourth, eighth …: a lasting fault is no flood.
    pub(super) fn fault(&self, doing: &str, error: &io::Error) {
        let count = self.faults.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(thread = self.name, count, "{doing} failed: {error}");
        }
    }

    fn fail(&self, why: &str) {
        self.state.store(State::Failed as u8, Ordering::Release);
        let listener = &self.info.address;
        tracing::error!(thread = self.name, "{listener} receives nothing any more: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ListenAddress, Listener};

    fn info() -> Info {
        let listener = Listener::at(ListenAddress::Udp(([127, 0, 0, 1], 8125).into()));
        Info::new(listener.address, None)
    }

    fn job(run: impl FnOnce(&Arc<Worker>) -> io::Result<()> + Send + 'static) -> Job {
        Job { tally: Arc::default(), run: Box::new(run) }
    }

    #[test]
    fn a_panic_or_a_fault_of_one_thread_shows_and_leaves_its_neighbours_alone() {
        let jobs = vec![
            job(|_| Ok(())),
            job(|_| panic!("as the test asks")),
            job(|_| Err(io::ErrorKind::OutOfMemory.into())),
        ];
        let running = Running::start(info(), jobs, None);
        let watch = running.watch();
        running.join();
        let states: Vec<State> = watch.workers().map(Worker::state).collect();
        assert_eq!(states, [State::Ended, State::Failed, State::Failed]);
        let names: Vec<&str> = watch.workers().map(Worker::name).collect();
        assert_eq!(names, ["statsd-udp-8125-0", "statsd-udp-8125-1", "statsd-udp-8125-2"]);
        assert!(!watch.healthy());
    }

    #[test]
    fn a_listener_that_ended_when_asked_is_healthy() {
        let running = Running::start(info(), vec![job(|_| Ok(()))], None);
        let watch = running.watch();
        running.join();
        assert!(watch.healthy());
    }
}
