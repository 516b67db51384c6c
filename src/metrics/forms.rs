//! Forms: the raw spellings of contexts, found without looking at what they mean.
//!
//! A form is a name, a type and tags exactly as they stand on the wire. Its keyed hash leads to the
//! slot of its context at once, so that splitting, sorting and rules are paid once per form and not
//! per message. The table holds hashes only, never bytes: two forms are taken for one when 64 bits of
//! a hash under a random key agree (`docs/decisions/0005-forms-by-hash.md`). Next: `shard`.

use crate::statsd::Kind;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Where a form leads: a slot's index, or one of the two marks below.
pub(super) type Target = u32;
/// No form here.
const EMPTY: Target = u32::MAX;
/// A rule drops every message of this form.
pub(super) const RULED_OUT: Target = u32::MAX - 1;

/// Entries of an empty table: of the sizes that follow one holds a million forms and little more.
const FIRST: usize = 1_100;
/// Entries below which the table doubles when it is three fifths full, so that most searches end where they
/// begin. A larger one grows by a quarter when it is four fifths full: searches stay short, and the room is used.
const ROOMY: usize = 65_536;

/// The hash of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FormHash(u64);

impl FormHash {
    /// Hashes under `key`, which must be random per process: an app must not be able to aim.
    #[inline]
    pub(super) fn new(key: u64, kind: Kind, name: &[u8], tags: &[u8]) -> Self {
        let seed = xxh3_64_with_seed(name, key ^ (kind as u64 + 1));
        // Rotated, so that a form without tags keeps the whole hash of its name.
        FormHash(xxh3_64_with_seed(tags, seed) ^ seed.rotate_left(32))
    }

    /// Adds the origin fields, for listeners that tell contexts apart by origin.
    pub(super) fn with_origin(self, origin: [&[u8]; 3]) -> Self {
        FormHash(origin.iter().fold(self.0, |hash, part| xxh3_64_with_seed(part, hash)))
    }
}

/// Twelve bytes: with a million forms, the padding that a `u64` would bring is 4 MB.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: [u32; 2],
    target: Target,
}

const _: () = assert!(size_of::<Entry>() == 12);

impl Entry {
    const VACANT: Entry = Entry { hash: [0; 2], target: EMPTY };

    fn new(hash: u64, target: Target) -> Self {
        Entry { hash: [hash as u32, (hash >> 32) as u32], target }
    }

    #[inline]
    fn hash(&self) -> u64 {
        u64::from(self.hash[1]) << 32 | u64::from(self.hash[0])
    }
}

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
        Forms { entries: vec![Entry::VACANT; FIRST], len: 0, limit }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_half_full(&self) -> bool {
        self.len >= self.limit / 2
    }

    /// Reads where the search for a hash begins. The misses of many such reads overlap, those of searches do not:
    /// each ends in a branch that nobody can foresee.
    #[inline]
    pub(super) fn fetch(&self, hash: FormHash) -> Target {
        self.entries[self.home(hash.0)].target
    }

    #[inline]
    pub(super) fn find(&self, hash: FormHash) -> Option<Target> {
        let entry = self.entries[self.locate(hash.0)];
        (entry.target != EMPTY).then_some(entry.target)
    }

    /// Remembers where a form leads; a full table remembers nothing new. Says whether it did.
    pub(super) fn insert(&mut self, hash: FormHash, target: Target) -> bool {
        let at = self.locate(hash.0);
        if self.entries[at].target != EMPTY {
            self.entries[at].target = target;
            return true;
        }
        if self.len >= self.limit {
            return false;
        }
        self.entries[at] = Entry::new(hash.0, target);
        self.len += 1;
        let size = self.entries.len();
        if size < ROOMY && self.len * 5 > size * 3 {
            self.rebuild(size * 2, Some);
        } else if self.len * 5 > size * 4 {
            self.rebuild(size + size / 4, Some);
        }
        true
    }

    /// Keeps the forms for which `keep` gives a (new) target.
    pub(super) fn retain(&mut self, keep: impl FnMut(Target) -> Option<Target>) {
        self.rebuild(self.entries.len(), keep);
    }

    fn rebuild(&mut self, size: usize, mut keep: impl FnMut(Target) -> Option<Target>) {
        let old = std::mem::replace(&mut self.entries, vec![Entry::VACANT; size]);
        self.len = 0;
        for entry in old {
            if entry.target == EMPTY {
                continue;
            }
            if let Some(target) = keep(entry.target) {
                let at = self.locate(entry.hash());
                self.entries[at] = Entry { target, ..entry };
                self.len += 1;
            }
        }
    }

    /// Where a hash stands, or would stand: there is always a vacant entry.
    #[inline]
    fn locate(&self, hash: u64) -> usize {
        let mut at = self.home(hash);
        loop {
            let entry = &self.entries[at];
            if entry.target == EMPTY || entry.hash() == hash {
                return at;
            }
            at += 1;
            if at == self.entries.len() {
                at = 0;
            }
        }
    }

    /// The first place to look: the hash's share of the table, so that any size will do.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.entries.len() as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u32) -> FormHash {
        FormHash::new(7, Kind::Counter, format!("name{n}").as_bytes(), b"a:b,c")
    }

    #[test]
    fn a_million_forms_fill_their_table() {
        let mut forms = Forms::new(2_000_000);
        for n in 0..1_000_000u64 {
            assert!(forms.insert(FormHash(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), n as u32));
            let load = forms.len() as f64 / forms.entries.len() as f64;
            assert!(load <= if forms.entries.len() < ROOMY { 0.6 } else { 0.8 });
        }
        assert!(forms.entries.len() < 1_300_000, "{}", forms.entries.len());
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

    /// The entries that are looked at until a form is found.
    fn probes(forms: &Forms, hash: FormHash) -> usize {
        let (size, home) = (forms.entries.len(), forms.home(hash.0));
        let is_it = |at: &usize| forms.entries[(home + at) % size].hash() == hash.0;
        (0..size).find(is_it).unwrap() + 1
    }

    #[test]
    fn a_bomb_makes_no_known_form_harder_to_find() {
        for limit in [1_000, 10_000, 100_000] {
            let mut forms = Forms::new(limit);
            let known = 0..500;
            for n in known.clone().chain(1_000..200_000) {
                forms.insert(hash(n), n);
            }
            assert_eq!(forms.len(), limit);
            let all: usize = known.clone().map(|n| probes(&forms, hash(n))).sum();
            // Two or three are expected of a table that is four fifths full.
            assert!(all <= 4 * known.len(), "{all} probes for {} forms among {limit}", known.len());
        }
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
