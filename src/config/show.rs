//! The effective configuration as people read it: TOML that loads to the same configuration again
//! (but for secrets, which stay hidden), with the origin of each value beside it.

use super::format::{key, quote};
use super::load::Load;
use super::section::Section;
use super::{Config, Loaded, Rule};
use std::fmt::Write;

impl Loaded {
    /// The effective configuration with secrets hidden; behind each value its origin: `default`, the
    /// line of the file, or the variable.
    pub fn display(&self) -> String {
        write(&self.config, Some(&self.load))
    }
}

impl Config {
    /// The configuration as TOML, with secrets hidden.
    pub fn display(&self) -> String {
        write(self, None)
    }
}

/// Values are padded to this width before their origin; longer ones push it out.
const WIDTH: usize = 44;

struct Writer<'a> {
    text: String,
    load: Option<&'a Load>,
}

impl Writer<'_> {
    fn table(&mut self, header: &str, path: &str, values: impl IntoIterator<Item = (&'static str, String)>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(header);
        for (option, value) in values {
            let line = format!("{option} = {value}");
            match self.load {
                Some(load) => {
                    let origin = load.origin(&format!("{path}.{option}"));
                    self.line(&format!("{line:WIDTH$}  # {origin}"));
                }
                None => self.line(&line),
            }
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn written(values: Vec<(&'static str, Option<String>)>) -> impl Iterator<Item = (&'static str, String)> {
    values.into_iter().filter_map(|(option, value)| Some((option, value?)))
}

fn write(config: &Config, load: Option<&Load>) -> String {
    let mut writer = Writer { text: String::new(), load };
    writer.table("[statsd]", "statsd", config.statsd.shown());
    writer.table("[limits]", "limits", written(config.limits.values()));
    writer.table("[metrics]", "metrics", written(config.metrics.values()));
    let plain = Rule::default().values();
    for (index, rule) in config.rules.iter().enumerate() {
        let said = rule.values().into_iter().zip(&plain).filter(|(value, default)| value != *default);
        writer.table(
            "[[rules]]",
            &format!("rules[{index}]"),
            written(said.map(|(value, _)| value).collect()),
        );
    }
    writer.table("[http]", "http", written(config.http.values()));
    writer.table("[otlp]", "otlp", written(config.otlp.values()));
    writer.table("[datadog]", "datadog", written(config.datadog.values()));
    writer.table("[zipkin]", "zipkin", written(config.zipkin.values()));
    writer.table("[intake]", "intake", written(config.intake.values()));
    writer.table("[traces]", "traces", written(config.traces.values()));
    for (name, backend) in &config.backends {
        writer.table(&format!("[backends.{}]", key(name)), &format!("backends.{name}"), backend.shown());
    }
    writer.table("[telemetry]", "telemetry", written(config.telemetry.values()));
    if let Some(otlp) = &config.telemetry.otlp {
        writer.table("[telemetry.otlp]", "telemetry.otlp", written(otlp.values()));
    }
    writer.table("[shutdown]", "shutdown", written(config.shutdown.values()));
    let mut text = writer.text;
    if !config.resource.is_empty() {
        text.push_str("\n# Resource attributes, from OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME:\n");
    }
    for (name, value) in &config.resource {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {} = {}", key(name), quote(value));
    }
    if let Some(entity) = config.entity.as_ref().filter(|_| config.statsd.origin) {
        let _ =
            write!(text, "\n# Origin of messages that name none, from DD_ENTITY_ID:\n# {}\n", quote(entity));
    }
    text
}
