//! What OTLP's metrics say of themselves, kept once for all series that say the same.
//!
//! Bounded by the series that use it: what nobody uses any more goes when the list has doubled.

use std::collections::HashSet;
use std::sync::Arc;

/// The longest description that is kept, in bytes.
const DESCRIPTION_BYTES: usize = 1_024;
/// Below this, nothing is looked for that could go.
const SWEEP_AT: usize = 1_024;

/// A metric's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Meta {
    /// May be empty.
    pub description: Box<str>,
    /// As Prometheus writes it (`seconds`), which is also what the name ends in; may be empty.
    pub unit: Box<str>,
}

/// All that are in use.
#[derive(Debug, Default)]
pub(super) struct Metas {
    all: HashSet<Arc<Meta>>,
    sweep_at: usize,
}

impl Metas {
    pub(super) fn get(&mut self, description: &str, unit: &str) -> Arc<Meta> {
        let description = &description[..description.floor_char_boundary(DESCRIPTION_BYTES)];
        let meta = Meta { description: description.into(), unit: unit.into() };
        if let Some(known) = self.all.get(&meta) {
            return Arc::clone(known);
        }
        if self.all.len() >= self.sweep_at.max(SWEEP_AT) {
            self.all.retain(|meta| Arc::strong_count(meta) > 1);
            self.sweep_at = 2 * self.all.len();
        }
        let meta = Arc::new(meta);
        self.all.insert(Arc::clone(&meta));
        meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_kept_once_and_unused_ones_go() {
        let mut metas = Metas::default();
        let kept = metas.get("Requests", "seconds");
        assert!(Arc::ptr_eq(&kept, &metas.get("Requests", "seconds")));
        for n in 0..3 * SWEEP_AT {
            metas.get(&n.to_string(), "");
        }
        assert!(metas.all.len() <= SWEEP_AT && metas.all.contains(&kept));
    }
}
