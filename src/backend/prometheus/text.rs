//! The text formats, 0.0.4 and 1.0.0, and the lines that OpenMetrics shares with them.
//!
//! What OpenMetrics does otherwise stands in `openmetrics`.

use super::buckets::ascending;
use super::head::Head;
use super::labels::Labels;
use super::name;
use super::number::{push_canonical, push_value, push_whole};
use super::openmetrics;
use super::point::{Histogram, Point, Summary};

/// Writes families as lines.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) openmetrics: bool,
    /// The family's name, escaped when it must be quoted.
    name: Vec<u8>,
    quoted: bool,
    /// Labels of the present series, without braces.
    labels: Vec<u8>,
    bounds: Bounds,
}

/// Texts of the bounds of the histogram before: most series of a page share theirs.
#[derive(Debug, Default)]
struct Bounds {
    of: Vec<f64>,
    texts: Vec<u8>,
    ends: Vec<usize>,
}

/// What a row could not say in its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Omitted {
    Nothing,
    Negative,
}

impl Text {
    pub(super) fn new(openmetrics: bool) -> Self {
        Text { openmetrics, ..Text::default() }
    }

    /// Writes the metadata of a family.
    pub(super) fn begin(&mut self, head: &Head, out: &mut Vec<u8>) {
        self.quoted = !name::is_metric_name(&head.name);
        self.name.clear();
        push_escaped(&head.name, self.quoted, &mut self.name);
        if self.openmetrics {
            openmetrics::push_metadata(head, out);
        } else {
            out.extend_from_slice(b"# HELP ");
            self.push_name(out);
            out.push(b' ');
            push_escaped(&head.help, false, out);
            out.extend_from_slice(b"\n# TYPE ");
            self.push_name(out);
            out.push(b' ');
            out.extend_from_slice(head.kind.as_str().as_bytes());
            out.push(b'\n');
        }
    }

    /// Writes the lines of one series of the family begun last.
    pub(super) fn row(&mut self, labels: &Labels, point: &Point<'_>, out: &mut Vec<u8>) -> Omitted {
        self.read_labels(labels);
        match point {
            Point::Single(value) => {
                self.open(out, "", None);
                push_value(*value, self.openmetrics, out);
                out.push(b'\n');
                Omitted::Nothing
            }
            Point::Histogram(histogram) => self.histogram(histogram, out),
            Point::Summary(summary) => self.summary(summary, out),
        }
    }

    fn histogram(&mut self, histogram: &Histogram<'_>, out: &mut Vec<u8>) -> Omitted {
        self.bounds.read(histogram.bounds, self.openmetrics);
        let mut start = 0;
        for ((_, n), end) in histogram.buckets().zip(&self.bounds.ends) {
            self.open(out, "_bucket", Some(("le", &self.bounds.texts[start..*end])));
            push_whole(n, out);
            out.push(b'\n');
            start = *end;
        }
        self.open(out, "_bucket", Some(("le", b"+Inf")));
        push_whole(histogram.count, out);
        out.push(b'\n');
        let below_zero = histogram.sum < 0.0 || histogram.bounds.iter().any(|bound| *bound < 0.0);
        if self.openmetrics && below_zero {
            // Both or neither, says the format; +Inf has the count.
            return Omitted::Negative;
        }
        self.sum_and_count(histogram.sum, histogram.count, out);
        Omitted::Nothing
    }

    fn summary(&mut self, summary: &Summary<'_>, out: &mut Vec<u8>) -> Omitted {
        let mut text = Vec::new();
        let mut omitted = Omitted::Nothing;
        for (q, value) in summary.values() {
            if self.openmetrics && value < 0.0 {
                omitted = Omitted::Negative;
                continue;
            }
            text.clear();
            push_canonical(q, self.openmetrics, &mut text);
            self.open(out, "", Some(("quantile", &text)));
            push_value(value, self.openmetrics, out);
            out.push(b'\n');
        }
        if self.openmetrics && summary.sum < 0.0 {
            self.open(out, "_count", None);
            push_whole(summary.count, out);
            out.push(b'\n');
            return Omitted::Negative;
        }
        self.sum_and_count(summary.sum, summary.count, out);
        omitted
    }

    fn sum_and_count(&self, sum: f64, count: u64, out: &mut Vec<u8>) {
        self.open(out, "_sum", None);
        push_value(sum, self.openmetrics, out);
        out.push(b'\n');
        self.open(out, "_count", None);
        push_whole(count, out);
        out.push(b'\n');
    }

    /// Writes a line up to its value.
    fn open(&self, out: &mut Vec<u8>, suffix: &str, own: Option<(&str, &[u8])>) {
        let mut separator: &[u8] = b"{";
        if self.quoted {
            out.extend_from_slice(b"{\"");
            out.extend_from_slice(&self.name);
            out.extend_from_slice(suffix.as_bytes());
            out.push(b'"');
            separator = b",";
        } else {
            out.extend_from_slice(&self.name);
            out.extend_from_slice(suffix.as_bytes());
        }
        if !self.labels.is_empty() {
            out.extend_from_slice(separator);
            out.extend_from_slice(&self.labels);
            separator = b",";
        }
        if let Some((label, value)) = own {
            out.extend_from_slice(separator);
            out.extend_from_slice(label.as_bytes());
            out.extend_from_slice(b"=\"");
            out.extend_from_slice(value);
            out.push(b'"');
            separator = b",";
        }
        out.extend_from_slice(if separator == b"{" { b" " } else { b"} " });
    }

    fn read_labels(&mut self, labels: &Labels) {
        self.labels.clear();
        for (name, value) in labels.iter() {
            if !self.labels.is_empty() {
                self.labels.push(b',');
            }
            if name::is_label_name(name) {
                self.labels.extend_from_slice(name.as_bytes());
            } else {
                self.labels.push(b'"');
                push_escaped(name, true, &mut self.labels);
                self.labels.push(b'"');
            }
            self.labels.extend_from_slice(b"=\"");
            push_escaped(value, true, &mut self.labels);
            self.labels.push(b'"');
        }
    }

    fn push_name(&self, out: &mut Vec<u8>) {
        let quote: &[u8] = if self.quoted { b"\"" } else { b"" };
        out.extend_from_slice(quote);
        out.extend_from_slice(&self.name);
        out.extend_from_slice(quote);
    }
}

impl Bounds {
    fn read(&mut self, bounds: &[f64], point: bool) {
        if self.of == bounds {
            return;
        }
        self.of.clear();
        self.of.extend_from_slice(bounds);
        self.texts.clear();
        self.ends.clear();
        let mut ascends = ascending();
        for bound in bounds.iter().filter(|bound| ascends(**bound)) {
            push_canonical(*bound, point, &mut self.texts);
            self.ends.push(self.texts.len());
        }
    }
}

/// Escapes `\` and line feeds, and `"` where asked.
pub(super) fn push_escaped(text: &str, quotes: bool, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    let third = if quotes { b'"' } else { b'\n' };
    while let Some(at) = memchr::memchr3(b'\\', b'\n', third, rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(if rest[at] == b'\n' { b'n' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_few() {
        for (text, quotes, want) in [
            ("a\"b\\c\nd", true, r#"a\"b\\c\nd"#),
            ("a\"b\\c\nd", false, r#"a"b\\c\nd"#),
            ("", true, ""),
            ("größe", true, "größe"),
        ] {
            let mut out = Vec::new();
            push_escaped(text, quotes, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
}
