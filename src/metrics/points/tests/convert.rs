//! Conversions for a backend: each kind in each direction, and all that cannot be converted.

use super::*;
use crate::config::PointTemporality::{self, Cumulative, Delta, Unchanged};
use crate::metrics::points::{Conversion, Converter, Unconverted};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use proto::number_data_point::Value::{AsDouble, AsInt};

/// When the agent has started, in seconds.
const SINCE: u64 = 10;

pub(super) fn converter(to: PointTemporality, toml: &str) -> Converter {
    Converter::new(to, &config(toml), 42, time(SINCE)).unwrap()
}

/// What is left of a message, and what is left out.
pub(super) fn convert(converter: &mut Converter, message: &[u8]) -> (Vec<u8>, Vec<Unconverted>) {
    let converted = converter.convert(message, NOW, usize::MAX);
    let left_out = Unconverted::ALL.into_iter();
    let left_out =
        left_out.flat_map(|why| std::iter::repeat_n(why, converted.left_out(why) as usize)).collect();
    (converted.bytes.unwrap_or_else(|| message.to_vec()), left_out)
}

/// The only metric in a message, if there is one.
pub(super) fn data(message: &[u8]) -> Option<Form> {
    let all = proto::ResourceMetrics::decode(message).unwrap();
    all.scope_metrics.into_iter().next()?.metrics.into_iter().next()?.data
}

/// Sends points of one sum, each in a message of its own: start, time and value of what comes out (in seconds), or
/// why nothing does.
fn sums(
    converter: &mut Converter,
    temporality: i32,
    is_monotonic: bool,
    points: &[(u64, u64, f64)],
) -> Vec<Result<(u64, u64, f64), Unconverted>> {
    let seconds = |ns: u64| if ns == 0 { 0 } else { (ns - NOW) / 1_000_000_000 };
    let one = |(start, at, value): &(u64, u64, f64)| {
        let point = number(&[("k", "v")], *start, *at, *value);
        let (message, left_out) =
            convert(converter, &request("s", "n", sum(temporality, is_monotonic, vec![point])));
        let Some(Form::Sum(sum)) = data(&message) else { return Err(left_out[0]) };
        assert_eq!((left_out, sum.data_points.len()), (vec![], 1));
        let point = &sum.data_points[0];
        let Some(AsDouble(value)) = point.value else { panic!("{point:?}") };
        assert_eq!(point.attributes, pairs(&[("k", "v")]));
        Ok((seconds(point.start_time_unix_nano), seconds(point.time_unix_nano), value))
    };
    points.iter().map(one).collect()
}

fn done(converter: &Converter) -> (u64, u64, u64) {
    let Conversion { converted, resets, gaps, .. } = converter.done();
    (converted, resets, gaps)
}

#[test]
fn deltas_add_up_since_the_first() {
    let mut to = converter(Cumulative, "");
    let deltas = [(1, 2, 5.0), (2, 3, 0.0), (3, 4, 2.5), (3, 4, 2.5), (6, 7, 1.0), (4, 5, 4.0), (7, 8, 1.0)];
    let totals = [
        Ok((1, 2, 5.0)),
        Ok((1, 3, 5.0)),
        Ok((1, 4, 7.5)),
        // It came twice.
        Err(Unconverted::Stale),
        // Nothing covers 4 to 6.
        Ok((1, 7, 8.5)),
        // What comes late counts, but time does not go back.
        Ok((1, 7, 12.5)),
        Ok((1, 8, 13.5)),
    ];
    assert_eq!(sums(&mut to, DELTA, true, &deltas), totals);
    assert_eq!(done(&to), (6, 0, 1));
    // A sum that may fall.
    let mut to = converter(Cumulative, "");
    let falling = sums(&mut to, DELTA, false, &[(1, 2, 5.0), (2, 3, -7.0)]);
    assert_eq!(falling, [Ok((1, 2, 5.0)), Ok((1, 3, -2.0))]);
}

#[test]
fn totals_become_what_is_new_since_the_last() {
    let mut to = converter(Delta, "");
    let totals = [
        (11, 12, 5.0),
        (11, 13, 7.5),
        (11, 13, 7.5),
        (11, 12, 5.0),
        (11, 15, 7.5),
        (16, 17, 9.0),
        (16, 18, 9.5),
    ];
    let deltas = [
        Ok((11, 12, 5.0)),
        Ok((12, 13, 2.5)),
        Err(Unconverted::Stale),
        Err(Unconverted::Stale),
        Ok((13, 15, 0.0)),
        // The app has begun anew.
        Ok((16, 17, 9.0)),
        Ok((17, 18, 0.5)),
    ];
    assert_eq!(sums(&mut to, CUMULATIVE, true, &totals), deltas);
    assert_eq!(done(&to), (5, 1, 0));
}

#[test]
fn a_total_that_falls_is_new_since_the_last() {
    let mut to = converter(Delta, "");
    let deltas = sums(&mut to, CUMULATIVE, true, &[(11, 12, 5.0), (11, 13, 2.0), (11, 14, 3.0)]);
    assert_eq!(deltas, [Ok((11, 12, 5.0)), Ok((12, 13, 2.0)), Ok((13, 14, 1.0))]);
    assert_eq!(done(&to).1, 1);
}

#[test]
fn totals_whose_beginning_is_not_known_are_where_the_next_begins() {
    for (start, why) in [
        (0, Unconverted::UnknownStart),
        // The data model's way to say so.
        (12, Unconverted::UnknownStart),
        // An agent before this one may have sent it.
        (9, Unconverted::Gap),
    ] {
        let mut to = converter(Delta, "");
        let deltas = sums(&mut to, CUMULATIVE, true, &[(start, 12, 5.0), (start, 13, 7.0)]);
        assert_eq!(deltas, [Err(why), Ok((12, 13, 2.0))]);
    }
    let mut to = converter(Delta, "");
    let deltas = sums(&mut to, CUMULATIVE, true, &[(11, 12, 5.0), (14, 14, 3.0), (14, 15, 4.0)]);
    assert_eq!(deltas, [Ok((11, 12, 5.0)), Err(Unconverted::UnknownStart), Ok((14, 15, 1.0))]);
}

#[test]
fn what_is_as_wanted_or_cannot_be_otherwise_is_the_same_bytes() {
    let one = || vec![number(&[], 11, 12, 1.0)];
    let summary = Form::Summary(proto::Summary { data_points: vec![proto::SummaryDataPoint::default()] });
    for (to, form) in [
        (Delta, sum(DELTA, true, one())),
        (Delta, sum(DELTA, false, one())),
        (Delta, sum(CUMULATIVE, false, one())),
        (Delta, sum(0, true, one())),
        (Delta, gauge(one())),
        (Delta, summary.clone()),
        (Cumulative, sum(CUMULATIVE, true, one())),
        (Cumulative, sum(CUMULATIVE, false, one())),
        (Cumulative, sum(0, false, one())),
        (Cumulative, gauge(one())),
        (Cumulative, summary),
    ] {
        let mut to = converter(to, "");
        let message = request("s", "n", form);
        assert!(!to.concerns(&message));
        assert_eq!(to.convert(&message, NOW, usize::MAX).bytes, None);
        assert_eq!(to.done(), Conversion::default());
    }
    assert!(Converter::new(Unchanged, &Config::default(), 1, 1).is_none());
}

#[test]
fn beside_a_metric_that_changes_all_others_are_the_same_bytes() {
    let message = |form: Form| {
        let mut all = proto::ResourceMetrics::decode(&request("s", "changes", form)[..]).unwrap();
        let others =
            [gauge(vec![number(&[], 0, 12, 3.0)]), sum(CUMULATIVE, true, vec![number(&[], 1, 2, 4.0)])];
        let metrics = &mut all.scope_metrics[0].metrics;
        for (name, data) in ["gauge", "total"].into_iter().zip(others) {
            metrics.push(proto::Metric {
                name: name.to_owned(),
                data: Some(data),
                ..proto::Metric::default()
            });
        }
        let empty = proto::Metric { name: "empty".to_owned(), ..proto::Metric::default() };
        metrics.insert(0, empty);
        all.schema_url = "https://schema".to_owned();
        all.scope_metrics.push(proto::ScopeMetrics::default());
        // A field that nobody knows, in the resource's metrics.
        [all.encode_to_vec(), vec![0xfa, 0x01, 1, b'x']].concat()
    };
    let mut point = number(&[("k", "v")], 1, 12, 3.0);
    point.flags = 256;
    point.exemplars = vec![proto::Exemplar { time_unix_nano: 7, ..proto::Exemplar::default() }];
    let (bytes, _) = convert(&mut converter(Cumulative, ""), &message(sum(DELTA, true, vec![point.clone()])));
    // A first delta is its own total.
    let expected = message(sum(CUMULATIVE, true, vec![point.clone()]));
    assert_eq!(proto::ResourceMetrics::decode(&bytes[..]), proto::ResourceMetrics::decode(&expected[..]));
    assert!(bytes.ends_with(&[0xfa, 0x01, 1, b'x']));
    let others = &expected[expected.windows(5).position(|five| five == b"gauge").unwrap()..];
    assert!(bytes.ends_with(others));

    // Of a metric whose points are all left out nothing is left.
    point.value = Some(AsDouble(-1.0));
    let (bytes, left_out) = convert(&mut converter(Cumulative, ""), &message(sum(DELTA, true, vec![point])));
    let left = proto::ResourceMetrics::decode(&bytes[..]).unwrap();
    let names: Vec<&str> = left.scope_metrics[0].metrics.iter().map(|metric| &metric.name[..]).collect();
    assert_eq!((names, left.scope_metrics.len()), (vec!["empty", "gauge", "total"], 2));
    assert_eq!(left_out, [Unconverted::BadValue]);
}

#[test]
fn whole_numbers_stay_whole_and_exact() {
    let large = (1 << 60) + 1;
    let send = |to: &mut Converter, temporality, at, value| {
        let point = proto::NumberDataPoint { value: Some(value), ..number(&[], 11, at, 0.0) };
        let (message, _) = convert(to, &request("s", "n", sum(temporality, true, vec![point])));
        let Some(Form::Sum(sum)) = data(&message) else { panic!() };
        sum.data_points[0].value.unwrap()
    };
    let mut to = converter(Cumulative, "");
    assert_eq!(send(&mut to, DELTA, 12, AsInt(large)), AsInt(large));
    assert_eq!(send(&mut to, DELTA, 13, AsInt(2)), AsInt(large + 2));
    // Beyond what fits, and beside others.
    assert_eq!(send(&mut to, DELTA, 14, AsInt(i64::MAX)), AsDouble((large + 2) as f64 + i64::MAX as f64));
    let mut to = converter(Delta, "");
    assert_eq!(send(&mut to, CUMULATIVE, 12, AsInt(large)), AsInt(large));
    assert_eq!(send(&mut to, CUMULATIVE, 13, AsInt(large + 3)), AsInt(3));
    assert_eq!(send(&mut to, CUMULATIVE, 14, AsInt(5)), AsInt(5));
    assert_eq!(send(&mut to, CUMULATIVE, 15, AsDouble(5.5)), AsDouble(0.5));
}

fn histogram(at: u64, sum: Option<f64>, bounds: &[f64], counts: &[u64]) -> proto::HistogramDataPoint {
    proto::HistogramDataPoint {
        start_time_unix_nano: time(at - 1),
        time_unix_nano: time(at),
        count: counts.iter().sum(),
        sum,
        bucket_counts: counts.to_vec(),
        explicit_bounds: bounds.to_vec(),
        min: Some(0.5),
        max: Some(7.0),
        ..proto::HistogramDataPoint::default()
    }
}

/// Converts one histogram after the other: what comes out.
fn histograms(
    to: &mut Converter,
    temporality: i32,
    points: Vec<proto::HistogramDataPoint>,
) -> Vec<proto::HistogramDataPoint> {
    let one = |point| {
        let form = Form::Histogram(proto::Histogram {
            data_points: vec![point],
            aggregation_temporality: temporality,
        });
        let (message, left_out) = convert(to, &request("s", "n", form));
        let Some(Form::Histogram(histogram)) = data(&message) else { panic!("{left_out:?}") };
        assert_eq!(histogram.aggregation_temporality, 3 - temporality);
        histogram.data_points.into_iter().next().unwrap()
    };
    points.into_iter().map(one).collect()
}

#[test]
fn histograms_add_up_without_minimum_and_maximum() {
    let start = |at: u64, point| proto::HistogramDataPoint {
        start_time_unix_nano: time(at),
        min: None,
        max: None,
        ..point
    };
    let mut to = converter(Cumulative, "");
    let deltas = vec![
        histogram(12, Some(4.0), &[1.0, 5.0], &[1, 0, 1]),
        histogram(13, Some(6.5), &[1.0, 5.0], &[0, 2, 3]),
        // Other bounds: what was counted cannot be told apart at them.
        histogram(14, Some(1.0), &[2.0], &[1, 0]),
        histogram(15, None, &[2.0], &[1, 2]),
        histogram(16, Some(1.0), &[2.0], &[1, 0]),
        histogram(17, Some(2.0), &[], &[4]),
    ];
    let expected = vec![
        start(11, histogram(12, Some(4.0), &[1.0, 5.0], &[1, 0, 1])),
        start(11, histogram(13, Some(10.5), &[1.0, 5.0], &[1, 2, 4])),
        start(13, histogram(14, Some(1.0), &[2.0], &[1, 0])),
        start(13, histogram(15, None, &[2.0], &[2, 2])),
        start(13, histogram(16, None, &[2.0], &[3, 2])),
        proto::HistogramDataPoint { bucket_counts: vec![], ..start(16, histogram(17, Some(2.0), &[], &[4])) },
    ];
    assert_eq!(histograms(&mut to, DELTA, deltas), expected);
    assert_eq!(done(&to), (6, 2, 0));

    let mut to = converter(Delta, "");
    let totals = vec![
        start(11, histogram(12, Some(4.0), &[1.0, 5.0], &[1, 0, 1])),
        start(11, histogram(13, Some(10.5), &[1.0, 5.0], &[1, 2, 4])),
        start(11, histogram(14, None, &[1.0, 5.0], &[1, 3, 4])),
        start(11, histogram(15, Some(2.0), &[1.0, 5.0], &[0, 1, 0])),
    ];
    let expected = vec![
        start(11, histogram(12, Some(4.0), &[1.0, 5.0], &[1, 0, 1])),
        start(12, histogram(13, Some(6.5), &[1.0, 5.0], &[0, 2, 3])),
        start(13, histogram(14, None, &[1.0, 5.0], &[0, 1, 0])),
        // It fell.
        start(14, histogram(15, Some(2.0), &[1.0, 5.0], &[0, 1, 0])),
    ];
    assert_eq!(histograms(&mut to, CUMULATIVE, totals), expected);
}

fn exponential(
    start: u64,
    at: u64,
    scale: i32,
    zeros: u64,
    below: &[u64],
    above: &[u64],
) -> proto::ExponentialHistogramDataPoint {
    let side = |offset: i32, counts: &[u64]| {
        (!counts.is_empty()).then(|| Buckets { offset, bucket_counts: counts.to_vec() })
    };
    proto::ExponentialHistogramDataPoint {
        start_time_unix_nano: time(start),
        time_unix_nano: time(at),
        count: zeros + below.iter().chain(above).sum::<u64>(),
        sum: Some(zeros as f64 + at as f64),
        scale,
        zero_count: zeros,
        zero_threshold: 0.001,
        positive: side(-3, above),
        negative: side(300, below),
        ..proto::ExponentialHistogramDataPoint::default()
    }
}

#[test]
fn exponential_histograms_add_up_at_the_coarser_scale() {
    let send = |to: &mut Converter, temporality, mut point: proto::ExponentialHistogramDataPoint| {
        (point.min, point.max) = (Some(1.0), Some(2.0));
        let form = Form::ExponentialHistogram(proto::ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality: temporality,
        });
        let (message, left_out) = convert(to, &request("s", "n", form));
        let Some(Form::ExponentialHistogram(all)) = data(&message) else { panic!("{left_out:?}") };
        assert_eq!(all.aggregation_temporality, 3 - temporality);
        all.data_points.into_iter().next().unwrap()
    };
    let mut to = converter(Cumulative, "");
    let first = exponential(11, 12, 4, 2, &[1, 2], &[3, 0, 1]);
    assert_eq!(send(&mut to, DELTA, first.clone()), first);
    // At scale 3, -3 … -1 are -2 and -1, and 300 and 301 are 150.
    let second = exponential(12, 13, 3, 1, &[], &[0, 5]);
    let total = send(&mut to, DELTA, second);
    let expected = proto::ExponentialHistogramDataPoint {
        sum: Some(2.0 + 12.0 + 1.0 + 13.0),
        count: 15,
        negative: Some(Buckets { offset: 150, bucket_counts: vec![3] }),
        positive: Some(Buckets { offset: -2, bucket_counts: vec![8, 1] }),
        ..exponential(11, 13, 3, 3, &[], &[])
    };
    assert_eq!(total, expected);

    let mut to = converter(Delta, "");
    assert_eq!(send(&mut to, CUMULATIVE, first.clone()), first);
    let expected = proto::ExponentialHistogramDataPoint {
        start_time_unix_nano: time(12),
        sum: Some(1.0 + 13.0),
        count: 6,
        positive: Some(Buckets { offset: -2, bucket_counts: vec![5] }),
        ..exponential(12, 13, 3, 1, &[], &[])
    };
    assert_eq!(send(&mut to, CUMULATIVE, total), expected);
}

#[test]
fn a_point_without_a_value_passes_and_ends_its_stream() {
    for (to, temporality, after) in [(Cumulative, DELTA, (13, 4.0)), (Delta, CUMULATIVE, (12, 1.0))] {
        let mut to = converter(to, "");
        let mut send = |start, at, value, flags| {
            let point = proto::NumberDataPoint { flags, ..number(&[], start, at, value) };
            let (message, left_out) =
                convert(&mut to, &request("s", "n", sum(temporality, true, vec![point])));
            let Some(Form::Sum(sum)) = data(&message) else { panic!("{left_out:?}") };
            assert_eq!(sum.aggregation_temporality, 3 - temporality);
            sum.data_points.into_iter().next().unwrap()
        };
        let starts = |at: u64| if temporality == DELTA { at - 1 } else { 11 };
        send(starts(12), 12, 3.0, 0);
        let mut ended = number(&[], starts(13), 13, 0.0);
        ended.flags = 1;
        assert_eq!(send(starts(13), 13, 0.0, 1), ended);
        // Deltas add up anew; of a total what was sent of it is not sent again.
        assert_eq!(send(starts(14), 14, 4.0, 0), number(&[], after.0, 14, after.1));
    }
}

#[test]
fn attributes_in_another_order_and_other_resources() {
    let mut to = converter(Cumulative, "");
    let mut send = |service, attributes: &[(&str, &str)], at, value| {
        let form = sum(DELTA, true, vec![number(attributes, at - 1, at, value)]);
        let (message, _) = convert(&mut to, &request(service, "n", form));
        let Some(Form::Sum(sum)) = data(&message) else { panic!() };
        sum.data_points[0].value.unwrap()
    };
    assert_eq!(send("s", &[("a", "1"), ("b", "2")], 12, 1.0), AsDouble(1.0));
    assert_eq!(send("s", &[("b", "2"), ("a", "1")], 13, 1.0), AsDouble(2.0));
    assert_eq!(send("t", &[("a", "1"), ("b", "2")], 13, 1.0), AsDouble(1.0));
    assert_eq!(send("s", &[("a", "1")], 13, 1.0), AsDouble(1.0));
    assert_eq!(to.done().streams, 3);
}

#[test]
fn streams_are_bounded_and_idle_ones_go_without_being_counted_twice() {
    let minute = 60_000_000_000;
    for (to, temporality) in [(Cumulative, DELTA), (Delta, CUMULATIVE)] {
        let mut to = converter(to, "[metrics]\ncontext_limit = 10\nname_limit = 10\nexpiry = '5m'\n");
        let limit = 2 * 10 + 1_024;
        let mut send = |id: u64, at, value, now| {
            let point = number(&[("id", &id.to_string())], 11, at, value);
            let converted =
                to.convert(&request("s", "n", sum(temporality, true, vec![point])), now, usize::MAX);
            let why = Unconverted::ALL.into_iter().find(|why| converted.left_out(*why) > 0);
            (data(&converted.bytes.unwrap()), why, to.done().streams)
        };
        for id in 0..limit {
            assert_eq!(send(id, 12, 5.0, NOW).1, None);
        }
        let (form, why, streams) = send(limit, 13, 5.0, NOW + minute);
        assert_eq!((form, why, streams as u64), (None, Some(Unconverted::TooManyStreams), limit));
        assert_eq!(send(0, 13, 6.0, NOW + 4 * minute).1, None);
        // All but one are idle for long enough. Of a total nobody knows whether it was sent.
        let expected = (temporality == CUMULATIVE).then_some(Unconverted::Gap);
        for (id, left) in [(limit, 2), (1, 3)] {
            let (form, why, streams) = send(id, 14, 7.0, NOW + 6 * minute);
            assert_eq!((form.is_none(), why, streams), (expected.is_some(), expected, left));
        }
    }
}

#[test]
fn totals_that_would_get_too_long_are_left_out_and_in_the_next() {
    let mut to = converter(Cumulative, "");
    let message = |at, attributes: &[&str]| {
        let point = |key: &&str| number(&[(key, "")], at - 1, at, 3.0);
        request("s", "n", sum(DELTA, true, attributes.iter().map(point).collect()))
    };
    let both = message(12, &["a", "b"]);
    let converted = to.convert(&both, NOW, both.len() - 10);
    assert_eq!(converted.left_out(Unconverted::NoMemory), 1);
    assert_eq!(converted.left_out_total(), 1);
    let Some(Form::Sum(left)) = data(&converted.bytes.unwrap()) else { panic!() };
    assert_eq!(left.data_points, [number(&[("a", "")], 11, 12, 3.0)]);
    let next = to.convert(&message(13, &["b"]), NOW, usize::MAX);
    let Some(Form::Sum(sum)) = data(&next.bytes.unwrap()) else { panic!() };
    assert_eq!((sum.data_points, to.done().converted), (vec![number(&[("b", "")], 11, 13, 6.0)], 2));
}

proptest! {
    /// Whatever the walk accepts: what is left can be read, and is all points that are not left out.
    #[test]
    fn every_point_is_there_or_left_out(
        to in prop::sample::select(vec![Delta, Cumulative]),
        requests in prop::collection::vec(samples::metrics(), 1..4),
    ) {
        let mut to = converter(to, "");
        for resource in requests.iter().flat_map(|request| &request.resource_metrics) {
            let message = resource.encode_to_vec();
            let (bytes, left_out) = convert(&mut to, &message);
            let left = proto::ResourceMetrics::decode(&bytes[..]).unwrap();
            prop_assert_eq!(samples::points_of(&left) + left_out.len(), samples::points_of(resource));
            let mut request = crate::otlp::protobuf::Writer::new();
            request.bytes(1, &bytes);
            let request = request.into_inner();
            let walked = crate::otlp::walk::request(crate::otlp::Signal::Metrics, &request.into());
            prop_assert!(walked.unwrap().rejected.is_none());
            prop_assert!(!to.concerns(&bytes));
        }
    }
}
