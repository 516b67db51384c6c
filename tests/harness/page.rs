//! A reader of the Prometheus text format, written apart from the writer under test.

use std::collections::BTreeMap;

/// One line of the page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A page of `/metrics`.
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) samples: Vec<Sample>,
}

impl Page {
    /// Panics at the first line that is neither a comment nor a sample.
    pub(crate) fn parse(text: &str) -> Page {
        let samples = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line}")))
            .collect();
        Page { text: text.to_owned(), samples }
    }

    /// The samples of `name` that carry all of `labels`.
    pub(crate) fn of<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let carries =
            |s: &Sample, (key, value): &(&str, &str)| s.labels.get(*key).is_some_and(|v| v == value);
        self.samples.iter().filter(move |s| s.name == name && labels.iter().all(|label| carries(s, label)))
    }

    pub(crate) fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.of(name, labels).next().is_some()
    }

    /// 0 when there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels).map(|s| s.value).sum()
    }

    /// `_count` or `_sum` of a timer, histogram or distribution, whose family may end in its unit.
    pub(crate) fn of_distribution(&self, family: &str, part: &str, labels: &[(&str, &str)]) -> f64 {
        let seconds = self.sum(&format!("{family}_seconds_{part}"), labels);
        seconds + self.sum(&format!("{family}_{part}"), labels)
    }

    /// The sum of all counters that apps sent: every `_total` that is not pillion's own.
    pub(crate) fn counter_sum(&self) -> f64 {
        let sent = |s: &&Sample| s.name.ends_with("_total") && !s.name.starts_with("pillion_");
        self.samples.iter().filter(sent).map(|s| s.value).sum()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let name = line[..end].to_owned();
    let (labels, rest) = match line[end..].strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), &line[end..]),
    };
    let value = match rest.split_whitespace().next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    Some(Sample { name, labels, value })
}

/// `key="value",…}` and what follows.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (key, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        if labels.insert(key.to_owned(), value).is_some() {
            return None;
        }
        rest = &after[end..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

#[test]
fn a_page_is_read() {
    let page = Page::parse(
        "# HELP a_total x\n# TYPE a_total counter\na_total{k=\"v\\\"\\\\\\n\",l=\"}\"} 3\na_total 4 1700000000000\nb +Inf\n",
    );
    assert_eq!(page.sum("a_total", &[]), 7.0);
    assert_eq!(page.sum("a_total", &[("k", "v\"\\\n"), ("l", "}")]), 3.0);
    assert_eq!(page.counter_sum(), 7.0);
    assert_eq!(page.samples[2].value, f64::INFINITY);
}
