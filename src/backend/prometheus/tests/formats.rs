//! Each format as it is on the wire.

use super::super::protobuf::message;
use super::*;
use crate::telemetry::Metric;
use prost::Message;

/// `io.prometheus.client.MetricFamily`, read whole.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Family {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) help: String,
    #[prost(int32, optional, tag = "3")]
    pub(super) kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(super) metric: Vec<message::Metric>,
    #[prost(string, tag = "5")]
    pub(super) unit: String,
}

pub(super) fn decode(mut page: &[u8]) -> Vec<Family> {
    let mut families = Vec::new();
    while !page.is_empty() {
        families.push(Family::decode_length_delimited(&mut page).unwrap());
    }
    families
}

fn protobuf(scheme: Scheme) -> Negotiated {
    Negotiated { format: Format::Protobuf, scheme, ..Negotiated::default() }
}

fn with_buckets(bounds: &[f64]) -> Treatment {
    Treatment { timer_buckets: bounds.into(), histogram_buckets: bounds.into(), ..treatment() }
}

fn summary() -> Arc<Treatment> {
    Arc::new(Treatment { style: HistogramStyle::Summary, percentiles: [0.5, 0.99].into(), ..treatment() })
}

fn one_of_each() -> Arc<Exposition<Rows>> {
    let buckets = Arc::new(with_buckets(&[0.1, 1.0, 1e6]));
    let rows = [
        row("orders.created\ncanary\nenv:dev", Class::Counter, &[3.0]),
        row("fuel\nempty:", Class::Gauge, &[0.5]),
        row("users", Class::Set, &[7.0]),
        Row::new("req\npath:/a", Class::Timer, &[80.0, 320.0], &buckets),
        Row::new("size.bytes", Class::Histogram, &[0.0, 1.0, 2e6], &buckets),
        Row::new("lag\nquantile:x", Class::Distribution, &[2.5, 2.5, 3.0], &summary()),
    ];
    let resource = [("service.name", "shop"), ("k8s.pod", "a\"b")];
    Exposition::new(Rows::of(rows), &resource.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
}

/// A metric of pillion's own, with the value 6.
fn own(metric: Metric, labels: &[(&'static str, &str)]) -> OwnMetric {
    let labels = labels.iter().map(|(label, value)| (*label, (*value).to_owned())).collect();
    OwnMetric { metric, samples: vec![OwnSample { labels, value: 6.0 }] }
}

#[test]
fn classic_text() {
    let own = vec![own(Metric::Contexts, &[])];
    let page = String::from_utf8(bytes_beside(&one_of_each(), TEXT, own)).unwrap();
    reader::read(&page, false).unwrap();
    insta::assert_snapshot!(page, @r##"
    # HELP fuel StatsD gauge fuel
    # TYPE fuel gauge
    fuel{empty=""} 0.5
    # HELP lag StatsD distribution lag
    # TYPE lag summary
    lag{exported_quantile="x",quantile="0.5"} 2.5
    lag{exported_quantile="x",quantile="0.99"} 3
    lag_sum{exported_quantile="x"} 8
    lag_count{exported_quantile="x"} 3
    # HELP orders_created_total StatsD counter orders.created
    # TYPE orders_created_total counter
    orders_created_total{canary="true",env="dev"} 3
    # HELP pillion_contexts Contexts held.
    # TYPE pillion_contexts gauge
    pillion_contexts 6
    # HELP req_seconds StatsD timer req
    # TYPE req_seconds histogram
    req_seconds_bucket{path="/a",le="0.1"} 1
    req_seconds_bucket{path="/a",le="1"} 2
    req_seconds_bucket{path="/a",le="1e+06"} 2
    req_seconds_bucket{path="/a",le="+Inf"} 2
    req_seconds_sum{path="/a"} 0.4
    req_seconds_count{path="/a"} 2
    # HELP size_bytes StatsD histogram size.bytes
    # TYPE size_bytes histogram
    size_bytes_bucket{le="0.1"} 1
    size_bytes_bucket{le="1"} 2
    size_bytes_bucket{le="1e+06"} 2
    size_bytes_bucket{le="+Inf"} 3
    size_bytes_sum 2000001
    size_bytes_count 3
    # HELP target_info Target metadata
    # TYPE target_info gauge
    target_info{k8s_pod="a\"b",service_name="shop"} 1
    # HELP users StatsD set users
    # TYPE users gauge
    users 7
    "##);
}

#[test]
fn openmetrics() {
    let own = vec![own(Metric::PageConflicts, &[("reason", "moved")])];
    let page = String::from_utf8(bytes_beside(&one_of_each(), OPENMETRICS, own)).unwrap();
    reader::read(&page, true).unwrap();
    insta::assert_snapshot!(page, @r##"
    # TYPE fuel gauge
    # HELP fuel StatsD gauge fuel
    fuel{empty=""} 0.5
    # TYPE lag summary
    # HELP lag StatsD distribution lag
    lag{exported_quantile="x",quantile="0.5"} 2.5
    lag{exported_quantile="x",quantile="0.99"} 3.0
    lag_sum{exported_quantile="x"} 8.0
    lag_count{exported_quantile="x"} 3
    # TYPE orders_created counter
    # HELP orders_created StatsD counter orders.created
    orders_created_total{canary="true",env="dev"} 3.0
    # TYPE pillion_page_conflicts counter
    # HELP pillion_page_conflicts Lines left out of pages or changed on them, by reason; each page counts anew.
    pillion_page_conflicts_total{reason="moved"} 6.0
    # TYPE req_seconds histogram
    # UNIT req_seconds seconds
    # HELP req_seconds StatsD timer req
    req_seconds_bucket{path="/a",le="0.1"} 1
    req_seconds_bucket{path="/a",le="1.0"} 2
    req_seconds_bucket{path="/a",le="1e+06"} 2
    req_seconds_bucket{path="/a",le="+Inf"} 2
    req_seconds_sum{path="/a"} 0.4
    req_seconds_count{path="/a"} 2
    # TYPE size_bytes histogram
    # HELP size_bytes StatsD histogram size.bytes
    size_bytes_bucket{le="0.1"} 1
    size_bytes_bucket{le="1.0"} 2
    size_bytes_bucket{le="1e+06"} 2
    size_bytes_bucket{le="+Inf"} 3
    size_bytes_sum 2000001.0
    size_bytes_count 3
    # TYPE target info
    # HELP target Target metadata
    target_info{k8s_pod="a\"b",service_name="shop"} 1.0
    # TYPE users gauge
    # HELP users StatsD set users
    users 7.0
    # EOF
    "##);
}

#[test]
fn quoted_names() {
    let wanted = Negotiated { format: Format::Text1, scheme: Scheme::Utf8, ..TEXT };
    insta::assert_snapshot!(lines(&one_of_each(), wanted), @r##"
    # TYPE fuel gauge
    fuel{empty=""} 0.5
    # TYPE lag summary
    lag{exported_quantile="x",quantile="0.5"} 2.5
    lag{exported_quantile="x",quantile="0.99"} 3
    lag_sum{exported_quantile="x"} 8
    lag_count{exported_quantile="x"} 3
    # TYPE "orders.created_total" counter
    {"orders.created_total",canary="true",env="dev"} 3
    # TYPE req_seconds histogram
    req_seconds_bucket{path="/a",le="0.1"} 1
    req_seconds_bucket{path="/a",le="1"} 2
    req_seconds_bucket{path="/a",le="1e+06"} 2
    req_seconds_bucket{path="/a",le="+Inf"} 2
    req_seconds_sum{path="/a"} 0.4
    req_seconds_count{path="/a"} 2
    # TYPE "size.bytes" histogram
    {"size.bytes_bucket",le="0.1"} 1
    {"size.bytes_bucket",le="1"} 2
    {"size.bytes_bucket",le="1e+06"} 2
    {"size.bytes_bucket",le="+Inf"} 3
    {"size.bytes_sum"} 2000001
    {"size.bytes_count"} 3
    # TYPE target_info gauge
    target_info{"k8s.pod"="a\"b","service.name"="shop"} 1
    # TYPE users gauge
    users 7
    "##);
}

#[test]
fn other_schemes() {
    let rows = || of([row("my.name_x\na.b:c", Class::Gauge, &[1.0]), row("x.y", Class::Counter, &[1.0])]);
    let wanted = |scheme| Negotiated { scheme, ..OPENMETRICS };
    insta::assert_snapshot!(lines(&rows(), wanted(Scheme::Dots)), @r##"
    # TYPE my_dot_name__x gauge
    my_dot_name__x{a_dot_b="c"} 1.0
    # TYPE x_dot_y_ counter
    x_dot_y__total 1.0
    # EOF
    "##);
    insta::assert_snapshot!(lines(&rows(), wanted(Scheme::Values)), @r##"
    # TYPE U__my_2e_name__x gauge
    U__my_2e_name__x{U__a_2e_b="c"} 1.0
    # TYPE U__x_2e_y_ counter
    U__x_2e_y__total 1.0
    # EOF
    "##);
}

#[test]
fn protobuf_messages() {
    let families = decode(&bytes(&one_of_each(), protobuf(Scheme::Underscores)));
    insta::assert_snapshot!(shown(&families), @r##"
    fuel Some(1) "" "StatsD gauge fuel"
      {empty=} gauge Some(0.5)
    lag Some(2) "" "StatsD distribution lag"
      {exported_quantile=x} summary Some(3) Some(8.0) [(0.5, 2.5), (0.99, 3.0)]
    orders_created_total Some(0) "" "StatsD counter orders.created"
      {canary=true,env=dev} counter Some(3.0) from Some(Timestamp { seconds: 1700000000, nanos: 250000000 })
    req_seconds Some(4) "seconds" "StatsD timer req"
      {path=/a} histogram Some(2) Some(0.4)
        [(Some(0.1), Some(1)), (Some(1.0), Some(2)), (Some(1000000.0), Some(2)), (Some(inf), Some(2))]
        schema Some(5) zero Some(0) spans [(Some(-116), Some(1)), (Some(63), Some(1))] deltas [1, 0]
    size_bytes Some(4) "" "StatsD histogram size.bytes"
      {} histogram Some(3) Some(2000001.0)
        [(Some(0.1), Some(1)), (Some(1.0), Some(2)), (Some(1000000.0), Some(2)), (Some(inf), Some(3))]
        schema Some(5) zero Some(1) spans [(Some(0), Some(1)), (Some(669), Some(1))] deltas [1, 0]
    target_info Some(1) "" "Target metadata"
      {k8s_pod=a"b,service_name=shop} gauge Some(1.0)
    users Some(1) "" "StatsD set users"
      {} gauge Some(7.0)
    "##);
}

/// One line a family and a metric, only the fields that are set.
pub(super) fn shown(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        text += &format!("{} {:?} {:?} {:?}\n", family.name, family.kind, family.unit, family.help);
        for metric in &family.metric {
            let labels: Vec<_> = metric.label.iter().map(|l| format!("{}={}", l.name, l.value)).collect();
            text += &format!("  {{{}}}", labels.join(","));
            if let Some(gauge) = &metric.gauge {
                text += &format!(" gauge {:?}", gauge.value);
            }
            if let Some(counter) = &metric.counter {
                text += &format!(" counter {:?} from {:?}", counter.value, counter.start);
            }
            if let Some(s) = &metric.summary {
                let quantiles: Vec<_> = s.quantile.iter().map(|q| (q.quantile, q.value)).collect();
                text += &format!(" summary {:?} {:?} {quantiles:?}", s.sample_count, s.sample_sum);
            }
            if let Some(h) = &metric.histogram {
                let buckets: Vec<_> = h.bucket.iter().map(|b| (b.upper_bound, b.cumulative_count)).collect();
                let spans: Vec<_> = h.positive_span.iter().map(|s| (s.offset, s.length)).collect();
                text += &format!(" histogram {:?} {:?}\n    {buckets:?}\n", h.sample_count, h.sample_sum);
                text += &format!("    schema {:?} zero {:?}", h.schema, h.zero_count);
                text += &format!(" spans {spans:?} deltas {:?}", h.positive_delta);
            }
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_vectors_of_the_specification() {
    let dev = "orders.created\nenv:dev";
    let counter = |key: &str| of([row(key, Class::Counter, &[3.0])]);
    assert_eq!(
        lines(&counter("orders.created\nenv:dev\nnote:a\"b\\c"), TEXT),
        "# TYPE orders_created_total counter\norders_created_total{env=\"dev\",note=\"a\\\"b\\\\c\"} 3"
    );
    assert_eq!(
        lines(&counter(dev), OPENMETRICS),
        "# TYPE orders_created counter\norders_created_total{env=\"dev\"} 3.0\n# EOF"
    );
    assert_eq!(
        lines(&counter(dev), Negotiated { scheme: Scheme::Utf8, ..OPENMETRICS }),
        "# TYPE \"orders.created\" counter\n{\"orders.created_total\",env=\"dev\"} 3.0\n# EOF"
    );
    let req = of([Row::new("req", Class::Timer, &[80.0, 320.0], &Arc::new(with_buckets(&[0.1, 0.5])))]);
    assert_eq!(
        lines(&req, TEXT),
        "# TYPE req_seconds histogram\nreq_seconds_bucket{le=\"0.1\"} 1\nreq_seconds_bucket{le=\"0.5\"} 2\n\
         req_seconds_bucket{le=\"+Inf\"} 2\nreq_seconds_sum 0.4\nreq_seconds_count 2"
    );
    assert_eq!(
        lines(&of([row("fuel\ncanary", Class::Gauge, &[0.5])]), TEXT),
        "# TYPE fuel gauge\nfuel{canary=\"true\"} 0.5"
    );
    let values = [2.5, 2.5, 3.0, 100.0, 100.0, 100.0, 100.0];
    let native = decode(&bytes(&of([row("x", Class::Histogram, &values)]), protobuf(Scheme::Underscores)));
    let histogram = native[0].metric[0].histogram.as_ref().unwrap();
    let spans: Vec<_> = histogram.positive_span.iter().map(|s| (s.offset, s.length)).collect();
    assert_eq!(spans, [(Some(43), Some(1)), (Some(7), Some(1)), (Some(161), Some(1))]);
    assert_eq!(histogram.positive_delta, [2, -1, 3]);
    assert_eq!((histogram.sample_count, histogram.sample_sum), (Some(7), Some(408.0)));
}

#[test]
fn names_get_their_suffix_once() {
    for (key, kind, name) in [
        ("x", Class::Counter, "x_total"),
        ("x_total", Class::Counter, "x_total"),
        ("x.total", Class::Counter, "x_total"),
        ("total", Class::Counter, "total_total"),
        ("x", Class::Timer, "x_seconds"),
        ("x.seconds", Class::Timer, "x_seconds"),
        ("x", Class::Histogram, "x"),
        ("x", Class::Set, "x"),
    ] {
        assert_eq!(families(&of([row(key, kind, &[1.0])]), TEXT)[0].name, name);
    }
}

#[test]
fn units_stand_only_where_the_name_ends_in_them() {
    let unit = |unit: &str| Arc::new(Treatment { unit: Some(unit.into()), ..treatment() });
    let rows = [
        Row::new("sent.bytes", Class::Counter, &[1.0], &unit("bytes")),
        Row::new("sent", Class::Gauge, &[1.0], &unit("bytes")),
        row("req", Class::Timer, &[1.0]),
    ];
    let units: Vec<_> = families(&of(rows), OPENMETRICS).into_iter().map(|f| (f.name, f.unit)).collect();
    let unit = |text: &str| Some(text.to_owned());
    assert_eq!(
        units,
        [
            ("req_seconds".to_owned(), unit("seconds")),
            ("sent".to_owned(), None),
            ("sent_bytes".to_owned(), unit("bytes"))
        ]
    );
}

#[test]
fn a_help_of_a_rule_is_shown_escaped() {
    let help = Arc::new(Treatment { help: Some("a \"b\"\\\nc".into()), ..treatment() });
    let exposition = of([Row::new("x", Class::Gauge, &[1.0], &help)]);
    assert!(text(&exposition, TEXT).starts_with("# HELP x a \"b\"\\\\\\nc\n"));
    assert!(text(&exposition, OPENMETRICS).contains("# HELP x a \\\"b\\\"\\\\\\nc\n"));
}

#[test]
#[allow(clippy::disallowed_types, reason = "what is inflated here is a page that this test made")]
fn gzip_holds_the_same_page() {
    let exposition = of((0..3_000).map(|i| row(&format!("n{i}\nt:{i}"), Class::Counter, &[1.0])));
    let zipped = bytes(&exposition, Negotiated { gzip: true, ..TEXT });
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&*zipped).read_to_string(&mut plain).unwrap();
    assert_eq!(plain, text(&exposition, TEXT));
    assert!(zipped.len() < plain.len() / 4);
}
