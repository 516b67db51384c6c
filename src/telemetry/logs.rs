//! Where log lines go: standard error as text or JSON, and, when an endpoint is set, OTLP.
//!
//! Only what pillion itself says leaves the process by OTLP. Spans and events of the libraries that carry
//! the export (HTTP, gRPC, the OpenTelemetry SDK) never do, or each export would cause the next.
//! Next: `export.rs`.

use super::SPANS;
use super::export::Exporter;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use std::io::IsTerminal as _;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

/// How log lines are written.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// A `tracing` filter: `info`, `pillion=debug,hyper=warn`.
    pub filter: &'a str,
    /// One JSON object a line instead of text.
    pub json: bool,
}

/// Why logging did not begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the log filter `{filter}` cannot be read: {source}")]
    Filter { filter: String, source: tracing_subscriber::filter::ParseError },
    #[error("another logger is installed in this process")]
    AlreadyInstalled,
}

type Layered = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends this process's log lines to standard error, and own spans and logs to `exporter`.
pub fn install(options: Options<'_>, exporter: Option<&Exporter>) -> Result<(), LogError> {
    let colours = std::io::stderr().is_terminal();
    let dispatch = dispatch(options, colours, std::io::stderr, exporter)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| LogError::AlreadyInstalled)
}

/// The same, not installed, and to any writer.
pub fn dispatch<W>(
    options: Options<'_>,
    colours: bool,
    writer: W,
    exporter: Option<&Exporter>,
) -> Result<Dispatch, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_ansi(colours).with_writer(writer);
    let lines: Layered = if options.json {
        lines.json().flatten_event(true).with_filter(filter(options)?).boxed()
    } else {
        lines.with_filter(filter(options)?).boxed()
    };
    let mut layers = vec![lines];
    if let Some(exporter) = exporter {
        let tracer = exporter.spans.tracer("pillion");
        let own_spans = filter_fn(is_own_span).with_max_level_hint(LevelFilter::INFO);
        layers.push(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(own_spans).boxed());
        let own_events = filter(options)?.and(filter_fn(is_own_event));
        layers.push(OpenTelemetryTracingBridge::new(&exporter.logs).with_filter(own_events).boxed());
    }
    Ok(Dispatch::new(tracing_subscriber::registry().with(layers)))
}

fn filter(options: Options<'_>) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(options.filter)
        .map_err(|source| LogError::Filter { filter: options.filter.to_owned(), source })
}

fn is_own_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(SPANS)
}

/// An allow-list: what a library says is never sent, whatever it is called.
fn is_own_event(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    metadata.is_event() && (target == "pillion" || target.starts_with("pillion::"))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use parking_lot::Mutex;
    use std::io::Write;
    use std::sync::Arc;

    /// A writer that keeps what is written.
    #[derive(Clone, Default)]
    pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Kept;

        fn make_writer(&self) -> Kept {
            self.clone()
        }
    }

    /// What `work` logs in this thread, as text.
    pub(crate) fn captured(filter: &str, work: impl FnOnce()) -> String {
        let kept = Kept::default();
        let dispatch = dispatch(Options { filter, json: false }, false, kept.clone(), None).unwrap();
        tracing::dispatcher::with_default(&dispatch, work);
        kept.text()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Kept;
    use super::*;

    #[test]
    fn a_line_is_one_json_object_when_asked() {
        let kept = Kept::default();
        let options = Options { filter: "info", json: true };
        let dispatch = dispatch(options, false, kept.clone(), None).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::warn!(listener = "udp", dropped = 3, "lost some")
        });
        let line: serde_json::Value = serde_json::from_str(&kept.text()).unwrap();
        assert_eq!(line["message"], "lost some");
        assert_eq!(line["dropped"], 3);
        assert_eq!(line["level"], "WARN");
    }

    #[test]
    fn the_filter_decides_what_is_written() {
        let lines = testing::captured("warn,pillion::telemetry=debug", || {
            tracing::debug!("seen");
            tracing::info!(target: "hyper", "unseen");
            tracing::trace!("unseen");
        });
        assert!(lines.contains("seen") && !lines.contains("unseen"), "{lines}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let options = Options { filter: "pillion=loud", json: false };
        let error = dispatch(options, false, Kept::default(), None).unwrap_err();
        insta::assert_snapshot!(error, @r#"the log filter `pillion=loud` cannot be read: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5"#);
    }
}
