//! What must hold for any body sent to Zipkin's intake. The first byte picks the format, the rest is the body.
//!
//! Run by `fuzz/fuzz_targets/zipkin.rs` and, over the corpus and its mutations, by `tests/fuzz_corpus.rs`.

use pillion::otlp::Budget;
use pillion::traces::zipkin::to_otlp::{Builder, NoBudget};
use pillion::traces::zipkin::{from_otlp, json, protobuf};

/// Panics when something does not hold.
pub(crate) fn run(data: &[u8]) {
    let Some((format, body)) = data.split_first() else { return };
    let budget = Budget::new(1 << 20);
    let mut builder = Builder::new(&budget);
    let mut spans = 0_u64;
    let mut take = |span: pillion::traces::zipkin::Span<'_>| {
        builder.span(&span)?;
        spans += 1;
        Ok::<(), NoBudget>(())
    };
    let read = if format % 2 == 0 {
        json::read(body, &mut take).map_err(|error| error.to_string())
    } else {
        protobuf::read(body, &mut take).map_err(|error| error.to_string())
    };
    if let Err(why) = &read {
        assert!(!why.is_empty());
    }
    if read != Ok(Ok(())) {
        drop(builder);
        assert_eq!(budget.held(), 0);
        return;
    }
    // What was taken is written as JSON that reads back to as many spans.
    let mut out = vec![b'['];
    let written: u64 = builder.finish().iter().map(|chunk| from_otlp::write(&chunk.bytes, &mut out)).sum();
    out.push(b']');
    assert_eq!(written, spans);
    let mut again = 0;
    let read = json::read(&out, |_| {
        again += 1;
        Ok::<(), ()>(())
    });
    assert!(matches!(read, Ok(Ok(()))), "{read:?}: {}", String::from_utf8_lossy(&out));
    assert_eq!(again, spans);
    assert_eq!(budget.held(), 0);
}
