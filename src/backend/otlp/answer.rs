//! What an OTLP server's answer means, over HTTP and over gRPC. Pure; the tables below are the protocol's.
//!
//! HTTP: 429, 502, 503, 504 pass; 413 asks for less; 401 and 403 name the credentials; every other
//! status of 300 and above, redirects and 500 included, is the payload's own fault. gRPC: the codes that
//! the protocol calls retryable, and RESOURCE_EXHAUSTED only where the server says when to come again.

use crate::backend::http::{ERROR_BYTES, causes, wait_of};
use crate::deliver::Outcome;
use crate::otlp::Signal;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use std::time::Duration;
use tonic::{Code, Status};

/// The answer of a server that took the request. All signals share its shape: how many it rejected,
/// and why.
pub(super) fn accepted(response: &ExportMetricsServiceResponse) -> Outcome {
    match &response.partial_success {
        Some(ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message })
            if *rejected > 0 || !error_message.is_empty() =>
        {
            Outcome::Partial { refused: u64::try_from(*rejected).unwrap_or(0), why: shown(error_message) }
        }
        Some(_) | None => Outcome::Delivered,
    }
}

/// A server's answer in JSON. What cannot be read says nothing.
pub(super) fn of_json(body: &[u8]) -> ExportMetricsServiceResponse {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(partial) = answer.get("partialSuccess") else { return ExportMetricsServiceResponse::default() };
    let number = |value: &serde_json::Value| {
        value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    };
    let partial = ExportMetricsPartialSuccess {
        rejected_data_points: Signal::ALL
            .into_iter()
            .find_map(|signal| number(partial.get(signal.rejected())?))
            .unwrap_or(0),
        error_message: partial
            .get("errorMessage")
            .and_then(|text| text.as_str())
            .unwrap_or_default()
            .to_owned(),
    };
    ExportMetricsServiceResponse { partial_success: Some(partial) }
}

/// An HTTP answer other than success. `retry_after` is the header's text; `now_ns` the wall clock.
pub(super) fn refused(status: u16, retry_after: Option<&str>, body: &[u8], now_ns: u64) -> Outcome {
    let why = match error_text(body) {
        text if text.is_empty() => format!("HTTP {status}"),
        text => format!("HTTP {status}: {text}"),
    };
    match status {
        429 | 502 | 503 | 504 => {
            Outcome::Retry { after: retry_after.and_then(|text| wait_of(text, now_ns)), why }
        }
        413 => Outcome::TooLarge { why },
        401 | 403 => Outcome::Unauthorized { why },
        300..=399 => Outcome::Poison { why: format!("{why}: redirects are not followed") },
        _ => Outcome::Poison { why },
    }
}

/// A gRPC status other than OK.
pub(super) fn status(status: &Status) -> Outcome {
    let why = match shown(status.message()) {
        text if text.is_empty() => format!("gRPC {:?}", status.code()),
        text => format!("gRPC {:?}: {text}", status.code()),
    };
    // A status with a cause was made on our side, by a connection that failed.
    if std::error::Error::source(status).is_some() {
        return Outcome::Retry { after: None, why: format!("{why}{}", causes(status)) };
    }
    let after = retry_info(status.details());
    match status.code() {
        Code::ResourceExhausted | Code::OutOfRange if speaks_of_size(status.message()) => {
            Outcome::TooLarge { why }
        }
        Code::ResourceExhausted if after.is_none() => Outcome::Poison { why },
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss
        | Code::ResourceExhausted => Outcome::Retry { after, why },
        Code::Unauthenticated | Code::PermissionDenied => Outcome::Unauthorized { why },
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal => Outcome::Poison { why },
    }
}

/// Go's gRPC refuses a large message as RESOURCE_EXHAUSTED, tonic's as OUT_OF_RANGE; only the text
/// tells it from a quota or a range.
fn speaks_of_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("message") && (message.contains("larger than max") || message.contains("too large"))
}

/// `google.rpc.Status`, as far as it is read here.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`, and the `google.protobuf.Duration` inside.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The wait inside a status's details; zero when there is a `RetryInfo` without one.
fn retry_info(details: &[u8]) -> Option<Duration> {
    let details = RpcStatus::decode(details).ok()?.details;
    let info = details.iter().find(|any| any.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
    let seconds = u64::try_from(delay.seconds).unwrap_or(0);
    Some(Duration::new(seconds, u32::try_from(delay.nanos).unwrap_or(0).min(999_999_999)))
}

/// The text of an error's body: a `google.rpc.Status` in protobuf or JSON, or whatever it is.
fn error_text(body: &[u8]) -> String {
    if body.starts_with(b"{") {
        let status: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some(message) = status.get("message").and_then(|text| text.as_str()) {
            return shown(message);
        }
    }
    match RpcStatus::decode(body) {
        Ok(status) if !status.message.is_empty() => shown(&status.message),
        Ok(_) | Err(_) => shown(&String::from_utf8_lossy(body)),
    }
}

/// A foreign text on one line, at most `ERROR_BYTES` long.
fn shown(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(ERROR_BYTES)];
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Partial { .. } => "partial",
            Outcome::Retry { after: None, .. } => "retry",
            Outcome::Retry { after: Some(_), .. } => "retry after",
            Outcome::TooLarge { .. } => "too large",
            Outcome::Poison { .. } => "poison",
            Outcome::Unauthorized { .. } => "unauthorized",
        }
    }

    fn with_details(code: Code, details: &RpcStatus) -> Status {
        Status::with_details(code, "no", details.encode_to_vec().into())
    }

    fn retry_details(seconds: i64, nanos: i32) -> RpcStatus {
        let info = RetryInfo { retry_delay: Some(Delay { seconds, nanos }) };
        let any =
            Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: info.encode_to_vec() };
        RpcStatus { code: 8, message: String::new(), details: vec![any] }
    }

    #[test]
    fn http_statuses_read_as_the_protocol_says() {
        let cases = [
            (429, "retry"),
            (502, "retry"),
            (503, "retry"),
            (504, "retry"),
            (401, "unauthorized"),
            (403, "unauthorized"),
            (413, "too large"),
            (301, "poison"),
            (307, "poison"),
            (400, "poison"),
            (404, "poison"),
            (408, "poison"),
            (500, "poison"),
            (501, "poison"),
        ];
        for (status, expected) in cases {
            assert_eq!(word(&refused(status, None, b"", 0)), expected, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now_ns = 784_111_777 * 1_000_000_000; // Sun, 06 Nov 1994 08:49:37 GMT
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let outcome = refused(503, Some(text), b"", now_ns);
            let after = seconds.map(Duration::from_secs);
            assert_eq!(outcome, Outcome::Retry { after, why: "HTTP 503".into() }, "{text}");
        }
    }

    #[test]
    fn grpc_codes_read_as_the_protocol_says() {
        let cases = [
            (Code::Cancelled, "retry"),
            (Code::Unknown, "poison"),
            (Code::InvalidArgument, "poison"),
            (Code::DeadlineExceeded, "retry"),
            (Code::NotFound, "poison"),
            (Code::AlreadyExists, "poison"),
            (Code::PermissionDenied, "unauthorized"),
            (Code::ResourceExhausted, "poison"),
            (Code::FailedPrecondition, "poison"),
            (Code::Aborted, "retry"),
            (Code::OutOfRange, "retry"),
            (Code::Unimplemented, "poison"),
            (Code::Internal, "poison"),
            (Code::Unavailable, "retry"),
            (Code::DataLoss, "retry"),
            (Code::Unauthenticated, "unauthorized"),
        ];
        for (code, expected) in cases {
            assert_eq!(word(&status(&Status::new(code, "no"))), expected, "{code:?}");
        }
    }

    #[test]
    fn an_exhausted_server_that_names_a_time_is_asked_again() {
        let outcome = status(&with_details(Code::ResourceExhausted, &retry_details(3, 500_000_000)));
        assert_eq!(
            outcome,
            Outcome::Retry {
                after: Some(Duration::from_millis(3_500)),
                why: "gRPC ResourceExhausted: no".into()
            }
        );
        assert_eq!(retry_info(&retry_details(-1, -5).encode_to_vec()), Some(Duration::ZERO));
        assert_eq!(retry_info(b"\xff\xff"), None);
    }

    #[test]
    fn messages_about_size_ask_for_less() {
        for (code, message) in [
            (Code::ResourceExhausted, "grpc: received message larger than max (5242880 vs. 4194304)"),
            (
                Code::OutOfRange,
                "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
            ),
        ] {
            assert_eq!(word(&status(&Status::new(code, message))), "too large");
        }
    }

    #[test]
    fn a_partial_success_counts_what_was_refused() {
        let response = |rejected_data_points, error_message: &str| ExportMetricsServiceResponse {
            partial_success: Some(ExportMetricsPartialSuccess {
                rejected_data_points,
                error_message: error_message.into(),
            }),
        };
        assert_eq!(accepted(&response(2, "old")), Outcome::Partial { refused: 2, why: "old".into() });
        assert_eq!(
            accepted(&response(0, "please upgrade")),
            Outcome::Partial { refused: 0, why: "please upgrade".into() }
        );
        assert_eq!(accepted(&response(-1, "")), Outcome::Delivered);
        assert_eq!(accepted(&ExportMetricsServiceResponse::default()), Outcome::Delivered);
    }

    #[test]
    fn answers_in_json_read_the_same() {
        let outcome = |body: &str| accepted(&of_json(body.as_bytes()));
        for name in ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"] {
            for number in ["2", "\"2\""] {
                let body = format!(r#"{{"partialSuccess":{{"{name}":{number},"errorMessage":"old"}}}}"#);
                assert_eq!(outcome(&body), Outcome::Partial { refused: 2, why: "old".into() }, "{body}");
            }
        }
        let taken = ["", "{}", "<html>", "[]", r#"{"partialSuccess":{}}"#, r#"{"partialSuccess":null}"#];
        assert!(taken.iter().all(|body| outcome(body) == Outcome::Delivered));
        let status = refused(400, None, br#"{"code":3,"message":"bad name"}"#, 0);
        assert_eq!(status, Outcome::Poison { why: "HTTP 400: bad name".into() });
        let other = refused(400, None, br#"{"error":"bad"}"#, 0);
        assert_eq!(other, Outcome::Poison { why: r#"HTTP 400: {"error":"bad"}"#.into() });
    }

    #[test]
    fn foreign_texts_are_cut_and_stay_on_one_line() {
        let status = RpcStatus { code: 3, message: "bad\nname".into(), details: vec![] };
        let why = |body: &[u8]| match refused(400, None, body, 0) {
            Outcome::Poison { why } => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(&status.encode_to_vec()), "HTTP 400: bad name");
        assert_eq!(why(b"<html>\x1b[31m"), "HTTP 400: <html> [31m");
        assert!(why("ä".repeat(4_000).as_bytes()).len() <= ERROR_BYTES + 20);
    }
}
