//! Explains datagrams that the kernel dropped: which socket, what its buffer holds, what capped it, the
//! burst that filled it, and the line to change.
//!
//! A pure function of facts that others read; the estimate of what fits says that it is one.

use super::counts::ListenerCounts;
use crate::intake::statsd::{ReceiveBuffer, true_size};
use serde::Serialize;

/// What is known of a listener's socket. `None` where it does not apply or could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SocketFacts {
    /// Of each socket.
    pub buffer: Option<ReceiveBuffer>,
    /// Datagrams in the last burst that filled it.
    pub largest_burst: Option<u64>,
}

/// Why a socket lost datagrams, and what helps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelDrops {
    pub dropped: u64,
    /// Of all that arrived, 0 to 1.
    pub share: f64,
    pub receive_buffer_bytes: usize,
    /// What decided the size of the buffer.
    pub capped_by: &'static str,
    /// `net.core.rmem_max`: the most that may be asked for without privilege.
    pub limit_bytes: Option<usize>,
    /// Estimate of the datagrams (of the average size so far) that the buffer holds.
    pub holds_datagrams: u64,
    /// Datagrams in the largest burst seen; the one that was lost in part was larger still.
    pub largest_burst_datagrams: Option<u64>,
    /// What to change: one line, unless the system's limit and the option must move together.
    pub change: Vec<String>,
    /// All of it in a sentence.
    pub explanation: String,
}

/// Nothing when nothing was dropped, or when there is no buffer to speak of.
pub fn explain(address: &str, counts: &ListenerCounts, facts: &SocketFacts) -> Option<KernelDrops> {
    let buffer = facts.buffer?;
    let dropped = counts.kernel_dropped;
    if dropped == 0 {
        return None;
    }
    let each = true_size(counts.bytes.checked_div(counts.packets).unwrap_or(0));
    let holds = buffer.bytes as u64 / each;
    let capped_by = cap(&buffer);
    let change = buffer.remedy(facts.largest_burst.unwrap_or(0).saturating_mul(each));
    let burst = match facts.largest_burst {
        Some(burst) => format!(" the largest burst taken in one go was {burst};"),
        None => String::new(),
    };
    let explanation = format!(
        "{address} lost {dropped} datagrams because its receive buffer of {} bytes was full: it holds about \
         {holds} datagrams of the size that comes;{burst} {}. To change: {}",
        buffer.bytes,
        capped_by.sentence,
        change.join(", then ")
    );
    Some(KernelDrops {
        dropped,
        share: dropped as f64 / (counts.packets + dropped) as f64,
        receive_buffer_bytes: buffer.bytes,
        capped_by: capped_by.name,
        limit_bytes: buffer.limit,
        holds_datagrams: holds,
        largest_burst_datagrams: facts.largest_burst,
        change,
        explanation,
    })
}

struct Cap {
    name: &'static str,
    sentence: String,
}

/// What decided the size of a buffer.
fn cap(buffer: &ReceiveBuffer) -> Cap {
    if buffer.is_short() {
        let sentence = format!(
            "statsd.receive_buffer is {}, more than net.core.rmem_max allows ({})",
            buffer.asked,
            buffer.bytes / 2
        );
        return Cap { name: "net.core.rmem_max", sentence };
    }
    match buffer.asked {
        0 => Cap {
            name: "net.core.rmem_default",
            sentence: "its size is the kernel's default, net.core.rmem_default".to_owned(),
        },
        _ => Cap {
            name: "statsd.receive_buffer",
            sentence: "its size is what statsd.receive_buffer asks for".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Written;

    fn counts(packets: u64, bytes: u64, kernel_dropped: u64) -> ListenerCounts {
        ListenerCounts { packets, bytes, kernel_dropped, ..ListenerCounts::default() }
    }

    fn facts(asked: usize, bytes: usize, limit: Option<usize>, largest_burst: Option<u64>) -> SocketFacts {
        SocketFacts {
            buffer: Some(ReceiveBuffer { asked, written: Written::Shared, bytes, limit }),
            largest_burst,
        }
    }

    fn explained(facts: SocketFacts) -> String {
        let drops = explain("udp://127.0.0.1:8125", &counts(900, 900 * 1432, 100), &facts).unwrap();
        assert!((drops.share - 0.1).abs() < 1e-9);
        drops.explanation
    }

    #[test]
    fn nothing_lost_is_nothing_to_explain() {
        let facts = facts(0, 212_992, None, None);
        assert_eq!(explain("udp://x", &counts(9, 9, 0), &facts), None);
        assert_eq!(explain("unix:///x", &counts(9, 9, 1), &SocketFacts::default()), None);
    }

    #[test]
    fn the_kernels_default_is_raised_by_the_option() {
        insta::assert_snapshot!(explained(facts(0, 212_992, Some(4_194_304), Some(90))), @"udp://127.0.0.1:8125 lost 100 datagrams because its receive buffer of 212992 bytes was full: it holds about 92 datagrams of the size that comes; the largest burst taken in one go was 90; its size is the kernel's default, net.core.rmem_default. To change: `receive_buffer = 524288` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=524288)");
    }

    #[test]
    fn a_limit_below_what_was_asked_is_named() {
        insta::assert_snapshot!(explained(facts(8_388_608, 425_984, Some(212_992), None)), @"udp://127.0.0.1:8125 lost 100 datagrams because its receive buffer of 425984 bytes was full: it holds about 184 datagrams of the size that comes; statsd.receive_buffer is 8388608, more than net.core.rmem_max allows (212992). To change: `sysctl -w net.core.rmem_max=8388608`");
    }

    #[test]
    fn a_default_at_the_limit_needs_both_lines() {
        insta::assert_snapshot!(explained(facts(0, 212_992, Some(106_496), None)), @"udp://127.0.0.1:8125 lost 100 datagrams because its receive buffer of 212992 bytes was full: it holds about 92 datagrams of the size that comes; its size is the kernel's default, net.core.rmem_default. To change: `sysctl -w net.core.rmem_max=524288`, then `receive_buffer = 524288` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=524288)");
    }

    #[test]
    fn a_buffer_as_asked_is_raised_by_its_option() {
        insta::assert_snapshot!(explained(facts(1 << 19, 1 << 20, Some(4 << 20), Some(10_000))), @"udp://127.0.0.1:8125 lost 100 datagrams because its receive buffer of 1048576 bytes was full: it holds about 455 datagrams of the size that comes; the largest burst taken in one go was 10000; its size is what statsd.receive_buffer asks for. To change: `receive_buffer = 4194304` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=4194304)");
    }
}
