//! The messages of `pillion send`, as lines of DogStatsD.
//!
//! What would be taken apart differently than it was written is refused here, with what to change.

use clap::{Args, ValueEnum};
use std::fmt::Write;

#[derive(Args, Debug)]
pub(super) struct Metric {
    /// The name, such as orders.created.
    name: String,
    /// A number; for a set any text, for a gauge +1 and -1 change the kept value.
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// c counter, g gauge, ms timer, h histogram, d distribution, s set.
    #[arg(short = 't', long = "type", value_enum, default_value = "c")]
    kind: KindName,
    /// The share of events that is sent, above 0 and at most 1; a counter of 1 at 0.1 counts 10.
    #[arg(long)]
    rate: Option<f64>,
    #[command(flatten)]
    tags: Tags,
}

#[derive(Args, Debug)]
pub(super) struct Event {
    /// The title.
    title: String,
    /// The text.
    text: String,
    /// What kind of event it is.
    #[arg(long, value_enum, default_value = "info")]
    alert: Alert,
    /// An event of low priority.
    #[arg(long)]
    low_priority: bool,
    /// Events with the same key belong together.
    #[arg(long, value_name = "KEY")]
    aggregation_key: Option<String>,
    /// The host it is about.
    #[arg(long)]
    host: Option<String>,
    #[command(flatten)]
    tags: Tags,
}

#[derive(Args, Debug)]
pub(super) struct Check {
    /// The name, such as database.
    name: String,
    /// What was found.
    #[arg(value_enum)]
    status: Status,
    /// More about it.
    #[arg(long)]
    message: Option<String>,
    /// The host it is about.
    #[arg(long)]
    host: Option<String>,
    #[command(flatten)]
    tags: Tags,
}

#[derive(Args, Debug)]
struct Tags {
    /// A tag, key:value or bare; may be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KindName {
    C,
    G,
    Ms,
    H,
    D,
    S,
}

impl KindName {
    fn symbol(self) -> &'static str {
        match self {
            KindName::C => "c",
            KindName::G => "g",
            KindName::Ms => "ms",
            KindName::H => "h",
            KindName::D => "d",
            KindName::S => "s",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Alert {
    Info,
    Success,
    Warning,
    Error,
}

impl Alert {
    fn word(self) -> &'static str {
        match self {
            Alert::Info => "info",
            Alert::Success => "success",
            Alert::Warning => "warning",
            Alert::Error => "error",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    #[value(alias = "0")]
    Ok,
    #[value(alias = "1")]
    Warning,
    #[value(alias = "2")]
    Critical,
    #[value(alias = "3")]
    Unknown,
}

impl Status {
    fn number(self) -> u8 {
        match self {
            Status::Ok => 0,
            Status::Warning => 1,
            Status::Critical => 2,
            Status::Unknown => 3,
        }
    }
}

impl Metric {
    pub(super) fn line(&self) -> Result<String, String> {
        part("the name", &self.name, &[':', '|'])?;
        part("the value", &self.value, &['|', ':'])?;
        let number = self.value.parse::<f64>().is_ok_and(f64::is_finite);
        if !number && !matches!(self.kind, KindName::S) {
            return Err(format!("`{}` is not a number; only sets (--type s) take text", self.value));
        }
        let mut line = format!("{}:{}|{}", self.name, self.value, self.kind.symbol());
        if let Some(rate) = self.rate {
            if !(rate > 0.0 && rate <= 1.0) {
                return Err(format!("the rate {rate} must be above 0 and at most 1"));
            }
            push(&mut line, format_args!("|@{rate}"));
        }
        self.tags.push(&mut line)?;
        Ok(line)
    }
}

impl Event {
    pub(super) fn line(&self) -> Result<String, String> {
        if self.title.is_empty() {
            return Err("the title is empty".into());
        }
        let (title, text) = (escape(&self.title), escape(&self.text));
        let mut line = format!("_e{{{},{}}}:{title}|{text}", title.len(), text.len());
        for (field, value) in [("h", &self.host), ("k", &self.aggregation_key)] {
            if let Some(value) = value {
                part("a field", value, &['|'])?;
                push(&mut line, format_args!("|{field}:{value}"));
            }
        }
        if self.low_priority {
            line.push_str("|p:low");
        }
        push(&mut line, format_args!("|t:{}", self.alert.word()));
        self.tags.push(&mut line)?;
        Ok(line)
    }
}

impl Check {
    pub(super) fn line(&self) -> Result<String, String> {
        part("the name", &self.name, &['|'])?;
        let mut line = format!("_sc|{}|{}", self.name, self.status.number());
        if let Some(host) = &self.host {
            part("the host", host, &['|'])?;
            push(&mut line, format_args!("|h:{host}"));
        }
        self.tags.push(&mut line)?;
        if let Some(message) = &self.message {
            let message = escape(message);
            // The message is the last field, and runs to the end of the line.
            part("the message", &message, &['|'])?;
            push(&mut line, format_args!("|m:{message}"));
        }
        Ok(line)
    }
}

impl Tags {
    fn push(&self, line: &mut String) -> Result<(), String> {
        for (index, tag) in self.tags.iter().enumerate() {
            part("a tag", tag, &['|', ','])?;
            line.push_str(if index == 0 { "|#" } else { "," });
            line.push_str(tag);
        }
        Ok(())
    }
}

fn push(line: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = line.write_fmt(text);
}

/// A line break ends a message, so events and checks carry it as `\n`.
fn escape(text: &str) -> String {
    text.replace('\n', "\\n")
}

fn part(what: &str, text: &str, forbidden: &[char]) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    match text.chars().find(|c| forbidden.contains(c) || c.is_control()) {
        Some(c) => Err(format!("{what} `{}` may not hold {c:?}", text.escape_debug())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::What;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        what: What,
    }

    fn line(arguments: &[&str]) -> Result<String, String> {
        let arguments = std::iter::once("send").chain(arguments.iter().copied());
        match Line::try_parse_from(arguments).map_err(|error| error.kind().to_string())?.what {
            What::Metric(metric) => metric.line(),
            What::Event(event) => event.line(),
            What::Check(check) => check.line(),
        }
    }

    #[test]
    fn arguments_become_lines() {
        for (arguments, expected) in [
            (&["metric", "orders.created", "1"][..], "orders.created:1|c"),
            (
                &["metric", "a", "1.5", "--type", "ms", "--rate", "0.5", "--tag", "env:dev", "--tag", "x"],
                "a:1.5|ms|@0.5|#env:dev,x",
            ),
            (&["metric", "a", "-3", "-t", "g"], "a:-3|g"),
            (&["metric", "a", "anna", "-t", "s"], "a:anna|s"),
            (&["event", "Hé", "two\nlines"], "_e{3,10}:Hé|two\\nlines|t:info"),
            (
                &["event", "T", "x", "--alert", "error", "--low-priority", "--host", "h", "--tag", "a:b"],
                "_e{1,1}:T|x|h:h|p:low|t:error|#a:b",
            ),
            (&["check", "db", "ok"], "_sc|db|0"),
            (&["check", "db", "2", "--tag", "a:b", "--message", "no\nroom"], "_sc|db|2|#a:b|m:no\\nroom"),
        ] {
            assert_eq!(line(arguments).as_deref(), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn what_would_be_read_otherwise_is_refused() {
        for (arguments, error) in [
            (&["metric", "a:b", "1"][..], "the name `a:b` may not hold ':'"),
            (&["metric", "", "1"], "the name is empty"),
            (&["metric", "a", "x"], "`x` is not a number; only sets (--type s) take text"),
            (&["metric", "a", "NaN"], "`NaN` is not a number; only sets (--type s) take text"),
            (&["metric", "a", "1", "--rate", "0"], "the rate 0 must be above 0 and at most 1"),
            (&["metric", "a", "1", "--tag", "b,c"], "a tag `b,c` may not hold ','"),
            (&["event", "", "x"], "the title is empty"),
            (&["check", "a|b", "ok"], "the name `a|b` may not hold '|'"),
        ] {
            assert_eq!(line(arguments), Err(error.to_owned()), "{arguments:?}");
        }
    }
}
