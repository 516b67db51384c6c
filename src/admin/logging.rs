//! Turns the options of `[telemetry]` into running logs. That the endpoint does not lead back to pillion was
//! checked with the configuration.

use crate::config::{self, OtlpProtocol};
use crate::telemetry::export::{Exporter, Protocol, StartError, Target};
use crate::telemetry::logs::{self, LogError, Options};
use tokio::runtime::Handle;

/// Why logging did not begin.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Export(#[from] StartError),
}

/// Begins to log as configured. The exporter, when there is one, is to be shut down last.
pub fn start(config: &config::Config, runtime: &Handle) -> Result<Option<Exporter>, LoggingError> {
    let options = Options { filter: &config.telemetry.log, json: config.telemetry.log_json };
    let exporter = match &config.telemetry.otlp {
        None => None,
        Some(otlp) => {
            let protocol = match otlp.protocol {
                OtlpProtocol::Grpc => Protocol::Grpc,
                // The configuration takes no JSON here.
                OtlpProtocol::Http | OtlpProtocol::HttpJson => Protocol::Http,
            };
            Some(Exporter::start(&Target { endpoint: otlp.endpoint.clone(), protocol }, runtime)?)
        }
    };
    logs::install(options, exporter.as_ref())?;
    Ok(exporter)
}
