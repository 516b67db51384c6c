//! A registry for tests: a vector of series behind a mutex, with the reuse and the pins of a real one.

use super::source::Source;
use crate::config::{self, HistogramStyle};
use crate::metrics::series::{Key, PageDistribution, PageSeries, PageValue, Treatment};
use crate::metrics::sketch::Sketch;
use crate::statsd::Kind;
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;

/// One series, owned.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) treatment: Arc<Treatment>,
    pub(super) value: f64,
    pub(super) monotonic: bool,
    pub(super) total: Sketch,
    pub(super) buckets: Vec<u64>,
    born: u64,
    dead: bool,
}

#[derive(Debug, Default)]
pub(super) struct Rows(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    rows: Vec<Option<Row>>,
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
    pub(super) fn new(key: &str, kind: Kind, values: &[f64], treatment: &Arc<Treatment>) -> Row {
        let mut row = Row {
            key: key.to_owned(),
            kind,
            treatment: treatment.clone(),
            value: values.last().copied().unwrap_or(0.0),
            monotonic: true,
            total: Sketch::new(),
            buckets: vec![0; treatment.buckets(kind).len() + 1],
            born: 0,
            dead: false,
        };
        let scale = if kind == Kind::Timer { 1_000.0 } else { 1.0 };
        for value in values.iter().filter(|_| kind.is_sketched()) {
            row.total.insert(*value, 1.0);
            let at = treatment.buckets(kind).iter().position(|bound| value / scale <= *bound);
            row.buckets[at.unwrap_or(treatment.buckets(kind).len())] += 1;
        }
        row
    }

    pub(super) fn counter(key: &str, value: f64) -> Row {
        Row::new(key, Kind::Counter, &[value], &Arc::new(treatment()))
    }

    fn show(&self) -> PageSeries<'_> {
        let value = match self.kind {
            Kind::Counter => PageValue::Counter { total: self.value, monotonic: self.monotonic },
            Kind::Gauge => PageValue::Gauge(self.value),
            Kind::Set => PageValue::Set(self.value.abs() as u64),
            Kind::Timer | Kind::Histogram | Kind::Distribution => {
                let summary = self.treatment.style == HistogramStyle::Summary;
                PageValue::Distribution(PageDistribution {
                    total: &self.total,
                    bucket_counts: if summary { &[] } else { &self.buckets },
                    window: summary.then_some(&self.total),
                })
            }
        };
        PageSeries {
            born: self.born,
            key: Key(&self.key),
            class: self.kind.into(),
            meta: None,
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
}
