//! What a page had to leave out or change so that it stays readable: counted by reason, and both
//! sides named for `/status`.
//!
//! The page never fails for what an app sends; the price is paid by the later of two, and it is never
//! paid silently.

use crate::metrics::Class;
use crate::metrics::series::Key;
use serde::Serialize;
use std::collections::BTreeMap;

/// Conflicts of one page that are named; the rest is only counted.
pub(super) const NAMED_LIMIT: usize = 64;

/// Why a line was left out of a page, or is not what its message said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    TypeConflict,
    SuffixClash,
    SameSeries,
    ReservedName,
    LabelsJoined,
    NotMonotonic,
    Negative,
    Moved,
}

impl Reason {
    pub const ALL: [Reason; 8] = [
        Reason::TypeConflict,
        Reason::SuffixClash,
        Reason::SameSeries,
        Reason::ReservedName,
        Reason::LabelsJoined,
        Reason::NotMonotonic,
        Reason::Negative,
        Reason::Moved,
    ];

    /// The name in metrics, `/status` and documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::TypeConflict => "type_conflict",
            Reason::SuffixClash => "suffix_clash",
            Reason::SameSeries => "same_series",
            Reason::ReservedName => "reserved_name",
            Reason::LabelsJoined => "labels_joined",
            Reason::NotMonotonic => "not_monotonic",
            Reason::Negative => "negative",
            Reason::Moved => "moved",
        }
    }

    /// One sentence for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Reason::TypeConflict => "another type came first under the same name; the later has no line",
            Reason::SuffixClash => {
                "the name is also a part (`_count`, `_sum` …) of another's; the later has no line"
            }
            Reason::SameSeries => "two contexts have the same name and labels here; the later has no line",
            Reason::ReservedName => "the name belongs to pillion itself; there is no line",
            Reason::LabelsJoined => "tags of one context became one label; their values are joined with `;`",
            Reason::NotMonotonic => "a counter got negative values; it is shown as a gauge",
            Reason::Negative => "OpenMetrics knows no negative sums and quantiles; they have no line there",
            Reason::Moved => "the series changed its place while the page was written; the next page has it",
        }
    }
}

/// One conflict, with both sides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Conflict {
    pub reason: Reason,
    /// The name on the page.
    pub family: String,
    /// What has its line, as StatsD writes it without a value: `name|type|#tags`; see [`Class::symbol`].
    pub kept: Option<String>,
    /// What has none, or was changed.
    pub changed: String,
}

/// The conflicts of the latest pages.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Conflicts {
    pub named: Vec<Conflict>,
    /// Further ones that are only counted.
    pub unnamed: u64,
}

/// How one page counts and names what it met.
#[derive(Debug, Default)]
pub(super) struct Findings {
    counts: BTreeMap<Reason, u64>,
    conflicts: Conflicts,
}

impl Findings {
    pub(super) fn count(&mut self, reason: Reason, lines: u64) {
        *self.counts.entry(reason).or_default() += lines;
    }

    pub(super) fn name(&mut self, conflict: Conflict) {
        if self.conflicts.named.len() < NAMED_LIMIT {
            self.conflicts.named.push(conflict);
        } else {
            self.conflicts.unnamed += 1;
        }
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        self.counts.iter().map(|(reason, n)| (*reason, *n))
    }

    pub(super) fn into_conflicts(self) -> Conflicts {
        self.conflicts
    }
}

impl Conflicts {
    /// Takes in another page's conflicts, each once.
    pub(super) fn merge(&mut self, other: &Conflicts) {
        self.unnamed += other.unnamed;
        for conflict in &other.named {
            if self.named.contains(conflict) {
                continue;
            }
            if self.named.len() < NAMED_LIMIT {
                self.named.push(conflict.clone());
            } else {
                self.unnamed += 1;
            }
        }
    }
}

/// A context as people know it: `orders.created|c|#env:dev`, `orders.created|OTLP sum|#job:shop`.
pub(super) fn describe(key: Key<'_>, class: Class) -> String {
    let mut text = format!("{}|{}", key.name(), class.symbol());
    for (i, tag) in key.tags().enumerate() {
        text.push_str(if i == 0 { "|#" } else { "," });
        text.push_str(tag);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_described_as_it_was_sent() {
        assert_eq!(
            describe(Key("orders.created\nenv:dev\nx"), Class::Counter),
            "orders.created|c|#env:dev,x"
        );
        assert_eq!(describe(Key("req"), Class::Timer), "req|ms");
        assert_eq!(describe(Key("name\njob:shop\nx:"), Class::OtlpSum), "name|OTLP sum|#job:shop,x:");
    }

    #[test]
    fn the_list_is_bounded_and_the_count_is_not() {
        let mut findings = Findings::default();
        for i in 0..NAMED_LIMIT + 5 {
            findings.count(Reason::SameSeries, 2);
            let changed = i.to_string();
            findings.name(Conflict { reason: Reason::SameSeries, family: "x".into(), kept: None, changed });
        }
        let all = (NAMED_LIMIT as u64 + 5) * 2;
        assert_eq!(findings.counts().collect::<Vec<_>>(), [(Reason::SameSeries, all)]);
        let mut conflicts = findings.into_conflicts();
        assert_eq!((conflicts.named.len(), conflicts.unnamed), (NAMED_LIMIT, 5));
        let same = conflicts.clone();
        conflicts.merge(&same);
        assert_eq!((conflicts.named.len(), conflicts.unnamed), (NAMED_LIMIT, 10));
    }

    #[test]
    fn reasons_are_written_alike_everywhere() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert!(!reason.meaning().is_empty());
        }
    }
}
