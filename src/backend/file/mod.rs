//! JSON lines to a file or to standard output: one OTLP JSON object a line, as the OpenTelemetry
//! collector's file exporter writes them (`resourceMetrics`, `resourceLogs` or `resourceSpans`).
//!
//! Counters are deltas, so that lines can be added up; the sum of one counter is
//! ```sh
//! jq -n '[inputs.resourceMetrics[]?.scopeMetrics[].metrics[]
//!   | select(.name == "orders.created").sum.dataPoints[].asDouble] | add' metrics.jsonl
//! ```
//! Lines reach the kernel before they count as delivered: they outlive the process, not the machine.
//! Next: `writer`.

mod stamp;
mod writer;

use super::otlp::{chunks, json, logs, metrics};
use super::{Descriptor, StartError};
use crate::clock;
use crate::config::{File, Temporality};
use crate::deliver::{Backend, Encoded, Outcome, Part, Payload, Signal, TooLarge};
use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};
use writer::{WriteError, Writer};

pub(super) static DESCRIPTOR: Descriptor =
    Descriptor { name: "file", signals: &[Signal::Metrics, Signal::Logs, Signal::Traces] };

/// Longest line of what came as OTLP: readers hold a whole line.
const LINE_BYTES: usize = 16 << 20;

/// The file backend.
#[derive(Debug)]
pub(super) struct Lines {
    options: File,
    version: &'static str,
    /// Away while a write is under way.
    writer: Option<Writer>,
    job: Option<Job>,
}

/// A write on a thread that may block. It goes on when its waiter gives up, so it is never begun twice.
#[derive(Debug)]
struct Job {
    body: Bytes,
    handle: JoinHandle<(Writer, Result<(), WriteError>)>,
}

impl Lines {
    /// Opens a regular file at once, so that a wrong path fails the start.
    pub(super) fn new(options: &File, version: &'static str) -> Result<Self, StartError> {
        let mut writer = Writer::new(options, clock::now_ns);
        writer.open_early().map_err(|why| StartError::File { path: options.path.clone(), why })?;
        Ok(Lines { options: options.clone(), version, writer: Some(writer), job: None })
    }
}

impl Backend for Lines {
    fn encode(&mut self, part: Part<'_>) -> Result<Encoded, TooLarge> {
        let mut line = match part {
            Part::Metrics { snapshot, series } => {
                json::written(&metrics::request(snapshot, series, Temporality::Delta, self.version))
            }
            Part::Notes { notes, resource } => json::written(&logs::request(notes, resource, self.version)),
            Part::Otlp { signal, chunks } => chunks::json(signal, chunks, LINE_BYTES)?,
            Part::ClientStats(_) => return Ok(Encoded::unsupported(part)),
        };
        line.push(b'\n');
        Ok(Encoded { body: Some(line.into()), unsupported: 0 })
    }

    async fn send(&mut self, payload: &Payload) -> Outcome {
        loop {
            if let Some(job) = &mut self.job {
                let ended = (&mut job.handle).await;
                let same = job.body.as_ptr() == payload.body.as_ptr();
                self.job = None;
                let result = match ended {
                    Ok((writer, result)) => {
                        self.writer = Some(writer);
                        result.map_err(|error| error.to_string())
                    }
                    Err(error) => Err(format!("writing ended early: {error}")),
                };
                if same {
                    return match result {
                        Ok(()) => Outcome::Delivered,
                        Err(why) => Outcome::Retry { after: None, why },
                    };
                }
            }
            let body = payload.body.clone();
            let mut writer = self.writer.take().unwrap_or_else(|| Writer::new(&self.options, clock::now_ns));
            let handle = spawn_blocking(move || {
                let result = writer.append(&body);
                (writer, result)
            });
            self.job = Some(Job { body: payload.body.clone(), handle });
        }
    }
}

#[cfg(test)]
mod tests;
