//! From events and service checks to OTLP log records.
//!
//! A record's own attributes come first and keep their names; a tag of the same name stands behind
//! them as `tag.NAME`. Pure; next: `answer`.

use super::attributes::{attribute, attributes, resource, scope, text};
use crate::statsd::{Alert, Check, Event, Note, Status};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};

/// One request with these notes.
pub(in crate::backend) fn request(
    notes: &[Note],
    facts: &[(String, String)],
    version: &str,
) -> ExportLogsServiceRequest {
    let log_records = notes
        .iter()
        .map(|note| match note {
            Note::Event(event) => event_record(event),
            Note::Check(check) => check_record(check),
        })
        .collect();
    let scope_logs = ScopeLogs { scope: Some(scope(version)), log_records, ..Default::default() };
    let resource_logs =
        ResourceLogs { resource: Some(resource(facts)), scope_logs: vec![scope_logs], ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }
}

fn event_record(event: &Event) -> LogRecord {
    let (alert, severity) = match event.alert {
        Alert::Info => ("info", SeverityNumber::Info),
        Alert::Success => ("success", SeverityNumber::Info),
        Alert::Warning => ("warning", SeverityNumber::Warn),
        Alert::Error => ("error", SeverityNumber::Error),
    };
    let mut own = vec![attribute("title", &event.title)];
    optional(&mut own, "aggregation_key", &event.aggregation_key);
    optional(&mut own, "source_type_name", &event.source_type);
    own.push(attribute("priority", if event.low_priority { "low" } else { "normal" }));
    own.push(attribute("alert_type", alert));
    optional(&mut own, "host.name", &event.host);
    record("dogstatsd.event", event.time_s, severity, &event.text, own, &event.tags)
}

fn check_record(check: &Check) -> LogRecord {
    let (status, severity) = match check.status {
        Status::Ok => ("OK", SeverityNumber::Info),
        Status::Warning => ("WARNING", SeverityNumber::Warn),
        Status::Critical => ("CRITICAL", SeverityNumber::Error),
        Status::Unknown => ("UNKNOWN", SeverityNumber::Warn),
    };
    let mut own = vec![attribute("check", &check.name), attribute("status", status)];
    optional(&mut own, "host.name", &check.host);
    let message = check.message.as_deref().unwrap_or("");
    record("dogstatsd.service_check", check.time_s, severity, message, own, &check.tags)
}

fn optional(own: &mut Vec<KeyValue>, key: &str, value: &Option<String>) {
    if let Some(value) = value {
        own.push(attribute(key, value));
    }
}

fn record(
    event_name: &str,
    time_s: u64,
    severity: SeverityNumber,
    body: &str,
    mut own: Vec<KeyValue>,
    tags: &[String],
) -> LogRecord {
    let pairs = tags.iter().map(|tag| match tag.split_once(':') {
        Some((key, value)) => (key, Some(value)),
        None => (tag.as_str(), None),
    });
    for mut tag in attributes(pairs) {
        if own.iter().any(|known| known.key == tag.key) {
            tag.key.insert_str(0, "tag.");
        }
        own.push(tag);
    }
    LogRecord {
        time_unix_nano: time_s.saturating_mul(1_000_000_000),
        severity_number: severity as i32,
        severity_text: severity_text(severity).to_owned(),
        body: Some(text(body)),
        attributes: own,
        event_name: event_name.to_owned(),
        ..Default::default()
    }
}

fn severity_text(severity: SeverityNumber) -> &'static str {
    severity.as_str_name().trim_start_matches("SEVERITY_NUMBER_")
}
