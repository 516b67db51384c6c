//! `[telemetry]` and `[shutdown]`: what pillion says of itself, and how it ends.

use super::backends::{OtlpProtocol, protocol_of};
use super::format::{Endpoint, LogFilter, OneOf, Span, Switch, YEAR_MS, choices};
use super::load::Load;
use super::node::Table;
use super::section::{Section, section};
use std::time::Duration;

section! {
    /// What pillion says of itself.
    pub struct Telemetry {
        given {
            /// Where its own spans and logs go; nowhere when there is no endpoint.
            otlp: Option<TelemetryOtlp> = None;
        }
        /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or levels by module such
        /// as `warn,pillion::deliver=debug`.
        log "log": String as LogFilter = "info".to_owned();
        /// Log a JSON object a line in place of text.
        log_json "log_json": bool as Switch = false;
        /// How often a summary for people is logged; 0 never.
        summary_interval "summary_interval": Duration as Span<0, YEAR_MS> = Duration::from_secs(60);
    }
}

choices! {
    /// Those that the exporter of its own telemetry speaks.
    OwnProtocolName: OtlpProtocol { "grpc" => OtlpProtocol::Grpc, "http" => OtlpProtocol::Http }
}

section! {
    /// Where pillion's own spans and logs go. Off without an endpoint; the variables that are meant for the
    /// application, such as `OTEL_EXPORTER_OTLP_ENDPOINT`, are not read.
    pub struct TelemetryOtlp {
        /// The receiver, `http://HOST:4317` for gRPC or `http://HOST:4318` for HTTP.
        endpoint "endpoint": String as Endpoint = String::new(), example "\"http://collector:4318\"";
        /// How to speak. When it is not written, port 4317 means gRPC.
        protocol "protocol": OtlpProtocol as OneOf<OwnProtocolName> = OtlpProtocol::Http;
    }
}

section! {
    /// What happens between SIGTERM and the end. A second signal ends at once.
    pub struct Shutdown {
        /// Longest time to keep receiving: the application may get its signal at the same moment, and speak
        /// until its end.
        drain "drain": Duration as Span<0, 3_600_000> = Duration::from_secs(5);
        /// Receiving ends earlier when this long passes without a message.
        quiet "quiet": Duration as Span<0, 3_600_000> = Duration::from_secs(1);
        /// Longest time for the last flush to all backends.
        deadline "deadline": Duration as Span<0, 3_600_000> = Duration::from_secs(10);
        /// Wait so long for one last scrape of `/metrics`; 0 does not wait.
        await_scrape "await_scrape": Duration as Span<0, 3_600_000> = Duration::ZERO;
    }
}

/// Reads `[telemetry]` with `[telemetry.otlp]`.
pub(super) fn read(table: &Table, load: &mut Load) -> Telemetry {
    let path = "telemetry";
    let known: Vec<&str> =
        Telemetry::options().iter().map(|option| option.key).chain(std::iter::once("otlp")).collect();
    load.unknown(path, table, &known);
    let mut telemetry = Telemetry::default();
    load.section(&mut telemetry, path, table);
    telemetry.otlp = load.table(path, "otlp", table).and_then(|table| read_otlp(table, load));
    telemetry
}

fn read_otlp(table: &Table, load: &mut Load) -> Option<TelemetryOtlp> {
    let path = "telemetry.otlp";
    let known: Vec<&str> = TelemetryOtlp::options().iter().map(|option| option.key).collect();
    load.unknown(path, table, &known);
    let mut otlp = TelemetryOtlp::default();
    load.section(&mut otlp, path, table);
    if table.get("endpoint").is_none() {
        if load.is_written("telemetry.otlp.protocol") {
            let place = load.place("telemetry.otlp.protocol");
            let help = "write `endpoint = \"http://collector:4318\"` too".to_owned();
            load.fault(&place, "`telemetry.otlp` has no endpoint", "without effect", help);
        }
        return None;
    }
    if !load.is_written("telemetry.otlp.protocol") {
        otlp.protocol = protocol_of(&otlp.endpoint);
    }
    Some(otlp)
}
