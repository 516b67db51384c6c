//! What is counted on the way of own spans and logs: what came, what was taken, what was lost.

use crate::telemetry::{Metric, add};
use opentelemetry::logs::Severity;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_otlp::{LogExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{self, BatchLogProcessor, LogBatch, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, Span, SpanData, SpanProcessor};
use std::future::Future;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

const TRACES: &str = "traces";
const LOGS: &str = "logs";

/// A batch processor that counts what it is given.
#[derive(Debug)]
pub(super) struct Offered<P>(pub(super) P);

impl SpanProcessor for Offered<BatchSpanProcessor> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        add(Metric::TelemetryOffered, &[TRACES], 1);
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl LogProcessor for Offered<BatchLogProcessor> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        add(Metric::TelemetryOffered, &[LOGS], 1);
        self.0.emit(record, scope);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.0.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// An exporter whose futures are polled inside a tokio runtime, wherever the SDK polls them, until they
/// are told to give up: the SDK's threads may outlive the runtime, and must not touch it then.
#[derive(Debug)]
pub(super) struct Within<E> {
    pub(super) exporter: E,
    pub(super) runtime: Handle,
    /// True, or closed: give up.
    pub(super) give_up: watch::Receiver<bool>,
}

impl<E> Within<E> {
    async fn run(
        &self,
        signal: &'static str,
        items: usize,
        work: impl Future<Output = OTelSdkResult>,
    ) -> OTelSdkResult {
        let mut give_up = self.give_up.clone();
        let mut given_up = std::pin::pin!(give_up.wait_for(|give_up| *give_up));
        let mut work = std::pin::pin!(work);
        let entered = std::future::poll_fn(|context| {
            if given_up.as_mut().poll(context).is_ready() {
                let why = "given up: pillion ends, or its telemetry does".to_owned();
                return Poll::Ready(Err(OTelSdkError::InternalFailure(why)));
            }
            let _inside = self.runtime.enter();
            work.as_mut().poll(context)
        });
        let outcome = entered.await;
        let metric = if outcome.is_ok() { Metric::TelemetrySent } else { Metric::TelemetryLost };
        add(metric, &[signal], items as u64);
        outcome
    }
}

impl trace::SpanExporter for Within<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.run(TRACES, batch.len(), self.exporter.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl logs::LogExporter for Within<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.run(LOGS, batch.iter().count(), self.exporter.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
