//! What the environment says about tags and resource: variables that Datadog's and OpenTelemetry's
//! libraries read, so that an app and its sidecar speak of one service in one way.
//!
//! Pure: the lookup comes in, values go out. These variables are written for many readers, so a
//! value that cannot be used does not stop the agent: it is left out and told.

use std::collections::BTreeMap;

/// What the variables give.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    /// `metrics.tags` as configured, then what `DD_ENV`, `DD_SERVICE`, `DD_VERSION` and `DD_TAGS` add:
    /// a tag whose key is already there is left out.
    pub tags: Vec<String>,
    /// `DD_ENTITY_ID`, which says where the app beside pillion runs: an origin, no tag of every context.
    pub entity: Option<String>,
    /// From `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, which beats the former's `service.name`.
    pub resource: BTreeMap<String, String>,
    /// Values that were left out.
    pub ignored: Vec<Ignored>,
}

/// A variable, or one value in it, that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{variable} is ignored: {fault}")]
pub struct Ignored {
    pub variable: &'static str,
    pub fault: Fault,
}

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("the tag `{}` holds a comma, a `|` or a control character", .0.escape_debug())]
    BadTag(String),
    #[error("`{}` holds a comma, a `|` or a control character", .0.escape_debug())]
    BadEntity(String),
    #[error("`{0}` is not `key=value`")]
    NoPair(String),
    #[error("`{0}` is not percent-encoded UTF-8")]
    BadEncoding(String),
}

/// What no tag holds.
fn is_unfit(c: char) -> bool {
    c.is_control() || matches!(c, '|' | ',')
}

/// Variables that give one tag each, in order of precedence over `DD_TAGS`.
const SINGLE_TAGS: [(&str, &str); 3] =
    [("DD_ENV", "env"), ("DD_SERVICE", "service"), ("DD_VERSION", "version")];

impl Environment {
    /// Reads the variables by `variable`, which gives `None` for one that is not set. An empty one
    /// counts as not set. `configured` is `metrics.tags`.
    pub fn read(configured: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let lookup = |name: &str| variable(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let mut environment = Environment { tags: configured.to_vec(), ..Environment::default() };
        for (name, key) in SINGLE_TAGS {
            if let Some(value) = lookup(name) {
                environment.add_tags(name, &[format!("{key}:{value}")]);
            }
        }
        if let Some(tags) = lookup("DD_TAGS") {
            environment.add_tags("DD_TAGS", &split_tags(&tags));
        }
        if let Some(entity) = lookup("DD_ENTITY_ID") {
            if entity.contains(is_unfit) {
                environment.ignore("DD_ENTITY_ID", Fault::BadEntity(entity));
            } else {
                environment.entity = Some(entity);
            }
        }
        if let Some(attributes) = lookup("OTEL_RESOURCE_ATTRIBUTES") {
            // As OpenTelemetry asks: one mistake, and the whole value is left out.
            match parse_attributes(&attributes) {
                Ok(resource) => environment.resource = resource,
                Err(fault) => environment.ignore("OTEL_RESOURCE_ATTRIBUTES", fault),
            }
        }
        if let Some(service) = lookup("OTEL_SERVICE_NAME") {
            environment.resource.insert("service.name".to_owned(), service);
        }
        environment
    }

    /// Adds the tags of one variable; several of them may share a key.
    fn add_tags(&mut self, variable: &'static str, tags: &[String]) {
        let before = self.tags.len();
        for tag in tags {
            if tag.contains(is_unfit) {
                self.ignore(variable, Fault::BadTag(tag.clone()));
            } else if !self.tags[..before].iter().any(|known| key(known) == key(tag))
                && !self.tags.contains(tag)
            {
                self.tags.push(tag.clone());
            }
        }
    }

    fn ignore(&mut self, variable: &'static str, fault: Fault) {
        self.ignored.push(Ignored { variable, fault });
    }
}

fn key(tag: &str) -> &str {
    tag.split_once(':').map_or(tag, |(key, _)| key)
}

/// At commas when there is one, else at white space, as Datadog's libraries do.
fn split_tags(tags: &str) -> Vec<String> {
    let all: Vec<_> =
        if tags.contains(',') { tags.split(',').collect() } else { tags.split_whitespace().collect() };
    all.iter()
        .map(|tag| tag.trim())
        .filter(|tag| !tag.is_empty() && !key(tag).is_empty())
        .map(Into::into)
        .collect()
}

fn parse_attributes(text: &str) -> Result<BTreeMap<String, String>, Fault> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let no_pair = || Fault::NoPair(pair.to_owned());
        let (key, value) = pair.split_once('=').ok_or_else(no_pair)?;
        let decode =
            |part: &str| percent_decoded(part.trim()).ok_or_else(|| Fault::BadEncoding(pair.to_owned()));
        let (key, value) = (decode(key)?, decode(value)?);
        if key.is_empty() { Err(no_pair()) } else { Ok((key, value)) }
    });
    decoded.collect()
}

/// `%41` becomes `A`; `None` when a `%` lacks its two digits or the bytes are not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
        // Two digits of base 16 fit a byte.
        bytes.push((digit()? << 4 | digit()?) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn read(configured: &[&str], variables: Pairs<'_>) -> Environment {
        let configured: Vec<_> = configured.iter().map(|tag| (*tag).to_owned()).collect();
        Environment::read(&configured, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn tags_come_from_datadog_variables() {
        let cases: [(&[&str], Pairs<'_>, &[&str]); 9] = [
            (&[], &[], &[]),
            (&["a:b", "a:c"], &[], &["a:b", "a:c"]),
            (
                &[],
                &[("DD_ENV", "prod"), ("DD_SERVICE", " shop "), ("DD_VERSION", "1.2")],
                &["env:prod", "service:shop", "version:1.2"],
            ),
            (&[], &[("DD_TAGS", "team:a tier:web  canary")], &["team:a", "tier:web", "canary"]),
            (
                &[],
                &[("DD_TAGS", "team:a, name:two words ,,canary,:x")],
                &["team:a", "name:two words", "canary"],
            ),
            (&[], &[("DD_TAGS", "team:a,team:b,team:a")], &["team:a", "team:b"]),
            (&[], &[("DD_ENV", "prod"), ("DD_TAGS", "env:dev,x:y")], &["env:prod", "x:y"]),
            (&["env:own", "x"], &[("DD_ENV", "prod"), ("DD_TAGS", "x:y z:1")], &["env:own", "x", "z:1"]),
            (&[], &[("DD_ENV", ""), ("DD_TAGS", " "), ("DD_HOSTNAME", "h")], &[]),
        ];
        for (configured, variables, expected) in cases {
            let found = read(configured, variables);
            assert_eq!(found.tags, expected, "{variables:?}");
            assert!(found.ignored.is_empty() && found.resource.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn the_entity_is_an_origin_and_no_tag() {
        let found = read(&[], &[("DD_ENTITY_ID", " pod-1 ")]);
        assert_eq!((found.entity.as_deref(), found.tags.len()), (Some("pod-1"), 0));
        let found = read(&[], &[("DD_ENTITY_ID", "pod|1")]);
        assert_eq!(found.entity, None);
        assert_eq!(
            found.ignored[0].to_string(),
            "DD_ENTITY_ID is ignored: `pod|1` holds a comma, a `|` or a control character"
        );
        assert_eq!(read(&[], &[("DD_ENTITY_ID", "")]).entity, None);
    }

    #[test]
    fn the_resource_comes_from_opentelemetry_variables() {
        let cases: [(Pairs<'_>, Pairs<'_>); 5] = [
            (&[], &[]),
            (
                &[("OTEL_RESOURCE_ATTRIBUTES", "service.name=a, k8s.pod.name=p-1 ,,empty=")],
                &[("empty", ""), ("k8s.pod.name", "p-1"), ("service.name", "a")],
            ),
            (
                &[("OTEL_RESOURCE_ATTRIBUTES", "a=x%2Cy%3Dz%C3%9F,b=1=2,a%20b=%25")],
                &[("a", "x,y=zß"), ("a b", "%"), ("b", "1=2")],
            ),
            (
                &[("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,x=y"), ("OTEL_SERVICE_NAME", "b")],
                &[("service.name", "b"), ("x", "y")],
            ),
            (&[("OTEL_SERVICE_NAME", "b")], &[("service.name", "b")]),
        ];
        for (variables, expected) in cases {
            let found = read(&[], variables);
            let pairs: Vec<_> =
                found.resource.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(pairs, expected, "{variables:?}");
            assert!(found.ignored.is_empty() && found.tags.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        for (variable, value, expected) in [
            (
                "DD_VERSION",
                "1,2",
                "DD_VERSION is ignored: the tag `version:1,2` holds a comma, a `|` or a control character",
            ),
            (
                "DD_TAGS",
                "a|b",
                "DD_TAGS is ignored: the tag `a|b` holds a comma, a `|` or a control character",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "a=b,c",
                "OTEL_RESOURCE_ATTRIBUTES is ignored: `c` is not `key=value`",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "=b",
                "OTEL_RESOURCE_ATTRIBUTES is ignored: `=b` is not `key=value`",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "a=%f",
                "OTEL_RESOURCE_ATTRIBUTES is ignored: `a=%f` is not percent-encoded UTF-8",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "a=%ff",
                "OTEL_RESOURCE_ATTRIBUTES is ignored: `a=%ff` is not percent-encoded UTF-8",
            ),
        ] {
            let found = read(&[], &[(variable, value)]);
            assert_eq!(found.ignored.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
            assert!(found.tags.is_empty() && found.resource.is_empty(), "{found:?}");
        }
        let whole = read(&[], &[("OTEL_RESOURCE_ATTRIBUTES", "a=b,c"), ("OTEL_SERVICE_NAME", "s")]);
        assert_eq!(whole.resource.into_iter().collect::<Vec<_>>(), [("service.name".into(), "s".into())]);
    }
}
