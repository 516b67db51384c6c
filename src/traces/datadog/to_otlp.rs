//! Datadog spans as OTLP, written straight into protobuf: one `ResourceSpans` per service, environment and
//! version of a request.
//!
//! What a trace says is kept in full, so that [`super::from_otlp`] gives the same spans back; the tables are
//! in `docs/traces.md`. Next: `span`.

mod derived;
mod span;

use super::names;
use super::{Sender, Trace};
use crate::otlp::budget::Budget;
use crate::otlp::chunk::Chunk;
use crate::otlp::grow::Growing;
pub use crate::otlp::grow::NoBudget;
use crate::otlp::protobuf::Writer;
use crate::otlp::write::{self, RESOURCE_ATTRIBUTES};
use span::{Known, Shared};
use std::borrow::Cow;

/// Groups that grow at the same time; one more closes the one that was used longest ago.
const OPEN_GROUPS: usize = 32;

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

/// What belongs together.
struct Group {
    serial: u64,
    service: String,
    env: String,
    version: String,
    growing: Growing,
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
            group.growing.span(known.bound + shared.bound, |to| span::write(to, span, &known, &shared))?;
            if group.growing.is_full() {
                self.closed.push(group.growing.close());
            } else {
                self.open.push(group);
            }
        }
        Ok(())
    }

    /// The chunks; none without spans.
    pub fn finish(mut self) -> Vec<Chunk> {
        // In the order in which they began: what comes first in a trace stays first where it can.
        self.open.sort_unstable_by_key(|group| group.serial);
        let mut chunks = self.closed;
        let groups = self.open.drain(..).filter(|group| group.growing.spans() > 0);
        chunks.extend(groups.map(|group| group.growing.close()));
        chunks
    }

    /// Takes a group out of the open ones, or opens it.
    fn group(&mut self, service: &str, env: &str, version: &str) -> Result<Group, NoBudget> {
        let same = |group: &Group| group.service == service && group.env == env && group.version == version;
        if let Some(at) = self.open.iter().rposition(same) {
            return Ok(self.open.remove(at));
        }
        if self.open.len() == OPEN_GROUPS {
            self.closed.push(self.open.remove(0).growing.close());
        }
        let beside = service.len() + env.len() + version.len() + size_of::<Group>();
        let resource = |to: &mut Writer| self.resource(to, service, env, version);
        let scope = (names::DATADOG, &*self.sender.tracer_version);
        let growing = Growing::begin(&self.budget, resource, scope, beside)?;
        self.begun += 1;
        let (service, env, version) = (service.to_owned(), env.to_owned(), version.to_owned());
        Ok(Group { serial: self.begun, service, env, version, growing })
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

#[cfg(test)]
mod tests;
