//! What the points of one series add up to, and how one more changes it.
//!
//! A delta is added. Of a cumulative point what is new since the stream's last is added: so several streams of
//! one series (tags that rules drop, processes without an instance) add up, and an app that begins anew goes on
//! from the total, which never falls. A single stream's total is exactly what it says, to the last bit.

use super::exponential::Exponential;
use super::histogram::Histogram;
use super::meta::Meta;
use super::summary::Summary;
use crate::metrics::Class;
use crate::metrics::registry::finite;
use crate::metrics::series::{PageHistogram, PageSummary, PageValue};
use std::sync::Arc;

/// The state of a series of OTLP in the registry.
#[derive(Debug)]
pub(in crate::metrics) struct Total {
    pub(super) meta: Option<Arc<Meta>>,
    /// When the first of its points says that counting began, in Unix nanoseconds; 0 when unknown.
    pub(super) start_ns: u64,
    pub(super) amount: Amount,
}

/// A point's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Amount {
    Number(f64),
    Histogram(Box<Histogram>),
    Exponential(Box<Exponential>),
    Summary(Box<Summary>),
}

/// What of a point is new.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum New<'a> {
    /// All of it: a delta, or the first cumulative point of a run.
    All,
    /// What the stream's last does not hold.
    Since(&'a Amount),
    /// It is only where the next begins.
    Nothing,
}

impl Total {
    pub(in crate::metrics) fn new(class: Class) -> Total {
        Total { meta: None, start_ns: 0, amount: Amount::nothing(class) }
    }

    /// Adds what is new in a point.
    pub(super) fn take(&mut self, now: &Amount, new: New<'_>, class: Class) -> Found {
        match (&mut self.amount, now) {
            (Amount::Number(total), Amount::Number(now)) if class == Class::OtlpGauge => {
                *total = *now;
                Found::default()
            }
            (total, now) => total.take(now, new, class != Class::OtlpUpDownSum),
        }
    }

    pub(in crate::metrics) fn page(&self) -> PageValue<'_> {
        match &self.amount {
            Amount::Number(number) => PageValue::Number(*number),
            Amount::Histogram(all) => PageValue::Histogram(PageHistogram {
                bounds: &all.bounds,
                counts: &all.counts,
                count: all.count,
                sum: all.sum,
            }),
            Amount::Exponential(all) => PageValue::Exponential(all),
            Amount::Summary(all) => {
                let Summary { quantiles, count, sum } = &**all;
                PageValue::Summary(PageSummary { quantiles, count: *count, sum: *sum })
            }
        }
    }

    pub(in crate::metrics) fn meta(&self) -> Option<&Meta> {
        self.meta.as_deref()
    }

    pub(in crate::metrics) fn start_ns(&self) -> u64 {
        self.start_ns
    }
}

/// What a change brought to light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// A cumulative value fell: the app began anew.
    pub(super) reset: bool,
    /// The bounds of a histogram are others than before.
    pub(super) rebinned: bool,
}

impl Amount {
    /// What a series or stream of a class begins with.
    pub(super) fn nothing(class: Class) -> Amount {
        match class {
            Class::OtlpHistogram => Amount::Histogram(Box::default()),
            Class::OtlpExponentialHistogram => Amount::Exponential(Box::default()),
            Class::OtlpSummary => Amount::Summary(Box::default()),
            _ => Amount::Number(0.0),
        }
    }

    /// Whether another can be added and no count moves.
    pub(super) fn adds_up_with(&self, other: &Amount) -> bool {
        match (self, other) {
            (Amount::Histogram(all), Amount::Histogram(other)) => {
                all.counts.is_empty() || all.bounds == other.bounds
            }
            _ => true,
        }
    }

    /// Adds what is new in `now`. `monotonic`: a value below the last is a reset.
    pub(super) fn take(&mut self, now: &Amount, new: New<'_>, monotonic: bool) -> Found {
        let mut found = Found::default();
        if new == New::Nothing {
            return found;
        }
        match (self, now) {
            (Amount::Number(total), Amount::Number(now)) => match new {
                New::Since(Amount::Number(last)) if !monotonic || now >= last => {
                    add_sum(total, Some(*last), *now);
                }
                _ => {
                    found.reset = matches!(new, New::Since(_));
                    add_sum(total, None, *now);
                }
            },
            (Amount::Histogram(total), Amount::Histogram(now)) => {
                let last = if let New::Since(Amount::Histogram(last)) = new { Some(last) } else { None };
                let rest = last.and_then(|last| now.without(last));
                found.reset = last.is_some() && rest.is_none();
                found.rebinned = total.add(rest.as_ref().unwrap_or(now));
                add_sum(&mut total.sum, last.filter(|_| rest.is_some()).map(|last| last.sum), now.sum);
            }
            (Amount::Exponential(total), Amount::Exponential(now)) => {
                let last = if let New::Since(Amount::Exponential(last)) = new { Some(last) } else { None };
                let rest = last.and_then(|last| now.without(last));
                found.reset = last.is_some() && rest.is_none();
                total.add(rest.as_ref().unwrap_or(now));
                add_sum(&mut total.sum, last.filter(|_| rest.is_some()).map(|last| last.sum), now.sum);
            }
            (Amount::Summary(total), Amount::Summary(now)) => {
                total.quantiles.clone_from(&now.quantiles);
                let last = if let New::Since(Amount::Summary(last)) = new { Some(last) } else { None };
                let rest = last.and_then(|last| now.count.checked_sub(last.count));
                found.reset = last.is_some() && rest.is_none();
                total.count = total.count.saturating_add(rest.unwrap_or(now.count));
                add_sum(&mut total.sum, last.filter(|_| rest.is_some()).map(|last| last.sum), now.sum);
            }
            // A series' class says which of them it is.
            _ => {}
        }
        found
    }
}

/// Adds a number, in place of `last` when that is in the total already. What else is in the total is nothing
/// when there is only this stream, and then no digit is lost. Digits that are lost among others' must not make a
/// total fall, which looks like a reset.
fn add_sum(total: &mut f64, last: Option<f64>, now: f64) {
    let others = match last {
        Some(last) if *total == last => 0.0,
        Some(last) => *total - last,
        None => *total,
    };
    let sum = finite(others + now);
    *total = if last.is_some_and(|last| now >= last) { sum.max(*total) } else { sum };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_stream_is_shown_to_the_last_bit() {
        let (mut total, mut last) = (Amount::Number(0.0), None);
        for value in [0.1, 0.3, 0.7, 1e17, 1e17 + 32.0] {
            let now = Amount::Number(value);
            let new = last.as_ref().map_or(New::All, New::Since);
            assert_eq!(total.take(&now, new, true), Found::default());
            assert_eq!(total, now);
            last = Some(now);
        }
    }

    #[test]
    fn a_total_of_several_never_falls_by_lost_digits() {
        let mut total = Amount::Number(0.0);
        for value in [9_007_199_254_741_048.0, 21.0, 34.0] {
            total.take(&Amount::Number(value), New::All, true);
        }
        let (before, same) = (total.clone(), Amount::Number(21.0));
        assert_eq!(total.take(&same, New::Since(&same), true), Found::default());
        assert_eq!(total, before);
    }

    #[test]
    fn a_sum_that_falls_goes_on_from_the_total_and_an_up_down_sum_falls() {
        let (last, now) = (Amount::Number(5.0), Amount::Number(2.0));
        let mut total = Amount::Number(5.0);
        assert!(total.take(&now, New::Since(&last), true).reset);
        assert_eq!(total, Amount::Number(7.0));
        let mut total = Amount::Number(5.0);
        assert!(!total.take(&now, New::Since(&last), false).reset);
        assert_eq!(total, now);
    }
}
