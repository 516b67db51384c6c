//! Random metrics and log records for tests, sound in all that the walk asks for, as another implementation has them.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) fn metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    vec(resource_metrics(), 0..3)
        .prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

pub(crate) fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    vec(resource_logs(), 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

/// The points of a metric.
pub(crate) fn points(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}

pub(crate) fn points_of(resource: &ResourceMetrics) -> usize {
    resource.scope_metrics.iter().flat_map(|scope| &scope.metrics).map(points).sum()
}

pub(crate) fn records_of(resource: &ResourceLogs) -> usize {
    resource.scope_logs.iter().map(|scope| scope.log_records.len()).sum()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.]{0,8}", ".{0,4}"]
}

/// NaN is unequal to itself.
fn double() -> impl Strategy<Value = f64> {
    let any = any::<f64>().prop_filter("a number", |number| !number.is_nan());
    prop_oneof![any, Just(0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => vec(any::<u8>(), length), 1 => Just(vec![])]
}

fn value() -> impl Strategy<Value = AnyValue> {
    use any_value::Value;
    let leaf = prop_oneof![
        text().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        double().prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..5).prop_map(Value::BytesValue),
    ];
    let value = leaf.prop_recursive(2, 6, 3, |inner| {
        let any = option::weighted(0.9, inner).prop_map(|value| AnyValue { value });
        let pair = (text(), any.clone()).prop_map(|(key, value)| pair(key, Some(value)));
        prop_oneof![
            vec(any, 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(pair, 0..3).prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
    });
    value.prop_map(|value| AnyValue { value: Some(value) })
}

fn pair(key: String, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key, value, ..KeyValue::default() }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((text(), option::of(value())).prop_map(|(key, value)| pair(key, value)), 0..3)
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    let some = (attributes(), any::<u32>()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        ..Resource::default()
    });
    option::weighted(0.8, some)
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let some = (text(), text(), attributes()).prop_map(|(name, version, attributes)| InstrumentationScope {
        name,
        version,
        attributes,
        ..InstrumentationScope::default()
    });
    option::weighted(0.8, some)
}

fn resource_metrics() -> impl Strategy<Value = ResourceMetrics> {
    let scope_metrics = (scope(), vec(metric(), 0..4), text())
        .prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url });
    (resource(), vec(scope_metrics, 0..3), text()).prop_map(|(resource, scope_metrics, schema_url)| {
        ResourceMetrics { resource, scope_metrics, schema_url }
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    let words = (text(), text(), text(), attributes());
    (words, option::weighted(0.95, data())).prop_map(|((name, description, unit, metadata), data)| Metric {
        name,
        description,
        unit,
        metadata,
        data,
    })
}

fn data() -> impl Strategy<Value = Data> {
    let temporality = || 0..3_i32;
    prop_oneof![
        vec(number(), 0..4).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number(), 0..4), temporality(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic
            })
        ),
        (vec(histogram(), 0..3), temporality()).prop_map(|(data_points, aggregation_temporality)| {
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }),
        (vec(exponential(), 0..3), temporality()).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        vec(summary(), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let value = prop_oneof![
        any::<i64>().prop_map(exemplar::Value::AsInt),
        double().prop_map(exemplar::Value::AsDouble)
    ];
    let one = (attributes(), any::<u64>(), id(8), id(16), option::of(value)).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    );
    vec(one, 0..2)
}

fn number() -> impl Strategy<Value = NumberDataPoint> {
    let value = prop_oneof![
        prop_oneof![any::<i64>(), Just(0)].prop_map(number_data_point::Value::AsInt),
        double().prop_map(number_data_point::Value::AsDouble)
    ];
    (attributes(), any::<[u64; 2]>(), exemplars(), 0..3_u32, option::weighted(0.9, value)).prop_map(
        |(attributes, [start_time_unix_nano, time_unix_nano], exemplars, flags, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            exemplars,
            flags,
            value,
        },
    )
}

fn histogram() -> impl Strategy<Value = HistogramDataPoint> {
    let buckets = option::weighted(0.9, vec((any::<u64>(), double()), 0..4));
    let numbers = (any::<[u64; 3]>(), option::of(double()), option::of(double()), option::of(double()));
    (attributes(), numbers, buckets, exemplars(), 0..3_u32).prop_map(
        |(attributes, (times, sum, min, max), buckets, exemplars, flags)| {
            let [start_time_unix_nano, time_unix_nano, count] = times;
            let (mut bucket_counts, explicit_bounds): (Vec<u64>, Vec<f64>) =
                buckets.clone().unwrap_or_default().into_iter().unzip();
            // One more than bounds, or none of either.
            bucket_counts.extend(buckets.map(|_| 7));
            HistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                bucket_counts,
                explicit_bounds,
                exemplars,
                flags,
                min,
                max,
            }
        },
    )
}

fn exponential() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let buckets = || {
        let some = (any::<i32>(), vec(prop_oneof![any::<u64>(), 0..300_u64], 0..4))
            .prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts });
        option::of(some)
    };
    let doubles = (option::of(double()), option::of(double()), option::of(double()), double());
    let inside = (any::<[u64; 4]>(), doubles, -10..21_i32, buckets(), buckets());
    (attributes(), inside, exemplars(), 0..3_u32).prop_map(|(attributes, inside, exemplars, flags)| {
        let (times, (sum, min, max, zero_threshold), scale, positive, negative) = inside;
        let [start_time_unix_nano, time_unix_nano, count, zero_count] = times;
        ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            count,
            sum,
            scale,
            zero_count,
            positive,
            negative,
            flags,
            exemplars,
            min,
            max,
            zero_threshold,
        }
    })
}

fn summary() -> impl Strategy<Value = SummaryDataPoint> {
    let quantile = (double(), double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (attributes(), any::<[u64; 3]>(), double(), vec(quantile, 0..3), 0..3_u32).prop_map(
        |(attributes, [start_time_unix_nano, time_unix_nano, count], sum, quantile_values, flags)| {
            SummaryDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                quantile_values,
                flags,
            }
        },
    )
}

fn resource_logs() -> impl Strategy<Value = ResourceLogs> {
    let scope_logs = (scope(), vec(record(), 0..4), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    (resource(), vec(scope_logs, 0..3), text()).prop_map(|(resource, scope_logs, schema_url)| ResourceLogs {
        resource,
        scope_logs,
        schema_url,
    })
}

fn record() -> impl Strategy<Value = LogRecord> {
    let words = (text(), text(), option::of(value()), attributes());
    (any::<[u64; 2]>(), 0..25_i32, words, any::<[u32; 2]>(), id(16), id(8)).prop_map(
        |(times, severity_number, words, numbers, trace_id, span_id)| {
            let (severity_text, event_name, body, attributes) = words;
            LogRecord {
                time_unix_nano: times[0],
                observed_time_unix_nano: times[1],
                severity_number,
                severity_text,
                body,
                attributes,
                dropped_attributes_count: numbers[0],
                flags: numbers[1],
                trace_id,
                span_id,
                event_name,
            }
        },
    )
}
