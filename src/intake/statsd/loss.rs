//! What the kernel dropped because a receive buffer was full, told so that one line mends it.

use super::bound::Info;

/// The burst that filled a receive buffer: within `since_ns` before `time_ns`, `read` datagrams were
/// read and `dropped` found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Unix nanoseconds.
    pub time_ns: u64,
    pub dropped: u64,
    pub read: u64,
    pub since_ns: u64,
}

impl Loss {
    /// Which socket, how many, its buffer and what capped it, the burst, and what to change. `total` is
    /// all that the socket lost, `each` what the kernel charges for a datagram. `None` on Unix sockets,
    /// which make their senders wait instead.
    pub(super) fn explain(&self, total: u64, each: u64, info: &Info) -> Option<String> {
        let buffer = info.receive_buffer?;
        Some(format!(
            "{}: the kernel dropped {total} datagrams because the receive buffer was full ({} bytes; \
             net.core.rmem_max is {}); the last burst brought {} datagrams within {:.1} ms, {} of them \
             found no room; change: {}",
            info.address,
            buffer.bytes,
            buffer.limit.map_or("unknown".to_owned(), |limit| limit.to_string()),
            self.read + self.dropped,
            self.since_ns as f64 / 1e6,
            self.dropped,
            buffer.remedy((self.read + self.dropped).saturating_mul(each)).join(", then "),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReceiveBuffer;
    use super::*;
    use crate::config::{ListenAddress, Written};

    #[test]
    fn a_loss_is_told_with_its_remedy() {
        let buffer =
            ReceiveBuffer { asked: 0, written: Written::Shared, bytes: 212_992, limit: Some(212_992) };
        let info = Info::new(ListenAddress::Udp(([127, 0, 0, 1], 8125).into()), Some(buffer));
        let loss = Loss { time_ns: 5, dropped: 37, read: 219, since_ns: 5_668_606 };
        insta::assert_snapshot!(loss.explain(1_042, 2_304, &info).unwrap(), @"udp://127.0.0.1:8125: the kernel dropped 1042 datagrams because the receive buffer was full (212992 bytes; net.core.rmem_max is 212992); the last burst brought 256 datagrams within 5.7 ms, 37 of them found no room; change: `receive_buffer = 212992` under [statsd] (PILLION_STATSD_RECEIVE_BUFFER=212992)");
    }
}
