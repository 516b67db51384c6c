//! The summary for people: one log line every `telemetry.summary_interval`, from two looks at the agent.

use super::status::{BackendState, SignalStatus, Status};
use std::fmt::Write as _;

/// What happened between `before` and `after`. Parts with nothing to say are left out.
pub fn line(before: &Status, after: &Status) -> String {
    let seconds = (after.uptime_seconds - before.uptime_seconds).max(f64::MIN_POSITIVE);
    let sum = |status: &Status, of: fn(&super::counts::ListenerCounts) -> u64| -> u64 {
        status.listeners.iter().map(|listener| of(&listener.counts)).sum()
    };
    let since = |of| sum(after, of).saturating_sub(sum(before, of));
    let rate = since(|c| c.messages) as f64 / seconds;
    let mut line = format!("received {} messages/s", rounded(rate));
    let (old, new) = (&before.requests, &after.requests);
    signal(&mut line, "spans", &old.spans.signal, &new.spans.signal, seconds);
    signal(&mut line, "data points", &old.points.signal, &new.points.signal, seconds);
    signal(&mut line, "log records", &old.log_records, &new.log_records, seconds);
    let contexts = &after.contexts;
    // Writing to a string cannot fail.
    let _ = write!(line, ", {} contexts of at most {}", contexts.held, contexts.limit);
    if let Some(overflow) = contexts.overflow.first() {
        let _ = write!(line, " (`{}` overflows", overflow.name);
        if contexts.overflow.len() > 1 {
            let _ = write!(line, " and {} more", contexts.overflow.len() - 1);
        }
        line.push(')');
    }
    rejects(&mut line, before, after);
    let dropped = since(|c| c.kernel_dropped);
    if dropped > 0 {
        let worst = after.listeners.iter().max_by_key(|listener| listener.counts.kernel_dropped);
        let address = worst.map_or("", |listener| &listener.address);
        let _ = write!(line, ", {dropped} datagrams dropped by the kernel at {address} (see /status)");
    }
    let other = since(|c| c.oversized + c.bad_frames + c.events_dropped + c.timestamped_dropped + c.no_room);
    if other > 0 {
        let _ = write!(line, ", {other} lost for other reasons (see /status)");
    }
    backends(&mut line, after);
    match after.scrapes.last_seconds_ago {
        Some(age) => {
            let _ = write!(line, ", last scrape {} s ago", rounded(age));
        }
        None => line.push_str(", never scraped"),
    }
    line
}

fn signal(line: &mut String, what: &str, before: &SignalStatus, after: &SignalStatus, seconds: f64) {
    let since = |of: fn(&SignalStatus) -> u64| of(after).saturating_sub(of(before));
    let received = since(|signal| signal.received.values().sum());
    let refused = since(|signal| signal.refused.iter().map(|refused| refused.count).sum());
    let dropped = since(|signal| signal.dropped_no_backend);
    // Writing to a string cannot fail.
    if received > 0 {
        let _ = write!(line, " and {} {what}/s", rounded(received as f64 / seconds));
    }
    if refused > 0 {
        let _ = write!(line, ", {refused} {what} refused");
    }
    if dropped > 0 {
        let _ = write!(line, ", {dropped} {what} dropped because no backend carries them (see /status)");
    }
}

fn rejects(line: &mut String, before: &Status, after: &Status) {
    let total = |status: &Status| -> u64 { status.listeners.iter().map(|l| l.rejected_total).sum() };
    let rejected = total(after).saturating_sub(total(before));
    if rejected == 0 {
        return;
    }
    let count = |status: &Status, reason| -> u64 {
        let all = status.listeners.iter().flat_map(|listener| &listener.rejected);
        all.filter(|r| r.reason == reason).map(|r| r.count).sum()
    };
    let reasons = after.listeners.iter().flat_map(|listener| &listener.rejected);
    let top = reasons.max_by_key(|r| count(after, r.reason).saturating_sub(count(before, r.reason)));
    let _ = write!(line, ", {rejected} rejected");
    if let Some(top) = top {
        let _ = write!(line, " (mostly {}: {})", top.reason, top.meaning);
    }
}

fn backends(line: &mut String, after: &Status) {
    for (i, backend) in after.backends.iter().enumerate() {
        line.push_str(if i == 0 { ", backends: " } else { " and " });
        let _ = write!(line, "{} {}", backend.name, backend.state.as_str());
        if let (BackendState::Failing, Some(error)) = (backend.state, &backend.last_error) {
            let _ = write!(line, " ({error})");
        }
        if backend.dropped > 0 {
            let _ = write!(line, " with {} lost", backend.dropped);
        }
    }
}

/// As many digits as a person wants.
fn rounded(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::super::readiness::Phase;
    use super::super::status::{RejectStatus, tests::Sample};
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_quiet_minute_is_a_short_line() {
        let mut before = Status::read(&Sample { phase: Phase::Ready }, 0, 60 * SECOND);
        before.contexts.overflow.clear();
        before.backends.clear();
        before.scrapes.last_seconds_ago = None;
        let after = Status { uptime_seconds: 120.0, ..before.clone() };
        insta::assert_snapshot!(line(&before, &after), @"received 0.0 messages/s, 3 contexts of at most 1000, never scraped");
    }

    #[test]
    fn trouble_is_named_with_its_cause() {
        let before = Status::read(&Sample { phase: Phase::Ready }, 0, 60 * SECOND);
        let mut after = Status::read(&Sample { phase: Phase::Ready }, 0, 120 * SECOND);
        after.listeners[0].counts.messages += 72_345;
        after.listeners[0].counts.kernel_dropped += 12;
        after.listeners[0].counts.oversized += 1;
        after.listeners[0].rejected_total += 5;
        // `bad_type` leads in total; `not_utf8` leads in this minute.
        let new =
            RejectStatus { reason: "not_utf8", meaning: "the name is not UTF-8", count: 5, sample: None };
        after.listeners[0].rejected.push(new);
        after.backends[0].dropped = 3;
        after.requests.spans.signal.received.insert("otlp", 607);
        after.requests.spans.signal.refused[0].count += 6;
        after.requests.spans.signal.dropped_no_backend += 4;
        insta::assert_snapshot!(line(&before, &after), @"received 1206 messages/s and 10 spans/s, 6 spans refused, 4 spans dropped because no backend carries them (see /status), 3 contexts of at most 1000 (`bomb` overflows), 5 rejected (mostly not_utf8: the name is not UTF-8), 12 datagrams dropped by the kernel at udp://127.0.0.1:8125 (see /status), 1 lost for other reasons (see /status), backends: main failing (connection refused) with 3 lost, last scrape 1.5 s ago");
    }
}
