//! The end of a window: snapshots for push backends, and what time does to contexts.
//!
//! Walks all contexts in slices, so that an intake thread never waits long for the lock. A value that
//! arrives while the walk is under way is in this window or the next, never in both and never in none:
//! each context closes its window at the moment its slice is walked.

use super::class::Class;
use super::context::{Context, ContextId, HIDDEN, NEGATIVE, OVERFLOW};
use super::registry::{Pushing, Registry};
use super::series::{Series, Value};
use std::sync::Arc;

/// Contexts walked under one hold of the lock.
const SLICE: u32 = 1_024;
/// At most this share of the limit is remembered as evictable in one window.
pub(super) const EVICTABLE_SHARE: usize = 4;

/// A window that is being closed.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) start_ns: u64,
    end_ns: u64,
    window: u32,
    next: ContextId,
    slides: bool,
    /// Parts of a summary's sliding window.
    parts: usize,
    compacts: bool,
    /// Idle contexts that nobody holds, with the window of their last message.
    idle: Vec<(u32, ContextId)>,
}

impl Closing {
    /// Who may go when room is needed, the longest idle last. May be many: not to be called under the lock.
    pub(super) fn evictable(mut self) -> Vec<ContextId> {
        self.idle.sort_unstable_by(|a, b| b.cmp(a));
        self.idle.into_iter().map(|(_, id)| id).collect()
    }
}

impl Registry {
    /// Opens the next window; the contexts follow slice by slice.
    pub(super) fn begin_close(&mut self, end_ns: u64) -> Closing {
        let window = self.window;
        self.window += 1;
        let mut start_ns = std::mem::replace(&mut self.window_start_ns, end_ns);
        if start_ns >= end_ns {
            // The clock was set back.
            start_ns = end_ns.saturating_sub(self.options.window_ns);
        }
        // A hand-over that comes late, into the next window, must not bring back an older value.
        std::mem::swap(&mut self.gauge_times, &mut self.gauge_times_before);
        self.gauge_times.clear();
        self.evictable.clear();
        self.top.fade();
        let (parts, part_windows) = self.options.summary_parts();
        Closing {
            start_ns,
            end_ns,
            window,
            next: 0,
            slides: u64::from(window).is_multiple_of(part_windows),
            parts,
            compacts: self.contexts.worth_compacting(),
            idle: Vec::new(),
        }
    }

    /// Walks one slice; appends to `out` what push backends get. `false` when none is left.
    pub(super) fn close_slice(&mut self, closing: &mut Closing, out: &mut Vec<Series>) -> bool {
        let end = self.contexts.end().min(closing.next.saturating_add(SLICE));
        for id in closing.next..end {
            let Some(context) = self.contexts.get(id).copied() else { continue };
            if closing.compacts {
                self.contexts.compact(id);
            }
            if context.flags & HIDDEN == 0 {
                let context = self.begun_before(id, closing);
                self.close_context(id, context, closing, out);
            }
            self.age(id, closing);
        }
        closing.next = end;
        end < self.contexts.end()
    }

    /// The points with a client timestamp, and those that may go.
    pub(super) fn end_close(&mut self, evictable: Vec<ContextId>, out: &mut Vec<Series>) {
        out.append(&mut self.points);
        self.evictable = evictable;
    }

    /// The context, which did not begin behind the window that shows it, as those would have that came while
    /// the walk was under way, and all when the clock was set back.
    fn begun_before(&mut self, id: ContextId, closing: &Closing) -> Context {
        let context = self.contexts.at(id);
        if context.start_ns() >= closing.end_ns {
            context.start_s = (closing.start_ns / 1_000_000_000) as u32;
        }
        *context
    }

    fn close_context(&mut self, id: ContextId, context: Context, closing: &Closing, out: &mut Vec<Series>) {
        let active = context.last >= closing.window;
        let pushing = self.options.pushing != Pushing::Nothing;
        let fresh = closing.window.saturating_sub(context.last) <= self.options.expiry_windows;
        let value = match context.class {
            Class::Counter if pushing && fresh => {
                let total = f64::from_bits(context.bits);
                let sent = std::mem::replace(&mut self.sent[id as usize], total);
                Some(Value::Counter { delta: total - sent, total, monotonic: context.flags & NEGATIVE == 0 })
            }
            Class::Gauge if pushing && fresh => Some(Value::Gauge(f64::from_bits(context.bits))),
            Class::Counter | Class::Gauge => None,
            // Push backends get the points themselves.
            Class::OtlpSum
            | Class::OtlpUpDownSum
            | Class::OtlpGauge
            | Class::OtlpHistogram
            | Class::OtlpExponentialHistogram
            | Class::OtlpSummary => None,
            Class::Set => self.sets.get_mut(context.bits).and_then(|set| {
                let members = set.current.estimate();
                set.current.clear();
                set.closed = Some(members);
                (pushing && active).then_some(Value::Set(members))
            }),
            Class::Timer | Class::Histogram | Class::Distribution => {
                let treatment = &self.treatments[context.treatment as usize];
                let cumulative = self.options.pushing == Pushing::Cumulative;
                self.distributions.get_mut(context.bits).and_then(|state| {
                    if closing.slides {
                        state.slide(closing.parts);
                    }
                    state.take(treatment, cumulative).map(|d| Value::Distribution(Box::new(d)))
                })
            }
        };
        if let Some(value) = value {
            let mut key = String::new();
            self.contexts.read_key(id, &mut key);
            out.push(Series {
                key: key.into(),
                kind: context.class.like(),
                treatment: Arc::clone(&self.treatments[context.treatment as usize]),
                start_ns: context.start_ns(),
                time_ns: None,
                value,
            });
        }
    }

    /// TTLs, and who may go when room is needed.
    fn age(&mut self, id: ContextId, closing: &mut Closing) {
        let Some(context) = self.contexts.get(id).copied() else { return };
        let held = self.contexts.is_held(id);
        let idle_ns = u64::from(closing.window.saturating_sub(context.last)) * self.options.window_ns;
        let ttl = self.treatments[context.treatment as usize].ttl;
        let expired = ttl.is_some_and(|ttl| u128::from(idle_ns) >= ttl.as_nanos())
            && context.last < closing.window
            && context.flags & OVERFLOW == 0;
        if expired && !held && self.may_remove() {
            self.remove_context(id);
            // What was hidden before has been counted then.
            self.expired += u64::from(context.flags & HIDDEN == 0);
        } else if expired && context.flags & HIDDEN == 0 {
            self.hide(id, context);
            self.expired += 1;
        } else if !held && self.is_idle(&context) {
            closing.idle.push((context.last, id));
            let room = self.options.context_limit / EVICTABLE_SHARE + 1_024;
            if closing.idle.len() >= 2 * room {
                closing.idle.select_nth_unstable(room);
                closing.idle.truncate(room);
            }
        }
    }

    /// A shard still holds the context, or pages hold too many others: it goes out of sight and begins anew
    /// when touched.
    pub(super) fn hide(&mut self, id: ContextId, context: Context) {
        self.drop_state(context);
        let bits = self.new_state(context.class, context.treatment);
        let context = self.contexts.at(id);
        context.bits = bits;
        context.flags = context.flags & !NEGATIVE | HIDDEN;
        if let Some(sent) = self.sent.get_mut(id as usize) {
            *sent = 0.0;
        }
    }
}
