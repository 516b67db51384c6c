//! The table of contexts: identity, life and death; what a context's values are is `registry`'s.
//!
//! A context is a name, its sorted tags and a type class. Thirty-one bytes here, its text in
//! `records`, some seven bytes in the hash tables: a counter context costs about 100 bytes where tags
//! are shared and never more than 250.

use super::class::Class;
use super::records::{Address, Records};
use super::strings::spread;
use hashbrown::HashTable;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Tables that the contexts are spread over. One table of a million entries would be half empty (its size is
/// a power of two, and 917,504 fill the one before) and would stop the intake while it grows; these are at
/// four fifths of seven eighths with a million, and each grows by some thousands.
const TABLES: usize = 320;

/// A context's number; used again after its context is gone.
pub type ContextId = u32;

/// One context.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// A counter's total or a gauge's value as bits; for other classes the index of their state.
    pub(super) bits: u64,
    pub(super) address: Address,
    /// Unix seconds of its beginning.
    pub(super) start_s: u32,
    /// The window in which it was last touched.
    pub(super) last: u32,
    pub(super) class: Class,
    pub(super) flags: u8,
    pub(super) treatment: u16,
}

/// A counter that received a negative value.
pub(super) const NEGATIVE: u8 = 1;
/// An overflow series: not counted against the limit, never evicted.
pub(super) const OVERFLOW: u8 = 2;
/// Not shown until touched again (its TTL passed while a shard still knew it).
pub(super) const HIDDEN: u8 = 4;
/// The number is free, or waits to be.
pub(super) const GONE: u8 = 8;

impl Context {
    /// When it began, in Unix nanoseconds.
    pub(super) fn start_ns(&self) -> u64 {
        u64::from(self.start_s) * 1_000_000_000
    }
}

#[derive(Debug)]
pub(super) struct Contexts {
    key: u64,
    records: Records,
    tables: Box<[HashTable<ContextId>]>,
    all: Vec<Context>,
    /// The part of each hash that finds it in its table. Making it anew from the text when a table grows costs
    /// a third of what a new context costs in all.
    hashes: Vec<u16>,
    /// How many shards hold a slot for the context; only those without may go. 255 stands for "many" and
    /// never falls: such a context stays, which costs memory but no sums.
    holders: Vec<u8>,
    /// The order in which contexts came into sight, less `born_base`.
    born: Vec<u32>,
    born_base: u64,
    next_born: u64,
    free: Vec<ContextId>,
    live: usize,
}

/// The size is a promise: see the module comment.
const _: () = assert!(size_of::<Context>() == 24);

impl Contexts {
    /// `exact_names`: see `Records::new`.
    pub(super) fn new(key: u64, exact_names: bool) -> Self {
        Contexts {
            key,
            records: Records::new(key, exact_names),
            tables: vec![HashTable::new(); TABLES].into(),
            all: Vec::new(),
            hashes: Vec::new(),
            holders: Vec::new(),
            born: Vec::new(),
            born_base: 0,
            next_born: 0,
            free: Vec::new(),
            live: 0,
        }
    }

    /// The context of a key (see `series::Key`) and type.
    pub(super) fn find(&self, key: &str, class: Class) -> Option<ContextId> {
        let (table, hash) = self.hash(key, class);
        let same = |id: &ContextId| {
            let context = &self.all[*id as usize];
            context.class == class && self.records.equals(context.address, key)
        };
        self.tables[table].find(spread(hash.into()), same).copied()
    }

    /// Adds a context that `find` did not know. `None` when there is no room for its text.
    pub(super) fn insert(&mut self, key: &str, mut context: Context) -> Option<ContextId> {
        context.address = self.records.store(key)?;
        let (table, hash) = self.hash(key, context.class);
        let id = match self.free.pop() {
            Some(id) => {
                let at = id as usize;
                (self.all[at], self.hashes[at], self.holders[at]) = (context, hash, 0);
                id
            }
            None => {
                self.all.push(context);
                self.hashes.push(hash);
                self.holders.push(0);
                self.born.push(0);
                (self.all.len() - 1) as u32
            }
        };
        let hashes = &self.hashes;
        self.tables[table].insert_unique(spread(hash.into()), id, |id| spread(hashes[*id as usize].into()));
        self.live += usize::from(context.flags & OVERFLOW == 0);
        Some(id)
    }

    /// Gives a context that comes into sight its place in the order of births.
    pub(super) fn bear(&mut self, id: ContextId) {
        if self.next_born - self.born_base > u64::from(u32::MAX) {
            // Once in two billion births: the very old become equally old.
            let step = 1 << 31;
            self.born_base += step;
            for born in &mut self.born {
                *born = u64::from(*born).saturating_sub(step) as u32;
            }
        }
        self.born[id as usize] = (self.next_born - self.born_base) as u32;
        self.next_born += 1;
    }

    pub(super) fn born(&self, id: ContextId) -> u64 {
        self.born_base + u64::from(self.born[id as usize])
    }

    /// What `born` will be for the next one.
    pub(super) fn next_born(&self) -> u64 {
        self.next_born
    }

    /// Takes a context out of sight. Its number and text stay until `bury`.
    pub(super) fn remove(&mut self, id: ContextId) {
        let at = id as usize;
        let mut key = String::new();
        self.records.read(self.all[at].address, &mut key);
        let (table, hash) = self.hash(&key, self.all[at].class);
        if let Ok(found) = self.tables[table].find_entry(spread(hash.into()), |other| *other == id) {
            found.remove();
        }
        self.live -= usize::from(self.all[at].flags & OVERFLOW == 0);
        self.all[at].flags |= GONE;
    }

    /// Frees what `remove` left.
    pub(super) fn bury(&mut self, id: ContextId) {
        self.records.remove(self.all[id as usize].address);
        self.free.push(id);
    }

    /// Contexts that count against the limit.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// One past the largest number in use.
    pub(super) fn end(&self) -> ContextId {
        self.all.len() as u32
    }

    /// `None` for a number that is free.
    pub(super) fn get(&self, id: ContextId) -> Option<&Context> {
        self.all.get(id as usize).filter(|c| c.flags & GONE == 0)
    }

    /// The caller holds the number (it came from `find` or `insert` and a shard holds it).
    pub(super) fn at(&mut self, id: ContextId) -> &mut Context {
        &mut self.all[id as usize]
    }

    pub(super) fn hold(&mut self, id: ContextId) {
        let holders = &mut self.holders[id as usize];
        *holders = holders.saturating_add(1);
    }

    pub(super) fn let_go(&mut self, id: ContextId) {
        let holders = &mut self.holders[id as usize];
        *holders -= u8::from(*holders < u8::MAX);
    }

    pub(super) fn is_held(&self, id: ContextId) -> bool {
        self.holders[id as usize] > 0
    }

    pub(super) fn read_key(&self, id: ContextId, out: &mut String) {
        self.records.read(self.all[id as usize].address, out);
    }

    pub(super) fn name(&self, id: ContextId) -> &str {
        self.records.name(self.all[id as usize].address)
    }

    pub(super) fn sharing_name(&self, name: &str) -> u32 {
        self.records.sharing_name(name)
    }

    pub(super) fn shared_names(&self, numbers: Range<usize>) -> impl Iterator<Item = (&str, u32)> {
        self.records.shared_names(numbers)
    }

    pub(super) fn names_end(&self) -> usize {
        self.records.names_end()
    }

    pub(super) fn worth_compacting(&self) -> bool {
        self.records.worth_compacting()
    }

    /// Moves a context's text out of a chunk that is mostly holes.
    pub(super) fn compact(&mut self, id: ContextId) {
        let address = self.all[id as usize].address;
        if self.all[id as usize].flags & GONE == 0 && self.records.is_sparse(address) {
            self.all[id as usize].address = self.records.relocate(address);
        }
    }

    /// The table of a key and type, and what finds it there: sixteen bits tell the thousands in one table apart.
    fn hash(&self, key: &str, class: Class) -> (usize, u16) {
        let hash = xxh3_64_with_seed(key.as_bytes(), self.key ^ (class as u64 + 1));
        ((((hash >> 32) * TABLES as u64) >> 32) as usize, hash as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> String {
        format!("name{}\nid:{n}", n % 3)
    }

    fn counter() -> Context {
        Context {
            bits: 0,
            address: Address::NOWHERE,
            start_s: 0,
            last: 0,
            class: Class::Counter,
            flags: 0,
            treatment: 0,
        }
    }

    #[test]
    fn contexts_are_found_while_tables_grow_and_others_go() {
        let mut contexts = Contexts::new(7, false);
        let ids: Vec<ContextId> = (0..30_000).map(|n| contexts.insert(&key(n), counter()).unwrap()).collect();
        for id in ids.iter().step_by(2) {
            contexts.remove(*id);
            contexts.bury(*id);
        }
        for (n, id) in (0..).zip(&ids) {
            let found = contexts.find(&key(n), Class::Counter);
            assert_eq!(found, (n % 2 == 1).then_some(*id), "{n}");
            assert_eq!(contexts.find(&key(n), Class::Gauge), None);
        }
        let used: usize = contexts.tables.iter().map(HashTable::len).sum();
        assert_eq!((used, contexts.live()), (15_000, 15_000));
    }

    /// No table gets much more than its share, and a million contexts, the default limit, fit before the
    /// tables double.
    #[test]
    fn tables_fill_evenly() {
        let (contexts, mut filled) = (Contexts::new(7, false), [0; TABLES]);
        for n in 0..1_000_000 {
            filled[contexts.hash(&key(n), Class::Counter).0] += 1;
        }
        assert!(filled.iter().all(|n| (2_700..3_584).contains(n)), "{filled:?}");
    }
}
