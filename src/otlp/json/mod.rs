//! OTLP's JSON form, straight from and into encoded messages: no tree of structures stands in between.
//!
//! One table (`shape`) says which messages and fields there are; the reader and the writer both follow it,
//! so that they cannot disagree on a name. Nothing here may know a listener or a backend. Sources: the
//! "JSON Protobuf Encoding" section of the OTLP specification, and ProtoJSON. Read on in `shape`, then
//! `read` and `write`.

mod number;
pub mod read;
mod shape;
mod text;
pub mod write;

#[cfg(test)]
mod tests;

pub use read::{Error, Rejected, Taken, read_request};
pub(super) use text::base64_digits;
pub use write::{write_request, write_resource};
