//! One conformance test over every push backend, and the samples that backends are tested with.

use super::*;
use crate::config::{
    Compression, Datadog, Delivery, File, HistogramStyle, Otlp, OtlpProtocol, PointTemporality, Secret,
    Zipkin,
};
use crate::deliver::Item;
use crate::metrics::series::{BucketCounts, Distribution, Series, Snapshot, Treatment, Value};
use crate::metrics::sketch::Sketch;
use crate::otlp::chunk::tests::chunk;
use crate::otlp::json::read_request;
use crate::otlp::{Batch, Budget, Chunk, Signal as OtlpSignal};
use crate::statsd::{Alert, Check, Event, Kind, Note, Status};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SECOND_NS: u64 = 1_000_000_000;

/// Ten seconds of everything a snapshot can hold.
pub(super) fn samples() -> Snapshot {
    let sketch = sketched([(2.5, 2.0), (3.0, 1.0), (100.0, 4.0)]);
    let mut total = sketch.clone();
    total.insert(-1.0, 1.0);
    total.insert(0.0, 1.0);
    let distribution = |buckets| {
        let (delta, total) = (sketch.clone(), Some(total.clone()));
        Value::Distribution(Box::new(Distribution { delta, total, buckets }))
    };
    let counts = BucketCounts { delta: vec![3, 0, 4], total: vec![5, 0, 4] };
    let counter = |delta, total, monotonic| Value::Counter { delta, total, monotonic };
    let mut series = vec![
        sample("orders.created\nenv:prod\nnew\nurl:http://x", Kind::Counter, counter(3.0, 7.0, true)),
        sample("orders.created\nenv:a\nenv:b", Kind::Counter, counter(0.5, 0.5, true)),
        sample("pool.size", Kind::Gauge, Value::Gauge(-2.0)),
        sample("users", Kind::Set, Value::Set(12)),
        sample("db.query", Kind::Timer, distribution(None)),
        sample("db.wait", Kind::Timer, distribution(Some(counts))),
        sample("body.size", Kind::Distribution, distribution(None)),
        sample("queue.moved", Kind::Counter, counter(-1.0, 4.0, false)),
        sample("orders.created", Kind::Counter, counter(9.0, 9.0, true)),
    ];
    if let Some(late) = series.last_mut() {
        late.time_ns = Some(1_699_999_990 * SECOND_NS);
    }
    Snapshot {
        start_ns: 1_700_000_000 * SECOND_NS,
        end_ns: 1_700_000_010 * SECOND_NS,
        series,
        resource: vec![("service.name".to_owned(), "shop".to_owned())].into(),
    }
}

fn sample(key: &str, kind: Kind, value: Value) -> Series {
    let treatment = Treatment {
        ttl: None,
        timer_buckets: Arc::new([0.01, 0.05]),
        histogram_buckets: Arc::new([10.0, 50.0]),
        explicit_buckets: false,
        percentiles: Arc::default(),
        style: HistogramStyle::Histogram,
        help: (kind == Kind::Gauge).then(|| "Connections.".into()),
        unit: (kind == Kind::Distribution).then(|| "By".into()),
    };
    Series {
        key: key.into(),
        kind,
        treatment: Arc::new(treatment),
        start_ns: 1_699_999_000 * SECOND_NS,
        time_ns: None,
        value,
    }
}

pub(super) fn sketched(values: impl IntoIterator<Item = (f64, f64)>) -> Sketch {
    let mut sketch = Sketch::new();
    values.into_iter().for_each(|(value, weight)| sketch.insert(value, weight));
    sketch
}

/// An event with everything, and a check with little.
pub(super) fn checkout() -> Vec<Note> {
    let event = Event {
        title: "Deploy".into(),
        text: "v2\nis out".into(),
        time_s: 1_700_000_001,
        host: Some("web-1".into()),
        aggregation_key: Some("deploys".into()),
        source_type: Some("ci".into()),
        low_priority: true,
        alert: Alert::Warning,
        tags: vec!["env:prod".into(), "title:mine".into(), "urgent".into()],
    };
    let check = Check {
        name: "db.up".into(),
        status: Status::Critical,
        time_s: 1_700_000_002,
        host: None,
        message: None,
        tags: vec![],
    };
    vec![Note::Event(event), Note::Check(check)]
}

/// Two spans of one service, in two chunks.
pub(super) fn spans() -> Vec<Chunk> {
    let of = |id: &str| {
        format!(
            r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},
            "scopeSpans":[{{"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"{id}","name":"pay"}}]}}]}}"#
        )
    };
    let request = format!(r#"{{"resourceSpans":[{},{}]}}"#, of("eee19b7ec3c1b174"), of("eee19b7ec3c1b175"));
    read_request(OtlpSignal::Traces, request.as_bytes(), &Budget::new(1 << 20)).unwrap().chunks
}

pub(super) fn otlp(endpoint: &str, protocol: OtlpProtocol) -> Otlp {
    Otlp {
        endpoint: endpoint.to_owned(),
        protocol,
        temporality: Temporality::Delta,
        points: PointTemporality::Unchanged,
        compression: Compression::Gzip,
        headers: [("api-key".to_owned(), Secret("hunter2".into()))].into(),
    }
}

/// Port 1 refuses.
fn dead_end() -> String {
    "http://127.0.0.1:1".to_owned()
}

pub(super) fn datadog(endpoint: &str) -> Datadog {
    Datadog {
        endpoint: Some(endpoint.to_owned()),
        api_key: Secret("hunter2".into()),
        hostname: Some("web-9".into()),
        ..Datadog::default()
    }
}

/// Configurations of one backend that can start anywhere, with the outcome for its data: whether it
/// can be delivered here.
fn configured(descriptor: &Descriptor, folder: &std::path::Path) -> Vec<(BackendKind, bool)> {
    let dead = |protocol| (BackendKind::Otlp(otlp(&dead_end(), protocol)), false);
    match descriptor.name {
        "otlp" => vec![dead(OtlpProtocol::Grpc), dead(OtlpProtocol::Http), dead(OtlpProtocol::HttpJson)],
        "file" => vec![(
            BackendKind::File(File { path: folder.join("out.jsonl"), rotate_bytes: 0, rotate_keep: 0 }),
            true,
        )],
        "zipkin" => vec![(BackendKind::Zipkin(Zipkin { endpoint: dead_end(), ..Zipkin::default() }), false)],
        "datadog" => vec![(BackendKind::Datadog(datadog(&dead_end())), false)],
        name => panic!("no sample configuration of `{name}`"),
    }
}

#[tokio::test]
async fn every_backend_conforms() {
    let names: BTreeSet<_> = BACKENDS.iter().map(|backend| backend.name).collect();
    assert_eq!(names.len(), BACKENDS.len(), "names are unique");
    for backend in BACKENDS {
        assert!(!backend.signals.is_empty(), "{}", backend.name);
        let folder = tempfile::tempdir().unwrap();
        for (kind, delivers) in configured(backend, folder.path()) {
            assert!(std::ptr::eq(descriptor(&kind), *backend));
            conforms(backend, config::Backend { delivery: Delivery::default(), kind }, delivers).await;
        }
    }
}

async fn conforms(descriptor: &Descriptor, backend: config::Backend, delivers: bool) {
    let queue = start("mine", &backend, "1.2.3").unwrap();
    let empty = Snapshot { series: Vec::new(), ..samples() };
    queue.offer(Item::Metrics(Arc::new(empty)));
    let snapshot = Arc::new(samples());
    let metrics = snapshot.series.len() as u64;
    queue.offer(Item::Metrics(Arc::clone(&snapshot)));
    let notes: Arc<[Note]> = checkout().into();
    let logs = notes.len() as u64;
    queue.offer(Item::Notes { notes, resource: Arc::clone(&snapshot.resource) });
    // Each counted by its own unit: three spans in two chunks, one payload of statistics.
    let (spans, stats) = (3, 1);
    queue.offer(Item::Otlp(Batch::new(OtlpSignal::Traces, vec![chunk(&[1]), chunk(&[1, 1])])));
    let (points, records) = (1, 2);
    for (signal, scopes) in [(OtlpSignal::Metrics, &[1][..]), (OtlpSignal::Logs, &[1, 1])] {
        queue.offer(Item::Otlp(Batch::new(signal, vec![Chunk { signal, ..chunk(scopes) }])));
    }
    queue.offer(Item::ClientStats(Bytes::from_static(b"\x80")));

    let wait = if delivers { 60_000 } else { 50 };
    let lost = queue.close(Instant::now() + Duration::from_millis(wait)).await;
    let (ledger, status) = (queue.ledger(), queue.status());
    assert!(ledger.balanced() && ledger.waiting == 0 && ledger.in_flight == 0, "{ledger:?}");
    let (metrics, logs) = (metrics + points, logs + records);
    let all = metrics + logs + spans + stats;
    assert_eq!(ledger.offered, all);
    let units =
        [(Signal::Metrics, metrics), (Signal::Logs, logs), (Signal::Traces, spans), (Signal::Stats, stats)];
    let carried = units.iter().filter(|(signal, _)| descriptor.signals.contains(signal));
    let carried = carried.map(|(_, n)| n).sum::<u64>();
    if delivers {
        assert_eq!((ledger.sent, lost), (carried, all - carried), "{status:?}");
    } else {
        assert_eq!((ledger.sent, lost), (0, all), "{status:?}");
    }
    assert_eq!((status.name.as_str(), status.kind), ("mine", descriptor.name));
    let shown = format!("{queue:?} {}", serde_json::to_string(&status).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn errors_say_what_to_do() {
    let file = |path: &str| {
        let options = File { path: path.into(), rotate_bytes: 0, rotate_keep: 0 };
        file::Lines::new(&options, "1").map(|_| ()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(file("/nowhere/out.jsonl"), @"`/nowhere/out.jsonl` cannot be opened for appending: No such file or directory (os error 2)");
    let wrong = |endpoint: &str| {
        let options = otlp(endpoint, OtlpProtocol::Http);
        otlp::Exporter::new(&options, "1").map(|_| ()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(wrong("localhost:4317"), @"endpoint `localhost:4317` cannot be used: it must begin with `http://` or `https://`");
    insta::assert_snapshot!(wrong("ftp://localhost"), @"endpoint `ftp://localhost` cannot be used: it must begin with `http://` or `https://`");
    insta::assert_snapshot!(wrong("http://me:hunter2@localhost"), @"endpoint `…@…` cannot be used: credentials belong into `headers`");
    insta::assert_snapshot!(wrong("http://localhost/?a=b"), @"endpoint `http://localhost/?a=b` cannot be used: it must have no query");
    let mut options = otlp("http://localhost", OtlpProtocol::Http);
    options.headers.insert("two words".into(), Secret("x".into()));
    insta::assert_snapshot!(otlp::Exporter::new(&options, "1").unwrap_err(), @"header `two words` cannot be sent: the name is not one of HTTP");
}
