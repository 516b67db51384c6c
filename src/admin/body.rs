//! The bodies of answers: a few bytes at once, or a page in chunks with backpressure.
//!
//! A page that breaks off is never mistaken for a whole one: without its last mark the connection is cut,
//! and the scraper sees an error instead of missing series.

use super::connection::Activity;
use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    Data(Bytes),
    /// The page is whole. A channel that closes without it breaks the answer off.
    End,
}

/// What the maker of the page answers. The channel is bounded and closes for the sender when the client
/// goes away.
#[derive(Debug)]
pub struct MetricsResponse {
    /// At least the content type; the encoding, when there is one.
    pub headers: HeaderMap,
    pub chunks: mpsc::Receiver<Chunk>,
}

/// The page ended without its last mark.
#[derive(Debug, thiserror::Error)]
#[error("the page broke off before its end")]
pub(super) struct BrokenOff;

/// A body on its way to the client. While it lives, its connection counts as answering.
#[derive(Debug)]
pub(super) struct Answer {
    content: Content,
    activity: Arc<Activity>,
}

#[derive(Debug)]
pub(super) enum Content {
    Whole(Bytes),
    /// The permit is the page's share of the pages that may be under way at once.
    Page {
        chunks: mpsc::Receiver<Chunk>,
        _permit: OwnedSemaphorePermit,
    },
    Over,
}

impl Answer {
    pub(super) fn new(content: Content, activity: Arc<Activity>) -> Self {
        Answer { content, activity }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.activity.answered();
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.content {
            Content::Over => Poll::Ready(None),
            Content::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Over;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Content::Page { chunks, .. } => match chunks.poll_recv(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Chunk::Data(bytes))) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Poll::Ready(Some(Chunk::End)) => {
                    self.content = Content::Over;
                    Poll::Ready(None)
                }
                Poll::Ready(None) => {
                    self.content = Content::Over;
                    Poll::Ready(Some(Err(BrokenOff)))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Over => true,
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Page { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Over => SizeHint::with_exact(0),
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Page { .. } => SizeHint::default(),
        }
    }
}
