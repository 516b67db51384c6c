//! The outlet over real queues to a file, and over none.

use super::*;
use crate::backend as backends;
use crate::otlp::Chunk;
use crate::otlp::Signal::Traces;
use std::time::Duration;
use tokio::time::Instant;

fn chunk(spans: u32) -> Chunk {
    Chunk { signal: Traces, bytes: Bytes::from_static(b"spans"), items: spans, identity: 0, hold: None }
}

/// A configuration with these backends, and their queues.
fn agent(backends: &str) -> (Config, Vec<Queue>) {
    let loaded = config::load_text("test", backends, &Default::default()).unwrap();
    let config = loaded.config;
    let start = |(name, backend): (&String, &config::Backend)| backends::start(name, backend, "1").unwrap();
    let queues = config.backends.iter().map(start).collect();
    (config, queues)
}

#[tokio::test(start_paused = true)]
async fn without_a_backend_spans_are_taken_counted_and_the_remedy_is_told() {
    let (config, queues) = agent("");
    let spans = Signals::new(&config, &queues, None);
    let status = || spans.status().spans;
    assert_eq!(status().signal.remedy, None);
    spans.batcher.offer(Protocol::Datadog, Traces, vec![chunk(5)]).unwrap();
    assert_eq!((status().signal.pending, spans.dropped()), (5, 0));
    spans.batcher.client_stats(Bytes::from_static(b"stats")).unwrap();
    spans.batcher.close();
    let _ = spans.batcher.offer(Protocol::Zipkin, Traces, vec![chunk(2)]);
    insta::assert_snapshot!(serde_json::to_string(&status()).unwrap(), @r#"{"received":{"datadog":5,"otlp":0,"zipkin":0},"refused":[{"protocol":"zipkin","reason":"shutdown","count":2}],"pending":0,"pending_bytes":0,"dropped_no_backend":5,"remedy":"spans are dropped: no backend carries traces; configure one of those that do, such as `[backends.NAME]` with `type = \"otlp\"`","budget_held_bytes":0,"budget_limit_bytes":67108864,"client_stats":{"received":1,"refused":0,"not_carried":1}}"#);
}

#[tokio::test(start_paused = true)]
async fn every_backend_that_carries_spans_gets_them_and_gives_the_memory_back() {
    // Port 1 refuses.
    let (config, queues) = agent(
        "[backends.a]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:1\"\nqueue_bytes = 100\n\
         [backends.b]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:1\"\nqueue_bytes = 1000\n",
    );
    let spans = Signals::new(&config, &queues, None);
    let held = || Chunk { hold: spans.budget.take(1_000), ..chunk(3) };
    spans.batcher.offer(Protocol::Otlp, Traces, vec![held()]).unwrap();
    spans.batcher.client_stats(Bytes::from_static(b"stats")).unwrap();
    spans.batcher.offer(Protocol::Otlp, Traces, (0..4).map(|_| held()).collect()).unwrap();
    assert_eq!(spans.budget.held(), 5_000);
    spans.batcher.close();
    assert_eq!(queues.iter().map(|queue| queue.ledger().offered).collect::<Vec<_>>(), [15, 15]);
    deliver::close_all(&queues, Instant::now() + Duration::from_secs(1)).await;
    assert_eq!(queues.iter().map(|queue| queue.ledger().dropped_total()).collect::<Vec<_>>(), [15, 15]);
    // The tasks' last items go with the tasks.
    tokio::task::yield_now().await;
    assert_eq!(spans.budget.held(), 0);
    let status = spans.status().spans;
    assert_eq!((status.client_stats.received, status.client_stats.not_carried), (1, 1));
    assert_eq!((status.signal.dropped_no_backend, spans.received(Traces)), (0, 15));
}

#[tokio::test(start_paused = true)]
async fn every_signal_has_its_own_way_and_its_own_books() {
    // Zipkin carries spans alone.
    let (config, queues) = agent(
        "[backends.a]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:1\"\n\
         [backends.z]\ntype = \"zipkin\"\nendpoint = \"http://127.0.0.1:1\"\n",
    );
    let spans = Signals::new(&config, &queues, None);
    for (signal, items) in [(Traces, 1), (Signal::Metrics, 2), (Signal::Logs, 4)] {
        spans.batcher.offer(Protocol::Otlp, signal, vec![Chunk { signal, ..chunk(items) }]).unwrap();
    }
    let RequestStatus { spans: traces, points, log_records } = spans.status();
    assert_eq!([traces.signal.pending, points.signal.pending, log_records.pending], [1, 2, 4]);
    spans.batcher.close();
    assert_eq!(queues.iter().map(|queue| queue.ledger().offered).collect::<Vec<_>>(), [7, 1]);
    let status = spans.status();
    assert_eq!(status.points.signal.received, [("otlp", 2)].into());
    assert_eq!(status.log_records.received, [("otlp", 4)].into());
    assert_eq!(spans.dropped(), 0);

    let (config, queues) = agent("[backends.z]\ntype = \"zipkin\"\nendpoint = \"http://127.0.0.1:1\"\n");
    let spans = Signals::new(&config, &queues, None);
    for signal in [Signal::Metrics, Signal::Logs] {
        spans.batcher.offer(Protocol::Otlp, signal, vec![Chunk { signal, ..chunk(3) }]).unwrap();
    }
    spans.batcher.close();
    let status = spans.status();
    assert_eq!((status.points.signal.dropped_no_backend, status.log_records.dropped_no_backend), (3, 3));
    assert!(status.points.signal.remedy.unwrap().contains("no backend carries metrics"));
    assert!(status.log_records.remedy.unwrap().contains("no backend carries logs"));
    assert_eq!(queues[0].ledger().offered, 0);
}

/// A `ResourceMetrics` with a sum of one delta up to this time.
fn delta(at: u64) -> Chunk {
    use opentelemetry_proto::tonic::metrics::v1 as proto;
    use prost::Message;
    let point = proto::NumberDataPoint {
        start_time_unix_nano: at - 1,
        time_unix_nano: at,
        value: Some(proto::number_data_point::Value::AsInt(3)),
        ..proto::NumberDataPoint::default()
    };
    let sum = proto::Sum { data_points: vec![point], aggregation_temporality: 1, is_monotonic: true };
    let metric = proto::Metric { data: Some(proto::metric::Data::Sum(sum)), ..proto::Metric::default() };
    let scope = proto::ScopeMetrics { metrics: vec![metric], ..proto::ScopeMetrics::default() };
    let all = proto::ResourceMetrics { scope_metrics: vec![scope], ..proto::ResourceMetrics::default() };
    Chunk { signal: Signal::Metrics, bytes: all.encode_to_vec().into(), ..chunk(1) }
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_under_the_budget_or_dropped_and_counted() {
    // Port 1 refuses.
    let (config, queues) = agent(
        "[backends.a]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:1\"\npoints = \"cumulative\"\n\
         [backends.b]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:1\"\n\
         [traces]\nbatch_age = \"0s\"\n",
    );
    let signals = Signals::new(&config, &queues, None);
    let offer = |chunks| signals.batcher.offer(Protocol::Otlp, Signal::Metrics, chunks).unwrap();
    let books = || {
        let of = |queue: &Queue| (queue.ledger().offered, queue.ledger().dropped(deliver::Reason::NoBudget));
        [of(&queues[0]), of(&queues[1])]
    };
    offer(vec![delta(2)]);
    assert_eq!(books(), [(1, 0), (1, 0)]);
    let held = signals.budget.held();
    assert!(held > delta(2).bytes.len(), "{held}");

    let all = signals.budget.take(signals.budget.limit() - held).unwrap();
    offer(vec![delta(3)]);
    assert_eq!(books(), [(2, 1), (2, 0)]);
    let conversions = signals.status().points.conversions;
    assert_eq!((conversions.len(), &conversions[0].backend[..], conversions[0].converted), (1, "a", 1));
    drop(all);

    deliver::close_all(&queues, Instant::now() + Duration::from_secs(1)).await;
    tokio::task::yield_now().await;
    assert_eq!(signals.budget.held(), 0);
}
