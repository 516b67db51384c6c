//! Traces of every version: decoded one at a time, repaired, written as OTLP, offered together.

use super::headers::{self, Said};
use super::path::Version;
use super::{accepted, busy, text};
use crate::intake::http::{Answer, Request};
use crate::otlp::{Batcher, Budget, Chunk, NoRoom, Protocol, Signal};
use crate::telemetry::{self, Metric};
use crate::traces::datadog::decode::{OutOfRoom, Refused, Room, json, v1, v04, v05, v07};
use crate::traces::datadog::normalize::{self, Counts, Dropped};
use crate::traces::datadog::to_otlp::Builder;
use crate::traces::datadog::{Sender, Trace};
use http::StatusCode;

/// A request's traces on their way.
struct Taking<'s> {
    builder: Builder<'s>,
    language: &'s str,
    now_ns: u64,
    counts: Counts,
    /// Traces that came, also those that were dropped.
    traces: u64,
    /// Spans of dropped traces, in the order of `Dropped::ALL`.
    dropped: [u64; Dropped::ALL.len()],
    /// Spans written.
    spans: u64,
    /// The budget is used up: what comes is only counted.
    full: bool,
}

/// What became of a request's traces.
struct Taken {
    chunks: Vec<Chunk>,
    traces: u64,
}

pub(super) fn take(batcher: &Batcher, version: Version, request: &Request<'_>, now_ns: u64) -> Answer {
    let said = Said::read(&request.head.headers);
    let taken = match decode(version, request, &said, now_ns) {
        Ok(taken) => taken,
        Err(Refused::OutOfRoom(_)) => return busy(&said, Some(version)),
        Err(why @ (Refused::Malformed { .. } | Refused::Json(_))) => {
            return text(StatusCode::BAD_REQUEST, format!("the traces cannot be read: {why}\n"));
        }
    };
    if said.trace_count().is_some_and(|count| count != taken.traces) {
        telemetry::add(Metric::DatadogCountMismatches, &[], 1);
    }
    let (traces, spans) = said.client_dropped();
    for (kind, count) in [("traces", traces), ("spans", spans)] {
        if count > 0 {
            telemetry::add(Metric::DatadogClientDropped, &[kind], count);
        }
    }
    if !taken.chunks.is_empty()
        && let Err(NoRoom) = batcher.offer(Protocol::Datadog, Signal::Traces, taken.chunks)
    {
        return busy(&said, Some(version));
    }
    accepted(&said, version)
}

fn decode(version: Version, request: &Request<'_>, said: &Said<'_>, now_ns: u64) -> Result<Taken, Refused> {
    let (body, budget) = (&request.body, request.budget);
    let mut room = Room::new(budget);
    let mut sender = said.sender();
    match version {
        Version::V03 | Version::V04 => {
            let mut taking = Taking::new(&sender, budget, now_ns);
            let mut each = |trace: &mut Trace<'_>| taking.add(trace);
            let read = match said.media_type().as_str() {
                "application/msgpack" => v04::traces(body, &mut room, &mut each),
                "application/json" | "text/json" => json::traces(body, &mut room, &mut each),
                _ => match json::traces(body, &mut room, &mut each) {
                    Err(Refused::Json(_)) => v04::traces(body, &mut room, &mut each),
                    read => read,
                },
            };
            taking.finish(read)
        }
        Version::V05 => {
            let mut taking = Taking::new(&sender, budget, now_ns);
            let read = v05::traces(body, &mut room, &mut |trace| taking.add(trace));
            taking.finish(read)
        }
        Version::V07 => {
            let mut payload = v07::Payload::read(body, &mut room)?;
            std::mem::swap(&mut sender, &mut payload.sender);
            let said = std::mem::take(&mut payload.sender);
            headers::complete(&mut sender, said);
            let mut taking = Taking::new(&sender, budget, now_ns);
            let read = payload.traces(&mut room, &mut |trace| taking.add(trace));
            taking.finish(read)
        }
        Version::V1 => {
            let body = v1::repaired(body, &mut room)?;
            let mut payload = v1::Payload::read(&body, &mut room)?;
            let mut sender = std::mem::take(&mut payload.sender);
            headers::complete(&mut sender, said.sender());
            let mut taking = Taking::new(&sender, budget, now_ns);
            let read = payload.traces(&mut room, &mut |trace| taking.add(trace));
            taking.finish(read)
        }
    }
}

impl<'s> Taking<'s> {
    fn new(sender: &'s Sender<'s>, budget: &Budget, now_ns: u64) -> Self {
        Taking {
            builder: Builder::new(sender, budget),
            language: &sender.language,
            now_ns,
            counts: Counts::default(),
            traces: 0,
            dropped: [0; Dropped::ALL.len()],
            spans: 0,
            full: false,
        }
    }

    fn add(&mut self, trace: &mut Trace<'_>) -> Result<(), OutOfRoom> {
        self.traces += 1;
        let spans = trace.spans.len() as u64;
        if let Err(reason) = normalize::trace(trace, self.language, self.now_ns, &mut self.counts) {
            self.dropped[reason as usize] += spans;
            return Ok(());
        }
        self.spans += spans;
        self.full = self.full || self.builder.trace(trace).is_err();
        Ok(())
    }

    /// Counts what was read. A request that cannot be taken whole is not taken at all, and then only what
    /// found no room is counted here.
    fn finish(self, read: Result<(), Refused>) -> Result<Taken, Refused> {
        let full = self.full || matches!(read, Err(Refused::OutOfRoom(_)));
        if full {
            telemetry::add(Metric::DatadogSpansDropped, &["budget_full"], self.spans);
            return Err(Refused::OutOfRoom(OutOfRoom));
        }
        read?;
        for (reason, count) in self.counts.iter() {
            telemetry::add(Metric::SpansNormalized, &[reason.name()], count);
        }
        for (reason, count) in Dropped::ALL.iter().zip(self.dropped) {
            if count > 0 {
                telemetry::add(Metric::DatadogSpansDropped, &[reason.name()], count);
            }
        }
        Ok(Taken { chunks: self.builder.finish(), traces: self.traces })
    }
}
