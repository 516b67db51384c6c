//! Unix datagram sockets: the loop of `udp.rs` without its sleeps.
//!
//! The queue of such a socket may hold ten datagrams only (a fresh network namespace, as in a pod), and
//! a full queue blocks the app's send. So it is emptied the moment something is there, always.

use super::consumer::Consumer;
use super::drain::Drain;
use super::running::Worker;
use super::udp;
use socket2::Socket;

/// Clients send payloads of up to 8,192 bytes here by default.
const HOT_BYTES: usize = 8_192;

pub(super) fn run<C: Consumer>(
    socket: Socket,
    largest: usize,
    consumer: C,
    worker: &Worker,
    clock: fn() -> u64,
) {
    udp::run(Drain::new(socket, HOT_BYTES, largest), None, consumer, worker, clock);
}
