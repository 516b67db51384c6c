//! What can be wrong with a rule, said so that the reader can mend it: where, what, and what to write.

use std::fmt;

/// All that is wrong with the rules of a configuration, in their order; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleErrors(pub Vec<RuleError>);

/// One mistake in `[[rules]]` or in what `[metrics]` says about names and tags.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{field}: {fault}; {}", self.place(), self.fault.instead())]
pub struct RuleError {
    /// The rule's place in the list, from 0; `None` when the mistake is in `[metrics]`.
    pub rule: Option<usize>,
    /// The rule's pattern, empty outside of rules.
    pub pattern: String,
    /// The option, as written in the configuration: inside its rule, or with its section.
    pub field: &'static str,
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("it is empty")]
    Empty,
    #[error("`***` means nothing")]
    BadGlob,
    /// With the regex crate's own reason.
    #[error("this is no regular expression: {0}")]
    BadRegex(String),
    #[error("`{0}` has a `$` that begins no capture")]
    Dollar(String),
    #[error("`{template}` asks for capture `{capture}`, which the pattern does not have")]
    NoCapture { template: String, capture: String },
    #[error("`{0}` holds a control character or one of `|`, `:`")]
    BadName(String),
    #[error("`{0}` holds a control character or one of `|`, `,`")]
    BadTag(String),
    #[error("`{0}` holds a colon or a character that no tag may hold")]
    BadTagKey(String),
    #[error("`{0}` begins a name of pillion's own")]
    Reserved(String),
    #[error("a set's members cannot become numbers, nor numbers members")]
    SetForced,
    #[error("no bound is given, or one is not finite")]
    BucketsNotFinite,
    #[error("{0} does not lie above the bound before it")]
    BucketsNotAscending(f64),
    #[error("{0} is no share between 0 and 1")]
    BadPercentile(f64),
    #[error("series that live for no time would never be seen")]
    NoTime,
    #[error("a context that is dropped has no {0}")]
    Dropped(&'static str),
    #[error("compiled, this is too large")]
    TooLarge,
    #[error("there are more than {} rules", u16::MAX)]
    TooMany,
}

impl RuleError {
    fn place(&self) -> String {
        match self.rule {
            Some(rule) => format!("rule {} (`{}`): ", rule + 1, self.pattern),
            None => String::new(),
        }
    }
}

impl Fault {
    /// What to write instead.
    pub fn instead(&self) -> &'static str {
        match self {
            Fault::Empty => "write a value, or leave the option out",
            Fault::BadGlob => "write `*` for one part between dots, `**` for anything",
            Fault::BadRegex(_) => {
                "write the characters `.+*?()[]{}|^$\\` with a `\\` before them to mean themselves"
            }
            Fault::Dollar(_) => "write `$1`, `${1}`, `$name` or `${name}` for a capture, `$$` for a dollar",
            Fault::NoCapture { .. } => {
                "count the `*` of a glob or the `(` of a regular expression from 1, or give the group that name"
            }
            Fault::BadName(_) => "write letters, digits, `.`, `_` or `-`",
            Fault::BadTag(_) => "write `key:value` or a bare word",
            Fault::BadTagKey(_) => "write the key alone, without its value",
            Fault::Reserved(_) => "choose a name that does not begin with `pillion`",
            Fault::SetForced => "leave `s` to sets: write one of c, g, ms, h, d, or take the option out",
            Fault::BucketsNotFinite => "write finite upper bounds (+Inf is added), such as [0.1, 0.5, 1.0]",
            Fault::BucketsNotAscending(_) => "write each bound once, the smallest first",
            Fault::BadPercentile(_) => "write 0.95 for the 95th percentile",
            Fault::NoTime => "write a duration above 0, or leave the option out to keep series for good",
            Fault::Dropped(_) => "take out either `drop` or the other option",
            Fault::TooLarge => "write fewer or simpler patterns: repetitions such as `{1,1000}` cost most",
            Fault::TooMany => "match several names with one pattern",
        }
    }
}

impl fmt::Display for RuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if at > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleErrors {}
