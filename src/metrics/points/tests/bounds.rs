//! What an app may not do, whatever it sends: make others pay, take memory without end, or make a total wrong.

use super::*;

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
fn points_without_room_for_their_stream_take_no_series_from_others() {
    let config = config(
        "[metrics]\nname_limit = 2000\ncontext_limit = 2000\n[[rules]]\nmatch = 'one'\ndrop_tags = ['id']\n",
    );
    let aggregator = aggregator(&config);
    let points = Points::new(aggregator.clone());
    let limit = config.metrics.context_limit * 2 + 1_024;
    // One series of so many streams that no other is remembered.
    let many = (0..limit).map(|id| number(&[("id", &id.to_string())], 1, 2, 1.0)).collect();
    points.take(&request("s", "one", sum(CUMULATIVE, true, many)), NOW);
    let more = (0..500).map(|id| number(&[("id", &id.to_string())], 1, 2, 1.0)).collect();
    points.take(&request("s", "other", sum(CUMULATIVE, true, more)), NOW);
    assert_eq!((left_out(&points), points.streams()), (vec![("no_room", 500)], limit));
    assert_eq!(aggregator.lock().contexts.live(), 1);
}

#[test]
fn a_stream_that_ends_takes_nothing_from_those_it_was_folded_with() {
    let aggregator = aggregator(&config("[metrics]\nname_limit = 1\n"));
    let points = Points::new(aggregator.clone());
    let send = |id: &str, at, value, flags| {
        let point = proto::NumberDataPoint { flags, ..number(&[("id", id)], 1, at, value) };
        points.take(&request("s", "n", sum(CUMULATIVE, true, vec![point])), NOW);
    };
    for (id, value) in [("a", 1.0), ("b", 2.0), ("c", 4.0)] {
        send(id, 2, value, 0);
    }
    send("b", 3, 0.0, 1);
    send("c", 3, 5.0, 0);
    // It is where it was: nothing of it counts again.
    send("b", 4, 3.0, 0);
    let sums: Vec<_> =
        shown(&aggregator).iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(sums, ["1", "8"]);
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
fn a_time_in_the_future_does_not_silence_what_comes_after_it() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    for (now, start, at, value) in [(2, 1, 2, 5.0), (3, 1, 9_000, 6.0), (4, 1, 4, 7.0), (5, 1, 3, 6.5)] {
        points.take(&request("s", "g", gauge(vec![number(&[], 0, at, value)])), time(now));
        points
            .take(&request("s", "c", sum(CUMULATIVE, true, vec![number(&[], start, at, value)])), time(now));
    }
    // A process that believed to begin in the future, and the next one.
    for (now, start, at, value) in [(6, 9_000, 9_001, 10.0), (7, 7, 8, 1.0), (8, 7, 9, 3.0)] {
        points
            .take(&request("s", "d", sum(CUMULATIVE, true, vec![number(&[], start, at, value)])), time(now));
    }
    let all = "job:s,otel_scope_name:lib";
    assert_eq!(shown(&aggregator), [format!("c,{all} 7"), format!("d,{all} 13"), format!("g,{all} 7")]);
    assert_eq!((left_out(&points), remarks(&points)), (vec![("stale", 2)], vec![("reset", 1)]));
}

#[test]
fn what_resource_and_scope_say_costs_once_and_not_for_each_point() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    let many = |n: usize| vec![KeyValue::default(); n];
    let crowd = || gauge((0..5_000).map(|id| number(&[("id", &id.to_string())], 0, 2, 1.0)).collect());
    let took = |resource, scope| {
        let request = described(resource, scope, crowd());
        let began = crate::clock::monotonic();
        points.take(&request, NOW);
        began.elapsed()
    };
    let little = took(vec![], vec![]);
    let much = took(many(200_000), vec![]) + took(vec![], many(200_000));
    assert!(much < 20 * little, "{little:?} {much:?}");
    assert_eq!(left_out(&points), [("too_many_tags", 5_000)]);
}

#[tokio::test]
async fn streams_go_with_their_series() {
    let aggregator = aggregator(&config("[[rules]]\nmatch = '*'\nttl = '20s'\n"));
    let points = Points::new(aggregator.clone());
    for round in 0..8 {
        let crowd = (0..3_000).map(|id| number(&[("id", &format!("{round} {id}"))], 1, 2, 1.0)).collect();
        points.take(&request("s", "n", sum(CUMULATIVE, true, crowd)), NOW);
        for window in 1..=4 {
            aggregator.close_window(NOW + (4 * round + window) * 10_000_000_000, |_| {}).await;
        }
    }
    assert!(points.streams() <= 9_000, "{}", points.streams());
}
