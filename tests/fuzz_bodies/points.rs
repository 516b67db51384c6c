//! What must hold for the points of any request that the walk accepts: each is shown or left out for a reason, and
//! the page is written to its end in every format. Converted for a backend, each is there or left out for a reason,
//! and what is there is accepted again.
//!
//! Run by `fuzz/fuzz_targets/points.rs` and, over the corpus and its mutations, by
//! `tests/fuzz_corpus.rs`.

use bytes::Bytes;
use pillion::backend::prometheus::{Exposition, Negotiated, PageRequest, Source, Target};
use pillion::config::{Config, PointTemporality};
use pillion::metrics::points::{Converter, LeftOut, Points};
use pillion::metrics::rules::Rules;
use pillion::metrics::series::PageSeries;
use pillion::metrics::{Aggregator, Pushing};
use pillion::otlp::protobuf::Writer;
use pillion::otlp::{Signal, walk};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

const NOW: u64 = 1_700_000_000_000_000_000;

/// What Prometheus asks for, in each format.
const ACCEPTED: [&str; 3] = [
    "text/plain;version=0.0.4",
    "application/openmetrics-text;version=1.0.0",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
];

struct Series(Aggregator, Arc<Points>);

impl Source for Series {
    fn pin(&self) -> u64 {
        self.0.pin()
    }

    fn unpin(&self, pin: u64) {
        self.0.unpin(pin);
    }

    fn births(&self, from: u32, born: Range<u64>, out: &mut Vec<u32>) -> Option<u32> {
        self.0.births(from, born, out)
    }

    fn targets(&self) -> Vec<Target> {
        self.1.targets()
    }

    fn read(&self, ids: &[u32], visit: &mut dyn FnMut(u32, Option<PageSeries<'_>>)) {
        self.0.read(ids, visit);
    }
}

/// Panics when something does not hold.
pub(crate) fn run(data: &[u8]) {
    let Ok(taken) = walk::request(Signal::Metrics, &Bytes::copy_from_slice(data)) else { return };
    let mut config = Config::default();
    (config.metrics.context_limit, config.metrics.name_limit) = (40, 20);
    for to in [PointTemporality::Delta, PointTemporality::Cumulative] {
        convert(&taken, to, &config);
    }
    let Ok(rules) = Rules::compile(&config.rules, &config.metrics) else { return };
    let (notes, _) = tokio::sync::mpsc::channel(1);
    let aggregator = Aggregator::new(&config, rules, Pushing::Nothing, notes, 7, NOW);
    let points = Arc::new(Points::new(aggregator.clone()));
    let mut items = 0;
    // Twice: what is known goes another way than what is new.
    for part in taken.resources.iter().chain(&taken.resources) {
        points.take(&part.bytes, NOW);
        items += u64::from(part.items);
    }
    let left_out: u64 = LeftOut::ALL.iter().map(|why| points.tally().left_out(*why)).sum();
    assert_eq!(points.tally().shown() + left_out, items, "points that nobody counted");
    let exposition = Exposition::new(Arc::new(Series(aggregator, points)), &BTreeMap::new());
    for accepted in ACCEPTED {
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::ACCEPT, http::HeaderValue::from_static(accepted));
        let wanted = Negotiated::from_headers(&headers);
        let mut page = exposition.page(PageRequest { wanted, ..PageRequest::default() });
        while let Some(chunk) = page.next_chunk(NOW) {
            assert!(chunk.is_ok(), "a page was cut");
        }
    }
}

fn convert(taken: &walk::Taken, to: PointTemporality, config: &Config) {
    let Some(mut converter) = Converter::new(to, config, 7, 1) else { return };
    for part in taken.resources.iter().chain(&taken.resources) {
        let converted = converter.convert(&part.bytes, NOW, 1 << 20);
        let left_out = converted.left_out_total();
        let Some(bytes) = converted.bytes else { continue };
        assert!(!converter.concerns(&bytes), "not all was converted");
        let mut request = Writer::new();
        request.bytes(1, &bytes);
        let Ok(again) = walk::request(Signal::Metrics, &request.into_inner().into()) else {
            panic!("what was converted is refused");
        };
        assert!(again.rejected.is_none(), "what was converted is faulty");
        let items: u32 = again.resources.iter().map(|part| part.items).sum();
        assert_eq!(items + left_out, part.items, "points that nobody counted");
    }
}
