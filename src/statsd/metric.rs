//! One metric line, borrowed from its packet: the hot path of the decoder.
//!
//! A line is read once from left to right: memchr to the first colon, a short loop to the `|` behind
//! the values, then field by field, where the search for a field's end also looks for the line's.
//! Nothing here allocates, looks at UTF-8 or splits tags: that happens once per form in `form.rs`,
//! which is next.

use super::field::{MetricField, metric_field, seconds};
use super::{Kind, Reject, Remark, Remarks, value};
use memchr::{memchr, memchr2};

/// Smallest sample rate that counts as it is; tinier ones are raised to it, so that a weight fits 32
/// bits (the Datadog Agent's bound).
const SMALLEST_RATE: f64 = 3.845e-9;

/// A metric line as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric<'a> {
    /// Before the first `:`; may hold Influx, Librato or SignalFx tags. Not empty, perhaps not UTF-8.
    pub name: &'a [u8],
    pub values: Values<'a>,
    pub kind: Kind,
    pub remarks: Remarks,
    /// How many values each value stands for: 1 / rate, at least 1. Always 1 for gauges and sets, which
    /// know no rate, and for points with a timestamp, to which a rate is not applied.
    pub weight: f64,
    /// Behind `#`; empty when absent. Of several such fields the last, with a remark, as of any field.
    pub tags: &'a [u8],
    /// Behind `c:` (local data, protocol 1.2); empty when absent.
    pub local: &'a [u8],
    /// Behind `e:` (external data, protocol 1.5); empty when absent.
    pub external: &'a [u8],
    /// Behind `card:` (protocol 1.6); empty when absent.
    pub cardinality: &'a [u8],
    /// Behind `T` (protocol 1.3), Unix seconds, at least 1 and no more than fit 64 bits as nanoseconds; for
    /// counters and gauges only.
    pub timestamp: Option<u64>,
}

/// The values of a metric line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Values<'a> {
    /// Between the name's `:` and `|`, not empty; several are packed with `:` between them, but in a set the
    /// colons belong to its one member. Not checked to be numbers: see [`Values::numbers`].
    pub bytes: &'a [u8],
    /// The one value where it was short enough to be read on the way.
    single: Option<f64>,
    /// Whether a sign in front of a value makes it a change of a gauge.
    deltas: bool,
}

/// One value of a metric line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Finite.
    pub value: f64,
    /// Changes the kept value of a gauge instead of replacing it.
    pub delta: bool,
}

/// See [`Values::numbers`].
#[derive(Clone, Debug)]
pub struct Numbers<'a> {
    /// Values that are not read yet.
    rest: Option<&'a [u8]>,
    /// The value of `rest` where it is a single one and known.
    single: Option<f64>,
    deltas: bool,
}

impl<'a> Metric<'a> {
    /// See [`Values::numbers`]; a set has none.
    #[inline]
    pub fn numbers(&self) -> Numbers<'a> {
        let numbers = self.values.numbers();
        if self.kind == Kind::Set { Numbers { rest: None, ..numbers } } else { numbers }
    }

    /// Whether every value can be taken.
    #[inline]
    pub fn check_values(&self) -> Result<(), Reject> {
        if self.kind == Kind::Set || self.values.are_numbers() { Ok(()) } else { Err(Reject::BadValue) }
    }
}

impl<'a> Values<'a> {
    /// Each value in turn, `None` for one that is no finite number: then the whole message is to be
    /// refused (see [`Metric::check_values`]).
    #[inline]
    pub fn numbers(&self) -> Numbers<'a> {
        Numbers { rest: Some(self.bytes), single: self.single, deltas: self.deltas }
    }

    /// Whether all of them are finite numbers.
    #[inline]
    pub fn are_numbers(&self) -> bool {
        self.single.is_some() || self.numbers().all(|number| number.is_some())
    }
}

impl Iterator for Numbers<'_> {
    type Item = Option<Number>;

    #[inline]
    fn next(&mut self) -> Option<Option<Number>> {
        let rest = self.rest?;
        if let Some(value) = self.single {
            self.rest = None;
            return Some(Some(Number { value, delta: self.deltas && matches!(rest, [b'+' | b'-', ..]) }));
        }
        Some(self.packed(rest))
    }
}

impl<'a> Numbers<'a> {
    /// The first of several values, or one that is long.
    #[inline(never)]
    fn packed(&mut self, rest: &'a [u8]) -> Option<Number> {
        // Only the last value has no colon behind it.
        let (value, length) = match value::before(rest, b':') {
            Some((value, length)) => (Some(value), length),
            None => {
                let length = memchr(b':', rest).unwrap_or(rest.len());
                (value::parse(&rest[..length]), length)
            }
        };
        self.rest = rest.get(length + 1..);
        let delta = self.deltas && matches!(rest, [b'+' | b'-', ..]);
        value.map(|value| Number { value, delta })
    }
}

impl std::iter::FusedIterator for Numbers<'_> {}

/// What follows a metric in its packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum After<'a> {
    /// The rest of the packet behind the line.
    Line(&'a [u8]),
    /// The rest of the packet, which goes on with another value and type of the same name
    /// (etsy's `name:1|c:2|ms`), and the reason to give when that is not allowed.
    Part(&'a [u8], Reject),
}

/// The name at the start of `packet`, and the rest behind its colon.
#[inline(always)]
pub(super) fn name(packet: &[u8]) -> Result<(&[u8], &[u8]), Reject> {
    match memchr2(b':', b'\n', packet) {
        Some(0) if packet[0] == b':' => Err(Reject::EmptyName),
        Some(colon) if packet[colon] == b':' => Ok((&packet[..colon], &packet[colon + 1..])),
        Some(_) | None => Err(Reject::NoValue),
    }
}

/// Reads values, type and fields from the start of `rest`, which goes on to the end of the packet.
#[inline(always)]
pub(super) fn body<'a>(
    name: &'a [u8],
    rest: &'a [u8],
    gauge_deltas: bool,
) -> Result<(Metric<'a>, After<'a>), Reject> {
    let (single, end) = match value::before(rest, b'|') {
        Some((value, end)) => (Some(value), end),
        None => (None, end_of_values(rest)?),
    };
    let (values, rest) = (&rest[..end], &rest[end + 1..]);
    let (kind, rest) = kind(rest)?;
    if values.is_empty() {
        return Err(Reject::BadValue);
    }
    let mut metric = Metric {
        name,
        values: Values { bytes: values, single, deltas: gauge_deltas && kind == Kind::Gauge },
        kind,
        remarks: Remarks::default(),
        weight: 1.0,
        tags: &[],
        local: &[],
        external: &[],
        cardinality: &[],
        timestamp: None,
    };
    let after = match rest {
        [] => After::Line(rest),
        [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => After::Line(rest),
        [b'|', rest @ ..] => fields(&mut metric, rest)?,
        [b':', rest @ ..] => After::Part(rest, Reject::BadType),
        [b'\r'] => After::Line(&[]),
        _ => return Err(Reject::BadType),
    };
    Ok((metric, after))
}

/// Where the `|` behind the values stands.
fn end_of_values(rest: &[u8]) -> Result<usize, Reject> {
    match memchr2(b'|', b'\n', rest) {
        Some(end) if rest[end] == b'|' => Ok(end),
        Some(_) | None => Err(Reject::NoType),
    }
}

/// The type that a letter begins. A table, because types come in no order that could be foreseen.
const KINDS: [Option<Kind>; 256] = {
    let mut kinds = [None; 256];
    let mut at = 0;
    while at < Kind::ALL.len() {
        let kind = Kind::ALL[at];
        kinds[kind.symbol().as_bytes()[0] as usize] = Some(kind);
        at += 1;
    }
    kinds
};

/// The type at the start of `rest`, and what follows it.
#[inline(always)]
fn kind(rest: &[u8]) -> Result<(Kind, &[u8]), Reject> {
    let [letter, rest @ ..] = rest else { return Err(Reject::BadType) };
    match (KINDS[usize::from(*letter)], rest) {
        (Some(Kind::Timer), [b's', rest @ ..]) => Ok((Kind::Timer, rest)),
        (Some(Kind::Timer), _) | (None, _) => Err(Reject::BadType),
        (Some(kind), rest) => Ok((kind, rest)),
    }
}

const RATE: u8 = 1;
const TAGS: u8 = 2;
const LOCAL: u8 = 4;
const EXTERNAL: u8 = 8;
const CARDINALITY: u8 = 16;
const TIMESTAMP: u8 = 32;

/// What follows a field.
enum Next<'a> {
    Field(&'a [u8]),
    End(After<'a>),
}

/// Reads every field of the line; `rest` begins behind the `|` of the first.
#[inline(always)]
fn fields<'a>(metric: &mut Metric<'a>, mut rest: &'a [u8]) -> Result<After<'a>, Reject> {
    let mut seen = 0;
    loop {
        let (bit, next) = match rest {
            [b'#', tags @ ..] => {
                let (tags, next) = split(tags, memchr2(b'|', b'\n', tags));
                metric.tags = tags;
                (TAGS, next)
            }
            [b'@', rate @ ..] => {
                let end = rate.iter().position(|byte| matches!(byte, b'|' | b'\n' | b':'));
                let (rate, next) = split(rate, end);
                metric.weight = weight(rate, &mut metric.remarks)?;
                (RATE, next)
            }
            _ => {
                let (field, next) = split(rest, memchr2(b'|', b'\n', rest));
                (metric.take(metric_field(field), field.is_empty())?, next)
            }
        };
        if seen & bit != 0 {
            metric.remarks.insert(Remark::RepeatedField);
        }
        seen |= bit;
        match next {
            Next::Field(behind) => rest = behind,
            Next::End(after) => {
                if metric.timestamp.is_some() || matches!(metric.kind, Kind::Gauge | Kind::Set) {
                    metric.weight = 1.0;
                }
                return Ok(after);
            }
        }
    }
}

/// Cuts a field off at `end`, where a `|`, LF or `:` stands; at the packet's end when there is none.
#[inline(always)]
fn split(rest: &[u8], end: Option<usize>) -> (&[u8], Next<'_>) {
    let Some(end) = end else { return (without_return(rest), Next::End(After::Line(&[]))) };
    let (field, behind) = (&rest[..end], &rest[end + 1..]);
    match rest[end] {
        b'|' => (field, Next::Field(behind)),
        b':' => (field, Next::End(After::Part(behind, Reject::BadRate))),
        _ => (without_return(field), Next::End(After::Line(behind))),
    }
}

/// Without the CR that may stand before the LF.
#[inline]
pub(super) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl<'a> Metric<'a> {
    /// Takes a field that few messages have; says which, as a bit. Inlined, so that a metric whose line has
    /// none of them need not lie in memory.
    #[inline(always)]
    fn take(&mut self, field: Option<MetricField<'a>>, empty: bool) -> Result<u8, Reject> {
        let bit = match field {
            Some(MetricField::Local(data)) => {
                self.local = data;
                LOCAL
            }
            Some(MetricField::External(data)) => {
                self.external = data;
                EXTERNAL
            }
            Some(MetricField::Cardinality(word)) => {
                self.cardinality = word;
                CARDINALITY
            }
            Some(MetricField::Timestamp(time)) if matches!(self.kind, Kind::Counter | Kind::Gauge) => {
                self.timestamp = Some(seconds(time)?);
                TIMESTAMP
            }
            Some(MetricField::Timestamp(_)) => {
                self.remarks.insert(Remark::TimestampIgnored);
                TIMESTAMP
            }
            None => {
                // An empty field says nothing, so nothing is lost with it.
                if !empty {
                    self.remarks.insert(Remark::UnknownField);
                }
                0
            }
        };
        Ok(bit)
    }
}

/// 1 / rate.
#[inline]
fn weight(rate: &[u8], remarks: &mut Remarks) -> Result<f64, Reject> {
    match value::parse(rate) {
        Some(rate) if (SMALLEST_RATE..=1.0).contains(&rate) => Ok(1.0 / rate),
        Some(rate) if rate > 0.0 && rate < SMALLEST_RATE => {
            remarks.insert(Remark::RateClamped);
            Ok(1.0 / SMALLEST_RATE)
        }
        Some(_) | None => Err(Reject::BadRate),
    }
}

/// Whether every part of a line that goes on at `rest` can be taken: etsy's form has no tags, and one
/// bad part refuses the line. `start` is the line from its name on.
#[cold]
#[inline(never)]
pub(super) fn check_parts<'a>(
    first: &Metric<'a>,
    start: &[u8],
    mut rest: &'a [u8],
    reason: Reject,
    gauge_deltas: bool,
) -> Result<(), Reject> {
    let line = &start[..memchr(b'\n', start).unwrap_or(start.len())];
    if memchr::memmem::find(line, b"|#").is_some() {
        return Err(reason);
    }
    first.check_values()?;
    loop {
        let (metric, after) = body(first.name, rest, gauge_deltas)?;
        metric.check_values()?;
        match after {
            After::Part(behind, _) => rest = behind,
            After::Line(_) => return Ok(()),
        }
    }
}
