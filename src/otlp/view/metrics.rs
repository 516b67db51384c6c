//! Encoded metrics read in place: borrowed views over the bytes of one `ResourceMetrics`.
//!
//! As lenient as the views beside, for bytes that were checked; nothing here allocates. Points are read at the
//! rate of a whole intake, so each is read in one pass over its fields, and what is repeated in it stays encoded
//! until it is asked for. Exemplars are not shown. Field numbers: `opentelemetry/proto/metrics/v1/metrics.proto`.
//! Next: `metrics/points`.

mod points;

use super::{Resource, Scope, head, messages, number32, text};
use crate::otlp::protobuf::{Fields, Value as Wire};
pub use points::{
    Buckets, ExponentialPoint, HistogramPoint, Number, NumberPoint, Point, Points, SummaryPoint,
};

/// Metrics of one resource.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceMetrics<'a> {
    pub resource: Resource<'a>,
    pub schema_url: &'a str,
    raw: &'a [u8],
}

/// Metrics of one instrumentation scope.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeMetrics<'a> {
    pub scope: Scope<'a>,
    pub schema_url: &'a str,
    raw: &'a [u8],
}

/// One metric with its points.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metric<'a> {
    pub name: &'a str,
    pub description: &'a str,
    /// UCUM, such as `s` or `By`; empty where unknown.
    pub unit: &'a str,
    pub data: Data<'a>,
}

/// The points of a metric, by their kind.
#[derive(Clone, Copy, Debug, Default)]
pub enum Data<'a> {
    /// No points, or of a kind that is not known.
    #[default]
    None,
    Gauge(Points<'a, NumberPoint<'a>>),
    Sum {
        points: Points<'a, NumberPoint<'a>>,
        temporality: Temporality,
        monotonic: bool,
    },
    Histogram {
        points: Points<'a, HistogramPoint<'a>>,
        temporality: Temporality,
    },
    Exponential {
        points: Points<'a, ExponentialPoint<'a>>,
        temporality: Temporality,
    },
    /// Cumulative always.
    Summary(Points<'a, SummaryPoint<'a>>),
}

/// What the points of a sum or histogram cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Temporality {
    /// Not said, or by a number that is not known.
    #[default]
    Unspecified,
    Delta,
    Cumulative,
}

impl<'a> ResourceMetrics<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let (resource, schema_url) = head(raw);
        ResourceMetrics { resource: Resource::read(resource), schema_url, raw }
    }

    pub fn scopes(&self) -> impl Iterator<Item = ScopeMetrics<'a>> + use<'a> {
        messages(self.raw, 2).map(ScopeMetrics::read)
    }
}

impl<'a> ScopeMetrics<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let (scope, schema_url) = head(raw);
        ScopeMetrics { scope: Scope::read(scope), schema_url, raw }
    }

    pub fn metrics(&self) -> impl Iterator<Item = Metric<'a>> + use<'a> {
        messages(self.raw, 2).map(Metric::read)
    }
}

impl<'a> Metric<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let mut view = Metric::default();
        for (number, value) in Fields::new(raw).flatten() {
            match (number, value) {
                (1, value) => view.name = text(value),
                (2, value) => view.description = text(value),
                (3, value) => view.unit = text(value),
                (5, Wire::Bytes(data)) => view.data = Data::Gauge(Points::new(data)),
                (7, Wire::Bytes(data)) => {
                    let (temporality, monotonic) = beside_points(data);
                    view.data = Data::Sum { points: Points::new(data), temporality, monotonic };
                }
                (9, Wire::Bytes(data)) => {
                    let (temporality, _) = beside_points(data);
                    view.data = Data::Histogram { points: Points::new(data), temporality };
                }
                (10, Wire::Bytes(data)) => {
                    let (temporality, _) = beside_points(data);
                    view.data = Data::Exponential { points: Points::new(data), temporality };
                }
                (11, Wire::Bytes(data)) => view.data = Data::Summary(Points::new(data)),
                _ => {}
            }
        }
        view
    }
}

/// Temporality and monotony, which stand before or behind the points.
fn beside_points(data: &[u8]) -> (Temporality, bool) {
    let (mut temporality, mut monotonic) = Default::default();
    for (number, value) in Fields::new(data).flatten() {
        match (number, value) {
            (2, value) => temporality = Temporality::of(number32(value)),
            (3, Wire::Varint(value)) => monotonic = value != 0,
            _ => {}
        }
    }
    (temporality, monotonic)
}

impl Temporality {
    fn of(number: u32) -> Self {
        match number {
            1 => Temporality::Delta,
            2 => Temporality::Cumulative,
            _ => Temporality::Unspecified,
        }
    }
}

#[cfg(test)]
mod tests;
