//! What becomes of one point: where its stream stood, what the converted point says, and why there is none.
//!
//! All that is decided about order, beginnings and ends is in `standing`; here a total is kept of deltas, and the last
//! total of totals. Bounded: idle streams are forgotten when there are too many, and what began before that is not
//! taken for new.

use super::super::read::{Accumulation, Times};
use super::super::standing::{self, Standing};
use super::super::tally::Remark;
use super::super::total::{Amount, New};
use super::super::write::{self, Says};
use super::{Converter, Unconverted};
use crate::metrics::Class;
use crate::otlp::protobuf::Writer;

/// Between two looks at which streams are idle, when there are too many.
const SWEEP_NS: u64 = 10_000_000_000;

#[derive(Debug)]
pub(super) struct Stream {
    standing: Standing,
    /// When its last point came, in Unix nanoseconds.
    heard_ns: u64,
    /// What its deltas add up to, and since when. Of totals, nothing.
    total: Amount,
    start_ns: u64,
    /// The same of deltas, or the last total, when all numbers are whole.
    whole: Option<i64>,
    /// Whether that has a sum.
    has_sum: bool,
}

/// A point that has been read, beside its value.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) raw: &'a [u8],
    /// Of its stream.
    pub(super) hash: u64,
    pub(super) times: Times,
    pub(super) whole: Option<i64>,
    pub(super) has_sum: bool,
    pub(super) class: Class,
    pub(super) now_ns: u64,
}

impl Converter {
    /// The app says that there is no value any more: deltas then add up anew. Where a total stood stays known, for what
    /// was sent of it must not be sent again.
    pub(super) fn end(&mut self, hash: u64) {
        if self.to == Accumulation::Cumulative {
            self.streams.remove(&hash);
        }
    }

    pub(super) fn total_of(
        &mut self,
        out: &mut Writer,
        seen: &Seen<'_>,
        now: &mut Amount,
    ) -> Result<(), Unconverted> {
        if !self.streams.contains_key(&seen.hash) && !self.has_room(seen.now_ns) {
            return Err(Unconverted::TooManyStreams);
        }
        let stream = self.streams.entry(seen.hash).or_insert_with(|| Stream::new(seen));
        let next = stream.standing.next(&seen.times, Accumulation::Delta, seen.class, seen.now_ns);
        let (_, remark) = next.map_err(|_| Unconverted::Stale)?;
        self.done.gaps += u64::from(remark == Some(Remark::Gap));
        if !stream.total.adds_up_with(now) {
            // Counts cannot be told apart at other bounds: a new total begins here.
            self.done.resets += 1;
            *stream = Stream { standing: std::mem::take(&mut stream.standing), ..Stream::new(seen) };
        }
        stream.total.take(now, New::All, seen.class != Class::OtlpUpDownSum);
        let whole = stream.whole.zip(seen.whole).and_then(|(total, now)| total.checked_add(now));
        let has_sum = stream.has_sum && seen.has_sum;
        stream.go_on(&Seen { whole, has_sum, ..*seen }, Accumulation::Delta, now);
        // A late delta is in the total, which does not go back in time for it.
        let times = Times { start_ns: stream.start_ns, time_ns: stream.standing.times.time_ns };
        write::point(out, seen.raw, &Says { times, amount: &stream.total, whole, has_sum });
        Ok(())
    }

    pub(super) fn delta_of(
        &mut self,
        out: &mut Writer,
        seen: &Seen<'_>,
        now: &mut Amount,
    ) -> Result<(), Unconverted> {
        let Some(stream) = self.streams.get_mut(&seen.hash) else {
            return self.first_total(out, seen, now);
        };
        let last_ns = stream.standing.times.time_ns;
        let next = stream.standing.next(&seen.times, Accumulation::Cumulative, seen.class, seen.now_ns);
        let (new, _) = next.map_err(|_| Unconverted::Stale)?;
        let begins = new == New::All;
        if !begins && seen.times.time_ns > 0 && seen.times.time_ns == last_ns {
            return Err(Unconverted::Stale);
        }
        let mut rest = Amount::nothing(seen.class);
        let fell = rest.take(now, new, true).reset;
        let (mut whole, mut has_sum) = (seen.whole, seen.has_sum);
        if begins || fell {
            self.done.resets += 1;
        } else {
            whole = seen.whole.zip(stream.whole).and_then(|(now, last)| now.checked_sub(last));
            has_sum &= stream.has_sum;
        }
        stream.go_on(seen, Accumulation::Cumulative, now);
        if begins && seen.begins_here() {
            return Err(Unconverted::UnknownStart);
        }
        let start_ns = if begins { seen.times.start_ns } else { last_ns };
        let times = Times { start_ns, ..seen.times };
        write::point(out, seen.raw, &Says { times, amount: &rest, whole, has_sum });
        Ok(())
    }

    /// The first total of a stream that is not known.
    fn first_total(
        &mut self,
        out: &mut Writer,
        seen: &Seen<'_>,
        now: &mut Amount,
    ) -> Result<(), Unconverted> {
        if !self.has_room(seen.now_ns) {
            return Err(Unconverted::TooManyStreams);
        }
        let how = Accumulation::Cumulative;
        let (new, remark) = standing::first(&seen.times, how, false, self.forgotten_ns);
        let mut stream = Stream::new(seen);
        stream.go_on(seen, how, now);
        self.streams.insert(seen.hash, stream);
        match (new, remark) {
            (New::Nothing, Some(Remark::Gap)) if !seen.begins_here() => Err(Unconverted::Gap),
            (New::All, _) if !seen.begins_here() => {
                let Seen { times, whole, has_sum, .. } = *seen;
                write::point(out, seen.raw, &Says { times, amount: now, whole, has_sum });
                Ok(())
            }
            _ => Err(Unconverted::UnknownStart),
        }
    }

    /// Whether one more stream has room, after a look at which are idle, every now and then.
    fn has_room(&mut self, now_ns: u64) -> bool {
        if self.streams.len() < self.limit {
            return true;
        }
        if now_ns.saturating_sub(self.swept_ns) < SWEEP_NS {
            return false;
        }
        self.swept_ns = now_ns;
        let Converter { streams, forgotten_ns, expiry_ns, limit, .. } = self;
        streams.retain(|_, stream| {
            let stays = now_ns.saturating_sub(stream.heard_ns) <= *expiry_ns;
            if !stays {
                *forgotten_ns = stream.standing.times.time_ns.min(now_ns).max(*forgotten_ns);
            }
            stays
        });
        streams.len() < *limit
    }
}

impl Stream {
    /// With nothing in it yet, beginning with this point.
    fn new(seen: &Seen<'_>) -> Stream {
        Stream {
            standing: Standing::default(),
            heard_ns: seen.now_ns,
            total: Amount::nothing(seen.class),
            start_ns: seen.times.start_ns,
            whole: Some(0),
            has_sum: true,
        }
    }

    /// Takes a point for the last.
    fn go_on(&mut self, seen: &Seen<'_>, how: Accumulation, now: &mut Amount) {
        (self.heard_ns, self.whole, self.has_sum) = (seen.now_ns, seen.whole, seen.has_sum);
        self.standing.went_on(&seen.times, how, now, seen.now_ns);
    }
}

impl Seen<'_> {
    /// Whether a total says that its beginning is not known, as the data model has it.
    fn begins_here(&self) -> bool {
        self.times.start_ns > 0 && self.times.start_ns == self.times.time_ns
    }
}
