//! Own spans and logs by OTLP, when an endpoint is configured.
//!
//! Every setting is given here, because the OpenTelemetry crates would otherwise read `OTEL_*` variables,
//! which in a pod belong to the app. The SDK exports from threads of its own that know no tokio runtime,
//! so each export is polled inside pillion's. What cannot be sent is counted, never waited for.

mod counted;
mod transport;

use counted::{Offered, Within};
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{self, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanLimits};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Spans or log records that wait for an export; more are dropped by the SDK, and show as
/// the difference between what was offered and what was sent or lost.
const QUEUE: usize = 2048;
/// Spans or log records in one request.
const BATCH: usize = 512;
/// How long spans and log records gather.
const EVERY: Duration = Duration::from_secs(5);
/// For one request, retries included.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long the threads may take to notice that they are to give up.
const GIVING_UP: Duration = Duration::from_secs(1);

/// Where own spans and logs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `http://host:4317` (gRPC) or `http://host:4318` (HTTP; `/v1/traces` and `/v1/logs` are appended).
    pub endpoint: String,
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    Http,
}

/// Why the export of own spans and logs did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the telemetry endpoint `{endpoint}` cannot be used: {why}")]
    Endpoint { endpoint: String, why: String },
    #[error(
        "no TLS connection to the telemetry endpoint `{endpoint}` is possible: {why}. Install the system's CA \
         roots (Debian: `ca-certificates`) or use an `http://` endpoint"
    )]
    Tls { endpoint: String, why: String },
}

/// The running export. `logs.rs` feeds it; shut it down last, so that the last lines leave, too.
#[derive(Debug)]
pub struct Exporter {
    pub(super) spans: SdkTracerProvider,
    pub(super) logs: SdkLoggerProvider,
    /// Told, or dropped: exports under way give up.
    give_up: watch::Sender<bool>,
}

/// Not everything left the process before the deadline.
#[derive(Debug, thiserror::Error)]
#[error("own spans and logs were not all sent (the deadline was {0:?})")]
pub struct Unsent(Duration);

impl Exporter {
    /// Starts two threads (one a signal) that send from `runtime`. Nothing is connected yet, so an
    /// endpoint that does not answer is no error here.
    pub fn start(target: &Target, runtime: &Handle) -> Result<Exporter, StartError> {
        let (spans, logs) = transport::exporters(target, runtime, TIMEOUT)?;
        let (give_up, given_up) = watch::channel(false);
        let batches = trace::BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(EVERY)
            .build();
        let spans = Within { exporter: spans, runtime: runtime.clone(), give_up: given_up.clone() };
        let limits = SpanLimits {
            max_events_per_span: 32,
            max_attributes_per_span: 64,
            max_links_per_span: 8,
            max_attributes_per_event: 32,
            max_attributes_per_link: 8,
        };
        let spans = SdkTracerProvider::builder()
            .with_span_processor(Offered(
                BatchSpanProcessor::builder(spans).with_batch_config(batches).build(),
            ))
            .with_sampler(Sampler::AlwaysOn)
            .with_span_limits(limits)
            .with_resource(resource())
            .build();
        let batches = logs::BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(EVERY)
            .build();
        let logs = Within { exporter: logs, runtime: runtime.clone(), give_up: given_up.clone() };
        let logs = SdkLoggerProvider::builder()
            .with_log_processor(Offered(BatchLogProcessor::builder(logs).with_batch_config(batches).build()))
            .with_resource(resource())
            .build();
        Ok(Exporter { spans, logs, give_up })
    }

    /// Sends what is left, then ends both threads. At the deadline what is under way is given up.
    pub async fn shutdown(self, deadline: Duration) -> Result<(), Unsent> {
        let Exporter { spans, logs, give_up } = self;
        // Each call blocks its thread until the last export is over, so they get longer than we wait.
        let longer = deadline + GIVING_UP;
        let spans = tokio::task::spawn_blocking(move || spans.shutdown_with_timeout(longer).is_ok());
        let logs = tokio::task::spawn_blocking(move || logs.shutdown_with_timeout(longer).is_ok());
        let mut both = std::pin::pin!(async { matches!((spans.await, logs.await), (Ok(true), Ok(true))) });
        match tokio::time::timeout(deadline, both.as_mut()).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(_) => {
                // The threads end at once now; the runtime must not end before them.
                give_up.send_replace(true);
                both.await;
            }
        }
        Err(Unsent(deadline))
    }
}

fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder_empty().with_service_name("pillion").with_attribute(version).build()
}

#[cfg(test)]
mod tests;
