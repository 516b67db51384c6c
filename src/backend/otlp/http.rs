//! OTLP over HTTP/1.1: `POST /v1/metrics`, `/v1/logs` and `/v1/traces`, protobuf or JSON.
//!
//! Connects when there is something to send. Redirects are answers, never followed: credentials stay
//! where they were meant for. A plain `http://` endpoint needs no CA certificates on the machine.

use super::Form;
use super::answer::{accepted, of_json, refused};
use crate::backend::{StartError, compress, http};
use crate::clock;
use crate::config::Compression;
use crate::deliver::{Outcome, Payload, Signal};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode};

/// The largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    metrics_url: String,
    logs_url: String,
    traces_url: String,
    headers: HeaderMap,
    form: Form,
}

impl Http {
    /// `headers` are the configured ones; `compression` says how payloads come.
    pub(super) fn new(
        endpoint: &str,
        mut headers: HeaderMap,
        form: Form,
        compression: Compression,
        agent: &str,
    ) -> Result<Self, StartError> {
        let client = http::client(endpoint, agent)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
        let encoding = compress::encoding(compression);
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let base = endpoint.trim_end_matches('/');
        Ok(Http {
            client,
            metrics_url: format!("{base}/v1/metrics"),
            logs_url: format!("{base}/v1/logs"),
            traces_url: format!("{base}/v1/traces"),
            headers,
            form,
        })
    }

    pub(super) async fn send(&self, payload: &Payload) -> Outcome {
        let url = match payload.signal {
            Signal::Metrics => &self.metrics_url,
            Signal::Logs => &self.logs_url,
            Signal::Traces => &self.traces_url,
            Signal::Stats => return super::not_carried(),
        };
        let request = self.client.post(url).headers(self.headers.clone()).body(payload.body.clone());
        match request.send().await {
            Ok(response) => answer(response, self.form).await,
            Err(error) => http::broken(error),
        }
    }
}

async fn answer(response: Response, form: Form) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return match http::read(response, ANSWER_BYTES).await {
            // What cannot be read as an answer is still a success.
            Ok(body) => accepted(&match form {
                Form::Protobuf => ExportMetricsServiceResponse::decode(body.as_slice()).unwrap_or_default(),
                Form::Json => of_json(&body),
            }),
            Err(error) => http::broken(error),
        };
    }
    let retry_after = http::retry_after(&response);
    let body = http::read(response, http::ERROR_BYTES).await.unwrap_or_default();
    refused(StatusCode::as_u16(&status), retry_after.as_deref(), &body, clock::now_ns())
}
