//! All options in the order of the file: what the example, the reference, the environment and the
//! suggestions are made from.

use super::backends::{self, TypeName};
use super::section::{Opt, Section};
use super::{DatadogIntake, HttpIntake, OtlpIntake, Traces, ZipkinIntake};
use super::{Delivery, Http, Limits, Metrics, Rule, Shutdown, Telemetry, TelemetryOtlp, statsd};
use crate::config::Statsd;

/// One table of the file.
pub(crate) struct Chapter {
    pub(crate) kind: ChapterKind,
    /// "metrics", "telemetry.otlp"; "backends.NAME" for every type of backend.
    pub(crate) path: &'static str,
    pub(crate) about: &'static str,
    pub(crate) options: Vec<Opt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChapterKind {
    Table,
    /// `[[rules]]`
    List,
    /// What all backends share.
    Delivery,
    Backend(TypeName),
}

impl Chapter {
    /// As it stands in the file.
    pub(crate) fn header(&self) -> String {
        match self.kind {
            ChapterKind::Table | ChapterKind::Delivery | ChapterKind::Backend(_) => {
                format!("[{}]", self.path)
            }
            ChapterKind::List => format!("[[{}]]", self.path),
        }
    }

    /// The header, with what tells one type of backend from another.
    pub(crate) fn title(&self) -> String {
        match self.kind {
            ChapterKind::Table | ChapterKind::List | ChapterKind::Delivery => self.header(),
            ChapterKind::Backend(of_type) => format!("{} with type = \"{}\"", self.header(), of_type.word()),
        }
    }

    /// The variable of an option, for the backend called `backend`; `None` where only the whole table
    /// has one.
    pub(crate) fn variable(&self, key: &str, backend: &str) -> Option<String> {
        let table = match self.kind {
            ChapterKind::Table => self.path.replace('.', "_").to_uppercase(),
            ChapterKind::Delivery | ChapterKind::Backend(_) => format!("BACKENDS_{backend}"),
            ChapterKind::List => return None,
        };
        Some(format!("PILLION_{table}_{}", key.to_uppercase()))
    }
}

/// The names that may stand at the top of a file.
pub(crate) const TABLES: [&str; 13] = [
    "statsd",
    "limits",
    "metrics",
    "rules",
    "http",
    "otlp",
    "datadog",
    "zipkin",
    "intake",
    "traces",
    "backends",
    "telemetry",
    "shutdown",
];

pub(crate) fn chapters() -> Vec<Chapter> {
    let table = |path, about, options| Chapter { kind: ChapterKind::Table, path, about, options };
    let mut chapters = vec![
        table("statsd", Statsd::ABOUT, statsd::options()),
        table("limits", Limits::ABOUT, Limits::options()),
        table("metrics", Metrics::ABOUT, Metrics::options()),
        Chapter { kind: ChapterKind::List, path: "rules", about: Rule::ABOUT, options: Rule::options() },
        table("http", Http::ABOUT, Http::options()),
        table("otlp", OtlpIntake::ABOUT, OtlpIntake::options()),
        table("datadog", DatadogIntake::ABOUT, DatadogIntake::options()),
        table("zipkin", ZipkinIntake::ABOUT, ZipkinIntake::options()),
        table("intake", HttpIntake::ABOUT, HttpIntake::options()),
        table("traces", Traces::ABOUT, Traces::options()),
    ];
    chapters.push(Chapter {
        kind: ChapterKind::Delivery,
        path: "backends.NAME",
        about: Delivery::ABOUT,
        options: std::iter::once(backends::type_option()).chain(Delivery::options()).collect(),
    });
    chapters.extend(TypeName::ALL.map(|of_type| Chapter {
        kind: ChapterKind::Backend(of_type),
        path: "backends.NAME",
        about: of_type.about(),
        options: of_type.options(),
    }));
    chapters.extend([
        table("telemetry", Telemetry::ABOUT, Telemetry::options()),
        table("telemetry.otlp", TelemetryOtlp::ABOUT, TelemetryOtlp::options()),
        table("shutdown", Shutdown::ABOUT, Shutdown::options()),
    ]);
    chapters
}

/// The table that has an option called `key`, for a key that stands in the wrong one.
pub(crate) fn home_of(key: &str) -> Option<String> {
    chapters()
        .iter()
        .find(|chapter| chapter.options.iter().any(|option| option.key == key))
        .map(Chapter::title)
}
