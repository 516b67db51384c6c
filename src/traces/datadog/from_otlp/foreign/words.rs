//! What OpenTelemetry's semantic conventions say of a span, in Datadog's words: operation, resource, type.

use super::super::{Resource, text_of};
use crate::otlp::view::Value;
use crate::traces::datadog::Span;
use std::borrow::Cow;

const SERVER: u32 = 2;
const CLIENT: u32 = 3;

const METHOD: [&str; 2] = ["http.request.method", "http.method"];
const DATABASE: [&str; 2] = ["db.system.name", "db.system"];
const MESSAGING: [&str; 3] = ["messaging.operation.type", "messaging.operation.name", "messaging.operation"];
const RPC: [&str; 2] = ["rpc.system.name", "rpc.system"];

/// A span with its resource; the span's own attributes come first.
pub(super) struct Semantics<'s, 'a> {
    pub(super) kind: u32,
    pub(super) name: &'a str,
    pub(super) attributes: &'s [(&'a str, Value<'a>)],
    pub(super) resource: &'s Resource<'a>,
}

impl<'a> Semantics<'_, 'a> {
    /// The first of these that says something; else empty.
    pub(super) fn text(&self, names: &[&str]) -> &'a str {
        let own = text_of(self.attributes, names).filter(|text| !text.is_empty());
        own.unwrap_or_else(|| self.resource.text(names))
    }

    pub(super) fn version(&self) -> &'a str {
        self.text(&["service.version"])
    }

    pub(super) fn environment(&self) -> &'a str {
        self.text(&["deployment.environment.name", "deployment.environment"])
    }

    /// The name of the operation, which Datadog wants to be one of few.
    pub(super) fn operation(&self) -> Cow<'a, str> {
        let (is_server, is_client) = (self.kind == SERVER, self.kind == CLIENT);
        let given = self.text(&["operation.name"]);
        if !given.is_empty() {
            return given.into();
        }
        if !self.text(&METHOD).is_empty() && is_server {
            return "http.server.request".into();
        }
        if !self.text(&METHOD).is_empty() && is_client {
            return "http.client.request".into();
        }
        let database = self.text(&DATABASE);
        if !database.is_empty() && is_client {
            return format!("{database}.query").into();
        }
        let (system, operation) = (self.text(&["messaging.system"]), self.text(&MESSAGING));
        if !system.is_empty() && !operation.is_empty() && self.kind >= SERVER {
            return format!("{system}.{operation}").into();
        }
        if let Some(name) = self.call() {
            return name;
        }
        if !self.text(&["graphql.operation.type"]).is_empty() {
            return "graphql.server.request".into();
        }
        let side = match self.kind {
            SERVER => "server",
            CLIENT => "client",
            4 => return "Producer".into(),
            5 => return "Consumer".into(),
            _ => return "Internal".into(),
        };
        match self.text(&["network.protocol.name"]) {
            "" => format!("{side}.request").into(),
            protocol => format!("{protocol}.{side}.request").into(),
        }
    }

    /// The name of a remote call, or of a function's.
    fn call(&self) -> Option<Cow<'a, str>> {
        let side = match self.kind {
            SERVER => "server",
            CLIENT => "client",
            _ => return None,
        };
        match (self.text(&RPC), self.text(&["rpc.service"])) {
            ("", _) => {}
            ("aws-api", "") if side == "client" => return Some("aws.client.request".into()),
            ("aws-api", service) if side == "client" => return Some(format!("aws.{service}.request").into()),
            (system, _) => return Some(format!("{system}.{side}.request").into()),
        }
        let invoked = (self.text(&["faas.invoked_provider"]), self.text(&["faas.invoked_name"]));
        match (side, invoked, self.text(&["faas.trigger"])) {
            ("client", (provider, name), _) if !provider.is_empty() && !name.is_empty() => {
                Some(format!("{provider}.{name}.invoke").into())
            }
            ("server", _, trigger) if !trigger.is_empty() => Some(format!("{trigger}.invoke").into()),
            _ => None,
        }
    }

    /// What the operation works on.
    pub(super) fn resource(&self) -> Cow<'a, str> {
        let given = self.text(&["resource.name"]);
        if !given.is_empty() {
            return given.into();
        }
        let joined = |first: &'a str, second: &'a str| match second {
            "" => Cow::Borrowed(first),
            second => Cow::Owned(format!("{first} {second}")),
        };
        match self.text(&METHOD) {
            "" => {}
            method => {
                let method = if method == "_OTHER" { "HTTP" } else { method };
                return joined(method, if self.kind == SERVER { self.text(&["http.route"]) } else { "" });
            }
        }
        for (first, second) in [
            (&MESSAGING[..], &["messaging.destination.name", "messaging.destination"][..]),
            (&["rpc.method"], &["rpc.service"]),
            (&["graphql.operation.type"], &["graphql.operation.name"]),
        ] {
            let first = self.text(first);
            if !first.is_empty() {
                return joined(first, self.text(second));
            }
        }
        let statement = self.text(&["db.query.text", "db.statement"]);
        if !self.text(&DATABASE).is_empty() && !statement.is_empty() {
            return statement.into();
        }
        self.name.into()
    }

    /// The type of a span.
    pub(super) fn kind(&self) -> Cow<'a, str> {
        match (self.text(&["span.type"]), self.kind) {
            ("", SERVER) => "web".into(),
            ("", CLIENT) => match self.text(&DATABASE) {
                "" => "http".into(),
                system => database(system).into(),
            },
            ("", _) => "custom".into(),
            (given, _) => given.into(),
        }
    }
}

/// The type of a call to such a database.
fn database(system: &str) -> &'static str {
    match system {
        "other_sql"
        | "mssql"
        | "microsoft.sql_server"
        | "mysql"
        | "oracle"
        | "oracle.db"
        | "db2"
        | "ibm.db2"
        | "postgresql"
        | "redshift"
        | "aws.redshift"
        | "cloudscape"
        | "hsqldb"
        | "maxdb"
        | "sap.maxdb"
        | "ingres"
        | "actian.ingres"
        | "firstsql"
        | "edb"
        | "cache"
        | "intersystems_cache"
        | "firebird"
        | "firebirdsql"
        | "derby"
        | "informix"
        | "ibm.informix"
        | "mariadb"
        | "sqlite"
        | "sybase"
        | "teradata"
        | "vertica"
        | "h2"
        | "h2database"
        | "coldfusion"
        | "cockroachdb"
        | "progress"
        | "hanadb"
        | "sap.hana"
        | "adabas"
        | "softwareag.adabas"
        | "filemaker"
        | "instantdb"
        | "interbase"
        | "netezza"
        | "ibm.netezza"
        | "pervasive"
        | "pointbase"
        | "clickhouse" => "sql",
        "cassandra" => "cassandra",
        "redis" => "redis",
        "memcached" => "memcached",
        "mongodb" => "mongodb",
        "elasticsearch" => "elasticsearch",
        "opensearch" => "opensearch",
        _ => "db",
    }
}

/// The kind of a span in words.
pub(super) fn kind(number: u32) -> &'static str {
    match number {
        1 => "internal",
        SERVER => "server",
        CLIENT => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unspecified",
    }
}

/// The name that Datadog has for an attribute.
pub(super) fn renamed(key: &str) -> &str {
    match key {
        "client.address" => "http.client_ip",
        "http.response.body.size" => "http.response.content_length",
        "http.response.status_code" => "http.status_code",
        "http.request.body.size" => "http.request.content_length",
        "http.request.header.referrer" => "http.referrer",
        "http.request.method" => "http.method",
        "network.protocol.version" => "http.version",
        "server.address" => "http.server_name",
        "url.full" => "http.url",
        "user_agent.original" => "http.useragent",
        key => key,
    }
}

/// The HTTP status of a span as the message of its error.
pub(super) fn http_status(span: &Span<'_>) -> Option<String> {
    let (_, code) = span.metrics.iter().find(|(key, _)| key == "http.status_code")?;
    let status = http::StatusCode::from_u16(*code as u16).ok()?;
    Some(match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_str().to_owned(),
    })
}
