//! pillion's own families on the page: read from the recorder's text, written by our writers.
//!
//! The recorder writes one format only; read into families, its metrics stand sorted among the others,
//! in every format. Its table knows counters and gauges, so nothing else is read here.

use super::family::{TOTAL, Type};
use super::head::Head;
use super::name::{self, Scheme};
use crate::telemetry::Metric;
use std::collections::BTreeMap;

/// Facts about the target, from its resource attributes.
const TARGET_INFO: &str = "target_info";

/// A family that pillion speaks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnFamily {
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) help: String,
    /// See [`Head`].
    pub(super) info: bool,
    /// See [`Head`].
    pub(super) unknown: bool,
    pub(super) samples: Vec<OwnSample>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnSample {
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl OwnFamily {
    pub(super) fn head(&self) -> Head {
        Head {
            name: self.name.clone(),
            kind: self.kind,
            help: self.help.clone(),
            unit: None,
            unknown: self.unknown,
            info: self.info,
        }
    }
}

/// Reads the recorder's page. Lines that are not understood are left out; families come sorted by name.
pub(super) fn families(text: &str) -> Vec<OwnFamily> {
    let mut found: BTreeMap<&str, OwnFamily> = BTreeMap::new();
    let mut helps: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            helps.extend(rest.split_once(' '));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let kind = match kind {
                "counter" => Type::Counter,
                "gauge" => Type::Gauge,
                _ => continue,
            };
            let help = help_of(name, helps.get(name).copied());
            found.entry(name).or_insert(OwnFamily {
                name: name.to_owned(),
                kind,
                help,
                info: false,
                unknown: false,
                samples: Vec::new(),
            });
        } else if !line.starts_with('#')
            && let Some((name, sample)) = sample(line)
            && let Some(family) = found.get_mut(name)
        {
            family.samples.push(sample);
        }
    }
    found.retain(|_, family| !family.samples.is_empty());
    let names: Vec<&str> = found.keys().copied().collect();
    for (name, family) in &mut found {
        family.unknown = name.strip_suffix(TOTAL).is_some_and(|bare| names.binary_search(&bare).is_ok());
    }
    let mut families: Vec<_> = found.into_values().collect();
    for family in &mut families {
        // The recorder keeps its series in a hash map; a page has a stable order.
        family.samples.sort_by(|a, b| a.labels.cmp(&b.labels));
        family.samples.dedup_by(|a, b| a.labels == b.labels);
    }
    families
}

/// The family of the resource's attributes; `None` without any.
pub(super) fn target_info(resource: &[(String, String)], scheme: Scheme, info: bool) -> Option<OwnFamily> {
    if resource.is_empty() {
        return None;
    }
    let mut labels = super::labels::Labels::default();
    labels.read(resource.iter().map(|(k, v)| (k.as_str(), Some(v.as_str()))), scheme, None);
    let labels = labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    Some(OwnFamily {
        name: TARGET_INFO.to_owned(),
        kind: Type::Gauge,
        help: "Target metadata".to_owned(),
        info,
        unknown: false,
        samples: vec![OwnSample { labels, value: 1.0 }],
    })
}

fn help_of(name: &str, written: Option<&str>) -> String {
    match Metric::ALL.iter().find(|metric| metric.name() == name) {
        Some(metric) => metric.help().to_owned(),
        None => written.map_or_else(|| format!("pillion's own {name}"), unescape),
    }
}

/// `name{label="value",…} value`
fn sample(line: &str) -> Option<(&str, OwnSample)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, behind) = rest.split_once("=\"")?;
            let close = closing_quote(behind)?;
            labels.push((label.to_owned(), unescape(&behind[..close])));
            rest = &behind[close + 1..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = &rest[1..];
    }
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    (name::is_metric_name(name) && labels.iter().all(|(label, _)| name::is_label_name(label)))
        .then_some((name, OwnSample { labels, value }))
}

/// Where the first quote without a `\` before it stands.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorders_page_is_read_into_families() {
        let text = "# TYPE pillion_z gauge\npillion_z 1.5\n\n# HELP pillion_a_total what \\\\ it\\n is\n\
                    # TYPE pillion_a_total counter\npillion_a_total{b=\"x\\\"},y\",c=\"\"} 7\npillion_a_total{a=\"1\"} 8\n\
                    # TYPE pillion_s summary\npillion_s{quantile=\"0.5\"} 1\nnonsense\npillion_lost 4\n\
                    # TYPE pillion_contexts gauge\npillion_contexts 3\n# TYPE pillion_empty gauge\n";
        let families = families(text);
        let names: Vec<_> = families.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["pillion_a_total", "pillion_contexts", "pillion_z"]);
        assert_eq!(families[0].help, "what \\ it\n is");
        assert_eq!(families[0].kind, Type::Counter);
        assert_eq!(families[0].samples[0].labels, [("a".to_owned(), "1".to_owned())]);
        assert_eq!(families[0].samples[1].labels[0], ("b".to_owned(), "x\"},y".to_owned()));
        assert_eq!(families[0].samples[1].value, 7.0);
        assert_eq!(families[1].help, "Contexts held.");
    }

    #[test]
    fn what_the_recorder_writes_is_what_we_read() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            crate::telemetry::add(Metric::ListenerRejected, &["udp://[::1]:1", "a \"b\" \\"], 3);
            crate::telemetry::gauge(Metric::Contexts, &[], 2.5);
        });
        let families = families(&handle.render());
        let shown: Vec<_> = families.iter().map(|f| (f.name.as_str(), f.kind, f.samples.clone())).collect();
        let labels =
            vec![("listener".into(), "udp://[::1]:1".into()), ("reason".into(), "a \"b\" \\".into())];
        assert_eq!(
            shown,
            [
                ("pillion_contexts", Type::Gauge, vec![OwnSample { labels: vec![], value: 2.5 }]),
                ("pillion_listener_rejected_total", Type::Counter, vec![OwnSample { labels, value: 3.0 }]),
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_page_makes_the_reader_panic(text: String) {
            families(&text);
            families(&format!("# TYPE a gauge\na{{{text}}} 1\na{text}"));
        }
    }
}
