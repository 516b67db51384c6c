//! Whole pages: series in, bytes out.

use super::reader::{self, Read};
use super::rows::{Row, Rows, treatment};
use super::*;
use crate::config::HistogramStyle;
use crate::metrics::Class;
use crate::metrics::series::Treatment;
use crate::telemetry::recorder::{Family as OwnMetric, OwnSample};
use std::io::Read as _;

mod conflicts;
mod formats;
mod large;
mod otlp;
mod random;

const OPENMETRICS: Negotiated =
    Negotiated { format: Format::OpenMetrics1, scheme: Scheme::Underscores, gzip: false, timeout: None };
const TEXT: Negotiated =
    Negotiated { format: Format::Text, scheme: Scheme::Underscores, gzip: false, timeout: None };

fn bytes<S: Source>(exposition: &Arc<Exposition<S>>, wanted: Negotiated) -> Vec<u8> {
    bytes_beside(exposition, wanted, Vec::new())
}

/// A page with metrics of pillion's own.
fn bytes_beside<S: Source>(
    exposition: &Arc<Exposition<S>>,
    wanted: Negotiated,
    own: Vec<OwnMetric>,
) -> Vec<u8> {
    let mut page = exposition.page(PageRequest { wanted, own, deadline_ns: None });
    let mut all = Vec::new();
    while let Some(chunk) = page.next_chunk(0) {
        all.extend_from_slice(&chunk.unwrap());
    }
    all
}

fn text(exposition: &Arc<Exposition<Rows>>, wanted: Negotiated) -> String {
    String::from_utf8(bytes(exposition, wanted)).unwrap()
}

fn of(rows: impl IntoIterator<Item = Row>) -> Arc<Exposition<Rows>> {
    Exposition::new(Rows::of(rows), &BTreeMap::new())
}

fn row(key: &str, kind: Class, values: &[f64]) -> Row {
    Row::new(key, kind, values, &Arc::new(treatment()))
}

fn is_openmetrics(wanted: Negotiated) -> bool {
    matches!(wanted.format, Format::OpenMetrics0 | Format::OpenMetrics1)
}

/// Reads the page back, which checks it.
fn families(exposition: &Arc<Exposition<Rows>>, wanted: Negotiated) -> Vec<Read> {
    let page = text(exposition, wanted);
    reader::read(&page, is_openmetrics(wanted)).unwrap_or_else(|why| panic!("{why}\n{page}"))
}

/// Lines without HELP.
fn lines(exposition: &Arc<Exposition<Rows>>, wanted: Negotiated) -> String {
    families(exposition, wanted);
    let page = text(exposition, wanted);
    let lines: Vec<_> = page.lines().filter(|line| !line.starts_with("# HELP")).collect();
    lines.join("\n")
}
