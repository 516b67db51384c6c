//! The five kinds' points: what each says in one pass, and iterators over what is repeated in it.
//!
//! A repeated field may stand in the bytes packed, one by one, or in several pieces of both; all are shown as one
//! list, in their order.

use crate::otlp::protobuf::{Fields, Value as Wire, varint};
use crate::otlp::view::{Attributes, messages, number32};
use std::fmt;
use std::marker::PhantomData;

/// In a point's flags: the sender says that there is no value any more, for whoever reads the series.
const NO_RECORDED_VALUE: u32 = 1;

/// Points of one metric.
pub struct Points<'a, P> {
    /// The gauge, sum, histogram or summary, whose field 1 they are.
    message: &'a [u8],
    of: PhantomData<fn() -> P>,
}

/// What is read from an encoded point.
pub trait Point<'a>: Sized {
    fn read(raw: &'a [u8]) -> Self;
}

/// Of a gauge or sum; times are Unix nanoseconds, 0 where absent, here and below.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberPoint<'a> {
    pub attributes: Attributes<'a>,
    pub start_ns: u64,
    pub time_ns: u64,
    pub flags: u32,
    pub value: Option<Number>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i64),
    Double(f64),
}

/// Of a histogram with its bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistogramPoint<'a> {
    pub attributes: Attributes<'a>,
    pub start_ns: u64,
    pub time_ns: u64,
    pub flags: u32,
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    raw: &'a [u8],
}

/// Of a histogram whose bounds are powers of `2^(2^-scale)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExponentialPoint<'a> {
    pub attributes: Attributes<'a>,
    pub start_ns: u64,
    pub time_ns: u64,
    pub flags: u32,
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub scale: i32,
    /// Values so near to 0 that no bucket holds them, which is at most `zero_threshold` away.
    pub zero_count: u64,
    pub zero_threshold: f64,
    pub positive: Buckets<'a>,
    pub negative: Buckets<'a>,
}

/// Successive buckets of one sign: the first has the index `offset`, and index `i` is for values above the `i`th
/// power of the base, up to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Buckets<'a> {
    pub offset: i32,
    /// The point, of which this is a field.
    point: &'a [u8],
    field: u32,
}

/// Of a summary.
#[derive(Clone, Copy, Debug, Default)]
pub struct SummaryPoint<'a> {
    pub attributes: Attributes<'a>,
    pub start_ns: u64,
    pub time_ns: u64,
    pub flags: u32,
    pub count: u64,
    pub sum: f64,
    raw: &'a [u8],
}

impl<'a, P> Points<'a, P> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Points { message, of: PhantomData }
    }

    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = P> + use<'a, P>
    where
        P: Point<'a>,
    {
        messages(self.message, 1).map(P::read)
    }
}

// Derived ones would ask the same of `P`.
impl<P> Clone for Points<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Points<'_, P> {}

impl<P> Default for Points<'_, P> {
    fn default() -> Self {
        Points { message: &[], of: PhantomData }
    }
}

impl<P> fmt::Debug for Points<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Points").field(&self.message).finish()
    }
}

impl<'a> Point<'a> for NumberPoint<'a> {
    #[inline]
    fn read(raw: &'a [u8]) -> Self {
        let mut view = NumberPoint { attributes: Attributes::new(raw, 7), ..Self::default() };
        for (number, value) in Fields::new(raw).flatten() {
            match (number, value) {
                (2, Wire::Fixed64(time)) => view.start_ns = time,
                (3, Wire::Fixed64(time)) => view.time_ns = time,
                (4, Wire::Fixed64(bits)) => view.value = Some(Number::Double(f64::from_bits(bits))),
                (6, Wire::Fixed64(bits)) => view.value = Some(Number::Int(bits as i64)),
                (8, value) => view.flags = number32(value),
                _ => {}
            }
        }
        view
    }
}

impl NumberPoint<'_> {
    /// The series has ended, or its value is not known.
    pub fn no_recorded_value(&self) -> bool {
        self.flags & NO_RECORDED_VALUE != 0
    }
}

impl Number {
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(number) => number as f64,
            Number::Double(number) => number,
        }
    }
}

impl<'a> Point<'a> for HistogramPoint<'a> {
    #[inline]
    fn read(raw: &'a [u8]) -> Self {
        let mut view = HistogramPoint { raw, attributes: Attributes::new(raw, 9), ..Self::default() };
        for (number, value) in Fields::new(raw).flatten() {
            match (number, value) {
                (2, Wire::Fixed64(time)) => view.start_ns = time,
                (3, Wire::Fixed64(time)) => view.time_ns = time,
                (4, Wire::Fixed64(count)) => view.count = count,
                (5, Wire::Fixed64(bits)) => view.sum = Some(f64::from_bits(bits)),
                (10, value) => view.flags = number32(value),
                (11, Wire::Fixed64(bits)) => view.min = Some(f64::from_bits(bits)),
                (12, Wire::Fixed64(bits)) => view.max = Some(f64::from_bits(bits)),
                _ => {}
            }
        }
        view
    }
}

impl<'a> HistogramPoint<'a> {
    /// The series has ended, or its value is not known.
    pub fn no_recorded_value(&self) -> bool {
        self.flags & NO_RECORDED_VALUE != 0
    }

    /// Each bucket's own: one more than bounds, or none of either.
    pub fn counts(&self) -> impl Iterator<Item = u64> + use<'a> {
        fixed64s(self.raw, 6)
    }

    /// Of the buckets but the last, which has none above; each belongs to the bucket below it.
    pub fn bounds(&self) -> impl Iterator<Item = f64> + use<'a> {
        fixed64s(self.raw, 7).map(f64::from_bits)
    }
}

impl<'a> Point<'a> for ExponentialPoint<'a> {
    #[inline]
    fn read(raw: &'a [u8]) -> Self {
        let buckets = |field| Buckets { offset: 0, point: raw, field };
        let (positive, negative) = (buckets(8), buckets(9));
        let attributes = Attributes::new(raw, 1);
        let mut view = ExponentialPoint { attributes, positive, negative, ..Self::default() };
        for (number, value) in Fields::new(raw).flatten() {
            match (number, value) {
                (2, Wire::Fixed64(time)) => view.start_ns = time,
                (3, Wire::Fixed64(time)) => view.time_ns = time,
                (4, Wire::Fixed64(count)) => view.count = count,
                (5, Wire::Fixed64(bits)) => view.sum = Some(f64::from_bits(bits)),
                (6, value) => view.scale = signed32(value),
                (7, Wire::Fixed64(count)) => view.zero_count = count,
                (8, Wire::Bytes(piece)) => view.positive.piece(piece),
                (9, Wire::Bytes(piece)) => view.negative.piece(piece),
                (10, value) => view.flags = number32(value),
                (12, Wire::Fixed64(bits)) => view.min = Some(f64::from_bits(bits)),
                (13, Wire::Fixed64(bits)) => view.max = Some(f64::from_bits(bits)),
                (14, Wire::Fixed64(bits)) => view.zero_threshold = f64::from_bits(bits),
                _ => {}
            }
        }
        view
    }
}

impl ExponentialPoint<'_> {
    /// The series has ended, or its value is not known.
    pub fn no_recorded_value(&self) -> bool {
        self.flags & NO_RECORDED_VALUE != 0
    }
}

impl<'a> Buckets<'a> {
    /// Each bucket's own.
    pub fn counts(&self) -> impl Iterator<Item = u64> + use<'a> {
        messages(self.point, self.field).flat_map(|piece| varints(piece, 2))
    }

    fn piece(&mut self, piece: &[u8]) {
        for (number, value) in Fields::new(piece).flatten() {
            if number == 1 {
                self.offset = signed32(value);
            }
        }
    }
}

impl<'a> Point<'a> for SummaryPoint<'a> {
    #[inline]
    fn read(raw: &'a [u8]) -> Self {
        let mut view = SummaryPoint { raw, attributes: Attributes::new(raw, 7), ..Self::default() };
        for (number, value) in Fields::new(raw).flatten() {
            match (number, value) {
                (2, Wire::Fixed64(time)) => view.start_ns = time,
                (3, Wire::Fixed64(time)) => view.time_ns = time,
                (4, Wire::Fixed64(count)) => view.count = count,
                (5, Wire::Fixed64(bits)) => view.sum = f64::from_bits(bits),
                (8, value) => view.flags = number32(value),
                _ => {}
            }
        }
        view
    }
}

impl<'a> SummaryPoint<'a> {
    /// The series has ended, or its value is not known.
    pub fn no_recorded_value(&self) -> bool {
        self.flags & NO_RECORDED_VALUE != 0
    }

    /// Pairs of a quantile (0 to 1; these two are minimum and maximum) and its value.
    pub fn quantiles(&self) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        messages(self.raw, 6).map(|pair| {
            let (mut quantile, mut quantity) = (0.0, 0.0);
            for (number, value) in Fields::new(pair).flatten() {
                match (number, value) {
                    (1, Wire::Fixed64(bits)) => quantile = f64::from_bits(bits),
                    (2, Wire::Fixed64(bits)) => quantity = f64::from_bits(bits),
                    _ => {}
                }
            }
            (quantile, quantity)
        })
    }
}

/// A `sint32`: its sign is the lowest bit.
fn signed32(value: Wire<'_>) -> i32 {
    let number = number32(value);
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

/// A repeated field of eight bytes each.
fn fixed64s(message: &[u8], field: u32) -> impl Iterator<Item = u64> {
    pieces(message, field).flat_map(|value| {
        let (one, packed): (_, &[u8]) = match value {
            Wire::Fixed64(number) => (Some(number), &[]),
            Wire::Bytes(packed) => (None, packed),
            Wire::Varint(_) | Wire::Fixed32(_) => (None, &[]),
        };
        one.into_iter().chain(packed.as_chunks().0.iter().copied().map(u64::from_le_bytes))
    })
}

/// A repeated field of variable-length numbers.
fn varints(message: &[u8], field: u32) -> impl Iterator<Item = u64> {
    pieces(message, field).flat_map(|value| {
        let (one, mut packed): (_, &[u8]) = match value {
            Wire::Varint(number) => (Some(number), &[]),
            Wire::Bytes(packed) => (None, packed),
            Wire::Fixed64(_) | Wire::Fixed32(_) => (None, &[]),
        };
        // Where nothing is left, or no number, there is none.
        one.into_iter().chain(std::iter::from_fn(move || varint(&mut packed).ok()))
    })
}

fn pieces<'a>(message: &'a [u8], field: u32) -> impl Iterator<Item = Wire<'a>> {
    Fields::new(message).flatten().filter_map(move |(number, value)| (number == field).then_some(value))
}
