//! `/metrics`: the registry as Prometheus reads it, in every format that it asks for.
//!
//! An [`Exposition`] lives as long as the agent and keeps the order of the page; a [`Page`] lives as long
//! as a scrape and streams it. Nothing that an app sends may break a page: what cannot stand beside
//! another is left out, counted and named. Next: `page`, then `plan`, `scribe`, `text`.

mod buckets;
mod conflict;
mod family;
mod head;
mod labels;
mod name;
mod native;
mod negotiate;
mod number;
mod openmetrics;
mod order;
mod own;
mod page;
mod plan;
mod point;
mod protobuf;
mod runs;
mod scribe;
mod shelf;
mod source;
mod text;

#[cfg(test)]
mod reader;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod tests;

pub use conflict::{Conflict, Conflicts, Reason};
pub use name::Scheme;
pub use negotiate::{Format, Negotiated};
pub use page::{Cut, Page, PageRequest};
pub use source::{SLICE_LONGEST, Source, Target};

use order::Order;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Orders kept: what Prometheus asks for, and what people look at.
const ORDERS_KEPT: usize = 2;

/// Everything that `/metrics` keeps between scrapes: four bytes a series and scheme in use.
#[derive(Debug)]
pub struct Exposition<S: Source> {
    source: Arc<S>,
    /// Facts about the target: sorted by key.
    resource: Target,
    /// The one used last stands last.
    orders: Mutex<Vec<Order>>,
    conflicts: Mutex<BTreeMap<(Format, Scheme), Conflicts>>,
}

impl<S: Source> Exposition<S> {
    /// `resource` becomes `target_info`, when it holds anything.
    pub fn new(source: Arc<S>, resource: &BTreeMap<String, String>) -> Arc<Self> {
        let resource = resource.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        Arc::new(Exposition { source, resource, orders: Mutex::default(), conflicts: Mutex::default() })
    }

    /// A page to be read chunk by chunk. Cheap: the work is done in [`Page::next_chunk`].
    pub fn page(self: &Arc<Self>, request: PageRequest) -> Page<S> {
        Page::new(self.clone(), request)
    }

    /// What the latest page of each kind left out or changed, for `/status`.
    pub fn conflicts(&self) -> Conflicts {
        let mut all = Conflicts::default();
        for conflicts in self.conflicts.lock().values() {
            all.merge(conflicts);
        }
        all
    }

    /// The order of the page as of `pin`. Pages wait for each other here, intake does not.
    fn ordered(&self, scheme: Scheme, pin: u64) -> Arc<Vec<u32>> {
        let mut orders = self.orders.lock();
        let mut order = match orders.iter().position(|order| order.scheme() == scheme) {
            Some(at) => orders.remove(at),
            None => Order::new(scheme),
        };
        let ids = order.update(&*self.source, pin);
        if orders.len() >= ORDERS_KEPT {
            orders.remove(0);
        }
        orders.push(order);
        ids
    }

    /// Takes over what a finished page found.
    fn settle(&self, format: Format, scheme: Scheme, conflicts: Conflicts, stale: &[u32]) {
        if let Some(order) = self.orders.lock().iter_mut().find(|order| order.scheme() == scheme) {
            order.mark_stale(stale);
        }
        self.conflicts.lock().insert((format, scheme), conflicts);
    }
}
