//! Datadog: spans to `/api/v0.2/traces`, and what clients counted themselves to `/api/v0.2/stats`, as the
//! Datadog agent sends them.
//!
//! Spans go through the same repairs as the agent's, since what breaks Datadog's rules is dropped there
//! without a word. The key is in a header alone and never shown. A repeat after a lost answer is stored once:
//! spans have ids; statistics then count twice, as the agent's do. Read on in `payload`, then `stats`.

mod payload;
mod stats;

use super::http::Client;
use super::{Descriptor, StartError, compress};
use crate::clock;
use crate::config::{Compression, Datadog as Options, Secret};
use crate::deliver::{Backend, Encoded, Outcome, Part, Payload, Signal, TooLarge};
use crate::otlp::{self, Chunk};
use crate::telemetry::{self, table::Metric};
use crate::traces::datadog::from_otlp;
use crate::traces::datadog::normalize;
use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use payload::Agent;
use std::collections::BTreeSet;

pub(super) static DESCRIPTOR: Descriptor =
    Descriptor { name: "datadog", signals: &[Signal::Traces, Signal::Stats] };

/// The agent sends no larger payload, before compression, in bytes.
const PAYLOAD_BYTES: usize = 3_200_000;

/// Languages that are told; more there are not, unless somebody makes them up.
const LANGUAGES: usize = 16;

const LANGUAGES_HEADER: HeaderName = HeaderName::from_static("x-datadog-reported-languages");

/// The Datadog backend.
#[derive(Debug)]
pub(super) struct Datadog {
    traces: Client,
    stats: Client,
    traces_url: String,
    stats_url: String,
    compression: Compression,
    agent: Agent,
    /// Of the tracers whose spans were sent.
    languages: BTreeSet<String>,
}

impl Datadog {
    /// Needs a tokio runtime around it; connects to nothing yet.
    pub(super) fn new(options: &Options, version: &'static str) -> Result<Self, StartError> {
        let base = endpoint(options);
        let client = |body: &'static str, encoding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert("dd-api-key", key(&options.api_key)?);
            headers.insert("dd-agent-version", HeaderValue::from_static(version));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(body));
            if let Some(encoding) = encoding {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            Client::new(&base, headers, &format!("pillion/{version}"))
        };
        let encoding = compress::encoding(options.compression);
        Ok(Datadog {
            traces: client("application/x-protobuf", encoding)?,
            stats: client("application/msgpack", Some("gzip"))?,
            traces_url: format!("{base}/api/v0.2/traces"),
            stats_url: format!("{base}/api/v0.2/stats"),
            compression: options.compression,
            agent: Agent {
                hostname: options.hostname.clone().unwrap_or_else(hostname),
                env: options.env.clone(),
                version,
            },
            languages: BTreeSet::new(),
        })
    }

    /// The payload, and how many spans it could not take.
    fn traces(&mut self, chunks: &[Chunk]) -> Result<Encoded, TooLarge> {
        let mut payloads = from_otlp::payloads(chunks.iter().map(|chunk| &*chunk.bytes));
        let unsupported = repair(&mut payloads, clock::now_ns());
        let body = payload::body(&self.agent, &payloads, PAYLOAD_BYTES)?;
        for payload in &payloads {
            self.report(&payload.sender.language);
        }
        let anything = payloads.iter().any(|payload| !payload.traces.is_empty());
        let body = if anything { Some(compress::compressed(body, self.compression)?.into()) } else { None };
        Ok(Encoded { body, unsupported })
    }

    /// Tells of a language from now on.
    fn report(&mut self, language: &str) {
        if language.is_empty() || self.languages.len() == LANGUAGES || self.languages.contains(language) {
            return;
        }
        self.languages.insert(language.to_owned());
        let all: Vec<&str> = self.languages.iter().map(String::as_str).collect();
        match HeaderValue::from_str(&all.join("|")) {
            Ok(value) => self.traces.set_header(LANGUAGES_HEADER, value),
            // No name of a language.
            Err(_) => drop(self.languages.remove(language)),
        }
    }
}

impl Backend for Datadog {
    fn encode(&mut self, part: Part<'_>) -> Result<Encoded, TooLarge> {
        match part {
            Part::Otlp { signal: otlp::Signal::Traces, chunks } => self.traces(chunks),
            Part::ClientStats(payload) => {
                let body = stats::body(&self.agent, payload);
                if body.len() > PAYLOAD_BYTES {
                    return Err(TooLarge);
                }
                let body = compress::compressed(body, Compression::Gzip)?;
                Ok(Encoded { body: Some(body.into()), unsupported: 0 })
            }
            Part::Otlp { signal: otlp::Signal::Metrics | otlp::Signal::Logs, .. }
            | Part::Metrics { .. }
            | Part::Notes { .. } => Ok(Encoded::unsupported(part)),
        }
    }

    async fn send(&mut self, payload: &Payload) -> Outcome {
        match payload.signal {
            Signal::Stats => self.stats.post(&self.stats_url, payload.body.clone()).await,
            // Only these two are ever encoded.
            Signal::Traces | Signal::Metrics | Signal::Logs => {
                self.traces.post(&self.traces_url, payload.body.clone()).await
            }
        }
    }
}

/// Puts spans right for Datadog and takes out traces that cannot be; returns how many spans these have.
fn repair(payloads: &mut [from_otlp::Payload<'_>], now_ns: u64) -> u64 {
    let mut counts = normalize::Counts::default();
    let mut dropped = 0;
    for from_otlp::Payload { sender, traces } in payloads {
        traces.retain_mut(|trace| {
            let spans = trace.spans.len() as u64;
            // Of a trace id the payload has the lower half; the upper one is a tag.
            let whole = trace.spans.iter().all(|span| span.trace_id != 0)
                && normalize::trace(trace, &sender.language, now_ns, &mut counts).is_ok();
            dropped += if whole { 0 } else { spans };
            whole
        });
    }
    for (reason, count) in counts.iter() {
        telemetry::add(Metric::SpansNormalized, &[reason.name()], count);
    }
    dropped
}

/// Where to; never holds a secret.
pub(super) fn endpoint(options: &Options) -> String {
    match &options.endpoint {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => format!("https://trace.agent.{}", options.site),
    }
}

/// Marked, so that no log shows it.
fn key(Secret(key): &Secret) -> Result<HeaderValue, StartError> {
    let wrong =
        |_| StartError::Header { name: "DD-Api-Key".to_owned(), why: "the value holds control characters" };
    let mut value = HeaderValue::from_str(key).map_err(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The machine's name, or none.
fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
