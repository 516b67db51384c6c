//! Quantiles read from a sketch.
//!
//! Inside a bin values are taken as spread evenly, as the Datadog agent does, but around the value
//! that stands for the bin and only so far that no quantile is ever more than 1 % off, whatever the
//! values (the agent's span reaches 2.3 %). The smallest and the largest value are exact.

use super::mapping::Mapping;
use super::{Sketch, whole};

/// Promised to users: docs and tests say 1 %.
const RELATIVE_ACCURACY: f64 = 0.01;

impl Sketch {
    /// The value below which the share `q` of all values lies: the value of rank `q · (count − 1)`,
    /// rounded half to even. `q` beyond 0 and 1 gives the minimum and the maximum; `None` when empty.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if self.is_empty() {
            return None;
        }
        let last = whole(self.count).saturating_sub(1);
        let rank = whole(q.clamp(0.0, 1.0) * last as f64);
        if q <= 0.0 || rank == 0 {
            return Some(self.min);
        }
        if q >= 1.0 || rank >= last {
            return Some(self.max);
        }
        let mapping = Mapping::get();
        // In keys: half a bin is γ^½ away from the middle already, this much more stays within 1 %.
        let spread = RELATIVE_ACCURACY.ln_1p() / mapping.ln_gamma - 0.5;
        let mut below = 0;
        for (key, n) in self.bins.iter() {
            if below + n > rank {
                // The middle of the rank's own share of the bin, −½ to ½.
                let place = ((rank - below) as f64 + 0.5) / n as f64 - 0.5;
                let value = mapping.value_at(key, place * 2.0 * spread);
                return Some(value.max(self.min).min(self.max));
            }
            below += n;
        }
        Some(self.max)
    }
}
