//! The StatsD protocol in its dialects, as pure functions over bytes: no I/O, no clock, no state.
//!
//! A datagram goes in, borrowed messages come out; nothing here allocates for a metric line, and
//! nothing here may panic, whatever the bytes. What a name or a tag *means* (rules, limits on
//! contexts) is none of this module's business. Next: `crate::metrics`.

mod reject;

pub use reject::{Reject, Remark};

/// The type of a metric line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// `c`
    Counter,
    /// `g`
    Gauge,
    /// `ms`, values in milliseconds
    Timer,
    /// `h`
    Histogram,
    /// `d`
    Distribution,
    /// `s`
    Set,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Counter, Kind::Gauge, Kind::Timer, Kind::Histogram, Kind::Distribution, Kind::Set];

    /// As it stands on the wire.
    pub fn symbol(self) -> &'static str {
        match self {
            Kind::Counter => "c",
            Kind::Gauge => "g",
            Kind::Timer => "ms",
            Kind::Histogram => "h",
            Kind::Distribution => "d",
            Kind::Set => "s",
        }
    }

    /// Timers, histograms and distributions are kept as sketches.
    pub fn is_sketched(self) -> bool {
        matches!(self, Kind::Timer | Kind::Histogram | Kind::Distribution)
    }
}

/// An event or a service check, owned: it leaves the hot path at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    Event(Event),
    Check(Check),
}

/// `_e{…}`
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Event {
    pub title: String,
    /// Newlines restored.
    pub text: String,
    /// Unix seconds; the time of receipt when the message had none.
    pub time_s: u64,
    pub host: Option<String>,
    pub aggregation_key: Option<String>,
    pub source_type: Option<String>,
    pub low_priority: bool,
    pub alert: Alert,
    /// As they came, `key:value` or bare; sorted, no duplicates.
    pub tags: Vec<String>,
}

/// `_sc|…`
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: String,
    pub status: Status,
    pub time_s: u64,
    pub host: Option<String>,
    pub message: Option<String>,
    pub tags: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Alert {
    #[default]
    Info,
    Success,
    Warning,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    Warning,
    Critical,
    Unknown,
}
