//! OTLP's data points as series of the registry, beside StatsD's.

mod exponential;
mod histogram;
mod meta;
mod summary;
mod total;

pub use exponential::{Exponential, Side, bound};
pub use meta::Meta;
pub(super) use total::Total;
