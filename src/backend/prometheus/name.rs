//! Names as Prometheus takes them: how a StatsD name or tag key becomes a metric or label name.
//!
//! Under `underscores` a name follows statsd_exporter's rules, so that dashboards keep working; the
//! other schemes follow Prometheus's own client. Two names that become one are not seen here but in
//! `order`, where they meet.

/// How a name outside the classic characters is written (`escaping=` in an `Accept` header).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Scheme {
    /// Each other character becomes `_`.
    #[default]
    Underscores,
    /// Kept, and quoted where the format needs it.
    Utf8,
    /// `.` becomes `_dot_`, `_` becomes `__`.
    Dots,
    /// `U__` and each other character as its number: can be undone without loss.
    Values,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Underscores => "underscores",
            Scheme::Utf8 => "allow-utf-8",
            Scheme::Dots => "dots",
            Scheme::Values => "values",
        }
    }

    pub fn parse(text: &str) -> Option<Scheme> {
        [Scheme::Underscores, Scheme::Utf8, Scheme::Dots, Scheme::Values]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// Prefix of labels that would stand in the way of Prometheus's own (as Prometheus itself does it).
const EXPORTED: &str = "exported_";

/// Appends the metric name made of `base` and a legal `suffix`.
pub(super) fn push_metric(scheme: Scheme, base: &str, suffix: &str, out: &mut String) {
    match scheme {
        Scheme::Underscores => {
            push_underscored(base, out);
            out.push_str(suffix);
        }
        Scheme::Utf8 => {
            out.push_str(if base.is_empty() { "_" } else { base });
            out.push_str(suffix);
        }
        Scheme::Dots | Scheme::Values => {
            if is_metric_name(base) {
                out.push_str(base);
                out.push_str(suffix);
            } else {
                push_escaped(scheme, base.chars().chain(suffix.chars()), ':', out);
            }
        }
    }
}

/// Appends the label name made of a tag's key. `taken` is the label that the format itself needs here.
pub(super) fn push_label(scheme: Scheme, key: &str, taken: Option<&str>, out: &mut String) {
    let start = out.len();
    match scheme {
        Scheme::Underscores => push_underscored(key, out),
        Scheme::Utf8 if key.is_empty() => out.push('_'),
        Scheme::Utf8 => out.push_str(key),
        Scheme::Dots | Scheme::Values => {
            if is_label_name(key) {
                out.push_str(key);
            } else {
                push_escaped(scheme, key.chars(), '_', out);
            }
        }
    }
    let name = &out[start..];
    // Two underscores in front are Prometheus's own (`__name__`).
    if name.starts_with("__") || taken == Some(name) {
        out.insert_str(start, EXPORTED);
    }
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`
pub(super) fn is_metric_name(name: &str) -> bool {
    is_legal(name, |b| is_word(b) || b == b':')
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`
pub(super) fn is_label_name(name: &str) -> bool {
    is_legal(name, is_word)
}

/// `name` without a last word `word` and the separator before it, when that is what it ends in.
pub(super) fn without_word<'a>(name: &'a str, word: &str) -> &'a str {
    let Some(front) = name.strip_suffix(word) else { return name };
    let mut chars = front.chars();
    match chars.next_back() {
        Some(separator) if !separator.is_ascii_alphanumeric() && !chars.as_str().is_empty() => chars.as_str(),
        _ => name,
    }
}

fn is_legal(name: &str, legal: impl Fn(u8) -> bool) -> bool {
    match name.as_bytes() {
        [] | [b'0'..=b'9', ..] => false,
        bytes => bytes.iter().all(|b| legal(*b)),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn push_underscored(name: &str, out: &mut String) {
    if is_label_name(name) {
        out.push_str(name);
        return;
    }
    if name.as_bytes().first().is_none_or(u8::is_ascii_digit) {
        out.push('_');
    }
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_alphanumeric() || c == '_' {
            out.push(c);
        } else {
            out.push('_');
            if c == '-' {
                chars.next_if_eq(&'-');
            }
        }
    }
}

/// `also` is a character that is legal beside letters, digits and underscores.
fn push_escaped(scheme: Scheme, chars: impl Iterator<Item = char>, also: char, out: &mut String) {
    let start = out.len();
    if scheme == Scheme::Values {
        out.push_str("U__");
    }
    for (i, c) in chars.enumerate() {
        match c {
            '_' => out.push_str("__"),
            '.' if scheme == Scheme::Dots => out.push_str("_dot_"),
            c if c.is_ascii_alphabetic() || c == also || (i > 0 && c.is_ascii_digit()) => out.push(c),
            _ if scheme == Scheme::Dots => out.push_str("__"),
            c => {
                // Writing into a string cannot fail.
                let _ = std::fmt::Write::write_fmt(out, format_args!("_{:x}_", u32::from(c)));
            }
        }
    }
    if out.len() == start {
        out.push('_');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(scheme: Scheme, base: &str, suffix: &str) -> String {
        let mut out = String::new();
        push_metric(scheme, base, suffix, &mut out);
        out
    }

    fn label(scheme: Scheme, key: &str, taken: Option<&str>) -> String {
        let mut out = String::new();
        push_label(scheme, key, taken, &mut out);
        out
    }

    #[test]
    fn metric_names_under_each_scheme() {
        use Scheme::*;
        for (scheme, raw, name) in [
            (Underscores, "my.name_x", "my_name_x"),
            (Underscores, "http.status:sum", "http_status_sum"),
            (Underscores, "a--b", "a_b"),
            (Underscores, "a---b", "a__b"),
            (Underscores, "5xx", "_5xx"),
            (Underscores, "größe", "gr__e"),
            (Underscores, "", "_"),
            (Utf8, "my.name_x", "my.name_x"),
            (Utf8, "http.status:sum", "http.status:sum"),
            (Dots, "my.name_x", "my_dot_name__x"),
            (Dots, "http.status:sum", "http_dot_status:sum"),
            (Dots, "a b", "a__b"),
            (Dots, "my_name", "my_name"),
            (Values, "my.name_x", "U__my_2e_name__x"),
            (Values, "http.status:sum", "U__http_2e_status:sum"),
            (Values, "my_name", "my_name"),
            (Values, "5xx", "U___35_xx"),
        ] {
            assert_eq!(metric(scheme, raw, ""), name, "{scheme:?} {raw}");
        }
        assert_eq!(metric(Dots, "orders.created", "_total"), "orders_dot_created__total");
        assert_eq!(metric(Underscores, "orders.created", "_total"), "orders_created_total");
        assert_eq!(metric(Utf8, "orders.created", "_total"), "orders.created_total");
    }

    #[test]
    fn labels_never_take_a_name_that_means_something_else() {
        use Scheme::*;
        for (scheme, raw, taken, name) in [
            (Underscores, "le", None, "le"),
            (Underscores, "le", Some("le"), "exported_le"),
            (Utf8, "quantile", Some("quantile"), "exported_quantile"),
            (Underscores, "__name__", None, "exported___name__"),
            (Underscores, "a:b", None, "a_b"),
            (Underscores, "9", None, "_9"),
            (Underscores, "", None, "_"),
            (Utf8, "label.x", None, "label.x"),
            (Dots, "label.x", None, "label_dot_x"),
            (Values, "a:b", None, "U__a_3a_b"),
        ] {
            assert_eq!(label(scheme, raw, taken), name, "{scheme:?} {raw}");
        }
    }

    #[test]
    fn a_last_word_is_found_behind_any_separator() {
        for (name, bare) in [
            ("x_total", "x"),
            ("x.total", "x"),
            ("x", "x"),
            ("total", "total"),
            ("_total", "_total"),
            ("subtotal", "subtotal"),
            ("a.b-total", "a.b"),
        ] {
            assert_eq!(without_word(name, "total"), bare);
        }
    }
}
