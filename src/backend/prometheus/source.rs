//! The seam to the registry: how a page reads series without holding the registry's lock for long.
//!
//! The page never owns series and never sees the lock: each call below takes it once, for one slice.
//! What implements this must never hand out an identifier twice while a page is pinned. Next: `order`.

use crate::metrics::series::PageSeries;
use std::ops::Range;

/// Series by identifier, read in slices.
///
/// A page's life: `pin`, then `births` until it has seen every identifier, then many `read`s, then
/// `unpin`. Several pages may be pinned at once.
pub trait Source: Send + Sync + 'static {
    /// Keeps every identifier of the moment readable (and not used anew) until `unpin`. Returns the
    /// number that the next new series will get as its `born`, which is also the name of this pin.
    fn pin(&self) -> u64;

    /// Ends a pin; series that went away meanwhile may now be forgotten.
    fn unpin(&self, pin: u64);

    /// Looks at one slice of the identifiers, from `from` on, and appends those of living series that
    /// were born inside `born`. Returns where the next slice begins, `None` behind the last.
    fn births(&self, from: u32, born: Range<u64>, out: &mut Vec<u32>) -> Option<u32>;

    /// Shows the series of `ids` in that order, `None` for one that is not (or no longer) there. At
    /// most [`SLICE_LONGEST`] identifiers are asked for at once.
    fn read(&self, ids: &[u32], visit: &mut dyn FnMut(u32, Option<PageSeries<'_>>));

    /// What is known of the processes behind the series: a bounded list, each shown as a `target_info`.
    fn targets(&self) -> Vec<Target> {
        Vec::new()
    }
}

/// Facts about one target: label and value, as the app wrote them, with `job` and `instance` where the series have
/// them. Two that differ should not be of one `job` and `instance`, or queries cannot join them.
pub type Target = Vec<(String, String)>;

/// The most identifiers in one `read`: some 100 µs of work for short series.
pub const SLICE_LONGEST: usize = 256;

/// A pin that ends by itself, however the page ends.
#[derive(Debug)]
pub(super) struct Pin<S: Source> {
    source: std::sync::Arc<S>,
    number: u64,
}

impl<S: Source> Pin<S> {
    pub(super) fn new(source: &std::sync::Arc<S>) -> Self {
        Pin { source: source.clone(), number: source.pin() }
    }

    /// The page shows series born before this.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl<S: Source> Drop for Pin<S> {
    fn drop(&mut self) {
        self.source.unpin(self.number);
    }
}
