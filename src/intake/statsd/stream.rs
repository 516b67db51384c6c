//! TCP and Unix streams: one thread a listener, on which every connection is a task that shares the
//! thread's shard.
//!
//! Connections are bounded in number, and each keeps no more than the packet it has not seen whole. At
//! the end the thread takes no new senders, but reads what open connections, and those that the kernel
//! has completed, have sent by then. Next: `framing.rs` for the cutting, then `metrics/shard.rs`.

use super::connection::{Connection, Reader, Stream};
use super::consumer::Consumer;
use super::drain;
use super::framing::{Framer, Framing};
use super::running::Worker;
use crate::config::Listener;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet, LocalSet, yield_now};

/// After a failed accept (most of all: no more descriptors), so that a lasting fault does not take a core.
const FAULT_PAUSE: Duration = Duration::from_millis(100);

/// A listening stream socket that does not block.
pub(super) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What the tasks of a listener share.
pub(super) struct Shared<C> {
    pub(super) consumer: RefCell<C>,
    /// What a connection kept, followed by what it reads: used between two awaits only.
    pub(super) scratch: RefCell<Box<[u8]>>,
    pub(super) framing: Framing,
    pub(super) largest: usize,
    pub(super) clock: fn() -> u64,
    open: Cell<u64>,
    limit: u64,
    worker: Arc<Worker>,
}

/// Runs until the consumer says that it is stopping; an error when it could not begin.
pub(super) fn run<C: Consumer>(
    acceptor: Acceptor,
    framing: Framing,
    options: &Listener,
    consumer: C,
    worker: &Arc<Worker>,
    clock: fn() -> u64,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wake = consumer.wake_fd().try_clone_to_owned()?;
    let shared = Rc::new(Shared {
        consumer: RefCell::new(consumer),
        scratch: RefCell::new(vec![0; Framer::room(framing, options.max_packet)].into_boxed_slice()),
        framing,
        largest: options.max_packet,
        clock,
        open: Cell::new(0),
        limit: options.max_connections as u64,
        worker: Arc::clone(worker),
    });
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, serve(acceptor, wake, Rc::clone(&shared)))?;
    drop(tasks);
    // Every task has ended and given back its share.
    if let Some(shared) = Rc::into_inner(shared) {
        shared.consumer.into_inner().finish(clock());
    }
    Ok(())
}

/// Accepts, and sees connections end, until the consumer is stopping; then lets all of them finish.
async fn serve<C: Consumer>(acceptor: Acceptor, wake: OwnedFd, shared: Rc<Shared<C>>) -> io::Result<()> {
    let acceptor = Listening::new(acceptor)?;
    let wake = drain::watch(wake)?;
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let stopping = heed(&wake, &shared);
    tokio::pin!(stopping);
    loop {
        tokio::select! {
            () = &mut stopping => break,
            Some(ended) = connections.join_next() => close(ended, &shared),
            accepted = acceptor.accept() => match accepted {
                Ok(stream) if shared.admit() => {
                    connections.spawn_local(Connection::new(stream, Rc::clone(&shared)).run(stopped.clone()));
                }
                Ok(refused) => drop(refused),
                Err(error) => {
                    shared.worker.fault("accepting", &error);
                    tokio::time::sleep(FAULT_PAUSE).await;
                }
            },
        }
    }
    let _ = stop.send(true);
    while let Some(ended) = connections.join_next().await {
        close(ended, &shared);
    }
    acceptor.read_backlog(&shared)
}

/// Does hand-overs when woken; returns when the consumer is stopping.
async fn heed<C: Consumer>(wake: &AsyncFd<OwnedFd>, shared: &Shared<C>) {
    loop {
        if shared.consumer.borrow().stopping() {
            return;
        }
        while shared.consumer.borrow_mut().hand_over((shared.clock)()) {
            yield_now().await;
        }
        match wake.readable().await {
            Ok(mut ready) => {
                // Before the flags are looked at again, so that no wake-up falls between.
                shared.consumer.borrow().clear_wake();
                ready.clear_ready();
            }
            Err(error) => {
                shared.worker.fault("waiting", &error);
                tokio::time::sleep(FAULT_PAUSE).await;
            }
        }
    }
}

/// A connection has ended; its panic is the thread's.
fn close<C: Consumer>(ended: Result<(), JoinError>, shared: &Shared<C>) {
    shared.open.set(shared.open.get().saturating_sub(1));
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        resume_unwind(panic);
    }
}

impl<C: Consumer> Shared<C> {
    /// Whether one more connection may live; counts both answers.
    fn admit(&self) -> bool {
        let open = self.open.get();
        let consumer = self.consumer.borrow();
        let tally = consumer.tally();
        if open >= self.limit {
            tally.connections_refused.add(1);
            return false;
        }
        tally.connections.add(1);
        self.open.set(open + 1);
        true
    }
}

/// A listening socket known to the runtime.
enum Listening {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Listening {
    fn new(acceptor: Acceptor) -> io::Result<Self> {
        Ok(match acceptor {
            Acceptor::Tcp(socket) => Listening::Tcp(tokio::net::TcpListener::from_std(socket)?),
            Acceptor::Unix(socket) => Listening::Unix(tokio::net::UnixListener::from_std(socket)?),
        })
    }

    async fn accept(&self) -> io::Result<Stream> {
        Ok(match self {
            Listening::Tcp(socket) => Stream::Tcp(socket.accept().await?.0),
            Listening::Unix(socket) => Stream::Unix(socket.accept().await?.0),
        })
    }

    /// Reads what senders have sent whose connections the kernel has completed, but nobody accepted.
    fn read_backlog<C: Consumer>(self, shared: &Shared<C>) -> io::Result<()> {
        match self {
            Listening::Tcp(socket) => {
                let socket = socket.into_std()?;
                let accepted = || socket.accept().ok().map(|(stream, _)| stream);
                for stream in std::iter::from_fn(accepted).take(shared.limit as usize) {
                    stream.set_nonblocking(true)?;
                    Reader::new(shared).read_out(&stream, shared);
                }
            }
            Listening::Unix(socket) => {
                let socket = socket.into_std()?;
                let accepted = || socket.accept().ok().map(|(stream, _)| stream);
                for stream in std::iter::from_fn(accepted).take(shared.limit as usize) {
                    stream.set_nonblocking(true)?;
                    Reader::new(shared).read_out(&stream, shared);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
