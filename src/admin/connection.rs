//! One connection of the HTTP server, and what a slow or idle client may cost.
//!
//! A connection is in one of three states, each with its own patience: a request's head is on its way
//! (whole within a few seconds, however it trickles), an answer is on its way (some bytes must leave now
//! and then), or nothing is (idle). hyper's own head timer runs while idle, too, and would close kept
//! connections between two scrapes; so the three clocks are ours. Next: `routes.rs`.

use super::http::{Limits, Shared};
use super::routes;
use crate::serve::{self, Activity as _, End, Stream, Watched};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Header lines of a request.
const MAX_HEADERS: usize = 64;
/// Bytes that a connection buffers in each direction; also the longest head of a request.
const BUFFER: usize = 16 << 10;
/// What a connection is doing, and since when.
#[derive(Debug)]
pub(super) struct Activity {
    doing: Mutex<(Doing, Instant)>,
    close: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// A request's head is expected or on its way, since its first byte or the connection's begin.
    Head,
    Idle,
    /// Since the last byte that left.
    Answering,
}

impl Activity {
    /// The body of the answer is handed over whole (or given up).
    pub(super) fn answered(&self) {
        *self.doing.lock() = (Doing::Idle, Instant::now());
    }

    fn answering(&self) {
        *self.doing.lock() = (Doing::Answering, Instant::now());
    }

    /// When patience ends, and what it is then called.
    fn patience(&self, limits: &Limits) -> (Instant, End) {
        let (doing, since) = *self.doing.lock();
        match doing {
            Doing::Head => (since + limits.head, End::HeadTimeout),
            Doing::Idle => (since + limits.idle, End::IdleTimeout),
            Doing::Answering => (since + limits.stall, End::StalledClient),
        }
    }
}

impl Default for Activity {
    fn default() -> Self {
        Activity { doing: Mutex::new((Doing::Head, Instant::now())), close: Notify::new() }
    }
}

impl serve::Activity for Activity {
    fn idle_since(&self) -> Option<Instant> {
        let (doing, since) = *self.doing.lock();
        (doing == Doing::Idle).then_some(since)
    }

    fn close(&self) -> &Notify {
        &self.close
    }

    fn was_read(&self, _: &[u8]) {
        let mut doing = self.doing.lock();
        if doing.0 == Doing::Idle {
            *doing = (Doing::Head, Instant::now());
        }
    }

    fn was_written(&self) {
        let mut doing = self.doing.lock();
        if doing.0 != Doing::Head {
            doing.1 = Instant::now();
        }
    }
}

/// Serves requests of one client until either side has had enough.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: Stream,
    peer: Option<SocketAddr>,
    activity: Arc<Activity>,
    mut stop: watch::Receiver<bool>,
) -> End {
    let io = TokioIo::new(Watched { stream, activity: activity.clone() });
    let service = service_fn(|request| {
        activity.answering();
        routes::answer(shared.clone(), peer, activity.clone(), request)
    });
    let mut protocol = http1::Builder::new();
    protocol.max_headers(MAX_HEADERS).max_buf_size(BUFFER).header_read_timeout(None);
    let mut connection = pin!(protocol.serve_connection(io, service));
    let mut patience = pin!(tokio::time::sleep_until(activity.patience(&shared.limits).0));
    let mut gave_room = false;
    let mut stopping = false;
    loop {
        let served = poll_fn(|context| {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(End::Done);
            }
            // Whatever changes the state does so while the connection is polled, so this is never late.
            let (until, end) = activity.patience(&shared.limits);
            if patience.deadline() != until {
                patience.as_mut().reset(until);
            }
            patience.as_mut().poll(context).map(|()| end)
        });
        tokio::select! {
            end = served => return if gave_room && end == End::Done { End::MadeRoom } else { end },
            () = activity.close().notified(), if !gave_room => {
                gave_room = true;
                connection.as_mut().graceful_shutdown();
            }
            // An error says that the server is gone, which means the same.
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
