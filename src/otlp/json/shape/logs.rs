//! Log records: `opentelemetry/proto/logs/v1/logs.proto`.

use super::{ANY_VALUE, KEY_VALUE, Kind, LARGE, MEDIUM, RESOURCE, Role, SCOPE, Shape, field};

pub(in super::super) static REQUEST: Shape = Shape {
    role: Role::Request,
    expected: LARGE,
    fields: &[field("resourceLogs", "resource_logs", 1, Kind::Messages(&RESOURCE_LOGS))],
};

pub(in super::super) static RESOURCE_LOGS: Shape = Shape {
    role: Role::Chunk,
    expected: LARGE,
    fields: &[
        field("resource", "resource", 1, Kind::Message(&RESOURCE)),
        field("scopeLogs", "scope_logs", 2, Kind::Messages(&SCOPE_LOGS)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

static SCOPE_LOGS: Shape = Shape {
    role: Role::Scope,
    expected: LARGE,
    fields: &[
        field("scope", "scope", 1, Kind::Message(&SCOPE)),
        field("logRecords", "log_records", 2, Kind::Messages(&LOG_RECORD)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

static LOG_RECORD: Shape = Shape {
    role: Role::Item,
    expected: MEDIUM,
    fields: &[
        field("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
        field("observedTimeUnixNano", "observed_time_unix_nano", 11, Kind::Fixed64),
        field("severityNumber", "severity_number", 2, Kind::Enum(&SEVERITIES)),
        field("severityText", "severity_text", 3, Kind::Text),
        field("body", "body", 5, Kind::Message(&ANY_VALUE)),
        field("attributes", "attributes", 6, Kind::Messages(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 7, Kind::Uint32),
        field("flags", "flags", 8, Kind::Fixed32),
        field("traceId", "trace_id", 9, Kind::Id(16)),
        field("spanId", "span_id", 10, Kind::Id(8)),
        field("eventName", "event_name", 12, Kind::Text),
    ],
};

static SEVERITIES: [&str; 25] = [
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];
