//! What a scraper wants: format, names, compression and patience, read from the request's headers.
//!
//! Nothing is ever refused: what is not understood gets the oldest text format, as the specification
//! of the scrape asks.

use super::name::Scheme;
use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING};
use std::time::Duration;

/// The formats that a page can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    #[default]
    Text,
    /// `text/plain; version=1.0.0`: the same with quoted names.
    Text1,
    /// `application/openmetrics-text; version=0.0.1`: asked without or with that version; the text of 1.0.0.
    OpenMetrics0,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics1,
    /// `application/vnd.google.protobuf`, delimited, with native histograms.
    Protobuf,
}

/// What was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Negotiated {
    pub format: Format,
    pub scheme: Scheme,
    pub gzip: bool,
    /// After this the scraper no longer listens.
    pub timeout: Option<Duration>,
}

/// Longest patience that is believed.
const TIMEOUT_LONGEST: Duration = Duration::from_secs(3_600);
const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

impl Negotiated {
    pub fn from_headers(headers: &HeaderMap) -> Negotiated {
        let (format, scheme) = accepted(&joined(headers, ACCEPT.as_str()));
        Negotiated {
            format,
            scheme,
            gzip: takes_gzip(&joined(headers, ACCEPT_ENCODING.as_str())),
            timeout: headers.get(TIMEOUT_HEADER).and_then(|v| timeout(v.to_str().ok()?)),
        }
    }

    /// The `Content-Type` of the answer.
    pub fn content_type(&self) -> String {
        let scheme = self.scheme.as_str();
        match self.format {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8".to_owned(),
            Format::Text1 => format!("text/plain; version=1.0.0; charset=utf-8; escaping={scheme}"),
            Format::OpenMetrics0 => "application/openmetrics-text; version=0.0.1; charset=utf-8".to_owned(),
            Format::OpenMetrics1 => {
                format!("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping={scheme}")
            }
            Format::Protobuf => {
                let plain = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
                match self.scheme {
                    Scheme::Underscores => plain.to_owned(),
                    Scheme::Utf8 | Scheme::Dots | Scheme::Values => format!("{plain}; escaping={scheme}"),
                }
            }
        }
    }
}

/// All lines of a header as one, as HTTP allows.
fn joined(headers: &HeaderMap, name: &str) -> String {
    let lines: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    lines.join(",")
}

/// The first clause that we serve, by falling `q`.
fn accepted(header: &str) -> (Format, Scheme) {
    let mut clauses: Vec<_> = header.split(',').filter_map(clause).collect();
    clauses.sort_by(|a, b| b.0.total_cmp(&a.0));
    clauses.first().map_or_else(Default::default, |(_, format, scheme)| (*format, *scheme))
}

/// `None` when it is not ours to serve, or not wanted.
fn clause(text: &str) -> Option<(f64, Format, Scheme)> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let mut quality = 1.0;
    let mut scheme = None;
    let (mut version, mut proto, mut encoding) = (None, None, None);
    for part in parts.filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "q" => quality = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?,
            "charset" => {}
            "escaping" => scheme = Scheme::parse(value),
            "version" => version = Some(value),
            "proto" => proto = Some(value),
            "encoding" => encoding = Some(value),
            _ => return None,
        }
    }
    let format = match (media.as_str(), version, proto, encoding) {
        ("text/plain", None | Some("0.0.4"), None, None) => Format::Text,
        ("text/plain", Some("1.0.0"), None, None) => Format::Text1,
        ("*/*" | "text/*", None, None, None) => Format::Text,
        ("application/openmetrics-text", None | Some("0.0.1"), None, None) => Format::OpenMetrics0,
        ("application/openmetrics-text", Some("1.0.0"), None, None) => Format::OpenMetrics1,
        (
            "application/vnd.google.protobuf",
            None,
            Some("io.prometheus.client.MetricFamily"),
            Some("delimited"),
        ) => Format::Protobuf,
        _ => return None,
    };
    let scheme = match format {
        // These two know classic names only.
        Format::Text | Format::OpenMetrics0 => Scheme::Underscores,
        Format::Text1 | Format::OpenMetrics1 | Format::Protobuf => scheme.unwrap_or_default(),
    };
    (quality > 0.0).then_some((quality, format, scheme))
}

fn takes_gzip(header: &str) -> bool {
    let quality = |text: &str| {
        let (coding, parameters) = text.split_once(';').unwrap_or((text, ""));
        let q = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse().ok());
        Some((coding.trim().to_ascii_lowercase(), q?))
    };
    let named: Vec<(String, f64)> = header.split(',').filter_map(quality).collect();
    let of = |coding: &str| named.iter().find(|(name, _)| name == coding).map(|(_, q)| *q);
    of("gzip").or_else(|| of("x-gzip")).or_else(|| of("*")).is_some_and(|q| q > 0.0)
}

fn timeout(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero())?;
    Some(timeout.min(TIMEOUT_LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &str)]) -> Negotiated {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Negotiated::from_headers(&headers)
    }

    #[test]
    fn the_format_follows_the_accept_header() {
        const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        const PROTO: &str =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        for (accept, format, scheme) in [
            ("", Format::Text, Scheme::Underscores),
            ("*/*", Format::Text, Scheme::Underscores),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text, Scheme::Underscores),
            ("image/png", Format::Text, Scheme::Underscores),
            ("text/plain", Format::Text, Scheme::Underscores),
            ("text/plain;version=0.0.4;escaping=allow-utf-8", Format::Text, Scheme::Underscores),
            ("text/plain;version=1.0.0;escaping=values", Format::Text1, Scheme::Values),
            (PROMETHEUS_3, Format::OpenMetrics1, Scheme::Utf8),
            (&format!("{PROTO};q=0.6,{PROMETHEUS_3}"), Format::Protobuf, Scheme::Underscores),
            (&format!("{PROTO};escaping=allow-utf-8"), Format::Protobuf, Scheme::Utf8),
            ("application/vnd.google.protobuf;encoding=text", Format::Text, Scheme::Underscores),
            ("application/openmetrics-text", Format::OpenMetrics0, Scheme::Underscores),
            (
                "application/openmetrics-text;version=1.0.0;escaping=odd",
                Format::OpenMetrics1,
                Scheme::Underscores,
            ),
            ("application/openmetrics-text;version=1.0.0;escaping=dots", Format::OpenMetrics1, Scheme::Dots),
            (
                "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
                Format::Text,
                Scheme::Underscores,
            ),
            ("application/openmetrics-text;version=1.0.0;q=0", Format::Text, Scheme::Underscores),
            (
                "text/plain;q=0.2,application/openmetrics-text;version=1.0.0;q=0.9",
                Format::OpenMetrics1,
                Scheme::Underscores,
            ),
            ("application/openmetrics-text;version=1.0.0;q=x", Format::Text, Scheme::Underscores),
            ("application/openmetrics-text;version=1.0.0;profile=y", Format::Text, Scheme::Underscores),
        ] {
            let agreed = with(&[("accept", accept)]);
            assert_eq!((agreed.format, agreed.scheme), (format, scheme), "{accept}");
        }
        let parted = with(&[("accept", "text/plain;q=0.1"), ("accept", "application/openmetrics-text")]);
        assert_eq!(parted.format, Format::OpenMetrics0);
    }

    #[test]
    fn content_types_are_those_of_the_table() {
        for (format, scheme, want) in [
            (Format::Text, Scheme::Underscores, "text/plain; version=0.0.4; charset=utf-8"),
            (Format::Text1, Scheme::Utf8, "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
            (
                Format::OpenMetrics1,
                Scheme::Underscores,
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            ),
            (
                Format::OpenMetrics0,
                Scheme::Underscores,
                "application/openmetrics-text; version=0.0.1; charset=utf-8",
            ),
            (
                Format::Protobuf,
                Scheme::Underscores,
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
            ),
        ] {
            assert_eq!(Negotiated { format, scheme, ..Negotiated::default() }.content_type(), want);
        }
    }

    #[test]
    fn compression_and_patience() {
        for (header, gzip) in [
            ("gzip", true),
            ("identity", false),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("gzip;q=0, *", false),
            ("br;q=1, *;q=0.1", true),
            ("x-gzip", true),
            ("gzip;q=x", false),
        ] {
            assert_eq!(with(&[("accept-encoding", header)]).gzip, gzip, "{header}");
        }
        assert!(!with(&[]).gzip);
        for (header, timeout) in [
            ("10", Some(Duration::from_secs(10))),
            ("0.5", Some(Duration::from_millis(500))),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("1e300", None),
            ("99999999", Some(TIMEOUT_LONGEST)),
            ("soon", None),
        ] {
            assert_eq!(with(&[(TIMEOUT_HEADER, header)]).timeout, timeout, "{header}");
        }
    }
}
