//! Numbers: switches, counts, sizes, shares, and the lists of bounds and quantiles.

use super::{Format, Shape, each, show_list};
use crate::config::load::Load;
use crate::config::node::{Node, Raw};
use std::marker::PhantomData;

/// `true` or `false`.
pub(crate) struct Switch;

impl Format for Switch {
    type Value = bool;

    fn kind() -> String {
        "switch".into()
    }

    fn expects() -> String {
        "`true` or `false`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<bool> {
        match &node.raw {
            Raw::Switch(value) => return Some(*value),
            Raw::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" | "1" => return Some(true),
                "false" | "0" => return Some(false),
                _ => {}
            },
            Raw::Text(_) | Raw::Integer { .. } | Raw::Float(_) | Raw::Date | Raw::List(_) | Raw::Table(_) => {
            }
        }
        load.wrong::<Self>(path, node);
        None
    }

    fn show(value: &bool) -> Option<String> {
        Some(value.to_string())
    }
}

/// A whole number within bounds.
pub(crate) struct Count<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Format for Count<MIN, MAX> {
    type Value = usize;

    fn kind() -> String {
        format!("whole number{}", range(MIN, MAX))
    }

    fn expects() -> String {
        format!("a whole number{}", range(MIN, MAX))
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<usize> {
        let number = match &node.raw {
            Raw::Integer { value, .. } => u64::try_from(*value).ok(),
            Raw::Word(word) => word.replace('_', "").parse().ok(),
            Raw::Text(_) | Raw::Switch(_) | Raw::Float(_) | Raw::Date | Raw::List(_) | Raw::Table(_) => None,
        };
        let number =
            number.filter(|n| (MIN..=MAX).contains(n)).and_then(|number| usize::try_from(number).ok());
        if number.is_none() {
            load.wrong::<Self>(path, node);
        }
        number
    }

    fn show(value: &usize) -> Option<String> {
        Some(value.to_string())
    }
}

fn range(min: u64, max: u64) -> String {
    match (min, max) {
        (0, u64::MAX) => String::new(),
        (min, u64::MAX) => format!(" of at least {min}"),
        (min, max) => format!(" from {min} to {max}"),
    }
}

/// Bytes: a number, or text with a unit.
pub(crate) struct Bytes<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl<T: TryFrom<u64> + TryInto<u64> + Copy, const MIN: u64, const MAX: u64> Format for Bytes<T, MIN, MAX> {
    type Value = T;

    fn kind() -> String {
        let named = |n| show_bytes(n).trim_matches('"').to_owned();
        let range = match (MIN, MAX) {
            (0, u64::MAX) => String::new(),
            (min, u64::MAX) => format!(" of at least {}", named(min)),
            (min, max) => format!(" from {} to {}", named(min), named(max)),
        };
        format!("size in bytes{range}")
    }

    fn expects() -> String {
        "a number of bytes, or text with a unit such as `\"64KiB\"` or `\"4MiB\"`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<T> {
        let bytes = match &node.raw {
            Raw::Integer { value, .. } => u64::try_from(*value).ok(),
            Raw::Text(text) | Raw::Word(text) => parse_bytes(text),
            Raw::Switch(_) | Raw::Float(_) | Raw::Date | Raw::List(_) | Raw::Table(_) => None,
        };
        let value = bytes.filter(|n| (MIN..=MAX).contains(n)).and_then(|n| T::try_from(n).ok());
        if value.is_none() {
            load.wrong::<Self>(path, node);
        }
        value
    }

    fn show(value: &T) -> Option<String> {
        // A value came from a u64 and fits into one.
        (*value).try_into().ok().map(show_bytes)
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let number: u64 = text[..digits].replace('_', "").parse().ok()?;
    let unit = text[digits..].trim();
    let factor = match unit {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    number.checked_mul(factor)
}

fn show_bytes(bytes: u64) -> String {
    for (name, factor) in &UNITS[..3] {
        if bytes >= *factor && bytes.is_multiple_of(*factor) {
            return format!("\"{}{name}\"", bytes / factor);
        }
    }
    bytes.to_string()
}

/// A number from 0 to 1.
pub(crate) struct Fraction;

impl Format for Fraction {
    type Value = f64;

    fn kind() -> String {
        "number from 0 to 1".into()
    }

    fn expects() -> String {
        "a number from 0 to 1".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<f64> {
        let value = number(node).filter(|value| (0.0..=1.0).contains(value));
        if value.is_none() {
            load.wrong::<Self>(path, node);
        }
        value
    }

    fn show(value: &f64) -> Option<String> {
        Some(show_number(*value))
    }
}

/// Quantiles between 0 and 1, each once.
pub(crate) struct Quantiles;

impl Format for Quantiles {
    type Value = Vec<f64>;

    const SHAPE: Shape = Shape::List;

    fn kind() -> String {
        "list of quantiles".into()
    }

    fn expects() -> String {
        "numbers between 0 and 1, such as `[0.5, 0.99]`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Vec<f64>> {
        let mut seen = Vec::new();
        each::<Self, f64>(node, path, load, |item, path, load| {
            let Some(value) = number(item).filter(|value| *value > 0.0 && *value < 1.0) else {
                let help = match number(item) {
                    Some(percent) if percent > 1.0 && percent < 100.0 => {
                        format!("write {} for the {percent}th percentile", show_number(percent / 100.0))
                    }
                    Some(_) | None => "write a number between 0 and 1, such as `0.99`".into(),
                };
                load.fault(&item.at, format!("`{path}` is not between 0 and 1"), item.found(), help);
                return None;
            };
            if seen.contains(&value) {
                load.fault(
                    &item.at,
                    format!("`{path}` repeats {value}"),
                    "again here",
                    "write it once".to_owned(),
                );
                return None;
            }
            seen.push(value);
            Some(value)
        })
    }

    fn show(value: &Vec<f64>) -> Option<String> {
        Some(show_list(value.iter().map(|v| show_number(*v))))
    }
}

/// Upper bounds of buckets, ascending, without the last one that holds everything.
pub(crate) struct Bounds;

impl Format for Bounds {
    type Value = Vec<f64>;

    const SHAPE: Shape = Shape::List;

    fn kind() -> String {
        "list of ascending numbers".into()
    }

    fn expects() -> String {
        "ascending numbers, such as `[0.1, 0.5, 1, 5]`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Vec<f64>> {
        let mut last = f64::NEG_INFINITY;
        let bounds = each::<Self, f64>(node, path, load, |item, path, load| {
            let Some(value) = number(item).filter(|value| value.is_finite()) else {
                let help = "write a finite number; the bucket up to infinity is always there".to_owned();
                load.fault(&item.at, format!("`{path}` is not a finite number"), item.found(), help);
                return None;
            };
            if value <= last {
                let help = "sort the bounds and write each once".to_owned();
                let label = format!("{value} after {last}");
                load.fault(&item.at, format!("`{path}` does not ascend"), label, help);
                return None;
            }
            last = value;
            Some(value)
        })?;
        if bounds.is_empty() {
            load.fault(
                &node.at,
                format!("`{path}` is empty"),
                "no bound",
                "write at least one bound, or leave the option out".to_owned(),
            );
            return None;
        }
        Some(bounds)
    }

    fn show(value: &Vec<f64>) -> Option<String> {
        Some(show_list(value.iter().map(|v| show_number(*v))))
    }
}

fn number(node: &Node) -> Option<f64> {
    match &node.raw {
        // Above 2^53 the nearest double is meant.
        Raw::Integer { value, .. } => Some(*value as f64),
        Raw::Float(value) => Some(*value),
        Raw::Word(word) => word.parse().ok(),
        Raw::Text(_) | Raw::Switch(_) | Raw::Date | Raw::List(_) | Raw::Table(_) => None,
    }
}

/// As short as exact; without a point where there is nothing behind it. Very large ones have an
/// exponent, because TOML's whole numbers end long before.
fn show_number(value: f64) -> String {
    if value.abs() < 1e15 { format!("{value}") } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("212992", Some(212_992)),
            ("212_992", Some(212_992)),
            ("4MiB", Some(4 << 20)),
            ("4 mib", Some(4 << 20)),
            ("64KiB", Some(65_536)),
            ("1GB", Some(1_000_000_000)),
            ("1kb", Some(1_000)),
            ("7B", Some(7)),
            ("", None),
            ("MiB", None),
            ("4M", None),
            ("-1", None),
            ("1.5MiB", None),
            ("99999999999999999999", None),
            ("99999999999999GiB", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_exact_unit() {
        for (bytes, text) in
            [(0, "0"), (200, "200"), (65_535, "65535"), (212_992, "\"208KiB\""), (16 << 20, "\"16MiB\"")]
        {
            assert_eq!(show_bytes(bytes), text);
            assert_eq!(parse_bytes(text.trim_matches('"')), Some(bytes));
        }
    }
}
