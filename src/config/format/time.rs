//! Durations: numbers with units, such as `10s` or `1h30m`.

use super::{Format, quote};
use crate::config::load::Load;
use crate::config::node::{Node, Raw};
use std::time::Duration;

/// No duration is longer: sums of a few always fit every clock.
pub(crate) const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;

/// A duration of at least `MIN_MS` and at most `MAX_MS` milliseconds.
pub(crate) struct Span<const MIN_MS: u64, const MAX_MS: u64>;

const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl<const MIN_MS: u64, const MAX_MS: u64> Format for Span<MIN_MS, MAX_MS> {
    type Value = Duration;

    fn kind() -> String {
        let show = |ms| show_duration(Duration::from_millis(ms));
        match (MIN_MS, MAX_MS) {
            (0, YEAR_MS) => "duration".into(),
            (0, max) => format!("duration of at most {}", show(max)),
            (min, YEAR_MS) => format!("duration of at least {}", show(min)),
            (min, max) => format!("duration from {} to {}", show(min), show(max)),
        }
    }

    fn expects() -> String {
        "a number with its unit, such as `\"10s\"`, `\"500ms\"` or `\"5m\"`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Duration> {
        let bounds = Duration::from_millis(MIN_MS)..=Duration::from_millis(MAX_MS);
        let value = parse_node(node).filter(|value| bounds.contains(value));
        if value.is_none() {
            load.wrong::<Self>(path, node);
        }
        value
    }

    fn show(value: &Duration) -> Option<String> {
        Some(quote(&show_duration(*value)))
    }
}

/// A duration of whole seconds, at most a day: wall-clock buckets begin at its multiples.
pub(crate) struct WholeSeconds;

impl Format for WholeSeconds {
    type Value = Duration;

    fn kind() -> String {
        "duration of whole seconds, from 1s to 1d".into()
    }

    fn expects() -> String {
        "whole seconds with their unit, such as `\"10s\"` or `\"1m\"`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Duration> {
        let whole = |value: &Duration| value.subsec_nanos() == 0 && (1..=86_400).contains(&value.as_secs());
        let value = parse_node(node).filter(whole);
        if value.is_none() {
            load.wrong::<Self>(path, node);
        }
        value
    }

    fn show(value: &Duration) -> Option<String> {
        Some(quote(&show_duration(*value)))
    }
}

fn parse_node(node: &Node) -> Option<Duration> {
    match &node.raw {
        Raw::Text(text) | Raw::Word(text) => duration(text),
        // Nothing has no unit.
        Raw::Integer { value: 0, .. } => Some(Duration::ZERO),
        Raw::Integer { .. } | Raw::Float(_) | Raw::Switch(_) | Raw::Date | Raw::List(_) | Raw::Table(_) => {
            None
        }
    }
}

/// Reads a duration, as options and the command line write it.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let factor = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?.1;
        rest = rest[letters..].trim_start();
        total = total.checked_add(u128::from(number).checked_mul(factor)?)?;
    }
    u64::try_from(total).ok().map(Duration::from_nanos)
}

/// In the largest unit that holds it exactly.
fn show_duration(value: Duration) -> String {
    let nanos = value.as_nanos();
    for (name, factor) in UNITS {
        if nanos >= factor && nanos.is_multiple_of(factor) {
            return format!("{}{name}", nanos / factor);
        }
    }
    "0s".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_have_units() {
        for (text, ms) in [
            ("10s", Some(10_000)),
            ("500ms", Some(500)),
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("1m 30s", Some(90_000)),
            ("2000us", Some(2)),
            ("1d", Some(86_400_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("10", None),
            ("s", None),
            ("10 parsecs", None),
            ("1.5s", None),
            ("-1s", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(duration(text), ms.map(Duration::from_millis), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(nanos in 0..u64::MAX) {
            let value = Duration::from_nanos(nanos);
            prop_assert_eq!(duration(&show_duration(value)), Some(value));
        }
    }
}
