//! What is faulty by itself costs itself: each kind of fault, what else goes, what refuses all, and the room for it.

use super::signals::{framed, written_as};
use super::*;
use crate::otlp::samples;
use proptest::sample::Index;
use serde_json::json;

fn read_partly(signal: Signal, body: &str) -> Result<Taken, Error> {
    let budget = Budget::new(64 * MIB);
    let taken = read_request(signal, body.as_bytes(), &budget);
    if let Ok(Taken { chunks, .. }) = &taken {
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len() + size_of::<Chunk>()).sum();
        assert_eq!(budget.held(), bytes);
    }
    taken
}

/// What is left of a request, in JSON; how many are left out, and why the first.
fn left(signal: Signal, body: &str) -> (String, u64, String) {
    let Taken { chunks, rejected } = read_partly(signal, body).unwrap();
    let (items, why) = rejected.map(|one| (one.items, one.first.to_string())).unwrap_or_default();
    let json = written_as(signal, &framed(&chunks));
    // What was counted is there.
    let items_left: u32 = chunks.iter().map(|chunk| chunk.items).sum();
    let again = read_as(signal, json.as_bytes()).unwrap();
    assert_eq!(again.iter().map(|chunk| chunk.items).sum::<u32>(), items_left);
    (json, items, why)
}

fn spans(all: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{all}]}}]}}]}}"#)
}

fn metrics(all: &str) -> String {
    format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{all}]}}]}}]}}"#)
}

#[test]
fn a_faulty_span_costs_no_neighbour() {
    let deep = r#"{"arrayValue":{"values":["#.repeat(31) + &"]}}".repeat(31);
    let deep = format!(r#"{{"attributes":[{{"key":"deep","value":{deep}}}]}}"#);
    let cases = [
        (r#"{"traceId":"5b8efff7"}"#, ".traceId: expected 32 hex digits, found 8 characters"),
        (r#"{"spanId":"eee19b7ec3c1b17x"}"#, ".spanId: expected 16 hex digits, found something else"),
        (r#"{"name":7}"#, ".name: invalid type: integer `7`, expected a string"),
        (r#"{"name":[[{"a":"]"}]]}"#, ".name: invalid type: sequence, expected a string"),
        (r#"{"status":{"code":"BAD"}}"#, ".status.code: unknown name of an enumeration"),
        (r#"{"kind":2,"kind":2}"#, ".kind: the field stands there twice"),
        (r#"{"flags":4294967296}"#, ".flags: invalid value: integer `4294967296`, expected a whole number"),
        (r#"{"startTimeUnixNano":1e999}"#, ".startTimeUnixNano: number out of range"),
        (r#"{"attributes":[{"key":"\ud83d"}]}"#, ".attributes[0].key: unexpected end of hex escape"),
        (
            r#"{"attributes":[{"value":{"bytesValue":"?"}}]}"#,
            ".attributes[0].value.bytesValue: invalid value",
        ),
        (r#"{"links":[{"traceId":"00"}]}"#, ".links[0].traceId: expected 32 hex digits"),
        (&deep, ".attributes[0].value.arrayValue.values[0]"),
        (r#""text""#, ": invalid type: a string, expected an object"),
        ("[]", ": invalid type: sequence, expected an object"),
    ];
    for (faulty, why) in cases {
        let (json, items, first) =
            left(Traces, &spans(&format!(r#"{{"name":"a"}}, {faulty} ,{{"kind":3}}"#)));
        assert_eq!((&*json, items), (&*spans(r#"{"name":"a"},{"kind":3}"#), 1), "{faulty}");
        let why = format!("resourceSpans[0].scopeSpans[0].spans[1]{why}");
        assert!(first.starts_with(&why), "{first}, not {why}");
        // Without a sound one nothing is taken, and the same is said.
        let error = read_partly(Traces, &spans(&format!("{faulty},null,{faulty}"))).unwrap_err();
        assert!(error.to_string().starts_with(&why.replace("spans[1]", "spans[0]")), "{error}");
    }
}

#[test]
fn faulty_points_cost_themselves_and_a_faulty_metric_its_points() {
    let cases = [
        // Points, of which some are sound.
        (r#"{"name":"m","gauge":{"dataPoints":[{"asInt":"x"},{"asInt":"1"},{"flags":[]}]}}"#, 2, true),
        (
            r#"{"histogram":{"dataPoints":[{"bucketCounts":[1]},{"bucketCounts":[1,2],"explicitBounds":[1,2]}]}}"#,
            1,
            true,
        ),
        // None is; the metric goes.
        (r#"{"name":"m","sum":{"dataPoints":[{"asInt":{}},null,{"asDouble":"x"}]},"unit":"s"}"#, 2, false),
        // The metric's own faults, before and behind its points.
        (r#"{"gauge":{"dataPoints":[{},null,{"asInt":true}]},"name":7}"#, 2, false),
        (r#"{"description":[],"summary":{"other":1,"data_points":[{},{},{}]}}"#, 3, false),
        (r#"{"gauge":{"dataPoints":[{}]},"sum":{"dataPoints":[{},7]}}"#, 3, false),
        (r#"{"sum":{"dataPoints":[{}],"aggregationTemporality":"SOMETIMES"}}"#, 1, false),
        (r#"{"metadata":[{"key":1}],"exponentialHistogram":{"dataPoints":[{}]}}"#, 1, false),
        // Without points it counts as one.
        (r#"{"name":7}"#, 1, false),
        (r#"{"name":7,"gauge":{"dataPoints":[]}}"#, 1, false),
        (r#"{"gauge":"text"}"#, 1, false),
        (r#"{"gauge":[{"dataPoints":[{}]}]}"#, 1, false),
        (r#"{"gauge":{"dataPoints":{"a":[{}]}}}"#, 1, false),
        (r#"{"gauge":{"dataPoints":7},"sum":1.5}"#, 1, false),
        ("7", 1, false),
    ];
    for (metric, count, stays) in cases {
        let sound = r#"{"name":"a"},{"name":"b","gauge":{"dataPoints":[{"asInt":"1"}]}}"#;
        let (json, items, first) = left(Signal::Metrics, &metrics(&format!("{sound},{metric}")));
        assert_eq!(items, count, "{metric}");
        assert!(first.starts_with("resourceMetrics[0].scopeMetrics[0].metrics[2]"), "{first}");
        if stays {
            assert!(json.starts_with(metrics(sound).strip_suffix("]}]}]}").unwrap()), "{json}");
        } else {
            assert_eq!(json, metrics(sound));
        }
    }
}

#[test]
fn what_lost_all_of_its_own_goes_and_what_had_none_stays() {
    let body = r#"{"resourceSpans":[
        {"schemaUrl":"gone","scopeSpans":[{"spans":[{"kind":"x"}]}]},
        {"schemaUrl":"stays","scopeSpans":[
            {"schemaUrl":"gone","spans":[{"kind":"x"},7]},
            {"schemaUrl":"empty","spans":[]},
            {"schemaUrl":"stays","spans":[{"kind":"x"},{"kind":1}]}]}]}"#;
    let (json, items, _) = left(Traces, body);
    assert_eq!(items, 4);
    assert_eq!(
        json,
        r#"{"resourceSpans":[{"scopeSpans":[{"schemaUrl":"empty"},{"spans":[{"kind":1}],"schemaUrl":"stays"}],"schemaUrl":"stays"}]}"#
    );
}

#[test]
fn a_fault_around_refuses_the_request() {
    let scope = |inner: &str| format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{{inner}}}]}}]}}"#);
    let records = r#""logRecords":[{"body":7},{}]"#;
    let cases = [
        (
            scope(&format!(r#"{records},"scope":{{"name":7}}"#)),
            "resourceLogs[0].scopeLogs[0].scope.name: invalid",
        ),
        (scope(&format!(r#""schemaUrl":{{}},{records}"#)), "resourceLogs[0].scopeLogs[0].schemaUrl: invalid"),
        (
            scope(&format!(r#"{records},"logRecords":[{{}}]"#)),
            "resourceLogs[0].scopeLogs[0].logRecords: the field",
        ),
        // What is no JSON is told as exactly as where no fault is before it.
        (
            scope(r#""logRecords":[{"body":{]}}]"#),
            "resourceLogs[0].scopeLogs[0].logRecords[0].body: key must be",
        ),
        (
            scope(r#""logRecords":[{"body":7},{"body":{]}}]"#),
            "resourceLogs[0].scopeLogs[0].logRecords[1]: key must be",
        ),
        (scope(&format!("{records} {records}")), "resourceLogs[0].scopeLogs[0]: expected `,` or `}`"),
        (scope(records) + "{", "trailing characters"),
        (scope(records)[..60].to_owned(), "resourceLogs[0].scopeLogs[0]: EOF while parsing"),
    ];
    for (body, why) in cases {
        let error = read_partly(Signal::Logs, &body).unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}, not {why}");
    }
    let mut not_utf8 = scope(r#""logRecords":[{},{"eventName":"?"}]"#).into_bytes();
    let at = not_utf8.iter().position(|byte| *byte == b'?').unwrap();
    not_utf8[at] = 0xff;
    let error = read_request(Signal::Logs, &not_utf8, &Budget::new(MIB)).unwrap_err();
    assert!(error.to_string().contains("logRecords[1].eventName: invalid unicode"), "{error}");
}

#[test]
fn reading_again_is_under_the_budget() {
    let long = "\\t".repeat(3_000);
    let points = format!(r#"{{"asInt":1,"attributes":[{{"key":"{long}"}}]}},"#).repeat(3);
    let body = metrics(&format!(
        r#"{{"name":"{long}","gauge":{{"dataPoints":[{points}{{"flags":"{long}"}}]}}}},{{"unit":[],"{long}":1}}"#
    ));
    let room = |limit| {
        let budget = Budget::new(limit);
        let taken = read_request(Signal::Metrics, body.as_bytes(), &budget);
        if let Ok(taken) = &taken {
            assert_eq!(taken.rejected.as_ref().unwrap().items, 2);
        } else {
            assert!(matches!(taken, Err(Error::NoRoom(_))));
            assert_eq!(budget.held(), 0);
        }
        taken.is_ok()
    };
    // While points are counted, too: what is written and kept aside before is short.
    let body = metrics(&format!(r#"{{"name":"a","gauge":{{"dataPoints":[{{}}]}}}},{{"name":7,"{long}":1}}"#));
    let taken = read_request(Signal::Metrics, body.as_bytes(), &Budget::new(16_000)).unwrap();
    assert_eq!(taken.rejected.unwrap().items, 1);
    let error = read_request(Signal::Metrics, body.as_bytes(), &Budget::new(3 * 3_000)).unwrap_err();
    assert!(matches!(error, Error::NoRoom(_)), "{error}");
    // What is written takes 12,000 bytes; texts with escapes are kept aside by three readers at most.
    assert!(room(64 << 10));
    for limit in [0, 100, 3_000, 9_000, 12_000 + 3 * 3_000 - 1] {
        assert!(!room(limit), "{limit}");
    }
}

/// A faulty copy of a sound request, what should be left of it, and how many are left out. `faulty` is asked for
/// each item and metric.
fn damage(request: &serde_json::Value, faulty: &mut impl FnMut() -> bool) -> (Damaged, Damaged, u64) {
    use serde_json::Value as Json;
    match request {
        Json::Array(values) => {
            let (mut bad, mut left, mut lost) = (vec![], vec![], 0);
            for value in values {
                let (worse, rest, count) = damage(value, faulty);
                bad.extend(worse);
                left.extend(rest);
                lost += count;
            }
            (Some(json!(bad)), Some(json!(left)), lost)
        }
        Json::Object(fields) => {
            let (mut bad, mut left) = (serde_json::Map::new(), serde_json::Map::new());
            let (mut lost, mut stays) = (0, true);
            for (name, value) in fields {
                let items = matches!(&**name, "spans" | "logRecords" | "dataPoints");
                let frames = [
                    "resourceSpans",
                    "resourceLogs",
                    "resourceMetrics",
                    "scopeSpans",
                    "scopeLogs",
                    "scopeMetrics",
                ];
                let data = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
                let (worse, rest) = if items {
                    let (worse, rest, count) = damage_items(value, faulty);
                    stays = count == 0 || rest != json!([]);
                    lost += count;
                    (Some(worse), Some(rest))
                } else if name == "metrics" {
                    let (mut worse, mut rest, mut any) = (vec![], vec![], 0);
                    for metric in value.as_array().unwrap() {
                        let points = points_in(metric);
                        let (mut bad, left, count) = damage(metric, faulty);
                        let (left, count) = if faulty() {
                            bad.as_mut().unwrap()["unit"] = json!(5);
                            (None, (points as u64).max(1))
                        } else {
                            (left, count)
                        };
                        worse.extend(bad);
                        any += left.as_ref().map_or(0, points_in);
                        rest.extend(left);
                        lost += count;
                    }
                    stays = lost == 0 || any > 0;
                    (Some(json!(worse)), Some(json!(rest)))
                } else if frames.contains(&&**name) || data.contains(&&**name) {
                    let (worse, rest, count) = damage(value, faulty);
                    stays &= rest.is_some();
                    lost += count;
                    (worse, rest)
                } else {
                    (Some(value.clone()), Some(value.clone()))
                };
                bad.extend(worse.map(|value| (name.clone(), value)));
                left.extend(rest.map(|value| (name.clone(), value)));
            }
            (Some(bad.into()), stays.then(|| left.into()), lost)
        }
        other => (Some(other.clone()), Some(other.clone()), 0),
    }
}

type Damaged = Option<serde_json::Value>;

fn damage_items(
    items: &serde_json::Value,
    faulty: &mut impl FnMut() -> bool,
) -> (serde_json::Value, serde_json::Value, u64) {
    let (mut bad, mut left, mut lost) = (vec![], vec![], 0);
    for item in items.as_array().unwrap() {
        if faulty() {
            let mut worse = item.clone();
            worse["flags"] = json!({ "no": ["number"] });
            bad.push(worse);
            lost += 1;
        } else {
            bad.push(item.clone());
            left.push(item.clone());
        }
    }
    (json!(bad), json!(left), lost)
}

fn points_in(metric: &serde_json::Value) -> usize {
    let data = metric.as_object().unwrap().values().find_map(|data| data.get("dataPoints"));
    data.map_or(0, |points| points.as_array().unwrap().len())
}

fn holds(signal: Signal, request: &str, choices: &[Index]) -> Result<(), TestCaseError> {
    let request: serde_json::Value = serde_json::from_str(request).unwrap();
    let mut at = 0;
    let (bad, wanted, lost) = damage(&request, &mut || {
        at += 1;
        choices.iter().any(|choice| choice.index(12) == at % 12)
    });
    let wanted = read_as(signal, wanted.unwrap_or(json!({})).to_string().as_bytes()).unwrap();
    match read_partly(signal, &bad.unwrap().to_string()) {
        Ok(Taken { chunks, rejected }) => {
            prop_assert_eq!(rejected.map_or(0, |one| one.items), lost);
            let shown = |chunks: &[Chunk]| -> Vec<_> {
                chunks.iter().map(|chunk| (chunk.bytes.clone(), chunk.items, chunk.identity)).collect()
            };
            prop_assert_eq!(shown(&chunks), shown(&wanted));
        }
        Err(_) => prop_assert!(lost > 0 && wanted.is_empty()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_is_what_is_sound(
        spans in vec(any_resource_spans(), 0..3),
        metrics in samples::metrics(),
        logs in samples::logs(),
        choices in vec(any::<Index>(), 0..8),
    ) {
        holds(Traces, &written(&spans), &choices)?;
        holds(Signal::Metrics, &written_as(Signal::Metrics, &metrics.encode_to_vec()), &choices)?;
        holds(Signal::Logs, &written_as(Signal::Logs, &logs.encode_to_vec()), &choices)?;
    }
}
