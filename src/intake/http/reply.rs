//! Answers on their way out: whole bodies, and for gRPC the status behind (or, when refused, instead of) one.

use super::activity::UnderWay;
use super::grpc;
use super::protocol::{Answer, Grpc};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response};
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body; while it lives, its request is under way.
#[derive(Debug)]
pub(super) struct Reply {
    content: Option<Bytes>,
    trailers: Option<Box<http::HeaderMap>>,
    _under_way: UnderWay,
}

/// Words an answer as HTTP or as gRPC.
pub(super) fn respond(answer: Answer, is_grpc: bool, under_way: UnderWay) -> Response<Reply> {
    let Answer { status, mut headers, body, grpc, retry_after } = answer;
    if !is_grpc {
        if let Some(after) = retry_after {
            // A second is the smallest wait that the header knows.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        let content = Some(body).filter(|body| !body.is_empty());
        let mut response = Response::new(Reply { content, trailers: None, _under_way: under_way });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        return response;
    }
    let said = grpc.unwrap_or_else(|| Grpc {
        code: grpc::code_of(status),
        message: String::from_utf8_lossy(&body).into_owned(),
    });
    let map = grpc::status(&said, retry_after);
    let (mut headers, content, trailers) = if said.code == 0 {
        (http::HeaderMap::with_capacity(1), Some(grpc::frame(&body)), Some(Box::new(map)))
    } else {
        (map, None, None)
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut response = Response::new(Reply { content, trailers, _under_way: under_way });
    *response.headers_mut() = headers;
    response
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.content.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(|map| Frame::trailers(*map)));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
