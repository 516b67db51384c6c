//! A registry for tests: a vector of series behind a mutex, with the reuse and the pins of a real one.

use super::source::{Source, Target};
use crate::config::{self, HistogramStyle};
use crate::metrics::Class;
use crate::metrics::points::{Exponential, Meta, Side};
use crate::metrics::series::{
    Key, PageDistribution, PageHistogram, PageSeries, PageSummary, PageValue, Treatment,
};
use crate::metrics::sketch::Sketch;
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;

/// One series, owned.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) class: Class,
    pub(super) meta: Option<Meta>,
    pub(super) treatment: Arc<Treatment>,
    pub(super) value: f64,
    pub(super) monotonic: bool,
    pub(super) total: Sketch,
    pub(super) buckets: Vec<u64>,
    /// Of scale 3.
    pub(super) exponential: Exponential,
    pub(super) quantiles: Vec<(f64, f64)>,
    born: u64,
    dead: bool,
}

#[derive(Debug, Default)]
pub(super) struct Rows(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    rows: Vec<Option<Row>>,
    targets: Vec<Target>,
    free: Vec<u32>,
    born: u64,
    pins: usize,
}

pub(super) fn treatment() -> Treatment {
    let metrics = config::Metrics::default();
    Treatment {
        ttl: None,
        timer_buckets: metrics.timer_buckets.into(),
        histogram_buckets: metrics.histogram_buckets.into(),
        explicit_buckets: false,
        percentiles: metrics.percentiles.into(),
        style: HistogramStyle::Histogram,
        help: None,
        unit: None,
    }
}

impl Row {
    /// Of an OTLP summary, the values are its quantiles 0, 0.25, 0.5 and so on.
    pub(super) fn new(key: &str, class: Class, values: &[f64], treatment: &Arc<Treatment>) -> Row {
        let bounds = treatment.buckets(class.like());
        let mut row = Row {
            key: key.to_owned(),
            class,
            meta: None,
            treatment: treatment.clone(),
            value: values.last().copied().unwrap_or(0.0),
            monotonic: true,
            total: Sketch::new(),
            buckets: vec![0; bounds.len() + 1],
            exponential: exponential(3, values),
            quantiles: values.iter().enumerate().map(|(i, value)| (i as f64 / 4.0, *value)).collect(),
            born: 0,
            dead: false,
        };
        let scale = if class == Class::Timer { 1_000.0 } else { 1.0 };
        for value in values.iter().filter(|value| class.like().is_sketched() && !value.is_nan()) {
            row.total.insert(*value, 1.0);
            let at = bounds.iter().position(|bound| value / scale <= *bound);
            row.buckets[at.unwrap_or(bounds.len())] += 1;
        }
        row
    }

    pub(super) fn counter(key: &str, value: f64) -> Row {
        Row::new(key, Class::Counter, &[value], &Arc::new(treatment()))
    }

    /// With what the metric says of itself.
    pub(super) fn saying(self, description: &str, unit: &str) -> Row {
        Row { meta: Some(Meta { description: description.into(), unit: unit.into() }), ..self }
    }

    fn show(&self) -> PageSeries<'_> {
        let (count, sum) = (self.total.count() as u64, self.total.sum());
        let value = match self.class {
            Class::Counter => PageValue::Counter { total: self.value, monotonic: self.monotonic },
            Class::Gauge => PageValue::Gauge(self.value),
            Class::Set => PageValue::Set(self.value.abs() as u64),
            Class::Timer | Class::Histogram | Class::Distribution => {
                let summary = self.treatment.style == HistogramStyle::Summary;
                PageValue::Distribution(PageDistribution {
                    total: &self.total,
                    bucket_counts: if summary { &[] } else { &self.buckets },
                    window: summary.then_some(&self.total),
                })
            }
            Class::OtlpSum => PageValue::Number(self.value.abs()),
            Class::OtlpUpDownSum | Class::OtlpGauge => PageValue::Number(self.value),
            Class::OtlpHistogram => {
                let bounds = &self.treatment.histogram_buckets;
                PageValue::Histogram(PageHistogram { bounds, counts: &self.buckets, count, sum })
            }
            Class::OtlpExponentialHistogram => PageValue::Exponential(&self.exponential),
            Class::OtlpSummary => PageValue::Summary(PageSummary { quantiles: &self.quantiles, count, sum }),
        };
        PageSeries {
            born: self.born,
            key: Key(&self.key),
            class: self.class,
            meta: self.meta.as_ref(),
            treatment: &self.treatment,
            start_ns: 1_700_000_000_250_000_000,
            value,
        }
    }
}

impl Rows {
    pub(super) fn of(rows: impl IntoIterator<Item = Row>) -> Arc<Rows> {
        let all = Rows::default();
        rows.into_iter().for_each(|row| all.add(row));
        Arc::new(all)
    }

    pub(super) fn add(&self, mut row: Row) {
        let mut inside = self.0.lock();
        row.born = inside.born;
        inside.born += 1;
        match inside.free.pop() {
            Some(id) => inside.rows[id as usize] = Some(row),
            None => inside.rows.push(Some(row)),
        }
    }

    pub(super) fn remove(&self, id: u32) {
        let mut inside = self.0.lock();
        let pinned = inside.pins > 0;
        let slot = &mut inside.rows[id as usize];
        match slot {
            Some(row) if pinned => row.dead = true,
            Some(_) => {
                *slot = None;
                inside.free.push(id);
            }
            None => {}
        }
    }

    pub(super) fn set_counter(&self, id: u32, value: f64, monotonic: bool) {
        if let Some(row) = &mut self.0.lock().rows[id as usize] {
            row.value = value;
            row.monotonic = monotonic;
        }
    }

    pub(super) fn slots(&self) -> u32 {
        self.0.lock().rows.len() as u32
    }

    pub(super) fn is_there(&self, id: u32) -> bool {
        self.0.lock().rows[id as usize].is_some()
    }

    pub(super) fn set_targets(&self, targets: Vec<Target>) {
        self.0.lock().targets = targets;
    }

    pub(super) fn pins(&self) -> usize {
        self.0.lock().pins
    }
}

impl Source for Rows {
    fn pin(&self) -> u64 {
        let mut inside = self.0.lock();
        inside.pins += 1;
        inside.born
    }

    fn unpin(&self, _pin: u64) {
        let mut inside = self.0.lock();
        inside.pins -= 1;
        if inside.pins == 0 {
            for id in 0..inside.rows.len() {
                if inside.rows[id].as_ref().is_some_and(|row| row.dead) {
                    inside.rows[id] = None;
                    inside.free.push(id as u32);
                }
            }
        }
    }

    fn births(&self, from: u32, born: Range<u64>, out: &mut Vec<u32>) -> Option<u32> {
        const SLICE: usize = 1_000;
        let inside = self.0.lock();
        let until = (from as usize + SLICE).min(inside.rows.len());
        for id in from as usize..until {
            if inside.rows[id].as_ref().is_some_and(|row| !row.dead && born.contains(&row.born)) {
                out.push(id as u32);
            }
        }
        (until < inside.rows.len()).then_some(until as u32)
    }

    fn read(&self, ids: &[u32], visit: &mut dyn FnMut(u32, Option<PageSeries<'_>>)) {
        assert!(ids.len() <= super::SLICE_LONGEST);
        let inside = self.0.lock();
        for id in ids {
            visit(*id, inside.rows.get(*id as usize).and_then(Option::as_ref).map(Row::show));
        }
    }

    fn targets(&self) -> Vec<Target> {
        self.0.lock().targets.clone()
    }
}

/// Values in buckets of a scale; zeros in the zero bucket.
pub(super) fn exponential(scale: i32, values: &[f64]) -> Exponential {
    let mut all = Exponential { scale, count: values.len() as u64, ..Exponential::default() };
    let index = |value: f64| (value.abs().log2() * f64::from(scale).exp2()).ceil() as i32 - 1;
    let side = |values: Vec<i32>| {
        let offset = values.iter().min().copied().unwrap_or(0);
        let last = values.iter().max().copied().unwrap_or(-1).max(offset - 1);
        let mut counts = vec![0; (last - offset + 1) as usize];
        values.iter().for_each(|i| counts[(i - offset) as usize] += 1);
        Side { offset, counts }
    };
    let of =
        |sign: f64| values.iter().filter(|value| **value * sign > 0.0).map(|value| index(*value)).collect();
    (all.positive, all.negative) = (side(of(1.0)), side(of(-1.0)));
    all.zero_count = values.iter().filter(|value| **value == 0.0).count() as u64;
    all.sum = values.iter().sum();
    all
}
