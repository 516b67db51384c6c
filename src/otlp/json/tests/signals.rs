//! Metrics and log records in JSON, against themselves, another implementation, and what is wrong.

use super::*;
use crate::otlp::samples;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;

pub(super) fn written_as(signal: Signal, request: &[u8]) -> String {
    let mut out = Vec::new();
    write_request(signal, request, &mut out);
    String::from_utf8(out).unwrap()
}

/// The chunks as one request again.
pub(super) fn framed(chunks: &[Chunk]) -> Vec<u8> {
    let mut request = crate::otlp::protobuf::Writer::new();
    chunks.iter().for_each(|chunk| request.bytes(1, &chunk.bytes));
    request.into_inner()
}

/// What a request around one metric or record comes to, or its error without the way there.
fn result(signal: Signal, one: &str) -> String {
    let (open, close) = match signal {
        Traces => ("", ""),
        Signal::Metrics => (r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":["#, "]}]}]}"),
        Signal::Logs => (r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":["#, "]}]}]}"),
    };
    match read_as(signal, format!("{open}{one}{close}").as_bytes()) {
        Ok(chunks) => {
            let json = written_as(signal, &framed(&chunks));
            json.strip_prefix(open).and_then(|json| json.strip_suffix(close)).unwrap_or(&json).to_owned()
        }
        Err(error) => format!("! {error}"),
    }
}

#[test]
fn metrics_as_they_are_written_and_what_is_wrong_with_them() {
    let metrics = [
        r#"{"name":"a","description":"d","unit":"1","gauge":{"dataPoints":[{"asInt":"0","flags":1}]},"metadata":[{"key":"k"}]}"#,
        r#"{"gauge":{"dataPoints":[{"as_int":-5,"time_unix_nano":7},{"asDouble":0},{"asDouble":"NaN"},{"asDouble":"-Infinity"},{}]}}"#,
        r#"{"sum":{"dataPoints":[{"asInt":1.0}],"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","isMonotonic":true}}"#,
        r#"{"histogram":{"dataPoints":[{"count":3,"sum":0,"min":0,"max":null,"bucketCounts":[1,"2"],"explicitBounds":[5]}],"aggregationTemporality":2}}"#,
        r#"{"histogram":{"dataPoints":[{"bucketCounts":[],"explicitBounds":[]}]}}"#,
        r#"{"exponentialHistogram":{"dataPoints":[{"scale":-3,"zeroThreshold":0.5,"positive":{"offset":"-7","bucketCounts":[0,"18446744073709551615",300]},"negative":{}}]}}"#,
        r#"{"summary":{"dataPoints":[{"count":"2","sum":2.5,"quantileValues":[{"quantile":0,"value":1},{"quantile":1,"value":"Infinity"}]}]}}"#,
        r#"{"gauge":{"dataPoints":[{"asInt":1,"exemplars":[{"asInt":"7","traceId":"5B8EFFF798038103D269B633813FC60C","filteredAttributes":[{"key":"a"}]}]}]}}"#,
        r#"{"gauge":{"dataPoints":[{"asInt":1,"asDouble":1}]}}"#,
        r#"{"gauge":{"dataPoints":[{}]},"sum":{}}"#,
        r#"{"gauge":{"dataPoints":[{"asInt":"9223372036854775808"}]}}"#,
        r#"{"histogram":{"dataPoints":[{"bucketCounts":[1,2],"explicitBounds":[1,2]}]}}"#,
        r#"{"histogram":{"dataPoints":[{"bucketCounts":[1,null]}]}}"#,
        r#"{"histogram":{"dataPoints":[{"bucketCounts":[1,-1]}]}}"#,
        r#"{"histogram":{"dataPoints":[{"bucketCounts":"12"}]}}"#,
        r#"{"histogram":{"dataPoints":[{"explicitBounds":[[1]]}]}}"#,
        r#"{"exponentialHistogram":{"dataPoints":[{"scale":2147483648}]}}"#,
        r#"{"gauge":{"dataPoints":[{"exemplars":[{"spanId":"abc"}]}]}}"#,
    ];
    let all: String = metrics.iter().map(|metric| result(Signal::Metrics, metric) + "\n").collect();
    insta::assert_snapshot!(all, @r#"
{"name":"a","description":"d","unit":"1","gauge":{"dataPoints":[{"asInt":"0","flags":1}]},"metadata":[{"key":"k"}]}
{"gauge":{"dataPoints":[{"timeUnixNano":"7","asInt":"-5"},{"asDouble":0.0},{"asDouble":"NaN"},{"asDouble":"-Infinity"},{}]}}
{"sum":{"dataPoints":[{"asInt":"1"}],"aggregationTemporality":1,"isMonotonic":true}}
{"histogram":{"dataPoints":[{"count":"3","sum":0.0,"bucketCounts":["1","2"],"explicitBounds":[5.0],"min":0.0}],"aggregationTemporality":2}}
{"histogram":{"dataPoints":[{}]}}
{"exponentialHistogram":{"dataPoints":[{"scale":-3,"positive":{"offset":-7,"bucketCounts":["0","18446744073709551615","300"]},"negative":{},"zeroThreshold":0.5}]}}
{"summary":{"dataPoints":[{"count":"2","sum":2.5,"quantileValues":[{"value":1.0},{"quantile":1.0,"value":"Infinity"}]}]}}
{"gauge":{"dataPoints":[{"asInt":"1","exemplars":[{"filteredAttributes":[{"key":"a"}],"asInt":"7","traceId":"5b8efff798038103d269b633813fc60c"}]}]}}
! resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0].asDouble: a value of another type stands beside it at line 1 column 97
! resourceMetrics[0].scopeMetrics[0].metrics[0].sum: a value of another type stands beside it at line 1 column 87
! resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0].asInt: invalid value: a number beyond it, expected a whole number of 64 bits at line 1 column 103
! resourceMetrics[0].scopeMetrics[0].metrics[0].histogram.dataPoints[0]: a histogram has 2 bucket counts for 2 bounds at line 1 column 122
! resourceMetrics[0].scopeMetrics[0].metrics[0].histogram.dataPoints[0].bucketCounts[1]: a list of numbers holds null at line 1 column 101
! resourceMetrics[0].scopeMetrics[0].metrics[0].histogram.dataPoints[0].bucketCounts[1]: invalid value: integer `-1`, expected a whole number from 0 to 18446744073709551615 at line 1 column 98
! resourceMetrics[0].scopeMetrics[0].metrics[0].histogram.dataPoints[0].bucketCounts: invalid type: a string, expected an array of whole numbers at line 1 column 97
! resourceMetrics[0].scopeMetrics[0].metrics[0].histogram.dataPoints[0].explicitBounds[0]: invalid type: sequence, expected a number at line 1 column 97
! resourceMetrics[0].scopeMetrics[0].metrics[0].exponentialHistogram.dataPoints[0].scale: invalid value: integer `2147483648`, expected a whole number of 32 bits at line 1 column 107
! resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0].exemplars[0].spanId: expected 16 hex digits, found 3 characters at line 1 column 102
"#);
}

#[test]
fn log_records_as_they_are_written_and_what_is_wrong_with_them() {
    let records = [
        r#"{"timeUnixNano":"1","observedTimeUnixNano":2,"severityNumber":"SEVERITY_NUMBER_ERROR","severityText":"ERROR","body":{"intValue":0},"attributes":[{"key":"k"}],"droppedAttributesCount":1,"flags":257,"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","eventName":"e"}"#,
        r#"{"body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"boolValue":false},null]}}}]}},"severityNumber":"17"}"#,
        r#"{"body":{},"traceId":"","spanId":null}"#,
        r#"{"severityNumber":"LOUD"}"#,
        r#"{"body":"plain"}"#,
        r#"{"traceId":"abc"}"#,
        r#"{"flags":-1}"#,
    ];
    let all: String = records.iter().map(|record| result(Signal::Logs, record) + "\n").collect();
    insta::assert_snapshot!(all, @r#"
{"timeUnixNano":"1","observedTimeUnixNano":"2","severityNumber":17,"severityText":"ERROR","body":{"intValue":"0"},"attributes":[{"key":"k"}],"droppedAttributesCount":1,"flags":257,"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","eventName":"e"}
{"severityNumber":17,"body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"boolValue":false},{}]}}}]}}}
{"body":{}}
! resourceLogs[0].scopeLogs[0].logRecords[0].severityNumber: unknown name of an enumeration at line 1 column 70
! resourceLogs[0].scopeLogs[0].logRecords[0].body: invalid type: a string, expected an object at line 1 column 61
! resourceLogs[0].scopeLogs[0].logRecords[0].traceId: expected 32 hex digits, found 3 characters at line 1 column 62
! resourceLogs[0].scopeLogs[0].logRecords[0].flags: invalid value: integer `-1`, expected a whole number from 0 to 4294967295 at line 1 column 57
"#);
}

#[test]
fn a_metric_without_points_makes_no_chunk_and_stays_beside_one_that_has_some() {
    assert!(
        read_as(Signal::Metrics, br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a"}]}]}]}"#)
            .unwrap()
            .is_empty()
    );
    let two = r#"{"name":"a"},{"name":"b","gauge":{"dataPoints":[{},{}]}}"#;
    assert_eq!(result(Signal::Metrics, two), two);
}

#[test]
fn without_room_for_points_nothing_is_held() {
    let point = format!(
        r#"{{"exponentialHistogram":{{"dataPoints":[{{"positive":{{"bucketCounts":[{}1]}}}}]}}}}"#,
        "1,".repeat(5_000)
    );
    let body = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{point}]}}]}}]}}"#);
    let budget = Budget::new(1_000);
    let error = read_request(Signal::Metrics, body.as_bytes(), &budget).unwrap_err();
    assert_eq!(error.to_string(), "no room for the data points at the moment");
    assert_eq!(budget.held(), 0);
}

/// Packed in pieces and one by one, as protobuf allows.
#[test]
fn lists_of_numbers_in_pieces_are_one_list() {
    let mut point = crate::otlp::protobuf::Writer::new();
    for bound in [1.0_f64, 2.5] {
        point.double(7, bound);
    }
    for counts in [&[1_u64, 2][..], &[], &[3]] {
        point.bytes(6, &counts.iter().flat_map(|count| count.to_le_bytes()).collect::<Vec<_>>());
    }
    let mut raw = point.into_inner();
    for field in [1, 9, 2, 2, 1] {
        let mut outer = crate::otlp::protobuf::Writer::new();
        outer.bytes(field, &raw);
        raw = outer.into_inner();
    }
    insta::assert_snapshot!(written_as(Signal::Metrics, &raw), @r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":["1","2","3"],"explicitBounds":[1.0,2.5]}]}}]}]}]}"#);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn metrics_that_were_written_are_read_the_same(request in samples::metrics()) {
        let json = written_as(Signal::Metrics, &request.encode_to_vec());
        let chunks = read_as(Signal::Metrics, json.as_bytes()).unwrap();
        let read: Vec<_> = chunks.iter().map(|chunk| ResourceMetrics::decode(&*chunk.bytes).unwrap()).collect();
        let wanted: Vec<_> = request.resource_metrics.into_iter().filter(|one| samples::points_of(one) > 0).collect();
        prop_assert_eq!(&read, &wanted);
        for (chunk, resource) in chunks.iter().zip(&wanted) {
            prop_assert_eq!(chunk.items as usize, samples::points_of(resource));
        }
        prop_assert_eq!(read_as(Signal::Metrics, written_as(Signal::Metrics, &framed(&chunks)).as_bytes()).unwrap().len(), chunks.len());
    }

    #[test]
    fn records_that_were_written_are_read_the_same(request in samples::logs()) {
        let json = written_as(Signal::Logs, &request.encode_to_vec());
        let chunks = read_as(Signal::Logs, json.as_bytes()).unwrap();
        let read: Vec<_> = chunks.iter().map(|chunk| ResourceLogs::decode(&*chunk.bytes).unwrap()).collect();
        let wanted: Vec<_> = request.resource_logs.into_iter().filter(|one| samples::records_of(one) > 0).collect();
        prop_assert_eq!(read, wanted);
    }

    /// Another implementation's writer.
    #[test]
    fn records_that_serde_wrote_are_read_the_same(request in samples::logs()) {
        let json = serde_json::to_vec(&request).unwrap();
        // It writes infinities as null, which is none of them.
        prop_assume!(!json.windows(18).any(|piece| piece == b"\"doubleValue\":null"));
        let chunks = read_as(Signal::Logs, &json).unwrap();
        let read: Vec<_> = chunks.iter().map(|chunk| ResourceLogs::decode(&*chunk.bytes).unwrap()).collect();
        let wanted: Vec<_> = request.resource_logs.into_iter().filter(|one| samples::records_of(one) > 0).collect();
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn any_bytes_as_metrics_or_logs_are_written_as_json(bytes in vec(any::<u8>(), 0..200)) {
        for signal in [Signal::Metrics, Signal::Logs] {
            let _ = read_as(signal, &bytes);
            let mut out = Vec::new();
            write_resource(signal, &bytes, &mut out);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok_and(|value| value.is_object()));
        }
    }
}
