//! The StatsD protocol in its dialects, as pure functions over bytes: no I/O, no clock, no state.
//!
//! A datagram goes in, borrowed messages come out; nothing here allocates for a metric line, and
//! nothing here may panic, whatever the bytes. What a name or a tag *means* (rules, limits on
//! contexts) is none of this module's business. Next: `message.rs`.
//!
//! Sources: etsy statsd `docs/metric_types.md`; Datadog's DogStatsD datagram format, versions 1.0 to 1.6.

mod check;
mod event;
mod field;
pub mod form;
mod kind;
mod message;
mod metric;
mod note;
mod origin;
mod reject;
mod remarks;
mod style;
pub mod value;

pub use check::CheckRef;
pub use event::EventRef;
pub use form::{Cardinality, Form, FormLimits};
pub use kind::Kind;
pub use message::{Dialect, Line, Messages, Refused, messages};
pub use metric::{Metric, Number, Numbers, Values};
pub use note::{Alert, Check, Event, Note, Status};
pub use origin::origin_tags;
pub use reject::{Reject, Remark};
pub use remarks::Remarks;

#[cfg(test)]
mod tests;
