//! A `ResourceSpans` that grows span by span, within the budget: for intakes that write OTLP themselves.
//!
//! Nothing is written before the budget has room for it: a body of few bytes whose string table is long can name
//! each string thousands of times. Which spans stand together is the intake's to decide. Next: `batch`.

use super::budget::{Budget, Hold};
use super::chunk::{Chunk, identity};
use super::protobuf::{Open, Writer};
use super::signal::Signal;
use super::write;

/// One of this size should be closed, so that its chunk fits into every backend's payload.
pub const CHUNK_BYTES: usize = 512 << 10;

/// What one takes from its first span on.
const FIRST_BYTES: usize = 2 << 10;

/// The budget has no room for what would be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory is left for the decoded spans")]
pub struct NoBudget;

/// A resource and one scope, with the spans so far.
#[derive(Debug)]
pub struct Growing {
    writer: Writer,
    scope: Open,
    identity: u64,
    spans: u32,
    /// Of what the writer has room for and `kept`, what it takes beside.
    hold: Hold,
    room: usize,
    kept: usize,
}

impl Growing {
    /// With a resource that `resource` writes, and a scope by name and version; `beside` bytes are held too,
    /// for what the intake remembers of it.
    pub fn begin(
        budget: &Budget,
        resource: impl FnOnce(&mut Writer),
        (scope, version): (&str, &str),
        beside: usize,
    ) -> Result<Self, NoBudget> {
        let mut writer = Writer::new();
        resource(&mut writer);
        let identity = identity(writer.written());
        let scope = write::begin_scope(&mut writer, scope, version, |_| {});
        let kept = beside + size_of::<Chunk>() + size_of::<Growing>();
        let room = writer.len();
        let hold = budget.take(room + kept).ok_or(NoBudget)?;
        Ok(Growing { writer, scope, identity, spans: 0, hold, room, kept })
    }

    /// Adds a span that takes at most `bound` bytes; without room for them nothing is written.
    pub fn span(&mut self, bound: usize, write: impl FnOnce(&mut Writer)) -> Result<(), NoBudget> {
        self.reserve(bound)?;
        write(&mut self.writer);
        self.spans += 1;
        Ok(())
    }

    /// Whether it is large enough for a chunk of its own.
    pub fn is_full(&self) -> bool {
        self.writer.len() >= CHUNK_BYTES
    }

    pub fn spans(&self) -> u32 {
        self.spans
    }

    /// Makes room for so many more bytes.
    fn reserve(&mut self, bytes: usize) -> Result<(), NoBudget> {
        let needed = self.writer.len().saturating_add(bytes);
        if needed <= self.room {
            return Ok(());
        }
        let generous = needed.max(self.room.saturating_mul(2)).max(FIRST_BYTES);
        let fits = |room: &usize| self.hold.resize(self.kept.saturating_add(*room));
        let room = [generous, needed].into_iter().find(fits).ok_or(NoBudget)?;
        self.writer.reserve(room - self.writer.len());
        self.room = room;
        Ok(())
    }

    /// The chunk, which holds what it takes.
    pub fn close(self) -> Chunk {
        let Growing { mut writer, scope, identity, spans, mut hold, kept, .. } = self;
        writer.end(scope);
        let mut bytes = writer.into_inner();
        bytes.shrink_to_fit();
        hold.resize(kept + bytes.len());
        Chunk { signal: Signal::Traces, bytes: bytes.into(), items: spans, identity, hold: Some(hold) }
    }
}
