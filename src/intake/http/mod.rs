//! The one server under all HTTP and gRPC intakes: connections, limits, bodies, answers.
//!
//! A protocol is one file beside this folder that implements [`Protocol`]: it names its paths, decodes a whole
//! body and words its answers. It never reads a socket, inflates, waits or counts connections. Read on in
//! `protocol`.

pub mod protocol;

pub use protocol::{Answer, Grpc, Head, Protocol, Read, Refusal, Request, Route};
