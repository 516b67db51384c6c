//! Series of OTLP on the page, beside StatsD's.

use super::formats::{decode, shown};
use super::*;
use rows::exponential;

const PROTOBUF: Negotiated =
    Negotiated { format: Format::Protobuf, scheme: Scheme::Underscores, gzip: false, timeout: None };

fn with_bounds(key: &str, class: Class, values: &[f64], bounds: &[f64], explicit_buckets: bool) -> Row {
    let treatment = Treatment { histogram_buckets: bounds.into(), explicit_buckets, ..treatment() };
    Row::new(key, class, values, &Arc::new(treatment))
}

fn one_of_each() -> Arc<Exposition<Rows>> {
    let tags = "job:shop\nurl.path:/a";
    let key = |name: &str| format!("{name}\n{tags}");
    let duration = key("http.server.request.duration_seconds");
    let rows = [
        row(&key("sent_bytes"), Class::OtlpSum, &[1.5]).saying("Bytes \"sent\"", "bytes"),
        row(&key("queue.length"), Class::OtlpUpDownSum, &[-2.0]),
        row(&key("cpu_ratio"), Class::OtlpGauge, &[f64::NAN]).saying("", "ratio"),
        with_bounds(&duration, Class::OtlpHistogram, &[0.05, 0.1, 7.0], &[0.1, 1.0], false)
            .saying("Duration", "seconds"),
        row("size", Class::OtlpExponentialHistogram, &[0.0, 2.0, 2.0, 1.1]),
        with_bounds("lag", Class::OtlpExponentialHistogram, &[-1.5, 0.0, 2.0, 9.0], &[0.0, 2.0], true),
        row("gc\nquantile:x", Class::OtlpSummary, &[0.5, f64::NAN, 2.0]),
        row("orders", Class::Counter, &[3.0]),
    ];
    of(rows)
}

#[test]
fn every_class_in_the_classic_text() {
    let page = text(&one_of_each(), TEXT);
    reader::read(&page, false).unwrap();
    insta::assert_snapshot!(page, @r##"
    # HELP cpu_ratio OTLP gauge cpu_ratio
    # TYPE cpu_ratio gauge
    cpu_ratio{job="shop",url_path="/a"} NaN
    # HELP gc OTLP summary gc
    # TYPE gc summary
    gc{exported_quantile="x",quantile="0"} 0.5
    gc{exported_quantile="x",quantile="0.25"} NaN
    gc{exported_quantile="x",quantile="0.5"} 2
    gc_sum{exported_quantile="x"} 2.5
    gc_count{exported_quantile="x"} 2
    # HELP http_server_request_duration_seconds Duration
    # TYPE http_server_request_duration_seconds histogram
    http_server_request_duration_seconds_bucket{job="shop",url_path="/a",le="0.1"} 2
    http_server_request_duration_seconds_bucket{job="shop",url_path="/a",le="1"} 2
    http_server_request_duration_seconds_bucket{job="shop",url_path="/a",le="+Inf"} 3
    http_server_request_duration_seconds_sum{job="shop",url_path="/a"} 7.15
    http_server_request_duration_seconds_count{job="shop",url_path="/a"} 3
    # HELP lag OTLP exponential histogram lag
    # TYPE lag histogram
    lag_bucket{le="0"} 2
    lag_bucket{le="2"} 3
    lag_bucket{le="+Inf"} 4
    lag_sum 9.5
    lag_count 4
    # HELP orders_total StatsD counter orders
    # TYPE orders_total counter
    orders_total 3
    # HELP queue_length OTLP non-monotonic sum queue.length
    # TYPE queue_length gauge
    queue_length{job="shop",url_path="/a"} -2
    # HELP sent_bytes_total Bytes "sent"
    # TYPE sent_bytes_total counter
    sent_bytes_total{job="shop",url_path="/a"} 1.5
    # HELP size OTLP exponential histogram size
    # TYPE size histogram
    size_bucket{le="+Inf"} 4
    size_sum 5.1
    size_count 4
    "##);
}

#[test]
fn every_class_in_openmetrics() {
    let page = text(&one_of_each(), OPENMETRICS);
    reader::read(&page, true).unwrap();
    insta::assert_snapshot!(page, @r##"
    # TYPE cpu_ratio gauge
    # UNIT cpu_ratio ratio
    # HELP cpu_ratio OTLP gauge cpu_ratio
    cpu_ratio{job="shop",url_path="/a"} NaN
    # TYPE gc summary
    # HELP gc OTLP summary gc
    gc{exported_quantile="x",quantile="0.0"} 0.5
    gc{exported_quantile="x",quantile="0.25"} NaN
    gc{exported_quantile="x",quantile="0.5"} 2.0
    gc_sum{exported_quantile="x"} 2.5
    gc_count{exported_quantile="x"} 2
    # TYPE http_server_request_duration_seconds histogram
    # UNIT http_server_request_duration_seconds seconds
    # HELP http_server_request_duration_seconds Duration
    http_server_request_duration_seconds_bucket{job="shop",url_path="/a",le="0.1"} 2
    http_server_request_duration_seconds_bucket{job="shop",url_path="/a",le="1.0"} 2
    http_server_request_duration_seconds_bucket{job="shop",url_path="/a",le="+Inf"} 3
    http_server_request_duration_seconds_sum{job="shop",url_path="/a"} 7.15
    http_server_request_duration_seconds_count{job="shop",url_path="/a"} 3
    # TYPE lag histogram
    # HELP lag OTLP exponential histogram lag
    lag_bucket{le="0.0"} 2
    lag_bucket{le="2.0"} 3
    lag_bucket{le="+Inf"} 4
    lag_sum 9.5
    lag_count 4
    # TYPE orders counter
    # HELP orders StatsD counter orders
    orders_total 3.0
    # TYPE queue_length gauge
    # HELP queue_length OTLP non-monotonic sum queue.length
    queue_length{job="shop",url_path="/a"} -2.0
    # TYPE sent_bytes counter
    # UNIT sent_bytes bytes
    # HELP sent_bytes Bytes \"sent\"
    sent_bytes_total{job="shop",url_path="/a"} 1.5
    # TYPE size histogram
    # HELP size OTLP exponential histogram size
    size_bucket{le="+Inf"} 4
    size_sum 5.1
    size_count 4
    # EOF
    "##);
}

#[test]
fn every_class_in_protobuf() {
    insta::assert_snapshot!(shown(&decode(&bytes(&one_of_each(), PROTOBUF))), @r##"
    cpu_ratio Some(1) "ratio" "OTLP gauge cpu_ratio"
      {job=shop,url_path=/a} gauge Some(NaN)
    gc Some(2) "" "OTLP summary gc"
      {exported_quantile=x} summary Some(2) Some(2.5) [(0.0, 0.5), (0.25, NaN), (0.5, 2.0)]
    http_server_request_duration_seconds Some(4) "seconds" "Duration"
      {job=shop,url_path=/a} histogram Some(3) Some(7.15)
        [(Some(0.1), Some(2)), (Some(1.0), Some(2)), (Some(inf), Some(3))]
        schema None zero None spans [] deltas []
    lag Some(4) "" "OTLP exponential histogram lag"
      {} histogram Some(4) Some(9.5)
        [(Some(0.0), Some(2)), (Some(2.0), Some(3)), (Some(inf), Some(4))]
        schema Some(3) zero Some(1) spans [(Some(8), Some(1)), (Some(17), Some(1))] deltas [1, 0]
    orders_total Some(0) "" "StatsD counter orders"
      {} counter Some(3.0) from Some(Timestamp { seconds: 1700000000, nanos: 250000000 })
    queue_length Some(1) "" "OTLP non-monotonic sum queue.length"
      {job=shop,url_path=/a} gauge Some(-2.0)
    sent_bytes_total Some(0) "bytes" "Bytes \"sent\""
      {job=shop,url_path=/a} counter Some(1.5) from Some(Timestamp { seconds: 1700000000, nanos: 250000000 })
    size Some(4) "" "OTLP exponential histogram size"
      {} histogram Some(4) Some(5.1)
        []
        schema Some(3) zero Some(1) spans [(Some(2), Some(1)), (Some(5), Some(1))] deltas [1, 1]
    "##);
}

#[test]
fn names_get_what_their_type_asks_for() {
    use Class::*;
    for (key, class, name, kind) in [
        ("a.b", OtlpSum, "a_b_total", "counter"),
        ("a.b_total", OtlpSum, "a_b_total", "counter"),
        ("a.b.total", OtlpSum, "a_b_total", "counter"),
        ("a.b_bytes", OtlpSum, "a_b_bytes_total", "counter"),
        ("a.b", OtlpUpDownSum, "a_b", "gauge"),
        ("a.b_total", OtlpUpDownSum, "a_b_total", "gauge"),
        ("a.b_ratio", OtlpGauge, "a_b_ratio", "gauge"),
        ("a.b_seconds", OtlpHistogram, "a_b_seconds", "histogram"),
        ("a.b_seconds", OtlpExponentialHistogram, "a_b_seconds", "histogram"),
        ("1a/b", OtlpSummary, "_1a_b", "summary"),
    ] {
        for style in [HistogramStyle::Histogram, HistogramStyle::Summary] {
            let treatment = Arc::new(Treatment { style, ..treatment() });
            let found = families(&of([Row::new(key, class, &[1.0], &treatment)]), TEXT).remove(0);
            assert_eq!((found.name.as_str(), found.kind.as_str()), (name, kind), "{key} {class:?} {style:?}");
        }
    }
    let quoted = Negotiated { format: Format::Text1, scheme: Scheme::Utf8, ..TEXT };
    assert_eq!(families(&of([row("a.b", OtlpSum, &[1.0])]), quoted)[0].name, "a.b_total");
}

#[test]
fn what_a_metric_says_of_itself_gives_way_to_rules() {
    let head = |said: [&str; 2], help: Option<&str>, unit: Option<&str>| {
        let treatment = Treatment { help: help.map(Into::into), unit: unit.map(Into::into), ..treatment() };
        let row = Row::new("sent.kilo_bytes", Class::OtlpSum, &[1.0], &Arc::new(treatment));
        let found = families(&of([row.saying(said[0], said[1])]), OPENMETRICS).remove(0);
        (found.help, found.unit.unwrap_or_default())
    };
    let is = |help: &str, unit: &str| (help.to_owned(), unit.to_owned());
    assert_eq!(head(["", ""], None, None), is("OTLP sum sent.kilo_bytes", ""));
    assert_eq!(head(["Sent", "bytes"], None, None), is("Sent", "bytes"));
    assert_eq!(head(["Sent", "seconds"], None, None), is("Sent", ""));
    assert_eq!(head(["Sent", "bytes"], Some("Ours"), Some("kilo_bytes")), is("Ours", "kilo_bytes"));
    assert_eq!(head(["a\0b\nc", ""], None, None), is("a␀b\\nc", ""));
}

#[test]
fn bounds_of_an_app_become_classic_buckets_only() {
    let page = |bounds: &[f64]| {
        let rows = [
            // The message of a sketch with native buckets is used again.
            row("x\na:1", Class::Histogram, &[1.0]),
            with_bounds("x\na:2", Class::OtlpHistogram, &[0.5, 3.0], bounds, false),
        ];
        decode(&bytes(&of(rows), PROTOBUF)).remove(0).metric.remove(1).histogram.unwrap()
    };
    for (bounds, buckets) in
        [(&[1.0, 2.0][..], &[(1.0, 1), (2.0, 1), (f64::INFINITY, 2)][..]), (&[], &[(f64::INFINITY, 2)])]
    {
        let found = page(bounds);
        let shown: Vec<_> =
            found.bucket.iter().map(|b| (b.upper_bound.unwrap(), b.cumulative_count.unwrap())).collect();
        assert_eq!(shown, buckets);
        assert_eq!((found.sample_count, found.sample_sum), (Some(2), Some(3.5)));
        assert_eq!((found.schema, found.zero_threshold, found.zero_count), (None, None, None));
        assert!(found.positive_span.is_empty() && found.positive_delta.is_empty());
    }
}

#[test]
fn series_with_bounds_of_their_own_share_a_family() {
    let bounds: [&[f64]; 4] = [&[1.0], &[1.0], &[], &[0.5, 4.0]];
    let rows = bounds.iter().enumerate().map(|(i, bounds)| {
        with_bounds(&format!("x\ni:{i}"), Class::OtlpHistogram, &[0.2, 2.0], bounds, false)
    });
    insta::assert_snapshot!(lines(&of(rows), TEXT), @r##"
    # TYPE x histogram
    x_bucket{i="0",le="1"} 1
    x_bucket{i="0",le="+Inf"} 2
    x_sum{i="0"} 2.2
    x_count{i="0"} 2
    x_bucket{i="1",le="1"} 1
    x_bucket{i="1",le="+Inf"} 2
    x_sum{i="1"} 2.2
    x_count{i="1"} 2
    x_bucket{i="2",le="+Inf"} 2
    x_sum{i="2"} 2.2
    x_count{i="2"} 2
    x_bucket{i="3",le="0.5"} 1
    x_bucket{i="3",le="4"} 2
    x_bucket{i="3",le="+Inf"} 2
    x_sum{i="3"} 2.2
    x_count{i="3"} 2
    "##);
}

#[test]
fn counts_that_no_signed_number_holds_have_no_native_buckets() {
    let mut large = row("x", Class::OtlpExponentialHistogram, &[1.0]);
    large.exponential.positive.counts = vec![u64::MAX - 1, 1];
    let found = decode(&bytes(&of([large]), PROTOBUF)).remove(0).metric.remove(0).histogram.unwrap();
    assert_eq!((found.schema, found.sample_count), (None, Some(u64::MAX)));
    assert_eq!(found.bucket.len(), 1);
}

#[test]
fn what_is_below_zero_costs_openmetrics_those_lines_only() {
    let rows = || {
        [
            row("e", Class::OtlpExponentialHistogram, &[-2.0, 1.0]),
            with_bounds("h", Class::OtlpHistogram, &[3.0], &[-1.0], false),
            row("s", Class::OtlpSummary, &[-3.0, 1.0]),
        ]
    };
    insta::assert_snapshot!(lines(&of(rows()), OPENMETRICS), @r##"
    # TYPE e histogram
    e_bucket{le="+Inf"} 2
    # TYPE h histogram
    h_bucket{le="-1.0"} 0
    h_bucket{le="+Inf"} 1
    # TYPE s summary
    s{quantile="0.25"} 1.0
    s_count 2
    # EOF
    "##);
    assert_eq!(families(&of(rows()), TEXT).iter().map(|f| f.samples.len()).collect::<Vec<_>>(), [3, 4, 4]);
}

#[test]
fn targets_of_apps_stand_beside_our_own() {
    let target = |labels: &[(&str, &str)]| -> Target {
        labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect()
    };
    let shop = target(&[("job", "shop"), ("instance", "1"), ("host.name", "a\0")]);
    let targets = vec![
        target(&[("job", "till"), ("os.type", "linux")]),
        shop.clone(),
        target(&[]),
        target(&[("job", ""), ("x", "")]),
        // The same but for what is no label.
        target(&[("host.name", "a\0"), ("instance", "1"), ("job", "shop"), ("os", "")]),
        // The same under one scheme.
        target(&[("job", "shop"), ("instance", "1"), ("host_name", "a\0")]),
        shop,
    ];
    let resource = BTreeMap::from([("service.name".to_owned(), "pillion".to_owned())]);
    let page = |resource: &BTreeMap<_, _>, wanted| {
        let rows = Rows::of([]);
        rows.set_targets(targets.clone());
        lines(&Exposition::new(rows, resource), wanted)
    };
    insta::assert_snapshot!(page(&resource, OPENMETRICS), @r##"
    # TYPE target info
    target_info{host_name="a␀",instance="1",job="shop"} 1.0
    target_info{job="till",os_type="linux"} 1.0
    target_info{service_name="pillion"} 1.0
    # EOF
    "##);
    let quoted = Negotiated { format: Format::Text1, scheme: Scheme::Utf8, ..TEXT };
    insta::assert_snapshot!(page(&BTreeMap::new(), quoted), @r##"
    # TYPE target_info gauge
    target_info{"host.name"="a␀",instance="1",job="shop"} 1
    target_info{host_name="a␀",instance="1",job="shop"} 1
    target_info{job="till","os.type"="linux"} 1
    "##);
}

#[test]
fn many_targets_are_all_there() {
    let target =
        |i: u32| vec![("instance".to_owned(), format!("{i:03}")), ("os".to_owned(), "x".repeat(2_000))];
    let rows = Rows::of([row("a", Class::OtlpGauge, &[1.0]), row("z", Class::OtlpGauge, &[1.0])]);
    rows.set_targets((0..256).map(target).collect());
    let exposition = Exposition::new(rows, &BTreeMap::new());
    let mut page = exposition.page(PageRequest { wanted: TEXT, ..PageRequest::default() });
    while let Some(chunk) = page.next_chunk(0) {
        assert!(chunk.unwrap().len() < 160 << 10);
    }
    let found = families(&exposition, OPENMETRICS);
    assert_eq!(found.iter().map(|f| f.samples.len()).collect::<Vec<_>>(), [1, 256, 1]);
    assert_eq!(decode(&bytes(&exposition, PROTOBUF))[1].metric.len(), 256);
}

#[test]
fn wide_histograms_stay_native() {
    let values: Vec<_> = (1..1_000).map(|i| 1.3f64.powi(i % 200) + f64::from(i)).collect();
    let mut wide = row("x", Class::OtlpExponentialHistogram, &[1.0]);
    wide.exponential = exponential(5, &values);
    let found = decode(&bytes(&of([wide]), PROTOBUF)).remove(0).metric.remove(0).histogram.unwrap();
    let lengths: u32 = found.positive_span.iter().map(|span| span.length.unwrap()).sum();
    let mut count = 0;
    let counts = found.positive_delta.iter().map(|delta| {
        count += delta;
        count
    });
    assert_eq!(counts.sum::<i64>(), 999);
    assert!(lengths <= 160 && found.positive_delta.len() == lengths as usize && found.schema < Some(5));
}
