//! Where the HTTP intakes listen: lists of addresses without a scheme, and of Unix sockets.

use super::address::{listen_address, socket_address};
use super::{Format, Shape, each, quote, show_list};
use crate::config::ListenAddress;
use crate::config::load::Load;
use crate::config::node::Node;

/// Where an HTTP intake listens: addresses and Unix sockets; none turns it off.
pub(crate) struct HttpListens;

impl Format for HttpListens {
    type Value = Vec<ListenAddress>;

    const SHAPE: Shape = Shape::List;

    fn kind() -> String {
        "list of addresses".into()
    }

    fn expects() -> String {
        "a list such as `[\"127.0.0.1:4318\", \"unix:///run/otlp.socket\"]`, or `[]` for none".into()
    }

    fn read(node: &Node, path: &str, load: &mut Load) -> Option<Vec<ListenAddress>> {
        each::<Self, ListenAddress>(node, path, load, |item, path, load| {
            let read = item.text().map(|text| match text.split_once("://") {
                None => socket_address(text).map(ListenAddress::Tcp),
                Some(("unix", _)) => listen_address(text).map_err(|_| None),
                Some(_) => socket_address(text).map(ListenAddress::Tcp),
            });
            match read {
                Some(Ok(address)) => return Some(address),
                Some(Err(Some(meant))) => {
                    let message = format!("`{path}` must be an IP address with a port");
                    load.fault(&item.at, message, item.found(), format!("write `\"{meant}\"`"));
                }
                Some(Err(None)) | None => load.wrong::<HttpListen>(path, item),
            }
            None
        })
    }

    fn show(value: &Vec<ListenAddress>) -> Option<String> {
        let shown = |address: &ListenAddress| match address {
            ListenAddress::Tcp(address) => quote(&address.to_string()),
            other => quote(&other.to_string()),
        };
        Some(show_list(value.iter().map(shown)))
    }
}

/// One of them, for messages.
struct HttpListen;

impl Format for HttpListen {
    type Value = ();

    fn kind() -> String {
        "address".into()
    }

    fn expects() -> String {
        "`127.0.0.1:4318`, `[::1]:4318` or `unix:///run/otlp.socket`".into()
    }

    fn read(_: &Node, _: &str, _: &mut Load) -> Option<()> {
        None
    }

    fn show((): &()) -> Option<String> {
        None
    }
}
