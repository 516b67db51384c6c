//! OpenTelemetry's SDKs: the scripts of `tests/clients` that send metrics and logs as apps do.

use super::Agent;
use super::tool::{node, python};
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    Python,
    Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    HttpProtobuf,
    HttpJson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
}

/// The preference that an SDK is given, with the number that OTLP has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temporality {
    Delta = 1,
    Cumulative = 2,
}

impl Sdk {
    /// A run of an app named `service` that measures what `measured` says.
    pub(crate) fn metrics(
        self,
        agent: &Agent,
        protocol: Protocol,
        temporality: Temporality,
        compression: Compression,
        service: &str,
    ) -> Command {
        let temporality = match temporality {
            Temporality::Delta => "delta",
            Temporality::Cumulative => "cumulative",
        };
        let mut command = self.script("otel_metrics");
        command.args(protocol.arguments(agent)).args([temporality, compression.word(), service]);
        command
    }

    /// A run of an app that logs by `bridge`.
    pub(crate) fn logs(
        self,
        agent: &Agent,
        protocol: Protocol,
        bridge: &str,
        compression: Compression,
    ) -> Command {
        let mut command = self.script("otel_logs");
        command.args(protocol.arguments(agent)).args([bridge, compression.word()]);
        command
    }

    fn script(self, name: &str) -> Command {
        match self {
            Sdk::Python => python(&format!("{name}.py")),
            Sdk::Node => node(&format!("{name}.js")),
        }
    }
}

impl Protocol {
    /// Its word and where it is spoken.
    fn arguments(self, agent: &Agent) -> [String; 2] {
        let (word, address) = match self {
            Protocol::Grpc => ("grpc", agent.otlp_grpc()),
            Protocol::HttpProtobuf => ("http-protobuf", agent.otlp_http()),
            Protocol::HttpJson => ("http-json", agent.otlp_http()),
        };
        [word.to_owned(), format!("http://{address}")]
    }
}

impl Compression {
    fn word(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
        }
    }
}
