//! What stands above a family's samples, in a shape that all writers share.

use super::family::{TOTAL, Type, naming};
use super::plan::Plan;
use crate::metrics::series::PageSeries;
use crate::statsd::Kind;

/// A family's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// With `_total`, as samples have it.
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) help: String,
    pub(super) unit: Option<String>,
    /// See [`Plan::unknown`].
    pub(super) unknown: bool,
    /// OpenMetrics: facts about the target as labels of a 1.
    pub(super) info: bool,
}

impl Head {
    /// The first series of a family with a line speaks for all of it.
    pub(super) fn of(plan: &Plan, series: &PageSeries<'_>) -> Head {
        let help = match &series.treatment.help {
            Some(help) => help.to_string(),
            None => format!("StatsD {} {}", word(series), series.key.name()),
        };
        let unit = match (&series.treatment.unit, series.kind) {
            (Some(unit), _) => Some(unit.to_string()),
            (None, Kind::Timer) => Some("seconds".to_owned()),
            (None, _) => None,
        };
        Head { name: plan.name.clone(), kind: plan.kind, help, unit, unknown: plan.unknown, info: false }
    }

    /// The name without `_total` where that is the family's name in OpenMetrics.
    pub(super) fn bare_name(&self) -> &str {
        match self.kind {
            Type::Counter if !self.unknown => self.name.strip_suffix(TOTAL).unwrap_or(&self.name),
            Type::Counter | Type::Gauge | Type::Histogram | Type::Summary => &self.name,
        }
    }

    /// The unit, where the name ends in it, as readers demand.
    pub(super) fn fitting_unit(&self) -> Option<&str> {
        let unit = self.unit.as_deref().filter(|unit| !unit.is_empty() && !self.info)?;
        let front = self.bare_name().strip_suffix(unit)?.strip_suffix('_')?;
        (!front.is_empty()).then_some(unit)
    }
}

fn word(series: &PageSeries<'_>) -> &'static str {
    match (series.kind, naming(series).2) {
        (Kind::Counter, Type::Gauge) => "counter that also went down",
        (Kind::Counter, _) => "counter",
        (Kind::Gauge, _) => "gauge",
        (Kind::Timer, _) => "timer",
        (Kind::Histogram, _) => "histogram",
        (Kind::Distribution, _) => "distribution",
        (Kind::Set, _) => "set",
    }
}
