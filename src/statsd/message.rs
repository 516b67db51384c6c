//! From a packet to its messages, one after the other, each borrowed from the packet.
//!
//! A bad message is refused alone: reading goes on behind the next LF, so its neighbours live. Metric
//! lines end at LF; events end where their byte counts say, because their text may hold LF. What the
//! messages add up to must not be known here. One line in detail: `metric.rs`.
//! Next: `crate::metrics::shard`.

use super::metric::{self, After, Metric, without_return};
use super::{CheckRef, EventRef, Reject, check, event};
use memchr::{memchr, memchr2};

/// Which readings of a line are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// `name,key=value:1|c`
    pub influx: bool,
    /// `name#key=value:1|c`
    pub librato: bool,
    /// `name[key=value]:1|c`
    pub signalfx: bool,
    /// A sign in front of a gauge's value makes it a change (etsy), not a signed value (Datadog).
    pub gauge_deltas: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect { influx: true, librato: true, signalfx: true, gauge_deltas: true }
    }
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Line<'a> {
    Metric(Metric<'a>),
    Event(EventRef<'a>),
    Check(CheckRef<'a>),
}

/// A message that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused<'a> {
    pub reason: Reject,
    /// The line without its end; of an event whose byte counts are wrong its first line.
    pub message: &'a [u8],
}

/// The messages of one packet in their order. Empty lines are skipped, a CR before an LF or at the end
/// of the packet is dropped. Values are not read yet: see [`Values::numbers`](super::Values::numbers).
pub fn messages(packet: &[u8], dialect: Dialect) -> Messages<'_> {
    Messages { rest: packet, part_of: &[], gauge_deltas: dialect.gauge_deltas }
}

/// See [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    /// What is not read yet; begins at a message, or behind the colon of a part.
    rest: &'a [u8],
    /// The name of the line whose next part is to be read; empty between lines.
    part_of: &'a [u8],
    gauge_deltas: bool,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Line<'a>, Refused<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.part_of.is_empty() {
            return Some(self.part());
        }
        loop {
            match self.rest {
                [] | [b'\r'] => return None,
                [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => self.rest = rest,
                [b'_', b'e', b'{', ..] => return Some(self.event()),
                [b'_', b's', b'c', b'|', ..] => return Some(self.check()),
                [_, ..] => return Some(self.metric()),
            }
        }
    }
}

impl std::iter::FusedIterator for Messages<'_> {}

impl<'a> Messages<'a> {
    /// The next message where it is a metric alone in its line, as nearly all are, and the packet from there on;
    /// `None` leaves whatever it is to [`Iterator::next`]. Inlined, and apart from `next`, whose many outcomes
    /// would make a copy of each metric.
    #[inline(always)]
    pub fn plain(&mut self) -> Option<(Metric<'a>, &'a [u8])> {
        let packet = self.rest;
        if !self.part_of.is_empty() || matches!(packet, [] | [b'_' | b'\n' | b'\r', ..]) {
            return None;
        }
        let (name, rest) = metric::name(packet).ok()?;
        let (metric, After::Line(rest)) = metric::body(name, rest, self.gauge_deltas).ok()? else {
            return None;
        };
        self.rest = rest;
        Some((metric, packet))
    }

    fn metric(&mut self) -> Result<Line<'a>, Refused<'a>> {
        let read =
            metric::name(self.rest).and_then(|(name, rest)| metric::body(name, rest, self.gauge_deltas));
        match read {
            Ok((metric, After::Line(rest))) => {
                self.rest = rest;
                Ok(Line::Metric(metric))
            }
            Ok((metric, After::Part(rest, reason))) => self.parts(metric, rest, reason),
            Err(reason) => Err(self.refuse(reason)),
        }
    }

    /// The first of several parts, once all of them are known to be good.
    #[cold]
    #[inline(never)]
    fn parts(&mut self, first: Metric<'a>, rest: &'a [u8], reason: Reject) -> Result<Line<'a>, Refused<'a>> {
        match metric::check_parts(&first, self.rest, rest, reason, self.gauge_deltas) {
            Ok(()) => {
                self.rest = rest;
                self.part_of = first.name;
                Ok(Line::Metric(first))
            }
            Err(reason) => Err(self.refuse(reason)),
        }
    }

    /// A further part of a line whose parts were checked when its first was read.
    #[cold]
    #[inline(never)]
    fn part(&mut self) -> Result<Line<'a>, Refused<'a>> {
        let name = std::mem::take(&mut self.part_of);
        match metric::body(name, self.rest, self.gauge_deltas) {
            Ok((metric, After::Line(rest))) => {
                self.rest = rest;
                Ok(Line::Metric(metric))
            }
            Ok((metric, After::Part(rest, _))) => {
                self.rest = rest;
                self.part_of = name;
                Ok(Line::Metric(metric))
            }
            Err(reason) => Err(self.refuse(reason)),
        }
    }

    #[cold]
    #[inline(never)]
    fn event(&mut self) -> Result<Line<'a>, Refused<'a>> {
        match event::read(self.rest) {
            Ok((event, rest)) => {
                self.rest = rest;
                Ok(Line::Event(event))
            }
            Err(reason) => Err(self.refuse(reason)),
        }
    }

    #[cold]
    #[inline(never)]
    fn check(&mut self) -> Result<Line<'a>, Refused<'a>> {
        let (line, rest) = line(self.rest);
        match check::read(line) {
            Ok(check) => {
                self.rest = rest;
                Ok(Line::Check(check))
            }
            Err(reason) => Err(self.refuse(reason)),
        }
    }

    /// Gives up on what stands before the next LF.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, reason: Reject) -> Refused<'a> {
        let (message, rest) = line(self.rest);
        self.rest = rest;
        // A colon behind a `|` belongs to a field: there is none behind a name.
        let reason = match (reason, memchr2(b'|', b':', message)) {
            (Reject::NoType | Reject::BadType | Reject::BadRate, Some(at)) if message[at] == b'|' => {
                Reject::NoValue
            }
            _ => reason,
        };
        Refused { reason, message }
    }
}

/// The first line without its end, and what stands behind it.
pub(super) fn line(packet: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b'\n', packet) {
        Some(end) => (without_return(&packet[..end]), &packet[end + 1..]),
        None => (without_return(packet), &[]),
    }
}
