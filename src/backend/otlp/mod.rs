//! OTLP push: metrics, logs and spans to a collector or any backend that speaks OTLP, over gRPC or HTTP.
//!
//! What came as OTLP goes as it came. Of StatsD, counters go as sums, gauges and set sizes as gauges, timers,
//! histograms and distributions as exponential histograms (explicit ones where a rule set buckets), events and
//! service checks as log records. A repeat after a lost answer may arrive twice, and deltas then count twice; the protocol has
//! no cure. Types generated from protobuf never leave this folder. Read on in `chunks` and `metrics`,
//! then `answer`.

mod answer;
mod attributes;
pub(super) mod chunks;
mod grpc;
mod http;
pub(super) mod json;
pub(super) mod logs;
pub(super) mod metrics;

use super::compress::compressed;
use super::http::{check, headers};
use super::{Descriptor, StartError};
use crate::config::{Compression, Otlp, OtlpProtocol, Temporality};
use crate::deliver::{Backend, Encoded, Outcome, Part, Payload, Signal, TooLarge};
use prost::Message;
use serde::Serialize;

pub(super) static DESCRIPTOR: Descriptor =
    Descriptor { name: "otlp", signals: &[Signal::Metrics, Signal::Logs, Signal::Traces] };

/// The largest message that receivers with default settings take, before compression, in bytes.
const MESSAGE_BYTES: usize = 4 << 20;

/// The OTLP backend.
#[derive(Debug)]
pub(super) struct Exporter {
    temporality: Temporality,
    version: &'static str,
    /// Payloads are compressed when they are made; over gRPC the transport does it.
    body: Compression,
    form: Form,
    transport: Transport,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Protobuf,
    Json,
}

#[derive(Debug)]
enum Transport {
    Grpc(Box<grpc::Grpc>),
    Http(http::Http),
}

impl Exporter {
    /// Needs a tokio runtime around it; connects to nothing yet.
    pub(super) fn new(options: &Otlp, version: &'static str) -> Result<Self, StartError> {
        let endpoint = options.endpoint.as_str();
        check(endpoint)?;
        let headers = headers(&options.headers)?;
        let compression = options.compression;
        let agent = format!("pillion/{version} (OTLP exporter; Rust)");
        let form = match options.protocol {
            OtlpProtocol::Grpc | OtlpProtocol::Http => Form::Protobuf,
            OtlpProtocol::HttpJson => Form::Json,
        };
        let (transport, body) = match options.protocol {
            OtlpProtocol::Grpc => {
                let grpc = grpc::Grpc::new(endpoint, headers, compression, &agent)?;
                (Transport::Grpc(Box::new(grpc)), Compression::None)
            }
            OtlpProtocol::Http | OtlpProtocol::HttpJson => {
                (Transport::Http(http::Http::new(endpoint, headers, form, compression, &agent)?), compression)
            }
        };
        Ok(Exporter { temporality: options.temporality, version, body, form, transport })
    }
}

impl Backend for Exporter {
    fn encode(&mut self, part: Part<'_>) -> Result<Encoded, TooLarge> {
        let body = match part {
            Part::Metrics { snapshot, series } => {
                self.form.write(&metrics::request(snapshot, series, self.temporality, self.version))?
            }
            Part::Notes { notes, resource } => {
                self.form.write(&logs::request(notes, resource, self.version))?
            }
            Part::Otlp { signal, chunks } => match self.form {
                Form::Protobuf => chunks::request(chunks, MESSAGE_BYTES)?,
                Form::Json => chunks::json(signal, chunks, MESSAGE_BYTES)?,
            },
            Part::ClientStats(_) => return Ok(Encoded::unsupported(part)),
        };
        let body = compressed(body, self.body)?;
        Ok(Encoded { body: Some(body.into()), unsupported: 0 })
    }

    async fn send(&mut self, payload: &Payload) -> Outcome {
        match &mut self.transport {
            Transport::Grpc(grpc) => grpc.send(payload).await,
            Transport::Http(http) => http.send(payload).await,
        }
    }
}

/// For a payload that `encode` never makes.
fn not_carried() -> Outcome {
    Outcome::Poison { why: "OTLP carries no statistics of Datadog clients".to_owned() }
}

impl Form {
    fn write<M: Message>(self, message: &M) -> Result<Vec<u8>, TooLarge>
    where
        for<'a> json::Json<'a, M>: Serialize,
    {
        match self {
            Form::Protobuf if message.encoded_len() > MESSAGE_BYTES => Err(TooLarge),
            Form::Protobuf => Ok(message.encode_to_vec()),
            Form::Json => {
                let body = json::written(message);
                if body.len() > MESSAGE_BYTES { Err(TooLarge) } else { Ok(body) }
            }
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Form::Protobuf => "application/x-protobuf",
            Form::Json => "application/json",
        }
    }
}

#[cfg(test)]
mod tests;
