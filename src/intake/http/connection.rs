//! One connection: hyper speaks HTTP/1.1 or HTTP/2, whichever the client begins with, and the clocks of
//! `activity` bound what a slow or idle client may cost. Next: `exchange`.

use super::activity::Activity;
use super::exchange;
use super::server::Shared;
use crate::serve::{Activity as _, End, Stream, Watched};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Bytes that an HTTP/1 connection buffers; also the longest head of a request.
const BUFFER: usize = 64 << 10;
/// HTTP/2: requests at once on one connection; gRPC clients queue more by themselves.
const STREAMS: u32 = 128;
/// HTTP/2: bytes that may wait unread, of one request and of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;
/// HTTP/2: the longest head of a request, and what may wait to be written.
const HEADERS: u32 = 32 << 10;
const SEND_BUFFER: usize = 64 << 10;
/// How long an ending client may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

fn http() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(BUFFER).header_read_timeout(None);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADERS)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// Serves requests of one client until either side has had enough.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: Stream,
    activity: Arc<Activity>,
    mut stop: watch::Receiver<bool>,
) -> End {
    let io = TokioIo::new(Watched { stream, activity: activity.clone() });
    let (answering, of) = (shared.clone(), activity.clone());
    let service = service_fn(move |request| exchange::answer(answering.clone(), of.clone(), request));
    let builder = http();
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut patience = pin!(tokio::time::sleep_until(activity.patience(&shared.limits).0));
    // Why it was told to end, once it was.
    let mut leaving = None;
    let mut stopping = false;
    loop {
        let served = poll_fn(|context| {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(End::Done);
            }
            loop {
                // Whatever changes the state does so while the connection is polled, or wakes it.
                let (until, end) = activity.patience(&shared.limits);
                // A timer that rings early costs less than one that is set anew by every request.
                if until < patience.deadline() {
                    patience.as_mut().reset(until);
                }
                if patience.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                if until <= Instant::now() {
                    return Poll::Ready(end);
                }
                patience.as_mut().reset(until);
            }
        });
        let ended = tokio::select! {
            end = served => Some(end),
            () = activity.close().notified(), if leaving.is_none() => {
                leaving = Some(End::MadeRoom);
                None
            }
            // An error says that the server is gone, which means the same.
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                None
            }
        };
        match (ended, leaving) {
            (None, _) => connection.as_mut().graceful_shutdown(),
            (Some(End::Done), Some(why)) => return why,
            // Clients of HTTP/2 are told, so that none sends a request that nobody reads.
            (Some(End::IdleTimeout), None) => {
                connection.as_mut().graceful_shutdown();
                // Whether it says goodbye in time makes no difference.
                let _ = tokio::time::timeout(GOODBYE, connection.as_mut()).await;
                return End::IdleTimeout;
            }
            (Some(end), _) => return end,
        }
    }
}
