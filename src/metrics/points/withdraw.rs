//! Sums that may fall, and processes that fell silent: what such a process said last is withdrawn.
//!
//! A process that ends says no last word. While others go on in the same series (it was started again without an
//! instance id, or rules drop what tells them apart), what it had open must not count for ever. A series in which
//! nobody goes on keeps its value, as a gauge does. Looks once a window, at these sums alone.

use super::Points;
use super::stream::{Stream, Streams};
use super::tally::Remark;
use super::total::{Amount, New};
use crate::metrics::Class;
use crate::metrics::context::ContextId;
use std::collections::HashSet;

/// The streams of cumulative sums that may fall.
#[derive(Debug, Default)]
pub(super) struct UpDowns {
    streams: Vec<u64>,
    /// The window of the last look.
    looked: u32,
}

impl UpDowns {
    pub(super) fn begin(&mut self, hash: u64) {
        self.streams.push(hash);
    }

    /// Forgets streams that were silent for longer than `expiry_windows` while others of their series were not.
    fn silent(&mut self, streams: &mut Streams, window: u32, expiry_windows: u32) -> Vec<Stream> {
        if std::mem::replace(&mut self.looked, window) == window || self.streams.is_empty() {
            return Vec::new();
        }
        let is_silent = |stream: &Stream| window.saturating_sub(stream.window) > expiry_windows;
        let mut going_on: HashSet<(ContextId, u64)> = HashSet::new();
        self.streams.retain(|hash| {
            let stream = streams.get(*hash);
            if let Some(stream) = stream.as_ref().filter(|stream| !is_silent(stream)) {
                going_on.insert((stream.series, stream.born));
            }
            stream.is_some()
        });
        let mut silent = Vec::new();
        self.streams.retain(|hash| {
            let goes = streams
                .get(*hash)
                .is_some_and(|stream| is_silent(stream) && going_on.contains(&(stream.series, stream.born)));
            if goes {
                silent.extend(streams.forget(*hash));
            }
            !goes
        });
        silent
    }
}

impl Points {
    /// Takes out of their sums what silent processes said last.
    pub(super) fn withdraw_silent(&self, streams: &mut Streams, up_downs: &mut UpDowns) {
        let window = self.aggregator.lock().window;
        for stream in up_downs.silent(streams, window, self.aggregator.inner().expiry_windows) {
            let mut registry = self.aggregator.lock();
            let (true, Some(last)) = (stream.is_alive(&registry), &stream.standing.last) else { continue };
            let bits = registry.contexts.at(stream.series).bits;
            if let Some(total) = registry.totals.get_mut(bits) {
                total.take(&Amount::Number(0.0), New::Since(last), Class::OtlpUpDownSum);
                self.tally.remark(Remark::Withdrawn);
            }
        }
    }
}
