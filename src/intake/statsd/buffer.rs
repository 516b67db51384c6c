//! The receive buffer of a socket: what was asked, what the kernel gave, and what would give more.

use super::drain::force_receive_buffer;
use crate::config::Written;
use socket2::Socket;
use std::fs;
use std::io;

const LIMIT_FILE: &str = "/proc/sys/net/core/rmem_max";

/// A receive buffer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveBuffer {
    /// What the kernel was asked for; 0 left its default.
    pub asked: usize,
    /// Where the option stands that asked.
    pub written: Written,
    /// What queued datagrams may take, with the kernel's overhead (at least 768 bytes for a small one).
    /// The kernel doubles what it is asked for, to allow for the overhead.
    pub bytes: usize,
    /// `net.core.rmem_max`: what may be asked without `CAP_NET_ADMIN`.
    pub limit: Option<usize>,
}

impl ReceiveBuffer {
    /// Asks the kernel for `wanted` bytes (0 asks nothing), beyond its limit where that is allowed. What nobody
    /// wrote is not asked for where the system's own default gives as much: a default takes nothing away.
    pub(super) fn set(socket: &Socket, wanted: usize, written: Written) -> io::Result<Self> {
        let limit = fs::read_to_string(LIMIT_FILE).ok().and_then(|text| text.trim().parse().ok());
        let before = socket.recv_buffer_size()?;
        let worth = |given: usize| wanted > 0 && (written != Written::Nowhere || given > before / 2);
        let mut asked = 0;
        if worth(wanted) && force_receive_buffer(socket, wanted).is_ok() {
            asked = wanted;
        } else if worth(wanted.min(limit.unwrap_or(usize::MAX))) {
            socket.set_recv_buffer_size(wanted)?;
            asked = wanted;
        }
        Ok(ReceiveBuffer { asked, written, bytes: socket.recv_buffer_size()?, limit })
    }

    /// Whether the kernel gave less than was asked.
    pub fn is_short(&self) -> bool {
        self.bytes / 2 < self.asked
    }

    /// What to change when the buffer turns out too small: one line, unless the system's limit and the
    /// option must move together. `burst_bytes` is what the kernel charged for the largest burst known.
    pub fn remedy(&self, burst_bytes: u64) -> Vec<String> {
        let option = |bytes| match self.written {
            Written::Nowhere | Written::Shared => {
                format!("`receive_buffer = {bytes}` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER={bytes})")
            }
            // What stands there wins over [statsd] and the variable.
            Written::Beside => format!("`receive_buffer = {bytes}` beside its address in statsd.listen"),
        };
        let system = |bytes| format!("`sysctl -w net.core.rmem_max={bytes}`");
        if self.is_short() {
            // The option says what is wanted already; only the system must allow it.
            return vec![system(self.asked)];
        }
        let granted = self.bytes / 2;
        let wanted = wanted(granted, burst_bytes);
        // As far as the limit goes already, the option alone is the answer.
        match self.limit.unwrap_or(usize::MAX) {
            limit if limit >= granted.saturating_mul(2) => vec![option(wanted.min(limit))],
            _ => vec![system(wanted), option(wanted)],
        }
    }
}

/// Bytes to ask for: four times what is there, or twice the burst when that is more.
fn wanted(granted: usize, burst_bytes: u64) -> usize {
    // Asking is in halves of what is charged, so twice the burst charged is once the burst asked.
    let for_burst = usize::try_from(burst_bytes).unwrap_or(usize::MAX / 4);
    granted.saturating_mul(4).max(for_burst).min(1 << 30).next_power_of_two()
}

/// What the kernel charges for a datagram: its buffer (rounded up to a power of two, with room for headers
/// and the kernel's own record) and the record that points at it; never under 768 bytes on loopback.
pub fn true_size(payload: u64) -> u64 {
    const HEADERS_AND_SHARED_INFO: u64 = 64 + 320;
    const RECORD: u64 = 256;
    ((payload + HEADERS_AND_SHARED_INFO).next_power_of_two() + RECORD).max(768)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_one_line_where_one_is_enough() {
        let buffer = |asked, bytes, limit| ReceiveBuffer { asked, written: Written::Shared, bytes, limit };
        let remedy = |asked, bytes, limit, burst| buffer(asked, bytes, limit).remedy(burst).join(", then ");
        let beside = ReceiveBuffer { written: Written::Beside, ..buffer(8_192, 16_384, Some(212_992)) };
        insta::assert_snapshot!(beside.remedy(0).join(", then "), @"`receive_buffer = 32768` beside its address in statsd.listen");
        insta::assert_snapshot!(remedy(0, 212_992, Some(212_992), 0), @"`receive_buffer = 212992` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=212992)");
        insta::assert_snapshot!(remedy(0, 212_992, Some(8 << 20), 0), @"`receive_buffer = 524288` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=524288)");
        insta::assert_snapshot!(remedy(0, 212_992, Some(8 << 20), 3_000_000), @"`receive_buffer = 4194304` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=4194304)");
        insta::assert_snapshot!(remedy(1 << 20, 425_984, Some(212_992), 0), @"`sysctl -w net.core.rmem_max=1048576`");
        insta::assert_snapshot!(remedy(4 << 20, 8 << 20, Some(4 << 20), 0), @"`sysctl -w net.core.rmem_max=16777216`, then `receive_buffer = 16777216` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=16777216)");
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
    fn nothing_asked_changes_nothing_and_small_is_given() {
        let socket = || Socket::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let before = socket().recv_buffer_size().unwrap();
        let kept = ReceiveBuffer::set(&socket(), 0, Written::Shared).unwrap();
        assert_eq!((kept.bytes, kept.is_short()), (before, false));
        let set = ReceiveBuffer::set(&socket(), 16_384, Written::Beside).unwrap();
        assert_eq!((set.bytes, set.is_short()), (32_768, false));
        // A default that is less than the system's own takes nothing away.
        let kept = ReceiveBuffer::set(&socket(), before / 4, Written::Nowhere).unwrap();
        assert_eq!((kept.bytes, kept.asked), (before, 0));
        let more = ReceiveBuffer::set(&socket(), 4 << 20, Written::Nowhere).unwrap();
        assert!(more.bytes >= before && more.bytes <= 8 << 20, "{more:?}");
    }
}
