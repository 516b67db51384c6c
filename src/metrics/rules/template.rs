//! New names and values with places for what a pattern captured: `jobs.$1`, `${1}_total`, `$method`.

use super::pattern::Pattern;
use regex::Captures;

/// A template for one pattern, whose captures it is known to have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// The number of a capture; 0 is all that matched.
    Capture(usize),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TemplateFault {
    /// A `$` before something that cannot be a capture.
    Dollar,
    /// The pattern captures nothing of this name or number.
    NoCapture(String),
}

impl Template {
    /// Reads `$1`, `${1}`, `$name`, `${name}`, `$0` and `$$` (a dollar). `$1_total` is capture 1 before
    /// `_total`: a number ends at the first character that is no digit, a name at the first that is
    /// no letter, digit or `_`.
    pub(super) fn parse(text: &str, pattern: &Pattern) -> Result<Self, TemplateFault> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let (reference, after) = reference(rest).ok_or(TemplateFault::Dollar)?;
            let capture =
                pattern.capture(reference).ok_or_else(|| TemplateFault::NoCapture(reference.to_owned()))?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Capture(capture));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Template(parts))
    }

    /// The text, when it holds no capture.
    pub(super) fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What captures that took no part in the match stand for is empty.
    pub(super) fn expand(&self, captures: Option<&Captures<'_>>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(match part {
                Part::Text(literal) => literal,
                Part::Capture(number) => captures.and_then(|c| c.get(*number)).map_or("", |m| m.as_str()),
            });
        }
        text
    }
}

/// The name or number behind a `$`, and what follows it.
fn reference(rest: &str) -> Option<(&str, &str)> {
    if let Some(braced) = rest.strip_prefix('{') {
        return braced.split_once('}').filter(|(reference, _)| !reference.is_empty());
    }
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let end = if digits > 0 { digits } else { word };
    (end > 0).then(|| rest.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_expand_or_say_what_is_wrong() {
        let pattern = Pattern::of_value(r"^(\w+)\.(?P<verb>\w+)(\.never)?$").unwrap();
        let captures = pattern.captures("app.get");
        let cases: [(&str, Result<&str, TemplateFault>); 15] = [
            ("plain", Ok("plain")),
            ("", Ok("")),
            ("$1", Ok("app")),
            ("x.$1.y", Ok("x.app.y")),
            ("$1_total", Ok("app_total")),
            ("${1}2", Ok("app2")),
            ("$verb.$1", Ok("get.app")),
            ("${verb}s", Ok("gets")),
            ("$0", Ok("app.get")),
            ("a$$1$3", Ok("a$1")),
            ("$4", Err(TemplateFault::NoCapture("4".into()))),
            ("$verbs", Err(TemplateFault::NoCapture("verbs".into()))),
            ("a$", Err(TemplateFault::Dollar)),
            ("a$.b", Err(TemplateFault::Dollar)),
            ("${1", Err(TemplateFault::Dollar)),
        ];
        for (text, expected) in cases {
            let found = Template::parse(text, &pattern).map(|template| template.expand(captures.as_ref()));
            assert_eq!(found, expected.map(str::to_owned), "{text}");
        }
    }
}
