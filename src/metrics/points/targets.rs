//! The resources that metrics came from, as `target_info` shows them.
//!
//! Bounded: over the limit, the longest silent resource goes for the new one, which is counted. What identifies a
//! target is `job` and `instance`; a process that began anew may differ in the rest.

use super::key::identity;
use crate::otlp::text::Text;
use crate::otlp::view::Resource;
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Resources kept at once: an agent rides beside one app, of a few processes.
const TARGETS: usize = 256;
/// The most that the labels of one may take in memory, in bytes.
const TARGET_BYTES: usize = 32_768;

/// The labels of one `target_info`: sorted, `job` and `instance` among them where they are known.
pub type Target = Vec<(String, String)>;

#[derive(Debug, Default)]
pub(super) struct Targets {
    /// By the bytes of the resource.
    known: HashMap<u64, Known>,
    next: u64,
    /// Resources that had to go for others, or are too large.
    pub(super) dropped: u64,
}

#[derive(Debug)]
struct Known {
    /// Empty when the resource says no more than who it is.
    labels: Target,
    /// The larger came later.
    born: u64,
    last_ns: u64,
}

impl Targets {
    /// Notes that metrics came from a resource.
    pub(super) fn see(&mut self, resource: &Resource<'_>, key: u64, now_ns: u64) {
        let hash = xxh3_64_with_seed(resource.raw, key);
        if let Some(known) = self.known.get_mut(&hash) {
            known.last_ns = now_ns;
            return;
        }
        if self.known.len() >= TARGETS {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.last_ns).map(|(hash, _)| *hash);
            self.known.remove(&oldest.unwrap_or_default());
            self.dropped += 1;
        }
        let mut labels = read(resource);
        let bytes = |(key, value): &(String, String)| key.len() + value.len() + size_of::<(String, String)>();
        if labels.iter().map(bytes).sum::<usize>() > TARGET_BYTES {
            labels = Target::new();
            self.dropped += 1;
        }
        self.next += 1;
        self.known.insert(hash, Known { labels, born: self.next, last_ns: now_ns });
    }

    /// One for each `job` and `instance`, so that a query can join by them: the newest.
    pub(super) fn shown(&self) -> Vec<Target> {
        let mut all: Vec<&Known> = self.known.values().filter(|known| !known.labels.is_empty()).collect();
        all.sort_by_key(|known| std::cmp::Reverse(known.born));
        let mut seen = HashSet::new();
        all.retain(|known| seen.insert(who(&known.labels)));
        let mut labels: Vec<Target> = all.into_iter().map(|known| known.labels.clone()).collect();
        labels.sort();
        labels
    }
}

/// `job` and `instance`.
fn who(labels: &Target) -> [Option<&str>; 2] {
    let find = |name: &str| labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    [find("job"), find("instance")]
}

fn read(resource: &Resource<'_>) -> Target {
    let described = |key: &str| !matches!(key, "service.name" | "service.namespace" | "service.instance.id");
    let mut labels: Target = resource
        .attributes
        .iter()
        .filter(|(key, _)| described(key))
        .map(|(key, value)| (key.to_owned(), Text(value).into_text().into_owned()))
        .collect();
    if labels.is_empty() {
        return labels;
    }
    let (job, instance) = identity(resource);
    labels.extend(job.map(|job| ("job".to_owned(), job)));
    labels.extend(instance.map(|instance| ("instance".to_owned(), instance)));
    labels.sort();
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::protobuf::Writer;

    fn resource(attributes: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Writer::new();
        for (key, value) in attributes {
            let pair = out.begin(1, 0);
            out.text(1, key);
            let any = out.begin(2, 0);
            out.text(1, value);
            out.end(any);
            out.end(pair);
        }
        out.into_inner()
    }

    fn see(targets: &mut Targets, attributes: &[(&str, &str)], now_ns: u64) {
        targets.see(&Resource::read(&resource(attributes)), 7, now_ns);
    }

    #[test]
    fn a_target_is_shown_once_as_it_was_last() {
        let mut targets = Targets::default();
        see(&mut targets, &[("service.name", "shop"), ("service.namespace", "eu"), ("process.pid", "1")], 1);
        see(&mut targets, &[("service.name", "shop"), ("service.namespace", "eu"), ("process.pid", "2")], 2);
        see(&mut targets, &[("service.name", "cart"), ("service.instance.id", "a"), ("host.name", "h")], 3);
        see(&mut targets, &[("service.name", "says no more")], 4);
        let shown: Vec<String> = targets.shown().iter().map(|labels| format!("{labels:?}")).collect();
        assert_eq!(
            shown,
            [
                r#"[("host.name", "h"), ("instance", "a"), ("job", "cart")]"#,
                r#"[("job", "eu/shop"), ("process.pid", "2")]"#
            ]
        );
    }

    #[test]
    fn the_longest_silent_goes_for_a_new_one() {
        let mut targets = Targets::default();
        for n in 0..TARGETS as u64 {
            see(&mut targets, &[("service.name", &n.to_string()), ("host.name", "h")], n);
        }
        see(&mut targets, &[("service.name", "0"), ("host.name", "h")], 1_000);
        see(&mut targets, &[("service.name", "new"), ("host.name", "h")], 1_001);
        let has = |job: &str| targets.shown().iter().any(|labels| who(labels)[0] == Some(job));
        assert_eq!((has("0"), has("1"), has("new"), targets.dropped), (true, false, true, 1));
    }

    #[test]
    fn a_target_of_too_many_labels_is_counted() {
        let mut targets = Targets::default();
        see(&mut targets, &[("host.name", &"x".repeat(TARGET_BYTES))], 1);
        assert_eq!((targets.shown().len(), targets.dropped), (0, 1));
        // Labels cost memory, however little they say.
        see(&mut targets, &[("", ""); 10_000], 2);
        assert_eq!((targets.shown().len(), targets.dropped), (0, 2));
    }
}
