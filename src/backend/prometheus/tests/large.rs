//! Large pages, slow readers, and what happens to series meanwhile.

use super::*;
use std::collections::BTreeSet;

const MANY: u32 = 100_000;

fn many() -> Vec<Row> {
    let treatment = Arc::new(treatment());
    let kinds = [Class::Counter, Class::Gauge, Class::Counter, Class::Set];
    let row = |i: u32| {
        let kind = if i % 20 == 4 { Class::Timer } else { kinds[i as usize % kinds.len()] };
        let name = format!("app.part{}.name{}", i % 7, i / 7 % 41);
        let key = format!("{name}\ncode:{}\nenv:dev\nid:{i}", i % 5);
        Row::new(&key, kind, &[f64::from(i), 3.0], &treatment)
    };
    (0..MANY).map(row).collect()
}

#[test]
fn a_hundred_thousand_series_are_all_there_once() {
    let rows = many();
    let wanted_ids: BTreeSet<_> = (0..MANY).map(|i| i.to_string()).collect();
    let exposition = of(rows);
    for wanted in [TEXT, Negotiated { scheme: Scheme::Utf8, ..OPENMETRICS }] {
        let mut page = exposition.page(PageRequest { wanted, ..PageRequest::default() });
        let mut all = Vec::new();
        while let Some(chunk) = page.next_chunk(0) {
            let chunk = chunk.unwrap();
            assert!(chunk.len() < 128 << 10, "a chunk of {} bytes", chunk.len());
            all.extend_from_slice(&chunk);
        }
        let page = String::from_utf8(all).unwrap();
        let families = reader::read(&page, is_openmetrics(wanted)).unwrap();
        let names: Vec<_> = families.iter().map(|f| &f.samples[0].name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let (mut kept, mut ids) = (0u64, BTreeSet::new());
        for sample in families.iter().flat_map(|f| &f.samples).filter(|s| !s.name.ends_with("_bucket")) {
            if !sample.name.ends_with("_sum") {
                kept += 1;
                ids.insert(sample.labels["id"].clone());
            }
        }
        assert_eq!((kept, ids), (u64::from(MANY), wanted_ids.clone()));
        assert_eq!(exposition.conflicts(), Conflicts::default());
    }
}

/// Nobody knows before how wide a series is: neither the lock nor the memory may pay for a guess.
#[test]
fn wide_series_behind_many_narrow_ones_come_a_few_at_a_time() {
    let narrow = (0..5_000).map(|i| row(&format!("a\nid:{i}"), Class::OtlpGauge, &[1.0]));
    let bounds = (0..1_000).map(f64::from).collect();
    let wide = Arc::new(Treatment { histogram_buckets: bounds, ..treatment() });
    let wide = (0..200).map(|i| Row::new(&format!("b\nid:{i}"), Class::OtlpHistogram, &[1.0], &wide));
    let exposition = of(narrow.chain(wide));
    for wanted in [TEXT, Negotiated { format: Format::Protobuf, ..TEXT }] {
        let mut page = exposition.page(PageRequest { wanted, ..PageRequest::default() });
        let mut largest = 0;
        while let Some(chunk) = page.next_chunk(0) {
            largest = largest.max(chunk.unwrap().len());
        }
        let own = if wanted.format == Format::Protobuf { 1 << 20 } else { 0 };
        assert!(largest < own + (256 << 10), "{largest} bytes at once");
    }
    let families = families(&exposition, TEXT);
    assert_eq!(families.iter().map(|f| f.samples.len()).collect::<Vec<_>>(), [5_000, 200 * 1_003]);
}

#[test]
fn a_large_family_is_several_messages_in_protobuf() {
    let exposition = of((0..40_000).map(|i| row(&format!("x\nid:{i:040}"), Class::Counter, &[1.0])));
    let wanted = Negotiated { format: Format::Protobuf, ..TEXT };
    let families = formats::decode(&bytes(&exposition, wanted));
    assert!(families.len() > 1 && families.iter().all(|f| f.name == "x_total" && f.kind == Some(0)));
    assert_eq!(families.iter().map(|f| f.metric.len()).sum::<usize>(), 40_000);
}

#[test]
fn a_page_shows_the_series_of_its_beginning() {
    let rows = Rows::of((0..5_000).map(|i| row(&format!("x\nid:{i:05}"), Class::Counter, &[1.0])));
    let exposition = Exposition::new(rows.clone(), &BTreeMap::new());
    let mut page = exposition.page(PageRequest { wanted: TEXT, ..PageRequest::default() });
    let mut all = page.next_chunk(0).unwrap().unwrap().to_vec();
    (0..5_000).for_each(|id| rows.remove(id));
    (0..5_000).for_each(|i| rows.add(row(&format!("w\nid:{i:05}"), Class::Gauge, &[1.0])));
    while let Some(chunk) = page.next_chunk(0) {
        all.extend_from_slice(&chunk.unwrap());
    }
    let families = reader::read(std::str::from_utf8(&all).unwrap(), false).unwrap();
    assert_eq!((families.len(), families[0].samples.len()), (1, 5_000));
    drop(page);
    assert_eq!(rows.pins(), 0);
    let families = super::families(&exposition, TEXT);
    assert_eq!((families[0].name.as_str(), families[0].samples.len()), ("w", 5_000));
}

#[test]
fn a_page_past_its_deadline_is_cut_and_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let exposition = of((0..5_000).map(|i| row(&format!("x\nid:{i:05}"), Class::Counter, &[1.0])));
    metrics::with_local_recorder(&recorder, || {
        let request = PageRequest { wanted: TEXT, deadline_ns: Some(10), ..PageRequest::default() };
        let mut page = exposition.page(request);
        assert!(page.next_chunk(9).unwrap().is_ok());
        assert_eq!(page.next_chunk(10), Some(Err(Cut::TimedOut)));
        assert_eq!(page.next_chunk(11), None);
    });
    assert!(recorder.handle().render().contains("pillion_pages_cut_total 1"));
}

#[test]
fn a_page_that_is_dropped_lets_go_of_the_registry() {
    let rows = Rows::of((0..5_000).map(|i| row(&format!("x\nid:{i:05}"), Class::Counter, &[1.0])));
    let exposition = Exposition::new(rows.clone(), &BTreeMap::new());
    let mut page = exposition.page(PageRequest { wanted: TEXT, ..PageRequest::default() });
    assert!(page.next_chunk(0).is_some());
    assert_eq!(rows.pins(), 1);
    drop(page);
    assert_eq!(rows.pins(), 0);
}

#[test]
fn an_empty_registry_is_an_empty_page() {
    let exposition = of([]);
    assert_eq!(text(&exposition, TEXT), "");
    assert_eq!(text(&exposition, OPENMETRICS), "# EOF\n");
}

#[test]
fn a_page_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&of([]).page(PageRequest::default()));
}
