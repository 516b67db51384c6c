//! Where a series stands on a page: its family's name and type, its labels, and the key that sorts it.
//!
//! The key decides everything that follows: series of one family lie together, series that became one
//! lie side by side with the older first. It must depend on nothing that changes while a series lives,
//! but for a counter that turns negative, which `order` moves. Next: `order`.

use super::labels::Labels;
use super::name::{self, Scheme};
use crate::config::HistogramStyle;
use crate::metrics::Class;
use crate::metrics::series::{PageSeries, PageValue};

/// The types of the exposition formats that we use. Ordered: one name's types stand in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Type {
    Counter = b'a',
    Gauge,
    Histogram,
    Summary,
}

impl Type {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
            Type::Summary => "summary",
        }
    }

    /// What is appended to the family's name by samples of this type, as other families must not be called.
    pub(super) fn suffixes(self, openmetrics: bool) -> &'static [&'static str] {
        match (self, openmetrics) {
            (Type::Counter | Type::Gauge, _) => &[],
            (Type::Histogram, false) => &["_bucket", "_count", "_sum"],
            (Type::Histogram, true) => &["_bucket", "_count", "_created", "_sum"],
            (Type::Summary, false) => &["_count", "_sum"],
            (Type::Summary, true) => &["_count", "_created", "_sum"],
        }
    }

    /// The label that samples of this type bring themselves.
    pub(super) fn own_label(self) -> Option<&'static str> {
        match self {
            Type::Counter | Type::Gauge => None,
            Type::Histogram => Some("le"),
            Type::Summary => Some("quantile"),
        }
    }
}

/// Suffix of a counter's name, also without it in OpenMetrics' metadata.
pub(super) const TOTAL: &str = "_total";

/// What a series is called before the scheme: the name without its suffix, the suffix, the type. The unit of a
/// metric of OTLP is a part of its name by now.
pub(super) fn naming<'a>(series: &PageSeries<'a>) -> (&'a str, &'static str, Type) {
    let name = series.key.name();
    match (series.class, series.value) {
        (Class::Counter, PageValue::Counter { monotonic: false, .. }) => {
            (name::without_word(name, "total"), "", Type::Gauge)
        }
        (Class::Counter | Class::OtlpSum, _) => (name::without_word(name, "total"), TOTAL, Type::Counter),
        (Class::Gauge | Class::Set | Class::OtlpUpDownSum | Class::OtlpGauge, _) => (name, "", Type::Gauge),
        (Class::Timer, _) => (name::without_word(name, "seconds"), "_seconds", sketched(series)),
        (Class::Histogram | Class::Distribution, _) => (name, "", sketched(series)),
        (Class::OtlpHistogram | Class::OtlpExponentialHistogram, _) => (name, "", Type::Histogram),
        (Class::OtlpSummary, _) => (name, "", Type::Summary),
    }
}

fn sketched(series: &PageSeries<'_>) -> Type {
    match series.treatment.style {
        HistogramStyle::Histogram => Type::Histogram,
        HistogramStyle::Summary => Type::Summary,
    }
}

/// Behind the name in a key, so that shorter names sort first. Names hold no control characters.
const AFTER_NAME: u8 = 0;
const BEFORE_VALUE: u8 = 1;
/// `born`, big-endian.
const BORN_BYTES: usize = size_of::<u64>();

/// The place of one series; reused from series to series.
#[derive(Debug, Default)]
pub(super) struct Place {
    name: String,
    kind: Option<Type>,
    labels: Labels,
    key: Vec<u8>,
}

impl Place {
    pub(super) fn of(&mut self, series: &PageSeries<'_>, scheme: Scheme) {
        let (base, suffix, kind) = naming(series);
        self.name.clear();
        name::push_metric(scheme, base, suffix, &mut self.name);
        self.kind = Some(kind);
        self.labels.read(series.key.pairs(), scheme, kind.own_label());
        self.key.clear();
        self.key.extend_from_slice(self.name.as_bytes());
        self.key.extend_from_slice(&[AFTER_NAME, kind as u8]);
        // Prometheus takes a label without a value for no label: two series that differ in one are the same.
        for (label, value) in self.labels.iter().filter(|(_, value)| !value.is_empty()) {
            self.key.push(AFTER_NAME);
            self.key.extend_from_slice(label.as_bytes());
            self.key.push(BEFORE_VALUE);
            self.key.extend_from_slice(value.as_bytes());
        }
        self.key.extend_from_slice(&[AFTER_NAME, AFTER_NAME]);
        self.key.extend_from_slice(&series.born.to_be_bytes());
    }

    /// The family's name, `_total` and unit included.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `None` before the first series.
    pub(super) fn kind(&self) -> Option<Type> {
        self.kind
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The key without the age: equal for series that became one.
    pub(super) fn identity(&self) -> &[u8] {
        identity(&self.key)
    }
}

fn identity(key: &[u8]) -> &[u8] {
    &key[..key.len().saturating_sub(BORN_BYTES)]
}

/// The key in front of all keys of a family.
pub(super) fn first_key(name: &str, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(name.as_bytes());
    out.push(AFTER_NAME);
}

/// A key behind all keys of a family and before those of any other.
pub(super) fn last_key(name: &str, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(name.as_bytes());
    out.push(AFTER_NAME + 1);
}

/// The key in front of all of one type of a family.
pub(super) fn first_key_of(name: &str, kind: Type, out: &mut Vec<u8>) {
    first_key(name, out);
    out.push(kind as u8);
}

/// A key behind all of one type of a family.
pub(super) fn last_key_of(name: &str, kind: Type, out: &mut Vec<u8>) {
    first_key(name, out);
    out.push(kind as u8 + 1);
}
