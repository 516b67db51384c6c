//! One connection of the HTTP server, and what a slow or idle client may cost.
//!
//! A connection is in one of three states, each with its own patience: a request's head is on its way
//! (whole within a few seconds, however it trickles), an answer is on its way (some bytes must leave now
//! and then), or nothing is (idle). hyper's own head timer runs while idle, too, and would close kept
//! connections between two scrapes; so the three clocks are ours. Next: `routes.rs`.

use super::http::{Limits, Shared};
use super::routes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Header lines of a request.
const MAX_HEADERS: usize = 64;
/// Bytes that a connection buffers in each direction; also the longest head of a request.
const BUFFER: usize = 16 << 10;
/// How long a refused client may take to send what it has to say before it is cut off.
const REFUSAL: std::time::Duration = std::time::Duration::from_secs(1);

/// What a connection is doing, and since when.
#[derive(Debug)]
pub(super) struct Activity {
    doing: Mutex<(Doing, Instant)>,
    /// Told when the connection should end after the answer under way.
    pub(super) close: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// A request's head is expected or on its way, since its first byte or the connection's begin.
    Head,
    Idle,
    /// Since the last byte that left.
    Answering,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By the client, or after its last answer.
    Done,
    HeadTimeout,
    IdleTimeout,
    StalledClient,
    /// Closed while idle to make room for another.
    MadeRoom,
    /// Never served: too many connections, none of them idle.
    Refused,
}

impl End {
    /// The value of the label `reason`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            End::Done => "done",
            End::HeadTimeout => "head_timeout",
            End::IdleTimeout => "idle_timeout",
            End::StalledClient => "stalled_client",
            End::MadeRoom => "made_room",
            End::Refused => "refused",
        }
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        Activity { doing: Mutex::new((Doing::Head, Instant::now())), close: Notify::new() }
    }

    /// Since when nothing is under way; `None` while something is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let (doing, since) = *self.doing.lock();
        (doing == Doing::Idle).then_some(since)
    }

    /// The body of the answer is handed over whole (or given up).
    pub(super) fn answered(&self) {
        *self.doing.lock() = (Doing::Idle, Instant::now());
    }

    fn answering(&self) {
        *self.doing.lock() = (Doing::Answering, Instant::now());
    }

    fn was_read(&self) {
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

/// Serves requests of one client until either side has had enough.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
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
            () = activity.close.notified(), if !gave_room => {
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

/// Tells a client that there are too many, and closes. What it sends is read first, for a while: closing
/// over unread bytes would take the answer away with a reset.
pub(super) async fn refuse(mut stream: TcpStream) -> End {
    let why = "too many connections are open, none of them idle; `http.max_connections` is the limit\n";
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{why}",
        why.len()
    );
    let talk = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    // Nothing depends on whether the refused client hears it.
    let _ = tokio::time::timeout(REFUSAL, talk).await;
    End::Refused
}

/// A stream that tells the connection's state what moved.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.was_read();
        }
        outcome
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Watched {
    fn note(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(outcome, Poll::Ready(Ok(written)) if written > 0) {
            self.activity.was_written();
        }
        outcome
    }
}
