//! A reader of pages for tests, written from the formats' rules and knowing nothing of the writers.
//!
//! Stricter than Prometheus: what it takes, every reader of the format should take.

use std::collections::{BTreeMap, BTreeSet};

/// A family as read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) help: String,
    pub(super) unit: Option<String>,
    pub(super) samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// Reads and checks a whole page.
pub(super) fn read(page: &str, openmetrics: bool) -> Result<Vec<Read>, String> {
    let mut families: Vec<Read> = Vec::new();
    let body = match openmetrics {
        true => page.strip_suffix("# EOF\n").ok_or("no end")?,
        false => page,
    };
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    for line in body.lines() {
        line_of(line, openmetrics, &mut families).map_err(|why| format!("{why}: {line}"))?;
    }
    check_names(&families, openmetrics)?;
    let mut lines = BTreeSet::new();
    for family in &families {
        if family.kind.is_empty() || family.help.is_empty() || family.samples.is_empty() {
            return Err(format!("{} lacks something", family.name));
        }
        for sample in &family.samples {
            // A label without a value is no label.
            let labels: Vec<_> = sample.labels.iter().filter(|(_, v)| !v.is_empty()).collect();
            if !lines.insert(format!("{} {labels:?}", sample.name)) {
                return Err(format!("twice: {sample:?}"));
            }
        }
        if family.kind == "histogram" {
            check_histogram(family, openmetrics)?;
        }
        if let Some(unit) = &family.unit
            && !family.name.ends_with(&format!("_{unit}"))
        {
            return Err(format!("unit {unit} of {}", family.name));
        }
    }
    Ok(families)
}

fn line_of(line: &str, openmetrics: bool, families: &mut Vec<Read>) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("# ") {
        let (word, rest) = rest.split_once(' ').ok_or("metadata")?;
        let (name, rest) = name_of(rest)?;
        let text = rest.strip_prefix(' ').ok_or("no text")?.to_owned();
        if families.last().is_none_or(|family| family.name != name) {
            families.push(Read { name, ..Read::default() });
        }
        let family = families.last_mut().ok_or("no family")?;
        if !family.samples.is_empty() {
            return Err("metadata behind samples".into());
        }
        let slot = match word {
            "HELP" => &mut family.help,
            "TYPE" => &mut family.kind,
            "UNIT" if openmetrics => family.unit.get_or_insert_default(),
            _ => return Err("odd comment".into()),
        };
        if !slot.is_empty() {
            return Err("metadata twice".into());
        }
        *slot = text;
        return Ok(());
    }
    let sample = sample_of(line, openmetrics)?;
    let family = families.last_mut().ok_or("no metadata")?;
    let suffix = sample.name.strip_prefix(&family.name).ok_or("outside its family")?;
    if !suffixes(&family.kind, openmetrics).contains(&suffix) {
        return Err(format!("{suffix:?} does not belong to a {}", family.kind));
    }
    let counts = ["_bucket", "_count", "_sum", "_total"].contains(&suffix);
    let quantile = family.kind == "summary" && suffix.is_empty();
    if openmetrics && ((counts && sample.value.is_nan()) || ((counts || quantile) && sample.value < 0.0)) {
        return Err("negative count".into());
    }
    family.samples.push(sample);
    Ok(())
}

fn suffixes(kind: &str, openmetrics: bool) -> &'static [&'static str] {
    match (kind, openmetrics) {
        ("counter", true) => &["_total", "_created"],
        ("counter" | "gauge", _) | ("unknown", true) => &[""],
        ("info", true) => &["_info"],
        ("histogram", false) => &["_bucket", "_sum", "_count"],
        ("histogram", true) => &["_bucket", "_sum", "_count", "_created"],
        ("summary", false) => &["", "_sum", "_count"],
        ("summary", true) => &["", "_sum", "_count", "_created"],
        _ => &[],
    }
}

/// No family may have a name that is another's sample.
fn check_names(families: &[Read], openmetrics: bool) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for family in families {
        let all: BTreeSet<_> = suffixes(&family.kind, openmetrics).iter().copied().chain([""]).collect();
        for suffix in all {
            if !seen.insert(format!("{}{suffix}", family.name)) {
                return Err(format!("{}{suffix} clashes", family.name));
            }
        }
    }
    Ok(())
}

fn check_histogram(family: &Read, openmetrics: bool) -> Result<(), String> {
    let mut groups: BTreeMap<Vec<(String, String)>, Vec<&Sample>> = BTreeMap::new();
    for sample in &family.samples {
        let labels = sample.labels.iter().filter(|(k, _)| *k != "le").map(|(k, v)| (k.clone(), v.clone()));
        groups.entry(labels.collect()).or_default().push(sample);
    }
    for (labels, samples) in groups {
        let find = |suffix: &str| samples.iter().find(|s| s.name.ends_with(suffix)).map(|s| s.value);
        let mut before = (f64::NEG_INFINITY, 0.0);
        for bucket in samples.iter().filter(|s| s.name.ends_with("_bucket")) {
            let le = bucket.labels.get("le").ok_or("no le")?;
            let bound = number(le)?;
            if bound <= before.0 || bucket.value < before.1 || bucket.value.fract() != 0.0 {
                return Err(format!("bucket {bucket:?}"));
            }
            if openmetrics && !le.contains(['.', 'e', 'I']) {
                return Err(format!("le {le}"));
            }
            before = (bound, bucket.value);
        }
        let (count, sum) = (find("_count"), find("_sum"));
        if before.0 != f64::INFINITY
            || count.is_some() != sum.is_some()
            || count.is_some_and(|n| n != before.1)
        {
            return Err(format!("{} {labels:?} does not add up", family.name));
        }
        if !openmetrics && count.is_none() {
            return Err("no count".into());
        }
    }
    Ok(())
}

fn sample_of(line: &str, openmetrics: bool) -> Result<Sample, String> {
    let mut labels = BTreeMap::new();
    let (mut name, mut rest) = match line.starts_with('{') {
        true => (String::new(), line),
        false => {
            let end = line.find(['{', ' ']).ok_or("no value")?;
            legal(&line[..end], true)?;
            (line[..end].to_owned(), &line[end..])
        }
    };
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        let mut first = true;
        while !rest.starts_with('}') {
            if !std::mem::take(&mut first) {
                rest = rest.strip_prefix(',').ok_or("no comma")?;
            }
            let (label, behind) = name_of(rest)?;
            match behind.strip_prefix('=') {
                Some(value) => {
                    let (value, behind) = quoted(value)?;
                    if label.starts_with("__") || labels.insert(label, value).is_some() {
                        return Err("label".into());
                    }
                    rest = behind;
                }
                None if name.is_empty() => {
                    name = label;
                    rest = behind;
                }
                None => return Err("label without value".into()),
            }
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').ok_or("no space")?;
    if name.is_empty() || value.contains(' ') || (openmetrics && value.is_empty()) {
        return Err("value".into());
    }
    Ok(Sample { name, labels, value: number(value)? })
}

/// A name, quoted or legal, and what is behind it.
fn name_of(text: &str) -> Result<(String, &str), String> {
    if text.starts_with('"') {
        return quoted(text);
    }
    let end = text.find([' ', '=', ',', '}']).unwrap_or(text.len());
    legal(&text[..end], true)?;
    Ok((text[..end].to_owned(), &text[end..]))
}

fn legal(name: &str, colon: bool) -> Result<(), String> {
    let ok = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colon && c == ':');
    match name.chars().all(ok) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() {
        true => Ok(()),
        false => Err(format!("{name:?} is no name")),
    }
}

fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut chars = text.strip_prefix('"').ok_or("no quote")?.char_indices();
    let mut out = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, &text[at + 2..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, c @ ('\\' | '"'))) => out.push(c),
                other => return Err(format!("escape {other:?}")),
            },
            '\n' => return Err("line feed".into()),
            c => out.push(c),
        }
    }
    Err("no closing quote".into())
}

fn number(text: &str) -> Result<f64, String> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        "NaN" => Ok(f64::NAN),
        text if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            text.parse().map_err(|_| format!("{text} is no number"))
        }
        text => Err(format!("{text} is no number")),
    }
}
