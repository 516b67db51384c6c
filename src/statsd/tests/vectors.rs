//! What packets mean, as a table.

use super::super::{Dialect, Form, FormLimits, Line, Metric, Reject, form, messages};
use super::show;

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (packet, want) in cases {
        assert_eq!(show(packet.as_bytes(), Dialect::default()), *want, "{packet:?}");
    }
}

#[test]
fn metrics() {
    check(&[
        ("page.views:1|c", "c page.views 1 {}"),
        ("page.views:-1.5|c", "c page.views -1.5 {}"),
        ("page.views:+2|c", "c page.views 2 {}"),
        ("page.views:2|c|@0.5", "c page.views 2 {} weight=2"),
        ("page.views:1:2:3|c", "c page.views 1 2 3 {}"),
        ("page.views:1|c|#a,b:c,b:c", "c page.views 1 {a, b:c}"),
        ("page.views:1|c|@0.1|#a:b|c:ci-83f|T1656581400", "c page.views 1 {a:b} local=ci-83f at=1656581400"),
        (
            "page.views:1|c|card:low|e:it-false,cn-app,pu-75a|#x:y",
            "c page.views 1 {x:y} external=it-false,cn-app,pu-75a card=low",
        ),
        ("page.views:1|c|T1656581400|@0.1", "c page.views 1 {} at=1656581400"),
        ("fuel:0.5|g", "g fuel 0.5 {}"),
        ("fuel:+3|g", "g fuel +3 {}"),
        ("fuel:-3:4|g", "g fuel -3 4 {}"),
        ("fuel:1e3|g", "g fuel 1000 {}"),
        ("fuel:1|g|@0.5", "g fuel 1 {}"),
        ("fuel:1|g|T1656581400", "g fuel 1 {} at=1656581400"),
        ("song.length:240|h|@0.5", "h song.length 240 {} weight=2"),
        ("req:320|ms", "ms req 320 {}"),
        ("lat:1:2:3|d|@0.25", "d lat 1 2 3 {} weight=4"),
        ("users:abc:def|s", "s users abc:def {}"),
        ("users:abc|s|@0.5|#a:b", "s users abc {a:b}"),
        ("n:1|c|#", "c n 1 {}"),
        ("n:1|c|#,,a,", "c n 1 {a} (empty_tag)"),
        ("n:1|c|#url:http://x", "c n 1 {url:http://x}"),
        ("n:1|c|zzz:unknown", "c n 1 {} (unknown_field)"),
        ("n:1|c||#a", "c n 1 {a}"),
        ("n:1|c|", "c n 1 {}"),
        ("n:1|c|#a|#b", "c n 1 {b} (repeated_field)"),
        ("n:1|h|T1656581400", "h n 1 {} (timestamp_ignored)"),
        ("n:1|h|Tx", "h n 1 {} (timestamp_ignored)"),
        ("n:1|c|@1e-12", "c n 1 {} weight=260078023.40702212 (rate_clamped)"),
        ("n:1|c|@1", "c n 1 {}"),
        ("größe:1|c|#ü:ö", "c größe 1 {ü:ö}"),
        ("two words:1|c", "c two words 1 {}"),
        ("_own:1|c", "c _own 1 {}"),
        ("n:1|c|#dd.internal.entity_id:pod-1,a", "c n 1 {a} entity=pod-1"),
        ("n:1|c|#dd.internal.entity_id:none", "c n 1 {} entity="),
        ("n:1|c|#dd.internal.card:odd,dd.internal.jmx_check_name:j,a", "c n 1 {a} (unknown_field)"),
    ]);
}

#[test]
fn several_messages() {
    check(&[
        ("", ""),
        ("\n\r\n\n\r", ""),
        ("a:1|c\nb:2|c\n", "c a 1 {}\nc b 2 {}"),
        ("a:1|c\r\nb:2|c", "c a 1 {}\nc b 2 {}"),
        ("a:1|c|#x\r\nb:2|c|@0.5\r\nc:3|c|T5\r\n", "c a 1 {x}\nc b 2 {} weight=2\nc c 3 {} at=5"),
        ("a:1|ms\r", "ms a 1 {}"),
        ("a:1|c|#x\r", "c a 1 {x}"),
        ("a:1|c\n\n\nb:2|c", "c a 1 {}\nc b 2 {}"),
        ("a:1|c\nbroken\nb:2|c", "c a 1 {}\nno_value: broken\nc b 2 {}"),
        ("broken\r\nb:2|c", "no_value: broken\nc b 2 {}"),
        ("a\nb:2|c", "no_value: a\nc b 2 {}"),
        ("a:1\nb:2|c", "no_type: a:1\nc b 2 {}"),
        ("a:1|c|@\nb:2|c", "bad_rate: a:1|c|@\nc b 2 {}"),
    ]);
}

#[test]
fn several_parts() {
    check(&[
        ("n:1|c:2|ms", "c n 1 {}\nms n 2 {}"),
        ("n:1|c|@0.5:2|ms|@0.25:3|g\na:1|c", "c n 1 {} weight=2\nms n 2 {} weight=4\ng n 3 {}\nc a 1 {}"),
        ("n,k=v:1:2|c:3|ms\r\n", "c n 1 2 {k:v}\nms n 3 {k:v}"),
        ("n:a|s:b:c|s", "s n a {}\ns n b:c {}"),
        // One bad part refuses the line, and parts know no DogStatsD tags.
        ("n:1|c:x|ms\na:1|c", "bad_value: n:1|c:x|ms\nc a 1 {}"),
        ("n:x|c:1|ms", "bad_value: n:x|c:1|ms"),
        ("n:1|c:2|q", "bad_type: n:1|c:2|q"),
        ("n:1|c:2", "no_type: n:1|c:2"),
        ("n:1|c:", "no_type: n:1|c:"),
        ("n:1|c:2|ms|#a", "bad_type: n:1|c:2|ms|#a"),
        ("n:1|c|@0.5:2|ms|#a", "bad_rate: n:1|c|@0.5:2|ms|#a"),
    ]);
}

#[test]
fn tags_in_the_name() {
    check(&[
        ("n,k=v:1|c", "c n 1 {k:v}"),
        ("n#k=v:1|c", "c n 1 {k:v}"),
        ("n[k=v]m:1|c", "c nm 1 {k:v}"),
        ("n,b=2,a=1,,b=2:1|c", "c n 1 {a:1, b:2} (empty_tag)"),
        ("n[k=v:1|c", "c n[k=v 1 {} (bad_tag)"),
        ("n,k:1|c|#a:b", "c n,k 1 {a:b} (bad_tag)"),
        ("n,k=v:1|c|#a:b", "mixed_tagging_styles"),
        ("n[k=v]:1|c|#a:b", "mixed_tagging_styles"),
        ("n,k=v:1|c|#", "c n 1 {k:v}"),
        ("n[]:1|c|#a:b", "c n 1 {a:b} (empty_tag)"),
        (",k=v:1|c", "empty_name"),
        ("[k=v]:1|c", "empty_name"),
    ]);
}

#[test]
fn refusals() {
    check(&[
        ("n:1:x:3|h", "bad_value"),
        ("n:1::3|h", "bad_value"),
        ("n:nan|g", "bad_value"),
        ("n:inf|g", "bad_value"),
        ("n:0x1|g", "bad_value"),
        ("n:|c", "bad_value: n:|c"),
        ("n:|s", "bad_value: n:|s"),
        ("n:1|c|@0", "bad_rate: n:1|c|@0"),
        ("n:1|c|@1.5", "bad_rate: n:1|c|@1.5"),
        ("n:1|c|@x", "bad_rate: n:1|c|@x"),
        ("n:1|c|@-1", "bad_rate: n:1|c|@-1"),
        ("n:1|c|@nan", "bad_rate: n:1|c|@nan"),
        ("n:1|g|@2", "bad_rate: n:1|g|@2"),
        ("n:1|c|T", "bad_timestamp: n:1|c|T"),
        ("n:1|g|T0", "bad_timestamp: n:1|g|T0"),
        ("n:1|c|T-5", "bad_timestamp: n:1|c|T-5"),
        ("n:1|q", "bad_type: n:1|q"),
        ("n:1|m", "bad_type: n:1|m"),
        ("n:1|cc", "bad_type: n:1|cc"),
        ("n:1|C", "bad_type: n:1|C"),
        ("n:1|", "bad_type: n:1|"),
        ("n:1|c\r|#a", "bad_type: n:1|c\\r|#a"),
        (":1|c", "empty_name: :1|c"),
        ("n", "no_value: n"),
        ("n:1", "no_type: n:1"),
        ("n|c|#a:b", "no_value: n|c|#a:b"),
        ("n|c|#a:b|x:y", "no_value: n|c|#a:b|x:y"),
        ("n|c|#a:1|c", "no_value"),
        ("pillion_up:1|c", "reserved_name"),
        ("pillion.up:1|c", "reserved_name"),
        ("pillion-up:1|c", "reserved_name"),
        ("pillion:1|c", "reserved_name"),
        ("pillion[a=b]_x:1|c", "reserved_name"),
        ("pillions:1|c", "c pillions 1 {}"),
        ("n\0:1|c", "control_character"),
        ("n:1|c|#a\tb", "control_character"),
        ("n:1|c|#a\u{85}b", "control_character"),
    ]);
    assert_eq!(show(b"n\xff:1|c\na:1|c", Dialect::default()), "not_utf8\nc a 1 {}");
    assert_eq!(show(b"n:1|c|#\xe0\x80\na:1|c", Dialect::default()), "not_utf8\nc a 1 {}");
}

#[test]
fn events() {
    check(&[
        ("_e{5,4}:title|text|t:warning|#env:dev", r#"event "title" "text" Warning {env:dev}"#),
        ("_e{5,10}:title|line\\nmore", r#"event "title" "line\nmore" Info {}"#),
        (
            "_e{5,8}:title|a|b\nc\\nd|d:1656581400|h:web|k:key|p:low|s:src|t:error|#b,a,b|c:ci-1|e:cn-a|card:low\na:1|c",
            "event \"title\" \"a|b\\nc\\nd\" Error low key=\"key\" source=\"src\" at=1656581400 host=\"web\" {a, b}\nc a 1 {}",
        ),
        ("_e{6,3}:größ|ü1|t:success|p:normal||h:\r\n", "event \"größ\" \"ü1\" Success {}"),
        (
            "_e{1,1}:a|b|t:odd|p:odd|m:x|h:1|h:2|#a,,",
            "event \"a\" \"b\" Info host=\"2\" {a} (empty_tag) (unknown_field) (repeated_field)",
        ),
    ]);
    check(&[
        ("_e{0,4}:|text", "bad_event: _e{0,4}:|text"),
        ("_e{5,0}:title|", "bad_event: _e{5,0}:title|"),
        ("_e{50,4}:title|text", "bad_event: _e{50,4}:title|text"),
        ("_e{5,50}:title|text\na:1|c", "bad_event: _e{5,50}:title|text\nc a 1 {}"),
        ("_e{5,3}:title|text\na:1|c", "bad_event: _e{5,3}:title|text\nc a 1 {}"),
        ("_e{4,4}:title|text\r\na:1|c", "bad_event: _e{4,4}:title|text\nc a 1 {}"),
        ("_e{x,4}:title|text", "bad_event: _e{x,4}:title|text"),
        ("_e{99999999999999999999999,4}:t|t", "bad_event: _e{99999999999999999999999,4}:t|t"),
        ("_e{", "bad_event: _e{"),
        ("_e{5,4}:title|text|d:x", "bad_timestamp: _e{5,4}:title|text|d:x"),
    ]);
    assert_eq!(show(b"_e{1,1}:\xff|x", Dialect::default()), "not_utf8: _e{1,1}:\\xff|x");
}

#[test]
fn checks() {
    check(&[
        (
            "_sc|Redis connection|2|#env:dev|m:Redis connection timed out",
            r#"check "Redis connection" Critical message="Redis connection timed out" {env:dev}"#,
        ),
        ("_sc|x|0", r#"check "x" Ok {}"#),
        (
            "_sc|x|3|d:5|h:web|m:a\\nb m\\:c|#b,a,b|c:ci-1|e:cn-a|card:low\r\na:1|c",
            "check \"x\" Unknown message=\"a\\nb m:c\" at=5 host=\"web\" {a, b}\nc a 1 {}",
        ),
        (
            "_sc|x|1|k:odd|p:low|#a,,|h:1|h:2",
            "check \"x\" Warning host=\"2\" {a} (empty_tag) (unknown_field) (repeated_field)",
        ),
    ]);
    check(&[
        ("_sc|x|4", "bad_check_status: _sc|x|4"),
        ("_sc|x|00", "bad_check_status: _sc|x|00"),
        ("_sc|x|\na:1|c", "bad_check_status: _sc|x|\nc a 1 {}"),
        ("_sc|x", "bad_check: _sc|x"),
        ("_sc||1", "bad_check: _sc||1"),
        ("_sc|", "bad_check: _sc|"),
        ("_sc|x|1|d:-1", "bad_timestamp: _sc|x|1|d:-1"),
    ]);
    assert_eq!(show(b"_sc|\xff|1\na:1|c", Dialect::default()), "not_utf8: _sc|\\xff|1\nc a 1 {}");
}

#[test]
fn styles_that_are_off_leave_the_name_alone() {
    let off = Dialect { influx: false, librato: false, signalfx: false, gauge_deltas: false };
    let cases = [
        ("n,k=v:1|c|#a", "c n,k=v 1 {a}"),
        ("n#k=v:1|c", "c n#k=v 1 {}"),
        ("n[k=v]m:1|c", "c n[k=v]m 1 {}"),
        ("fuel:+3:-4|g", "g fuel 3 -4 {}"),
    ];
    for (packet, want) in cases {
        assert_eq!(show(packet.as_bytes(), off), want, "{packet}");
    }
}

fn one(packet: &str) -> Metric<'_> {
    match messages(packet.as_bytes(), Dialect::default()).next() {
        Some(Ok(Line::Metric(metric))) => metric,
        other => panic!("{packet}: {other:?}"),
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = FormLimits { name_bytes: 3, tag_bytes: 4, tags: 2 };
    let cases = [
        ("abc:1|c|#abcd,ab:d", Ok(())),
        ("abcd:1|c", Err(Reject::TooLong)),
        ("abc:1|c|#abcde", Err(Reject::TooLong)),
        ("abc:1|c|#,a,,b,", Ok(())),
        ("abc:1|c|#a,b,c", Err(Reject::TooManyTags)),
        ("abc:1|c|#a,a,a", Err(Reject::TooManyTags)),
        ("abc,a=b,c=d:1|c", Ok(())),
        ("abc,a=b,c=d,e=f:1|c", Err(Reject::TooManyTags)),
        ("abc,ab=cd:1|c", Err(Reject::TooLong)),
    ];
    let mut form = Form::default();
    for (packet, want) in cases {
        assert_eq!(form::read_into(&one(packet), Dialect::default(), &limits, &mut form), want, "{packet}");
    }
}

#[test]
fn a_form_used_again_holds_nothing_of_the_one_before() {
    let (limits, dialect) = (FormLimits::default(), Dialect::default());
    let mut form = Form::default();
    let first = one("first:1|c|#b,a,,dd.internal.entity_id:e,dd.internal.jmx_check_name:j|card:high");
    form::read_into(&first, dialect, &limits, &mut form).unwrap();
    assert_eq!(form.cardinality, Some(form::Cardinality::High));
    assert_eq!((form.entity.as_deref(), form.jmx_check.as_deref()), (Some("e"), Some("j")));
    form::read_into(&one("n:1|c|#z"), dialect, &limits, &mut form).unwrap();
    assert_eq!((form.name.as_str(), &form.tags[..]), ("n", &["z".to_owned()][..]));
    assert_eq!((form.entity, form.jmx_check, form.cardinality), (None, None, None));
    assert!(form.remarks.is_empty());
}

#[test]
fn origin_becomes_tags_within_the_limits() {
    let metric = one("n:1|c|#z,a|c:ci-1,in-5|e:cn-app,pu-a-very-long-one");
    let limits = FormLimits { tag_bytes: 24, ..FormLimits::default() };
    let mut form = Form::default();
    form::read_into(&metric, Dialect::default(), &limits, &mut form).unwrap();
    form.add_origin(&metric, None, &limits);
    assert_eq!(form.tags, ["a", "container_id:1", "kube_container_name:app", "pod_uid:a-very-long-one", "z"]);
    assert!(form.remarks.is_empty());
    let limits = FormLimits { tag_bytes: 20, ..limits };
    form::read_into(&metric, Dialect::default(), &limits, &mut form).unwrap();
    form.add_origin(&metric, None, &limits);
    assert_eq!(form.tags, ["a", "container_id:1", "z"]);
    assert!(form.remarks.contains(super::super::Remark::BadTag));
}

#[test]
fn a_metric_that_names_no_origin_has_its_entitys_or_the_one_of_the_agent() {
    let limits = FormLimits::default();
    let mut form = Form::default();
    for (fields, agent, want) in [
        ("", None, &[][..]),
        ("", Some("pod-1"), &["pod_uid:pod-1"]),
        ("|#dd.internal.entity_id:pod-2", Some("pod-1"), &["pod_uid:pod-2"]),
        ("|#dd.internal.entity_id:pod-2", None, &["pod_uid:pod-2"]),
        ("|#dd.internal.entity_id:none", Some("pod-1"), &[]),
        ("|c:ci-1", Some("pod-1"), &["container_id:1"]),
        ("|e:cn-app", Some("pod-1"), &["kube_container_name:app"]),
        ("|c:in-5", Some("pod-1"), &[]),
        ("|card:low", Some("pod-1"), &[]),
    ] {
        let packet = format!("n:1|c{fields}");
        let metric = one(&packet);
        form::read_into(&metric, Dialect::default(), &limits, &mut form).unwrap();
        form.add_origin(&metric, agent, &limits);
        assert_eq!(form.tags, want, "{packet} {agent:?}");
    }
}

#[test]
fn a_client_gets_as_much_of_its_origin_as_it_asks_for() {
    let limits = FormLimits::default();
    let mut form = Form::default();
    for (asked, want) in [
        ("", &["container_id:1", "kube_container_name:app", "pod_uid:p"][..]),
        ("|card:none", &[]),
        ("|card:low", &["kube_container_name:app"]),
        ("|card:orchestrator", &["kube_container_name:app", "pod_uid:p"]),
        ("|card:high", &["container_id:1", "kube_container_name:app", "pod_uid:p"]),
    ] {
        let packet = format!("n:1|c|c:ci-1|e:cn-app,pu-p{asked}");
        let metric = one(&packet);
        form::read_into(&metric, Dialect::default(), &limits, &mut form).unwrap();
        form.add_origin(&metric, None, &limits);
        assert_eq!(form.tags, want, "{packet}");
    }
}

#[test]
fn what_is_alone_in_its_line_is_plain() {
    for (packet, plain) in [
        ("a:1|c", 1),
        ("a:1|c\nb:2|g|#x:y\r\n", 2),
        ("a:1|c|c:ci-1|T1700000000", 1),
        ("\na:1|c", 0),
        ("a:1|c\n\nb:1|c", 1),
        ("a:1|c:2|ms\nb:1|c", 1),
        ("a:|c\nb:1|c", 1),
        ("_e{1,1}:a|b\nc:1|c", 1),
        ("_sc|a|0\n_c:1|c", 0),
        ("", 0),
    ] {
        let mut lines = messages(packet.as_bytes(), Dialect::default());
        let taken =
            std::iter::from_fn(|| lines.plain().map(|_| true).or_else(|| lines.next().map(|_| false)));
        assert_eq!(taken.filter(|plain| *plain).count(), plain, "{packet}");
    }
}
