//! Prometheus's protobuf format: `io.prometheus.client.MetricFamily`, each behind its length.
//!
//! The length stands before the family, so a family is gathered before it is written. A large one goes
//! out as several messages of the same name, one behind the other: a page must never be whole in memory,
//! and readers take message after message. Messages are reused from series to series.

use super::family::Type;
use super::head::Head;
use super::labels::Labels;
use super::native::{Native, Span, push_spans};
use super::point::{Histogram, Point, Summary};
use prost::Message;

/// A family's metrics gathered before they are written, in bytes.
const GATHERED_LARGEST: usize = 1 << 20;
/// `MetricFamily.metric`, length-delimited.
const METRIC_KEY: u8 = 4 << 3 | 2;

/// Messages of `io.prometheus.client`, those fields that we write.
pub(super) mod message {
    use prost::Message;

    /// The family without its metrics, which are appended as they come.
    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct FamilyHead {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
        #[prost(string, tag = "2")]
        pub(crate) help: String,
        /// Not left out when it is 0 (COUNTER).
        #[prost(int32, optional, tag = "3")]
        pub(crate) kind: Option<i32>,
        #[prost(string, tag = "5")]
        pub(crate) unit: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Metric {
        #[prost(message, repeated, tag = "1")]
        pub(crate) label: Vec<LabelPair>,
        #[prost(message, optional, tag = "2")]
        pub(crate) gauge: Option<Value>,
        #[prost(message, optional, tag = "3")]
        pub(crate) counter: Option<Counter>,
        #[prost(message, optional, tag = "4")]
        pub(crate) summary: Option<Summary>,
        #[prost(message, optional, tag = "7")]
        pub(crate) histogram: Option<Histogram>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct LabelPair {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
        #[prost(string, tag = "2")]
        pub(crate) value: String,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Value {
        #[prost(double, optional, tag = "1")]
        pub(crate) value: Option<f64>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Counter {
        #[prost(double, optional, tag = "1")]
        pub(crate) value: Option<f64>,
        #[prost(message, optional, tag = "3")]
        pub(crate) start: Option<Timestamp>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Timestamp {
        #[prost(int64, tag = "1")]
        pub(crate) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(crate) nanos: i32,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Summary {
        #[prost(uint64, optional, tag = "1")]
        pub(crate) sample_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub(crate) sample_sum: Option<f64>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) quantile: Vec<Quantile>,
        #[prost(message, optional, tag = "4")]
        pub(crate) start: Option<Timestamp>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Quantile {
        #[prost(double, tag = "1")]
        pub(crate) quantile: f64,
        #[prost(double, tag = "2")]
        pub(crate) value: f64,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Histogram {
        #[prost(uint64, optional, tag = "1")]
        pub(crate) sample_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub(crate) sample_sum: Option<f64>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) bucket: Vec<Bucket>,
        #[prost(sint32, optional, tag = "5")]
        pub(crate) schema: Option<i32>,
        #[prost(double, optional, tag = "6")]
        pub(crate) zero_threshold: Option<f64>,
        #[prost(uint64, optional, tag = "7")]
        pub(crate) zero_count: Option<u64>,
        #[prost(message, repeated, tag = "9")]
        pub(crate) negative_span: Vec<BucketSpan>,
        #[prost(sint64, repeated, packed = "false", tag = "10")]
        pub(crate) negative_delta: Vec<i64>,
        #[prost(message, repeated, tag = "12")]
        pub(crate) positive_span: Vec<BucketSpan>,
        #[prost(sint64, repeated, packed = "false", tag = "13")]
        pub(crate) positive_delta: Vec<i64>,
        #[prost(message, optional, tag = "15")]
        pub(crate) start: Option<Timestamp>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Bucket {
        #[prost(uint64, optional, tag = "1")]
        pub(crate) cumulative_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub(crate) upper_bound: Option<f64>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct BucketSpan {
        #[prost(sint32, optional, tag = "1")]
        pub(crate) offset: Option<i32>,
        #[prost(uint32, optional, tag = "2")]
        pub(crate) length: Option<u32>,
    }
}

/// Writes families as messages.
#[derive(Debug, Default)]
pub(super) struct Protobuf {
    head: message::FamilyHead,
    /// Encoded metrics of the present family, with their keys and lengths.
    gathered: Vec<u8>,
    metric: message::Metric,
    native: Native,
    spans: Vec<Span>,
}

impl Protobuf {
    pub(super) fn begin(&mut self, head: &Head) {
        self.head.name.clone_from(&head.name);
        self.head.help.clone_from(&head.help);
        self.head.kind = Some(match head.kind {
            Type::Counter => 0,
            Type::Gauge => 1,
            Type::Summary => 2,
            Type::Histogram => 4,
        });
        self.head.unit.clear();
        self.head.unit.push_str(head.fitting_unit().unwrap_or_default());
    }

    /// Gathers one series of the family begun last; writes when much is gathered.
    pub(super) fn row(
        &mut self,
        kind: Type,
        labels: &Labels,
        point: &Point<'_>,
        start_ns: u64,
        out: &mut Vec<u8>,
    ) {
        self.read_labels(labels);
        let start = timestamp(start_ns);
        let metric = &mut self.metric;
        match (point, kind) {
            (Point::Single(value), Type::Counter) => {
                metric.gauge = None;
                metric.counter = Some(message::Counter { value: Some(*value), start });
            }
            (Point::Single(value), Type::Gauge | Type::Histogram | Type::Summary) => {
                metric.counter = None;
                metric.gauge = Some(message::Value { value: Some(*value) });
            }
            (Point::Histogram(histogram), _) => {
                let slot = metric.histogram.get_or_insert_default();
                fill_histogram(slot, histogram, start);
                match self.native.of(histogram) {
                    true => fill_native(slot, &self.native, &mut self.spans),
                    false => clear_native(slot),
                }
                if histogram.is_native_only() && slot.schema.is_some() {
                    slot.bucket.clear();
                }
            }
            (Point::Summary(summary), _) => {
                fill_summary(metric.summary.get_or_insert_default(), summary, start)
            }
        }
        self.gathered.push(METRIC_KEY);
        // The vector grows as needed, so this cannot fail.
        let _ = self.metric.encode_length_delimited(&mut self.gathered);
        if self.gathered.len() >= GATHERED_LARGEST {
            self.finish(out);
        }
    }

    /// Writes what is gathered of the family begun last.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.gathered.is_empty() {
            return;
        }
        let length = self.head.encoded_len() + self.gathered.len();
        prost::encoding::encode_varint(length as u64, out);
        let _ = self.head.encode(out);
        out.append(&mut self.gathered);
    }

    /// Bytes gathered and not yet written.
    pub(super) fn gathered(&self) -> usize {
        self.gathered.len()
    }

    /// To be called between two families: the next may be of another type.
    pub(super) fn end_family(&mut self, out: &mut Vec<u8>) {
        self.finish(out);
        let label = std::mem::take(&mut self.metric.label);
        self.metric = message::Metric { label, ..message::Metric::default() };
    }

    fn read_labels(&mut self, labels: &Labels) {
        self.metric.label.resize_with(labels.iter().len(), message::LabelPair::default);
        for (pair, (name, value)) in self.metric.label.iter_mut().zip(labels.iter()) {
            pair.name.clear();
            pair.name.push_str(name);
            pair.value.clear();
            pair.value.push_str(value);
        }
    }
}

fn fill_histogram(
    slot: &mut message::Histogram,
    histogram: &Histogram<'_>,
    start: Option<message::Timestamp>,
) {
    slot.sample_count = Some(histogram.count);
    slot.sample_sum = Some(histogram.sum);
    slot.start = start;
    slot.bucket.clear();
    slot.bucket.extend(
        histogram
            .buckets()
            .chain([(f64::INFINITY, histogram.count)])
            .map(|(bound, n)| message::Bucket { cumulative_count: Some(n), upper_bound: Some(bound) }),
    );
}

fn fill_native(slot: &mut message::Histogram, native: &Native, spans: &mut Vec<Span>) {
    slot.schema = Some(native.schema);
    slot.zero_threshold = Some(native.zero_threshold);
    slot.zero_count = Some(native.zero_count);
    let sides = [
        (&native.negative, &mut slot.negative_span, &mut slot.negative_delta),
        (&native.positive, &mut slot.positive_span, &mut slot.positive_delta),
    ];
    for (buckets, slot_spans, deltas) in sides {
        spans.clear();
        deltas.clear();
        push_spans(buckets, spans, deltas);
        slot_spans.clear();
        slot_spans.extend(
            spans
                .iter()
                .map(|span| message::BucketSpan { offset: Some(span.offset), length: Some(span.length) }),
        );
    }
}

/// The message may hold the native buckets of the series before.
fn clear_native(slot: &mut message::Histogram) {
    slot.schema = None;
    slot.zero_threshold = None;
    slot.zero_count = None;
    slot.negative_span.clear();
    slot.negative_delta.clear();
    slot.positive_span.clear();
    slot.positive_delta.clear();
}

fn fill_summary(slot: &mut message::Summary, summary: &Summary<'_>, start: Option<message::Timestamp>) {
    slot.sample_count = Some(summary.count);
    slot.sample_sum = Some(summary.sum);
    slot.start = start;
    slot.quantile.clear();
    slot.quantile.extend(summary.values().map(|(quantile, value)| message::Quantile { quantile, value }));
}

/// `None` for a start that is not known.
fn timestamp(ns: u64) -> Option<message::Timestamp> {
    const SECOND: u64 = 1_000_000_000;
    let seconds = i64::try_from(ns / SECOND).ok().filter(|_| ns != 0)?;
    Some(message::Timestamp { seconds, nanos: i32::try_from(ns % SECOND).unwrap_or(0) })
}
