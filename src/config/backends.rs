//! `[backends.NAME]`: where metrics, events, checks and spans are pushed to.
//!
//! A new type of backend is one section, one variant and one line in each `match` below.

use super::format::{
    Bytes, Count, Endpoint, FilePath, Format, Headers, OneOf, Optional, SecretText, Span, Text, YEAR_MS,
    choices,
};
use super::load::{Load, join};
use super::node::{Node, Raw, Table};
use super::section::{Opt, Section, section};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// `[backends.NAME]`: one push backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    pub delivery: Delivery,
    pub kind: BackendKind,
}

/// The type of a backend with its own options.
#[derive(Clone, Debug, PartialEq)]
pub enum BackendKind {
    Otlp(Otlp),
    File(File),
    Zipkin(Zipkin),
    Datadog(Datadog),
}

/// The types by name, as empty values of their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeName {
    Otlp,
    File,
    Zipkin,
    Datadog,
}

choices! {
    Types: TypeName {
        "otlp" => TypeName::Otlp,
        "file" => TypeName::File,
        "zipkin" => TypeName::Zipkin,
        "datadog" => TypeName::Datadog,
    }
}

impl TypeName {
    pub(crate) const ALL: [TypeName; 4] =
        [TypeName::Otlp, TypeName::File, TypeName::Zipkin, TypeName::Datadog];

    /// As it stands behind `type`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            TypeName::Otlp => "otlp",
            TypeName::File => "file",
            TypeName::Zipkin => "zipkin",
            TypeName::Datadog => "datadog",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            TypeName::Otlp => Otlp::ABOUT,
            TypeName::File => File::ABOUT,
            TypeName::Zipkin => Zipkin::ABOUT,
            TypeName::Datadog => Datadog::ABOUT,
        }
    }

    /// The options of this type alone.
    pub(crate) fn options(self) -> Vec<Opt> {
        match self {
            TypeName::Otlp => Otlp::options(),
            TypeName::File => File::options(),
            TypeName::Zipkin => Zipkin::options(),
            TypeName::Datadog => Datadog::options(),
        }
    }
}

/// The longest pause that delivery takes, in milliseconds.
const DAY_MS: u64 = 86_400_000;

section! {
    /// What every backend has: a queue and patience.
    pub struct Delivery {
        /// Most bytes that wait; when it is full, new metrics push out what is oldest, counted, and new spans are
        /// refused, which their clients are told.
        queue_bytes "queue_bytes": usize as Bytes<usize, 1, { 16 << 30 }> = 16 << 20;
        /// Longest time for one request.
        timeout "timeout": Duration as Span<1, YEAR_MS> = Duration::from_secs(10);
        /// The pause before the first repetition after a passing fault; it doubles, with jitter. At most
        /// `retry_max`, which it follows when it is not written.
        retry_initial "retry_initial": Duration as Span<1, DAY_MS> = Duration::from_secs(1);
        /// The longest pause.
        retry_max "retry_max": Duration as Span<1, DAY_MS> = Duration::from_secs(30);
        /// After so long a payload is given up, dropped and counted.
        retry_elapsed "retry_elapsed": Duration as Span<0, YEAR_MS> = Duration::from_secs(300);
    }
}

choices! {
    ProtocolName: OtlpProtocol {
        "grpc" => OtlpProtocol::Grpc,
        "http" => OtlpProtocol::Http,
        "http/json" => OtlpProtocol::HttpJson,
    }
}

choices! {
    TemporalityName: Temporality {
        "cumulative" => Temporality::Cumulative,
        "delta" => Temporality::Delta,
    }
}

choices! {
    PointTemporalityName: PointTemporality {
        "unchanged" => PointTemporality::Unchanged,
        "delta" => PointTemporality::Delta,
        "cumulative" => PointTemporality::Cumulative,
    }
}

choices! {
    CompressionName: Compression {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "zstd" => Compression::Zstd,
    }
}

section! {
    /// OpenTelemetry metrics, spans, and events and checks as logs, by OTLP; what came by OTLP, as it came
    /// unless `points` says otherwise.
    pub struct Otlp {
        /// The receiver, `http://HOST:4317` for gRPC or `http://HOST:4318` for HTTP, where `/v1/metrics`,
        /// `/v1/logs` and `/v1/traces` are appended.
        endpoint "endpoint": String as Endpoint = String::new(), required "\"http://collector:4318\"";
        /// How to speak; over `"http"` in protobuf, which is smaller and cheaper than JSON. When it is not
        /// written, port 4317 means gRPC.
        protocol "protocol": OtlpProtocol as OneOf<ProtocolName> = OtlpProtocol::Http;
        /// Whether StatsD's counters and histograms are sent as totals since the start or as changes since the
        /// last flush.
        temporality "temporality": Temporality as OneOf<TemporalityName> = Temporality::Cumulative;
        /// For a receiver that takes only one: what sums and histograms that came by OTLP are converted to;
        /// docs/otlp-metrics.md says what cannot be. Sums that may fall are never made deltas.
        points "points": PointTemporality as OneOf<PointTemporalityName>
            = PointTemporality::Unchanged;
        /// Compression of the payload. Every receiver takes `gzip` (level 1): a quarter or less on the wire for
        /// some 0.3 processor seconds a million spans. `zstd` (level 1; over gRPC 3) costs no more and leaves
        /// less where it is taken; none is right beside a collector on the same machine.
        compression "compression": Compression as OneOf<CompressionName> = Compression::Gzip;
        /// Sent with every request, such as `{ authorization = "Bearer …" }`; never shown. The variable
        /// takes `name=value,name=value`.
        headers "headers": BTreeMap<String, Secret> as Headers = BTreeMap::new();
    }
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    Grpc,
    /// Protobuf over HTTP.
    Http,
    HttpJson,
}

/// What the points of counters and histograms cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    Delta,
    Cumulative,
}

/// What is made of points that came by OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointTemporality {
    Unchanged,
    Delta,
    Cumulative,
}

/// Compression of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

section! {
    /// JSON lines, one object a line, in a file or on the standard output.
    pub struct File {
        /// The file, or `-` for the standard output.
        path "path": PathBuf as FilePath = PathBuf::new(), required "\"/var/log/pillion/metrics.jsonl\"";
        /// Begin a new file when this one would grow beyond this size; 0 never does.
        rotate_bytes "rotate_bytes": u64 as Bytes<u64, 0, { u64::MAX }> = 100 << 20;
        /// How many old files stay. Their names hold the time (UTC) when they became old:
        /// `NAME-2026-01-31T08-05-09.250.EXTENSION`.
        rotate_keep "rotate_keep": usize as Count<0, 1_000> = 5;
    }
}

section! {
    /// Spans for Zipkin, by its HTTP API in JSON.
    pub struct Zipkin {
        /// The server, such as `http://HOST:9411`; `/api/v2/spans` is appended.
        endpoint "endpoint": String as Endpoint = String::new(), required "\"http://zipkin:9411\"";
        /// Compression of the payload. It costs processor time and pays across a network.
        compression "compression": Compression as OneOf<CompressionName> = Compression::None;
        /// Sent with every request; never shown. The variable takes `name=value,name=value`.
        headers "headers": BTreeMap<String, Secret> as Headers = BTreeMap::new();
    }
}

section! {
    /// Spans for Datadog, and the statistics that its tracers computed themselves.
    pub struct Datadog {
        /// The Datadog site, such as `datadoghq.eu`; spans go to `https://trace.agent.SITE`.
        site "site": String as Text = "datadoghq.com".to_owned();
        /// Another address instead of the site's, such as that of a proxy; `/api/v0.2/traces` and
        /// `/api/v0.2/stats` are appended.
        endpoint "endpoint": Option<String> as Optional<Endpoint> = None, example "\"http://127.0.0.1:8080\"";
        /// The API key of the organization; never shown.
        api_key "api_key": Secret as SecretText = Secret::default(), required "\"…\"";
        /// Compression of the spans. `zstd` costs a sixth of the processor time of `gzip`.
        compression "compression": Compression as OneOf<CompressionName> = Compression::Zstd;
        /// The environment of spans that name none.
        env "env": String as Text = "none".to_owned();
        /// The host of spans that name none. When it is not written, the name of this machine.
        hostname "hostname": Option<String> as Optional<Text> = None, example "\"web-1\"";
    }
}

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// `type`, which every backend has and no section holds.
pub(super) fn type_option() -> Opt {
    Opt {
        key: "type",
        kind: OneOf::<Types>::kind(),
        doc: " What kind of backend this is.\n",
        default: None,
        sample: Some(super::section::required("\"otlp\"")),
        shape: super::format::Shape::One,
        secret: false,
    }
}

/// Reads `[backends]`.
pub(super) fn read(table: &Table, load: &mut Load) -> BTreeMap<String, Backend> {
    let mut backends = BTreeMap::new();
    for (name, entry) in &table.entries {
        let path = join("backends", name);
        let fits =
            name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !fits || name.is_empty() {
            let help = "write letters, digits, `_` and `-`, at most 64: it becomes a label".to_owned();
            load.fault(&entry.key_at, format!("`{name}` cannot name a backend"), "not a name", help);
        }
        let Some(table) = backend_table(&path, &entry.node, load) else { continue };
        if let Some(backend) = backend(&path, table, load) {
            backends.insert(name.clone(), backend);
        }
    }
    backends
}

fn backend_table<'a>(path: &str, node: &'a Node, load: &mut Load) -> Option<&'a Table> {
    if let Raw::Table(table) = &node.raw {
        return Some(table);
    }
    let help = "write `[backends.NAME]` with a name of your choice above a backend's options".to_owned();
    load.fault(&node.at, format!("`{path}` is not a table"), node.found(), help);
    None
}

fn backend(path: &str, table: &Table, load: &mut Load) -> Option<Backend> {
    let mut delivery = Delivery::default();
    load.section(&mut delivery, path, table);
    if !load.is_written(&join(path, "retry_initial")) {
        delivery.retry_initial = delivery.retry_initial.min(delivery.retry_max);
    }
    if table.get("type").is_none() {
        let help = format!("write `type = \"…\"` with {}", OneOf::<Types>::expects());
        load.fault(&table.at, format!("`{path}.type` is missing"), "a backend without a type", help);
        return None;
    }
    let of_type = load.option::<OneOf<Types>>(path, "type", table)?;
    let options = of_type.options();
    let known: Vec<&str> = std::iter::once("type")
        .chain(Delivery::options().iter().map(|option| option.key))
        .chain(options.iter().map(|option| option.key))
        .collect();
    load.unknown(path, table, &known);
    let kind = match of_type {
        TypeName::Otlp => {
            let mut otlp = Otlp::default();
            load.section(&mut otlp, path, table);
            if !load.is_written(&join(path, "protocol")) {
                otlp.protocol = protocol_of(&otlp.endpoint);
            }
            BackendKind::Otlp(otlp)
        }
        TypeName::File => {
            let mut file = File::default();
            load.section(&mut file, path, table);
            BackendKind::File(file)
        }
        TypeName::Zipkin => {
            let mut zipkin = Zipkin::default();
            load.section(&mut zipkin, path, table);
            BackendKind::Zipkin(zipkin)
        }
        TypeName::Datadog => {
            let mut datadog = Datadog::default();
            load.section(&mut datadog, path, table);
            BackendKind::Datadog(datadog)
        }
    };
    Some(Backend { delivery, kind })
}

/// What an endpoint speaks when nobody says: 4317 is the port of OTLP by gRPC.
pub(super) fn protocol_of(endpoint: &str) -> OtlpProtocol {
    match super::format::endpoint_target(endpoint) {
        Some((_, 4317)) => OtlpProtocol::Grpc,
        Some(_) | None => OtlpProtocol::Http,
    }
}

impl Backend {
    /// The options as TOML, `type` first.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let (of_type, own) = match &self.kind {
            BackendKind::Otlp(otlp) => (TypeName::Otlp, otlp.values()),
            BackendKind::File(file) => (TypeName::File, file.values()),
            BackendKind::Zipkin(zipkin) => (TypeName::Zipkin, zipkin.values()),
            BackendKind::Datadog(datadog) => (TypeName::Datadog, datadog.values()),
        };
        let options = own.into_iter().chain(self.delivery.values());
        std::iter::once(("type", super::format::quote(of_type.word())))
            .chain(options.filter_map(|(key, value)| Some((key, value?))))
            .collect()
    }
}
