//! OTLP's sums and histograms in the other temporality, for a backend that takes only one.
//!
//! A checked `ResourceMetrics` is copied field by field, and only what has to change is written anew (`write`); a
//! message in which nothing has to change is not even copied. Gauges, summaries and metrics that do not say what they
//! are stay as they are. Where each stream stood is remembered here, apart from the series on `/metrics`: what a
//! backend is told must not depend on rules, limits of contexts or scrapes. No point is left out without a reason.
//! Must never block: the caller holds the batcher. See docs/otlp-metrics.md.

mod stream;

use super::read::{self, Accumulation, Reading, Scratch};
use super::total::Amount;
use crate::config::{Config, PointTemporality};
use crate::metrics::Class;
use crate::otlp::protobuf::{Fields, Value, Writer};
use crate::otlp::view::metrics::{
    Data, ExponentialPoint, HistogramPoint, Metric, NumberPoint, ResourceMetrics, ScopeMetrics,
};
use std::collections::HashMap;
use stream::{Seen, Stream};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Why a point is left out of what a backend gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconverted {
    /// A total whose beginning is not known, of a stream not seen before: only what comes after it is sent.
    UnknownStart,
    /// A total that began before the converter did, or before streams were forgotten: part of it may have been sent.
    Gap,
    /// An older total than the stream's last, or a point that came twice.
    Stale,
    /// A value, or buckets, with which nothing can be computed.
    BadValue,
    /// There are too many streams to remember this one.
    TooManyStreams,
    /// The copy would get longer than it may; what sums and histograms say is in the next.
    NoMemory,
}

impl Unconverted {
    pub const ALL: [Unconverted; 6] = [
        Unconverted::UnknownStart,
        Unconverted::Gap,
        Unconverted::Stale,
        Unconverted::BadValue,
        Unconverted::TooManyStreams,
        Unconverted::NoMemory,
    ];
}

/// A message in the wanted temporality.
#[derive(Debug, Default)]
pub struct Converted {
    /// `None`: nothing had to change, the bytes are the same.
    pub bytes: Option<Vec<u8>>,
    left_out: [u32; Unconverted::ALL.len()],
}

/// What a converter has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Points written anew.
    pub converted: u64,
    /// Streams that began anew: a total fell or has a later start, or deltas of a histogram have other bounds.
    pub resets: u64,
    /// Deltas that do not cover the time since the last one.
    pub gaps: u64,
    /// Streams that are remembered now.
    pub streams: usize,
}

/// Converts the points for one backend.
#[derive(Debug)]
pub struct Converter {
    to: Accumulation,
    key: u64,
    streams: HashMap<u64, Stream>,
    limit: usize,
    expiry_ns: u64,
    /// Totals that began before this may have been known and sent, in Unix nanoseconds.
    forgotten_ns: u64,
    swept_ns: u64,
    scratch: Scratch,
    done: Conversion,
}

/// A metric whose points are being converted.
struct Converting {
    class: Class,
    /// Of all that names it.
    hash: u64,
    now_ns: u64,
    most_bytes: usize,
}

/// The copy that is made of a message.
struct Copy {
    out: Writer,
    /// Points that were written, and metrics that stay as they are.
    kept: u32,
    left_out: [u32; Unconverted::ALL.len()],
    now_ns: u64,
    most_bytes: usize,
}

/// A nested message.
#[derive(Clone, Copy)]
struct Nested<'a> {
    number: u32,
    message: &'a [u8],
    /// With key and length.
    raw: &'a [u8],
}

impl Converted {
    /// Points that are not in `bytes`.
    pub fn left_out(&self, why: Unconverted) -> u32 {
        self.left_out[why as usize]
    }

    /// All points that are not in `bytes`.
    pub fn left_out_total(&self) -> u32 {
        self.left_out.iter().sum()
    }
}

impl Converter {
    /// `None` when nothing is to be converted. `key` is random; totals that began before `since_ns` may have been sent
    /// by an agent before this one.
    pub fn new(to: PointTemporality, config: &Config, key: u64, since_ns: u64) -> Option<Converter> {
        let to = match to {
            PointTemporality::Unchanged => return None,
            PointTemporality::Delta => Accumulation::Delta,
            PointTemporality::Cumulative => Accumulation::Cumulative,
        };
        let metrics = &config.metrics;
        Some(Converter {
            to,
            key,
            streams: HashMap::new(),
            limit: metrics.context_limit.saturating_mul(2).saturating_add(1_024),
            expiry_ns: u64::try_from(metrics.expiry.as_nanos()).unwrap_or(u64::MAX),
            forgotten_ns: since_ns,
            swept_ns: 0,
            scratch: Scratch::default(),
            done: Conversion::default(),
        })
    }

    pub fn done(&self) -> Conversion {
        Conversion { streams: self.streams.len(), ..self.done }
    }

    /// Whether points that are not converted now are in the next that are: what totals say is.
    pub fn catches_up(&self) -> bool {
        self.to == Accumulation::Delta
    }

    /// Whether something in an encoded, checked `ResourceMetrics` has to change.
    pub fn concerns(&self, resource_metrics: &[u8]) -> bool {
        let mut scopes = ResourceMetrics::read(resource_metrics).scopes();
        scopes.any(|scope| scope.metrics().any(|metric| self.changes(&metric.data).is_some()))
    }

    /// Converts all that has to change in an encoded, checked `ResourceMetrics`. Where the copy would get longer than
    /// `most_bytes`, no more converted points are written: totals may be much longer than the deltas in them.
    pub fn convert(&mut self, resource_metrics: &[u8], now_ns: u64, most_bytes: usize) -> Converted {
        if !self.concerns(resource_metrics) {
            return Converted::default();
        }
        let resource = xxh3_64_with_seed(ResourceMetrics::read(resource_metrics).resource.raw, self.key);
        let out = Writer::onto(Vec::with_capacity(resource_metrics.len()));
        let mut copy = Copy { out, kept: 0, left_out: Default::default(), now_ns, most_bytes };
        copy.fields(
            resource_metrics,
            |number| number == 2,
            |copy, scope| {
                let hash = read::scope_hash(&ScopeMetrics::read(scope.message), resource);
                copy.within(scope, |copy| {
                    let metric = |copy: &mut Copy, metric: Nested<'_>| self.metric(copy, metric, hash);
                    copy.fields(scope.message, |number| number == 2, metric);
                });
            },
        );
        Converted { bytes: Some(copy.out.into_inner()), left_out: copy.left_out }
    }

    /// The class and the present temporality of points that have to change. What may fall is never made a delta, as in
    /// the preference of SDKs.
    fn changes(&self, data: &Data<'_>) -> Option<(Class, Accumulation)> {
        let (class, how) = read::kind(data);
        match (class, how?, self.to) {
            (Class::OtlpSum | Class::OtlpHistogram | Class::OtlpExponentialHistogram, how, to) => {
                (how != to).then_some((class, how))
            }
            (Class::OtlpUpDownSum, Accumulation::Delta, Accumulation::Cumulative) => {
                Some((class, Accumulation::Delta))
            }
            _ => None,
        }
    }

    fn metric(&mut self, copy: &mut Copy, field: Nested<'_>, scope: u64) {
        let metric = Metric::read(field.message);
        let Some((class, how)) = self.changes(&metric.data) else {
            copy.kept += 1;
            return copy.out.raw(field.raw);
        };
        let hash = read::metric_hash(&metric, class, Some(how), scope);
        let metric = Converting { class, hash, now_ns: copy.now_ns, most_bytes: copy.most_bytes };
        copy.within(field, |copy| {
            copy.fields(
                field.message,
                |number| matches!(number, 7 | 9 | 10),
                |copy, data| {
                    copy.within(data, |copy| self.points(copy, data.message, &metric));
                },
            );
        });
    }

    /// The points of a sum or histogram, and its temporality.
    fn points(&mut self, copy: &mut Copy, data: &[u8], metric: &Converting) {
        let mut fields = Fields::new(data);
        while let Some(Ok((number, value, raw))) = fields.next_raw() {
            match (number, value) {
                (1, Value::Bytes(message)) => {
                    match self.point(&mut copy.out, metric, Nested { number, message, raw }) {
                        Ok(()) => copy.kept += 1,
                        Err(why) => copy.left_out[why as usize] += 1,
                    }
                }
                (2, _) => copy.out.varint(2, if self.to == Accumulation::Delta { 1 } else { 2 }),
                _ => copy.out.raw(raw),
            }
        }
    }

    fn point(&mut self, out: &mut Writer, metric: &Converting, field: Nested<'_>) -> Result<(), Unconverted> {
        match metric.class {
            Class::OtlpHistogram => self.take::<HistogramPoint<'_>>(out, metric, field),
            Class::OtlpExponentialHistogram => self.take::<ExponentialPoint<'_>>(out, metric, field),
            _ => self.take::<NumberPoint<'_>>(out, metric, field),
        }
    }

    fn take<'a, P: Reading<'a>>(
        &mut self,
        out: &mut Writer,
        metric: &Converting,
        field: Nested<'a>,
    ) -> Result<(), Unconverted> {
        let point = P::read(field.message);
        let facts = point.facts();
        let hash = read::hash(&facts.attributes, metric.hash);
        if facts.ended {
            self.end(hash);
            out.raw(field.raw);
            return Ok(());
        }
        let Converting { class, now_ns, .. } = *metric;
        let scratch = P::scratch(&mut self.scratch);
        point.read_into(scratch, class).map_err(|_| Unconverted::BadValue)?;
        let mut now = std::mem::replace(scratch, Amount::Number(0.0));
        let (whole, has_sum, times) = (point.whole(), point.has_sum(), facts.times);
        let seen = Seen { raw: field.message, hash, times, whole, has_sum, class, now_ns };
        let began = out.len();
        let mut taken = match self.to {
            Accumulation::Delta => self.delta_of(out, &seen, &mut now),
            Accumulation::Cumulative | Accumulation::Last => self.total_of(out, &seen, &mut now),
        };
        if out.len() > metric.most_bytes {
            out.truncate(began);
            taken = taken.and(Err(Unconverted::NoMemory));
        }
        *P::scratch(&mut self.scratch) = now;
        self.done.converted += u64::from(taken.is_ok());
        taken
    }
}

impl Copy {
    /// Copies the fields of a message, but hands nested messages that are `wanted` by number to `take`.
    fn fields(
        &mut self,
        message: &[u8],
        wanted: impl Fn(u32) -> bool,
        mut take: impl FnMut(&mut Copy, Nested<'_>),
    ) {
        let mut fields = Fields::new(message);
        while let Some(Ok((number, value, raw))) = fields.next_raw() {
            match value {
                Value::Bytes(message) if wanted(number) => take(self, Nested { number, message, raw }),
                _ => self.out.raw(raw),
            }
        }
    }

    /// Writes what stands for a nested message; without it when points were left out and none is in it.
    fn within(&mut self, field: Nested<'_>, write: impl FnOnce(&mut Copy)) {
        let (began, kept, left_out) = (self.out.len(), self.kept, self.left_out);
        let open = self.out.begin(field.number, field.message.len());
        write(self);
        self.out.end(open);
        if self.kept == kept && self.left_out != left_out {
            self.out.truncate(began);
        }
    }
}
