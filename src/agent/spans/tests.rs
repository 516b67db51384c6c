//! The outlet over real queues to a file, and over none.

use super::*;
use crate::backend as backends;
use crate::otlp::Chunk;
use std::time::Duration;
use tokio::time::Instant;

fn chunk(spans: u32) -> Chunk {
    Chunk { bytes: Bytes::from_static(b"spans"), spans, identity: 0, hold: None }
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
    let spans = Spans::new(&config, &queues);
    assert_eq!(spans.status().remedy, None);
    spans.batcher.offer(Protocol::Datadog, vec![chunk(5)]).unwrap();
    assert_eq!((spans.status().pending, spans.dropped()), (5, 0));
    spans.batcher.client_stats(Bytes::from_static(b"stats")).unwrap();
    spans.batcher.close();
    let _ = spans.batcher.offer(Protocol::Zipkin, vec![chunk(2)]);
    insta::assert_snapshot!(serde_json::to_string(&spans.status()).unwrap(), @r#"{"received":{"datadog":5,"otlp":0,"zipkin":0},"refused":[{"protocol":"zipkin","reason":"shutdown","count":2}],"pending":0,"pending_bytes":0,"budget_held_bytes":0,"budget_limit_bytes":67108864,"dropped_no_backend":5,"remedy":"spans are dropped: no backend carries traces; configure one of those that do, such as `[backends.NAME]` with `type = \"otlp\"`","client_stats":{"received":1,"refused":0,"not_carried":1}}"#);
}

#[tokio::test(start_paused = true)]
async fn every_backend_that_carries_spans_gets_them_and_gives_the_memory_back() {
    // Port 1 refuses.
    let (config, queues) = agent(
        "[backends.a]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:1\"\nqueue_bytes = 100\n\
         [backends.b]\ntype = \"otlp\"\nendpoint = \"http://127.0.0.1:1\"\nqueue_bytes = 1000\n",
    );
    let spans = Spans::new(&config, &queues);
    let held = || Chunk { hold: spans.budget.take(1_000), ..chunk(3) };
    spans.batcher.offer(Protocol::Otlp, vec![held()]).unwrap();
    spans.batcher.client_stats(Bytes::from_static(b"stats")).unwrap();
    spans.batcher.offer(Protocol::Otlp, (0..4).map(|_| held()).collect()).unwrap();
    assert_eq!(spans.budget.held(), 5_000);
    spans.batcher.close();
    assert_eq!(queues.iter().map(|queue| queue.ledger().offered).collect::<Vec<_>>(), [15, 15]);
    crate::deliver::close_all(&queues, Instant::now() + Duration::from_secs(1)).await;
    assert_eq!(queues.iter().map(|queue| queue.ledger().dropped_total()).collect::<Vec<_>>(), [15, 15]);
    // The tasks' last items go with the tasks.
    tokio::task::yield_now().await;
    assert_eq!(spans.budget.held(), 0);
    let status = spans.status();
    assert_eq!((status.client_stats.received, status.client_stats.not_carried), (1, 1));
    assert_eq!((status.dropped_no_backend, spans.received()), (0, 15));
}
