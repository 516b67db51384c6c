//! The backends: what each wants on the wire, and what its answers mean.
//!
//! A push backend is one file or folder with a descriptor and an implementation of
//! [`crate::deliver::Backend`]; it never queues, retries or sleeps. Here stands the one list of them, and
//! how each is started from its configuration.

mod compress;
mod datadog;
mod file;
mod http;
mod otlp;
pub mod prometheus;
mod zipkin;

use crate::config::{self, BackendKind, Temporality};
use crate::deliver::{self, PolicyError, Queue, Signal, Target};
use std::path::PathBuf;

/// What is to be known of a backend without starting it.
#[derive(Debug)]
pub struct Descriptor {
    /// The `type` in the configuration.
    pub name: &'static str,
    /// What it carries; the rest is counted as unsupported.
    pub signals: &'static [Signal],
}

/// Every push backend.
pub static BACKENDS: &[&Descriptor] =
    &[&otlp::DESCRIPTOR, &file::DESCRIPTOR, &zipkin::DESCRIPTOR, &datadog::DESCRIPTOR];

/// Why a backend could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("endpoint `{endpoint}` cannot be used: {why}")]
    Endpoint { endpoint: String, why: String },
    #[error("header `{name}` cannot be sent: {why}")]
    Header { name: String, why: &'static str },
    #[error(
        "`{endpoint}` needs TLS, which cannot be set up: {why}; install CA certificates (Debian: \
         `ca-certificates`) or point `SSL_CERT_FILE` at some"
    )]
    Tls { endpoint: String, why: String },
    #[error("`{}` cannot be opened for appending: {why}", path.display())]
    File { path: PathBuf, why: std::io::Error },
    #[error(transparent)]
    Delivery(#[from] PolicyError),
}

/// The descriptor of a configured backend.
pub fn descriptor(kind: &BackendKind) -> &'static Descriptor {
    match kind {
        BackendKind::Otlp(_) => &otlp::DESCRIPTOR,
        BackendKind::File(_) => &file::DESCRIPTOR,
        BackendKind::Zipkin(_) => &zipkin::DESCRIPTOR,
        BackendKind::Datadog(_) => &datadog::DESCRIPTOR,
    }
}

/// Whether the backend reads running totals of sketches, which then have to be kept.
pub fn wants_totals(kind: &BackendKind) -> bool {
    match kind {
        BackendKind::Otlp(options) => options.temporality == Temporality::Cumulative,
        BackendKind::File(_) | BackendKind::Zipkin(_) | BackendKind::Datadog(_) => false,
    }
}

/// Starts a backend's task on the current tokio runtime. Nothing is waited for: a peer that does not
/// answer shows in the queue's status, not here.
pub fn start(name: &str, backend: &config::Backend, version: &'static str) -> Result<Queue, StartError> {
    let target =
        |endpoint: String| Target { name: name.to_owned(), kind: descriptor(&backend.kind).name, endpoint };
    let queue = match &backend.kind {
        BackendKind::Otlp(options) => deliver::start(
            target(options.endpoint.clone()),
            otlp::Exporter::new(options, version)?,
            &backend.delivery,
        )?,
        BackendKind::File(options) => deliver::start(
            target(options.path.display().to_string()),
            file::Lines::new(options, version)?,
            &backend.delivery,
        )?,
        BackendKind::Zipkin(options) => deliver::start(
            target(options.endpoint.clone()),
            zipkin::Zipkin::new(options, version)?,
            &backend.delivery,
        )?,
        BackendKind::Datadog(options) => deliver::start(
            target(datadog::endpoint(options)),
            datadog::Datadog::new(options, version)?,
            &backend.delivery,
        )?,
    };
    Ok(queue)
}

#[cfg(test)]
mod tests;
