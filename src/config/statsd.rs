//! `[statsd]`: what listens, and how a line is read.
//!
//! The options of a listener may stand in `[statsd]`, for all of them, or beside one address.

use super::format::{
    Bytes, Count, Format, Fraction, ListenUrl, OneOf, Shape, SocketMode, Span, Switch, choices,
};
use super::load::{Load, join};
use super::node::{Node, Raw, Table};
use super::section::{Opt, Section, section};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// What listens for StatsD, and how a line is read.
    pub struct Statsd {
        given {
            /// One per socket address; each has its own limits and statistics.
            listeners: Vec<Listener> = vec![Listener::default()];
        }
        /// Read tags in the name as Influx writes them: `name,tag=value:1|c`.
        influx_tags "influx_tags": bool as Switch = true;
        /// Read tags in the name as Librato writes them: `name#tag=value:1|c`.
        librato_tags "librato_tags": bool as Switch = true;
        /// Read tags in the name as SignalFx writes them: `name[tag=value]:1|c`.
        signalfx_tags "signalfx_tags": bool as Switch = true;
        /// Make the origin that clients send tags of a context: `container_id` of `c:`, `kube_container_name`
        /// and `pod_uid` of `e:`, as many as `card:` asks for; of `DD_ENTITY_ID` where a message has neither.
        /// Beside one application all origins are the same, so it is off.
        origin "origin": bool as Switch = false;
    }
}

choices! {
    /// How a gauge with a sign is read.
    GaugeSign: bool { "delta" => true, "absolute" => false }
}

section! {
    /// One StatsD listener, with what `[statsd]` gives to all of them filled in.
    pub struct Listener {
        given {
            /// Where it listens.
            address: ListenAddress = ListenAddress::Udp(SocketAddr::from(([127, 0, 0, 1], 8125)));
            /// Whether `receive_buffer` is a wish of the user's, and where it stands.
            receive_buffer_written: Written = Written::Nowhere;
        }
        /// UDP only: sockets, each with a thread, that share the port by `SO_REUSEPORT`. One keeps gauges
        /// exactly in order and takes more than a million messages a second; use more when one core is full.
        workers "workers": usize as Count<1, 64> = 1;
        /// UDP only: the receive buffer to ask of the kernel; 0 keeps the kernel's default. The kernel gives no
        /// more than `net.core.rmem_max`, unless pillion may use `SO_RCVBUFFORCE` (`CAP_NET_ADMIN`). When this is
        /// written and the kernel gives less, a warning says what to change.
        receive_buffer "receive_buffer": usize as Bytes<usize, 0, { 1 << 30 }> = 4 << 20;
        /// UDP only: how long datagrams may gather after the socket has been emptied, so that one wake-up
        /// takes many. Costs that much latency and saves most of the processor time of single datagrams.
        coalesce "coalesce": Duration as Span<0, 1_000> = Duration::from_millis(1);
        /// UDP only: the share of the receive buffer that may fill up while datagrams gather.
        coalesce_fill "coalesce_fill": f64 as Fraction = 0.25;
        /// Largest datagram or frame; a larger one is counted and not read.
        max_packet "max_packet": usize as Bytes<usize, 512, 65_535> = 65_535;
        /// Unix sockets only: permissions of the socket file. Writing is all that a client needs.
        socket_mode "socket_mode": u32 as SocketMode = 0o722;
        /// Stream sockets (`tcp`, `unix`) only: open connections; more are refused and counted.
        max_connections "max_connections": usize as Count<1, 100_000> = 1_000;
        /// What a gauge with a sign means: `"delta"` adds to the kept value (etsy), `"absolute"` sets it
        /// (Datadog).
        gauge_deltas "gauge_sign": bool as OneOf<GaugeSign> = true;
    }
}

/// Where an option of a listener was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It has its default.
    Nowhere,
    /// In `[statsd]` or in a variable: for all listeners.
    Shared,
    /// Beside the listener's address.
    Beside,
}

/// Where a StatsD listener listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// `udp://127.0.0.1:8125`
    Udp(SocketAddr),
    /// `tcp://127.0.0.1:8125`, newline-framed
    Tcp(SocketAddr),
    /// `unixgram:///path`
    UnixDatagram(PathBuf),
    /// `unix:///path`, each payload behind a 4-byte little-endian length
    UnixStream(PathBuf),
}

impl ListenAddress {
    /// Whether a listener's option has a meaning at this address.
    fn takes(&self, option: &str) -> bool {
        match option {
            "workers" | "receive_buffer" | "coalesce" | "coalesce_fill" => {
                matches!(self, ListenAddress::Udp(_))
            }
            "socket_mode" => matches!(self, ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_)),
            "max_connections" => matches!(self, ListenAddress::Tcp(_) | ListenAddress::UnixStream(_)),
            _ => true,
        }
    }
}

impl Listener {
    /// A listener with the defaults of all options but its address.
    pub fn at(address: ListenAddress) -> Self {
        Listener { address, ..Listener::default() }
    }
}

/// All options of `[statsd]`; `listen` is declared here, because it is a list of listeners.
pub(super) fn options() -> Vec<Opt> {
    let listen = Opt {
        key: "listen",
        kind: "list of listen addresses".into(),
        doc: " Where to listen: `udp://ADDRESS:PORT`, `tcp://ADDRESS:PORT` (one message a line),\n \
              `unixgram:///PATH` (datagrams), `unix:///PATH` (DogStatsD's length-framed stream). Instead of a\n \
              URL there may be a table with `address` and any of `workers`, `receive_buffer`, `coalesce`,\n \
              `coalesce_fill`, `max_packet`, `socket_mode`, `max_connections` and `gauge_sign` for that listener\n \
              alone: `{ address = \"unixgram:///run/dsd.socket\", socket_mode = \"0666\" }`.\n",
        default: Some("[\"udp://127.0.0.1:8125\"]".into()),
        sample: None,
        shape: Shape::List,
        secret: false,
    };
    std::iter::once(listen).chain(Listener::options()).chain(Statsd::options()).collect()
}

/// Reads `[statsd]`.
pub(super) fn read(table: &Table, load: &mut Load) -> Statsd {
    let path = "statsd";
    let known: Vec<&str> = options().iter().map(|option| option.key).collect();
    load.unknown(path, table, &known);
    let mut statsd = Statsd::default();
    load.section(&mut statsd, path, table);
    let mut base = Listener::default();
    load.section(&mut base, path, table);
    if table.get("receive_buffer").is_some() {
        base.receive_buffer_written = Written::Shared;
    }
    statsd.listeners = match table.get("listen") {
        Some(node) => listeners(node, &base, load),
        None => vec![base],
    };
    statsd
}

fn listeners(node: &Node, base: &Listener, load: &mut Load) -> Vec<Listener> {
    let path = "statsd.listen";
    load.places.insert(path.into(), node.at.clone());
    let Raw::List(items) = &node.raw else {
        let help = match node.text() {
            Some(url) => format!("write a list: `listen = [\"{url}\"]`"),
            None => "write a list such as `[\"udp://127.0.0.1:8125\"]`".into(),
        };
        load.fault(&node.at, format!("`{path}` must be a list"), node.found(), help);
        return Vec::new();
    };
    if items.is_empty() {
        let help = "write at least one address, or leave the option out".to_owned();
        load.fault(&node.at, format!("`{path}` is empty"), "nothing would listen", help);
    }
    let mut listeners = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(listener) = listener(item, &path, base, load) {
            // Counted among those that could be read: so the check of the whole finds them.
            load.places.insert(format!("statsd.listen[{}]", listeners.len()), item.at.clone());
            listeners.push(listener);
        }
    }
    listeners
}

fn listener(item: &Node, path: &str, base: &Listener, load: &mut Load) -> Option<Listener> {
    let Raw::Table(table) = &item.raw else {
        let address = ListenUrl::read(item, path, load)?;
        return Some(Listener { address, ..base.clone() });
    };
    let known: Vec<&str> =
        std::iter::once("address").chain(Listener::options().iter().map(|option| option.key)).collect();
    load.unknown(path, table, &known);
    let mut listener = base.clone();
    load.section(&mut listener, path, table);
    if table.get("receive_buffer").is_some() {
        listener.receive_buffer_written = Written::Beside;
    }
    let Some(address) = table.get("address") else {
        let help = "write `address = \"udp://127.0.0.1:8125\"`".to_owned();
        load.fault(&item.at, format!("`{path}.address` is missing"), "a listener without an address", help);
        return None;
    };
    listener.address = ListenUrl::read(address, &join(path, "address"), load)?;
    for (key, entry) in &table.entries {
        if known.contains(&key.as_str()) && !listener.address.takes(key) {
            load.fault(
                &entry.key_at,
                format!("`{path}.{key}` has no meaning for `{}`", listener.address),
                "without effect",
                format!("remove `{key}`"),
            );
        }
    }
    Some(listener)
}

impl Statsd {
    /// The options as TOML. What all listeners share stands once; the rest beside its address.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let defaults = Listener::default().values();
        let mut shared = Vec::new();
        let mut own: Vec<Vec<String>> = vec![Vec::new(); self.listeners.len()];
        for (index, (key, default)) in defaults.iter().enumerate() {
            let values: Vec<Option<String>> =
                self.listeners.iter().map(|listener| listener.values()[index].1.clone()).collect();
            // A listener for which the option means nothing holds what `[statsd]` says.
            let free = self.listeners.iter().position(|listener| !listener.address.takes(key));
            let base = match free {
                Some(position) => values[position].clone(),
                None if values.windows(2).all(|pair| pair[0] == pair[1]) => {
                    values.first().cloned().unwrap_or_else(|| default.clone())
                }
                None => default.clone(),
            };
            for (options, value) in own.iter_mut().zip(&values) {
                if let Some(value) = value.as_ref().filter(|_| *value != base) {
                    options.push(format!("{key} = {value}"));
                }
            }
            shared.extend(base.map(|base| (*key, base)));
        }
        let listen = self.listeners.iter().zip(own).map(|(listener, options)| {
            let address = ListenUrl::show(&listener.address).unwrap_or_default();
            match options.is_empty() {
                true => address,
                false => format!("{{ address = {address}, {} }}", options.join(", ")),
            }
        });
        let listen = format!("[{}]", listen.collect::<Vec<_>>().join(", "));
        let rest = self.values().into_iter().filter_map(|(key, value)| Some((key, value?)));
        std::iter::once(("listen", listen)).chain(shared).chain(rest).collect()
    }
}
