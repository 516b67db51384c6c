//! Data points and log records as OTLP's JSON has them, made flat: what two backends got can then be compared as a
//! whole. As `spans`, this shares nothing with the code under test.

use super::spans::{attributes, integer, items, plain, text};
use serde_json::{Value, json};

/// Every data point of these requests or lines of a file, with its metric, scope and resource, in a fixed order.
pub(crate) fn points(requests: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    for resource in requests.iter().flat_map(|request| items(request, "resourceMetrics")) {
        for scope in items(resource, "scopeMetrics") {
            for metric in items(scope, "metrics") {
                let around = around(resource, scope);
                all.extend(points_of(metric).map(|point| json!({ "around": around, "point": point })));
            }
        }
    }
    sorted(all)
}

/// Every log record, likewise.
pub(crate) fn records(requests: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    for resource in requests.iter().flat_map(|request| items(request, "resourceLogs")) {
        for scope in items(resource, "scopeLogs") {
            let around = around(resource, scope);
            let of = |one| json!({ "around": around, "record": record(one) });
            all.extend(items(scope, "logRecords").map(of));
        }
    }
    sorted(all)
}

fn sorted(mut all: Vec<Value>) -> Vec<Value> {
    all.sort_by_cached_key(Value::to_string);
    all
}

fn around(resource: &Value, scope: &Value) -> Value {
    json!({
        "resource": attributes(&resource["resource"]),
        "resource_schema": text(resource, "schemaUrl"),
        "scope": [text(&scope["scope"], "name"), text(&scope["scope"], "version")],
        "scope_attributes": attributes(&scope["scope"]),
        "scope_schema": text(scope, "schemaUrl"),
    })
}

fn points_of(metric: &Value) -> impl Iterator<Item = Value> {
    let kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
    kinds.into_iter().flat_map(move |kind| {
        let data = &metric[kind];
        let temporality = integer(&data["aggregationTemporality"]);
        let monotonic = data["isMonotonic"] == true;
        items(data, "dataPoints").map(move |point| {
            json!({
                "name": text(metric, "name"),
                "description": text(metric, "description"),
                "unit": text(metric, "unit"),
                "kind": kind,
                "temporality": temporality,
                "monotonic": monotonic,
                "attributes": attributes(point),
                "start": integer(&point["startTimeUnixNano"]),
                "time": integer(&point["timeUnixNano"]),
                "flags": integer(&point["flags"]),
                "value": number(point),
                "count": integer(&point["count"]),
                "sum": double(&point["sum"]),
                "min": double(&point["min"]),
                "max": double(&point["max"]),
                "counts": integers(point, "bucketCounts"),
                "bounds": items(point, "explicitBounds").map(double).collect::<Vec<_>>(),
                "scale": integer(&point["scale"]),
                "zero": [integer(&point["zeroCount"])],
                "zero_threshold": point["zeroThreshold"].as_f64().unwrap_or(0.0),
                "positive": buckets(&point["positive"]),
                "negative": buckets(&point["negative"]),
                "quantiles": items(point, "quantileValues")
                    .map(|one| json!([one["quantile"].as_f64().unwrap_or(0.0), one["value"].as_f64().unwrap_or(0.0)]))
                    .collect::<Vec<_>>(),
                "exemplars": items(point, "exemplars").map(exemplar).collect::<Vec<_>>(),
            })
        })
    })
}

/// Integers and doubles stay apart.
fn number(of: &Value) -> Value {
    match (&of["asInt"], &of["asDouble"]) {
        (Value::Null, Value::Null) => Value::Null,
        (Value::Null, number) => double(number),
        (number, Value::Null) => json!(integer(number)),
        both => panic!("two values: {both:?}"),
    }
}

/// A number of digits or, where JSON has none, words; null when absent.
fn double(value: &Value) -> Value {
    value.as_f64().map_or_else(|| value.clone(), |number| json!(number))
}

fn integers(of: &Value, key: &str) -> Vec<i64> {
    items(of, key).map(integer).collect()
}

fn buckets(of: &Value) -> Value {
    json!([integer(&of["offset"]), integers(of, "bucketCounts")])
}

fn exemplar(of: &Value) -> Value {
    let filtered = json!({ "attributes": of["filteredAttributes"] });
    json!({
        "value": number(of),
        "time": integer(&of["timeUnixNano"]),
        "trace_id": text(of, "traceId"),
        "span_id": text(of, "spanId"),
        "attributes": attributes(&filtered),
    })
}

fn record(of: &Value) -> Value {
    json!({
        "time": integer(&of["timeUnixNano"]),
        "observed": integer(&of["observedTimeUnixNano"]),
        "severity": integer(&of["severityNumber"]),
        "severity_text": text(of, "severityText"),
        "body": plain(&of["body"]),
        "attributes": attributes(of),
        "dropped_attributes": integer(&of["droppedAttributesCount"]),
        "flags": integer(&of["flags"]),
        "trace_id": text(of, "traceId"),
        "span_id": text(of, "spanId"),
        "event": text(of, "eventName"),
    })
}
