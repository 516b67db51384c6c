//! StatsD by way of the Datadog intake: tracers that found no UDP port send their runtime metrics by HTTP.
//!
//! The lines go through a listener of their own, so that they are counted, limited and flushed like all others.

use crate::config::Config;
use crate::config::ListenAddress;
use crate::intake::datadog::Statsd;
use crate::intake::statsd::{self as intake, Bound};
use crate::telemetry::{self, Metric};
use std::io;
use std::os::unix::net::UnixDatagram;

/// As it stands in `/status` and in labels.
const NAME: &str = "/dogstatsd/v2/proxy";
/// Bytes of one datagram; a body is cut behind lines.
const LARGEST: usize = 8_192;

/// The listener, and the way into it.
pub(super) fn bind(config: &Config) -> io::Result<(Bound, Statsd)> {
    let options = config.statsd.listeners.first().cloned().unwrap_or_default();
    let (bound, socket) = intake::inner(&options, NAME)?;
    let port = config.statsd.listeners.iter().find_map(|listener| match &listener.address {
        ListenAddress::Udp(address) => Some(address.port()),
        ListenAddress::Tcp(_) | ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_) => None,
    });
    let sink = Box::new(move |body: &[u8]| send(&socket, body));
    Ok((bound, Statsd { port: port.unwrap_or(0), sink }))
}

fn send(socket: &UnixDatagram, body: &[u8]) {
    for datagram in datagrams(body, LARGEST) {
        if socket.send(datagram).is_err() {
            // The thread is gone, or stuck for long.
            telemetry::add(Metric::DatadogNotCarried, &["dogstatsd_proxy"], 1);
        }
    }
}

/// Cuts behind line ends, into pieces of at most `largest` bytes but for a longer line, which its listener
/// refuses.
fn datagrams(mut body: &[u8], largest: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if body.is_empty() {
            return None;
        }
        let end = match body.get(..largest) {
            None => body.len(),
            Some(first) => match memchr::memrchr(b'\n', first) {
                Some(at) => at + 1,
                None => memchr::memchr(b'\n', body).map_or(body.len(), |at| at + 1),
            },
        };
        let (datagram, rest) = body.split_at(end);
        body = rest;
        Some(datagram)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_cut_behind_lines() {
        let cut = |body: &'static str| -> Vec<&str> {
            datagrams(body.as_bytes(), 8).map(|piece| std::str::from_utf8(piece).unwrap()).collect()
        };
        assert!(cut("").is_empty());
        assert_eq!(cut("a:1|c"), ["a:1|c"]);
        assert_eq!(cut("a:1|c\nb:1|c"), ["a:1|c\n", "b:1|c"]);
        assert_eq!(cut("a:1\nb:1\nc:1"), ["a:1\nb:1\n", "c:1"]);
        assert_eq!(cut("a.long.name:1|c\nb:1|c"), ["a.long.name:1|c\n", "b:1|c"]);
    }
}
