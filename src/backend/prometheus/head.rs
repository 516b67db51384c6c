//! What stands above a family's samples, in a shape that all writers share.

use super::family::{TOTAL, Type, naming};
use super::plan::Plan;
use crate::metrics::Class;
use crate::metrics::points::Meta;
use crate::metrics::series::PageSeries;
use std::borrow::Cow;

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
        let said = |text: fn(&Meta) -> &str| series.meta.map(text).filter(|text| !text.is_empty());
        let help = match series.treatment.help.as_deref().or_else(|| said(|meta| &meta.description)) {
            Some(help) => printable(help).into_owned(),
            None => format!("{} {}", word(series), series.key.name()),
        };
        let unit = series.treatment.unit.as_deref().or_else(|| said(|meta| &meta.unit));
        let unit = unit.or((series.class == Class::Timer).then_some("seconds")).map(str::to_owned);
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

/// A text of an app's without control characters: their pictures stand for them, as in keys. Readers of pages end
/// at a zero byte. Line feeds stay, for the writers escape them.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c.is_control() && c != '\n';
    if !text.contains(is_odd) {
        return text.into();
    }
    let picture = |c: char| match c {
        c if !is_odd(c) => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(' '),
        '\x7f' => '\u{2421}',
        _ => '\u{fffd}',
    };
    text.chars().map(picture).collect::<String>().into()
}

fn word(series: &PageSeries<'_>) -> &'static str {
    match (series.class, naming(series).2) {
        (Class::Counter, Type::Gauge) => "StatsD counter that also went down",
        (Class::Counter, _) => "StatsD counter",
        (Class::Gauge, _) => "StatsD gauge",
        (Class::Timer, _) => "StatsD timer",
        (Class::Histogram, _) => "StatsD histogram",
        (Class::Distribution, _) => "StatsD distribution",
        (Class::Set, _) => "StatsD set",
        (
            Class::OtlpSum
            | Class::OtlpUpDownSum
            | Class::OtlpGauge
            | Class::OtlpHistogram
            | Class::OtlpExponentialHistogram
            | Class::OtlpSummary,
            _,
        ) => series.class.symbol(),
    }
}
