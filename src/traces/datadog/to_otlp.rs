//! Datadog spans as OTLP, written straight into protobuf: one `ResourceSpans` per service, environment and
//! version of a request.
//!
//! What a trace says is kept in full, so that [`super::from_otlp`] gives the same spans back; the tables are
//! in `docs/traces.md`. Nothing is written before the budget has room for it: a body of few bytes whose
//! string table is long can name each string thousands of times. Next: `span`.

mod derived;
mod span;

use super::names;
use super::{Sender, Trace};
use crate::traces::budget::{Budget, Hold};
use crate::traces::chunk::{Chunk, identity};
use crate::traces::protobuf::{Open, Writer};
use crate::traces::write::{self, RESOURCE_ATTRIBUTES};
use bytes::Bytes;
use span::{Known, Shared};
use std::borrow::Cow;

/// Groups that grow at the same time; one more closes the one that was used longest ago.
const OPEN_GROUPS: usize = 32;

/// A group of this size is closed, so that its chunk fits into every backend's payload.
const CHUNK_BYTES: usize = 512 << 10;

/// What a group takes from the start.
const FIRST_BYTES: usize = 2 << 10;

/// The budget has no room for what would be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory is left for the decoded spans")]
pub struct NoBudget;

/// Turns the traces of one request into chunks.
pub struct Builder<'a> {
    sender: &'a Sender<'a>,
    budget: Budget,
    /// The sender's, or the first that a span names.
    runtime_id: Cow<'a, str>,
    /// The one used last stands last.
    open: Vec<Group>,
    closed: Vec<Chunk>,
    /// Groups begun so far.
    begun: u64,
}

/// A growing `ResourceSpans`.
struct Group {
    serial: u64,
    service: String,
    env: String,
    version: String,
    writer: Writer,
    scope: Open,
    identity: u64,
    spans: u32,
    /// Of what the writer has room for and `kept`, what it takes beside.
    hold: Hold,
    room: usize,
    kept: usize,
}

impl<'a> Builder<'a> {
    pub fn new(sender: &'a Sender<'_>, budget: &Budget) -> Self {
        let runtime_id = Cow::Borrowed(&*sender.runtime_id);
        Builder { sender, budget: budget.clone(), runtime_id, open: Vec::new(), closed: Vec::new(), begun: 0 }
    }

    /// Adds the spans of a trace. After an error the whole request is to be refused.
    pub fn trace(&mut self, trace: &Trace<'_>) -> Result<(), NoBudget> {
        if self.runtime_id.is_empty()
            && let Some((_, id)) =
                trace.spans.iter().flat_map(|span| &span.meta).find(|(key, _)| key == "runtime-id")
        {
            self.runtime_id = Cow::Owned(id.clone().into_owned());
        }
        let shared = Shared::read(trace);
        for span in &trace.spans {
            let known = Known::read(span);
            let env = known.env.unwrap_or(&self.sender.env);
            let version = known.version.unwrap_or(&self.sender.app_version);
            let mut group = self.group(&span.service, env, version)?;
            let reserved = group.reserve(known.bound + shared.bound);
            if reserved.is_ok() {
                span::write(&mut group.writer, span, &known, &shared);
                group.spans += 1;
            }
            if group.writer.len() < CHUNK_BYTES {
                self.open.push(group);
            } else {
                self.closed.push(group.close());
            }
            reserved?;
        }
        Ok(())
    }

    /// The chunks; none without spans.
    pub fn finish(mut self) -> Vec<Chunk> {
        // In the order in which they began: what comes first in a trace stays first where it can.
        self.open.sort_unstable_by_key(|group| group.serial);
        let mut chunks = self.closed;
        chunks.extend(self.open.drain(..).filter(|group| group.spans > 0).map(Group::close));
        chunks
    }

    /// Takes a group out of the open ones, or opens it.
    fn group(&mut self, service: &str, env: &str, version: &str) -> Result<Group, NoBudget> {
        let same = |group: &Group| group.service == service && group.env == env && group.version == version;
        if let Some(at) = self.open.iter().rposition(same) {
            return Ok(self.open.remove(at));
        }
        if self.open.len() == OPEN_GROUPS {
            self.closed.push(self.open.remove(0).close());
        }
        let mut writer = Writer::new();
        self.resource(&mut writer, service, env, version);
        let identity = identity(writer.written());
        let scope = write::begin_scope(&mut writer, names::DATADOG, &self.sender.tracer_version, |_| {});
        // The names and the chunk itself are held too.
        let kept = service.len() + env.len() + version.len() + size_of::<Chunk>() + size_of::<Group>();
        let room = writer.len();
        let hold = self.budget.take(room + kept).ok_or(NoBudget)?;
        let (service, env, version) = (service.to_owned(), env.to_owned(), version.to_owned());
        self.begun += 1;
        Ok(Group {
            serial: self.begun,
            service,
            env,
            version,
            writer,
            scope,
            identity,
            spans: 0,
            hold,
            room,
            kept,
        })
    }

    fn resource(&self, to: &mut Writer, service: &str, env: &str, version: &str) {
        let sender = self.sender;
        let language = names::language_to_otlp(&sender.language);
        write::resource(to, |to| {
            let mut text = |key: &str, value: &str| {
                if !value.is_empty() {
                    write::text(to, RESOURCE_ATTRIBUTES, key, value);
                }
            };
            text(names::SERVICE_NAME, service);
            text(names::ENVIRONMENT, env);
            text(names::SERVICE_VERSION, version);
            text(names::SERVICE_INSTANCE, &self.runtime_id);
            text(names::HOST_NAME, &sender.hostname);
            text(names::CONTAINER_ID, &sender.container_id);
            text(names::RUNTIME_VERSION, &sender.language_version);
            text(names::SDK_NAME, names::DATADOG);
            text(names::SDK_LANGUAGE, language);
            text(names::SDK_VERSION, &sender.tracer_version);
            for (key, value) in &sender.tags {
                write::text(to, RESOURCE_ATTRIBUTES, &format!("{}{key}", names::PAYLOAD_TAGS), value);
            }
            for (key, standard, own) in [
                (names::PAYLOAD_ENV, env, &*sender.env),
                (names::PAYLOAD_VERSION, version, &sender.app_version),
                (names::PAYLOAD_RUNTIME_ID, &self.runtime_id, &sender.runtime_id),
                (names::PAYLOAD_LANGUAGE, names::language_from_otlp(language), &sender.language),
            ] {
                if standard != own {
                    write::text(to, RESOURCE_ATTRIBUTES, key, own);
                }
            }
        });
    }
}

impl Group {
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

    fn close(self) -> Chunk {
        let Group { mut writer, scope, identity, spans, mut hold, kept, .. } = self;
        writer.end(scope);
        let mut bytes = writer.into_inner();
        bytes.shrink_to_fit();
        hold.resize(kept + bytes.len());
        Chunk { bytes: Bytes::from(bytes), spans, identity, hold: Some(hold) }
    }
}

#[cfg(test)]
mod tests;
