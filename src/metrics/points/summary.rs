//! A summary, as a point brings it: quantiles that the app has computed, and a running count and sum.

use crate::otlp::view::metrics::SummaryPoint;

/// Quantiles in one summary.
const QUANTILES_LARGEST: usize = 64;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Summary {
    /// From 0 to 1, ascending, with their values. Of several streams, the last one's.
    pub(super) quantiles: Vec<(f64, f64)>,
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Summary {
    /// Takes over what a point says; `None` when it cannot be a summary's.
    pub(super) fn read(&mut self, point: &SummaryPoint<'_>) -> Option<()> {
        self.quantiles.clear();
        self.quantiles.extend(point.quantiles().take(QUANTILES_LARGEST + 1));
        self.quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.quantiles.dedup_by_key(|quantile| quantile.0);
        self.count = point.count;
        self.sum = point.sum;
        let fits = self.quantiles.len() <= QUANTILES_LARGEST
            && self.quantiles.iter().all(|(q, _)| (0.0..=1.0).contains(q))
            && self.sum.is_finite();
        fits.then_some(())
    }
}
