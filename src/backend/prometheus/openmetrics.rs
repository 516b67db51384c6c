//! What OpenMetrics 1.0 does otherwise than the older text: metadata by the bare name, units, an end.
//!
//! It has no comments, no blank lines, and nothing may follow the end.

use super::family::Type;
use super::head::Head;
use super::name;
use super::text::push_escaped;

/// The last line of every page.
pub(super) const END: &[u8] = b"# EOF\n";
/// Suffix of the one sample of an info family.
const INFO: &str = "_info";

/// Writes TYPE, UNIT and HELP.
pub(super) fn push_metadata(head: &Head, out: &mut Vec<u8>) {
    let (bare, kind) = match head.kind {
        Type::Counter if head.unknown => (head.name.as_str(), "unknown"),
        Type::Gauge if head.info => (head.name.strip_suffix(INFO).unwrap_or(&head.name), "info"),
        kind => (head.bare_name(), kind.as_str()),
    };
    push_line("TYPE", bare, kind, out);
    if let Some(unit) = head.fitting_unit() {
        push_line("UNIT", bare, unit, out);
    }
    push_line("HELP", bare, &head.help, out);
}

fn push_line(word: &str, bare: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"# ");
    out.extend_from_slice(word.as_bytes());
    out.push(b' ');
    let quoted = !name::is_metric_name(bare);
    let quote: &[u8] = if quoted { b"\"" } else { b"" };
    out.extend_from_slice(quote);
    push_escaped(bare, quoted, out);
    out.extend_from_slice(quote);
    out.push(b' ');
    push_escaped(text, true, out);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: &str, kind: Type) -> Head {
        Head { name: name.into(), kind, help: "of \"x\"".into(), unit: None, unknown: false, info: false }
    }

    fn metadata(head: &Head) -> String {
        let mut out = Vec::new();
        push_metadata(head, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn metadata_speaks_of_the_bare_name() {
        let counter = head("sent_bytes_total", Type::Counter);
        insta::assert_snapshot!(metadata(&Head { unit: Some("bytes".into()), ..counter.clone() }), @r#"
        # TYPE sent_bytes counter
        # UNIT sent_bytes bytes
        # HELP sent_bytes of \"x\"
        "#);
        insta::assert_snapshot!(metadata(&Head { unit: Some("bytes".into()), unknown: true, ..counter }), @r#"
        # TYPE sent_bytes_total unknown
        # HELP sent_bytes_total of \"x\"
        "#);
        insta::assert_snapshot!(metadata(&Head { info: true, ..head("target_info", Type::Gauge) }), @r#"
        # TYPE target info
        # HELP target of \"x\"
        "#);
        insta::assert_snapshot!(metadata(&Head { unit: Some("s".into()), ..head("my.s", Type::Gauge) }), @r#"
        # TYPE "my.s" gauge
        # HELP "my.s" of \"x\"
        "#);
    }
}
