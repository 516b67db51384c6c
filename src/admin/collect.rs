//! Copies what is counted elsewhere into pillion's own metrics, when a scrape is about to read them.
//!
//! Intake threads count in plain integers of their own; nothing here is on their path.

use super::counts::ListenerCounts;
use super::kernel_drops::SocketFacts;
use crate::intake::http::{Reason, Watch};
use crate::metrics::tally::Tally;
use crate::statsd::{Reject, Remark};
use crate::telemetry::{self, Metric};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A listener as the admin part sees it.
#[derive(Clone, Debug)]
pub struct ListenerSource {
    /// As configured: `udp://127.0.0.1:8125`. It is the label `listener`.
    pub address: String,
    /// `udp`, `tcp`, `unixgram` or `unix`.
    pub kind: &'static str,
    /// One a thread.
    pub tallies: Vec<Arc<Tally>>,
    /// Threads that ended by a fault.
    pub failed: usize,
    pub socket: SocketFacts,
}

/// Copies the counters of all listeners. Reasons that never occurred are there with 0, so that
/// `increase()` sees the first one.
pub fn listeners(sources: &[ListenerSource]) {
    for ListenerSource { address, tallies, socket, .. } in sources {
        for (metric, n) in ListenerCounts::sum(tallies).metrics() {
            telemetry::total(metric, &[address], n);
        }
        for reason in Reject::ALL {
            let n = rejected(tallies, reason);
            telemetry::total(Metric::ListenerRejected, &[address, reason.as_str()], n);
        }
        for remark in Remark::ALL {
            let n = remarked(tallies, remark);
            telemetry::total(Metric::ListenerRemarked, &[address, remark.as_str()], n);
        }
        if let Some(buffer) = socket.buffer {
            telemetry::gauge(Metric::ListenerReceiveBuffer, &[address], buffer.bytes as f64);
        }
    }
}

/// Copies the counters of the span intakes, summed by protocol. Refusals are counted where they happen; here
/// they begin with 0.
pub fn intakes(watches: &[Watch]) {
    let mut protocols: BTreeMap<&'static str, (u64, u64, BTreeMap<String, u64>)> = BTreeMap::new();
    for watch in watches {
        let (connections, bytes, statuses) = protocols.entry(watch.protocol()).or_default();
        *connections += watch.connections();
        *bytes += watch.body_bytes();
        for (status, count) in watch.statuses() {
            *statuses.entry(status).or_default() += count;
        }
    }
    for (protocol, (connections, bytes, statuses)) in protocols {
        telemetry::gauge(Metric::IntakeConnections, &[protocol], connections as f64);
        telemetry::total(Metric::IntakeBodyBytes, &[protocol], bytes);
        for (status, count) in statuses {
            telemetry::total(Metric::IntakeRequests, &[protocol, &status], count);
        }
        for reason in Reason::ALL {
            telemetry::add(Metric::IntakeRefused, &[protocol, reason.as_str()], 0);
        }
    }
}

pub(super) fn rejected(tallies: &[Arc<Tally>], reason: Reject) -> u64 {
    tallies.iter().map(|tally| tally.rejected(reason)).sum()
}

pub(super) fn remarked(tallies: &[Arc<Tally>], remark: Remark) -> u64 {
    tallies.iter().map(|tally| tally.remarked(remark)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::statsd::ReceiveBuffer;
    use crate::telemetry::Recorder;

    #[test]
    fn the_threads_of_a_listener_are_summed_under_its_address() {
        let tallies = vec![Arc::new(Tally::default()), Arc::new(Tally::default())];
        tallies[0].packets.add(3);
        tallies[1].packets.add(4);
        tallies[1].reject(Reject::BadValue, b"a:x|c", 1);
        tallies[0].remark(Remark::EmptyTag);
        let buffer =
            ReceiveBuffer { asked: 0, written: crate::config::Written::Nowhere, bytes: 212_992, limit: None };
        let socket = SocketFacts { buffer: Some(buffer), largest_burst: None };
        let address = "udp://[::1]:8125".into();
        let source = ListenerSource { address, kind: "udp", tallies, failed: 0, socket };
        let (recorder, reader) = Recorder::detached();
        metrics::with_local_recorder(&recorder, || listeners(&[source]));
        let lines = reader.lines();
        for line in [
            r#"pillion_listener_packets_total{listener="udp://[::1]:8125"} 7"#,
            r#"pillion_listener_rejected_total{listener="udp://[::1]:8125",reason="bad_value"} 1"#,
            r#"pillion_listener_rejected_total{listener="udp://[::1]:8125",reason="bad_type"} 0"#,
            r#"pillion_listener_remarked_total{listener="udp://[::1]:8125",remark="empty_tag"} 1"#,
            r#"pillion_listener_receive_buffer_bytes{listener="udp://[::1]:8125"} 212992"#,
        ] {
            assert!(lines.iter().any(|l| l == line), "{line} is not in {lines:#?}");
        }
    }
}
