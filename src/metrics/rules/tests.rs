use super::*;
use crate::config::{self, HistogramStyle, PatternKind, TagRewrite};
use proptest::prelude::*;
use std::time::Duration;

fn glob(pattern: &str) -> config::Rule {
    config::Rule { pattern: pattern.to_owned(), ..config::Rule::default() }
}

fn regex(pattern: &str) -> config::Rule {
    config::Rule { pattern_kind: PatternKind::Regex, ..glob(pattern) }
}

fn compile(rules: &[config::Rule]) -> Rules {
    Rules::compile(rules, &config::Metrics::default()).unwrap()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What becomes of a counter `name` with `tags`, as `name tag,tag` or `dropped`.
fn applied(rules: &Rules, name: &str, tags: &[&str]) -> String {
    let (mut name, mut tags) = (name.to_owned(), strings(tags));
    match rules.apply(Kind::Counter, &mut name, &mut tags) {
        Verdict::Drop => "dropped".to_owned(),
        Verdict::Keep { .. } => format!("{name} {}", tags.join(",")),
    }
}

#[test]
fn without_rules_nothing_changes() {
    assert_eq!(applied(&compile(&[]), "a.b", &["x:y"]), "a.b x:y");
}

#[test]
fn the_first_match_decides() {
    let rename = |pattern: &str, name: &str| config::Rule { name: Some(name.to_owned()), ..glob(pattern) };
    let rules = compile(&[
        rename("jobs.*.done", "jobs_done.$1"),
        glob("jobs.kept.**"),
        rename("jobs.**", "other"),
        config::Rule { drop: true, ..glob("debug.**") },
        config::Rule { name: Some("${verb}.${1}".into()), ..regex(r"^http\.(\d+)\.(?P<verb>get|post)") },
        rename("empty.*", "$1"),
        rename("own.*", "$1"),
    ]);
    for (name, expected) in [
        ("jobs.mail.done", "jobs_done.mail "),
        ("jobs.kept.x", "jobs.kept.x "),
        ("jobs.mail.failed", "other "),
        ("debug.x.y", "dropped"),
        ("http.200.get.rest", "get.200 "),
        ("xhttp.200.get", "xhttp.200.get "),
        ("empty.", "empty. "),
        ("own.pillion_x", "own.pillion_x "),
        ("own.pillion-x", "own.pillion-x "),
    ] {
        assert_eq!(applied(&rules, name, &[]), expected, "{name}");
    }
}

#[test]
fn rules_look_at_types() {
    let rule = config::Rule { types: vec![Kind::Timer, Kind::Set], drop: true, ..glob("a") };
    let rules = compile(&[rule, config::Rule { force_type: Some(Kind::Gauge), ..glob("a") }]);
    for (kind, expected) in [
        (Kind::Timer, Verdict::Drop),
        (Kind::Set, Verdict::Drop),
        (Kind::Counter, Verdict::Keep { kind: Kind::Gauge, treatment: 0 }),
        (Kind::Histogram, Verdict::Keep { kind: Kind::Gauge, treatment: 0 }),
    ] {
        assert_eq!(rules.apply(kind, &mut "a".to_owned(), &mut Vec::new()), expected, "{kind:?}");
    }
    let rules = compile(&[config::Rule { force_type: Some(Kind::Gauge), ..glob("a") }]);
    let kept = rules.apply(Kind::Set, &mut "a".to_owned(), &mut Vec::new());
    assert_eq!(kept, Verdict::Keep { kind: Kind::Set, treatment: 0 });
}

#[test]
fn tags_are_set_then_rewritten_then_dropped() {
    let rewrite = |key: &str, pattern: &str, value: &str| TagRewrite {
        key: key.to_owned(),
        pattern: pattern.to_owned(),
        value: value.to_owned(),
    };
    let rules = compile(&[config::Rule {
        name: Some("req".into()),
        set_tags: [("route", "$1"), ("tier", "web"), ("gone", "$2")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        rewrite_tags: vec![
            rewrite("status", r"^(\d)\d\d$", "${1}xx"),
            rewrite("route", "^admin", "internal"),
            rewrite("tier", "nothing", "else"),
            rewrite("host", "(x)?$", "$1"),
        ],
        drop_tags: strings(&["pod", "kube_*"]),
        ..regex(r"^req\.(\w+)(\.never)?$")
    }]);
    for (name, tags, expected) in [
        ("req.home", &[][..], "req route:home,tier:web"),
        ("req.admin_x", &["route:sent", "status:404"], "req route:internal,status:4xx,tier:web"),
        ("req.a", &["kube_node:n", "pod", "pods:1", "pod:x"], "req pods:1,route:a,tier:web"),
        ("req.a", &["status", "status:2000"], "req route:a,status,status:2000,tier:web"),
        ("req.a", &["gone", "gone:x", "host:h", "tier:a", "tier:b"], "req route:a,tier:web"),
        ("other", &["pod:x"], "other pod:x"),
    ] {
        assert_eq!(applied(&rules, name, tags), expected, "{name} {tags:?}");
    }
}

#[test]
fn tags_that_become_alike_are_one() {
    let status = TagRewrite { key: "s".into(), pattern: ".".into(), value: "any".into() };
    let rules = compile(&[config::Rule { rewrite_tags: vec![status], ..glob("**") }]);
    assert_eq!(applied(&rules, "a", &["s:1", "s:2", "t:1"]), "a s:any,t:1");
}

#[test]
fn namespace_and_global_tags_come_last() {
    let metrics = config::Metrics {
        namespace: "shop.".into(),
        namespace_exclude: strings(&["runtime.", "new."]),
        tags: strings(&["env:dev", "team:a", "team:b", "canary", "env:dev"]),
        ..config::Metrics::default()
    };
    let old = config::Rule { name: Some("new.name".into()), drop_tags: strings(&["*"]), ..glob("shop.old") };
    let rules = Rules::compile(&[old], &metrics).unwrap();
    for (name, tags, expected) in [
        ("a", &[][..], "shop.a canary,env:dev,team:a,team:b"),
        ("runtime.x", &["env:prod"], "runtime.x canary,env:prod,team:a,team:b"),
        ("a", &["canary:no", "team"], "shop.a canary:no,env:dev,team"),
        ("shop.old", &["a:b"], "new.name canary,env:dev,team:a,team:b"),
    ] {
        assert_eq!(applied(&rules, name, tags), expected, "{name} {tags:?}");
    }
    let metrics = config::Metrics { namespace: "p".into(), ..config::Metrics::default() };
    let rules = Rules::compile(&[], &metrics).unwrap();
    assert_eq!(applied(&rules, "illion_x", &[]), "illion_x ");
    assert_eq!(applied(&rules, "illions", &[]), "pillions ");
}

#[test]
fn each_rule_that_asks_has_its_own_treatment() {
    let rules = compile(&[
        config::Rule { name: Some("x".into()), ..glob("plain") },
        config::Rule { buckets: Some(vec![0.1, 0.5]), unit: Some("s".into()), ..glob("a") },
        config::Rule {
            ttl: Some(Duration::from_secs(60)),
            percentiles: Some(vec![0.5]),
            histograms: Some(HistogramStyle::Summary),
            help: Some("what it is".into()),
            ..glob("b")
        },
    ]);
    let treated = |name: &str| match rules.apply(Kind::Timer, &mut name.to_owned(), &mut Vec::new()) {
        Verdict::Keep { treatment, .. } => usize::from(treatment),
        Verdict::Drop => unreachable!(),
    };
    assert_eq!(["other", "plain", "a", "b"].map(treated), [0, 0, 1, 2]);
    let [default, a, b] = rules.treatments() else { panic!("{:?}", rules.treatments()) };
    let metrics = config::Metrics::default();
    assert_eq!(*default.timer_buckets, *metrics.timer_buckets);
    assert_eq!(*default.histogram_buckets, *metrics.histogram_buckets);
    assert_eq!(
        (default.explicit_buckets, default.ttl, default.style),
        (false, None, HistogramStyle::Histogram)
    );
    for kind in [Kind::Timer, Kind::Histogram, Kind::Distribution] {
        assert_eq!(**a.buckets(kind), [0.1, 0.5]);
    }
    assert_eq!((a.explicit_buckets, a.unit.as_deref()), (true, Some("s")));
    assert_eq!(*a.percentiles, *default.percentiles);
    assert_eq!((b.ttl, &*b.percentiles), (Some(Duration::from_secs(60)), &[0.5][..]));
    assert_eq!((b.style, b.help.as_deref()), (HistogramStyle::Summary, Some("what it is")));
    assert!(!b.explicit_buckets);
}

/// One or more mistakes each.
fn wrong_rules() -> Vec<config::Rule> {
    let named = |pattern: &str, name: &str| config::Rule { name: Some(name.to_owned()), ..glob(pattern) };
    vec![
        glob(""),
        glob("a.***"),
        regex("a(b"),
        regex(r"(\w{1,500}){1,500}"),
        named("a.*", "$2"),
        named("a.*", "costs.$"),
        named("a.*", ""),
        named("a.*", "a:b"),
        named("a.*", "pillion_x"),
        named("a.*", "$1|x"),
        config::Rule { set_tags: [("k:v".to_owned(), "x,y".to_owned())].into(), ..glob("a") },
        config::Rule {
            rewrite_tags: vec![TagRewrite { key: String::new(), pattern: "*".into(), value: "x".into() }],
            ..glob("a")
        },
        config::Rule { drop: true, ttl: Some(Duration::ZERO), ..glob("a") },
        config::Rule { force_type: Some(Kind::Set), ..glob("a") },
        config::Rule { buckets: Some(vec![]), percentiles: Some(vec![0.5, 95.0]), ..glob("a") },
        config::Rule { buckets: Some(vec![1.0, 1.0]), percentiles: Some(vec![]), ..glob("a") },
        config::Rule { buckets: Some(vec![1.0, f64::INFINITY]), unit: Some(String::new()), ..glob("a") },
    ]
}

#[test]
fn every_mistake_is_told_with_what_to_write_instead() {
    let metrics = config::Metrics {
        namespace: "pillion.".into(),
        tags: strings(&["ok", "", "a|b"]),
        ..config::Metrics::default()
    };
    let errors = Rules::compile(&wrong_rules(), &metrics).unwrap_err();
    assert_eq!(errors.0[3].rule, Some(0));
    insta::assert_snapshot!(errors, @r"
    metrics.namespace: `pillion.` begins a name of pillion's own; choose a name that does not begin with `pillion`
    metrics.tags: it is empty; write a value, or leave the option out
    metrics.tags: `a|b` holds a control character or one of `|`, `,`; write `key:value` or a bare word
    rule 1 (``): pattern: it is empty; write a value, or leave the option out
    rule 2 (`a.***`): pattern: `***` means nothing; write `*` for one part between dots, `**` for anything
    rule 3 (`a(b`): pattern: this is no regular expression: unclosed group; write the characters `.+*?()[]{}|^$\` with a `\` before them to mean themselves
    rule 4 (`(\w{1,500}){1,500}`): pattern: compiled, this is too large; write fewer or simpler patterns: repetitions such as `{1,1000}` cost most
    rule 5 (`a.*`): name: `$2` asks for capture `2`, which the pattern does not have; count the `*` of a glob or the `(` of a regular expression from 1, or give the group that name
    rule 6 (`a.*`): name: `costs.$` has a `$` that begins no capture; write `$1`, `${1}`, `$name` or `${name}` for a capture, `$$` for a dollar
    rule 7 (`a.*`): name: it is empty; write a value, or leave the option out
    rule 8 (`a.*`): name: `a:b` holds a control character or one of `|`, `:`; write letters, digits, `.`, `_` or `-`
    rule 9 (`a.*`): name: `pillion_x` begins a name of pillion's own; choose a name that does not begin with `pillion`
    rule 10 (`a.*`): name: `$1|x` holds a control character or one of `|`, `:`; write letters, digits, `.`, `_` or `-`
    rule 11 (`a`): set_tags: `k:v` holds a colon or a character that no tag may hold; write the key alone, without its value
    rule 11 (`a`): set_tags: `x,y` holds a control character or one of `|`, `,`; write `key:value` or a bare word
    rule 12 (`a`): rewrite_tags.key: it is empty; write a value, or leave the option out
    rule 12 (`a`): rewrite_tags.pattern: this is no regular expression: repetition operator missing expression; write the characters `.+*?()[]{}|^$\` with a `\` before them to mean themselves
    rule 13 (`a`): drop: a context that is dropped has no ttl; take out either `drop` or the other option
    rule 13 (`a`): ttl: series that live for no time would never be seen; write a duration above 0, or leave the option out to keep series for good
    rule 14 (`a`): force_type: a set's members cannot become numbers, nor numbers members; leave `s` to sets: write one of c, g, ms, h, d, or take the option out
    rule 15 (`a`): buckets: no bound is given, or one is not finite; write finite upper bounds (+Inf is added), such as [0.1, 0.5, 1.0]
    rule 15 (`a`): percentiles: 95 is no share between 0 and 1; write 0.95 for the 95th percentile
    rule 16 (`a`): buckets: 1 does not lie above the bound before it; write each bound once, the smallest first
    rule 16 (`a`): percentiles: it is empty; write a value, or leave the option out
    rule 17 (`a`): buckets: no bound is given, or one is not finite; write finite upper bounds (+Inf is added), such as [0.1, 0.5, 1.0]
    rule 17 (`a`): unit: it is empty; write a value, or leave the option out
    ");
}

proptest! {
    #[test]
    fn tags_stay_sorted_and_names_stay_names(
        name in "[a-z.]{1,12}",
        tags in prop::collection::btree_set("[a-c]{1,2}(:[a-c.]{0,2})?", 0..6),
        template in "[a-z.]{0,3}(\\$1)?",
        drop in "[a-c*]{1,2}",
    ) {
        let rule = config::Rule {
            name: (!template.is_empty()).then(|| template.clone()),
            set_tags: [("b".to_owned(), "x$1".to_owned())].into(),
            rewrite_tags: vec![TagRewrite { key: "a".into(), pattern: "(b?)c".into(), value: "$1".into() }],
            drop_tags: vec![drop],
            ..glob("*.**")
        };
        let metrics = config::Metrics { tags: strings(&["b:g", "c"]), ..config::Metrics::default() };
        let rules = Rules::compile(&[rule], &metrics).unwrap();
        let (mut new_name, mut new_tags) = (name.clone(), tags.into_iter().collect::<Vec<_>>());
        rules.apply(Kind::Counter, &mut new_name, &mut new_tags);
        prop_assert!(is_name(&new_name));
        prop_assert!(new_tags.is_sorted() && new_tags.windows(2).all(|pair| pair[0] != pair[1]), "{new_tags:?}");
        for wanted in ["b", "c"] {
            prop_assert!(new_tags.iter().any(|tag| tags::key(tag) == wanted), "{new_tags:?}");
        }
    }
}
