//! The one server under all HTTP and gRPC intakes: connections, limits, bodies, answers.
//!
//! A protocol is one file beside this folder that implements [`Protocol`]: it names its paths, decodes a whole
//! body and words its answers. It never reads a socket, inflates, waits or counts connections. The way of a
//! request: `listen`, `server`, `connection`, `exchange`, `body`, `inflate`, and back by `reply`. Next:
//! `protocol`.

mod activity;
mod body;
mod connection;
mod exchange;
pub mod grpc;
pub mod inflate;
mod listen;
pub mod protocol;
mod reply;
mod server;
mod tally;
#[cfg(test)]
mod tests;

pub use listen::{BindError, Bound, Origin, bind};
pub use protocol::{Answer, Grpc, Head, Protocol, Read, Refusal, Request, Route};
pub use server::{Limits, Server, Watch};
pub use tally::{Reason, RefusedSample};
