//! What each path answers.
//!
//! Probes come first and depend on nothing but the phase; a request's body is never read.

use super::body::{Answer, Content, MetricsResponse};
use super::connection::Activity;
use super::http::Shared;
use crate::telemetry::{self, Metric};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

/// Every path, with what it is for.
const PATHS: [(&str, &str); 5] = [
    ("/", "this list"),
    ("/live", "200 while the process runs"),
    ("/ready", "200 while all listeners are bound and no end is near, else 503"),
    ("/metrics", "aggregated metrics for Prometheus"),
    ("/status", "listeners, contexts, errors, backends as JSON"),
];

type Parts = (StatusCode, HeaderMap, Content);

/// Answers one request; every answer is counted by path and code.
pub(super) async fn answer(
    shared: Arc<Shared>,
    peer: Option<SocketAddr>,
    activity: Arc<Activity>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let path = request.uri().path();
    let known = PATHS.iter().find(|(known, _)| *known == path).map(|(known, _)| *known);
    let allowed = matches!(*request.method(), Method::GET | Method::HEAD);
    let (code, mut headers, content) = match known {
        None => text(StatusCode::NOT_FOUND, format!("there is no {path} here; there are:\n{}", list())),
        Some(_) if !allowed => {
            let mut parts =
                text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n".into());
            parts.1.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            parts
        }
        Some("/live") => text(StatusCode::OK, "live\n".into()),
        Some("/ready") => ready(&shared),
        Some("/metrics") => metrics(&shared, request.headers()),
        Some("/status") => status(&shared, peer).await,
        Some(_) => text(StatusCode::OK, format!("pillion {}\n\n{}", env!("CARGO_PKG_VERSION"), list())),
    };
    telemetry::add(Metric::HttpRequests, &[known.unwrap_or("other"), code.as_str()], 1);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut response = Response::new(Answer::new(content, activity));
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    Ok(response)
}

fn list() -> String {
    PATHS.iter().map(|(path, what)| format!("{path:<10} {what}\n")).collect()
}

fn text(code: StatusCode, body: String) -> Parts {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    (code, headers, Content::Whole(Bytes::from(body)))
}

fn busy(body: &str) -> Parts {
    let mut parts = text(StatusCode::SERVICE_UNAVAILABLE, body.to_owned());
    parts.1.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    parts
}

fn ready(shared: &Shared) -> Parts {
    match shared.state.readiness.phase().why_not_ready() {
        None => text(StatusCode::OK, "ready\n".into()),
        Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

fn metrics(shared: &Shared, headers: &HeaderMap) -> Parts {
    let Ok(permit) = shared.pages.clone().try_acquire_owned() else {
        return busy("enough pages are under way already\n");
    };
    let MetricsResponse { headers, chunks } = (shared.state.metrics)(headers);
    (StatusCode::OK, headers, Content::Page { chunks, _permit: permit })
}

async fn status(shared: &Shared, peer: Option<SocketAddr>) -> Parts {
    // Who comes by a Unix socket is on this machine.
    if let Some(peer) = peer.filter(|peer| !may_see_status(*peer, shared.status_for_all)) {
        let why = format!(
            "/status answers loopback peers only, and you are {}; `http.status_for_all = true` \
             (PILLION_HTTP_STATUS_FOR_ALL=true) opens it\n",
            peer.ip()
        );
        return text(StatusCode::FORBIDDEN, why);
    }
    let read = shared.state.status.clone();
    // It may wait for locks, which must not hold up a probe.
    let read = tokio::task::spawn_blocking(move || serde_json::to_vec_pretty(&read()));
    match read.await {
        Ok(Ok(mut json)) => {
            json.push(b'\n');
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (StatusCode::OK, headers, Content::Whole(Bytes::from(json)))
        }
        Ok(Err(error)) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("the status cannot be written: {error}\n"))
        }
        Err(error) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("the status cannot be read: {error}\n"))
        }
    }
}

/// IPv4 peers of an IPv6 socket come as IPv6.
fn may_see_status(peer: SocketAddr, status_for_all: bool) -> bool {
    status_for_all || peer.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_for_loopback_peers_unless_opened() {
        let cases = [
            ("127.0.0.1:1", true),
            ("127.8.8.8:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.7:1", false),
            ("[::ffff:10.0.0.7]:1", false),
            ("[fe80::1]:1", false),
        ];
        for (peer, expected) in cases {
            let peer = peer.parse().unwrap();
            assert_eq!(may_see_status(peer, false), expected, "{peer}");
            assert!(may_see_status(peer, true), "{peer}");
        }
    }
}
