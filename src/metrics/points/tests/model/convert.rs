//! What the model's app sends, converted there and back again, against what it has measured.

use super::super::convert::{convert, converter, data};
use super::*;
use crate::config::PointTemporality;

/// What a stream's newest total says.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    sum: f64,
    count: u64,
    /// With bounds.
    counts: Vec<u64>,
    scale: i32,
    zeros: u64,
    /// With a scale.
    above: BTreeMap<i64, u64>,
}

impl Told {
    /// What it must be of these measurements.
    fn of(instrument: Instrument, scale: i32, values: &[f64]) -> Told {
        let mut told = Told { sum: values.iter().sum(), ..Told::default() };
        match instrument {
            Instrument::Counter | Instrument::UpDownCounter => return told,
            Instrument::Histogram => {
                told.counts = vec![0; BOUNDS.len() + 1];
                values
                    .iter()
                    .for_each(|value| told.counts[BOUNDS.partition_point(|bound| bound < value)] += 1);
            }
            Instrument::Exponential => {
                (told.scale, told.above) = (scale, exponential(values, scale));
                told.zeros = values.iter().filter(|value| **value == 0.0).count() as u64;
            }
        }
        Told { count: values.len() as u64, ..told }
    }
}

/// What the points of a message say, by their stream.
fn told(message: &[u8]) -> Vec<(usize, Told)> {
    let id = |attributes: &[KeyValue]| {
        let Some(any_value::Value::StringValue(id)) = attributes[0].value.as_ref().unwrap().value.as_ref()
        else {
            panic!("{attributes:?}")
        };
        id.parse::<usize>().unwrap()
    };
    match data(message) {
        None => vec![],
        Some(Form::Sum(sum)) => {
            assert_eq!(sum.aggregation_temporality, CUMULATIVE);
            let one = |point: &proto::NumberDataPoint| {
                let Some(proto::number_data_point::Value::AsDouble(sum)) = point.value else {
                    panic!("{point:?}")
                };
                (id(&point.attributes), Told { sum, ..Told::default() })
            };
            sum.data_points.iter().map(one).collect()
        }
        Some(Form::Histogram(all)) => {
            assert_eq!(all.aggregation_temporality, CUMULATIVE);
            let one = |point: &proto::HistogramDataPoint| {
                let (sum, counts) = (point.sum.unwrap(), point.bucket_counts.clone());
                (id(&point.attributes), Told { sum, count: point.count, counts, ..Told::default() })
            };
            all.data_points.iter().map(one).collect()
        }
        Some(Form::ExponentialHistogram(all)) => {
            assert_eq!(all.aggregation_temporality, CUMULATIVE);
            let one = |point: &proto::ExponentialHistogramDataPoint| {
                let buckets = point.positive.clone().unwrap_or_default();
                let above = (i64::from(buckets.offset)..).zip(buckets.bucket_counts).filter(|(_, n)| *n > 0);
                let told = Told {
                    sum: point.sum.unwrap(),
                    count: point.count,
                    scale: point.scale,
                    zeros: point.zero_count,
                    above: above.collect(),
                    ..Told::default()
                };
                (id(&point.attributes), told)
            };
            all.data_points.iter().map(one).collect()
        }
        Some(Form::Gauge(_) | Form::Summary(_)) => panic!("another kind"),
    }
}

proptest! {
    /// Deltas to totals, these to deltas, and these to totals again: the first and the last totals are what was
    /// measured. An app with totals begins at the second.
    #[test]
    fn there_and_back_again_nothing_is_lost_or_doubled(
        (instrument, temporality) in prop::sample::select(vec![
            (Instrument::Counter, DELTA),
            (Instrument::Counter, CUMULATIVE),
            // One with totals is never changed.
            (Instrument::UpDownCounter, DELTA),
            (Instrument::Histogram, DELTA),
            (Instrument::Histogram, CUMULATIVE),
            (Instrument::Exponential, DELTA),
            (Instrument::Exponential, CUMULATIVE),
        ]),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut to_totals = converter(PointTemporality::Cumulative, "");
        let mut to_deltas = converter(PointTemporality::Delta, "");
        let mut to_totals_again = converter(PointTemporality::Cumulative, "");
        let mut app = App::new(instrument, temporality, 11);
        let mut measured: [Vec<f64>; STREAMS] = Default::default();
        let mut waiting: [Vec<f64>; STREAMS] = Default::default();
        // After the first conversion, and after the last.
        let mut totals: [[Told; STREAMS]; 2] = Default::default();
        for step in steps {
            let sent = match step {
                Step::Measure(stream, value) => {
                    let value = app.measure(stream, value);
                    waiting[stream].push(value);
                    None
                }
                Step::Export => {
                    measured.iter_mut().zip(&mut waiting).for_each(|(all, new)| all.append(new));
                    let export = app.export();
                    app.exports.push(export.clone());
                    Some(export)
                }
                Step::Again => app.exports.last().cloned(),
                // Nobody can tell a late delta from a new one.
                Step::Late if temporality == DELTA => None,
                Step::Late => app.exports.iter().rev().nth(1).cloned(),
                Step::Restart => {
                    app.restart();
                    waiting = Default::default();
                    None
                }
            };
            let Some(sent) = sent else { continue };
            let (first, _) = convert(&mut to_totals, &sent);
            let (deltas, _) = convert(&mut to_deltas, &first);
            let (last, _) = convert(&mut to_totals_again, &deltas);
            for (message, totals) in [first, last].iter().zip(&mut totals) {
                told(message).into_iter().for_each(|(stream, told)| totals[stream] = told);
            }
        }
        if app.exports.is_empty() {
            return Ok(());
        }
        let first = if temporality == DELTA { 0 } else { 1 };
        for totals in &totals[first..] {
            for (told, values) in totals.iter().zip(&measured) {
                prop_assert_eq!(told, &Told::of(instrument, told.scale, values));
            }
        }
    }
}
