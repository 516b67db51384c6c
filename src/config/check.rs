//! What no single option can know: options that contradict each other, listeners that collide,
//! backends that would feed pillion with itself.

use super::home::own_listener;
use super::load::Load;
use super::node::Place;
use super::{Backend, BackendKind, Config, ListenAddress, OtlpProtocol};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// Checks a whole configuration; defaults bend to what was written.
pub(super) fn check(config: &mut Config, load: &mut Load) {
    metrics(config, load);
    listeners(config, load);
    for (name, backend) in &config.backends {
        self::backend(name, backend, config, load);
    }
    files(&config.backends, load);
    if let Some(otlp) = &config.telemetry.otlp {
        endpoint("telemetry.otlp", &otlp.endpoint, otlp.protocol, config, load);
    }
}

fn metrics(config: &mut Config, load: &mut Load) {
    let metrics = &mut config.metrics;
    if metrics.name_limit > metrics.context_limit {
        if load.is_written("metrics.name_limit") {
            let place = load.place("metrics.name_limit");
            let label = format!("more than `context_limit` ({})", metrics.context_limit);
            let help = "lower it, or raise `context_limit`".to_owned();
            load.fault(&place, "`metrics.name_limit` is above `metrics.context_limit`", label, help);
        }
        metrics.name_limit = metrics.context_limit;
    }
    if metrics.expiry < metrics.flush_interval {
        if load.is_written("metrics.expiry") {
            let place = load.place("metrics.expiry");
            let help = "write at least `flush_interval`: a context must live through one window".to_owned();
            load.fault(&place, "`metrics.expiry` is below `metrics.flush_interval`", "too short", help);
        }
        metrics.expiry = metrics.flush_interval;
    }
}

fn listeners(config: &Config, load: &mut Load) {
    let mut taken: Vec<(&ListenAddress, Place)> = Vec::new();
    for (index, listener) in config.statsd.listeners.iter().enumerate() {
        let address = &listener.address;
        let place = load.place(&format!("statsd.listen[{index}]"));
        if let Some((other, _)) = taken.iter().find(|(other, _)| collide(other, address)) {
            let message = format!("two listeners want `{address}`");
            let label = format!("taken by `{other}`");
            load.fault(
                &place,
                message,
                label,
                "remove one of them, or choose another port or path".to_owned(),
            );
        }
        taken.push((address, place));
    }
    let spans = [
        ("otlp.grpc", &config.otlp.grpc),
        ("otlp.http", &config.otlp.http),
        ("datadog.listen", &config.datadog.listen),
        ("zipkin.listen", &config.zipkin.listen),
    ];
    for (path, addresses) in spans {
        for address in addresses {
            let place = load.place(path);
            if let Some((other, other_place)) = taken.iter().find(|(other, _)| collide(other, address)) {
                // The one that was written is the one to look at.
                let at = if place == Place::Default { other_place.clone() } else { place.clone() };
                let message = format!("`{path}` and another listener want `{address}`");
                let help = "choose another port or path for one of them".to_owned();
                load.fault(&at, message, format!("taken by `{other}`"), help);
            }
            taken.push((address, place));
        }
    }
    let http = ListenAddress::Tcp(config.http.listen);
    if let Some((other, place)) = taken.iter().find(|(other, _)| collide(other, &http)) {
        let written = load.place("http.listen");
        // The one that was written is the one to look at.
        let place = if written == Place::Default { place.clone() } else { written };
        let message = format!("`http.listen` and the listener `{other}` want the same port");
        let label = format!("both listen on {}", config.http.listen);
        load.fault(&place, message, label, "choose another port for one of them".to_owned());
    }
}

fn collide(a: &ListenAddress, b: &ListenAddress) -> bool {
    match (a, b) {
        (ListenAddress::Udp(a), ListenAddress::Udp(b)) | (ListenAddress::Tcp(a), ListenAddress::Tcp(b)) => {
            same_socket(*a, *b)
        }
        (
            ListenAddress::UnixDatagram(a) | ListenAddress::UnixStream(a),
            ListenAddress::UnixDatagram(b) | ListenAddress::UnixStream(b),
        ) => a == b,
        (ListenAddress::Udp(_) | ListenAddress::Tcp(_), _)
        | (ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_), _) => false,
    }
}

/// Port 0 is another one each time; the unspecified address holds all of its family.
fn same_socket(a: SocketAddr, b: SocketAddr) -> bool {
    let all = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || (all && a.is_ipv4() == b.is_ipv4()))
}

fn backend(name: &str, backend: &Backend, config: &Config, load: &mut Load) {
    let path = format!("backends.{name}");
    let delivery = &backend.delivery;
    if delivery.retry_initial > delivery.retry_max {
        let place = load.place(&format!("{path}.retry_initial"));
        let message = format!("`{path}.retry_initial` is above `{path}.retry_max`");
        load.fault(&place, message, "the first pause is the shortest", "swap or lower it".to_owned());
    }
    match &backend.kind {
        BackendKind::Otlp(otlp) => endpoint(&path, &otlp.endpoint, otlp.protocol, config, load),
        BackendKind::File(_) => {}
        BackendKind::Zipkin(zipkin) => leads_home(&path, &zipkin.endpoint, "Zipkin's server", config, load),
        BackendKind::Datadog(datadog) => {
            if let Some(endpoint) = &datadog.endpoint {
                leads_home(&path, endpoint, "Datadog's intake or a proxy to it", config, load);
            }
        }
    }
}

/// `wanted` is what the endpoint should lead to.
fn leads_home(path: &str, endpoint: &str, wanted: &str, config: &Config, load: &mut Load) {
    if let Some(own) = own_listener(endpoint, config) {
        let path = format!("{path}.endpoint");
        let place = load.place(&path);
        let label = format!("pillion itself listens on {own}");
        let help = format!("write the address of {wanted}");
        load.fault(&place, format!("`{path}` leads to pillion itself"), label, help);
    }
}

fn endpoint(path: &str, endpoint: &str, protocol: OtlpProtocol, config: &Config, load: &mut Load) {
    if endpoint.is_empty() {
        return;
    }
    leads_home(path, endpoint, "a receiver of OTLP", config, load);
    let path = format!("{path}.endpoint");
    let place = load.place(&path);
    let has_path = endpoint.parse::<http::Uri>().is_ok_and(|uri| uri.path() != "/" && !uri.path().is_empty());
    match protocol {
        OtlpProtocol::Grpc if has_path => {
            let help = "remove the path, or write `protocol = \"http\"`".to_owned();
            load.fault(
                &place,
                format!("`{path}` has a path, which gRPC has no place for"),
                "with a path",
                help,
            );
        }
        OtlpProtocol::Http | OtlpProtocol::HttpJson if names_a_signal(endpoint) => {
            let help = "remove it: `/v1/metrics` and its like are appended".to_owned();
            load.fault(&place, format!("`{path}` names one signal"), "with the path of a signal", help);
        }
        OtlpProtocol::Grpc | OtlpProtocol::Http | OtlpProtocol::HttpJson => {}
    }
}

fn names_a_signal(endpoint: &str) -> bool {
    ["/v1/metrics", "/v1/logs", "/v1/traces"].iter().any(|path| endpoint.ends_with(path))
}

fn files(backends: &BTreeMap<String, Backend>, load: &mut Load) {
    let mut written: BTreeMap<&Path, &str> = BTreeMap::new();
    for (name, backend) in backends {
        let BackendKind::File(file) = &backend.kind else { continue };
        if file.path.as_os_str().is_empty() {
            continue;
        }
        if let Some(other) = written.insert(&file.path, name) {
            let place = load.place(&format!("backends.{name}.path"));
            let label = format!("`backends.{other}` writes it too");
            let message = format!("`backends.{name}.path` is written by two backends");
            load.fault(&place, message, label, "choose another path".to_owned());
        }
    }
}
