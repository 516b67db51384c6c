//! The options of pillion: their types, defaults and documentation, in one place.
//!
//! Everything below this module sees resolved values only: a `Config` that exists is valid. Loading
//! (TOML, environment, located errors) never leaks into the types that the rest of the house reads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Everything an agent needs to run.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Config {
    pub statsd: Statsd,
    pub limits: Limits,
    pub metrics: Metrics,
    pub rules: Vec<Rule>,
    pub http: Http,
    pub backends: BTreeMap<String, Backend>,
    pub telemetry: Telemetry,
    pub shutdown: Shutdown,
    /// From `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`; empty when neither is set.
    pub resource: BTreeMap<String, String>,
}

/// `[statsd]`: what listens, and how a line is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Statsd {
    /// One per socket address; each has its own limits and statistics.
    pub listeners: Vec<Listener>,
    /// `+n` and `-n` gauges: `true` adds to the kept value (etsy), `false` reads a sign (Datadog).
    pub gauge_deltas: bool,
    pub influx_tags: bool,
    pub librato_tags: bool,
    pub signalfx_tags: bool,
    /// Whether `c:`, `e:` and `card:` become part of a context (as tags); off by default.
    pub origin: bool,
}

/// One StatsD listener, with what `[statsd]` gives to all of them filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    pub address: ListenAddress,
    /// UDP only: sockets (and threads) that share the port by `SO_REUSEPORT`.
    pub workers: usize,
    /// Bytes asked of the kernel; 0 keeps the kernel's default.
    pub receive_buffer: usize,
    /// UDP only: how long to let datagrams gather after a drain that emptied the socket.
    pub coalesce: Duration,
    /// UDP only: the share of the receive buffer that may fill up while waiting, 0 to 1.
    pub coalesce_fill: f64,
    /// Largest datagram or frame in bytes; a larger one is counted and not read.
    pub max_packet: usize,
    /// Unix sockets only: permissions of the socket file.
    pub socket_mode: u32,
    /// Stream sockets only.
    pub max_connections: usize,
    pub gauge_deltas: bool,
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

/// `[limits]`: what one message may hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub name_bytes: usize,
    pub tag_bytes: usize,
    pub tags: usize,
}

/// `[metrics]`: aggregation.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    pub flush_interval: Duration,
    pub expiry: Duration,
    pub context_limit: usize,
    /// Contexts per metric name before new ones fold into the name's overflow series.
    pub name_limit: usize,
    /// Members that a set counts exactly before it estimates.
    pub set_exact: usize,
    /// Quantiles 0..1 reported for timers, histograms and distributions where quantiles are sent.
    pub percentiles: Vec<f64>,
    pub histograms: HistogramStyle,
    /// Upper bounds in seconds for timers on `/metrics`, without +Inf.
    pub timer_buckets: Vec<f64>,
    /// Upper bounds for `h` and `d` on `/metrics`, without +Inf.
    pub histogram_buckets: Vec<f64>,
    pub summary_window: Duration,
    /// Points with a client timestamp kept per flush window; more are dropped and counted.
    pub timestamped_limit: usize,
    /// Put before every name, with its separator as written (`"shop."`).
    pub namespace: String,
    /// Names that begin with one of these get no namespace.
    pub namespace_exclude: Vec<String>,
    /// `key:value` or bare tags added to every context; a message's own key wins.
    pub tags: Vec<String>,
}

/// How timers, histograms and distributions appear on `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HistogramStyle {
    #[default]
    Histogram,
    Summary,
}

/// `[[rules]]`: the first rule whose pattern matches a context's name decides.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Rule {
    pub pattern: String,
    pub pattern_kind: PatternKind,
    /// Only these types (`c g ms h d s`); empty = all.
    pub types: Vec<crate::statsd::Kind>,
    pub drop: bool,
    /// New name; `$1`, `${2}`, `${name}` stand for what the pattern captured.
    pub name: Option<String>,
    /// Tags to set (value may use captures), before `drop_tags` look.
    pub set_tags: BTreeMap<String, String>,
    /// Tag keys (globs) to remove.
    pub drop_tags: Vec<String>,
    /// Tag values to rewrite.
    pub rewrite_tags: Vec<TagRewrite>,
    pub force_type: Option<crate::statsd::Kind>,
    pub ttl: Option<Duration>,
    pub buckets: Option<Vec<f64>>,
    pub percentiles: Option<Vec<f64>>,
    pub histograms: Option<HistogramStyle>,
    pub help: Option<String>,
    pub unit: Option<String>,
}

/// One entry of a rule's `rewrite_tags`: values of `key` that match `pattern` (a regex) become `value`.
#[derive(Clone, Debug, PartialEq)]
pub struct TagRewrite {
    pub key: String,
    pub pattern: String,
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PatternKind {
    #[default]
    Glob,
    Regex,
}

/// `[http]`: the one HTTP server (`/metrics`, `/live`, `/ready`, `/status`).
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    pub listen: SocketAddr,
    /// `/status` for peers other than loopback.
    pub status_for_all: bool,
    pub max_connections: usize,
}

/// `[backends.NAME]`: one push backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    pub delivery: Delivery,
    pub kind: BackendKind,
}

/// What every backend has: its queue and its patience.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub queue_bytes: usize,
    pub timeout: Duration,
    pub retry_initial: Duration,
    pub retry_max: Duration,
    /// After this long a payload is dropped (`retries_exhausted`).
    pub retry_elapsed: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum BackendKind {
    Otlp(Otlp),
    File(File),
}

/// `type = "otlp"`
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// `http://host:4317` (gRPC) or `http://host:4318` (HTTP; `/v1/metrics` is appended).
    pub endpoint: String,
    pub protocol: OtlpProtocol,
    pub temporality: Temporality,
    pub compression: Compression,
    pub headers: BTreeMap<String, Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    Grpc,
    Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    Delta,
    Cumulative,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
}

/// `type = "file"`: JSON lines.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// A path, or `-` for standard output.
    pub path: PathBuf,
    /// Rotate when the file would grow beyond this; 0 never rotates.
    pub rotate_bytes: u64,
    pub rotate_keep: usize,
}

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// `[telemetry]`: what pillion says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// A `tracing` filter: `info`, `pillion=debug`.
    pub log: String,
    pub log_json: bool,
    /// How often the human summary is logged; 0 never.
    pub summary_interval: Duration,
    pub otlp: Option<TelemetryOtlp>,
}

/// `[telemetry.otlp]`: where pillion's own spans and logs go.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryOtlp {
    pub endpoint: String,
    pub protocol: OtlpProtocol,
}

/// `[shutdown]`
#[derive(Clone, Debug, PartialEq)]
pub struct Shutdown {
    /// Longest time to keep receiving after SIGTERM.
    pub drain: Duration,
    /// Receiving ends earlier when this long passes without a message.
    pub quiet: Duration,
    /// For the last flush to every backend.
    pub deadline: Duration,
    /// Linger this long for one last scrape; 0 does not.
    pub await_scrape: Duration,
}

impl Default for Statsd {
    fn default() -> Self {
        Statsd {
            listeners: vec![Listener::at(ListenAddress::Udp(SocketAddr::from(([127, 0, 0, 1], 8125))))],
            gauge_deltas: true,
            influx_tags: true,
            librato_tags: true,
            signalfx_tags: true,
            origin: false,
        }
    }
}

impl Listener {
    /// A listener with the defaults of all options but its address.
    pub fn at(address: ListenAddress) -> Self {
        Listener {
            address,
            workers: 1,
            receive_buffer: 0,
            coalesce: Duration::from_millis(1),
            coalesce_fill: 0.25,
            max_packet: 65_535,
            socket_mode: 0o722,
            max_connections: 1_000,
            gauge_deltas: true,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { name_bytes: 200, tag_bytes: 200, tags: 100 }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            flush_interval: Duration::from_secs(10),
            expiry: Duration::from_secs(300),
            context_limit: 1_000_000,
            name_limit: 100_000,
            set_exact: 256,
            percentiles: vec![0.5, 0.9, 0.95, 0.99],
            histograms: HistogramStyle::Histogram,
            timer_buckets: vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
            histogram_buckets: vec![
                0.01, 0.1, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 1e5, 1e6,
            ],
            summary_window: Duration::from_secs(300),
            timestamped_limit: 10_000,
            namespace: String::new(),
            namespace_exclude: Vec::new(),
            tags: Vec::new(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Http { listen: SocketAddr::from(([127, 0, 0, 1], 9102)), status_for_all: false, max_connections: 64 }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Delivery {
            queue_bytes: 16 << 20,
            timeout: Duration::from_secs(10),
            retry_initial: Duration::from_secs(1),
            retry_max: Duration::from_secs(30),
            retry_elapsed: Duration::from_secs(300),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry { log: "info".into(), log_json: false, summary_interval: Duration::from_secs(60), otlp: None }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Shutdown {
            drain: Duration::from_secs(5),
            quiet: Duration::from_secs(1),
            deadline: Duration::from_secs(10),
            await_scrape: Duration::ZERO,
        }
    }
}
