//! Points as an SDK encodes them, and the series that they become.

mod bounds;
mod convert;
mod model;

use super::*;
use crate::config::{self, Config};
use crate::metrics::rules::Rules;
use crate::metrics::series::PageValue;
use crate::metrics::{Pushing, Shard};
use crate::otlp::samples;
use crate::statsd::Dialect;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1 as proto;
use opentelemetry_proto::tonic::metrics::v1::metric::Data as Form;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;

const CUMULATIVE: i32 = 2;
const DELTA: i32 = 1;
/// Unix nanoseconds; points count from here in seconds.
const NOW: u64 = 1_800_000_000_000_000_000;

fn aggregator(config: &Config) -> Aggregator {
    let rules = Rules::compile(&config.rules, &config.metrics).unwrap();
    let (notes, _) = tokio::sync::mpsc::channel(1);
    Aggregator::new(config, rules, Pushing::Nothing, notes, 42, NOW)
}

fn shard(aggregator: &Aggregator) -> Shard {
    aggregator.shard(std::sync::Arc::default(), Dialect::default()).unwrap()
}

fn config(toml: &str) -> Config {
    config::load_text("test.toml", toml, &Default::default()).unwrap().config
}

fn time(seconds: u64) -> u64 {
    if seconds == 0 { 0 } else { NOW + seconds * 1_000_000_000 }
}

fn pair(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn pairs(all: &[(&str, &str)]) -> Vec<KeyValue> {
    all.iter().map(|(key, value)| pair(key, value)).collect()
}

/// A metric of one service, with its unit behind a space in the name.
fn request(service: &str, name: &str, data: Form) -> Vec<u8> {
    let (name, unit) = name.split_once(' ').unwrap_or((name, ""));
    let metric = proto::Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: "What it is.".to_owned(),
        data: Some(data),
        ..proto::Metric::default()
    };
    let scope = InstrumentationScope { name: "lib".to_owned(), ..InstrumentationScope::default() };
    let scope_metrics =
        proto::ScopeMetrics { scope: Some(scope), metrics: vec![metric], ..proto::ScopeMetrics::default() };
    let resource = Resource { attributes: pairs(&[("service.name", service)]), ..Resource::default() };
    proto::ResourceMetrics {
        resource: Some(resource),
        scope_metrics: vec![scope_metrics],
        ..proto::ResourceMetrics::default()
    }
    .encode_to_vec()
}

fn number(attributes: &[(&str, &str)], start: u64, at: u64, value: f64) -> proto::NumberDataPoint {
    proto::NumberDataPoint {
        attributes: pairs(attributes),
        start_time_unix_nano: time(start),
        time_unix_nano: time(at),
        value: Some(proto::number_data_point::Value::AsDouble(value)),
        ..proto::NumberDataPoint::default()
    }
}

fn sum(temporality: i32, is_monotonic: bool, points: Vec<proto::NumberDataPoint>) -> Form {
    Form::Sum(proto::Sum { data_points: points, aggregation_temporality: temporality, is_monotonic })
}

fn gauge(points: Vec<proto::NumberDataPoint>) -> Form {
    Form::Gauge(proto::Gauge { data_points: points })
}

/// Every series with its value as text, sorted.
fn shown(aggregator: &Aggregator) -> Vec<String> {
    let (mut ids, mut next) = (Vec::new(), Some(0));
    while let Some(from) = next {
        next = aggregator.births(from, 0..u64::MAX, &mut ids);
    }
    let mut all = Vec::new();
    aggregator.read(&ids, &mut |_, series| {
        let Some(series) = series else { return };
        let value = match series.value {
            PageValue::Number(number) => number.to_string(),
            PageValue::Histogram(h) => format!("{:?} {:?} {} {}", h.bounds, h.counts, h.count, h.sum),
            PageValue::Exponential(e) => {
                let side = |side: &Side| side.filled().collect::<Vec<_>>();
                format!(
                    "{} {} {:?} {:?} {}",
                    e.scale,
                    e.zero_count,
                    side(&e.positive),
                    side(&e.negative),
                    e.sum
                )
            }
            PageValue::Summary(s) => format!("{:?} {} {}", s.quantiles, s.count, s.sum),
            PageValue::Counter { total, .. } => format!("counter {total}"),
            PageValue::Gauge(value) => format!("gauge {value}"),
            PageValue::Set(_) | PageValue::Distribution(_) => "other".to_owned(),
        };
        all.push(format!("{} {value}", series.key.0.replace('\n', ",")));
    });
    all.sort();
    all
}

fn left_out(points: &Points) -> Vec<(&'static str, u64)> {
    let all = LeftOut::ALL.map(|why| (why.name(), points.tally().left_out(why)));
    all.into_iter().filter(|(_, n)| *n > 0).collect()
}

fn remarks(points: &Points) -> Vec<(&'static str, u64)> {
    let all = Remark::ALL.map(|remark| (remark.name(), points.tally().remarked(remark)));
    all.into_iter().filter(|(_, n)| *n > 0).collect()
}

#[test]
fn two_services_with_one_name_are_two_series() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    for (service, value) in [("cart", 3.0), ("shop", 4.0)] {
        let data = sum(CUMULATIVE, true, vec![number(&[("method", "GET")], 1, 2, value)]);
        points.take(&request(service, "http.requests", data), NOW);
    }
    assert_eq!(
        shown(&aggregator),
        [
            "http.requests,job:cart,method:GET,otel_scope_name:lib 3",
            "http.requests,job:shop,method:GET,otel_scope_name:lib 4"
        ]
    );
}

#[test]
fn names_take_their_units_and_words_their_places() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    let one = |value| vec![number(&[], 1, 2, value)];
    points.take(&request("s", "load 1", gauge(one(0.5))), NOW);
    points.take(&request("s", "sent_total By", sum(DELTA, true, one(7.0))), NOW);
    points.take(&request("s", "open {connection}", sum(CUMULATIVE, false, one(-2.0))), NOW);
    let all = "job:s,otel_scope_name:lib";
    assert_eq!(
        shown(&aggregator),
        [format!("load_ratio,{all} 0.5"), format!("open,{all} -2"), format!("sent_bytes_total,{all} 7")]
    );
    let mut words = Vec::new();
    aggregator.read(&[1], &mut |_, series| {
        let meta = series.unwrap().meta.unwrap().clone();
        words.push((meta.description, meta.unit));
    });
    assert_eq!(words, [("What it is.".into(), "bytes".into())]);
}

#[test]
fn attributes_of_all_types_become_labels_that_a_key_can_hold() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    let mut point = number(&[("a:b", "x:y"), ("line", "1\n2")], 0, 2, 1.0);
    let integer = Some(AnyValue { value: Some(any_value::Value::IntValue(7)) });
    point.attributes.push(KeyValue { key: "n".to_owned(), value: integer, ..KeyValue::default() });
    points.take(&request("s", "g", gauge(vec![point])), NOW);
    assert_eq!(shown(&aggregator), ["g,a_b:x:y,job:s,line:1\u{240a}2,n:7,otel_scope_name:lib 1"]);
}

#[test]
fn a_restart_goes_on_from_the_total() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    // The second run is past the first when it is seen: only its start tells.
    for (start, at, value) in [(1, 2, 10.0), (1, 3, 15.0), (4, 5, 20.0), (4, 6, 21.0)] {
        points.take(&request("s", "n", sum(CUMULATIVE, true, vec![number(&[], start, at, value)])), NOW);
    }
    // A fall without another start is a restart, too.
    for (start, at, value) in [(0, 7, 2.0), (0, 8, 3.0)] {
        points.take(&request("s", "n", sum(CUMULATIVE, true, vec![number(&[], start, at, value)])), NOW);
    }
    assert_eq!(shown(&aggregator), ["n,job:s,otel_scope_name:lib 39"]);
    assert_eq!((remarks(&points), left_out(&points)), (vec![("reset", 2)], vec![]));
}

#[test]
fn an_up_down_sum_shows_what_the_app_has_now() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    for (start, at, value) in [(1, 2, 10.0), (1, 3, 4.0), (5, 6, 1.0)] {
        points.take(&request("s", "c", sum(CUMULATIVE, false, vec![number(&[], start, at, value)])), NOW);
    }
    for (at, value) in [(2, 10.0), (3, -4.0)] {
        points.take(&request("s", "d", sum(DELTA, false, vec![number(&[], at - 1, at, value)])), NOW);
    }
    let all = "job:s,otel_scope_name:lib";
    assert_eq!(shown(&aggregator), [format!("c,{all} 1"), format!("d,{all} 6")]);
    assert_eq!(remarks(&points), []);
}

#[test]
fn what_comes_twice_or_late_is_not_counted_again() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    let send = |temporality, start, at, value| {
        let name = if temporality == DELTA { "d" } else { "c" };
        points.take(&request("s", name, sum(temporality, true, vec![number(&[], start, at, value)])), NOW);
    };
    for (start, at, value) in [(1, 2, 5.0), (1, 2, 5.0), (2, 3, 1.0), (5, 6, 2.0)] {
        send(DELTA, start, at, value);
    }
    for (start, at, value) in [(1, 4, 9.0), (1, 4, 9.0), (1, 3, 7.0)] {
        send(CUMULATIVE, start, at, value);
    }
    let all = "job:s,otel_scope_name:lib";
    assert_eq!(shown(&aggregator), [format!("c,{all} 9"), format!("d,{all} 8")]);
    assert_eq!((left_out(&points), remarks(&points)), (vec![("stale", 2)], vec![("gap", 1)]));
    assert_eq!(points.tally().shown(), 5);
}

#[test]
fn rules_hold_and_streams_that_become_one_add_up() {
    let aggregator = aggregator(&config(
        "[[rules]]\nmatch = 'noise.*'\ndrop = true\n\
         [[rules]]\nmatch = 'http.*'\nname = 'web.$1'\ndrop_tags = ['pid', 'otel_scope_name']\nset_tags = { team = 'a' }\n",
    ));
    let points = Points::new(aggregator.clone());
    points.take(&request("s", "noise.x", gauge(vec![number(&[], 0, 2, 1.0)])), NOW);
    for (at, first, second) in [(2, 10.0, 100.0), (3, 11.0, 120.0)] {
        let both = vec![number(&[("pid", "1")], 1, at, first), number(&[("pid", "2")], 1, at, second)];
        points.take(&request("s", "http.requests s", sum(CUMULATIVE, true, both)), NOW);
    }
    assert_eq!(shown(&aggregator), ["web.requests_seconds,job:s,team:a 131"]);
    assert_eq!(left_out(&points), [("ruled_out", 1)]);
}

#[test]
fn a_series_whose_app_has_no_value_is_gone_until_the_next() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    let send = |at, value, flags| {
        let point = proto::NumberDataPoint { flags, ..number(&[], 1, at, value) };
        points.take(&request("s", "n", sum(CUMULATIVE, true, vec![point])), NOW);
    };
    send(2, 5.0, 0);
    send(3, 0.0, 1);
    assert_eq!(shown(&aggregator), [""; 0]);
    send(4, 6.0, 0);
    assert_eq!(shown(&aggregator), ["n,job:s,otel_scope_name:lib 6"]);
    assert_eq!((points.tally().shown(), remarks(&points)), (3, vec![("ended", 1)]));
}

#[test]
fn histograms_and_summaries_add_up() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    let histogram = |start, at, counts: [u64; 3], sum| {
        let point = proto::HistogramDataPoint {
            start_time_unix_nano: time(start),
            time_unix_nano: time(at),
            count: counts.iter().sum(),
            sum: Some(sum),
            bucket_counts: counts.to_vec(),
            explicit_bounds: vec![1.0, 2.0],
            ..proto::HistogramDataPoint::default()
        };
        Form::Histogram(proto::Histogram { data_points: vec![point], aggregation_temporality: CUMULATIVE })
    };
    for (start, at, counts, sum) in [(1, 2, [1, 0, 2], 9.5), (1, 3, [1, 1, 2], 11.0), (4, 5, [0, 1, 0], 1.5)]
    {
        points.take(&request("s", "h", histogram(start, at, counts, sum)), NOW);
    }
    let summary = |start, at, count, sum| {
        let point = proto::SummaryDataPoint {
            start_time_unix_nano: time(start),
            time_unix_nano: time(at),
            count,
            sum,
            quantile_values: vec![proto::summary_data_point::ValueAtQuantile { quantile: 0.5, value: sum }],
            ..proto::SummaryDataPoint::default()
        };
        Form::Summary(proto::Summary { data_points: vec![point] })
    };
    for (start, at, count, sum) in [(1, 2, 3, 6.0), (1, 3, 4, 7.0), (4, 5, 1, 2.0)] {
        points.take(&request("s", "q", summary(start, at, count, sum)), NOW);
    }
    let all = "job:s,otel_scope_name:lib";
    assert_eq!(
        shown(&aggregator),
        [format!("h,{all} [1.0, 2.0] [1, 2, 2] 5 12.5"), format!("q,{all} [(0.5, 2.0)] 5 9")]
    );
    assert_eq!(remarks(&points), [("reset", 2)]);
}

#[test]
fn what_cannot_be_a_series_is_counted_by_reason() {
    let aggregator = aggregator(&config("[limits]\nname_bytes = 20\ntag_bytes = 20\ntags = 3\n"));
    let points = Points::new(aggregator.clone());
    let one = |value| vec![number(&[], 1, 2, value)];
    points.take(&request("s", "", gauge(one(1.0))), NOW);
    points.take(&request("s", "pillion.x", gauge(one(1.0))), NOW);
    points.take(&request("s", &"n".repeat(21), gauge(one(1.0))), NOW);
    points.take(&request("s", "a", gauge(vec![number(&[("k", &"v".repeat(20))], 1, 2, 1.0)])), NOW);
    points.take(&request("s", "b", gauge(vec![number(&[("a", ""), ("b", "")], 1, 2, 1.0)])), NOW);
    points.take(&request("s", "c", sum(DELTA, true, one(-1.0))), NOW);
    points.take(&request("s", "d", sum(DELTA, false, one(f64::INFINITY))), NOW);
    points.take(&request("s", "e", sum(0, true, one(1.0))), NOW);
    let bad = proto::HistogramDataPoint {
        count: 3,
        bucket_counts: vec![1, 1],
        explicit_bounds: vec![1.0],
        ..proto::HistogramDataPoint::default()
    };
    let bad = Form::Histogram(proto::Histogram { data_points: vec![bad], aggregation_temporality: DELTA });
    points.take(&request("s", "f", bad), NOW);
    assert_eq!(shown(&aggregator), [""; 0]);
    assert_eq!(
        left_out(&points),
        [
            ("bad_name", 1),
            ("reserved_name", 1),
            ("too_long", 2),
            ("too_many_tags", 1),
            ("bad_value", 2),
            ("bad_buckets", 1),
            ("no_temporality", 1)
        ]
    );
}

#[test]
fn a_crowd_folds_and_its_sums_are_kept() {
    let config = config("[metrics]\nname_limit = 10\ncontext_limit = 10\n");
    let aggregator = aggregator(&config);
    let points = Points::new(aggregator.clone());
    let limit = config.metrics.context_limit as u64 * 2 + 1_024;
    for (temporality, at, each) in [(CUMULATIVE, 2, 1.0), (CUMULATIVE, 3, 3.0)] {
        for id in 0..limit + 50 {
            let point = number(&[("id", &id.to_string())], 1, at, each);
            points.take(&request("s", "n", sum(temporality, true, vec![point])), NOW);
        }
    }
    let total: f64 =
        shown(&aggregator).iter().map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
    // Those without a place for where they stood are left out whole, at both times.
    assert_eq!(total, 3.0 * limit as f64);
    assert_eq!(left_out(&points), [("no_room", 100)]);
    assert_eq!(points.streams() as u64, limit);
    assert_eq!(points.tally().shown(), 2 * limit);
}

#[tokio::test]
async fn idle_series_leave_by_their_ttl_and_a_stream_that_comes_back_is_whole() {
    let aggregator = aggregator(&config("[[rules]]\nmatch = '*'\nttl = '20s'\n"));
    let points = Points::new(aggregator.clone());
    let send = |at, value| {
        points.take(&request("s", "n", sum(CUMULATIVE, true, vec![number(&[], 1, at, value)])), NOW);
    };
    send(2, 5.0);
    for window in 1..=4 {
        aggregator.close_window(NOW + window * 10_000_000_000, |_| {}).await;
    }
    assert_eq!(shown(&aggregator), [""; 0]);
    send(60, 8.0);
    assert_eq!(shown(&aggregator), ["n,job:s,otel_scope_name:lib 8"]);
}

#[tokio::test]
async fn what_a_silent_process_had_open_is_withdrawn_when_another_goes_on() {
    let aggregator = aggregator(&config("[[rules]]\nmatch = '*'\ndrop_tags = ['pid']\n"));
    let points = Points::new(aggregator.clone());
    let send = |pid, start, at, value| {
        let point = number(&[("pid", pid)], start, at, value);
        points.take(&request("s", "open", sum(CUMULATIVE, false, vec![point])), NOW);
    };
    send("1", 1, 2, 5.0);
    for window in 1..=32 {
        aggregator.close_window(NOW + window * 10_000_000_000, |_| {}).await;
        // Nobody else goes on until here.
        assert_eq!(shown(&aggregator), ["open,job:s,otel_scope_name:lib 5"]);
    }
    send("2", 320, 330, 3.0);
    assert_eq!(shown(&aggregator), ["open,job:s,otel_scope_name:lib 8"]);
    aggregator.close_window(NOW + 33 * 10_000_000_000, |_| {}).await;
    send("2", 320, 340, 4.0);
    assert_eq!(shown(&aggregator), ["open,job:s,otel_scope_name:lib 4"]);
    assert_eq!((remarks(&points), points.streams()), (vec![("withdrawn", 1)], 1));
}

#[test]
fn a_statsd_counter_of_the_same_name_and_tags_is_another_series() {
    let aggregator = aggregator(&Config::default());
    let points = Points::new(aggregator.clone());
    points.take(&request("s", "n", sum(CUMULATIVE, true, vec![number(&[], 1, 2, 5.0)])), NOW);
    let mut shard = shard(&aggregator);
    shard.ingest([&b"n:1|c|#job:s,otel_scope_name:lib"[..]].into_iter(), NOW);
    shard.finish(NOW);
    let all = "n,job:s,otel_scope_name:lib";
    assert_eq!(shown(&aggregator), [format!("{all} 5"), format!("{all} counter 1")]);
}

proptest! {
    /// Whatever the walk accepts is shown or left out for a reason.
    #[test]
    fn every_point_is_accounted_for(requests in prop::collection::vec(samples::metrics(), 1..4)) {
        let points = Points::new(aggregator(&Config::default()));
        let mut sent = 0;
        for resource in requests.iter().flat_map(|request| &request.resource_metrics) {
            points.take(&resource.encode_to_vec(), NOW);
            sent += samples::points_of(resource) as u64;
        }
        let left_out: u64 = left_out(&points).iter().map(|(_, n)| n).sum();
        prop_assert_eq!(points.tally().shown() + left_out, sent);
        shown(&points.aggregator);
    }
}
