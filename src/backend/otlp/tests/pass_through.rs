//! Random metrics and logs through the whole pipe: what an OTLP backend and the file send on is what came.

use super::*;
use crate::backend::otlp::chunks;
use crate::otlp::{Batch, Budget, Chunk, Signal, json as otlp_json, samples, walk};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use proptest::prelude::*;

const LIMIT: usize = 64 << 20;

/// As the intake makes them of a body in protobuf.
fn taken(signal: Signal, body: Vec<u8>) -> Vec<Chunk> {
    let taken = walk::request(signal, &Bytes::from(body)).unwrap();
    assert_eq!(taken.rejected, None);
    let chunk =
        |walk::Walked { bytes, items, identity, .. }| Chunk { signal, bytes, items, identity, hold: None };
    taken.resources.into_iter().map(chunk).collect()
}

/// What leaves for an OTLP backend, in protobuf; the same that leaves in JSON, read by the intake.
fn left(signal: Signal, chunks: Vec<Chunk>) -> [Vec<u8>; 2] {
    let batch = Batch::new(signal, chunks);
    let protobuf = chunks::request(&batch.chunks, LIMIT).unwrap();
    let json = chunks::json(signal, &batch.chunks, LIMIT).unwrap();
    let read = otlp_json::read_request(signal, &json, &Budget::new(LIMIT)).unwrap().chunks;
    [protobuf, chunks::request(&read, LIMIT).unwrap()]
}

/// Every point or record with all that stands around it, in order.
fn flat(signal: Signal, body: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    match signal {
        Signal::Traces => {}
        Signal::Metrics => {
            for resource in ExportMetricsServiceRequest::decode(body).unwrap().resource_metrics {
                let around = (resource.resource, resource.schema_url);
                for scope in resource.scope_metrics {
                    for metric in scope.metrics.iter().filter(|metric| samples::points(metric) > 0) {
                        all.push(format!("{around:?} {:?} {} {metric:?}", scope.scope, scope.schema_url));
                    }
                }
            }
        }
        Signal::Logs => {
            for resource in ExportLogsServiceRequest::decode(body).unwrap().resource_logs {
                let around = (resource.resource, resource.schema_url);
                for scope in resource.scope_logs {
                    for record in scope.log_records {
                        all.push(format!("{around:?} {:?} {} {record:?}", scope.scope, scope.schema_url));
                    }
                }
            }
        }
    }
    // Chunks of one resource stand together after the way.
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_leaves_unchanged(metrics in samples::metrics(), logs in samples::logs()) {
        for (signal, body) in [(Signal::Metrics, metrics.encode_to_vec()), (Signal::Logs, logs.encode_to_vec())] {
            let came = flat(signal, &body);
            for left in left(signal, taken(signal, body)) {
                prop_assert_eq!(&flat(signal, &left), &came);
            }
        }
    }

    /// A chunk that is too large for a backend goes in pieces, down to single points and records.
    #[test]
    fn halves_of_halves_hold_everything_once(metrics in samples::metrics(), logs in samples::logs()) {
        for (signal, body) in [(Signal::Metrics, metrics.encode_to_vec()), (Signal::Logs, logs.encode_to_vec())] {
            for chunk in taken(signal, body) {
                let (mut rest, mut pieces) = (vec![chunk.clone()], Vec::new());
                while let Some(piece) = rest.pop() {
                    match piece.halves() {
                        Some([first, second]) => rest.extend([second, first]),
                        None => pieces.push(piece),
                    }
                }
                prop_assert_eq!(pieces.len(), chunk.items as usize);
                for piece in &pieces {
                    let framed = chunks::request(std::slice::from_ref(piece), LIMIT).unwrap();
                    let walked = walk::request(signal, &framed.into()).unwrap();
                    prop_assert!(walked.rejected.is_none());
                    prop_assert_eq!(walked.resources[0].items, 1);
                    prop_assert_eq!(walked.resources[0].identity, chunk.identity);
                }
            }
        }
    }
}
