//! What a series is: the type that its protocol gives it. A closed list, one byte, part of a context's identity.
//!
//! A class says which state a series has and how its values add up; it must never say how a backend shows them.

use crate::statsd::Kind;

/// The class of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    // Of StatsD.
    Counter,
    Gauge,
    Timer,
    Histogram,
    Distribution,
    Set,
    // Of OTLP.
    /// A monotonic sum.
    OtlpSum,
    /// A sum that is not monotonic.
    OtlpUpDownSum,
    OtlpGauge,
    /// A histogram with explicit bounds.
    OtlpHistogram,
    OtlpExponentialHistogram,
    OtlpSummary,
}

impl Class {
    pub const ALL: [Class; 12] = [
        Class::Counter,
        Class::Gauge,
        Class::Timer,
        Class::Histogram,
        Class::Distribution,
        Class::Set,
        Class::OtlpSum,
        Class::OtlpUpDownSum,
        Class::OtlpGauge,
        Class::OtlpHistogram,
        Class::OtlpExponentialHistogram,
        Class::OtlpSummary,
    ];

    /// The type of the metric lines that make it; `None` when it comes from OTLP.
    pub fn statsd(self) -> Option<Kind> {
        match self {
            Class::Counter => Some(Kind::Counter),
            Class::Gauge => Some(Kind::Gauge),
            Class::Timer => Some(Kind::Timer),
            Class::Histogram => Some(Kind::Histogram),
            Class::Distribution => Some(Kind::Distribution),
            Class::Set => Some(Kind::Set),
            Class::OtlpSum
            | Class::OtlpUpDownSum
            | Class::OtlpGauge
            | Class::OtlpHistogram
            | Class::OtlpExponentialHistogram
            | Class::OtlpSummary => None,
        }
    }

    /// The type by which rules and limits know it.
    pub fn like(self) -> Kind {
        match self {
            Class::Counter | Class::OtlpSum => Kind::Counter,
            Class::Gauge | Class::OtlpUpDownSum | Class::OtlpGauge => Kind::Gauge,
            Class::Timer => Kind::Timer,
            Class::Histogram
            | Class::OtlpHistogram
            | Class::OtlpExponentialHistogram
            | Class::OtlpSummary => Kind::Histogram,
            Class::Distribution => Kind::Distribution,
            Class::Set => Kind::Set,
        }
    }

    /// As people know it: StatsD's types as they stand on the wire.
    pub fn symbol(self) -> &'static str {
        match self {
            Class::Counter => "c",
            Class::Gauge => "g",
            Class::Timer => "ms",
            Class::Histogram => "h",
            Class::Distribution => "d",
            Class::Set => "s",
            Class::OtlpSum => "OTLP sum",
            Class::OtlpUpDownSum => "OTLP non-monotonic sum",
            Class::OtlpGauge => "OTLP gauge",
            Class::OtlpHistogram => "OTLP histogram",
            Class::OtlpExponentialHistogram => "OTLP exponential histogram",
            Class::OtlpSummary => "OTLP summary",
        }
    }
}

impl From<Kind> for Class {
    fn from(kind: Kind) -> Class {
        match kind {
            Kind::Counter => Class::Counter,
            Kind::Gauge => Class::Gauge,
            Kind::Timer => Class::Timer,
            Kind::Histogram => Class::Histogram,
            Kind::Distribution => Class::Distribution,
            Kind::Set => Class::Set,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statsd_types_keep_their_symbols() {
        for class in Class::ALL {
            match class.statsd() {
                Some(kind) => {
                    assert_eq!(
                        (Class::from(kind), class.like(), class.symbol()),
                        (class, kind, kind.symbol())
                    );
                }
                None => assert!(class.symbol().starts_with("OTLP ")),
            }
        }
    }
}
