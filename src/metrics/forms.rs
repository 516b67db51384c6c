//! Forms: the raw spellings of contexts, found without looking at what they mean.
//!
//! A form is a name, a type and tags exactly as they stand on the wire. Its keyed hash leads to the
//! slot of its context at once, so that splitting, sorting and rules are paid once per form and not
//! per message. The table holds hashes only, never bytes: two forms are taken for one when 96 bits of
//! a hash under a random key agree (`docs/decisions/0005-forms-by-hash.md`). Next: `shard`.

use crate::statsd::Kind;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Where a form leads: a slot's index, or one of the two marks below.
pub(super) type Target = u32;
/// No form here.
const EMPTY: Target = u32::MAX;
/// A rule drops every message of this form.
pub(super) const RULED_OUT: Target = u32::MAX - 1;

/// The hash of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FormHash {
    place: u64,
    check: u32,
}

impl FormHash {
    /// Hashes under `key`, which must be random per process: an app must not be able to aim.
    pub(super) fn new(key: u64, kind: Kind, name: &[u8], tags: &[u8]) -> Self {
        let seed = xxh3_64_with_seed(name, key ^ (kind as u64 + 1));
        let wide = xxh3_128_with_seed(tags, seed);
        // With few tag bytes the wide hash spreads little: the name's own hash goes into both halves.
        FormHash { place: wide as u64 ^ seed.rotate_left(32), check: (wide >> 64) as u32 ^ seed as u32 }
    }

    /// Adds the origin fields, for listeners that tell contexts apart by origin.
    pub(super) fn with_origin(self, origin: [&[u8]; 3]) -> Self {
        let mut place = self.place;
        for part in origin {
            place = xxh3_64_with_seed(part, place);
        }
        FormHash { place, check: self.check }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    place: u64,
    check: u32,
    target: Target,
}

const VACANT: Entry = Entry { place: 0, check: 0, target: EMPTY };

/// An open-addressing table from form hashes to targets.
#[derive(Debug)]
pub(super) struct Forms {
    entries: Vec<Entry>,
    len: usize,
    /// Forms beyond this are not kept; their messages take the slow way, correctly.
    limit: usize,
}

impl Forms {
    pub(super) fn new(limit: usize) -> Self {
        Forms { entries: vec![VACANT; 1024], len: 0, limit }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn find(&self, hash: FormHash) -> Option<Target> {
        let mut at = self.home(hash.place);
        loop {
            let entry = &self.entries[at];
            if entry.target == EMPTY {
                return None;
            }
            if entry.place == hash.place && entry.check == hash.check {
                return Some(entry.target);
            }
            at += 1;
            if at == self.entries.len() {
                at = 0;
            }
        }
    }

    /// Remembers where a form leads; a full table remembers nothing new. Says whether it did.
    pub(super) fn insert(&mut self, hash: FormHash, target: Target) -> bool {
        if let Some(entry) = self.entry_mut(hash) {
            entry.target = target;
            return true;
        }
        if self.len >= self.limit {
            return false;
        }
        // Linear probing stays short below four fifths full.
        if (self.len + 1) * 5 > self.entries.len() * 4 {
            let more = self.entries.len() + self.entries.len() / 2;
            self.rebuild(more, Some);
        }
        self.place(Entry { place: hash.place, check: hash.check, target });
        self.len += 1;
        true
    }

    /// Keeps the forms for which `keep` gives a (new) target.
    pub(super) fn retain(&mut self, keep: impl FnMut(Target) -> Option<Target>) {
        self.rebuild(self.entries.len(), keep);
    }

    fn rebuild(&mut self, size: usize, mut keep: impl FnMut(Target) -> Option<Target>) {
        let old = std::mem::replace(&mut self.entries, vec![VACANT; size]);
        self.len = 0;
        for entry in old {
            if entry.target == EMPTY {
                continue;
            }
            if let Some(target) = keep(entry.target) {
                self.place(Entry { target, ..entry });
                self.len += 1;
            }
        }
    }

    fn place(&mut self, entry: Entry) {
        let mut at = self.home(entry.place);
        while self.entries[at].target != EMPTY {
            at += 1;
            if at == self.entries.len() {
                at = 0;
            }
        }
        self.entries[at] = entry;
    }

    fn entry_mut(&mut self, hash: FormHash) -> Option<&mut Entry> {
        let mut at = self.home(hash.place);
        loop {
            let entry = self.entries[at];
            if entry.target == EMPTY {
                return None;
            }
            if entry.place == hash.place && entry.check == hash.check {
                return Some(&mut self.entries[at]);
            }
            at += 1;
            if at == self.entries.len() {
                at = 0;
            }
        }
    }

    /// The first place to look: the hash's share of the table, so that any size will do.
    #[inline]
    fn home(&self, place: u64) -> usize {
        ((u128::from(place) * self.entries.len() as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u32) -> FormHash {
        FormHash::new(7, Kind::Counter, format!("name{n}").as_bytes(), b"a:b,c")
    }

    #[test]
    fn finds_what_was_inserted_through_growth_and_retain() {
        let mut forms = Forms::new(100_000);
        for n in 0..20_000 {
            assert!(forms.insert(hash(n), n));
        }
        assert_eq!(forms.len(), 20_000);
        for n in 0..20_000 {
            assert_eq!(forms.find(hash(n)), Some(n));
        }
        assert_eq!(forms.find(hash(20_001)), None);
        forms.retain(|n| (n % 2 == 0).then_some(n + 1));
        assert_eq!((forms.find(hash(4)), forms.find(hash(5)), forms.len()), (Some(5), None, 10_000));
    }

    #[test]
    fn a_full_table_keeps_what_it_has() {
        let mut forms = Forms::new(2);
        assert!(forms.insert(hash(1), 1) && forms.insert(hash(2), 2));
        assert!(!forms.insert(hash(3), 3));
        assert!(forms.insert(hash(2), 9), "a known form may move");
        assert_eq!((forms.find(hash(1)), forms.find(hash(2)), forms.find(hash(3))), (Some(1), Some(9), None));
    }

    #[test]
    fn kind_name_tags_and_origin_tell_forms_apart() {
        let base = FormHash::new(1, Kind::Counter, b"n", b"t");
        assert_ne!(base, FormHash::new(2, Kind::Counter, b"n", b"t"));
        assert_ne!(base, FormHash::new(1, Kind::Gauge, b"n", b"t"));
        assert_ne!(base, FormHash::new(1, Kind::Counter, b"nt", b""));
        assert_ne!(base, FormHash::new(1, Kind::Counter, b"n", b"u"));
        assert_ne!(base, base.with_origin([b"c", b"", b""]));
        assert_ne!(base.with_origin([b"c", b"", b""]), base.with_origin([b"", b"c", b""]));
    }
}
