//! What a metric of OTLP is called among the series: its own name, behind it the unit in words.
//!
//! `_total`, and which characters a name may hold, are the page's business. Source: "Prometheus and OpenMetrics
//! Compatibility" of the OpenTelemetry specification, and the Unified Code for Units of Measure (UCUM).

use crate::metrics::Class;
use std::borrow::Cow;

/// The words of units, sorted by the unit.
const WORDS: [(&str, &str); 26] = [
    ("%", "percent"),
    ("A", "amperes"),
    ("By", "bytes"),
    ("Cel", "celsius"),
    ("GBy", "gigabytes"),
    ("GiBy", "gibibytes"),
    ("Hz", "hertz"),
    ("J", "joules"),
    ("KBy", "kilobytes"),
    ("KiBy", "kibibytes"),
    ("MBy", "megabytes"),
    ("MiBy", "mebibytes"),
    ("TBy", "terabytes"),
    ("TiBy", "tebibytes"),
    ("V", "volts"),
    ("W", "watts"),
    ("d", "days"),
    ("g", "grams"),
    ("h", "hours"),
    ("kBy", "kilobytes"),
    ("m", "meters"),
    ("min", "minutes"),
    ("ms", "milliseconds"),
    ("ns", "nanoseconds"),
    ("s", "seconds"),
    ("us", "microseconds"),
];

/// What stands behind `/` in a unit.
const PER: [(&str, &str); 9] = [
    ("d", "day"),
    ("h", "hour"),
    ("m", "minute"),
    ("min", "minute"),
    ("mo", "month"),
    ("ms", "millisecond"),
    ("s", "second"),
    ("wk", "week"),
    ("y", "year"),
];

/// A unit of UCUM in words: `By/s` is `bytes_per_second`; empty for annotations (`{request}`) and where there is
/// none. `1` is a `ratio` for gauges only.
pub(super) fn unit_in_words(unit: &str, class: Class) -> Cow<'static, str> {
    if unit == "1" {
        return if class == Class::OtlpGauge { "ratio" } else { "" }.into();
    }
    let (of, per) = unit.split_once('/').map_or((unit, None), |(of, per)| (of, Some(per)));
    let of = if of == "1" { "".into() } else { word(of, &WORDS) };
    match per.map(|per| word(per, &PER)).filter(|per| !per.is_empty()) {
        None => of,
        Some(per) if of.is_empty() => format!("per_{per}").into(),
        Some(per) => format!("{of}_per_{per}").into(),
    }
}

/// Puts the unit's words behind a name, unless it ends in them already; in front of a sum's `total`, which the page
/// puts last.
pub(super) fn add_unit(name: &mut String, unit: &str, class: Class) {
    let total =
        ["_total", ".total"].into_iter().find(|total| class == Class::OtlpSum && name.ends_with(total));
    let front = &name[..name.len() - total.map_or(0, str::len)];
    if unit.is_empty() || front.is_empty() || ends_in(front, unit) {
        return;
    }
    name.truncate(front.len());
    name.push('_');
    name.push_str(unit);
    name.push_str(total.unwrap_or_default());
}

/// Whether a name's last words are these, with whatever between them.
fn ends_in(name: &str, words: &str) -> bool {
    let same = |a: char, b: char| a == b || (b == '_' && !a.is_alphanumeric());
    let mut rest = name.chars().rev();
    words.chars().rev().all(|word| rest.next().is_some_and(|c| same(c, word)))
        && rest.next().is_none_or(|before| !before.is_alphanumeric())
}

fn word(unit: &str, words: &'static [(&'static str, &'static str)]) -> Cow<'static, str> {
    // An annotation says what is counted, not in what.
    let unit = unit.split('{').next().unwrap_or_default().trim();
    match words.binary_search_by_key(&unit, |(unit, _)| unit) {
        Ok(at) => words[at].1.into(),
        Err(_) => unit.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_become_words() {
        assert!(WORDS.is_sorted() && PER.is_sorted());
        for (unit, words) in [
            ("s", "seconds"),
            ("By", "bytes"),
            ("By/s", "bytes_per_second"),
            ("1/s", "per_second"),
            ("{request}/s", "per_second"),
            ("m/s", "meters_per_second"),
            ("{request}", ""),
            ("", ""),
            ("%", "percent"),
            ("Mbit/s", "Mbit_per_second"),
            ("a\"b\n", "ab"),
        ] {
            assert_eq!(unit_in_words(unit, Class::OtlpGauge), words, "{unit}");
        }
        assert_eq!(unit_in_words("1", Class::OtlpGauge), "ratio");
        assert_eq!(unit_in_words("1", Class::OtlpSum), "");
    }

    #[test]
    fn a_unit_stands_once_and_last() {
        for (name, unit, class, want) in [
            ("http.server.duration", "seconds", Class::OtlpHistogram, "http.server.duration_seconds"),
            ("process.cpu.seconds", "seconds", Class::OtlpSum, "process.cpu.seconds"),
            ("sent.bytes.total", "bytes", Class::OtlpSum, "sent.bytes.total"),
            ("sent_total", "bytes", Class::OtlpSum, "sent_bytes_total"),
            ("sent", "bytes", Class::OtlpSum, "sent_bytes"),
            ("sent_total", "bytes", Class::OtlpGauge, "sent_total_bytes"),
            ("total", "", Class::OtlpSum, "total"),
            ("megabytes", "bytes", Class::OtlpGauge, "megabytes_bytes"),
            ("io.bytes.per.second", "bytes_per_second", Class::OtlpGauge, "io.bytes.per.second"),
            ("x", "", Class::OtlpGauge, "x"),
        ] {
            let mut all = name.to_owned();
            add_unit(&mut all, unit, class);
            assert_eq!(all, want);
        }
    }
}
