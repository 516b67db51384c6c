//! The file backend behind its trait: lines as `jq` will read them, and writes that were given up.

use super::*;
use crate::backend::tests::{checkout, samples, spans};
use crate::deliver::Part;
use crate::otlp::Signal::Traces;
use std::path::Path;
use std::task::Poll;

fn lines(path: &Path) -> Lines {
    Lines::new(&File { path: path.to_owned(), rotate_bytes: 0, rotate_keep: 0 }, "1.2.3").unwrap()
}

fn payload(lines: &mut Lines, part: Part<'_>) -> Payload {
    let items = part.len() as u64;
    let body = lines.encode(part).unwrap().body.unwrap();
    Payload { signal: Signal::Metrics, body, items }
}

#[tokio::test]
async fn every_part_is_one_line_of_otlp_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let mut lines = lines(&path);
    let (snapshot, notes) = (samples(), checkout());
    let resource = &snapshot.resource;
    let metrics = payload(&mut lines, Part::Metrics { snapshot: &snapshot, series: &snapshot.series[..1] });
    let logs = payload(&mut lines, Part::Notes { notes: &notes, resource });
    let spans = payload(&mut lines, Part::Otlp { signal: Traces, chunks: &spans() });
    for payload in [&metrics, &logs, &spans] {
        assert_eq!(lines.send(payload).await, Outcome::Delivered);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let values: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values.len(), 3);
    assert!(values[0]["resourceMetrics"].is_array() && values[1]["resourceLogs"].is_array());
    insta::assert_snapshot!(text.lines().nth(2).unwrap(), @r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"pay"}]},{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175","name":"pay"}]}]}]}"#);
    insta::assert_snapshot!(text.lines().next().unwrap(), @r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"scope":{"name":"pillion","version":"1.2.3"},"metrics":[{"name":"orders.created","sum":{"dataPoints":[{"attributes":[{"key":"env","value":{"stringValue":"prod"}},{"key":"new","value":{"stringValue":""}},{"key":"url","value":{"stringValue":"http://x"}}],"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000010000000000","asDouble":3.0}],"aggregationTemporality":1,"isMonotonic":true}}]}]}]}"#);
}

#[tokio::test]
async fn a_write_that_was_given_up_is_not_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let mut lines = lines(&path);
    let snapshot = samples();
    let payload = payload(&mut lines, Part::Metrics { snapshot: &snapshot, series: &snapshot.series[..1] });
    let pending = {
        let mut first = std::pin::pin!(lines.send(&payload));
        std::future::poll_fn(|context| Poll::Ready(first.as_mut().poll(context).is_pending())).await
    };
    assert_eq!(lines.send(&payload).await, Outcome::Delivered);
    // A write that ended before it was given up was answered, so the second call is a new one.
    let written = || std::fs::read_to_string(&path).unwrap().lines().count();
    assert_eq!(written(), if pending { 1 } else { 2 });
    assert_eq!(lines.send(&payload).await, Outcome::Delivered);
    assert_eq!(written(), if pending { 2 } else { 3 });
}

#[tokio::test]
async fn a_full_disk_is_a_passing_fault() {
    let mut lines = lines(Path::new("/dev/full"));
    let snapshot = samples();
    let payload = payload(&mut lines, Part::Metrics { snapshot: &snapshot, series: &snapshot.series[..1] });
    for _ in 0..2 {
        let Outcome::Retry { after: None, why } = lines.send(&payload).await else { panic!() };
        assert!(why.contains("No space left on device"), "{why}");
    }
}
