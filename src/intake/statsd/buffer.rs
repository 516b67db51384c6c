//! The receive buffer of a socket: what was asked, what the kernel gave, and what would give more.

use super::drain::force_receive_buffer;
use socket2::Socket;
use std::fs;
use std::io;

/// Offered when a buffer is to grow; larger ones only when it is this large already.
const ROOMY: usize = 4 << 20;
const LIMIT_FILE: &str = "/proc/sys/net/core/rmem_max";

/// A receive buffer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveBuffer {
    /// As configured; 0 left the kernel's default.
    pub asked: usize,
    /// What queued datagrams may take, with the kernel's overhead (at least 768 bytes for a small one).
    /// The kernel doubles what it is asked for, to allow for the overhead.
    pub bytes: usize,
    /// `net.core.rmem_max`: what may be asked without `CAP_NET_ADMIN`.
    pub limit: Option<usize>,
}

impl ReceiveBuffer {
    /// Asks the kernel for `asked` bytes (0 asks nothing), beyond its limit where that is allowed.
    pub(super) fn set(socket: &Socket, asked: usize) -> io::Result<Self> {
        if asked > 0 && force_receive_buffer(socket, asked).is_err() {
            socket.set_recv_buffer_size(asked)?;
        }
        let limit = fs::read_to_string(LIMIT_FILE).ok().and_then(|text| text.trim().parse().ok());
        Ok(ReceiveBuffer { asked, bytes: socket.recv_buffer_size()?, limit })
    }

    /// Whether the kernel gave less than was asked.
    pub fn is_short(&self) -> bool {
        self.bytes / 2 < self.asked
    }

    /// The one thing to change when the buffer turns out too small.
    pub fn remedy(&self) -> String {
        let wanted = if self.is_short() { self.asked } else { ROOMY.max(self.bytes.next_power_of_two() * 2) };
        let sysctl = format!("sysctl -w net.core.rmem_max={wanted}");
        match (self.is_short(), self.limit.is_some_and(|limit| limit >= wanted)) {
            (true, _) => sysctl,
            (false, true) => format!("receive_buffer = {wanted}"),
            (false, false) => format!("receive_buffer = {wanted}, and on the host: {sysctl}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_one_line() {
        let buffer = |asked, bytes, limit| ReceiveBuffer { asked, bytes, limit }.remedy();
        insta::assert_snapshot!(buffer(0, 212_992, Some(212_992)), @"receive_buffer = 4194304, and on the host: sysctl -w net.core.rmem_max=4194304");
        insta::assert_snapshot!(buffer(0, 212_992, Some(8 << 20)), @"receive_buffer = 4194304");
        insta::assert_snapshot!(buffer(1 << 20, 425_984, Some(212_992)), @"sysctl -w net.core.rmem_max=1048576");
        insta::assert_snapshot!(buffer(4 << 20, 8 << 20, None), @"receive_buffer = 16777216, and on the host: sysctl -w net.core.rmem_max=16777216");
    }

    #[test]
    fn nothing_asked_changes_nothing_and_small_is_given() {
        let socket = || Socket::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let before = socket().recv_buffer_size().unwrap();
        let kept = ReceiveBuffer::set(&socket(), 0).unwrap();
        assert_eq!((kept.bytes, kept.is_short()), (before, false));
        let set = ReceiveBuffer::set(&socket(), 16_384).unwrap();
        assert_eq!((set.bytes, set.is_short()), (32_768, false));
    }
}
