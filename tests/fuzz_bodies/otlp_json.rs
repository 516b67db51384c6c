//! What must hold for any request in OTLP JSON, and for anything encoded that is written as such.
//!
//! Run by `fuzz/fuzz_targets/otlp_json.rs`, `otlp_json_metrics.rs` and `otlp_json_logs.rs` and, over the corpora and
//! their mutations, by `tests/fuzz_corpus.rs`.

use pillion::otlp::json::{Error, Taken, read_request, write_resource};
use pillion::otlp::{Budget, Chunk, Signal};

const LIMIT: usize = 8 << 20;

/// Panics when something does not hold.
pub(crate) fn run(signal: Signal, data: &[u8]) {
    let budget = Budget::new(LIMIT);
    match read_request(signal, data, &budget) {
        Ok(Taken { chunks, rejected }) => {
            assert_read(&chunks, &budget);
            // What is left out has neighbours that are not.
            assert!(rejected.is_none_or(|one| one.items > 0 && !chunks.is_empty()));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(matches!(error, Error::Json { .. }) || data.len() > LIMIT / 4);
        }
    }
    assert_eq!(budget.held(), 0);
    // Little room is refused or enough, never a panic.
    drop(read_request(signal, data, &Budget::new(data.len() / 4)));

    let mut json = Vec::new();
    write_resource(signal, data, &mut json);
    assert!(std::str::from_utf8(&json).is_ok_and(|json| json.starts_with('{') && json.ends_with('}')));
}

/// What was read is under the budget, and is read the same when it is written again.
fn assert_read(chunks: &[Chunk], budget: &Budget) {
    let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    assert!(budget.held() >= bytes && (budget.held() > 0) != chunks.is_empty());
    for chunk in chunks {
        assert!(chunk.items > 0);
        let once = written(chunk);
        let again = match read_request(chunk.signal, &once, &Budget::new(LIMIT)) {
            Ok(Taken { chunks, rejected: None }) => chunks,
            Ok(Taken { rejected: Some(_), .. }) => panic!("what was written is faulty"),
            Err(error) => panic!("what was written is refused: {error}"),
        };
        assert_eq!(again.iter().map(|chunk| chunk.items).collect::<Vec<_>>(), [chunk.items]);
        assert_eq!(written(&again[0]), once);
    }
}

fn written(chunk: &Chunk) -> Vec<u8> {
    let name = match chunk.signal {
        Signal::Traces => "resourceSpans",
        Signal::Metrics => "resourceMetrics",
        Signal::Logs => "resourceLogs",
    };
    let mut json = format!("{{\"{name}\":[").into_bytes();
    write_resource(chunk.signal, &chunk.bytes, &mut json);
    json.extend_from_slice(b"]}");
    json
}
