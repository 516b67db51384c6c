//! Tags that stand in the name: the styles of Influx, Librato and SignalFx, as statsd_exporter reads
//! them.
//!
//! A name whose tags cannot be read stays as it is, with a remark: no tag is ever dropped because its
//! neighbour is odd. Next: `form.rs`.

use super::Dialect;
use memchr::memchr2;

/// How a name as it stands on the wire reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Styled<'a> {
    /// There are no tags in it.
    Plain,
    /// There are brackets or tags in it that cannot be read.
    Bad,
    /// The name is `before` and `after`; `tags` are `key=value` with commas between, some perhaps empty.
    Tagged { before: &'a str, after: &'a str, tags: &'a str },
}

/// Looks for tags in a name; SignalFx brackets come first, then whichever of `#` and `,` is earlier.
pub(super) fn styled(name: &str, dialect: Dialect) -> Styled<'_> {
    if dialect.signalfx {
        match (name.split_once('['), name.contains(']')) {
            (Some((before, behind)), true) => {
                return match behind.split_once(']') {
                    Some((tags, after)) if readable(tags) => Styled::Tagged { before, after, tags },
                    Some(_) | None => Styled::Bad,
                };
            }
            (None, false) => {}
            (Some(_), false) | (None, true) => return Styled::Bad,
        }
    }
    let start = match (dialect.influx, dialect.librato) {
        (true, true) => memchr2(b',', b'#', name.as_bytes()),
        (true, false) => name.find(','),
        (false, true) => name.find('#'),
        (false, false) => None,
    };
    let Some(start) = start else { return Styled::Plain };
    let (before, tags) = (&name[..start], &name[start + 1..]);
    if readable(tags) { Styled::Tagged { before, after: "", tags } } else { Styled::Bad }
}

/// Every tag is empty, or has a key and a value.
fn readable(tags: &str) -> bool {
    tags.split(',').all(|tag| tag.is_empty() || pair(tag).is_some())
}

/// `key=value`, both there; the value may hold further `=`.
pub(super) fn pair(tag: &str) -> Option<(&str, &str)> {
    tag.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As text: the name, then its tags in braces, or why there are none.
    fn show(name: &str, dialect: Dialect) -> String {
        match styled(name, dialect) {
            Styled::Plain => "plain".into(),
            Styled::Bad => "bad".into(),
            Styled::Tagged { before, after, tags } => format!("{before}{after} {{{tags}}}"),
        }
    }

    #[test]
    fn tags_are_found_in_the_name() {
        let cases = [
            ("n", "plain"),
            ("n,k=v", "n {k=v}"),
            ("n,k=v,k2=v2", "n {k=v,k2=v2}"),
            ("n#k=v", "n {k=v}"),
            ("n#k=v,k2=a=b", "n {k=v,k2=a=b}"),
            ("n[k=v]m", "nm {k=v}"),
            ("n[k=v,k2=v2]", "n {k=v,k2=v2}"),
            ("[k=v]n", "n {k=v}"),
            ("n[k=v]m,a=b", "nm,a=b {k=v}"),
            ("n,,k=v,", "n {,k=v,}"),
            ("n[]m", "nm {}"),
            ("n,", "n {}"),
            ("n[k=v", "bad"),
            ("nk=v]", "bad"),
            ("n]k=v[", "bad"),
            ("n[k]m", "bad"),
            ("n,k", "bad"),
            ("n,=v", "bad"),
            ("n#k=", "bad"),
        ];
        for (name, want) in cases {
            assert_eq!(show(name, Dialect::default()), want, "{name}");
        }
    }

    #[test]
    fn each_style_can_be_off() {
        let all = Dialect::default();
        let cases = [
            ("n,k=v", Dialect { influx: false, ..all }, "plain"),
            ("n#k=v", Dialect { librato: false, ..all }, "plain"),
            ("n[k=v]m", Dialect { signalfx: false, ..all }, "plain"),
            ("n[k=v", Dialect { signalfx: false, ..all }, "plain"),
            ("n#k=v,a=b", Dialect { librato: false, ..all }, "n#k=v {a=b}"),
            ("n,k=v#a=b", Dialect { influx: false, ..all }, "n,k=v {a=b}"),
            ("n[k=v,a=b]", Dialect { signalfx: false, ..all }, "n[k=v {a=b]}"),
        ];
        for (name, dialect, want) in cases {
            assert_eq!(show(name, dialect), want, "{name} {dialect:?}");
        }
    }
}
