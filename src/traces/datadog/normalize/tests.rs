use super::*;
use crate::traces::datadog::Link;

const NOW: u64 = 1_800_000_000_000_000_000;

fn good() -> Span<'static> {
    Span {
        service: "shop".into(),
        name: "web.request".into(),
        resource: "GET /".into(),
        kind: "web".into(),
        trace_id: 1,
        span_id: 2,
        start: 1_700_000_000_000_000_000,
        duration: 5,
        ..Span::default()
    }
}

fn repaired(mut changed: Span<'static>) -> (Span<'static>, Vec<&'static str>) {
    let mut counts = Counts::default();
    span(&mut changed, "go", NOW, &mut counts);
    let reasons = counts.iter().map(|(reason, _)| reason.name()).collect();
    // What was repaired once needs no second repair.
    let mut again = changed.clone();
    let mut none = Counts::default();
    span(&mut again, "go", NOW, &mut none);
    assert_eq!((&again, none), (&changed, Counts::default()));
    (changed, reasons)
}

#[test]
fn a_good_span_stays_as_it_is() {
    let mut good = good();
    good.meta = vec![
        ("env".into(), "prod".into()),
        ("http.status_code".into(), "404".into()),
        ("peer.service".into(), "db".into()),
        ("k".repeat(200).into(), "v".repeat(25_000).into()),
    ];
    good.metrics = vec![("m".into(), f64::NAN)];
    good.metrics.clear();
    assert_eq!(repaired(good.clone()), (good, vec![]));
}

#[test]
fn names_get_defaults_and_limits() {
    let (span, reasons) = repaired(Span { start: good().start, ..Span::default() });
    assert_eq!(
        (&*span.service, &*span.name, &*span.resource),
        ("unnamed-go-service", "unnamed_operation", "unnamed_operation")
    );
    assert_eq!(reasons, ["service_empty", "span_name_empty", "resource_empty"]);
    let long = "é".repeat(3_000);
    let text = || Cow::Owned(format!("a{long}"));
    let (span, reasons) =
        repaired(Span { service: text(), name: text(), resource: text(), kind: text(), ..good() });
    assert_eq!(
        (span.service.len(), span.name.len(), span.resource.len(), span.kind.len()),
        (99, 1, 4_999, 99)
    );
    assert_eq!(
        reasons,
        [
            "service_truncate",
            "span_name_truncate",
            "span_name_characters",
            "resource_truncate",
            "type_truncate"
        ]
    );
    let (span, reasons) = repaired(Span { service: "***".into(), name: "123".into(), ..good() });
    assert_eq!((&*span.service, &*span.name), ("unnamed-go-service", "unnamed_operation"));
    assert_eq!(reasons, ["service_invalid", "service_characters", "span_name_invalid"]);
}

#[test]
fn times_become_possible() {
    let start = good().start;
    for (given, wanted, reasons) in [
        ((start, -1), (start, 0), vec!["invalid_duration"]),
        ((start, i64::MAX), (start, 0), vec!["invalid_duration"]),
        ((0, 7), (NOW as i64 - 7, 7), vec!["invalid_start_date"]),
        ((-5, 7), (NOW as i64 - 7, 7), vec!["invalid_start_date"]),
        ((0, i64::MAX), (NOW as i64, 0), vec!["invalid_duration", "invalid_start_date"]),
        ((EARLIEST_NS, 0), (EARLIEST_NS, 0), vec![]),
    ] {
        let (span, found) = repaired(Span { start: given.0, duration: given.1, ..good() });
        assert_eq!(((span.start, span.duration), found), (wanted, reasons), "{given:?}");
    }
}

#[test]
fn tags_links_and_parents_are_put_right() {
    let mut odd = good();
    odd.parent_id = odd.span_id;
    odd.meta = vec![
        ("http.status_code".into(), "teapot".into()),
        ("env".into(), "Prod!".into()),
        ("peer.service".into(), "***".into()),
        ("_dd.base_service".into(), "Base".into()),
        ("k".repeat(300).into(), "v".repeat(30_000).into()),
    ];
    odd.metrics = vec![("m".repeat(300).into(), 1.0)];
    odd.links = vec![Link { attributes: vec![("link.name".into(), "a b".into())], ..Link::default() }];
    let (span, reasons) = repaired(odd);
    assert_eq!(span.parent_id, 0);
    let lengths: Vec<_> = span.meta.iter().map(|(key, value)| (key.len(), value.len())).collect();
    assert_eq!(lengths, [(3, 4), (12, 0), (16, 4), (203, 25_003)]);
    assert_eq!((&*span.meta[0].1, &*span.meta[2].1), ("prod", "base"));
    assert_eq!((span.metrics[0].0.len(), &*span.links[0].attributes[0].1), (203, "a_b"));
    assert_eq!(
        reasons,
        [
            "peer_service_invalid",
            "peer_service_characters",
            "base_service_characters",
            "parent_is_itself",
            "env_characters",
            "invalid_http_status_code",
            "tag_key_truncate",
            "tag_value_truncate",
            "link_name"
        ]
    );
}

#[test]
fn traces_that_cannot_be_are_dropped() {
    let spans = |ids: &[(u64, u64, u64)]| {
        let span = |&(high, low, id): &(u64, u64, u64)| Span {
            trace_id_high: high,
            trace_id: low,
            span_id: id,
            ..good()
        };
        Trace { spans: ids.iter().map(span).collect(), ..Trace::default() }
    };
    for (mut given, wanted) in [
        (spans(&[]), Err(Dropped::Empty)),
        (spans(&[(0, 0, 1)]), Err(Dropped::TraceIdZero)),
        (spans(&[(0, 1, 0)]), Err(Dropped::SpanIdZero)),
        (spans(&[(0, 1, 1), (0, 2, 2)]), Err(Dropped::ForeignSpan)),
        (spans(&[(1, 1, 1), (2, 1, 2)]), Err(Dropped::ForeignSpan)),
        (spans(&[(1, 1, 1), (0, 1, 2)]), Ok(())),
        (spans(&[(1, 0, 1)]), Ok(())),
    ] {
        assert_eq!(trace(&mut given, "", NOW, &mut Counts::default()), wanted, "{given:?}");
    }
}

#[test]
fn equal_span_ids_are_counted() {
    for length in [2_u64, 20] {
        let span = |id: u64| Span { span_id: id % (length - 1) + 1, ..good() };
        let mut given = Trace { spans: (0..length).map(span).collect(), ..Trace::default() };
        let mut counts = Counts::default();
        assert_eq!(trace(&mut given, "", NOW, &mut counts), Ok(()));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(Reason::DuplicateSpanId, 1)]);
    }
}
