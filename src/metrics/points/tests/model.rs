//! Random streams of points, delta and cumulative, with restarts, retries, late points and changes of scale, against
//! a model that remembers every measurement.

mod convert;

use super::*;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use std::collections::BTreeMap;

/// What an app does next.
#[derive(Clone, Debug)]
enum Step {
    /// One measurement on a stream.
    Measure(usize, u8),
    /// All streams are exported.
    Export,
    /// The last export comes once more, as after an answer that was lost.
    Again,
    /// The export before the last comes late.
    Late,
    /// The app begins anew; what was not exported is lost with it.
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Instrument {
    Counter,
    UpDownCounter,
    Histogram,
    Exponential,
}

const STREAMS: usize = 3;
const BOUNDS: [f64; 3] = [2.0, 10.0, 100.0];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..STREAMS, any::<u8>()).prop_map(|(stream, value)| Step::Measure(stream, value)),
        4 => Just(Step::Export),
        1 => Just(Step::Again),
        1 => Just(Step::Late),
        1 => Just(Step::Restart),
    ]
}

/// What one stream has measured since its start, or since the last export.
#[derive(Clone, Debug, Default)]
struct Run {
    start: u64,
    values: Vec<f64>,
}

/// An SDK with one instrument and several streams, whose attribute rules drop.
struct App {
    instrument: Instrument,
    temporality: i32,
    clock: u64,
    runs: [Run; STREAMS],
    /// The scale that the SDK is at: it gets coarser while it runs.
    scale: i32,
    exports: Vec<Vec<u8>>,
}

impl App {
    fn new(instrument: Instrument, temporality: i32, clock: u64) -> App {
        let runs = std::array::from_fn(|_| Run { start: clock, values: vec![] });
        App { instrument, temporality, clock, runs, scale: 4, exports: vec![] }
    }

    /// Takes a measurement: what it comes to.
    fn measure(&mut self, stream: usize, value: u8) -> f64 {
        let below = if self.instrument == Instrument::UpDownCounter { 100.0 } else { 0.0 };
        let value = f64::from(value) - below;
        self.runs[stream].values.push(value);
        if self.instrument == Instrument::Exponential && value > 200.0 {
            self.scale = (self.scale - 1).max(0);
        }
        value
    }

    fn export(&mut self) -> Vec<u8> {
        let (start, now) = (self.clock, self.clock + 1);
        self.clock = now;
        let streams = || self.runs.iter().enumerate();
        let facts = |(id, run): (usize, &Run)| {
            let start = if self.temporality == DELTA { start } else { run.start };
            (pairs(&[("stream", &id.to_string())]), time(start), time(now))
        };
        let data = match self.instrument {
            Instrument::Counter | Instrument::UpDownCounter => {
                let point = |stream: (usize, &Run)| {
                    let (attributes, start_time_unix_nano, time_unix_nano) = facts(stream);
                    let value = stream.1.values.iter().sum();
                    let value = Some(proto::number_data_point::Value::AsDouble(value));
                    let rest = proto::NumberDataPoint::default();
                    proto::NumberDataPoint { attributes, start_time_unix_nano, time_unix_nano, value, ..rest }
                };
                sum(self.temporality, self.instrument == Instrument::Counter, streams().map(point).collect())
            }
            Instrument::Histogram => {
                let point = |stream: (usize, &Run)| {
                    let (attributes, start_time_unix_nano, time_unix_nano) = facts(stream);
                    let mut bucket_counts = vec![0; BOUNDS.len() + 1];
                    for value in &stream.1.values {
                        bucket_counts[BOUNDS.partition_point(|bound| bound < value)] += 1;
                    }
                    proto::HistogramDataPoint {
                        attributes,
                        start_time_unix_nano,
                        time_unix_nano,
                        count: stream.1.values.len() as u64,
                        sum: Some(stream.1.values.iter().sum()),
                        bucket_counts,
                        explicit_bounds: BOUNDS.to_vec(),
                        ..proto::HistogramDataPoint::default()
                    }
                };
                let data_points = streams().map(point).collect();
                Form::Histogram(proto::Histogram { data_points, aggregation_temporality: self.temporality })
            }
            Instrument::Exponential => {
                let point = |stream: (usize, &Run)| {
                    let (attributes, start_time_unix_nano, time_unix_nano) = facts(stream);
                    let filled = exponential(&stream.1.values, self.scale);
                    let positive = filled.first_key_value().map(|(first, _)| Buckets {
                        offset: *first as i32,
                        bucket_counts: (*first..=*filled.last_key_value().unwrap().0)
                            .map(|index| filled.get(&index).copied().unwrap_or_default())
                            .collect(),
                    });
                    proto::ExponentialHistogramDataPoint {
                        attributes,
                        start_time_unix_nano,
                        time_unix_nano,
                        count: stream.1.values.len() as u64,
                        sum: Some(stream.1.values.iter().sum()),
                        scale: self.scale,
                        zero_count: stream.1.values.iter().filter(|value| **value == 0.0).count() as u64,
                        positive,
                        ..proto::ExponentialHistogramDataPoint::default()
                    }
                };
                let data_points = streams().map(point).collect();
                Form::ExponentialHistogram(proto::ExponentialHistogram {
                    data_points,
                    aggregation_temporality: self.temporality,
                })
            }
        };
        if self.temporality == DELTA {
            self.runs.iter_mut().for_each(|run| run.values.clear());
        }
        request("s", "n", data)
    }

    fn restart(&mut self) {
        self.clock += 1;
        for run in &mut self.runs {
            *run = Run { start: self.clock, values: Vec::new() };
        }
        self.scale = 4;
    }
}

/// Counts by bucket of positive values.
fn exponential(values: &[f64], scale: i32) -> BTreeMap<i64, u64> {
    let mut filled = BTreeMap::new();
    for value in values.iter().filter(|value| **value > 0.0) {
        let index = (value.log2() * f64::from(scale).exp2()).ceil() as i64 - 1;
        *filled.entry(index).or_default() += 1;
    }
    filled
}

fn one_series(aggregator: &Aggregator) -> Option<(f64, Vec<u64>, Exponential)> {
    let mut found = Vec::new();
    let mut ids = Vec::new();
    aggregator.births(0, 0..u64::MAX, &mut ids);
    aggregator.read(&ids, &mut |_, series| {
        found.push(match series.unwrap().value {
            PageValue::Number(number) => (number, vec![], Exponential::default()),
            PageValue::Histogram(h) => (h.sum, h.counts.to_vec(), Exponential::default()),
            PageValue::Exponential(e) => (e.sum, vec![], e.clone()),
            _ => panic!("another class"),
        });
    });
    assert!(found.len() <= 1, "{found:?}");
    found.pop()
}

proptest! {
    #[test]
    fn totals_are_what_was_measured_and_exported(
        instrument in prop::sample::select(vec![
            Instrument::Counter,
            Instrument::UpDownCounter,
            Instrument::Histogram,
            Instrument::Exponential,
        ]),
        temporality in prop::sample::select(vec![DELTA, CUMULATIVE]),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let aggregator = aggregator(&config("[[rules]]\nmatch = '*'\ndrop_tags = ['stream']\n"));
        let points = Points::new(aggregator.clone());
        let mut app = App::new(instrument, temporality, 1);
        // All that was exported in earlier runs, and what has not been yet.
        let (mut counted, mut waiting): (Vec<f64>, Vec<f64>) = (vec![], vec![]);
        for step in steps {
            match step {
                Step::Measure(stream, value) => {
                    let value = app.measure(stream, value);
                    waiting.push(value);
                }
                Step::Export => {
                    let export = app.export();
                    points.take(&export, time(app.clock));
                    app.exports.push(export);
                    counted.append(&mut waiting);
                }
                Step::Again => {
                    if let Some(last) = app.exports.last() {
                        points.take(last, time(app.clock));
                    }
                }
                Step::Late => {
                    // Nobody can tell a late delta from a new one, but a cumulative one of the same run.
                    if temporality == CUMULATIVE
                        && let [.., before, _] = &app.exports[..]
                    {
                        points.take(before, time(app.clock));
                    }
                }
                Step::Restart => {
                    app.restart();
                    waiting.clear();
                    if temporality == CUMULATIVE && instrument == Instrument::UpDownCounter {
                        // It shows what the app has now, once the app says so.
                        counted.clear();
                        let export = app.export();
                        points.take(&export, time(app.clock));
                        app.exports.push(export);
                    }
                }
            }
        }
        let Some((sum, counts, native)) = one_series(&aggregator) else {
            prop_assert!(app.exports.is_empty());
            return Ok(());
        };
        prop_assert_eq!(sum, counted.iter().sum::<f64>());
        match instrument {
            Instrument::Counter | Instrument::UpDownCounter => {}
            Instrument::Histogram => {
                let mut expected = vec![0; BOUNDS.len() + 1];
                counted.iter().for_each(|value| expected[BOUNDS.partition_point(|bound| bound < value)] += 1);
                prop_assert_eq!(counts, expected);
            }
            Instrument::Exponential => {
                let expected: Vec<_> = exponential(&counted, native.scale).into_iter().collect();
                prop_assert_eq!(native.positive.filled().collect::<Vec<_>>(), expected);
                let zeros = counted.iter().filter(|value| **value == 0.0).count();
                prop_assert_eq!((native.zero_count, native.count), (zeros as u64, counted.len() as u64));
            }
        }
    }
}
