//! A scrape, from the request to the last chunk: hand-over, then the page from the registry's slices.
//!
//! The page is made on a thread of its own, as slowly as the client reads; intake and flushes go on
//! beside it.

use super::view::View;
use crate::admin::{Chunk, MetricsResponse};
use crate::backend::prometheus::{Negotiated, PageRequest, Source};
use crate::clock;
use crate::metrics::Aggregator;
use crate::metrics::points::{Points, Target};
use crate::metrics::series::PageSeries;
use crate::telemetry::{self, Metric};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Chunks of about 64 KiB made ahead of the client.
const CHUNKS_AHEAD: usize = 2;

/// A page that takes longer is cut off: while it is read, contexts that go keep their memory.
const LONGEST: Duration = Duration::from_secs(120);

/// The registry as the page reads it.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) aggregator: Aggregator,
    pub(super) points: Option<Arc<Points>>,
}

impl Source for Series {
    fn pin(&self) -> u64 {
        self.aggregator.pin()
    }

    fn unpin(&self, pin: u64) {
        self.aggregator.unpin(pin);
    }

    fn births(&self, from: u32, born: Range<u64>, out: &mut Vec<u32>) -> Option<u32> {
        self.aggregator.births(from, born, out)
    }

    fn targets(&self) -> Vec<Target> {
        self.points.as_ref().map(|points| points.targets()).unwrap_or_default()
    }

    fn read(&self, ids: &[u32], visit: &mut dyn FnMut(u32, Option<PageSeries<'_>>)) {
        self.aggregator.read(ids, visit);
    }
}

/// Answers a scrape; the chunks follow.
pub(super) fn answer(view: &Arc<View>, headers: &HeaderMap) -> MetricsResponse {
    let wanted = Negotiated::from_headers(headers);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(wanted.content_type()) {
        headers.insert(CONTENT_TYPE, value);
    }
    if wanted.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(make(Arc::clone(view), wanted, sender));
    MetricsResponse { headers, chunks }
}

async fn make(view: Arc<View>, wanted: Negotiated, chunks: mpsc::Sender<Chunk>) {
    let timeout = wanted.timeout.unwrap_or(LONGEST).min(LONGEST);
    let deadline_ns = Some(clock::now_ns() + timeout.as_nanos() as u64);
    // Before the hand-over: what is taken behind it may be missing from the page.
    let shown = view.fetchable();
    view.aggregator.sync().await;
    view.collect();
    let request = PageRequest { wanted, own: view.recorder.families(), deadline_ns };
    let page = view.exposition.page(request);
    // Joined by nobody: it ends with the page, or when the client has gone away.
    tokio::task::spawn_blocking(move || write(&view, page, &chunks, shown));
}

fn write(
    view: &View,
    mut page: crate::backend::prometheus::Page<Series>,
    chunks: &mpsc::Sender<Chunk>,
    shown: u64,
) {
    let mut bytes = 0;
    while let Some(chunk) = page.next_chunk(clock::now_ns()) {
        match chunk {
            Ok(chunk) => {
                bytes += chunk.len() as u64;
                if chunks.blocking_send(Chunk::Data(chunk)).is_err() {
                    telemetry::add(Metric::PagesAbandoned, &[], 1);
                    return;
                }
            }
            Err(cut) => {
                tracing::warn!("a page was cut off: {cut}");
                return;
            }
        }
    }
    telemetry::add(Metric::Pages, &[], 1);
    telemetry::add(Metric::PageBytes, &[], bytes);
    if chunks.blocking_send(Chunk::End).is_ok() {
        view.scraped(shown);
    }
}
