//! HTTP/1.1 as every backend speaks it: endpoints, headers, the client, what an answer holds; and a client whose
//! answers mean what they usually do, for protocols that word nothing of their own.
//!
//! Connects when there is something to send. Redirects are answers, never followed: credentials stay where
//! they were meant for. A plain `http://` endpoint needs no CA certificates on the machine.

use super::StartError;
use crate::clock;
use crate::config::Secret;
use crate::deliver::Outcome;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use reqwest::Response;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of an error's text that are read and kept.
pub(super) const ERROR_BYTES: usize = 1_024;

/// A client with the headers of every request.
#[derive(Debug)]
pub(super) struct Client {
    client: reqwest::Client,
    headers: HeaderMap,
}

impl Client {
    /// `endpoint` tells whether TLS is needed; `headers` go with every request.
    pub(super) fn new(endpoint: &str, headers: HeaderMap, agent: &str) -> Result<Self, StartError> {
        check(endpoint)?;
        Ok(Client { client: client(endpoint, agent)?, headers })
    }

    /// From now on this header goes with every request.
    pub(super) fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    /// Posts once; any answer of 2xx is a success.
    pub(super) async fn post(&self, url: &str, body: Bytes) -> Outcome {
        match self.client.post(url).headers(self.headers.clone()).body(body).send().await {
            Ok(response) => answer(response).await,
            Err(error) => broken(error),
        }
    }
}

/// A client for one endpoint, which tells whether TLS is needed.
pub(super) fn client(endpoint: &str, agent: &str) -> Result<reqwest::Client, StartError> {
    let builder = reqwest::Client::builder()
        // One protocol that closes the connection of an abandoned request, so that the next attempt
        // never waits on a dead one.
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(agent);
    let secure = endpoint.starts_with("https://");
    let builder = if secure { builder } else { builder.tls_certs_only([]) };
    builder.build().map_err(|error| {
        let (why, endpoint) = (format!("{error}{}", causes(&error)), endpoint.to_owned());
        if secure { StartError::Tls { endpoint, why } } else { StartError::Endpoint { endpoint, why } }
    })
}

async fn answer(mut response: Response) -> Outcome {
    let status = response.status();
    if status.is_success() {
        // Read to its end, so that the connection can be used again; what it says does not matter.
        while let Ok(Some(_)) = response.chunk().await {}
        return Outcome::Delivered;
    }
    let after = retry_after(&response);
    let body = read(response, ERROR_BYTES).await.unwrap_or_default();
    refused(status, after.as_deref(), &String::from_utf8_lossy(&body), clock::now_ns())
}

/// Reads at most `limit` bytes; what is beyond stays on a connection that is then closed.
pub(super) async fn read(mut response: Response, limit: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            break;
        }
    }
    Ok(body)
}

/// A request without an answer.
pub(super) fn broken(error: reqwest::Error) -> Outcome {
    let error = error.without_url();
    Outcome::Retry { after: None, why: format!("{error}{}", causes(&error)) }
}

/// An answer other than success: 408, 429 and 5xx pass, 413 asks for less, 401 and 403 name the credentials;
/// the rest, redirects included, is the payload's own fault.
fn refused(status: StatusCode, retry_after: Option<&str>, body: &str, now_ns: u64) -> Outcome {
    let text: String = body.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let why = match text.trim() {
        "" => format!("HTTP {}", status.as_u16()),
        text => format!("HTTP {}: {text}", status.as_u16()),
    };
    match status.as_u16() {
        408 | 429 | 500..=599 => {
            Outcome::Retry { after: retry_after.and_then(|text| wait_of(text, now_ns)), why }
        }
        413 => Outcome::TooLarge { why },
        401 | 403 => Outcome::Unauthorized { why },
        300..=399 => Outcome::Poison { why: format!("{why}: redirects are not followed") },
        _ => Outcome::Poison { why },
    }
}

/// The text of `Retry-After`.
pub(super) fn retry_after(response: &Response) -> Option<String> {
    response.headers().get(RETRY_AFTER)?.to_str().ok().map(str::to_owned)
}

/// `Retry-After`: seconds or an HTTP date.
pub(super) fn wait_of(text: &str, now_ns: u64) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let then = httpdate::parse_http_date(text.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(then.saturating_sub(Duration::from_nanos(now_ns)))
}

/// Header values are secrets: they are marked so that no log shows them.
pub(super) fn headers(configured: &BTreeMap<String, Secret>) -> Result<HeaderMap, StartError> {
    let mut headers = HeaderMap::new();
    for (name, Secret(value)) in configured {
        let wrong = |why| StartError::Header { name: name.clone(), why };
        let key =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("the name is not one of HTTP"))?;
        let mut value =
            HeaderValue::from_str(value).map_err(|_| wrong("the value holds control characters"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// Whether an endpoint can be sent to, and is shown without a secret in it.
pub(super) fn check(endpoint: &str) -> Result<(), StartError> {
    let unusable = |shown: &str, why: &str| {
        Err(StartError::Endpoint { endpoint: shown.to_owned(), why: why.to_owned() })
    };
    if endpoint.contains('@') {
        // Not shown: what stands before the `@` is a secret.
        return unusable("…@…", "credentials belong into `headers`");
    }
    let Ok(uri) = endpoint.parse::<Uri>() else { return unusable(endpoint, "it is not a URL") };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return unusable(endpoint, "it must begin with `http://` or `https://`");
    }
    if uri.query().is_some() {
        return unusable(endpoint, "it must have no query");
    }
    Ok(())
}

/// What caused an error, to stand behind it: the last link is what helps.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let level = error.to_string();
        if !text.ends_with(&level) {
            text.push_str(": ");
            text.push_str(&level);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_read_as_the_protocol_says() {
        let at = |status: u16, after: Option<&str>| {
            let status = StatusCode::from_u16(status).unwrap();
            refused(status, after, "bad\nthing", 0)
        };
        let why = |status: u16| format!("HTTP {status}: bad thing");
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(at(503, Some("7")), Outcome::Retry { after: seconds(7), why: why(503) });
        let date = "Thu, 01 Jan 1970 00:00:09 GMT";
        assert_eq!(at(429, Some(date)), Outcome::Retry { after: seconds(9), why: why(429) });
        assert_eq!(at(413, None), Outcome::TooLarge { why: why(413) });
        assert_eq!(at(403, None), Outcome::Unauthorized { why: why(403) });
        assert_eq!(at(400, None), Outcome::Poison { why: why(400) });
        assert!(matches!(at(302, None), Outcome::Poison { .. }));
    }

    #[test]
    fn endpoints_that_cannot_be_used_are_refused() {
        for endpoint in ["localhost:9411", "ftp://x", "http://user:secret@host"] {
            let error = Client::new(endpoint, HeaderMap::new(), "pillion").unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(Client::new("http://localhost:9411/x", HeaderMap::new(), "pillion").is_ok());
    }
}
