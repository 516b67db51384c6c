//! One page, chunk by chunk: plans a family, lets the scribe write it slice by slice, compresses, and
//! hands out what is full.
//!
//! It takes the registry's lock for one short slice at a time and never holds the page whole. It blocks
//! for CPU only; the server runs it where that is allowed and waits between chunks as long as the
//! client likes, or until the scraper's patience ends.

use super::Exposition;
use super::conflict::{Conflict, Reason};
use super::negotiate::{Format, Negotiated};
use super::own::{self, OwnFamily};
use super::plan::{Plan, Planner};
use super::scribe::Scribe;
use super::shelf::{Scratch, Shelf};
use super::source::{Pin, SLICE_LONGEST, Source};
use crate::telemetry::recorder::Family;
use crate::telemetry::{self, Metric};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::sync::Arc;

/// A chunk is handed out when this much is ready, in bytes.
const CHUNK: usize = 64 << 10;
/// How much one slice should write, in bytes: bounds how long the lock is held for large series.
const SLICE_BYTES: usize = 16 << 10;
/// A slice ends behind the series with which it has so much, for series may be far larger than those before them.
const SLICE_BYTES_LARGEST: usize = 64 << 10;
const SLICE_FIRST: usize = 32;
const SLICE_SHORTEST: usize = 4;
/// Of a page of 10.2 MB (100,000 series), level 1 makes 0.96 MB in 27 ms, 2 makes 0.72 MB in 37 ms, 6
/// makes 0.63 MB in 129 ms: beside an app, time is dearer than bytes.
const GZIP_LEVEL: u32 = 1;

/// What a page is to be.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    pub wanted: Negotiated,
    /// pillion's own metrics.
    pub own: Vec<Family>,
    /// When the scraper stops listening, in Unix nanoseconds.
    pub deadline_ns: Option<u64>,
}

/// The page could not be finished: the connection must be cut, so that what was sent does not look whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    #[error("the page was not finished before the scraper's timeout")]
    TimedOut,
    #[error("the page could not be compressed")]
    Gzip,
}

/// A page while it is written.
#[derive(Debug)]
pub struct Page<S: Source> {
    exposition: Arc<Exposition<S>>,
    request: PageRequest,
    state: State<S>,
    scribe: Scribe,
    sink: Sink,
}

#[derive(Debug)]
enum State<S: Source> {
    Unopened,
    Writing(Box<Writing<S>>),
    Done,
}

/// Where a page stands.
#[derive(Debug)]
struct Writing<S: Source> {
    /// Keeps the series of `ids` readable.
    _pin: Pin<S>,
    ids: Arc<Vec<u32>>,
    at: usize,
    planner: Planner,
    plan: Option<Plan>,
    /// The name of the last family, to notice one that comes again.
    last: Option<String>,
    own: Vec<OwnFamily>,
    own_at: usize,
    /// The sample of that family where the next slice begins.
    own_from: usize,
    /// Series in the next slice.
    slice: usize,
}

#[derive(Debug)]
enum Sink {
    Plain(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl<S: Source> Page<S> {
    pub(super) fn new(exposition: Arc<Exposition<S>>, request: PageRequest) -> Self {
        let scribe = Scribe::new(request.wanted.format, request.wanted.scheme);
        let sink = match request.wanted.gzip {
            true => Sink::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL)))),
            false => Sink::Plain(Vec::new()),
        };
        Page { exposition, request, state: State::Unopened, scribe, sink }
    }

    /// The next chunk, about 64 KiB; `None` behind the last. Nothing follows an error.
    pub fn next_chunk(&mut self, now_ns: u64) -> Option<Result<Bytes, Cut>> {
        if matches!(self.state, State::Done) {
            return None;
        }
        if self.request.deadline_ns.is_some_and(|deadline| now_ns >= deadline) {
            return Some(Err(self.cut(Cut::TimedOut)));
        }
        if matches!(self.state, State::Unopened) {
            self.state = State::Writing(Box::new(self.open()));
        }
        while let State::Writing(writing) = &mut self.state {
            if self.sink.ready() >= CHUNK {
                break;
            }
            if !writing.step(&self.exposition.source, &self.request, &mut self.scribe) {
                self.close();
            }
            if self.sink.write(&mut self.scribe.out).is_err() {
                return Some(Err(self.cut(Cut::Gzip)));
            }
            if matches!(self.state, State::Done) && self.sink.finish().is_err() {
                return Some(Err(self.cut(Cut::Gzip)));
            }
        }
        let chunk = self.sink.take();
        (!chunk.is_empty()).then_some(Ok(chunk))
    }

    fn open(&self) -> Writing<S> {
        let wanted = &self.request.wanted;
        let pin = Pin::new(&self.exposition.source);
        let ids = self.exposition.ordered(wanted.scheme, pin.number());
        let mut own = own::families(&self.request.own);
        let shelf = Shelf { source: &*self.exposition.source, ids: &ids, scheme: wanted.scheme };
        let openmetrics = is_openmetrics(wanted.format);
        // An info family is called `target`, and names must not meet.
        let mut scratch = Scratch::default();
        let free = |name: &str, scratch: &mut Scratch| shelf.family(name, 0, scratch).is_empty();
        let info = openmetrics && free("target", &mut scratch) && free("target_total", &mut scratch);
        let targets = self.exposition.source.targets();
        let resources = std::iter::once(&self.exposition.resource).chain(&targets);
        own.extend(own::target_info(resources, wanted.scheme, info));
        own.sort_by(|a, b| a.name.cmp(&b.name));
        Writing {
            _pin: pin,
            ids,
            at: 0,
            planner: Planner::new(openmetrics),
            plan: None,
            last: None,
            own,
            own_at: 0,
            own_from: 0,
            slice: SLICE_FIRST,
        }
    }

    /// The page is whole: what it found is counted and shown.
    fn close(&mut self) {
        self.scribe.end();
        self.state = State::Done;
        let findings = std::mem::take(&mut self.scribe.findings);
        for (reason, lines) in findings.counts() {
            telemetry::add(Metric::PageConflicts, &[reason.as_str()], lines);
        }
        let wanted = &self.request.wanted;
        self.exposition.settle(wanted.format, wanted.scheme, findings.into_conflicts(), &self.scribe.stale);
    }

    fn cut(&mut self, why: Cut) -> Cut {
        self.state = State::Done;
        telemetry::add(Metric::PagesCut, &[], 1);
        why
    }
}

impl<S: Source> Writing<S> {
    /// One plan, or one slice; `false` when there is no more.
    fn step(&mut self, source: &Arc<S>, request: &PageRequest, scribe: &mut Scribe) -> bool {
        let shelf = Shelf { source: &**source, ids: &self.ids, scheme: request.wanted.scheme };
        if self.plan.is_none() && self.at < self.ids.len() {
            match self.planner.plan(&shelf, self.at, &self.own, &mut scribe.findings) {
                Some(plan) => self.take(plan, scribe),
                None => {
                    scribe.stale.push(self.ids[self.at]);
                    self.at += 1;
                }
            }
            return true;
        }
        if let Some(own) =
            self.own.get(self.own_at).filter(|own| self.plan.as_ref().is_none_or(|p| own.name < p.name))
        {
            match scribe.own(own, self.own_from) {
                Some(next) => self.own_from = next,
                None => (self.own_at, self.own_from) = (self.own_at + 1, 0),
            }
            return true;
        }
        let Some(plan) = &self.plan else { return false };
        let until = (self.at + self.slice).min(plan.rows.end);
        if self.at >= until {
            scribe.end_family();
            self.at = plan.end;
            self.plan = None;
            return true;
        }
        let (before, mut shown) = (scribe.written(), 0);
        source.read(&self.ids[self.at..until], &mut |id, series| {
            // The others are for the next slice.
            if shown == 0 || scribe.written() - before < SLICE_BYTES_LARGEST {
                scribe.series(plan, id, series);
                shown += 1;
            }
        });
        let each = (scribe.written() - before) / shown.max(1) + 1;
        self.slice = (SLICE_BYTES / each).clamp(SLICE_SHORTEST, SLICE_LONGEST);
        self.at += shown.max(1);
        for (kept, changed) in scribe.twins.drain(..) {
            scribe.findings.name(Conflict {
                reason: Reason::SameSeries,
                family: plan.name.clone(),
                kept: Some(shelf.describe_id(kept)),
                changed: shelf.describe_id(changed),
            });
        }
        true
    }

    fn take(&mut self, plan: Plan, scribe: &mut Scribe) {
        scribe.begin_family();
        if self.last.as_ref().is_some_and(|last| *last >= plan.name) {
            // Not where it belongs: one block a family is a promise.
            scribe.findings.count(Reason::Moved, plan.rows.len() as u64);
            scribe.stale.extend_from_slice(&self.ids[plan.rows.clone()]);
            self.at = plan.end;
            return;
        }
        self.last = Some(plan.name.clone());
        self.at = plan.rows.start;
        self.plan = Some(plan);
    }
}

impl Sink {
    fn ready(&self) -> usize {
        match self {
            Sink::Plain(out) => out.len(),
            Sink::Gzip(encoder) => encoder.get_ref().len(),
        }
    }

    fn write(&mut self, from: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Sink::Plain(out) if out.is_empty() => std::mem::swap(out, from),
            Sink::Plain(out) => out.extend_from_slice(from),
            Sink::Gzip(encoder) => encoder.write_all(from)?,
        }
        from.clear();
        Ok(())
    }

    fn finish(&mut self) -> std::io::Result<()> {
        match self {
            Sink::Plain(_) => Ok(()),
            Sink::Gzip(encoder) => encoder.try_finish(),
        }
    }

    fn take(&mut self) -> Bytes {
        match self {
            Sink::Plain(out) => std::mem::take(out).into(),
            Sink::Gzip(encoder) => std::mem::take(encoder.get_mut()).into(),
        }
    }
}

fn is_openmetrics(format: Format) -> bool {
    match format {
        Format::OpenMetrics0 | Format::OpenMetrics1 => true,
        Format::Text | Format::Text1 | Format::Protobuf => false,
    }
}
