//! Metrics of OpenTelemetry's SDKs in a real Prometheus, by its own query language and with exact values.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::books::{POINTS, expect_books_of};
use harness::measured;
use harness::prometheus::Prometheus;
use harness::scene::sent_by;
use harness::sdk::Compression;
use harness::sdk::Protocol::{self, Grpc, HttpJson, HttpProtobuf};
use harness::sdk::Sdk::{self, Node, Python};
use harness::sdk::Temporality::{self, Cumulative, Delta};
use harness::{Agent, Setup};
use serde_json::json;

/// What Prometheus makes of one run of `harness/measured.rs`, whatever the temporality; `%` is for the labels that say
/// whose series it is. What grows, by a function, a name and its labels:
#[rustfmt::skip]
const GROWS: [(&str, &str, &str, f64); 11] = [
    ("",                "orders_total",           r#"kind="book",paid="true",%"#, 7.0),
    ("",                "orders_total",           r#"kind="pen",paid="false",%"#, 2.0),
    ("",                "weight_grams_total",     "%",                            2.5),
    ("",                "served_total",           r#"route="/",%"#,               25.0),
    ("",                "latency_seconds_count",  "%",                            4.0),
    ("",                "latency_seconds_sum",    "%",                            55.75),
    ("",                "latency_seconds_bucket", r#"le=~"1(.0)?",%"#,            2.0),
    ("",                "latency_seconds_bucket", r#"le=~"10(.0)?",%"#,           3.0),
    ("",                "latency_seconds_bucket", r#"le="+Inf",%"#,               4.0),
    ("histogram_count", "size_bytes",             "%",                            5.0),
    ("histogram_sum",   "size_bytes",             "%",                            15.0),
];

/// What stands where it was last.
const STANDS: [(&str, f64); 5] = [
    ("queue_length{%}", 4.0),
    ("workers{%}", 6.0),
    ("temperature_celsius{%}", 22.5),
    ("fill_ratio{%}", 0.5),
    (r#"target_info{job="SERVICE",instance="i-7",service_version="1.2.3"}"#, 1.0),
];

/// Quantiles of `size`, which holds 0, 1, 2, 4 and 8 equally often: each lies in the bucket that ends at the value.
const QUANTILES: [(f64, f64); 4] = [(0.3, 1.0), (0.5, 2.0), (0.7, 4.0), (0.9, 8.0)];
/// How far from its end a bucket of the SDKs may begin: they have at most 160 for what lies between 1 and 8.
const WIDTH: f64 = 0.03;

/// A test for each line.
macro_rules! cases {
    ($($test:ident: $sdk:ident, $protocol:ident, $temporality:ident;)*) => {$(
        #[test]
        fn $test() {
            shown($sdk, $protocol, $temporality);
        }
    )*};
}

#[rustfmt::skip]
cases! {
    // test                      SDK     protocol      temporality
    python_with_totals:          Python, Grpc,         Cumulative;
    python_with_deltas:          Python, HttpProtobuf, Delta;
    node_with_totals:            Node,   HttpProtobuf, Cumulative;
    node_with_deltas:            Node,   HttpJson,     Delta;
}

/// Two services that measure the same are two; then one of them is started again and loses nothing.
fn shown(sdk: Sdk, protocol: Protocol, temporality: Temporality) {
    let agent = Setup::new().file_backend().start();
    let prometheus = Prometheus::start(&agent, &["native-histograms"]);
    let run = |service: &str| {
        sent_by(&mut sdk.metrics(&agent, protocol, temporality, Compression::None, service));
    };
    run("shop");
    run("stock");
    for service in ["shop", "stock"] {
        expect_shown(&prometheus, service, 1.0);
    }
    prometheus.expect_last(r#"count(orders_total{kind="book"})"#, 2.0);
    let before = scraped_s(&prometheus, "shop");
    run("shop");
    expect_shown(&prometheus, "shop", 2.0);
    expect_shown(&prometheus, "stock", 1.0);
    expect_increase(&prometheus, "shop", before, scraped_s(&prometheus, "shop"));
    expect_ledger(&agent, 3 * measured::count(temporality));
}

/// Puts the labels of a service's series in the place of `%`.
fn of(service: &str, query: &str) -> String {
    let labels =
        format!(r#"job="{service}",instance="i-7",otel_scope_name="checkout",otel_scope_version="4.5.6""#);
    query.replace('%', &labels).replace("SERVICE", service)
}

fn expect_shown(prometheus: &Prometheus, service: &str, runs: f64) {
    for (function, name, labels, value) in GROWS {
        prometheus.expect(&of(service, &format!("{function}({name}{{{labels}}})")), runs * value);
    }
    for (query, value) in STANDS {
        prometheus.expect_last(&of(service, query), value);
    }
    expect_quantiles(|quantile| {
        prometheus.ask(&of(service, &format!("histogram_quantile({quantile}, size_bytes{{%}})")))
    });
}

fn expect_quantiles(ask: impl Fn(f64) -> Option<f64>) {
    for (quantile, value) in QUANTILES {
        let found = ask(quantile).unwrap_or_else(|| panic!("no quantile {quantile}"));
        let bucket = value * (1.0 - WIDTH)..=value;
        assert!(bucket.contains(&found), "quantile {quantile} is {found}, want it in {bucket:?}");
    }
}

/// When the newest sample of a service was scraped, in Unix seconds.
fn scraped_s(prometheus: &Prometheus, service: &str) -> f64 {
    let newest = of(service, r#"timestamp(orders_total{kind="book",%})"#);
    prometheus.ask(&newest).unwrap()
}

/// Between two scrapes there was one more run, and nothing fell.
fn expect_increase(prometheus: &Prometheus, service: &str, from_s: f64, to_s: f64) {
    // Prometheus 3 leaves out a sample at the very start of a range, 2 takes it. With a range as long as its samples
    // reach, `increase` has nothing to guess but this one millisecond.
    let range_ms = ((to_s - from_s) * 1e3).round() as u64 + 1;
    let ask = |query: &str| {
        let query = of(service, query);
        let found = prometheus.ask_at(&query, to_s);
        found.unwrap_or_else(|| panic!("no answer: {query}"))
    };
    for (function, name, labels, value) in GROWS {
        let query = format!("{function}(increase({name}{{{labels}}}[{range_ms}ms]))");
        let found = ask(&query);
        assert!((found - value).abs() < value * 0.002, "{query} is {found}, want {value}");
        if function.is_empty() {
            assert_eq!(ask(&format!("resets({name}{{{labels}}}[{range_ms}ms])")), 0.0, "{name}");
        }
    }
    expect_quantiles(|quantile| {
        Some(ask(&format!("histogram_quantile({quantile}, increase(size_bytes{{%}}[{range_ms}ms]))")))
    });
}

/// All is on the page, and that takes nothing away from the backends.
fn expect_ledger(agent: &Agent, count: usize) {
    let file = json!({ "sent": count, "dropped": {}, "waiting": 0, "in_flight": 0 });
    let books = json!({ "received": count, "pending": 0, "no_backend": 0, "backends": { "file": file } });
    expect_books_of(POINTS, agent, &books);
    let page = agent.page();
    for (name, want) in [("shown", count), ("left_out", 0), ("refused", 0)] {
        let found = page.sum(&format!("pillion_points_{name}_total"), &[]);
        assert_eq!(found, want as f64, "{name}\n{}", page.text);
    }
}
