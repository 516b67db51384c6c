//! A queue behind the batcher, with the conversion that its backend asks for.
//!
//! A batch goes on as it is unless a point in it has to change; then the queue gets a copy, under the budget like
//! all that waits. What the copy leaves out is counted in the backend's ledger, as if offered and dropped, so that its
//! books balance with those of the intakes. Order is the batcher's, under whose lock this runs: nothing here may wait.

use crate::clock;
use crate::config::{Backend, BackendKind, Config, PointTemporality};
use crate::deliver::{Item, Queue, Reason, Signal};
use crate::metrics::points::{Conversion, Converted, Converter, Unconverted};
use crate::otlp::{self, Batch, Budget, Chunk, Hold};
use parking_lot::Mutex;

/// What a delta may have more than the total that it is made of: a start, and lengths that got longer, in bytes.
const DELTA_GROWTH: usize = 16;

pub(super) struct Carrier {
    pub(super) queue: Queue,
    converter: Option<Mutex<Converter>>,
}

impl Carrier {
    /// For batches of `signal` to a backend.
    pub(super) fn new(queue: &Queue, backend: &Backend, signal: Signal, config: &Config) -> Carrier {
        let to = match (&backend.kind, signal) {
            (BackendKind::Otlp(options), Signal::Metrics) => options.points,
            _ => PointTemporality::Unchanged,
        };
        let converter = Converter::new(to, config, fastrand::u64(..), clock::now_ns());
        Carrier { queue: queue.clone(), converter: converter.map(Mutex::new) }
    }

    /// Offers the batch, or a copy with its points converted, and counts what that leaves out.
    pub(super) fn offer(&self, batch: &Batch, budget: &Budget) {
        match &self.converter {
            None => self.queue.offer(Item::Otlp(batch.clone())),
            Some(converter) => {
                let converted = self.converted(batch, &mut converter.lock(), budget, clock::now_ns());
                self.queue.offer(Item::Otlp(converted));
            }
        }
    }

    /// What the conversion has done, where there is one.
    pub(super) fn conversion(&self) -> Option<Conversion> {
        self.converter.as_ref().map(|converter| converter.lock().done())
    }

    fn converted(&self, batch: &Batch, converter: &mut Converter, budget: &Budget, now_ns: u64) -> Batch {
        if !batch.chunks.iter().any(|chunk| converter.concerns(&chunk.bytes)) {
            return batch.clone();
        }
        let chunk = |chunk: &Chunk| self.chunk(chunk, converter, budget, now_ns);
        Batch::new(batch.signal, batch.chunks.iter().filter_map(chunk).collect())
    }

    /// The chunk in the wanted temporality; `None` when nothing of it is left.
    fn chunk(&self, chunk: &Chunk, converter: &mut Converter, budget: &Budget, now_ns: u64) -> Option<Chunk> {
        if !converter.concerns(&chunk.bytes) {
            return Some(chunk.clone());
        }
        let hold = budget.take(chunk.size() + DELTA_GROWTH * chunk.items as usize);
        if hold.is_none() && converter.catches_up() {
            self.leave_out(chunk.signal, Reason::NoBudget, chunk.items);
            return None;
        }
        let held = hold.as_ref().map_or(0, Hold::bytes);
        let most_bytes = held + budget.limit().saturating_sub(budget.held());
        let converted = converter.convert(&chunk.bytes, now_ns, most_bytes);
        for why in Unconverted::ALL {
            self.leave_out(chunk.signal, reason(why), converted.left_out(why));
        }
        let items = chunk.items.saturating_sub(converted.left_out_total());
        let Converted { bytes: Some(mut bytes), .. } = converted else { return Some(chunk.clone()) };
        if items == 0 {
            return None;
        }
        bytes.shrink_to_fit();
        let (signal, identity) = (chunk.signal, chunk.identity);
        let mut copy = Chunk { signal, bytes: bytes.into(), items, identity, hold: None };
        let size = copy.size();
        copy.hold = hold.and_then(|mut hold| hold.resize(size).then_some(hold));
        if copy.hold.is_none() {
            self.leave_out(signal, Reason::NoBudget, items);
            return None;
        }
        Some(copy)
    }

    fn leave_out(&self, signal: otlp::Signal, reason: Reason, items: u32) {
        self.queue.leave_out(signal.into(), reason, items.into());
    }
}

fn reason(why: Unconverted) -> Reason {
    match why {
        Unconverted::UnknownStart => Reason::UnknownStart,
        Unconverted::Gap => Reason::Gap,
        Unconverted::Stale => Reason::Stale,
        Unconverted::BadValue => Reason::BadValue,
        Unconverted::TooManyStreams => Reason::TooManyStreams,
        Unconverted::NoMemory => Reason::NoBudget,
    }
}
