//! What must hold for any body of an OTLP request: as it is, as a gRPC message, and in each encoding.
//!
//! Run by `fuzz/fuzz_targets/otlp.rs`, `otlp_metrics.rs` and `otlp_logs.rs` and, over the corpora and their
//! mutations, by `tests/fuzz_corpus.rs`.

use bytes::Bytes;
use pillion::intake::http::grpc;
use pillion::intake::http::inflate::{Encoding, inflate};
use pillion::otlp::budget::Budget;
use pillion::otlp::protobuf::Writer;
use pillion::otlp::{Signal, walk};

/// Bytes that may come out of a decoder, and that all may hold together.
const LIMIT: usize = 64 << 10;
const BUDGET: usize = 256 << 10;

/// Panics when something does not hold.
pub(crate) fn run(signal: Signal, data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    assert_walk(signal, &body);
    if let Ok((_, message)) = grpc::unframe(&body) {
        assert_eq!(message.len() + grpc::PREFIX, body.len());
        assert_walk(signal, &message);
        inflated(signal, &message);
    }
    inflated(signal, &body);
}

/// What is walked through is made of slices of the body, each with something in it; where something was left out,
/// walking what is left finds no fault.
fn assert_walk(signal: Signal, body: &Bytes) {
    let Ok(walk::Taken { resources: walked, rejected }) = walk::request(signal, body) else { return };
    let whole = body.as_ptr_range();
    let mut bytes = 0;
    for part in &walked {
        let range = part.bytes.as_ptr_range();
        if rejected.is_none() {
            assert!(whole.start <= range.start && range.end <= whole.end, "a part lies outside of the body");
        }
        assert!(part.items > 0, "a part with nothing in it");
        // The smallest item is a key and a length.
        assert!(part.items as usize * 2 <= part.bytes.len(), "more items than bytes");
        bytes += part.bytes.len();
    }
    assert!(bytes <= body.len(), "parts overlap");
    // The same again: nothing depends on what came before.
    let again = walk::request(signal, body).unwrap_or_default();
    assert_eq!((walked.len(), rejected), (again.resources.len(), again.rejected));
    assert!(walked.iter().zip(&again.resources).all(|(a, b)| (a.items, a.identity) == (b.items, b.identity)));
    if rejected.is_some() {
        let mut left = Writer::new();
        walked.iter().for_each(|part| left.bytes(1, &part.bytes));
        let left = walk::request(signal, &left.into_inner().into()).unwrap_or_default();
        assert_eq!((left.rejected, left.resources.len()), (None, walked.len()));
        assert!(
            walked.iter().zip(&left.resources).all(|(a, b)| (a.items, a.identity) == (b.items, b.identity))
        );
    }
}

/// Nothing is larger than its limit, or stays in the budget.
fn inflated(signal: Signal, body: &[u8]) {
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
        let budget = Budget::new(BUDGET);
        if let Ok((out, hold)) = inflate(encoding, body, LIMIT, &budget) {
            assert!(out.len() <= LIMIT && budget.held() >= out.len());
            drop(hold);
            assert_walk(signal, &Bytes::from(out));
        }
        assert_eq!(budget.held(), 0);
    }
}
