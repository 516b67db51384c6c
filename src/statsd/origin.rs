//! Where a message came from, as its client says: `c:` (local data) and `e:` (external data), or the entity
//! that `DD_ENTITY_ID` names.
//!
//! Read only where origin detection is on, once per form. An inode (`in-`) names a container on its
//! own host only and is left alone. Nothing here asks a container runtime. Next: `form.rs`.

use super::Cardinality;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::{map, rest, value};
use nom::error::Error;
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// One thing that local or external data says, as a tag's key and value, and which clients want it.
type Fact<'a> = Option<(Cardinality, &'static str, &'a str)>;

/// The tags `container_id`, `kube_container_name` and `pod_uid`, as far as they are known: of `local`
/// (`ci-<id>`, a bare id, `in-<inode>`, or several with commas) and `external`
/// (`it-<init?>,cn-<container>,pu-<pod uid>` in any order). What is not UTF-8 or holds control
/// characters is left out. With each tag the least cardinality that asks for it.
pub fn origin_tags<'a>(
    local: &'a [u8],
    external: &'a [u8],
) -> impl Iterator<Item = (Cardinality, String)> + use<'a> {
    let locals = items(local).filter_map(|item| read(local_fact, item));
    let externals = items(external).filter_map(|item| read(external_fact, item));
    locals.chain(externals).map(|(cardinality, key, value)| (cardinality, format!("{key}:{value}")))
}

/// The same of an entity as `DD_ENTITY_ID` names it: `ci-<container id>`, `in-<inode>`, or a pod's uid.
pub(super) fn entity_tag(entity: &str) -> Option<(Cardinality, String)> {
    let (cardinality, key, value) =
        items(entity.as_bytes()).next().and_then(|item| read(entity_fact, item))?;
    Some((cardinality, format!("{key}:{value}")))
}

fn items(data: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(data).ok().filter(|text| !text.contains(char::is_control));
    text.unwrap_or_default().split(',')
}

fn read<'a>(fact: fn(&'a str) -> IResult<&'a str, Fact<'a>>, item: &'a str) -> Fact<'a> {
    let (_, fact) = fact(item).ok()?;
    fact.filter(|(_, _, value)| !value.is_empty())
}

fn local_fact(item: &str) -> IResult<&str, Fact<'_>> {
    alt((
        value(None, preceded(tag::<_, _, Error<_>>("in-"), rest)),
        map(preceded(tag("ci-"), rest), |id| Some((Cardinality::High, "container_id", id))),
        map(rest, |id| Some((Cardinality::High, "container_id", id))),
    ))
    .parse(item)
}

fn entity_fact(item: &str) -> IResult<&str, Fact<'_>> {
    alt((
        value(None, preceded(tag::<_, _, Error<_>>("in-"), rest)),
        map(preceded(tag("ci-"), rest), |id| Some((Cardinality::High, "container_id", id))),
        map(rest, |uid| Some((Cardinality::Orchestrator, "pod_uid", uid))),
    ))
    .parse(item)
}

fn external_fact(item: &str) -> IResult<&str, Fact<'_>> {
    alt((
        map(preceded(tag::<_, _, Error<_>>("cn-"), rest), |name| {
            Some((Cardinality::Low, "kube_container_name", name))
        }),
        map(preceded(tag("pu-"), rest), |uid| Some((Cardinality::Orchestrator, "pod_uid", uid))),
        value(None, rest),
    ))
    .parse(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_and_external_data_become_tags() {
        let cases: [(&str, &str, &[&str]); 9] = [
            ("", "", &[]),
            ("ci-83f", "", &["container_id:83f"]),
            ("83f", "", &["container_id:83f"]),
            ("in-4026531835", "", &[]),
            ("ci-83f,in-4026531835", "", &["container_id:83f"]),
            ("in-4026531835,ci-83f", "", &["container_id:83f"]),
            ("ci-", "cn-,pu-", &[]),
            ("", "it-false,cn-app,pu-75a", &["kube_container_name:app", "pod_uid:75a"]),
            ("ci-1", "pu-75a,zz-1,cn-app", &["container_id:1", "pod_uid:75a", "kube_container_name:app"]),
        ];
        for (local, external, want) in cases {
            let tags: Vec<_> =
                origin_tags(local.as_bytes(), external.as_bytes()).map(|(_, tag)| tag).collect();
            assert_eq!(tags, want, "c:{local} e:{external}");
        }
        assert_eq!(origin_tags(b"ci-\xff", b"cn-a\x01").count(), 0);
    }
    #[test]
    fn an_entity_becomes_one_tag() {
        let tag = |entity| entity_tag(entity).map(|(_, tag)| tag);
        assert_eq!(tag("75a-b").as_deref(), Some("pod_uid:75a-b"));
        assert_eq!(tag("ci-83f").as_deref(), Some("container_id:83f"));
        for nothing in ["", "in-4026531835", "ci-", "a\nb"] {
            assert_eq!(tag(nothing), None, "{nothing:?}");
        }
    }
}
