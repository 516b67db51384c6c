//! Writing one family's series in a negotiated format, as the registry shows them.
//!
//! Runs under the registry's lock, so it only formats into memory: no I/O, no search, no allocation in
//! the steady state. A series that does not stand where the order says has no line on this page.

use super::conflict::{Findings, Reason};
use super::family::{Place, Type};
use super::head::Head;
use super::labels::Labels;
use super::name::Scheme;
use super::negotiate::Format;
use super::openmetrics;
use super::own::OwnFamily;
use super::plan::Plan;
use super::point::Point;
use super::protobuf::Protobuf;
use super::text::{Omitted, Text};
use crate::metrics::series::{PageSeries, PageValue};

/// Samples of our own in one slice: targets may say much.
const OWN_SLICE: usize = 32;

/// The writer of a format.
#[derive(Debug)]
enum Writer {
    Text(Text),
    Protobuf(Box<Protobuf>),
}

/// Writes series after series into `out`.
#[derive(Debug)]
pub(super) struct Scribe {
    writer: Writer,
    scheme: Scheme,
    place: Place,
    /// Key without age of the last line, and whose it is: two that became one lie side by side.
    previous: Vec<u8>,
    previous_id: u32,
    headed: bool,
    labels: Labels,
    pub(super) out: Vec<u8>,
    pub(super) findings: Findings,
    /// Two series that became one: the kept and the left out, to be named outside the lock.
    pub(super) twins: Vec<(u32, u32)>,
    /// Series to be looked at again by the order.
    pub(super) stale: Vec<u32>,
}

impl Scribe {
    pub(super) fn new(format: Format, scheme: Scheme) -> Self {
        let writer = match format {
            Format::Text | Format::Text1 => Writer::Text(Text::new(false)),
            Format::OpenMetrics0 | Format::OpenMetrics1 => Writer::Text(Text::new(true)),
            Format::Protobuf => Writer::Protobuf(Box::default()),
        };
        Scribe {
            writer,
            scheme,
            place: Place::default(),
            previous: Vec::new(),
            previous_id: 0,
            headed: false,
            labels: Labels::default(),
            out: Vec::new(),
            findings: Findings::default(),
            twins: Vec::new(),
            stale: Vec::new(),
        }
    }

    pub(super) fn begin_family(&mut self) {
        self.headed = false;
        self.previous.clear();
    }

    /// Writes the lines of one series of the planned family.
    pub(super) fn series(&mut self, plan: &Plan, id: u32, series: Option<PageSeries<'_>>) {
        let Some(series) = series else {
            self.stale.push(id);
            return;
        };
        self.place.of(&series, self.scheme);
        if self.place.kind() != Some(plan.kind) || self.place.name() != plan.name {
            return self.misses(id);
        }
        match self.place.identity().cmp(&self.previous) {
            std::cmp::Ordering::Less => return self.misses(id),
            std::cmp::Ordering::Equal => {
                self.findings.count(Reason::SameSeries, 1);
                self.twins.push((self.previous_id, id));
                return;
            }
            std::cmp::Ordering::Greater => {}
        }
        let Some(point) = Point::of(&series, plan.kind) else { return self.misses(id) };
        self.previous.clear();
        self.previous.extend_from_slice(self.place.identity());
        self.previous_id = id;
        if self.place.labels().joined() {
            self.findings.count(Reason::LabelsJoined, 1);
        }
        if let PageValue::Counter { monotonic: false, .. } = series.value {
            self.findings.count(Reason::NotMonotonic, 1);
        }
        if !self.headed {
            self.headed = true;
            begin(&mut self.writer, &Head::of(plan, &series), &mut self.out);
        }
        self.row(plan.kind, &point, series.start_ns);
    }

    pub(super) fn end_family(&mut self) {
        match &mut self.writer {
            Writer::Text(_) => {}
            Writer::Protobuf(protobuf) => protobuf.end_family(&mut self.out),
        }
    }

    /// Writes samples of a family of our own, from one on; returns where the next slice begins, `None` behind the
    /// last.
    pub(super) fn own(&mut self, family: &OwnFamily, from: usize) -> Option<usize> {
        let until = family.samples.len().min(from + OWN_SLICE);
        if from == 0 {
            begin(&mut self.writer, &family.head(), &mut self.out);
        }
        for sample in &family.samples[from..until] {
            self.labels.set(sample.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            let point = Point::Single(sample.value);
            match &mut self.writer {
                Writer::Text(text) => {
                    text.row(&self.labels, &point, &mut self.out);
                }
                Writer::Protobuf(protobuf) => {
                    protobuf.row(family.kind, &self.labels, &point, 0, &mut self.out)
                }
            }
        }
        if until < family.samples.len() {
            return Some(until);
        }
        self.end_family();
        None
    }

    /// Ends the page.
    pub(super) fn end(&mut self) {
        match &self.writer {
            Writer::Text(text) if text.openmetrics => self.out.extend_from_slice(openmetrics::END),
            Writer::Text(_) | Writer::Protobuf(_) => {}
        }
    }

    /// Bytes written and not yet taken.
    pub(super) fn written(&self) -> usize {
        self.out.len()
            + match &self.writer {
                Writer::Text(_) => 0,
                Writer::Protobuf(protobuf) => protobuf.gathered(),
            }
    }

    fn row(&mut self, kind: Type, point: &Point<'_>, start_ns: u64) {
        match &mut self.writer {
            Writer::Text(text) => match text.row(self.place.labels(), point, &mut self.out) {
                Omitted::Nothing => {}
                Omitted::Negative => self.findings.count(Reason::Negative, 1),
            },
            Writer::Protobuf(protobuf) => {
                protobuf.row(kind, self.place.labels(), point, start_ns, &mut self.out);
            }
        }
    }

    fn misses(&mut self, id: u32) {
        self.findings.count(Reason::Moved, 1);
        self.stale.push(id);
    }
}

fn begin(writer: &mut Writer, head: &Head, out: &mut Vec<u8>) {
    match writer {
        Writer::Text(text) => text.begin(head, out),
        Writer::Protobuf(protobuf) => protobuf.begin(head),
    }
}
