//! StatsD listeners: sockets are bound early, so that a bad one fails at once, and served late, so that
//! nothing is read before everything is ready.
//!
//! One thread a socket; each feeds a shard of its own. UDP and Unix datagrams share the loop of
//! `udp.rs` over `drain.rs`; TCP and Unix streams share `stream.rs`. A listener never blocks an app:
//! what it cannot take is dropped by the kernel or by us, and counted. Next: `udp.rs`.

#[cfg(not(target_os = "linux"))]
compile_error!("pillion runs on Linux only for now: its intake is built on recvmmsg, ppoll and SO_MEMINFO");

mod bound;
mod buffer;
mod connection;
mod consumer;
mod drain;
mod error;
mod framing;
mod holder;
mod loss;
mod pace;
pub(super) mod path;
mod running;
mod stream;
mod turns;
mod udp;
mod unix_datagram;

pub(super) use bound::tcp_socket;
pub use bound::{Bound, Info, bind, inner};
pub use buffer::{ReceiveBuffer, true_size};
pub use error::BindError;
pub use loss::Loss;
pub use running::{Running, State, Watch, Worker};
