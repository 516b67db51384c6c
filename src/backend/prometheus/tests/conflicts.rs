//! What apps send may collide in any way: the later loses its line, the page stays whole.

use super::*;

/// Shows the samples that have a line, and the conflicts as `reason: kept > changed`.
fn outcome(rows: &[(&str, Class)], wanted: Negotiated) -> (Vec<String>, Vec<String>) {
    let exposition = of(rows.iter().enumerate().map(|(i, (key, kind))| row(key, *kind, &[i as f64 + 1.0])));
    let names = families(&exposition, wanted).into_iter().flat_map(|family| {
        family
            .samples
            .into_iter()
            .filter(|s| !["le", "quantile"].iter().any(|own| s.labels.contains_key(*own)))
            .map(|s| {
                let labels: Vec<_> = s.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
                format!("{}{{{}}} {}", s.name, labels.join(","), s.value)
            })
    });
    let names = names.collect();
    let conflicts = exposition
        .conflicts()
        .named
        .into_iter()
        .map(|c| format!("{}: {} > {}", c.reason.as_str(), c.kept.unwrap_or_default(), c.changed));
    (names, conflicts.collect())
}

#[test]
fn the_later_loses_its_line_and_both_are_named() {
    use Class::*;
    type Case<'a> = (&'a [(&'a str, Class)], &'a [&'a str], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (&[("a.b", Gauge), ("a_b", Gauge)], &["a_b{} 1"], &["same_series: a.b|g > a_b|g"]),
        (&[("a_b", Gauge), ("a.b", Gauge)], &["a_b{} 1"], &["same_series: a_b|g > a.b|g"]),
        (&[("a", Gauge), ("a", Set)], &["a{} 1"], &["same_series: a|g > a|s"]),
        (
            &[("a\nx:1", Gauge), ("a\nx:1\ny:", Gauge)],
            &["a{x=1} 1"],
            &["same_series: a|g|#x:1 > a|g|#x:1,y:"],
        ),
        (
            &[("a\nb:c\nb:d", Gauge), ("a\nb:c;d", Gauge)],
            &["a{b=c;d} 1"],
            &["same_series: a|g|#b:c,b:d > a|g|#b:c;d"],
        ),
        (&[("x", Counter), ("x_total", Counter)], &["x_total{} 1"], &["same_series: x|c > x_total|c"]),
        (&[("x\nq:1", Counter), ("x.total\nq:2", Counter)], &["x_total{q=1} 1", "x_total{q=2} 2"], &[]),
        (&[("x", Counter), ("x_total", Gauge)], &["x_total{} 1"], &["type_conflict: x|c > x_total|g"]),
        (
            &[("x_total\nz:1", Gauge), ("x", Counter)],
            &["x_total{z=1} 1"],
            &["type_conflict: x_total|g|#z:1 > x|c"],
        ),
        (&[("x_count", Gauge), ("x", Histogram)], &["x_count{} 1"], &["suffix_clash: x_count|g > x|h"]),
        (
            &[("x", Histogram), ("x_count", Gauge)],
            &["x_sum{} 1", "x_count{} 1"],
            &["suffix_clash: x|h > x_count|g"],
        ),
        (
            &[("x", Timer), ("x_seconds.bucket", Set)],
            &["x_seconds_sum{} 0.001", "x_seconds_count{} 1"],
            &["suffix_clash: x|ms > x_seconds.bucket|s"],
        ),
        (
            &[("x", Distribution), ("x.sum", Histogram), ("x.sum.count", Gauge)],
            &["x_sum{} 1", "x_count{} 1"],
            &["suffix_clash: x|d > x.sum|h", "suffix_clash: x.sum|h > x.sum.count|g"],
        ),
        (
            &[("pillion.overflow.c\npillion_overflow:true", Counter)],
            &["pillion_overflow_c_total{pillion_overflow=true} 1"],
            &[],
        ),
        (&[("pillion-x", Gauge)], &[], &["reserved_name:  > pillion-x|g"]),
        (
            &[("pillion", Histogram), ("pillion", Gauge)],
            &[],
            &["type_conflict: pillion|h > pillion|g", "reserved_name:  > pillion|h"],
        ),
        (&[("x", Gauge), ("x", Counter)], &["x{} 1", "x_total{} 2"], &[]),
        // Two protocols, one name.
        (&[("x", Counter), ("x", OtlpGauge)], &["x{} 2", "x_total{} 1"], &[]),
        (
            &[("x", Counter), ("x_total\njob:shop", OtlpGauge)],
            &["x_total{} 1"],
            &["type_conflict: x|c > x_total|OTLP gauge|#job:shop"],
        ),
        (
            &[("x_total\njob:shop", OtlpGauge), ("x", Counter)],
            &["x_total{job=shop} 1"],
            &["type_conflict: x_total|OTLP gauge|#job:shop > x|c"],
        ),
        (&[("x", Counter), ("x\njob:shop", OtlpSum)], &["x_total{} 1", "x_total{job=shop} 2"], &[]),
        (&[("x", OtlpSum), ("x", Counter)], &["x_total{} 1"], &["same_series: x|OTLP sum > x|c"]),
        (
            &[("x_seconds", OtlpSummary), ("x", Timer)],
            &["x_seconds_sum{} 1", "x_seconds_count{} 1"],
            &["type_conflict: x_seconds|OTLP summary > x|ms"],
        ),
        (
            &[("x", OtlpExponentialHistogram), ("x.count", OtlpUpDownSum)],
            &["x_sum{} 1", "x_count{} 1"],
            &["suffix_clash: x|OTLP exponential histogram > x.count|OTLP non-monotonic sum"],
        ),
        (&[("x_created", Gauge), ("x", Counter)], &["x_created{} 1", "x_total{} 2"], &[]),
    ];
    for (rows, samples, conflicts) in cases {
        let (got, named) = outcome(rows, TEXT);
        assert_eq!(
            (&got[..], &named[..]),
            (&to_strings(samples)[..], &to_strings(conflicts)[..]),
            "{rows:?}"
        );
        // OpenMetrics has more to lose, but these lose the same.
        assert_eq!(outcome(rows, OPENMETRICS).0, got, "{rows:?}");
    }
}

fn to_strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn openmetrics_loses_what_only_there_collides() {
    use Class::*;
    let rows = [("x_created", Gauge), ("x", Histogram)];
    assert_eq!(outcome(&rows, TEXT).1, Vec::<String>::new());
    assert_eq!(
        outcome(&rows, OPENMETRICS),
        (vec!["x_created{} 1".into()], vec!["suffix_clash: x_created|g > x|h".into(),])
    );
}

#[test]
fn a_counter_whose_bare_name_is_taken_keeps_its_line() {
    use Class::*;
    for rows in [
        &[("x", Gauge), ("x", Counter)][..],
        &[("x_count", Counter), ("x", Histogram)],
        &[("x", Counter), ("x_created", Counter)],
        &[("x", Counter), ("x_created", Gauge)],
        &[("x_total", Counter), ("x", Histogram), ("x.y", Gauge)],
    ] {
        let exposition = of(rows.iter().map(|(key, kind)| row(key, *kind, &[1.0])));
        let unknown = families(&exposition, OPENMETRICS).iter().filter(|f| f.kind == "unknown").count();
        assert_eq!(unknown, 1, "{rows:?}");
        assert_eq!(exposition.conflicts(), Conflicts::default());
    }
}

#[test]
fn target_info_is_the_resources() {
    let rows = [row("target_info", Class::Gauge, &[9.0]), row("target", Class::Gauge, &[1.0])];
    let resource = BTreeMap::from([("service.name".to_owned(), "shop".to_owned())]);
    let exposition = Exposition::new(Rows::of(rows), &resource);
    for wanted in [TEXT, OPENMETRICS] {
        let found = families(&exposition, wanted);
        assert_eq!(found[1].name, "target_info");
        assert_eq!((found[1].kind.as_str(), found[1].samples[0].value), ("gauge", 1.0));
        assert_eq!(exposition.conflicts().named[0].reason, Reason::ReservedName);
    }
}

#[test]
fn a_counter_that_turns_negative_becomes_a_gauge() {
    let rows = Rows::of([row("x", Class::Counter, &[1.0]), row("y", Class::Counter, &[2.0])]);
    let exposition = Exposition::new(rows.clone(), &BTreeMap::new());
    let shown = |wanted| -> Vec<_> {
        families(&exposition, wanted).into_iter().map(|f| (f.samples[0].name.clone(), f.kind)).collect()
    };
    let is = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    assert_eq!(shown(TEXT), [is("x_total", "counter"), is("y_total", "counter")]);
    rows.set_counter(0, -4.0, false);
    // The page under way cannot move it; the next one has.
    text(&exposition, TEXT);
    for wanted in [TEXT, OPENMETRICS] {
        assert_eq!(shown(wanted), [is("x", "gauge"), is("y_total", "counter")]);
    }
}

#[test]
fn what_is_below_zero_costs_openmetrics_those_lines_only() {
    let exposition = of([row("x", Class::Histogram, &[-2.0, 1.0])]);
    let names = |wanted| -> Vec<_> {
        families(&exposition, wanted)[0].samples.iter().map(|s| s.name.clone()).skip(17).collect()
    };
    assert_eq!(names(TEXT), ["x_bucket", "x_sum", "x_count"]);
    assert_eq!(names(OPENMETRICS), ["x_bucket"]);
}

#[test]
fn lines_left_out_are_counted_by_reason() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let rows = (0..500).flat_map(|i| {
        [row(&format!("a\ni:{i}"), Class::Gauge, &[1.0]), row(&format!("a\ni:{i}"), Class::Histogram, &[1.0])]
    });
    let joined = row("b\nx\nx:1", Class::Gauge, &[1.0]);
    let exposition = of(rows.chain([joined]));
    metrics::with_local_recorder(&recorder, || text(&exposition, TEXT));
    let own = recorder.handle().render();
    assert!(own.contains("pillion_page_conflicts_total{reason=\"type_conflict\"} 500"), "{own}");
    assert!(own.contains("pillion_page_conflicts_total{reason=\"labels_joined\"} 1"), "{own}");
}
