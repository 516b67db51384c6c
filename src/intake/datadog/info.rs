//! The answer of `/info`, from which tracers learn what an agent can do.

use crate::config::{self, ListenAddress};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;
use std::fmt::Write as _;

/// The version of the Datadog agent whose behaviour this has. Tracers look for a minimum: Java's computes
/// statistics from 7.65 on.
pub(super) const VERSION: &str = "7.71.0";

const ENDPOINTS: [&str; 8] = [
    "/v0.3/traces",
    "/v0.4/traces",
    "/v0.5/traces",
    "/v0.7/traces",
    "/v1.0/traces",
    "/v0.6/stats",
    "/telemetry/proxy/",
    "/v0.7/config",
];
const STATSD: &str = "/dogstatsd/v2/proxy";

/// The body, as it is sent each time.
pub(super) struct Info(Bytes);

#[derive(Serialize)]
struct Payload<'a> {
    version: &'a str,
    git_commit: &'a str,
    endpoints: Vec<&'a str>,
    feature_flags: [&'a str; 0],
    /// Without sampling, what clients drop would be missing.
    client_drop_p0s: bool,
    span_meta_structs: bool,
    long_running_spans: bool,
    span_events: bool,
    evp_proxy_allowed_headers: [&'a str; 0],
    config: Config<'a>,
    peer_tags: [&'a str; 0],
    span_kinds_stats_computed: [&'a str; 0],
    /// 0: queries are not obfuscated here, nor need clients do it.
    obfuscation_version: u32,
}

#[derive(Serialize)]
struct Config<'a> {
    default_env: &'a str,
    target_tps: u32,
    max_eps: u32,
    receiver_port: u16,
    receiver_socket: String,
    connection_limit: u32,
    receiver_timeout: u32,
    max_request_bytes: usize,
    statsd_port: u16,
    max_memory: u32,
    max_cpu: u32,
}

impl Info {
    /// `statsd` is the port of StatsD when lines are taken by HTTP, too.
    pub(super) fn new(options: &config::DatadogIntake, statsd: Option<u16>) -> Self {
        let port = options.listen.iter().find_map(|address| match address {
            ListenAddress::Tcp(address) => Some(address.port()),
            ListenAddress::UnixStream(_) | ListenAddress::Udp(_) | ListenAddress::UnixDatagram(_) => None,
        });
        let socket = options.listen.iter().find_map(|address| match address {
            ListenAddress::Tcp(_) | ListenAddress::Udp(_) | ListenAddress::UnixDatagram(_) => None,
            ListenAddress::UnixStream(path) => Some(path.display().to_string()),
        });
        let mut endpoints = ENDPOINTS.to_vec();
        endpoints.extend(statsd.map(|_| STATSD));
        let payload = Payload {
            version: VERSION,
            git_commit: "",
            endpoints,
            feature_flags: [],
            client_drop_p0s: false,
            span_meta_structs: true,
            long_running_spans: false,
            span_events: true,
            evp_proxy_allowed_headers: [],
            config: Config {
                default_env: "none",
                target_tps: 10,
                max_eps: 200,
                receiver_port: port.unwrap_or(0),
                receiver_socket: socket.unwrap_or_default(),
                connection_limit: 0,
                receiver_timeout: 0,
                max_request_bytes: options.max_bytes,
                statsd_port: statsd.unwrap_or(0),
                max_memory: 0,
                max_cpu: 0,
            },
            peer_tags: [],
            span_kinds_stats_computed: [],
            obfuscation_version: 0,
        };
        // Strings and numbers always have a JSON form.
        Info(serde_json::to_vec_pretty(&payload).unwrap_or_default().into())
    }

    pub(super) fn body(self) -> Bytes {
        self.0
    }

    /// The SHA-256 of the body, in hex.
    pub(super) fn state(&self) -> HeaderValue {
        let mut hex = String::with_capacity(64);
        for byte in digest(&SHA256, &self.0).as_ref() {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        HeaderValue::from_str(&hex).unwrap_or(HeaderValue::from_static(""))
    }
}
