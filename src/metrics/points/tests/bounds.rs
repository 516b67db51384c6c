//! What an app may not do, whatever it sends: make others pay, take memory without end, or make a total wrong.

use super::*;
use std::time::Instant;

/// A metric of a resource and a scope with these attributes.
fn described(resource: Vec<KeyValue>, scope: Vec<KeyValue>, data: Form) -> Vec<u8> {
    let metric = proto::Metric { name: "n".to_owned(), data: Some(data), ..proto::Metric::default() };
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1".to_owned(),
        attributes: scope,
        ..InstrumentationScope::default()
    };
    let scope_metrics =
        proto::ScopeMetrics { scope: Some(scope), metrics: vec![metric], ..Default::default() };
    let resource = Some(Resource { attributes: resource, ..Resource::default() });
    proto::ResourceMetrics { resource, scope_metrics: vec![scope_metrics], ..Default::default() }
        .encode_to_vec()
}

#[test]
fn a_unit_counts_as_a_part_of_the_name() {
    let aggregator = aggregator(&config("[limits]\nname_bytes = 20\n"));
    let points = Points::new(aggregator.clone());
    let one = || gauge(vec![number(&[], 1, 2, 1.0)]);
    points.take(&request("s", &format!("n {}", "u".repeat(19)), one()), NOW);
    points.take(&request("s", &format!("n {}", "u".repeat(18)), one()), NOW);
    // What stands in the name already takes no more room.
    points.take(&request("s", "open_in_total_seconds s", one()), NOW);
    points.take(&request("s", "open_for_all_seconds s", one()), NOW);
    let all = "job:s,otel_scope_name:lib";
    assert_eq!(
        shown(&aggregator),
        [format!("n_{},{all} 1", "u".repeat(18)), format!("open_for_all_seconds,{all} 1")]
    );
    assert_eq!(left_out(&points), [("too_long", 2)]);
}

#[test]
fn attributes_of_the_scope_cannot_change_its_name() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    let scope = pairs(&[("name", "x"), ("version", "x"), ("schema.url", "x"), ("names", "y")]);
    points.take(&described(vec![], scope, gauge(vec![number(&[], 0, 2, 1.0)])), NOW);
    assert_eq!(shown(&aggregator), ["n,otel_scope_name:lib,otel_scope_names:y,otel_scope_version:1 1"]);
}

#[test]
fn the_order_of_attributes_names_no_other_stream() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    for (at, attributes) in [(2, [("a", "1"), ("b", "2")]), (3, [("b", "2"), ("a", "1")])] {
        let point = number(&attributes, 1, at, at as f64);
        points.take(&request("s", "n", sum(CUMULATIVE, true, vec![point])), NOW);
    }
    points.take(
        &request("s", "n", sum(CUMULATIVE, true, vec![number(&[("a", "2"), ("b", "1")], 1, 2, 9.0)])),
        NOW,
    );
    let all = "job:s,otel_scope_name:lib";
    assert_eq!(shown(&aggregator), [format!("n,a:1,b:2,{all} 3"), format!("n,a:2,b:1,{all} 9")]);
}

#[test]
fn what_resource_and_scope_say_costs_once_and_not_for_each_point() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    let many = |n: usize| vec![KeyValue::default(); n];
    let crowd = || gauge((0..5_000).map(|id| number(&[("id", &id.to_string())], 0, 2, 1.0)).collect());
    let took = |resource, scope| {
        let request = described(resource, scope, crowd());
        let began = Instant::now();
        points.take(&request, NOW);
        began.elapsed()
    };
    let little = took(vec![], vec![]);
    let much = took(many(200_000), vec![]) + took(vec![], many(200_000));
    assert!(much < 20 * little, "{little:?} {much:?}");
    assert_eq!(left_out(&points), [("too_many_tags", 5_000)]);
}
