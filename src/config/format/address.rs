//! Places to listen at, send to and write to.

use super::text::Text;
use super::{Format, Shape, quote};
use crate::config::load::{Load, join};
use crate::config::node::{Node, Raw};
use crate::config::{ListenAddress, Secret};
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Uri};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An IP address and a port.
pub(crate) struct Address;

impl Format for Address {
    type Value = SocketAddr;

    fn kind() -> String {
        "IP address with a port".into()
    }

    fn expects() -> String {
        "an IP address and a port, such as `\"127.0.0.1:9102\"` or `\"[::1]:9102\"`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<SocketAddr> {
        match node.text().map(socket_address) {
            Some(Ok(address)) => return Some(address),
            Some(Err(Some(help))) => {
                load.fault(
                    &node.at,
                    format!("`{path}` must be an IP address with a port"),
                    node.found(),
                    format!("write `\"{help}\"`"),
                );
            }
            Some(Err(None)) | None => load.wrong::<Self>(path, node),
        }
        None
    }

    fn show(value: &SocketAddr) -> Option<String> {
        Some(quote(&value.to_string()))
    }
}

/// Reads an address; the error is what was probably meant. Names are not looked up, but `localhost`
/// is what everybody writes for the loopback.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Option<String>> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    if let Some(port) = text.strip_prefix(':').filter(|port| port.parse::<u16>().is_ok()) {
        return Err(Some(format!("127.0.0.1:{port}")));
    }
    if text.parse::<u16>().is_ok() {
        return Err(Some(format!("127.0.0.1:{text}")));
    }
    if let Some((_, rest)) = text.split_once("://").filter(|(_, rest)| rest.parse::<SocketAddr>().is_ok()) {
        return Err(Some(rest.to_owned()));
    }
    Err(None)
}

/// Where a StatsD listener listens, as a URL.
pub(crate) struct ListenUrl;

impl Format for ListenUrl {
    type Value = ListenAddress;

    fn kind() -> String {
        "listen address".into()
    }

    fn expects() -> String {
        "`udp://127.0.0.1:8125`, `tcp://127.0.0.1:8125`, `unixgram:///run/dsd.socket` or \
         `unix:///run/dsd.stream`"
            .into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<ListenAddress> {
        match node.text().map(listen_address) {
            Some(Ok(address)) => return Some(address),
            Some(Err(Some(help))) => {
                load.fault(&node.at, format!("`{path}` must be a listen address"), node.found(), help);
            }
            Some(Err(None)) | None => load.wrong::<Self>(path, node),
        }
        None
    }

    fn show(value: &ListenAddress) -> Option<String> {
        Some(quote(&value.to_string()))
    }
}

/// `sun_path` of a Unix address, less its final zero.
const LONGEST_SOCKET_PATH: usize = 107;

/// Reads a listen URL; the error is a hint when one can be given.
pub(crate) fn listen_address(text: &str) -> Result<ListenAddress, Option<String>> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let meant = if text.starts_with('/') { "unixgram" } else { "udp" };
        let complete = meant == "unixgram" || socket_address(text).is_ok();
        return Err(complete.then(|| format!("write `{meant}://{text}`")));
    };
    let net = |make: fn(SocketAddr) -> ListenAddress| match socket_address(rest) {
        Ok(address) => Ok(make(address)),
        Err(Some(meant)) => Err(Some(format!("write `{scheme}://{meant}`"))),
        Err(None) => Err(Some(format!("write an IP address and a port: `{scheme}://127.0.0.1:8125`"))),
    };
    let unix = |make: fn(PathBuf) -> ListenAddress| {
        if !rest.starts_with('/') || rest.len() < 2 {
            return Err(Some(format!(
                "write the whole path, with three slashes: `{scheme}:///run/dsd.socket`"
            )));
        }
        if rest.len() > LONGEST_SOCKET_PATH || rest.contains('\0') {
            return Err(Some(format!("the kernel takes paths of at most {LONGEST_SOCKET_PATH} bytes")));
        }
        Ok(make(PathBuf::from(rest)))
    };
    match scheme {
        "udp" => net(ListenAddress::Udp),
        "tcp" => net(ListenAddress::Tcp),
        "unixgram" => unix(ListenAddress::UnixDatagram),
        "unix" => unix(ListenAddress::UnixStream),
        "unixstream" => Err(Some(format!("write `unix://{rest}`"))),
        _ => Err(None),
    }
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ListenAddress::Udp(address) => write!(f, "udp://{address}"),
            ListenAddress::Tcp(address) => write!(f, "tcp://{address}"),
            ListenAddress::UnixDatagram(path) => write!(f, "unixgram://{}", path.display()),
            ListenAddress::UnixStream(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// Permissions of a socket file.
pub(crate) struct SocketMode;

impl Format for SocketMode {
    type Value = u32;

    fn kind() -> String {
        "file mode in octal".into()
    }

    fn expects() -> String {
        "a mode in octal, such as `\"0722\"`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<u32> {
        let mode = match &node.raw {
            Raw::Text(text) | Raw::Word(text) => {
                let digits = text.strip_prefix("0o").unwrap_or(text);
                // `from_str_radix` would take a sign.
                let octal = digits.bytes().all(|b| b.is_ascii_digit());
                octal.then(|| u32::from_str_radix(digits, 8).ok()).flatten()
            }
            Raw::Integer { value, radix: 8 } => u32::try_from(*value).ok(),
            // Decimal digits that look octal: 722 is 0o1322.
            Raw::Integer { .. }
            | Raw::Float(_)
            | Raw::Switch(_)
            | Raw::Date
            | Raw::List(_)
            | Raw::Table(_) => None,
        };
        let mode = mode.filter(|mode| *mode <= 0o777);
        if mode.is_none() {
            load.wrong::<Self>(path, node);
        }
        mode
    }

    fn show(value: &u32) -> Option<String> {
        Some(format!("\"{value:04o}\""))
    }
}

/// A URL to send to.
pub(crate) struct Endpoint;

impl Format for Endpoint {
    type Value = String;

    fn kind() -> String {
        "URL".into()
    }

    fn expects() -> String {
        "a URL with its scheme, such as `\"http://collector:4318\"`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<String> {
        let Some(text) = node.text() else {
            load.wrong::<Self>(path, node);
            return None;
        };
        // A message about a URL with a password must not repeat it.
        if text.split_once("://").is_some_and(|(_, rest)| rest.contains('@')) {
            load.fault(
                &node.at,
                format!("`{path}` holds a user or password"),
                "not shown, it may be secret",
                "write credentials into `headers`, which are never shown".to_owned(),
            );
            return None;
        }
        let parsed: Option<Uri> = text.parse().ok();
        let whole = parsed.as_ref().is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(has_host)
                && uri.query().is_none()
        });
        let (Some((scheme, rest)), true) = (text.split_once("://"), whole) else {
            let bare = !text.contains("://") && format!("http://{text}").parse::<Uri>().is_ok();
            let help = match bare && text.contains(':') && !text.starts_with(':') {
                true => format!("write the scheme: `\"http://{text}\"`"),
                false => format!("write {}", Self::expects()),
            };
            load.fault(&node.at, format!("`{path}` must be a URL"), node.found(), help);
            return None;
        };
        Some(format!("{}://{}", scheme.to_ascii_lowercase(), rest.trim_end_matches('/')))
    }

    fn show(value: &String) -> Option<String> {
        Some(quote(value))
    }
}

/// A host, and behind it nothing or a port that there is.
fn has_host(authority: &Authority) -> bool {
    let host = authority.host();
    !host.is_empty() && (authority.as_str() == host || authority.port().is_some())
}

/// The host and port that a checked endpoint leads to.
pub(crate) fn endpoint_target(endpoint: &str) -> Option<(String, u16)> {
    let uri: Uri = endpoint.parse().ok()?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    Some((uri.host()?.trim_matches(['[', ']']).to_owned(), port))
}

/// A file, or `-` for the standard output.
pub(crate) struct FilePath;

impl Format for FilePath {
    type Value = PathBuf;

    fn kind() -> String {
        "path".into()
    }

    fn expects() -> String {
        "a path, or `\"-\"` for the standard output".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<PathBuf> {
        match node.text() {
            Some(text) if !text.is_empty() && !text.ends_with('/') && !text.contains('\0') => {
                Some(PathBuf::from(text))
            }
            Some(text) if text.ends_with('/') => {
                let help = format!("write the name of a file: `\"{text}metrics.jsonl\"`");
                load.fault(&node.at, format!("`{path}` is a directory"), node.found(), help);
                None
            }
            Some(_) | None => {
                load.wrong::<Self>(path, node);
                None
            }
        }
    }

    fn show(value: &PathBuf) -> Option<String> {
        Some(quote(&value.to_string_lossy()))
    }
}

/// Request headers, whose values are secret.
pub(crate) struct Headers;

impl Format for Headers {
    type Value = BTreeMap<String, Secret>;

    const SHAPE: Shape = Shape::Table;
    const SECRET: bool = true;

    fn kind() -> String {
        "table of headers".into()
    }

    fn expects() -> String {
        "a table such as `{ authorization = \"Bearer …\" }`".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Self::Value> {
        let Raw::Table(table) = &node.raw else {
            load.wrong::<Self>(path, node);
            return None;
        };
        let mut headers = BTreeMap::new();
        let mut whole = true;
        for (name, entry) in &table.entries {
            let value = match &entry.node.raw {
                Raw::Text(_) | Raw::Word(_) => Text::read(&entry.node, &join(path, name), load),
                Raw::Integer { .. }
                | Raw::Float(_)
                | Raw::Switch(_)
                | Raw::Date
                | Raw::List(_)
                | Raw::Table(_) => {
                    let message = format!("`{}` must be text", join(path, name));
                    load.fault(
                        &entry.node.at,
                        message,
                        "not shown, it may be secret",
                        "write text in quotes".to_owned(),
                    );
                    None
                }
            };
            if name.parse::<HeaderName>().is_err() {
                let message = format!("`{name}` cannot be the name of a header");
                let help = "write letters, digits and `-`".to_owned();
                load.fault(&entry.key_at, message, "not a header name", help);
                whole = false;
            }
            if value.as_ref().is_some_and(|value| HeaderValue::from_str(value).is_err()) {
                let message = format!("`{}` cannot be the value of a header", join(path, name));
                let help = "write one line of visible ASCII".to_owned();
                load.fault(&entry.node.at, message, "not shown, it may be secret", help);
                whole = false;
            }
            match value {
                Some(value) => drop(headers.insert(name.to_ascii_lowercase(), Secret(value))),
                None => whole = false,
            }
        }
        whole.then_some(headers)
    }

    fn show(value: &Self::Value) -> Option<String> {
        let headers: Vec<String> =
            value.keys().map(|name| format!("{} = \"(hidden)\"", super::key(name))).collect();
        Some(if headers.is_empty() { "{}".into() } else { format!("{{ {} }}", headers.join(", ")) })
    }
}

/// A secret that is sent in a header, such as an API key.
pub(crate) struct SecretText;

impl Format for SecretText {
    type Value = Secret;

    const SECRET: bool = true;

    fn kind() -> String {
        "secret text".into()
    }

    fn expects() -> String {
        "one line of visible ASCII in quotes".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Secret> {
        let text = node.text().filter(|text| !text.is_empty() && HeaderValue::from_str(text).is_ok());
        if text.is_none() {
            let help = format!("write {}", Self::expects());
            load.fault(&node.at, format!("`{path}` cannot be sent"), "not shown, it may be secret", help);
        }
        text.map(|text| Secret(text.to_owned()))
    }

    fn show(_: &Secret) -> Option<String> {
        Some(quote("(hidden)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_read_back() {
        for text in [
            "udp://127.0.0.1:8125",
            "udp://[::1]:8125",
            "tcp://0.0.0.0:8125",
            "unixgram:///run/dsd.socket",
            "unix:///run/dsd.stream",
        ] {
            assert_eq!(listen_address(text).expect("valid").to_string(), text);
        }
        assert_eq!(listen_address("udp://localhost:1"), listen_address("udp://127.0.0.1:1"));
    }

    #[test]
    fn a_wrong_listen_address_gets_a_hint() {
        for (text, hint) in [
            ("127.0.0.1:8125", Some("write `udp://127.0.0.1:8125`")),
            ("/run/d.sock", Some("write `unixgram:///run/d.sock`")),
            ("udp://:8125", Some("write `udp://127.0.0.1:8125`")),
            ("udp://8125", Some("write `udp://127.0.0.1:8125`")),
            ("udp://example.org:8125", Some("write an IP address and a port: `udp://127.0.0.1:8125`")),
            (
                "unixgram://d.sock",
                Some("write the whole path, with three slashes: `unixgram:///run/dsd.socket`"),
            ),
            ("unixstream:///d.sock", Some("write `unix:///d.sock`")),
            ("http://127.0.0.1:8125", None),
            ("zebra", None),
        ] {
            assert_eq!(listen_address(text), Err(hint.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn an_endpoint_has_a_scheme_a_host_and_no_port_beyond_the_last() {
        for (text, read) in [
            ("http://h", Some("http://h")),
            ("HTTPS://h:4318/", Some("https://h:4318")),
            ("http://[::1]:4318/x/", Some("http://[::1]:4318/x")),
            ("http://h:65536", None),
            ("http://h:", None),
            ("http://:4318", None),
            ("ftp://h", None),
            ("http://h?x", None),
        ] {
            let file = format!("[telemetry.otlp]\nendpoint = '{text}'");
            let loaded = crate::config::load_text("test.toml", &file, &BTreeMap::new()).ok();
            let endpoint = loaded.and_then(|loaded| loaded.config.telemetry.otlp).map(|otlp| otlp.endpoint);
            assert_eq!(endpoint.as_deref(), read, "{text}");
        }
    }
}
