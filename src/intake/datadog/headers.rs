//! What tracers say in headers: who sends, and what they have done to their traces already.

use crate::traces::datadog::Sender;
use http::{HeaderMap, HeaderValue};
use std::borrow::Cow;

/// A request's headers, read when asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'h>(&'h HeaderMap);

impl<'h> Said<'h> {
    pub(super) fn read(headers: &'h HeaderMap) -> Self {
        Said(headers)
    }

    /// A header's text; empty when there is none.
    fn text(&self, name: &str) -> Cow<'h, str> {
        self.0.get(name).map(HeaderValue::as_bytes).map_or(Cow::Borrowed(""), String::from_utf8_lossy)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name).trim().parse().ok()
    }

    /// `application/msgpack`, in lower case and without parameters. A missing one is JSON's.
    pub(super) fn media_type(&self) -> String {
        let value = self.text("content-type");
        let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media_type.is_empty() { "application/json".to_owned() } else { media_type }
    }

    /// Traces in the body, as the client counts.
    pub(super) fn trace_count(&self) -> Option<u64> {
        self.number("x-datadog-trace-count")
    }

    /// Traces and spans that the client left out.
    pub(super) fn client_dropped(&self) -> (u64, u64) {
        let number = |name| self.number(name).unwrap_or(0);
        (number("datadog-client-dropped-p0-traces"), number("datadog-client-dropped-p0-spans"))
    }

    /// Whether a full queue may be answered with a 429.
    pub(super) fn wants_real_status(&self) -> bool {
        let value = self.text("datadog-send-real-http-status");
        !matches!(value.trim(), "" | "false" | "0")
    }

    /// The rates that the client has.
    pub(super) fn rates_version(&self) -> Option<&'h HeaderValue> {
        self.0.get(super::RATES_VERSION)
    }

    /// Who sends, as far as headers tell it.
    pub(super) fn sender(&self) -> Sender<'h> {
        let mut tags = Vec::new();
        for (name, tag) in [
            ("datadog-client-computed-top-level", "_dd.client_computed_top_level"),
            ("datadog-client-computed-stats", "_dd.client_computed_stats"),
        ] {
            let value = self.text(name);
            if !matches!(value.trim(), "" | "false" | "0" | "f" | "F" | "FALSE" | "False") {
                tags.push((tag.into(), "true".into()));
            }
        }
        Sender {
            container_id: self.container_id(),
            language: self.text("datadog-meta-lang"),
            language_version: self.text("datadog-meta-lang-version"),
            tracer_version: self.text("datadog-meta-tracer-version"),
            tags,
            ..Sender::default()
        }
    }

    /// The container, by itself or as an entity; one named by its inode only the kubelet's host knows.
    fn container_id(&self) -> Cow<'h, str> {
        let id = self.text("datadog-container-id");
        if !id.is_empty() {
            return id;
        }
        let entity = self.text("datadog-entity-id");
        let id = entity.strip_prefix("ci-").or_else(|| entity.strip_prefix("cid-"));
        id.map(|id| Cow::Owned(id.to_owned())).unwrap_or_default()
    }
}

/// Fills what a body says nothing of from what the headers say.
pub(super) fn complete<'s>(sender: &mut Sender<'s>, from: Sender<'s>) {
    let Sender {
        container_id,
        language,
        language_version,
        tracer_version,
        runtime_id: _,
        env: _,
        hostname: _,
        app_version: _,
        tags,
    } = from;
    for (own, said) in [
        (&mut sender.container_id, container_id),
        (&mut sender.language, language),
        (&mut sender.language_version, language_version),
        (&mut sender.tracer_version, tracer_version),
    ] {
        if own.is_empty() {
            *own = said;
        }
    }
    sender.tags.extend(tags);
}
