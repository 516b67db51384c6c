//! Explains datagrams that the kernel dropped: which socket, what its buffer holds, what capped it, the
//! burst that filled it, and the line to change.
//!
//! A pure function of facts that others read; the estimate of what fits says that it is one.

use super::counts::ListenerCounts;
use serde::Serialize;

/// What is known of a listener's socket. `None` where it does not apply or could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SocketFacts {
    /// Bytes that the kernel charges datagrams against, per socket: `SO_RCVBUF` as read back, twice what
    /// was granted.
    pub receive_buffer: Option<usize>,
    /// Bytes asked for by the configuration; 0 leaves it to the kernel.
    pub asked: usize,
    /// `net.core.rmem_max`: the most that is granted without privilege.
    pub limit: Option<usize>,
    /// Datagrams taken in the largest single wake-up.
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
    let buffer = facts.receive_buffer?;
    let dropped = counts.kernel_dropped;
    if dropped == 0 {
        return None;
    }
    let each = true_size(counts.bytes.checked_div(counts.packets).unwrap_or(0));
    let holds = buffer as u64 / each;
    let granted = buffer / 2;
    let wanted = wanted(granted, facts.largest_burst.unwrap_or(0).saturating_mul(each));
    let (capped_by, change) = remedy(facts, granted, wanted);
    let burst = match facts.largest_burst {
        Some(burst) => format!(" the largest burst taken in one go was {burst};"),
        None => String::new(),
    };
    let explanation = format!(
        "{address} lost {dropped} datagrams because its receive buffer of {buffer} bytes was full: it holds about \
         {holds} datagrams of the size that comes;{burst} {}. To change: {}",
        capped_by.sentence,
        change.join(", then ")
    );
    Some(KernelDrops {
        dropped,
        share: dropped as f64 / (counts.packets + dropped) as f64,
        receive_buffer_bytes: buffer,
        capped_by: capped_by.name,
        holds_datagrams: holds,
        largest_burst_datagrams: facts.largest_burst,
        change,
        explanation,
    })
}

/// What the kernel charges for a datagram: its buffer (rounded up to a power of two, with room for headers
/// and the kernel's own record) and the record that points at it; never under 768 bytes on loopback.
fn true_size(payload: u64) -> u64 {
    const HEADERS_AND_SHARED_INFO: u64 = 64 + 320;
    const RECORD: u64 = 256;
    ((payload + HEADERS_AND_SHARED_INFO).next_power_of_two() + RECORD).max(768)
}

/// Bytes to ask for: four times what is there, or twice the burst when that is more.
fn wanted(granted: usize, burst_bytes: u64) -> usize {
    // Asking is in halves of what is charged, so twice the burst charged is once the burst asked.
    let for_burst = usize::try_from(burst_bytes).unwrap_or(usize::MAX / 4);
    granted.saturating_mul(4).max(for_burst).min(1 << 30).next_power_of_two()
}

struct Cap {
    name: &'static str,
    sentence: &'static str,
}

fn remedy(facts: &SocketFacts, granted: usize, wanted: usize) -> (Cap, Vec<String>) {
    let option =
        |bytes| format!("`receive_buffer = {bytes}` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER={bytes})");
    let system = |bytes| format!("`sysctl -w net.core.rmem_max={bytes}`");
    let limit = facts.limit.unwrap_or(usize::MAX);
    if facts.asked > granted {
        // The option says what is wanted already; only the system must allow it.
        let cap = Cap {
            name: "net.core.rmem_max",
            sentence: "the configuration asks for more than net.core.rmem_max allows",
        };
        return (cap, vec![system(facts.asked)]);
    }
    let cap = if facts.asked == 0 {
        Cap {
            name: "net.core.rmem_default",
            sentence: "its size is the kernel's default, net.core.rmem_default",
        }
    } else {
        Cap { name: "statsd.receive_buffer", sentence: "its size is what statsd.receive_buffer asks for" }
    };
    // As far as the limit goes already, the option alone is the answer.
    if limit >= granted.saturating_mul(2) {
        return (cap, vec![option(wanted.min(limit))]);
    }
    (cap, vec![system(wanted), option(wanted)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(packets: u64, bytes: u64, kernel_dropped: u64) -> ListenerCounts {
        ListenerCounts { packets, bytes, kernel_dropped, ..ListenerCounts::default() }
    }

    fn explained(facts: SocketFacts) -> String {
        let drops = explain("udp://127.0.0.1:8125", &counts(900, 900 * 1432, 100), &facts).unwrap();
        assert!((drops.share - 0.1).abs() < 1e-9);
        drops.explanation
    }

    #[test]
    fn nothing_lost_is_nothing_to_explain() {
        let facts = SocketFacts { receive_buffer: Some(212_992), ..SocketFacts::default() };
        assert_eq!(explain("udp://x", &counts(9, 9, 0), &facts), None);
        assert_eq!(explain("unix:///x", &counts(9, 9, 1), &SocketFacts::default()), None);
    }

    #[test]
    fn small_datagrams_cost_the_kernel_768_bytes() {
        for (payload, expected) in
            [(0, 768), (30, 768), (128, 768), (200, 1280), (1432, 2304), (8192, 16_640)]
        {
            assert_eq!(true_size(payload), expected, "{payload}");
        }
    }

    #[test]
    fn the_kernels_default_is_raised_by_the_option() {
        let facts = SocketFacts {
            receive_buffer: Some(212_992),
            limit: Some(4_194_304),
            largest_burst: Some(90),
            ..SocketFacts::default()
        };
        insta::assert_snapshot!(explained(facts), @"udp://127.0.0.1:8125 lost 100 datagrams because its receive buffer of 212992 bytes was full: it holds about 92 datagrams of the size that comes; the largest burst taken in one go was 90; its size is the kernel's default, net.core.rmem_default. To change: `receive_buffer = 524288` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=524288)");
    }

    #[test]
    fn a_limit_below_what_was_asked_is_named() {
        let facts = SocketFacts {
            receive_buffer: Some(425_984),
            asked: 8_388_608,
            limit: Some(212_992),
            ..SocketFacts::default()
        };
        insta::assert_snapshot!(explained(facts), @"udp://127.0.0.1:8125 lost 100 datagrams because its receive buffer of 425984 bytes was full: it holds about 184 datagrams of the size that comes; the configuration asks for more than net.core.rmem_max allows. To change: `sysctl -w net.core.rmem_max=8388608`");
    }

    #[test]
    fn a_default_at_the_limit_needs_both_lines() {
        let facts =
            SocketFacts { receive_buffer: Some(212_992), limit: Some(106_496), ..SocketFacts::default() };
        insta::assert_snapshot!(explained(facts), @"udp://127.0.0.1:8125 lost 100 datagrams because its receive buffer of 212992 bytes was full: it holds about 92 datagrams of the size that comes; its size is the kernel's default, net.core.rmem_default. To change: `sysctl -w net.core.rmem_max=524288`, then `receive_buffer = 524288` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=524288)");
    }

    #[test]
    fn a_buffer_as_asked_is_raised_by_its_option() {
        let facts = SocketFacts {
            receive_buffer: Some(1 << 20),
            asked: 1 << 19,
            limit: Some(4 << 20),
            largest_burst: Some(10_000),
        };
        insta::assert_snapshot!(explained(facts), @"udp://127.0.0.1:8125 lost 100 datagrams because its receive buffer of 1048576 bytes was full: it holds about 455 datagrams of the size that comes; the largest burst taken in one go was 10000; its size is what statsd.receive_buffer asks for. To change: `receive_buffer = 4194304` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=4194304)");
    }
}
