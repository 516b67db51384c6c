//! The decoder against the vectors of its specification, and against whatever bytes come.
//!
//! One check function: bytes in, what they mean as text out; the cases are data.

mod encode;
mod properties;
mod vectors;

use super::{Check, Dialect, Event, Form, FormLimits, Line, Metric, Refused, Remarks, form, messages};

/// What a packet means, one message a line.
fn show(packet: &[u8], dialect: Dialect) -> String {
    messages(packet, dialect).map(|message| show_message(message, dialect)).collect::<Vec<_>>().join("\n")
}

fn show_message(message: Result<Line<'_>, Refused<'_>>, dialect: Dialect) -> String {
    match message {
        Ok(Line::Metric(metric)) => show_metric(&metric, dialect),
        Ok(Line::Event(event)) => show_event(&event.to_owned(0)) + &show_remarks(event.remarks),
        Ok(Line::Check(check)) => show_check(&check.to_owned(0)) + &show_remarks(check.remarks),
        Err(refused) => format!("{}: {}", refused.reason.as_str(), refused.message.escape_ascii()),
    }
}

/// `kind name values {tags}`, then what is not usual about it.
fn show_metric(metric: &Metric<'_>, dialect: Dialect) -> String {
    if let Err(reason) = metric.check_values() {
        return reason.as_str().to_owned();
    }
    let mut form = Form::default();
    if let Err(reason) = form::read_into(metric, dialect, &FormLimits::default(), &mut form) {
        return reason.as_str().to_owned();
    }
    let mut shown = format!("{} {}", metric.kind.symbol(), form.name);
    for number in metric.numbers() {
        let number = number.unwrap();
        shown += &if number.delta { format!(" {:+}", number.value) } else { format!(" {}", number.value) };
    }
    if metric.numbers().next().is_none() {
        shown += &format!(" {}", metric.values.bytes.escape_ascii());
    }
    shown += &format!(" {{{}}}", form.tags.join(", "));
    if metric.weight != 1.0 {
        shown += &format!(" weight={}", metric.weight);
    }
    let data = [("local", metric.local), ("external", metric.external), ("card", metric.cardinality)];
    for (what, bytes) in data.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        shown += &format!(" {what}={}", bytes.escape_ascii());
    }
    if let Some(time) = metric.timestamp {
        shown += &format!(" at={time}");
    }
    if let Some(entity) = form.entity {
        shown += &format!(" entity={entity}");
    }
    shown + &show_remarks(metric.remarks) + &show_remarks(form.remarks)
}

fn show_event(event: &Event) -> String {
    let mut shown = format!("event {:?} {:?} {:?}", event.title, event.text, event.alert);
    shown += if event.low_priority { " low" } else { "" };
    shown += &show_optional("key", &event.aggregation_key);
    shown += &show_optional("source", &event.source_type);
    shown + &show_origin(event.time_s, &event.host, &event.tags)
}

fn show_check(check: &Check) -> String {
    let shown = format!("check {:?} {:?}", check.name, check.status);
    shown + &show_optional("message", &check.message) + &show_origin(check.time_s, &check.host, &check.tags)
}

fn show_origin(time_s: u64, host: &Option<String>, tags: &[String]) -> String {
    let time = if time_s == 0 { String::new() } else { format!(" at={time_s}") };
    time + &show_optional("host", host) + &format!(" {{{}}}", tags.join(", "))
}

fn show_optional(what: &str, text: &Option<String>) -> String {
    text.as_ref().map(|text| format!(" {what}={text:?}")).unwrap_or_default()
}

fn show_remarks(remarks: Remarks) -> String {
    remarks.iter().map(|remark| format!(" ({})", remark.as_str())).collect()
}
