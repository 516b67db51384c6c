//! The families that pillion speaks for: its own metrics and the facts about the target, as our writers
//! take them. They stand sorted among the others, in every format.

use super::family::Type;
use super::head::{Head, printable};
use super::labels::Labels;
use super::name::Scheme;
use super::source::Target;
use crate::telemetry::recorder::{self, Family};
use crate::telemetry::table;
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
            unknown: false,
            info: self.info,
        }
    }
}

/// The recorder's families, in its order.
pub(super) fn families(recorded: &[Family]) -> Vec<OwnFamily> {
    recorded.iter().map(own).collect()
}

fn own(Family { metric, samples }: &Family) -> OwnFamily {
    let sample = |sample: &recorder::OwnSample| OwnSample {
        labels: sample.labels.iter().map(|(label, value)| ((*label).to_owned(), value.clone())).collect(),
        value: sample.value,
    };
    OwnFamily {
        name: metric.name().to_owned(),
        kind: match metric.kind() {
            table::Type::Counter => Type::Counter,
            table::Type::Gauge => Type::Gauge,
        },
        help: metric.help().to_owned(),
        info: false,
        samples: samples.iter().map(sample).collect(),
    }
}

/// The family of the attributes of resources, one sample each; `None` without any attribute.
pub(super) fn target_info<'a>(
    resources: impl Iterator<Item = &'a Target>,
    scheme: Scheme,
    info: bool,
) -> Option<OwnFamily> {
    let mut all = BTreeMap::new();
    let mut read = Labels::default();
    for resource in resources {
        let clean: Vec<_> =
            resource.iter().map(|(label, value)| (printable(label), printable(value))).collect();
        read.read(clean.iter().map(|(label, value)| (&**label, Some(&**value))), scheme, None);
        let labels = || read.iter().map(|(label, value)| (label.to_owned(), value.to_owned()));
        // A label without a value is no label: it tells no two apart.
        let identity: Vec<_> = labels().filter(|(_, value)| !value.is_empty()).collect();
        if !identity.is_empty() {
            all.entry(identity).or_insert_with(|| labels().collect());
        }
    }
    let samples: Vec<_> = all.into_values().map(|labels| OwnSample { labels, value: 1.0 }).collect();
    (!samples.is_empty()).then(|| OwnFamily {
        name: TARGET_INFO.to_owned(),
        kind: Type::Gauge,
        help: "Target metadata".to_owned(),
        info,
        samples,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{self, Metric, Recorder};

    #[test]
    fn what_the_recorder_keeps_becomes_families() {
        let (recorder, reader) = Recorder::detached();
        metrics::with_local_recorder(&recorder, || {
            telemetry::add(Metric::ListenerRejected, &["udp://[::1]:1", "a \"b\" \\"], 3);
            telemetry::add_seconds(Metric::FlushSeconds, &[], 0.5);
            telemetry::gauge(Metric::Contexts, &[], 2.5);
        });
        let families = families(&reader.families());
        let shown: Vec<_> = families.iter().map(|f| (f.name.as_str(), f.kind, f.samples.clone())).collect();
        let labels =
            vec![("listener".into(), "udp://[::1]:1".into()), ("reason".into(), "a \"b\" \\".into())];
        let bare = |value| vec![OwnSample { labels: vec![], value }];
        assert_eq!(
            shown,
            [
                ("pillion_listener_rejected_total", Type::Counter, vec![OwnSample { labels, value: 3.0 }]),
                ("pillion_contexts", Type::Gauge, bare(2.5)),
                ("pillion_flush_seconds_total", Type::Counter, bare(0.5)),
            ]
        );
        assert_eq!(families[1].help, "Contexts held.");
    }
}
