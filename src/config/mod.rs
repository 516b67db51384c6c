//! The options of pillion: their types, defaults and documentation, in one place.
//!
//! Everything below this module sees resolved values only: a `Config` that exists is valid. Loading
//! (TOML, environment, located errors) never leaks into the types that the rest of the house reads.
//! `section` says how options are declared; the files named like tables declare them.

mod backends;
mod check;
pub mod environment;
mod fault;
mod format;
mod home;
mod http;
mod intake;
mod load;
mod mask;
mod metrics;
mod nearest;
mod node;
mod reference;
mod rules;
mod schema;
mod section;
mod show;
mod statsd;
mod telemetry;
#[cfg(test)]
mod tests;
mod variables;

pub use backends::{
    Backend, BackendKind, Compression, Datadog, Delivery, File, Otlp, OtlpProtocol, PointTemporality, Secret,
    Temporality, Zipkin,
};
pub use fault::{ConfigError, ConfigErrors};
pub(crate) use format::{duration, listen_address};
pub use http::Http;
pub use intake::{DatadogIntake, HttpIntake, OtlpIntake, Traces, ZipkinIntake};
pub use metrics::{HistogramStyle, Limits, Metrics};
pub use reference::{example, reference};
pub use rules::{PatternKind, Rule, TagRewrite};
pub use statsd::{ListenAddress, Listener, Statsd, Written};
pub use telemetry::{Shutdown, Telemetry, TelemetryOtlp};

use load::Load;
use node::{Place, Table, table_from_toml};
use section::Section;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use toml::de::DeTable;

/// Everything an agent needs to run.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Config {
    pub statsd: Statsd,
    pub limits: Limits,
    pub metrics: Metrics,
    pub rules: Vec<Rule>,
    pub http: Http,
    pub otlp: OtlpIntake,
    pub datadog: DatadogIntake,
    pub zipkin: ZipkinIntake,
    pub intake: HttpIntake,
    pub traces: Traces,
    pub backends: BTreeMap<String, Backend>,
    pub telemetry: Telemetry,
    pub shutdown: Shutdown,
    /// From `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`; empty when neither is set.
    pub resource: BTreeMap<String, String>,
    /// From `DD_ENTITY_ID`: with `statsd.origin`, where messages come from that do not say it.
    pub entity: Option<String>,
}

/// A configuration, and what is known of its making.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// Variables of others (`DD_TAGS` and the like) that could not be used: no mistake, but to be told.
    pub notices: Vec<String>,
    load: Load,
}

impl Loaded {
    /// Mistakes that were found later, in options that loaded: each with the option's path
    /// (`rules[0].name`), what is wrong, and what to write instead. An option that was not written is
    /// looked for at what it is a part of.
    pub fn mistakes(mut self, found: impl IntoIterator<Item = (String, String, String)>) -> ConfigErrors {
        for (path, message, help) in found {
            let ends = path.match_indices(['.', '[']).map(|(at, _)| at);
            let ends: Vec<usize> = ends.chain([path.len()]).collect();
            let written = ends.iter().rev().find_map(|end| self.load.places.get(&path[..*end])).cloned();
            let place = written.unwrap_or(Place::Default);
            self.load.fault(&place, format!("`{path}`: {message}"), "here", help);
        }
        ConfigErrors { errors: self.load.take_faults() }
    }
}

/// The largest configuration file that is read.
const LARGEST_FILE: u64 = 4 << 20;

impl Config {
    /// Reads the file, when there is one, and lays the environment over it.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(path: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Config, ConfigErrors> {
        load_file(path, environment).map(|loaded| loaded.config)
    }
}

/// `Config::load`, with the origin of each option.
///
/// # Errors
/// All mistakes at once.
pub fn load_file(
    path: Option<&Path>,
    environment: &BTreeMap<String, String>,
) -> Result<Loaded, ConfigErrors> {
    let Some(path) = path else { return load_text("", "", environment) };
    let name = path.display().to_string();
    let unreadable = |why: String| {
        let help = "`--config` or `PILLION_CONFIG` names the file".to_owned();
        ConfigErrors::one(format!("cannot read `{name}`: {why}"), Some(help))
    };
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(unreadable(error.to_string()));
    }
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(unreadable(format!("it is larger than {LARGEST_FILE} bytes")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => load_text(&name, &text, environment),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(unreadable(format!("line {line} is not UTF-8")))
        }
    }
}

/// `load_file` for a text that is already here; `name` stands for the file in messages.
///
/// # Errors
/// All mistakes at once.
pub fn load_text(
    name: &str,
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Loaded, ConfigErrors> {
    let mut load = Load::default();
    let (parsed, errors) = DeTable::parse_recoverable(text);
    let mut root = table_from_toml(parsed.into_inner(), Place::Default, &Place::File);
    let shown = if errors.is_empty() { mask::mask(text, &root) } else { mask::mask_lines(text) };
    let source = fault::Source { name: name.to_owned(), text: shown, is_variable: false };
    load.file = Some(Arc::new(source));
    for error in &errors {
        let place = error.span().map_or(Place::Default, Place::File);
        let help = "see https://toml.io for how TOML is written".to_owned();
        load.fault(&place, "this is not TOML", error.message().to_owned(), help);
    }
    if !errors.is_empty() {
        // What was recovered of the file would only bring mistakes that nobody made.
        root = Table::empty(Place::Default);
    }
    variables::overlay(&mut root, environment, &mut load);
    let mut config = read(&root, &mut load);
    check::check(&mut config, &mut load);
    let errors = load.take_faults();
    if !errors.is_empty() {
        return Err(ConfigErrors { errors });
    }
    let tags = std::mem::take(&mut config.metrics.tags);
    let outside = environment::Environment::read(&tags, &|variable| environment.get(variable).cloned());
    if outside.tags != tags {
        load.also.insert("metrics.tags".into(), "DD_* variables".into());
    }
    config.metrics.tags = outside.tags;
    config.resource = outside.resource;
    config.entity = outside.entity;
    let notices = outside.ignored.iter().map(ToString::to_string).collect();
    Ok(Loaded { config, notices, load })
}

fn read(root: &Table, load: &mut Load) -> Config {
    load.unknown("", root, &schema::TABLES);
    let mut config = Config::default();
    if let Some(table) = load.table("", "statsd", root) {
        config.statsd = statsd::read(table, load);
    }
    config.limits = simple("limits", root, load);
    config.metrics = simple("metrics", root, load);
    config.http = simple("http", root, load);
    config.otlp = simple("otlp", root, load);
    config.datadog = simple("datadog", root, load);
    config.zipkin = simple("zipkin", root, load);
    config.intake = simple("intake", root, load);
    config.traces = simple("traces", root, load);
    config.shutdown = simple("shutdown", root, load);
    if let Some(node) = root.get("rules") {
        config.rules = rules::read(node, load);
    }
    if let Some(table) = load.table("", "backends", root) {
        config.backends = backends::read(table, load);
    }
    if let Some(table) = load.table("", "telemetry", root) {
        config.telemetry = telemetry::read(table, load);
    }
    config
}

/// A table that is one section and nothing else.
fn simple<S: Section + Default>(path: &str, root: &Table, load: &mut Load) -> S {
    let mut section = S::default();
    if let Some(table) = load.table("", path, root) {
        let known: Vec<&str> = S::options().iter().map(|option| option.key).collect();
        load.unknown(path, table, &known);
        load.section(&mut section, path, table);
    }
    section
}
