//! Turns the options of `[telemetry]` into running logs, and keeps pillion from talking to itself.

use crate::config::{self, ListenAddress, OtlpProtocol};
use crate::telemetry::export::{Exporter, Protocol, StartError, Target};
use crate::telemetry::logs::{self, LogError, Options};
use http::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::runtime::Handle;

/// Why logging did not begin.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Export(#[from] StartError),
    #[error(
        "`telemetry.otlp.endpoint` is `{endpoint}`, where pillion itself listens ({listener}): its own telemetry \
         would come back to it. Point it at a collector"
    )]
    OwnListener { endpoint: String, listener: SocketAddr },
}

/// Begins to log as configured. The exporter, when there is one, is to be shut down last.
pub fn start(config: &config::Config, runtime: &Handle) -> Result<Option<Exporter>, LoggingError> {
    let options = Options { filter: &config.telemetry.log, json: config.telemetry.log_json };
    let exporter = match &config.telemetry.otlp {
        None => None,
        Some(otlp) => {
            if let Some(listener) = own_listener(&otlp.endpoint, &tcp_addresses(config)) {
                return Err(LoggingError::OwnListener { endpoint: otlp.endpoint.clone(), listener });
            }
            let protocol = match otlp.protocol {
                OtlpProtocol::Grpc => Protocol::Grpc,
                // The configuration takes no JSON here.
                OtlpProtocol::Http | OtlpProtocol::HttpJson => Protocol::Http,
            };
            Some(Exporter::start(&Target { endpoint: otlp.endpoint.clone(), protocol }, runtime)?)
        }
    };
    logs::install(options, exporter.as_ref())?;
    Ok(exporter)
}

/// Everything of ours that a TCP client can reach.
fn tcp_addresses(config: &config::Config) -> Vec<SocketAddr> {
    let statsd = config.statsd.listeners.iter().filter_map(|listener| match listener.address {
        ListenAddress::Tcp(address) => Some(address),
        ListenAddress::Udp(_) | ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_) => None,
    });
    std::iter::once(config.http.listen).chain(statsd).collect()
}

/// The listener of ours that `endpoint` leads to. Names other than `localhost` are not resolved: that could
/// block the start, and no name of this machine is meant for its own sidecar.
fn own_listener(endpoint: &str, own: &[SocketAddr]) -> Option<SocketAddr> {
    let uri: Uri = endpoint.parse().ok()?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let host = uri.host()?.trim_matches(['[', ']']);
    let hosts: Vec<IpAddr> = if host.eq_ignore_ascii_case("localhost") {
        vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    } else {
        vec![host.parse().ok()?]
    };
    let leads_to = |listener: &SocketAddr| {
        let there = listener.ip().to_canonical();
        let reaches = |host: &IpAddr| {
            let host = host.to_canonical();
            // A connection to 0.0.0.0 goes to this machine, and a listener on it takes every address of it.
            let same = host == there || (host.is_unspecified() && there.is_loopback());
            same || (there.is_unspecified() && (host.is_unspecified() || is_of_this_machine(host)))
        };
        listener.port() == port && hosts.iter().any(reaches)
    };
    own.iter().copied().find(leads_to)
}

/// Only an address of this machine can be bound.
fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || std::net::UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_that_lead_back_are_found() {
        let loopback: SocketAddr = "127.0.0.1:9102".parse().unwrap();
        let all: SocketAddr = "0.0.0.0:9200".parse().unwrap();
        let v6: SocketAddr = "[::1]:8125".parse().unwrap();
        let own = [loopback, all, v6];
        let cases = [
            ("http://127.0.0.1:9102", Some(loopback)),
            ("http://localhost:9102/v1/traces", Some(loopback)),
            ("http://LOCALHOST:9102", Some(loopback)),
            ("http://0.0.0.0:9102", Some(loopback)),
            ("http://[::ffff:127.0.0.1]:9102", Some(loopback)),
            ("http://127.0.0.1:9200", Some(all)),
            ("http://127.9.9.9:9200", Some(all)),
            ("http://[::1]:8125", Some(v6)),
            ("http://localhost:8125", Some(v6)),
            ("http://127.0.0.1:4318", None),
            ("http://192.0.2.1:9200", None),
            ("http://collector:9102", None),
            ("http://127.0.0.1", None),
            ("not a url", None),
        ];
        for (endpoint, expected) in cases {
            assert_eq!(own_listener(endpoint, &own), expected, "{endpoint}");
        }
    }

    #[test]
    fn an_endpoint_that_leads_back_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut config = config::Config::default();
        let endpoint = "http://127.0.0.1:9102".to_owned();
        config.telemetry.otlp = Some(config::TelemetryOtlp { endpoint, protocol: OtlpProtocol::Http });
        let error = start(&config, runtime.handle()).unwrap_err();
        insta::assert_snapshot!(error, @"`telemetry.otlp.endpoint` is `http://127.0.0.1:9102`, where pillion itself listens (127.0.0.1:9102): its own telemetry would come back to it. Point it at a collector");
    }
}
