//! Where the reader writes: one buffer for all chunks of a request, under the budget.
//!
//! Every write asks for room first, so that the buffer never grows beyond what was taken. Next: `visit`.

use super::Step;
use crate::otlp::budget::{Budget, Hold};
use crate::otlp::chunk::{Chunk, identity};
use crate::otlp::protobuf::{Open, Writer};
use crate::otlp::signal::Signal;
use bytes::Bytes;
use serde::de;
use std::ops::Range;

/// Room for the key and length of a field, and for a length that was guessed too small.
const FRAME: usize = 24;

#[derive(Debug)]
pub(super) struct Output {
    signal: Signal,
    pub(super) writer: Writer,
    hold: Hold,
    chunks: Vec<Found>,
    /// Spans, points or records since the last chunk.
    pub(super) items: u32,
    /// Lists and maps around the value at hand.
    pub(super) level: u32,
    /// The way to the field at hand; after an error, to where it happened.
    pub(super) steps: Vec<Step>,
    /// The longest text that was kept aside because of its escapes, in bytes.
    aside: usize,
    /// Why reading ended, when it was not the text's fault.
    pub(super) no_room: bool,
    /// Whether what is read may be faulty and cost itself alone; after an error, whether that was so there.
    pub(super) within: bool,
    /// Whether what stands alone is read so, each from its own piece of the text.
    pub(super) alone: bool,
    /// Items that were left out.
    pub(super) rejected: u64,
}

/// Where something began that may come to nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    length: usize,
    items: u32,
    level: u32,
    rejected: u64,
}

/// A chunk in the buffer.
#[derive(Debug)]
struct Found {
    range: Range<usize>,
    items: u32,
    identity: u64,
}

impl Output {
    /// `None` when not even nothing fits.
    pub(super) fn new(signal: Signal, budget: &Budget, body: usize) -> Option<Self> {
        let mut output = Output {
            signal,
            writer: Writer::new(),
            hold: budget.take(0)?,
            chunks: Vec::new(),
            items: 0,
            level: 0,
            steps: Vec::new(),
            aside: 0,
            no_room: false,
            within: false,
            alone: false,
            rejected: 0,
        };
        // Protobuf has about half the size; where that much is not free, less may do.
        let likely = body / 2;
        if output.hold.resize(likely) {
            output.writer.grow_to(likely);
        }
        Some(output)
    }

    /// Forgets what was written, to read the request again with each item alone; false without room for that.
    pub(super) fn begin_again(&mut self) -> bool {
        self.writer.truncate(0);
        self.chunks.clear();
        self.steps.clear();
        (self.items, self.level, self.within, self.alone) = (0, 0, false, true);
        self.fits()
    }

    pub(super) fn mark(&self) -> Mark {
        let Output { writer, items, level, rejected, .. } = self;
        Mark { length: writer.len(), items: *items, level: *level, rejected: *rejected }
    }

    /// Leaves out what was read since `mark`, `items` in all.
    pub(super) fn reject(&mut self, mark: Mark, items: u64) {
        self.writer.truncate(mark.length);
        self.items = mark.items;
        self.level = mark.level;
        self.rejected = mark.rejected + items;
    }

    /// Leaves out what lost all of its items since `mark`; what never had any stays.
    pub(super) fn drop_if_lost(&mut self, mark: Mark) {
        if self.items == mark.items && self.rejected > mark.rejected {
            self.writer.truncate(mark.length);
        }
    }

    /// Whether something is taken.
    pub(super) fn has_chunks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// Holds at least `bytes`, or says that they do not fit.
    fn holds(&mut self, bytes: usize) -> bool {
        bytes <= self.hold.bytes() || self.hold.resize(bytes)
    }

    /// Makes sure that a field of so many bytes can be written.
    pub(super) fn room<E: de::Error>(&mut self, more: usize) -> Result<(), E> {
        let needed = self.writer.len().saturating_add(more).saturating_add(FRAME);
        let capacity = self.writer.capacity();
        if needed <= capacity {
            return Ok(());
        }
        for wanted in [needed.max(2 * capacity), needed] {
            if self.holds(wanted.saturating_add(self.beside())) {
                self.writer.grow_to(wanted);
                return Ok(());
            }
        }
        self.refuse()
    }

    /// Counts a text that JSON's reader had to keep aside.
    pub(super) fn kept_aside<E: de::Error>(&mut self, length: usize) -> Result<(), E> {
        if length <= self.aside {
            return Ok(());
        }
        self.aside = length;
        self.count()
    }

    /// What is held beside the buffer.
    fn beside(&self) -> usize {
        // Of a request, a metric and a point, each read from its own text, each reader keeps one aside.
        let readers = if self.alone { 3 } else { 1 };
        readers * self.aside + self.chunks.capacity() * (size_of::<Found>() + size_of::<Chunk>())
    }

    fn fits(&mut self) -> bool {
        self.holds(self.writer.capacity().saturating_add(self.beside()))
    }

    fn count<E: de::Error>(&mut self) -> Result<(), E> {
        if self.fits() {
            return Ok(());
        }
        self.refuse()
    }

    pub(super) fn refuse<E: de::Error>(&mut self) -> Result<(), E> {
        self.no_room = true;
        Err(E::custom("no room"))
    }

    pub(super) fn begin<E: de::Error>(&mut self, number: u32, expected: usize) -> Result<Open, E> {
        self.room(0)?;
        Ok(self.writer.begin(number, expected))
    }

    pub(super) fn end<E: de::Error>(&mut self, open: Open) -> Result<(), E> {
        self.room(0)?;
        self.writer.end(open);
        Ok(())
    }

    pub(super) fn bytes<E: de::Error>(&mut self, number: u32, bytes: &[u8]) -> Result<(), E> {
        self.room(bytes.len())?;
        self.writer.bytes(number, bytes);
        Ok(())
    }

    /// Makes a chunk of what was written since `start`; forgets it when nothing is counted in it.
    pub(super) fn end_chunk<E: de::Error>(&mut self, start: usize) -> Result<(), E> {
        let items = std::mem::take(&mut self.items);
        if items == 0 {
            self.writer.truncate(start);
            return Ok(());
        }
        let range = start..self.writer.len();
        let identity = identity(&self.writer.written()[range.clone()]);
        self.chunks.push(Found { range, items, identity });
        self.count()
    }

    pub(super) fn finish(mut self) -> Vec<Chunk> {
        let mut buffer = self.writer.into_inner();
        buffer.shrink_to_fit();
        let bytes = Bytes::from(buffer);
        // To hold less always succeeds while there is no other clone.
        let less = self.hold.resize(bytes.len() + self.chunks.len() * size_of::<Chunk>());
        debug_assert!(less);
        let hold = self.hold;
        let signal = self.signal;
        let chunk = |Found { range, items, identity }| Chunk {
            signal,
            bytes: bytes.slice(range),
            items,
            identity,
            hold: Some(hold.clone()),
        };
        self.chunks.into_iter().map(chunk).collect()
    }
}
