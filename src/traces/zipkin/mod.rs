//! Zipkin v2's span, and its mapping to and from OTLP: pure, without I/O.
//!
//! One borrowed structure for what its JSON and its protobuf carry, made for one span at a time. Sources: the
//! Zipkin API (`zipkin2-api.yaml`, `zipkin.proto`) and the "Zipkin" page of the OpenTelemetry specification; the
//! tables are in `docs/traces.md`. Read on in `json`, then `to_otlp` and `from_otlp`.

pub mod from_otlp;
pub mod json;
pub mod protobuf;
pub mod to_otlp;

use std::borrow::Cow;

/// One span; ids are left-padded with zeros, times are microseconds, 0 where absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span<'a> {
    pub trace_id: [u8; 16],
    pub id: [u8; 8],
    pub parent_id: Option<[u8; 8]>,
    pub name: Cow<'a, str>,
    pub kind: Kind,
    pub timestamp: u64,
    pub duration: u64,
    /// The trace was to be kept whatever the sampler said (B3's `d`).
    pub debug: bool,
    /// A server's half of a span whose id the client made.
    pub shared: bool,
    pub local: Endpoint<'a>,
    pub remote: Endpoint<'a>,
    pub annotations: Vec<(u64, Cow<'a, str>)>,
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// One side of a call; empty and 0 where absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint<'a> {
    pub service: Cow<'a, str>,
    pub ipv4: Cow<'a, str>,
    pub ipv6: Cow<'a, str>,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    None,
    Client,
    Server,
    Producer,
    Consumer,
}

impl Kind {
    /// OTLP's number.
    fn otlp(self) -> u32 {
        match self {
            Kind::None => 0,
            Kind::Server => 2,
            Kind::Client => 3,
            Kind::Producer => 4,
            Kind::Consumer => 5,
        }
    }

    /// As it stands in JSON.
    fn from_name(name: &str) -> Kind {
        match name {
            "CLIENT" => Kind::Client,
            "SERVER" => Kind::Server,
            "PRODUCER" => Kind::Producer,
            "CONSUMER" => Kind::Consumer,
            _ => Kind::None,
        }
    }
}

/// What stands for Zipkin's own facts among OTLP's attributes, and back.
mod key {
    pub(super) const SERVICE: &str = "service.name";
    pub(super) const LOCAL_ADDRESS: &str = "network.local.address";
    pub(super) const LOCAL_PORT: &str = "network.local.port";
    /// Where an endpoint has both kinds of address.
    pub(super) const LOCAL_IPV6: &str = "zipkin.local.ipv6";
    pub(super) const PEER_SERVICE: &str = "peer.service";
    pub(super) const PEER_ADDRESS: &str = "network.peer.address";
    pub(super) const PEER_PORT: &str = "network.peer.port";
    pub(super) const PEER_IPV6: &str = "zipkin.peer.ipv6";
    pub(super) const DEBUG: &str = "zipkin.debug";
    pub(super) const SHARED: &str = "zipkin.shared";
    /// A duration without a start.
    pub(super) const DURATION: &str = "zipkin.duration_us";
    /// Before a tag whose name means something else among attributes.
    pub(super) const TAG: &str = "zipkin.tag.";
    pub(super) const TRACE_STATE: &str = "w3c.tracestate";
    pub(super) const TRACE_FLAGS: &str = "w3c.traceflags";
    pub(super) const ERROR: &str = "error";
    pub(super) const STATUS_CODE: &str = "otel.status_code";

    pub(super) const TAKEN: [&str; 11] = [
        LOCAL_ADDRESS,
        LOCAL_PORT,
        LOCAL_IPV6,
        PEER_SERVICE,
        PEER_ADDRESS,
        PEER_PORT,
        PEER_IPV6,
        DEBUG,
        SHARED,
        DURATION,
        SERVICE,
    ];

    /// Whether a tag of this name must be set apart.
    pub(super) fn is_taken(tag: &str) -> bool {
        tag.starts_with(TAG) || TAKEN.contains(&tag)
    }
}

#[cfg(test)]
mod tests;
