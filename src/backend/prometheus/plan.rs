//! Deciding about one family before its first line: where it ends, which type it has, and whether its
//! name stands in another's way.
//!
//! No table of all names is kept. Families come in order of their names, so those whose name begins
//! the present one form a chain, and that chain answers most questions; the others are searched in the
//! order, nearby. Next: `page`.

use super::conflict::{Conflict, Findings, Reason, describe};
use super::family::{TOTAL, Type};
use super::own::OwnFamily;
use super::shelf::{Oldest, Scratch, Shelf};
use super::source::Source;
use std::ops::Range;

/// All suffixes that a sample of some type may append to its family's name.
const SUFFIXES: [&str; 4] = ["_bucket", "_count", "_created", "_sum"];
const CREATED: &str = "_created";
/// Names that apps cannot have.
const RESERVED: &str = "pillion_";
/// Among them, the series that names share which have no overflow series of their own: apps' values.
const SHARED_OVERFLOW: &str = "pillion_overflow_";

/// What to write of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) kind: Type,
    /// OpenMetrics only: a counter whose bare name is another family's is written as unknown, so that
    /// both stay.
    pub(super) unknown: bool,
    /// Positions that have lines; empty when the family lost.
    pub(super) rows: Range<usize>,
    /// Behind the family.
    pub(super) end: usize,
}

/// Plans families one after the other.
#[derive(Debug, Default)]
pub(super) struct Planner {
    openmetrics: bool,
    /// Earlier families whose names begin the present one's.
    chain: Vec<Link>,
    /// Bare names `x` of which an `x_created` was seen, while names still begin with `x`.
    created: Vec<String>,
    scratch: Scratch,
}

#[derive(Debug)]
struct Link {
    name: String,
    kind: Type,
    all: Range<usize>,
}

impl Planner {
    pub(super) fn new(openmetrics: bool) -> Self {
        Planner { openmetrics, ..Planner::default() }
    }

    /// Plans the family that begins at `at`; `None` when no series is there.
    pub(super) fn plan<S: Source>(
        &mut self,
        shelf: &Shelf<'_, S>,
        at: usize,
        own: &[OwnFamily],
        findings: &mut Findings,
    ) -> Option<Plan> {
        if !shelf.place(at, &mut self.scratch.place) {
            return None;
        }
        let first = self.scratch.place.kind()?;
        let name = self.scratch.place.name().to_owned();
        let end = shelf.family_end(&name, at + 1, &mut self.scratch).max(at + 1);
        let mut plan = Plan { name, kind: first, unknown: false, rows: at..end, end };
        self.settle_type(shelf, &mut plan, findings);
        self.follow(&plan);
        if is_reserved(&plan, own) {
            findings.count(Reason::ReservedName, plan.rows.len() as u64);
            let changed = shelf.describe(plan.rows.start);
            findings.name(Conflict {
                reason: Reason::ReservedName,
                family: plan.name.clone(),
                kept: None,
                changed,
            });
            plan.rows = end..end;
        } else if let Some((mine, other)) = self.lost(shelf, &plan, at) {
            findings.count(Reason::SuffixClash, plan.rows.len() as u64);
            findings.name(Conflict {
                reason: Reason::SuffixClash,
                family: plan.name.clone(),
                kept: Some(shelf.describe_id(other.id)),
                changed: shelf.describe_id(mine.id),
            });
            plan.rows = end..end;
        }
        plan.unknown =
            self.openmetrics && plan.kind == Type::Counter && self.bare_name_is_taken(&plan.name, own);
        self.chain.push(Link { name: plan.name.clone(), kind: plan.kind, all: at..end });
        Some(plan)
    }

    /// Several types under one name: that of the oldest series stays.
    fn settle_type<S: Source>(&mut self, shelf: &Shelf<'_, S>, plan: &mut Plan, findings: &mut Findings) {
        let all = plan.rows.clone();
        let uniform = all.len() == 1
            || !shelf.place(all.end - 1, &mut self.scratch.place)
            || self.scratch.place.kind() == Some(plan.kind);
        if uniform {
            return;
        }
        let Some(oldest) = shelf.oldest(all.clone()) else { return };
        let start = match oldest.kind {
            kind if kind == plan.kind => all.start,
            kind => shelf.type_start(&plan.name, kind, all.start, &mut self.scratch),
        };
        let end = shelf.type_end(&plan.name, oldest.kind, start, &mut self.scratch);
        let rows = start.clamp(all.start, all.end)..end.clamp(start, all.end);
        findings.count(Reason::TypeConflict, (all.len() - rows.len()) as u64);
        let losers =
            [(rows.start > all.start).then_some(all.start), (rows.end < all.end).then_some(rows.end)];
        for loser in losers.into_iter().flatten() {
            findings.name(Conflict {
                reason: Reason::TypeConflict,
                family: plan.name.clone(),
                kept: Some(shelf.describe_id(oldest.id)),
                changed: shelf.describe(loser),
            });
        }
        plan.kind = oldest.kind;
        plan.rows = rows;
    }

    /// Keeps the chain to families whose names begin this one's.
    fn follow(&mut self, plan: &Plan) {
        while self.chain.last().is_some_and(|link| !plan.name.starts_with(&link.name)) {
            self.chain.pop();
        }
        while self.created.last().is_some_and(|bare| !plan.name.starts_with(bare)) {
            self.created.pop();
        }
        let bare = plan.name.strip_suffix(TOTAL).unwrap_or(&plan.name);
        if let Some(bare) = bare.strip_suffix(CREATED).filter(|_| self.openmetrics) {
            self.created.push(bare.to_owned());
        }
    }

    /// The oldest of this family and of the one that it must give way to.
    fn lost<S: Source>(&mut self, shelf: &Shelf<'_, S>, plan: &Plan, at: usize) -> Option<(Oldest, Oldest)> {
        let mut rivals = Vec::new();
        for suffix in plan.kind.suffixes(self.openmetrics) {
            let other = shelf.family(&format!("{}{suffix}", plan.name), plan.end, &mut self.scratch);
            rivals.extend((!other.is_empty()).then_some(other));
        }
        rivals.extend(self.bearer_of(&plan.name).map(|link| link.all.clone()));
        if rivals.is_empty() {
            return None;
        }
        let mine = shelf.oldest(at..plan.end)?;
        let older =
            rivals.into_iter().filter_map(|all| shelf.oldest(all)).filter(|other| other.born < mine.born);
        Some((mine, older.min_by_key(|other| other.born)?))
    }

    /// The earlier family whose samples include `name` (`x` with `_count` for `x_count`).
    fn bearer_of(&self, name: &str) -> Option<&Link> {
        SUFFIXES.iter().find_map(|suffix| {
            let bare = name.strip_suffix(suffix)?;
            self.chain
                .iter()
                .find(|link| link.name == bare && link.kind.suffixes(self.openmetrics).contains(suffix))
        })
    }

    /// In OpenMetrics a counter's family has its name without `_total` and owns `_created`, too.
    fn bare_name_is_taken(&self, name: &str, own: &[OwnFamily]) -> bool {
        let bare = name.strip_suffix(TOTAL).unwrap_or(name);
        bare.is_empty()
            || is_own(bare, own)
            || self.chain.iter().any(|link| link.name == bare)
            || self.created.iter().any(|created| created == bare)
            || self.bearer_of(bare).is_some()
    }
}

/// Own families and the names that their samples could have.
fn is_reserved(plan: &Plan, own: &[OwnFamily]) -> bool {
    let bare = RESERVED.trim_end_matches('_');
    (plan.name.starts_with(RESERVED) && !plan.name.starts_with(SHARED_OVERFLOW))
        || (plan.name == bare && !plan.kind.suffixes(true).is_empty())
        || is_own(&plan.name, own)
}

fn is_own(name: &str, own: &[OwnFamily]) -> bool {
    own.binary_search_by(|family| family.name.as_str().cmp(name)).is_ok()
}

impl<S: Source> Shelf<'_, S> {
    fn describe(&self, at: usize) -> String {
        self.ids.get(at).map(|id| self.describe_id(*id)).unwrap_or_default()
    }

    /// The context behind an identifier, for people.
    pub(super) fn describe_id(&self, id: u32) -> String {
        let mut text = String::new();
        self.source.read(&[id], &mut |_, series| {
            if let Some(series) = series {
                text = describe(series.key, series.class);
            }
        });
        text
    }
}
