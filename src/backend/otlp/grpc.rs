//! OTLP over gRPC: payloads are sent as the bytes they are, so that a retry costs no second encoding.
//!
//! Connects when there is something to send; a dead endpoint costs nothing at start.

use super::answer::{accepted, status};
use crate::backend::StartError;
use crate::backend::http::{CONNECT_TIMEOUT, causes};
use crate::config::Compression;
use crate::deliver::{Outcome, Payload, Signal};
use bytes::{BufMut, Bytes};
use http::HeaderMap;
use http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use tonic::client::Grpc as Client;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

const METRICS_PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const LOGS_PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const TRACES_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

#[derive(Debug)]
pub(super) struct Grpc {
    endpoint: Endpoint,
    channel: Channel,
    metadata: MetadataMap,
    compression: Option<CompressionEncoding>,
    /// A request was begun and not finished.
    busy: bool,
}

impl Grpc {
    pub(super) fn new(
        endpoint: &str,
        headers: HeaderMap,
        compression: Compression,
        agent: &str,
    ) -> Result<Self, StartError> {
        let wrong = |error: tonic::transport::Error| StartError::Endpoint {
            endpoint: endpoint.to_owned(),
            why: format!("{error}{}", causes(&error)),
        };
        let mut built = Endpoint::from_shared(endpoint.to_owned())
            .and_then(|endpoint| endpoint.user_agent(agent.to_owned()))
            .map_err(wrong)?
            .connect_timeout(CONNECT_TIMEOUT);
        if endpoint.starts_with("https://") {
            built = built.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(|error| {
                StartError::Tls { endpoint: endpoint.to_owned(), why: format!("{error}{}", causes(&error)) }
            })?;
        }
        let channel = built.connect_lazy();
        let metadata = MetadataMap::from_headers(headers);
        let compression = match compression {
            Compression::None => None,
            Compression::Gzip => Some(CompressionEncoding::Gzip),
            Compression::Zstd => Some(CompressionEncoding::Zstd),
        };
        Ok(Grpc { endpoint: built, channel, metadata, compression, busy: false })
    }

    pub(super) async fn send(&mut self, payload: &Payload) -> Outcome {
        if std::mem::replace(&mut self.busy, true) {
            // The last request was abandoned without an answer: its connection may be dead, and nothing
            // below would notice for many minutes.
            self.channel = self.endpoint.connect_lazy();
        }
        let outcome = self.call(payload).await;
        self.busy = false;
        outcome
    }

    async fn call(&self, payload: &Payload) -> Outcome {
        let mut client = Client::new(self.channel.clone());
        if let Some(encoding) = self.compression {
            client = client.send_compressed(encoding);
        }
        client = client.accept_compressed(CompressionEncoding::Gzip);
        if let Err(error) = client.ready().await {
            return Outcome::Retry { after: None, why: format!("{error}{}", causes(&error)) };
        }
        let mut request = Request::new(payload.body.clone());
        *request.metadata_mut() = self.metadata.clone();
        let path = PathAndQuery::from_static(match payload.signal {
            Signal::Metrics => METRICS_PATH,
            Signal::Logs => LOGS_PATH,
            Signal::Traces => TRACES_PATH,
            Signal::Stats => return super::not_carried(),
        });
        match client.unary(request, path, Encoded).await {
            Ok(response) => accepted(response.get_ref()),
            Err(refused) => status(&refused),
        }
    }
}

/// Requests that are bytes already; answers of any signal, which share one shape.
#[derive(Clone, Copy, Debug)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ExportMetricsServiceResponse;
    type Encoder = Encoded;
    type Decoder = Encoded;

    fn encoder(&mut self) -> Encoded {
        Encoded
    }

    fn decoder(&mut self) -> Encoded {
        Encoded
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.reserve(item.len());
        to.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = ExportMetricsServiceResponse;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        // What cannot be read as an answer is still a success.
        Ok(Some(ExportMetricsServiceResponse::decode(from).unwrap_or_default()))
    }
}
