//! Mistakes in a configuration, as people read them: where, what, and what to write instead.
//!
//! A secret must never appear here; `crate::config::mask` blanks them in the excerpts.

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// All mistakes of one configuration; never empty.
#[derive(Debug)]
pub struct ConfigErrors {
    pub(super) errors: Vec<ConfigError>,
}

/// One mistake.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    pub(super) message: String,
    /// Beside the excerpt: what stands there.
    pub(super) label: String,
    /// What to write instead.
    pub(super) help: Option<String>,
    pub(super) excerpt: Option<Excerpt>,
}

/// A text and the bytes of it that are at fault.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    pub(super) source: Arc<Source>,
    pub(super) range: Range<usize>,
}

/// A text that excerpts are cut from, by whole lines.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
    /// Whether `text` is the `NAME=value` of a variable.
    pub(super) is_variable: bool,
}

impl Excerpt {
    /// What is at fault, but no further than to the end of its first line. Where the text ends too
    /// early, its last character stands for what is missing.
    pub(super) fn new(source: Arc<Source>, range: Range<usize>) -> Self {
        let text = source.text.trim_end();
        let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
        let start = if range.start >= text.len() { last } else { range.start };
        let line_end = start + line_length(&source.text.as_bytes()[start..]);
        let first = source.text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let end = range.end.max(start + first).min(line_end);
        Excerpt { source, range: start..end.max(start) }
    }
}

fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

impl Source {
    /// The line that holds a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }
}

impl SourceCode for Source {
    /// With context, the one line in which `span` begins; without, `span` alone, which is how the
    /// renderer asks for line and column. Neighbouring lines would tell nothing.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let bytes = self.text.as_bytes();
        let head = bytes.get(..span.offset()).ok_or(MietteError::OutOfBounds)?;
        let line_start = head.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = self.line(span.offset()) - 1;
        let (start, end) = match before {
            0 => (span.offset(), (span.offset() + span.len()).min(bytes.len())),
            _ => (line_start, span.offset() + line_length(&bytes[span.offset()..])),
        };
        let column = String::from_utf8_lossy(&bytes[line_start..start]).chars().count();
        let shown = SourceSpan::from(start..end);
        let name = self.name.clone();
        Ok(Box::new(MietteSpanContents::new_named(name, &bytes[start..end], shown, line, column, 1)))
    }
}

impl Diagnostic for ConfigError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| &*excerpt.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let range = &self.excerpt.as_ref()?.range;
        let label = LabeledSpan::new(Some(self.label.clone()), range.start, range.len());
        Some(Box::new(std::iter::once(label)))
    }
}

impl ConfigErrors {
    pub(super) fn one(message: String, help: Option<String>) -> Self {
        ConfigErrors { errors: vec![ConfigError { message, label: String::new(), help, excerpt: None }] }
    }

    /// How many mistakes there are, at least one.
    pub fn count(&self) -> usize {
        self.errors.len()
    }

    /// All mistakes with excerpts, for a terminal.
    pub fn render(&self, colours: bool) -> String {
        let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_context_lines(1);
        let mut text = String::new();
        for error in &self.errors {
            if handler.render_report(&mut text, error).is_err() {
                text.push_str(&error.message);
            }
            text.push('\n');
        }
        text
    }
}

impl ConfigError {
    /// "pillion.toml:7:3: " or the name of the variable; empty where there is nothing to point at.
    fn location(&self) -> String {
        let Some(Excerpt { source, range }) = &self.excerpt else { return String::new() };
        if source.is_variable {
            let name = source.text.split_once('=').map_or(source.text.as_str(), |(name, _)| name);
            return format!("{name}: ");
        }
        let head = source.text.get(..range.start).unwrap_or_default();
        let column = head.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("{}:{}:{column}: ", source.name, source.line(range.start))
    }
}

/// One line a mistake, without excerpts.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}{}", error.location(), error.message)?;
            if let Some(help) = &error.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
