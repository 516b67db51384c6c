//! What must hold for any body of a Datadog tracer: no panic, no more than the budget, all of it given back,
//! and what was decoded is repaired and written as OTLP that can be read again.
//!
//! Run by `fuzz/fuzz_targets/datadog_*.rs` and, over the corpora and their mutations, by
//! `tests/fuzz_corpus.rs`.

use pillion::otlp::Budget;
use pillion::otlp::view::ResourceSpans;
use pillion::traces::datadog::decode::{Each, OutOfRoom, Refused, Room, json, v1, v04, v05, v07};
use pillion::traces::datadog::normalize::{self, Counts, Reason};
use pillion::traces::datadog::to_otlp::Builder;
use pillion::traces::datadog::{Sender, Trace};

const NOW_NS: u64 = 1_800_000_000_000_000_000;

#[derive(Clone, Copy)]
enum Version {
    V04,
    V05,
    V07,
    V1,
}

pub(crate) fn v04(data: &[u8]) {
    run(Version::V04, data);
}

pub(crate) fn v05(data: &[u8]) {
    run(Version::V05, data);
}

pub(crate) fn v07(data: &[u8]) {
    run(Version::V07, data);
}

pub(crate) fn v1(data: &[u8]) {
    run(Version::V1, data);
}

fn run(version: Version, data: &[u8]) {
    let budget = Budget::new(1 << 20);
    // Its reason is made for whoever sent it.
    if let Err(refused) = read(version, data, &budget) {
        assert!(!refused.to_string().is_empty());
    }
    assert_eq!(budget.held(), 0);
}

fn read(version: Version, data: &[u8], budget: &Budget) -> Result<(), Refused> {
    let mut room = Room::new(budget);
    match version {
        Version::V04 if data.first() == Some(&b'[') => {
            checked(&Sender::default(), budget, |each| json::traces(data, &mut room, each))
        }
        Version::V04 => checked(&Sender::default(), budget, |each| v04::traces(data, &mut room, each)),
        Version::V05 => checked(&Sender::default(), budget, |each| v05::traces(data, &mut room, each)),
        Version::V07 => {
            let payload = v07::Payload::read(data, &mut room)?;
            let sender = payload.sender.clone();
            checked(&sender, budget, |each| payload.traces(&mut room, each))
        }
        Version::V1 => {
            let body = v1::repaired(data, &mut room)?;
            let payload = v1::Payload::read(&body, &mut room)?;
            let sender = payload.sender.clone();
            checked(&sender, budget, |each| payload.traces(&mut room, each))
        }
    }
}

/// Repairs and writes all traces, then reads what was written.
fn checked(
    sender: &Sender<'_>,
    budget: &Budget,
    decode: impl FnOnce(&mut Each<'_>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let mut builder = Builder::new(sender, budget);
    let mut spans = 0;
    decode(&mut |trace| {
        if normalize::trace(trace, "go", NOW_NS, &mut Counts::default()).is_ok() {
            assert_repaired(trace);
            spans += trace.spans.len();
            builder.trace(trace).map_err(|_| OutOfRoom)?;
        }
        Ok(())
    })?;
    let chunks = builder.finish();
    let views = chunks.iter().flat_map(|chunk| ResourceSpans::read(&chunk.bytes).scopes());
    assert_eq!(views.map(|scope| scope.spans().count()).sum::<usize>(), spans);
    assert_eq!(chunks.iter().map(|chunk| chunk.items as usize).sum::<usize>(), spans);
    Ok(())
}

/// A second repair finds nothing but equal ids, and the start of a span that lasted longer than the time since
/// 2000: the agent's repair of a start is the end less the duration, whatever that gives.
fn assert_repaired(trace: &Trace<'_>) {
    let (mut again, mut counts) = (trace.clone(), Counts::default());
    assert_eq!(normalize::trace(&mut again, "go", NOW_NS, &mut counts), Ok(()));
    let stays = |reason| matches!(reason, Reason::DuplicateSpanId | Reason::Start);
    assert!(counts.iter().all(|(reason, _)| stays(reason)), "{counts:?}");
    for span in &trace.spans {
        assert!(!span.service.is_empty() && !span.name.is_empty() && !span.resource.is_empty());
        assert!(span.duration >= 0 && span.start.checked_add(span.duration).is_some());
    }
}
