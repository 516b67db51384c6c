//! Metrics of all five kinds: `opentelemetry/proto/metrics/v1/metrics.proto`.

use super::{KEY_VALUE, Kind, LARGE, MEDIUM, RESOURCE, Role, SCOPE, SMALL, Shape, field, one_of, optional};

pub(in super::super) static REQUEST: Shape = Shape {
    role: Role::Request,
    expected: LARGE,
    fields: &[field("resourceMetrics", "resource_metrics", 1, Kind::Messages(&RESOURCE_METRICS))],
};

pub(in super::super) static RESOURCE_METRICS: Shape = Shape {
    role: Role::Chunk,
    expected: LARGE,
    fields: &[
        field("resource", "resource", 1, Kind::Message(&RESOURCE)),
        field("scopeMetrics", "scope_metrics", 2, Kind::Messages(&SCOPE_METRICS)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

static SCOPE_METRICS: Shape = Shape {
    role: Role::Scope,
    expected: LARGE,
    fields: &[
        field("scope", "scope", 1, Kind::Message(&SCOPE)),
        field("metrics", "metrics", 2, Kind::Messages(&METRIC)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

static METRIC: Shape = Shape {
    role: Role::Metric,
    expected: MEDIUM,
    fields: &[
        field("name", "name", 1, Kind::Text),
        field("description", "description", 2, Kind::Text),
        field("unit", "unit", 3, Kind::Text),
        one_of("gauge", "gauge", 5, Kind::Message(&GAUGE)),
        one_of("sum", "sum", 7, Kind::Message(&SUM)),
        one_of("histogram", "histogram", 9, Kind::Message(&HISTOGRAM)),
        one_of("exponentialHistogram", "exponential_histogram", 10, Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        one_of("summary", "summary", 11, Kind::Message(&SUMMARY)),
        field("metadata", "metadata", 12, Kind::Messages(&KEY_VALUE)),
    ],
};

static GAUGE: Shape = Shape {
    role: Role::Plain,
    expected: MEDIUM,
    fields: &[field("dataPoints", "data_points", 1, Kind::Messages(&NUMBER_POINT))],
};

static SUM: Shape = Shape {
    role: Role::Plain,
    expected: MEDIUM,
    fields: &[
        field("dataPoints", "data_points", 1, Kind::Messages(&NUMBER_POINT)),
        field("aggregationTemporality", "aggregation_temporality", 2, Kind::Enum(&TEMPORALITIES)),
        field("isMonotonic", "is_monotonic", 3, Kind::Bool),
    ],
};

static HISTOGRAM: Shape = Shape {
    role: Role::Plain,
    expected: MEDIUM,
    fields: &[
        field("dataPoints", "data_points", 1, Kind::Messages(&HISTOGRAM_POINT)),
        field("aggregationTemporality", "aggregation_temporality", 2, Kind::Enum(&TEMPORALITIES)),
    ],
};

static EXPONENTIAL_HISTOGRAM: Shape = Shape {
    role: Role::Plain,
    expected: MEDIUM,
    fields: &[
        field("dataPoints", "data_points", 1, Kind::Messages(&EXPONENTIAL_POINT)),
        field("aggregationTemporality", "aggregation_temporality", 2, Kind::Enum(&TEMPORALITIES)),
    ],
};

static SUMMARY: Shape = Shape {
    role: Role::Plain,
    expected: MEDIUM,
    fields: &[field("dataPoints", "data_points", 1, Kind::Messages(&SUMMARY_POINT))],
};

static TEMPORALITIES: [&str; 3] = [
    "AGGREGATION_TEMPORALITY_UNSPECIFIED",
    "AGGREGATION_TEMPORALITY_DELTA",
    "AGGREGATION_TEMPORALITY_CUMULATIVE",
];

static NUMBER_POINT: Shape = Shape {
    role: Role::Item,
    expected: SMALL,
    fields: &[
        field("attributes", "attributes", 7, Kind::Messages(&KEY_VALUE)),
        field("startTimeUnixNano", "start_time_unix_nano", 2, Kind::Fixed64),
        field("timeUnixNano", "time_unix_nano", 3, Kind::Fixed64),
        one_of("asDouble", "as_double", 4, Kind::Double),
        one_of("asInt", "as_int", 6, Kind::Sfixed64),
        field("exemplars", "exemplars", 5, Kind::Messages(&EXEMPLAR)),
        field("flags", "flags", 8, Kind::Uint32),
    ],
};

static HISTOGRAM_POINT: Shape = Shape {
    role: Role::Histogram,
    expected: MEDIUM,
    fields: &[
        field("attributes", "attributes", 9, Kind::Messages(&KEY_VALUE)),
        field("startTimeUnixNano", "start_time_unix_nano", 2, Kind::Fixed64),
        field("timeUnixNano", "time_unix_nano", 3, Kind::Fixed64),
        field("count", "count", 4, Kind::Fixed64),
        optional("sum", "sum", 5, Kind::Double),
        field("bucketCounts", "bucket_counts", 6, Kind::Fixed64s),
        field("explicitBounds", "explicit_bounds", 7, Kind::Doubles),
        field("exemplars", "exemplars", 8, Kind::Messages(&EXEMPLAR)),
        field("flags", "flags", 10, Kind::Uint32),
        optional("min", "min", 11, Kind::Double),
        optional("max", "max", 12, Kind::Double),
    ],
};

static EXPONENTIAL_POINT: Shape = Shape {
    role: Role::Item,
    expected: MEDIUM,
    fields: &[
        field("attributes", "attributes", 1, Kind::Messages(&KEY_VALUE)),
        field("startTimeUnixNano", "start_time_unix_nano", 2, Kind::Fixed64),
        field("timeUnixNano", "time_unix_nano", 3, Kind::Fixed64),
        field("count", "count", 4, Kind::Fixed64),
        optional("sum", "sum", 5, Kind::Double),
        field("scale", "scale", 6, Kind::Sint32),
        field("zeroCount", "zero_count", 7, Kind::Fixed64),
        field("positive", "positive", 8, Kind::Message(&BUCKETS)),
        field("negative", "negative", 9, Kind::Message(&BUCKETS)),
        field("flags", "flags", 10, Kind::Uint32),
        field("exemplars", "exemplars", 11, Kind::Messages(&EXEMPLAR)),
        optional("min", "min", 12, Kind::Double),
        optional("max", "max", 13, Kind::Double),
        field("zeroThreshold", "zero_threshold", 14, Kind::Double),
    ],
};

static BUCKETS: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[
        field("offset", "offset", 1, Kind::Sint32),
        field("bucketCounts", "bucket_counts", 2, Kind::Uint64s),
    ],
};

static SUMMARY_POINT: Shape = Shape {
    role: Role::Item,
    expected: MEDIUM,
    fields: &[
        field("attributes", "attributes", 7, Kind::Messages(&KEY_VALUE)),
        field("startTimeUnixNano", "start_time_unix_nano", 2, Kind::Fixed64),
        field("timeUnixNano", "time_unix_nano", 3, Kind::Fixed64),
        field("count", "count", 4, Kind::Fixed64),
        field("sum", "sum", 5, Kind::Double),
        field("quantileValues", "quantile_values", 6, Kind::Messages(&QUANTILE)),
        field("flags", "flags", 8, Kind::Uint32),
    ],
};

static QUANTILE: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[field("quantile", "quantile", 1, Kind::Double), field("value", "value", 2, Kind::Double)],
};

static EXEMPLAR: Shape = Shape {
    role: Role::Plain,
    expected: SMALL,
    fields: &[
        field("filteredAttributes", "filtered_attributes", 7, Kind::Messages(&KEY_VALUE)),
        field("timeUnixNano", "time_unix_nano", 2, Kind::Fixed64),
        one_of("asDouble", "as_double", 3, Kind::Double),
        one_of("asInt", "as_int", 6, Kind::Sfixed64),
        field("spanId", "span_id", 4, Kind::Id(8)),
        field("traceId", "trace_id", 5, Kind::Id(16)),
    ],
};
