//! Globs as regular expressions, so that all patterns of all rules become one automaton.
//!
//! For names: `*` is one part between dots or a piece of one (it may be empty), `**` is anything, dots
//! included; both are captured. Everything else stands for itself; the whole name must match. For tag
//! keys `*` is anything: their dots separate nothing.

/// The expression for a glob over names; `None` for `***`, which nobody can mean.
pub(super) fn name_regex(glob: &str) -> Option<String> {
    if glob.contains("***") {
        return None;
    }
    let any = glob.split("**").map(|between| {
        let parts: Vec<_> = between.split('*').map(regex::escape).collect();
        parts.join(r"([^.]*)")
    });
    Some(format!("(?s)^{}$", any.collect::<Vec<_>>().join("(.*)")))
}

/// The expression for a glob over tag keys.
pub(super) fn key_regex(glob: &str) -> String {
    let parts: Vec<_> = glob.split('*').map(regex::escape).collect();
    format!("(?s)^{}$", parts.join(".*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn globs_match_by_parts() {
        for (glob, name, captured) in [
            ("a.b", "a.b", Some(vec![])),
            ("a.b", "aXb", None),
            ("a.b", "a.b.c", None),
            ("a.*", "a.b", Some(vec!["b"])),
            ("a.*", "a.b.c", None),
            ("a.*", "a.", Some(vec![""])),
            ("a.*.c", "a.b.c", Some(vec!["b"])),
            ("*.*", "a.b", Some(vec!["a", "b"])),
            ("req_*_total", "req_get_total", Some(vec!["get"])),
            ("a.**", "a.b.c", Some(vec!["b.c"])),
            ("**.*", "a.b.c", Some(vec!["a.b", "c"])),
            ("**", "", Some(vec![""])),
            ("a+(b)[c]?", "a+(b)[c]?", Some(vec![])),
            ("größe.*", "größe.ß", Some(vec!["ß"])),
        ] {
            let regex = Regex::new(&name_regex(glob).unwrap()).unwrap();
            let found = regex
                .captures(name)
                .map(|captures| captures.iter().skip(1).map(|m| m.unwrap().as_str()).collect::<Vec<_>>());
            assert_eq!(found, captured, "{glob} {name}");
        }
        assert_eq!(name_regex("a.***"), None);
    }

    #[test]
    fn key_globs_do_not_mind_dots() {
        for (glob, key, expected) in [
            ("*", "a.b", true),
            ("http.*", "http.a.b", true),
            ("kube_*", "xkube_a", false),
            ("a.b", "a_b", false),
        ] {
            assert_eq!(Regex::new(&key_regex(glob)).unwrap().is_match(key), expected, "{glob} {key}");
        }
    }
}
