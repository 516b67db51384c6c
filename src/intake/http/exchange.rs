//! One request and its answer: the protocol says by the head what is to be done; the body is read, inflated and
//! handed over; whatever goes wrong before that is worded by the protocol, too.
//!
//! Small bodies are taken where they are read. Large ones go to a thread where they may take their time, so
//! that neighbours and probes are answered meanwhile. Next: `body`.

use super::activity::Activity;
use super::inflate::{self, Encoding, Fault};
use super::protocol::{Answer, Head, Protocol, Read, Refusal, Request, Route};
use super::reply::{self, Reply};
use super::server::Shared;
use super::tally::{Reason, Status};
use super::{body, grpc};
use crate::otlp::{Budget, Hold};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, EXPECT};
use http::{Response, StatusCode, Version};
use hyper::body::{Body, Incoming};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Bodies above this many bytes are taken on another thread: plain ones, and those that grow first.
const LARGE: usize = 256 << 10;
const LARGE_ENCODED: usize = 16 << 10;
/// What is read of a body after its refusal, so that the client hears the answer and keeps its connection.
const DRAIN_BYTES: u64 = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// What goes back, and why when it is a refusal.
struct Outcome {
    answer: Answer,
    refused: Option<(Reason, String)>,
}

/// A body as it came, and all that is needed to take it.
struct Received {
    protocol: Arc<dyn Protocol>,
    budget: Budget,
    head: Head,
    read: Read,
    encoding: Encoding,
    body: Vec<u8>,
    hold: Hold,
}

/// Answers one request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    request: http::Request<Incoming>,
) -> Result<Response<Reply>, Infallible> {
    let (under_way, began) = activity.begin();
    let (parts, mut body) = request.into_parts();
    let http1 = parts.version < Version::HTTP_2;
    let is_grpc = !http1 && grpc::speaks(&parts.headers);
    let waits = parts.headers.contains_key(EXPECT);
    let head = Head { method: parts.method, uri: parts.uri, headers: parts.headers, grpc: is_grpc };
    let outcome = match shared.protocol.route(&head) {
        Route::Answer(answer) => Outcome::of(answer, is_grpc),
        Route::Read(read) => {
            let until = began + shared.limits.request;
            receive(&shared, head, read, &mut body, until).await
        }
    };
    shared.tally.answered(Status::of(&outcome.answer, is_grpc));
    let mut in_time = true;
    if let Some((reason, text)) = outcome.refused {
        in_time = reason != Reason::Timeout;
        shared.tally.refuse(shared.protocol.name(), reason, &text);
    }
    // HTTP/2 ends a request without its connection. A client that waits to be asked sends nothing now.
    if http1 && in_time && !waits && !body.is_end_stream() {
        tokio::spawn(drain(body));
    }
    Ok(reply::respond(outcome.answer, is_grpc, under_way))
}

/// Reads a body and has it taken.
async fn receive(shared: &Shared, head: Head, read: Read, body: &mut Incoming, until: Instant) -> Outcome {
    let protocol = &*shared.protocol;
    let header = if head.grpc { grpc::ENCODING } else { CONTENT_ENCODING };
    let encoding = match Encoding::of(&head.headers, header) {
        Ok(encoding) => encoding,
        Err(name) => return Outcome::refused(protocol, &head, read, &Refusal::Encoding(name)),
    };
    let reading = body::read(body, read.limit, head.grpc, &shared.budget);
    let (bytes, hold) = match tokio::time::timeout_at(until, reading).await {
        Ok(Ok(whole)) => whole,
        Ok(Err(refusal)) => return Outcome::refused(protocol, &head, read, &refusal),
        Err(_) => return Outcome::refused(protocol, &head, read, &Refusal::Timeout),
    };
    shared.tally.read(bytes.len());
    let small = if encoding == Encoding::Identity { LARGE } else { LARGE_ENCODED };
    let large = bytes.len() > small;
    let (protocol, budget) = (shared.protocol.clone(), shared.budget.clone());
    let received = Received { protocol, budget, head, read, encoding, body: bytes, hold };
    if !large {
        return received.take();
    }
    match tokio::task::spawn_blocking(move || received.take()).await {
        Ok(outcome) => outcome,
        Err(error) => {
            let text = format!("the request could not be taken: {error}\n");
            Outcome::of(
                Answer::new(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", text),
                false,
            )
        }
    }
}

impl Received {
    fn take(self) -> Outcome {
        let Received { protocol, budget, head, read, encoding, body, hold } = self;
        let plain = match plain(encoding, body, hold, head.grpc, read.limit, &budget) {
            Ok(plain) => plain,
            Err(refusal) => return Outcome::refused(&*protocol, &head, read, &refusal),
        };
        let (body, hold) = plain;
        let request = Request { head: &head, endpoint: read.endpoint, body, hold, budget: &budget };
        let answer = protocol.take(request);
        Outcome::of(answer, head.grpc)
    }
}

/// Unframes and inflates.
fn plain(
    encoding: Encoding,
    body: Vec<u8>,
    hold: Hold,
    is_grpc: bool,
    limit: usize,
    budget: &Budget,
) -> Result<(Bytes, Hold), Refusal> {
    let mut body = Bytes::from(body);
    let mut encoding = encoding;
    if is_grpc {
        let (compressed, message) =
            grpc::unframe(&body).map_err(|why| Refusal::Unreadable(why.to_owned()))?;
        body = message;
        if !compressed {
            encoding = Encoding::Identity;
        } else if encoding == Encoding::Identity {
            let why = "the message is compressed, but `grpc-encoding` does not say how";
            return Err(Refusal::Unreadable(why.to_owned()));
        }
    }
    if encoding == Encoding::Identity {
        return Ok((body, hold));
    }
    match inflate::inflate(encoding, &body, limit, budget) {
        Ok((bytes, inflated)) => Ok((bytes.into(), inflated)),
        Err(Fault::TooLarge) => Err(Refusal::TooLarge { limit }),
        Err(Fault::NoRoom) => Err(Refusal::NoRoom),
        Err(fault @ Fault::Broken(_)) => Err(Refusal::Unreadable(fault.to_string())),
    }
}

impl Outcome {
    fn refused(protocol: &dyn Protocol, head: &Head, read: Read, refusal: &Refusal) -> Outcome {
        let answer = protocol.refuse(head, Some(read.endpoint), refusal);
        Outcome { answer, refused: Some((Reason::of_refusal(refusal), refusal.to_string())) }
    }

    fn of(answer: Answer, is_grpc: bool) -> Outcome {
        let refused = Reason::of_answer(&answer, is_grpc).map(|reason| {
            let text = match &answer.grpc {
                Some(status) => status.message.clone(),
                None => String::from_utf8_lossy(&answer.body).into_owned(),
            };
            (reason, text)
        });
        Outcome { answer, refused }
    }
}

/// Reads what is left of a refused body, within bounds; dropping it unread would close the connection under
/// the answer.
async fn drain(mut body: Incoming) {
    let reading = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let read = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(rest) = left.checked_sub(read) else { return };
            left = rest;
        }
    };
    // Either way the body goes, and with it the connection when something is left.
    let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
}
