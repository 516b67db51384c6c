//! A point written anew with another value, start and time; all else of it is copied as it is.
//!
//! Minimum and maximum go: they are of another span of time than the new value. Attributes, exemplars, flags and
//! fields that are not known stay, byte by byte. Field numbers: `opentelemetry/proto/metrics/v1/metrics.proto`.

use super::exponential::{Exponential, Side};
use super::histogram::Histogram;
use super::read::Times;
use super::total::Amount;
use crate::otlp::protobuf::{Fields, Writer};

/// What a point is to say.
pub(super) struct Says<'a> {
    pub(super) times: Times,
    pub(super) amount: &'a Amount,
    /// A number that stays a whole one, exact where `amount` is not.
    pub(super) whole: Option<i64>,
    /// Whether the sum of a histogram is known.
    pub(super) has_sum: bool,
}

/// Writes the point `raw` as field 1 of an open sum or histogram.
pub(super) fn point(out: &mut Writer, raw: &[u8], says: &Says<'_>) {
    let open = out.begin(1, raw.len());
    out.fixed64_if(2, says.times.start_ns);
    out.fixed64_if(3, says.times.time_ns);
    let replaced: &[u32] = match says.amount {
        Amount::Number(number) => {
            match says.whole {
                Some(whole) => out.fixed64(6, whole as u64),
                None => out.double(4, *number),
            }
            &[2, 3, 4, 6]
        }
        Amount::Histogram(all) => {
            histogram(out, all, says.has_sum);
            &[2, 3, 4, 5, 6, 7, 11, 12]
        }
        Amount::Exponential(all) => {
            exponential(out, all, says.has_sum);
            &[2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14]
        }
        // Summaries are never converted.
        Amount::Summary(_) => &[2, 3],
    };
    let mut fields = Fields::new(raw);
    while let Some(Ok((number, _, field))) = fields.next_raw() {
        if !replaced.contains(&number) {
            out.raw(field);
        }
    }
    out.end(open);
}

fn histogram(out: &mut Writer, all: &Histogram, has_sum: bool) {
    out.fixed64_if(4, all.count);
    if has_sum {
        out.double(5, all.sum);
    }
    // One bucket without bounds is what the count says already.
    if !all.bounds.is_empty() {
        packed(out, 6, all.counts.iter().copied());
        packed(out, 7, all.bounds.iter().map(|bound| bound.to_bits()));
    }
}

fn exponential(out: &mut Writer, all: &Exponential, has_sum: bool) {
    out.fixed64_if(4, all.count);
    if has_sum {
        out.double(5, all.sum);
    }
    out.varint_if(6, signed32(all.scale));
    out.fixed64_if(7, all.zero_count);
    side(out, 8, &all.positive);
    side(out, 9, &all.negative);
    if all.zero_threshold > 0.0 {
        out.double(14, all.zero_threshold);
    }
}

/// From the first bucket that holds something to the last.
fn side(out: &mut Writer, field: u32, side: &Side) {
    let holds = |n: &u64| *n > 0;
    let (Some(first), Some(last)) = (side.counts.iter().position(holds), side.counts.iter().rposition(holds))
    else {
        return;
    };
    let counts = &side.counts[first..=last];
    let open = out.begin(field, counts.len() + 8);
    out.varint_if(1, signed32(side.offset.saturating_add(first as i32)));
    let list = out.begin(2, counts.len());
    counts.iter().for_each(|n| out.packed_varint(*n));
    out.end(list);
    out.end(open);
}

fn packed(out: &mut Writer, field: u32, all: impl ExactSizeIterator<Item = u64>) {
    let list = out.begin(field, 8 * all.len());
    all.for_each(|bits| out.raw(&bits.to_le_bytes()));
    out.end(list);
}

/// As a `sint32` stands on the wire.
fn signed32(number: i32) -> u64 {
    u64::from(((number << 1) ^ (number >> 31)) as u32)
}
