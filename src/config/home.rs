//! Whether an endpoint leads back to pillion, which would then feed on itself.
//!
//! Names other than `localhost` are not resolved: that could block the start, and no name of this machine
//! is meant for its own sidecar.

use super::format::endpoint_target;
use super::{Config, ListenAddress};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The listener of ours that `endpoint` leads to, among all that a TCP client can reach.
pub(super) fn own_listener(endpoint: &str, config: &Config) -> Option<SocketAddr> {
    let statsd = config.statsd.listeners.iter().filter_map(|listener| match &listener.address {
        ListenAddress::Tcp(address) => Some(*address),
        ListenAddress::Udp(_) | ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_) => None,
    });
    let spans = [&config.otlp.grpc, &config.otlp.http, &config.datadog.listen, &config.zipkin.listen];
    let spans = spans.into_iter().flatten().filter_map(|address| match address {
        ListenAddress::Tcp(address) => Some(*address),
        ListenAddress::Udp(_) | ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_) => None,
    });
    statsd.chain(spans).chain([config.http.listen]).find(|listen| leads_to(endpoint, *listen))
}

fn leads_to(endpoint: &str, listen: SocketAddr) -> bool {
    let Some((host, port)) = endpoint_target(endpoint) else { return false };
    let hosts: Vec<IpAddr> = if host.eq_ignore_ascii_case("localhost") {
        vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    } else {
        host.parse().into_iter().collect()
    };
    let there = listen.ip().to_canonical();
    let reaches = |host: &IpAddr| {
        let host = host.to_canonical();
        // A connection to 0.0.0.0 goes to this machine, and a listener on it takes every address of it.
        let same = host == there || (host.is_unspecified() && there.is_loopback());
        same || (there.is_unspecified() && (host.is_unspecified() || is_of_this_machine(host)))
    };
    port == listen.port() && hosts.iter().any(reaches)
}

/// Only an address of this machine can be bound.
fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Listener;

    #[test]
    fn endpoints_that_lead_back_are_found() {
        let [loopback, all, v6] = ["127.0.0.1:9102", "0.0.0.0:9200", "[::1]:8125"]
            .map(|address| address.parse::<SocketAddr>().expect("an address"));
        let mut config = Config::default();
        config.http.listen = loopback;
        config.statsd.listeners = vec![
            Listener::default(),
            Listener::at(ListenAddress::Tcp(all)),
            Listener::at(ListenAddress::Tcp(v6)),
        ];
        for (endpoint, expected) in [
            ("http://127.0.0.1:9102", Some(loopback)),
            ("http://localhost:9102/v1/traces", Some(loopback)),
            ("http://LOCALHOST:9102", Some(loopback)),
            ("http://0.0.0.0:9102", Some(loopback)),
            ("http://[::ffff:127.0.0.1]:9102", Some(loopback)),
            ("http://127.0.0.1:9200", Some(all)),
            ("http://127.9.9.9:9200", Some(all)),
            ("http://[::1]:8125", Some(v6)),
            ("http://localhost:8125", Some(v6)),
            ("http://127.0.0.1:8125", None),
            ("http://127.0.0.1:4318", Some(SocketAddr::from(([127, 0, 0, 1], 4318)))),
            ("http://127.0.0.1:4319", None),
            ("http://192.0.2.1:9200", None),
            ("http://collector:9102", None),
            ("http://127.0.0.1", None),
            ("not a url", None),
        ] {
            assert_eq!(own_listener(endpoint, &config), expected, "{endpoint}");
        }
    }

    #[test]
    fn the_port_of_a_scheme_counts() {
        assert!(leads_to("http://localhost", ([127, 0, 0, 1], 80).into()));
        assert!(leads_to("https://localhost", ([127, 0, 0, 1], 443).into()));
        assert!(leads_to("http://10.0.0.1:9102", ([10, 0, 0, 1], 9102).into()));
    }
}
