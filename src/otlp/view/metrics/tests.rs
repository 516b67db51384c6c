//! What another implementation encoded, and what it does not write but may be sent: by hand.

use super::*;
use crate::otlp::protobuf::Writer;
use crate::otlp::samples;
use crate::otlp::view::Attributes;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1 as proto;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point as exponential;
use opentelemetry_proto::tonic::metrics::v1::metric::Data as ProtoData;
use opentelemetry_proto::tonic::metrics::v1::number_data_point as number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

fn attributes(view: Attributes<'_>) -> Vec<KeyValue> {
    let pairs: Vec<KeyValue> = view.raw().map(|pair| KeyValue::decode(pair).unwrap()).collect();
    assert!(view.iter().map(|(key, _)| key).eq(pairs.iter().map(|pair| &*pair.key)));
    pairs
}

fn number_point(view: NumberPoint<'_>) -> proto::NumberDataPoint {
    proto::NumberDataPoint {
        attributes: attributes(view.attributes),
        start_time_unix_nano: view.start_ns,
        time_unix_nano: view.time_ns,
        exemplars: vec![],
        flags: view.flags,
        value: view.value.map(|value| match value {
            Number::Int(value) => number::Value::AsInt(value),
            Number::Double(value) => number::Value::AsDouble(value),
        }),
    }
}

fn histogram_point(view: HistogramPoint<'_>) -> proto::HistogramDataPoint {
    proto::HistogramDataPoint {
        attributes: attributes(view.attributes),
        start_time_unix_nano: view.start_ns,
        time_unix_nano: view.time_ns,
        count: view.count,
        sum: view.sum,
        bucket_counts: view.counts().collect(),
        explicit_bounds: view.bounds().collect(),
        exemplars: vec![],
        flags: view.flags,
        min: view.min,
        max: view.max,
    }
}

fn exponential_point(view: ExponentialPoint<'_>) -> proto::ExponentialHistogramDataPoint {
    let buckets = |view: Buckets<'_>| {
        Some(exponential::Buckets { offset: view.offset, bucket_counts: view.counts().collect() })
    };
    proto::ExponentialHistogramDataPoint {
        attributes: attributes(view.attributes),
        start_time_unix_nano: view.start_ns,
        time_unix_nano: view.time_ns,
        count: view.count,
        sum: view.sum,
        scale: view.scale,
        zero_count: view.zero_count,
        positive: buckets(view.positive),
        negative: buckets(view.negative),
        flags: view.flags,
        exemplars: vec![],
        min: view.min,
        max: view.max,
        zero_threshold: view.zero_threshold,
    }
}

fn summary_point(view: SummaryPoint<'_>) -> proto::SummaryDataPoint {
    let pair = |(quantile, value)| ValueAtQuantile { quantile, value };
    proto::SummaryDataPoint {
        attributes: attributes(view.attributes),
        start_time_unix_nano: view.start_ns,
        time_unix_nano: view.time_ns,
        count: view.count,
        sum: view.sum,
        quantile_values: view.quantiles().map(pair).collect(),
        flags: view.flags,
    }
}

fn metric(view: Metric<'_>) -> proto::Metric {
    let data = match view.data {
        Data::None => None,
        Data::Gauge(points) => {
            Some(ProtoData::Gauge(proto::Gauge { data_points: points.iter().map(number_point).collect() }))
        }
        Data::Sum { points, temporality, monotonic } => Some(ProtoData::Sum(proto::Sum {
            data_points: points.iter().map(number_point).collect(),
            aggregation_temporality: temporality as i32,
            is_monotonic: monotonic,
        })),
        Data::Histogram { points, temporality } => Some(ProtoData::Histogram(proto::Histogram {
            data_points: points.iter().map(histogram_point).collect(),
            aggregation_temporality: temporality as i32,
        })),
        Data::Exponential { points, temporality } => {
            Some(ProtoData::ExponentialHistogram(proto::ExponentialHistogram {
                data_points: points.iter().map(exponential_point).collect(),
                aggregation_temporality: temporality as i32,
            }))
        }
        Data::Summary(points) => Some(ProtoData::Summary(proto::Summary {
            data_points: points.iter().map(summary_point).collect(),
        })),
    };
    proto::Metric {
        name: view.name.into(),
        description: view.description.into(),
        unit: view.unit.into(),
        metadata: vec![],
        data,
    }
}

fn resource_metrics(view: ResourceMetrics<'_>) -> proto::ResourceMetrics {
    let scope = |view: ScopeMetrics<'_>| {
        let scope = view.scope;
        let shown = InstrumentationScope {
            name: scope.name.into(),
            version: scope.version.into(),
            attributes: attributes(scope.attributes),
            dropped_attributes_count: scope.dropped_attributes,
        };
        assert_eq!(InstrumentationScope::decode(scope.raw).unwrap(), shown);
        proto::ScopeMetrics {
            scope: Some(shown),
            metrics: view.metrics().map(metric).collect(),
            schema_url: view.schema_url.into(),
        }
    };
    let resource = ProtoResource {
        attributes: attributes(view.resource.attributes),
        dropped_attributes_count: view.resource.dropped_attributes,
        ..ProtoResource::default()
    };
    assert_eq!(ProtoResource::decode(view.resource.raw).unwrap(), resource);
    proto::ResourceMetrics {
        resource: Some(resource),
        scope_metrics: view.scopes().map(scope).collect(),
        schema_url: view.schema_url.into(),
    }
}

/// Without what no view shows: exemplars, metadata, and whether a message that says nothing is there.
fn shown(mut resource: proto::ResourceMetrics) -> proto::ResourceMetrics {
    resource.resource.get_or_insert_default();
    for scope in &mut resource.scope_metrics {
        scope.scope.get_or_insert_default();
        for metric in &mut scope.metrics {
            metric.metadata.clear();
            match &mut metric.data {
                None | Some(ProtoData::Summary(_)) => {}
                Some(
                    ProtoData::Gauge(proto::Gauge { data_points })
                    | ProtoData::Sum(proto::Sum { data_points, .. }),
                ) => data_points.iter_mut().for_each(|point| point.exemplars.clear()),
                Some(ProtoData::Histogram(data)) => {
                    data.data_points.iter_mut().for_each(|point| point.exemplars.clear());
                }
                Some(ProtoData::ExponentialHistogram(data)) => {
                    for point in &mut data.data_points {
                        point.exemplars.clear();
                        point.positive.get_or_insert_default();
                        point.negative.get_or_insert_default();
                    }
                }
            }
        }
    }
    resource
}

/// What is absent is so, or 0.
#[test]
fn nothing_is_read_of_nothing() {
    let view = ResourceMetrics::read(&[]);
    assert_eq!((view.schema_url, view.scopes().count()), ("", 0));
    let metric = Metric::read(&[]);
    assert!(matches!(metric.data, Data::None));
    assert!(matches!(Metric::default().data, Data::None));
    let point = NumberPoint::read(&[]);
    assert_eq!((point.value, point.start_ns, point.time_ns, point.flags), (None, 0, 0, 0));
    assert_eq!((point.attributes.raw().count(), point.no_recorded_value()), (0, false));
    let point = HistogramPoint::read(&[]);
    assert_eq!((point.count, point.sum, point.min, point.max), (0, None, None, None));
    assert_eq!((point.counts().count(), point.bounds().count()), (0, 0));
    let point = ExponentialPoint::read(&[]);
    assert_eq!((point.sum, point.scale, point.zero_count, point.zero_threshold), (None, 0, 0, 0.0));
    assert_eq!((point.positive.offset, point.negative.counts().count()), (0, 0));
    let point = SummaryPoint::read(&[]);
    assert_eq!((point.sum, point.quantiles().count()), (0.0, 0));
    assert_eq!(Points::<NumberPoint<'_>>::default().iter().count(), 0);
}

#[test]
fn flags_say_that_there_is_no_value() {
    let mut point = Writer::new();
    point.varint(8, 3);
    assert!(NumberPoint::read(point.written()).no_recorded_value());
    assert!(SummaryPoint::read(point.written()).no_recorded_value());
    let mut point = Writer::new();
    point.varint(10, 1);
    assert!(HistogramPoint::read(point.written()).no_recorded_value());
    assert!(ExponentialPoint::read(point.written()).no_recorded_value());
    assert!(!NumberPoint::read(point.written()).no_recorded_value());
    let mut point = Writer::new();
    point.varint(10, 2);
    assert!(!HistogramPoint::read(point.written()).no_recorded_value());
}

#[test]
fn the_last_of_two_values_counts() {
    let mut point = Writer::new();
    point.double(4, 1.5);
    point.fixed64(6, u64::MAX);
    point.fixed64(3, 7);
    point.fixed64(3, 8);
    let view = NumberPoint::read(point.written());
    assert_eq!((view.value, view.time_ns), (Some(Number::Int(-1)), 8));
    assert_eq!((Number::Int(-1).as_f64(), Number::Double(1.5).as_f64()), (-1.0, 1.5));
}

#[test]
fn temporality_is_read_behind_the_points_and_unknown_ones_are_none() {
    for (number, temporality) in [
        (0, Temporality::Unspecified),
        (1, Temporality::Delta),
        (2, Temporality::Cumulative),
        (3, Temporality::Unspecified),
    ] {
        let mut metric = Writer::new();
        let sum = metric.begin(7, 9);
        metric.bytes(1, &[]);
        metric.varint(3, 1);
        metric.varint(2, number);
        metric.end(sum);
        let Data::Sum { points, temporality: read, monotonic: true } = Metric::read(metric.written()).data
        else {
            panic!("{number}");
        };
        assert_eq!((points.iter().count(), read), (1, temporality));
    }
}

#[test]
fn scale_and_offsets_are_signed() {
    for (encoded, number) in [(0, 0), (1, -1), (2, 1), (19, -10), (40, 20), (u32::MAX.into(), i32::MIN)] {
        let mut point = Writer::new();
        point.varint(6, encoded);
        let buckets = point.begin(9, 4);
        point.varint(1, encoded);
        point.end(buckets);
        let view = ExponentialPoint::read(point.written());
        assert_eq!((view.scale, view.negative.offset, view.positive.offset), (number, number, 0));
    }
}

/// Buckets in two pieces are one message, as anywhere in protobuf.
#[test]
fn buckets_in_pieces_are_one() {
    let mut point = Writer::new();
    for (offset, packed) in [(Some(5), &[1_u8, 0xac, 2][..]), (None, &[3])] {
        let buckets = point.begin(8, 9);
        offset.into_iter().for_each(|offset| point.varint(1, offset));
        point.bytes(2, packed);
        point.varint(2, 7);
        point.end(buckets);
        point.bytes(9, &[]);
    }
    let view = ExponentialPoint::read(point.written());
    assert_eq!(view.positive.offset, -3);
    assert_eq!(view.positive.counts().collect::<Vec<_>>(), [1, 300, 7, 3, 7]);
    assert_eq!(view.negative.counts().count(), 0);
}

#[test]
fn what_cannot_be_read_is_absent() {
    // Half a number, a number of another kind, and nothing after what leads nowhere.
    let mut point = Writer::new();
    point.bytes(6, &[1, 0, 0, 0, 0, 0, 0, 0, 9, 9]);
    point.varint(6, 5);
    point.fixed64(6, 2);
    point.varint(5, 1);
    point.raw(&[0x3a, 9]);
    let view = HistogramPoint::read(point.written());
    assert_eq!(view.counts().collect::<Vec<_>>(), [1, 2]);
    assert_eq!((view.sum, view.bounds().count()), (None, 0));
    let mut point = Writer::new();
    let buckets = point.begin(8, 9);
    point.bytes(2, &[1, 0x80]);
    point.fixed64(2, 8);
    point.varint(2, 4);
    point.end(buckets);
    let view = ExponentialPoint::read(point.written());
    assert_eq!(view.positive.counts().collect::<Vec<_>>(), [1, 4]);
}

proptest! {
    #[test]
    fn what_another_encoder_made_is_shown(request in samples::metrics()) {
        for resource in request.resource_metrics {
            let bytes = resource.encode_to_vec();
            prop_assert_eq!(resource_metrics(ResourceMetrics::read(&bytes)), shown(resource));
        }
    }

    /// Each piece packed or one by one.
    #[test]
    fn repeated_fields_are_one_list(pieces in vec((any::<bool>(), vec(any::<u64>(), 0..4)), 0..5)) {
        let (mut histogram, mut buckets) = (Writer::new(), Writer::new());
        for (packed, numbers) in &pieces {
            if *packed {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                histogram.bytes(6, &bytes);
                histogram.bytes(7, &bytes);
                let open = buckets.begin(2, 9);
                numbers.iter().for_each(|number| buckets.packed_varint(*number));
                buckets.end(open);
            } else {
                for number in numbers {
                    histogram.fixed64(6, *number);
                    histogram.fixed64(7, *number);
                    buckets.varint(2, *number);
                }
            }
        }
        let mut exponential = Writer::new();
        exponential.bytes(9, buckets.written());
        let all: Vec<u64> = pieces.into_iter().flat_map(|(_, numbers)| numbers).collect();
        let view = HistogramPoint::read(histogram.written());
        prop_assert_eq!(view.counts().collect::<Vec<_>>(), all.clone());
        prop_assert_eq!(view.bounds().map(f64::to_bits).collect::<Vec<_>>(), all.clone());
        let view = ExponentialPoint::read(exponential.written());
        prop_assert_eq!(view.negative.counts().collect::<Vec<_>>(), all);
    }

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in vec(any::<u8>(), 0..200)) {
        for metric in ResourceMetrics::read(&bytes).scopes().flat_map(|scope| scope.metrics()) {
            if let Data::Gauge(points) | Data::Sum { points, .. } = metric.data {
                prop_assert!(points.iter().flat_map(|point| point.attributes.iter()).count() <= bytes.len());
            }
        }
        let _ = (NumberPoint::read(&bytes), SummaryPoint::read(&bytes).quantiles().count());
        prop_assert!(HistogramPoint::read(&bytes).counts().count() <= bytes.len());
        prop_assert!(ExponentialPoint::read(&bytes).positive.counts().count() <= bytes.len());
    }
}
