//! OTLP's JSON form of the metrics and logs that this backend makes: what `protocol = "http/json"` sends, what
//! the file backend writes and what tests read.
//!
//! Names in lower camel case, 64-bit integers as strings, enums as integers, fields at their default
//! left out, infinities as strings. Only the shapes that `metrics` and `logs` make are written: all
//! attributes are strings, there are no exemplars, ids or summaries.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A message that is written as OTLP JSON.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Json<'a, T>(pub(in crate::backend) &'a T);

/// A message as its JSON.
pub(in crate::backend) fn written<M>(message: &M) -> Vec<u8>
where
    for<'a> Json<'a, M>: Serialize,
{
    let mut out = Vec::new();
    // Writing into memory cannot fail, and every key of these shapes is a string.
    let written = serde_json::to_writer(&mut out, &Json(message));
    debug_assert!(written.is_ok(), "{written:?}");
    out
}

/// Several of them.
struct List<'a, T>(&'a [T]);

/// A 64-bit integer.
struct Text(u64);

struct Texts<'a>(&'a [u64]);

/// A double, finite or not.
struct Double(f64);

/// An object that leaves out what is absent or at its default.
struct Object<S: Serializer>(S::SerializeMap);

impl<S: Serializer> Object<S> {
    fn new(serializer: S) -> Result<Self, S::Error> {
        Ok(Object(serializer.serialize_map(None)?))
    }

    fn field(mut self, key: &'static str, value: &(impl Serialize + ?Sized)) -> Result<Self, S::Error> {
        self.0.serialize_entry(key, value)?;
        Ok(self)
    }

    fn field_if(
        self,
        is: bool,
        key: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<Self, S::Error> {
        if is { self.field(key, value) } else { Ok(self) }
    }

    fn text(self, key: &'static str, value: &str) -> Result<Self, S::Error> {
        self.field_if(!value.is_empty(), key, value)
    }

    fn time(self, key: &'static str, value: u64) -> Result<Self, S::Error> {
        self.field_if(value != 0, key, &Text(value))
    }

    fn double(self, key: &'static str, value: Option<f64>) -> Result<Self, S::Error> {
        match value {
            Some(value) => self.field(key, &Double(value)),
            None => Ok(self),
        }
    }

    fn list<'a, T>(self, key: &'static str, values: &'a [T]) -> Result<Self, S::Error>
    where
        Json<'a, T>: Serialize,
    {
        self.field_if(!values.is_empty(), key, &List(values))
    }

    fn message<'a, T>(self, key: &'static str, value: &'a Option<T>) -> Result<Self, S::Error>
    where
        Json<'a, T>: Serialize,
    {
        match value {
            Some(value) => self.field(key, &Json(value)),
            None => Ok(self),
        }
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

impl<'a, T> Serialize for List<'a, T>
where
    Json<'a, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Json))
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|value| Text(*value)))
    }
}

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else if self.0.is_nan() {
            serializer.serialize_str("NaN")
        } else {
            serializer.serialize_str(if self.0 > 0.0 { "Infinity" } else { "-Infinity" })
        }
    }
}

/// Implements `Serialize` for the JSON form of one message.
macro_rules! json {
    ($type:ty, |$message:ident, $object:ident| $body:expr) => {
        impl Serialize for Json<'_, $type> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let ($message, $object) = (self.0, Object::new(serializer)?);
                $body
            }
        }
    };
}

json!(ExportMetricsServiceRequest, |m, o| o.list("resourceMetrics", &m.resource_metrics)?.end());

json!(metrics::ResourceMetrics, |m, o| {
    o.message("resource", &m.resource)?.list("scopeMetrics", &m.scope_metrics)?.end()
});

json!(metrics::ScopeMetrics, |m, o| o.message("scope", &m.scope)?.list("metrics", &m.metrics)?.end());

json!(metrics::Metric, |m, o| {
    let object = o.text("name", &m.name)?.text("description", &m.description)?.text("unit", &m.unit)?;
    match &m.data {
        Some(metrics::metric::Data::Gauge(gauge)) => object.field("gauge", &Json(gauge))?,
        Some(metrics::metric::Data::Sum(sum)) => object.field("sum", &Json(sum))?,
        Some(metrics::metric::Data::Histogram(histogram)) => object.field("histogram", &Json(histogram))?,
        Some(metrics::metric::Data::ExponentialHistogram(histogram)) => {
            object.field("exponentialHistogram", &Json(histogram))?
        }
        Some(metrics::metric::Data::Summary(_)) | None => object,
    }
    .end()
});

json!(metrics::Gauge, |m, o| o.list("dataPoints", &m.data_points)?.end());

json!(metrics::Sum, |m, o| {
    o.list("dataPoints", &m.data_points)?
        .field("aggregationTemporality", &m.aggregation_temporality)?
        .field_if(m.is_monotonic, "isMonotonic", &m.is_monotonic)?
        .end()
});

json!(metrics::Histogram, |m, o| {
    o.list("dataPoints", &m.data_points)?.field("aggregationTemporality", &m.aggregation_temporality)?.end()
});

json!(metrics::ExponentialHistogram, |m, o| {
    o.list("dataPoints", &m.data_points)?.field("aggregationTemporality", &m.aggregation_temporality)?.end()
});

json!(metrics::NumberDataPoint, |m, o| {
    let object = o
        .list("attributes", &m.attributes)?
        .time("startTimeUnixNano", m.start_time_unix_nano)?
        .time("timeUnixNano", m.time_unix_nano)?;
    match m.value {
        Some(metrics::number_data_point::Value::AsDouble(value)) => {
            object.field("asDouble", &Double(value))?
        }
        Some(metrics::number_data_point::Value::AsInt(value)) => object.field("asInt", &value.to_string())?,
        None => object,
    }
    .end()
});

json!(metrics::HistogramDataPoint, |m, o| {
    o.list("attributes", &m.attributes)?
        .time("startTimeUnixNano", m.start_time_unix_nano)?
        .time("timeUnixNano", m.time_unix_nano)?
        .field("count", &Text(m.count))?
        .double("sum", m.sum)?
        .field("bucketCounts", &Texts(&m.bucket_counts))?
        .field("explicitBounds", &m.explicit_bounds)?
        .double("min", m.min)?
        .double("max", m.max)?
        .end()
});

json!(metrics::ExponentialHistogramDataPoint, |m, o| {
    o.list("attributes", &m.attributes)?
        .time("startTimeUnixNano", m.start_time_unix_nano)?
        .time("timeUnixNano", m.time_unix_nano)?
        .field("count", &Text(m.count))?
        .double("sum", m.sum)?
        .field_if(m.scale != 0, "scale", &m.scale)?
        .field_if(m.zero_count != 0, "zeroCount", &Text(m.zero_count))?
        .message("positive", &m.positive)?
        .message("negative", &m.negative)?
        .double("min", m.min)?
        .double("max", m.max)?
        .end()
});

json!(metrics::exponential_histogram_data_point::Buckets, |m, o| {
    o.field_if(m.offset != 0, "offset", &m.offset)?
        .field_if(!m.bucket_counts.is_empty(), "bucketCounts", &Texts(&m.bucket_counts))?
        .end()
});

json!(ExportLogsServiceRequest, |m, o| o.list("resourceLogs", &m.resource_logs)?.end());

json!(ResourceLogs, |m, o| o.message("resource", &m.resource)?.list("scopeLogs", &m.scope_logs)?.end());

json!(ScopeLogs, |m, o| o.message("scope", &m.scope)?.list("logRecords", &m.log_records)?.end());

json!(LogRecord, |m, o| {
    o.time("timeUnixNano", m.time_unix_nano)?
        .field("severityNumber", &m.severity_number)?
        .text("severityText", &m.severity_text)?
        .message("body", &m.body)?
        .list("attributes", &m.attributes)?
        .text("eventName", &m.event_name)?
        .end()
});

json!(Resource, |m, o| o.list("attributes", &m.attributes)?.end());

json!(InstrumentationScope, |m, o| o.text("name", &m.name)?.text("version", &m.version)?.end());

json!(KeyValue, |m, o| o.field("key", &m.key)?.message("value", &m.value)?.end());

json!(AnyValue, |m, o| {
    match &m.value {
        Some(any_value::Value::StringValue(text)) => o.field("stringValue", text)?,
        Some(any_value::Value::BoolValue(value)) => o.field("boolValue", value)?,
        Some(any_value::Value::IntValue(value)) => o.field("intValue", &value.to_string())?,
        Some(any_value::Value::DoubleValue(value)) => o.field("doubleValue", &Double(*value))?,
        Some(
            any_value::Value::ArrayValue(_)
            | any_value::Value::KvlistValue(_)
            | any_value::Value::BytesValue(_)
            | any_value::Value::StringValueStrindex(_),
        )
        | None => o,
    }
    .end()
});
