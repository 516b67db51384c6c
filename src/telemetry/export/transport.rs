//! The OTLP exporters over HTTP or gRPC, built so that nothing of the app's environment gets in.
//!
//! `opentelemetry-otlp` adds the headers of `OTEL_EXPORTER_OTLP_HEADERS` to every request, whatever the
//! program says: both transports here take them off again. And its own HTTP client cannot be built on a
//! system without CA roots, even for `http://`: so the client is ours.

use super::{Protocol, StartError, Target};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http::{Request, Response};
use opentelemetry_http::{Bytes, HttpClient, HttpError, ResponseBodyTooLarge};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
    WithTonicConfig,
};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::runtime::Handle;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer to an export is a few bytes; more than this is an error.
const MAX_ANSWER: usize = 64 << 10;

/// One exporter a signal; gRPC connects when the first request is sent.
pub(super) fn exporters(
    target: &Target,
    runtime: &Handle,
    timeout: Duration,
) -> Result<(SpanExporter, LogExporter), StartError> {
    let failed = |error: ExporterBuildError| endpoint_error(target, error);
    match target.protocol {
        Protocol::Http => {
            let client = OwnClient { client: http_client(target, timeout)? };
            let base = target.endpoint.trim_end_matches('/');
            let spans = SpanExporter::builder()
                .with_http()
                .with_endpoint(format!("{base}/v1/traces"))
                .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                .with_timeout(timeout)
                .with_retry_policy(RetryPolicy::recommended())
                .with_http_client(client.clone())
                .build()
                .map_err(failed)?;
            let logs = LogExporter::builder()
                .with_http()
                .with_endpoint(format!("{base}/v1/logs"))
                .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                .with_timeout(timeout)
                .with_retry_policy(RetryPolicy::recommended())
                .with_http_client(client)
                .build()
                .map_err(failed)?;
            Ok((spans, logs))
        }
        Protocol::Grpc => {
            let channel = grpc_channel(target, runtime, timeout)?;
            let spans = SpanExporter::builder()
                .with_tonic()
                .with_timeout(timeout)
                .with_retry_policy(RetryPolicy::recommended())
                .with_channel(channel.clone())
                .with_interceptor(without_metadata)
                .build()
                .map_err(failed)?;
            let logs = LogExporter::builder()
                .with_tonic()
                .with_timeout(timeout)
                .with_retry_policy(RetryPolicy::recommended())
                .with_channel(channel)
                .with_interceptor(without_metadata)
                .build()
                .map_err(failed)?;
            Ok((spans, logs))
        }
    }
}

fn endpoint_error(target: &Target, error: impl std::fmt::Display) -> StartError {
    StartError::Endpoint { endpoint: target.endpoint.clone(), why: error.to_string() }
}

fn tls_error(target: &Target, error: &dyn std::error::Error) -> StartError {
    // The first message often says only that something failed to build; the last says why.
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    StartError::Tls { endpoint: target.endpoint.clone(), why: cause.to_string() }
}

fn is_https(target: &Target) -> bool {
    target.endpoint.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn user_agent() -> String {
    concat!("pillion/", env!("CARGO_PKG_VERSION")).to_owned()
}

fn http_client(target: &Target, timeout: Duration) -> Result<reqwest::Client, StartError> {
    let builder = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(user_agent())
        .no_proxy();
    if is_https(target) {
        return builder.build().map_err(|error| tls_error(target, &error));
    }
    // Plain HTTP needs no roots, and must work where there are none.
    builder.tls_certs_only([]).build().map_err(|error| endpoint_error(target, error))
}

fn grpc_channel(target: &Target, runtime: &Handle, timeout: Duration) -> Result<Channel, StartError> {
    let endpoint = Endpoint::from_shared(target.endpoint.clone())
        .and_then(|endpoint| endpoint.user_agent(user_agent()))
        .map_err(|error| endpoint_error(target, error))?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout);
    let endpoint = if is_https(target) {
        let tls = ClientTlsConfig::new().with_native_roots();
        endpoint.tls_config(tls).map_err(|error| tls_error(target, &error))?
    } else {
        endpoint
    };
    let _inside = runtime.enter();
    Ok(endpoint.connect_lazy())
}

/// Takes off what the environment put into the metadata; the protocol's own headers come later.
fn without_metadata(mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
    request.metadata_mut().clear();
    Ok(request)
}

/// A client that sends the headers of the protocol and no others.
#[derive(Clone, Debug)]
struct OwnClient {
    client: reqwest::Client,
}

impl OwnClient {
    async fn send(self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut parts, body) = request.into_parts();
        parts.headers = protocol_headers(&parts.headers);
        let request = reqwest::Request::try_from(Request::from_parts(parts, body))?;
        let mut answer = self.client.execute(request).await?;
        let mut whole = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if whole.len() + chunk.len() > MAX_ANSWER {
                return Err(Box::new(ResponseBodyTooLarge::new()));
            }
            whole.extend_from_slice(&chunk);
        }
        let mut response = Response::new(Bytes::from(whole));
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl HttpClient for OwnClient {
    fn send_bytes<'client, 'out>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'out>>
    where
        'client: 'out,
        Self: 'out,
    {
        Box::pin(self.clone().send(request))
    }
}

fn protocol_headers(headers: &HeaderMap) -> HeaderMap {
    let kept = [CONTENT_TYPE, CONTENT_ENCODING];
    kept.into_iter().filter_map(|name| headers.get(&name).cloned().map(|value| (name, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_environment_do_not_get_out() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("content-type", "application/x-protobuf"), ("api-key", "the-apps"), ("user-agent", "x")]
        {
            headers.insert(name, value.parse().unwrap());
        }
        let kept = protocol_headers(&headers);
        assert_eq!(kept.keys().map(|k| k.as_str()).collect::<Vec<_>>(), ["content-type"]);
        let mut request = tonic::Request::new(());
        request.metadata_mut().insert("api-key", "the-apps".parse().unwrap());
        assert!(without_metadata(request).unwrap().metadata().is_empty());
    }

    #[test]
    fn endpoints_that_cannot_be_used_are_named() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (endpoint, protocol) in
            [("not a url", Protocol::Http), ("not a url", Protocol::Grpc), ("http://", Protocol::Grpc)]
        {
            let target = Target { endpoint: endpoint.into(), protocol };
            let error = exporters(&target, runtime.handle(), Duration::from_secs(1)).unwrap_err();
            assert!(error.to_string().contains(endpoint), "{error}");
        }
    }
}
