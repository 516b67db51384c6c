//! `pillion check`: whether the configuration is right, and what is in effect.

use super::exit::{Failure, print};
use crate::config::Loaded;
use crate::metrics::rules::Rules;

/// Prints what is in effect: a configuration that loaded, with rules that compile, is right.
pub(super) fn check(loaded: &Loaded) -> Result<(), Failure> {
    print(&loaded.display())
}

/// Compiles the rules, which the configuration itself cannot, and shows their mistakes where they stand.
pub(super) fn rules(loaded: Loaded) -> Result<Loaded, Failure> {
    let Err(errors) = Rules::compile(&loaded.config.rules, &loaded.config.metrics) else { return Ok(loaded) };
    let located = errors.0.iter().map(|error| {
        // Two options are fields by another name, because theirs are words of the language.
        let field = error.field.replace("pattern", "match").replace("force_type", "type");
        let path = match error.rule {
            Some(rule) => format!("rules[{rule}].{field}"),
            None => field,
        };
        (path, error.fault.to_string(), error.fault.instead().to_owned())
    });
    Err(Failure::Configuration(loaded.mistakes(located.collect::<Vec<_>>())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_text;
    use std::collections::BTreeMap;

    #[test]
    fn mistakes_of_rules_have_their_places() {
        let text = "[[rules]]\nmatch = 'jobs.*'\nname = 'job.$2'\n\n[[rules]]\nmatch = 'a.***'\n";
        let loaded = load_text("test.toml", text, &BTreeMap::new()).expect("right as far as one can see");
        let Err(Failure::Configuration(errors)) = rules(loaded) else { panic!("two mistakes") };
        insta::assert_snapshot!(errors.render(false), @r"
          × `rules[0].name`: `job.$2` asks for capture `2`, which the pattern does not have
           ╭─[test.toml:3:8]
         3 │ name = 'job.$2'
           ·        ────┬───
           ·            ╰── here
           ╰────
          help: count the `*` of a glob or the `(` of a regular expression from 1, or give the group that
                name

          × `rules[1].match`: `***` means nothing
           ╭─[test.toml:6:9]
         6 │ match = 'a.***'
           ·         ───┬───
           ·            ╰── here
           ╰────
          help: write `*` for one part between dots, `**` for anything
        ");
    }

    #[test]
    fn rules_that_compile_are_right() {
        let text = "[[rules]]\nmatch = 'jobs.*'\nname = 'job.$1'\n";
        let loaded = load_text("test.toml", text, &BTreeMap::new()).expect("valid");
        assert!(rules(loaded).is_ok());
    }
}
