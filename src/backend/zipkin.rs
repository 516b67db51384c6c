//! Zipkin v2: spans as JSON, `POST /api/v2/spans`. A repeat after a lost answer is stored once: the server
//! merges spans of one id.

use super::http::{self, Client};
use super::{Descriptor, StartError, compress};
use crate::config::{Compression, Zipkin as Options};
use crate::deliver::{Backend, Encoded, Outcome, Part, Payload, Signal, TooLarge};
use crate::otlp::{self, Chunk};
use crate::traces::zipkin::from_otlp;
use ::http::HeaderValue;
use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

pub(super) static DESCRIPTOR: Descriptor = Descriptor { name: "zipkin", signals: &[Signal::Traces] };

/// What servers with default settings take, before compression, in bytes.
const MESSAGE_BYTES: usize = 5 << 20;

/// The Zipkin backend.
#[derive(Debug)]
pub(super) struct Zipkin {
    client: Client,
    url: String,
    compression: Compression,
}

impl Zipkin {
    /// Needs a tokio runtime around it; connects to nothing yet.
    pub(super) fn new(options: &Options, version: &'static str) -> Result<Self, StartError> {
        let mut headers = http::headers(&options.headers)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(encoding) = compress::encoding(options.compression) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let client = Client::new(&options.endpoint, headers, &format!("pillion/{version}"))?;
        let base = options.endpoint.trim_end_matches('/');
        let url =
            if base.ends_with("/api/v2/spans") { base.to_owned() } else { format!("{base}/api/v2/spans") };
        Ok(Zipkin { client, url, compression: options.compression })
    }
}

impl Backend for Zipkin {
    fn encode(&mut self, part: Part<'_>) -> Result<Encoded, TooLarge> {
        match part {
            Part::Otlp { signal: otlp::Signal::Traces, chunks } => {
                let body = compress::compressed(json(chunks)?, self.compression)?;
                Ok(Encoded { body: Some(body.into()), unsupported: 0 })
            }
            Part::Otlp { signal: otlp::Signal::Metrics | otlp::Signal::Logs, .. }
            | Part::Metrics { .. }
            | Part::Notes { .. }
            | Part::ClientStats(_) => Ok(Encoded::unsupported(part)),
        }
    }

    async fn send(&mut self, payload: &Payload) -> Outcome {
        self.client.post(&self.url, payload.body.clone()).await
    }
}

fn json(chunks: &[Chunk]) -> Result<Vec<u8>, TooLarge> {
    let mut body = vec![b'['];
    for chunk in chunks {
        from_otlp::write(&chunk.bytes, &mut body);
        if body.len() > MESSAGE_BYTES {
            return Err(TooLarge);
        }
    }
    body.push(b']');
    Ok(body)
}
