//! What `tests/clients/otel_metrics.py` and its twin in Node measure: every instrument, in two rounds that are exported
//! one by one; and the comparison of what arrived with it.

use super::sdk::{Sdk, Temporality};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The span in which Python's first round is measured.
pub(crate) const TRACE_ID: &str = "640cfd8d00000000778ac6d9d5a3b001";
pub(crate) const SPAN_ID: &str = "3000000000000001";
/// The observable instruments.
const OBSERVED: [&str; 3] = ["served", "workers", "fill"];
/// The bounds of `latency`.
const BOUNDS: [f64; 2] = [1.0, 10.0];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    UpDownCounter,
    Gauge,
    Histogram,
    ExponentialHistogram,
}
use Kind::{Counter, ExponentialHistogram, Gauge, Histogram, UpDownCounter};

/// A series and what the exports of a run have of it: numbers or, of a histogram, the values that it holds.
struct Series {
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    attributes: Value,
    in_deltas: Value,
    in_totals: Value,
}

/// What a run sends. Of a sum that may fall and of a gauge it is the same under both preferences.
#[rustfmt::skip]
fn measured() -> Vec<Series> {
    let series = |name, kind, unit, attributes, in_deltas, in_totals| {
        Series { name, kind, unit, attributes, in_deltas, in_totals }
    };
    let book = json!({ "kind": "book", "paid": true });
    let pen = json!({ "kind": "pen", "paid": false });
    let root = json!({ "route": "/" });
    let none = || json!({});
    vec![
        //     name            kind                  unit       attributes  in deltas            in totals
        series("orders",       Counter,              "{order}", book,       json!([3, 4]),       json!([3, 7])),
        series("orders",       Counter,              "{order}", pen,        json!([2]),          json!([2, 2])),
        series("weight",       Counter,              "g",       none(),     json!([2.5]),        json!([2.5, 2.5])),
        series("queue.length", UpDownCounter,        "",        none(),     json!([3, 4]),       json!([3, 4])),
        series("temperature",  Gauge,                "Cel",     none(),     json!([21.5, 22.5]), json!([21.5, 22.5])),
        series("latency",      Histogram,            "s",       none(),
               json!([[0.5, 5, 50], [0.25]]), json!([[0.5, 5, 50], [0.5, 5, 50, 0.25]])),
        series("size",         ExponentialHistogram, "By",      none(),
               json!([[0, 1, 2, 4], [8]]),    json!([[0, 1, 2, 4], [0, 1, 2, 4, 8]])),
        series("served",       Counter,              "",        root,       json!([10, 15]),     json!([10, 25])),
        series("workers",      UpDownCounter,        "",        none(),     json!([8, 6]),       json!([8, 6])),
        series("fill",         Gauge,                "1",       none(),     json!([0.75, 0.5]),  json!([0.75, 0.5])),
    ]
}

/// The preference of the app, and what its points were made.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) from: Temporality,
    pub(crate) to: Temporality,
}

impl Way {
    fn changes(self, kind: Kind) -> bool {
        self.from != self.to && matches!(kind, Counter | Histogram | ExponentialHistogram)
    }
}

impl Series {
    fn exports(&self, Way { from, to }: Way) -> Vec<Value> {
        let all = |temporality: Temporality| match temporality {
            Temporality::Delta => self.in_deltas.as_array().unwrap().clone(),
            Temporality::Cumulative => self.in_totals.as_array().unwrap().clone(),
        };
        // A point is made of each that came: nothing new is a delta of zero.
        let mut exports = all(to);
        exports.resize(all(from).len(), json!(0));
        exports
    }
}

/// How many points a run sends.
pub(crate) fn count(temporality: Temporality) -> usize {
    let way = Way { from: temporality, to: temporality };
    measured().iter().map(|series| series.exports(way).len()).sum()
}

/// Asserts that these points are those of `runs` of the app `service`, one after another, and no other.
pub(crate) fn expect(points: &[Value], sdk: Sdk, temporality: Temporality, service: &str, runs: usize) {
    expect_made(points, sdk, Way { from: temporality, to: temporality }, service, runs);
}

/// The same of points that may have been converted.
pub(crate) fn expect_made(points: &[Value], sdk: Sdk, way: Way, service: &str, runs: usize) {
    let of_service = |point: &&Value| point["around"]["resource"]["service.name"] == service;
    let points: Vec<&Value> = points.iter().filter(of_service).collect();
    assert_eq!(points.len(), runs * count(way.from), "points of {service}: {points:#?}");
    for point in &points {
        expect_around(&point["around"]);
    }
    for series in measured() {
        let is_of = |point: &&Value| point["name"] == series.name && point["attributes"] == series.attributes;
        let mut found: Vec<&Value> = points.iter().map(|point| &point["point"]).filter(is_of).collect();
        found.sort_by_key(|point| point["time"].as_i64());
        let exports = series.exports(way);
        assert_eq!(found.len(), runs * exports.len(), "{} {}: {found:#?}", series.name, series.attributes);
        for run in found.chunks(exports.len()) {
            for (point, want) in run.iter().zip(&exports) {
                expect_point(point, &series, way, want);
            }
        }
        if sdk == Sdk::Python && !OBSERVED.contains(&series.name) {
            expect_exemplar(found[0]);
        }
        if series.kind != Gauge {
            expect_starts(&found, exports.len());
        }
    }
}

fn expect_around(around: &Value) {
    assert_eq!(around["scope"], json!(["checkout", "4.5.6"]));
    for (key, value) in [("service.version", "1.2.3"), ("service.instance.id", "i-7")] {
        assert_eq!(around["resource"][key], value, "{around:#}");
    }
}

fn expect_point(point: &Value, series: &Series, way: Way, want: &Value) {
    let asked = way.to as i64;
    let always_total = Temporality::Cumulative as i64;
    let (kind, monotonic, temporality) = match series.kind {
        Counter => ("sum", true, asked),
        UpDownCounter => ("sum", false, always_total),
        Gauge => ("gauge", false, 0),
        Histogram => ("histogram", false, asked),
        ExponentialHistogram => ("exponentialHistogram", false, asked),
    };
    let found = [&point["kind"], &point["monotonic"], &point["temporality"], &point["unit"]];
    let facts = [&json!(kind), &json!(monotonic), &json!(temporality), &json!(series.unit)];
    assert_eq!(found, facts, "{point:#}");
    let value = match series.kind {
        Counter | UpDownCounter | Gauge => json!(point["value"].as_f64()),
        Histogram => holds(point, json!([point["bounds"], point["counts"]])),
        ExponentialHistogram => holds(
            point,
            json!({
                "zero": point["zero"][0], "below": filled(&point["negative"]), "above": filled(&point["positive"]),
            }),
        ),
    };
    let values: Option<Vec<f64>> =
        want.as_array().map(|values| values.iter().map(|v| v.as_f64().unwrap()).collect());
    let mut want = match (series.kind, values) {
        (Histogram, Some(values)) => held(&values, json!([BOUNDS, in_bounds(&values)])),
        (ExponentialHistogram, Some(values)) => {
            let zeros = values.iter().filter(|value| **value == 0.0).count();
            let above = in_scale(&values, point["scale"].as_i64().unwrap());
            held(&values, json!({ "zero": zeros, "below": {}, "above": above }))
        }
        _ => json!(want.as_f64()),
    };
    if want.is_object() && way.changes(series.kind) {
        // They are of another span of time.
        (want["min"], want["max"]) = (json!(null), json!(null));
    }
    assert_eq!(value, want, "{point:#}");
    if series.name == "orders" {
        assert!(point["value"].is_i64(), "an integer stays one: {point:#}");
        assert_eq!(point["description"], "Orders taken.");
    }
}

/// What a point of a histogram says.
fn holds(point: &Value, buckets: Value) -> Value {
    json!({
        "count": point["count"], "sum": point["sum"], "min": point["min"], "max": point["max"], "buckets": buckets,
    })
}

/// What it must say of these values.
fn held(values: &[f64], buckets: Value) -> Value {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = values.iter().sum();
    json!({ "count": values.len(), "sum": sum, "min": least, "max": most, "buckets": buckets })
}

fn in_bounds(values: &[f64]) -> [usize; BOUNDS.len() + 1] {
    let mut counts = [0; BOUNDS.len() + 1];
    for value in values {
        counts[BOUNDS.iter().filter(|bound| value > bound).count()] += 1;
    }
    counts
}

/// The buckets by index that powers of two fall into; bucket `i` ends at, and holds, 2^((i + 1) / 2^scale).
fn in_scale(values: &[f64], scale: i64) -> BTreeMap<i64, u64> {
    let mut buckets = BTreeMap::new();
    for value in values.iter().filter(|value| **value != 0.0) {
        let index = value.log2() as i64 * (1 << scale) - 1;
        *buckets.entry(index).or_default() += 1;
    }
    buckets
}

/// The buckets by index that have something in them.
fn filled(buckets: &Value) -> BTreeMap<i64, u64> {
    let (offset, counts) = (buckets[0].as_i64().unwrap(), buckets[1].as_array().unwrap());
    let counts = counts.iter().map(|count| count.as_u64().unwrap());
    (offset..).zip(counts).filter(|(_, count)| *count > 0).collect()
}

/// What was measured in a span says so.
fn expect_exemplar(first: &Value) {
    let exemplar = &first["exemplars"][0];
    assert_eq!(
        (&exemplar["trace_id"], &exemplar["span_id"]),
        (&json!(TRACE_ID), &json!(SPAN_ID)),
        "{first:#}"
    );
}

/// Time goes on; and a run after another is told from it by its start, which is what a reader knows a reset by.
fn expect_starts(points: &[&Value], exports: usize) {
    let mut before = 1_600_000_000_000_000_000;
    for run in points.chunks(exports) {
        for point in run {
            let (start, time) = (point["start"].as_i64().unwrap(), point["time"].as_i64().unwrap());
            assert!(start > before && time >= start, "{points:#?}");
        }
        before = run[exports - 1]["time"].as_i64().unwrap();
    }
}
