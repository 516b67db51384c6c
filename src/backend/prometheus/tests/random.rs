//! Whatever apps send: every page reads back, and every series has its line or a reason.

use super::*;
use proptest::prelude::*;

fn names() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a", "a", "b", "total", "count", "sum", "bucket", "created", "seconds", "info", "target", "pillion",
        "5", "é", "\"", "\\",
    ]);
    let separator = prop::sample::select(vec![".", "_", "-", "--", ":", " "]);
    prop::collection::vec((word, separator), 1..4).prop_map(|parts| {
        let mut name = String::new();
        for (word, separator) in parts {
            name += if name.is_empty() { "" } else { separator };
            name += word;
        }
        name
    })
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    let key = prop::sample::select(vec![
        "a", "a.b", "a_b", "le", "quantile", "__name__", "", "1", "é", "\"", "a{b",
    ]);
    let value = prop::sample::select(vec!["", ":", ":1", ":2", ":a:b", ":\"\\", ":é"]);
    prop::collection::vec((key, value).prop_map(|(k, v)| format!("{k}{v}")), 0..4).prop_map(|mut tags| {
        tags.retain(|tag| !tag.is_empty());
        tags.sort();
        tags.dedup();
        tags
    })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let class = prop::sample::select(Class::ALL.to_vec());
    let values = prop::collection::vec(prop::sample::select(vec![0.0, 0.5, -3.0, 80.0, 1e9, 1e-12]), 1..4);
    let one = (names(), tags(), class, values, 0..4usize, any::<bool>());
    prop::collection::vec(one, 1..40).prop_map(|all| {
        let treatments = [
            treatment(),
            Treatment { style: HistogramStyle::Summary, ..treatment() },
            Treatment { explicit_buckets: true, histogram_buckets: [-1.0, 0.0, 60.0].into(), ..treatment() },
            Treatment { histogram_buckets: [].into(), ..treatment() },
        ]
        .map(Arc::new);
        let said = [["", ""], ["a \"b\"\\\n\0", "seconds"]];
        let mut seen = std::collections::BTreeSet::new();
        let rows = all.into_iter().filter_map(|(name, tags, class, values, treatment, monotonic)| {
            let key = [vec![name], tags].concat().join("\n");
            let mut row = Row::new(&key, class, &values, &treatments[treatment]);
            row.monotonic = monotonic && row.value >= 0.0;
            if class.statsd().is_none() {
                let [description, unit] = said[values.len() % said.len()];
                row = row.saying(description, unit);
            }
            row.quantiles.push((1.0, f64::NAN));
            seen.insert((key, class)).then_some(row)
        });
        rows.collect()
    })
}

/// Series on a page, by the sample that each has exactly one of.
fn count(families: &[Read]) -> usize {
    let one = |family: &&Read, name: &str, le: Option<&String>| match family.kind.as_str() {
        "histogram" => le.is_some_and(|le| le == "+Inf"),
        "summary" => name.strip_prefix(&family.name) == Some("_count"),
        _ => true,
    };
    families.iter().map(|f| f.samples.iter().filter(|s| one(&f, &s.name, s.labels.get("le"))).count()).sum()
}

/// Series that the page says it left out.
fn left_out(own: &str) -> usize {
    let reasons = ["type_conflict", "suffix_clash", "same_series", "reserved_name", "moved"];
    let lines = own.lines().filter(|line| line.starts_with("pillion_page_conflicts_total"));
    lines
        .filter(|line| reasons.iter().any(|reason| line.contains(reason)))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_page_reads_back_and_every_series_is_accounted_for(rows in rows()) {
        let all = rows.len();
        let exposition = of(rows);
        for scheme in [Scheme::Underscores, Scheme::Utf8, Scheme::Dots, Scheme::Values] {
            for format in [Format::Text1, Format::OpenMetrics1, Format::Protobuf] {
                let wanted = Negotiated { format, scheme, ..TEXT };
                let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
                let page = metrics::with_local_recorder(&recorder, || bytes(&exposition, wanted));
                let shown = if format == Format::Protobuf {
                    formats::decode(&page).iter().map(|f| f.metric.len()).sum()
                } else {
                    let page = String::from_utf8(page).unwrap();
                    let families = reader::read(&page, is_openmetrics(wanted));
                    count(&families.map_err(|why| TestCaseError::fail(format!("{why}\n{page}")))?)
                };
                prop_assert_eq!(shown + left_out(&recorder.handle().render()), all);
            }
        }
    }
}
