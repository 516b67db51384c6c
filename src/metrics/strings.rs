//! Strings that many contexts share, kept once: interning on second sight.
//!
//! A tag that only one context has (a request id) would pay for a table entry and gain nothing, so
//! the first sighting is only remembered in a small probabilistic filter and its owner keeps the text
//! inline. From the second on there is one copy and everybody holds its number. Never shrinks below
//! what its owners hold; entries go when the last owner lets go.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Where a string went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// The owner keeps the text itself.
    Inline,
    /// The text is here, under this number, and counts one owner more.
    Interned(u32),
}

#[derive(Debug)]
pub(super) struct Strings {
    key: u64,
    seen: Doorkeeper,
    table: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    hash: u32,
    owners: u32,
    text: Box<str>,
}

impl Strings {
    pub(super) fn new(key: u64) -> Self {
        Strings {
            key,
            seen: Doorkeeper::new(),
            table: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Takes note of one more owner of `text`.
    pub(super) fn keep(&mut self, text: &str) -> Kept {
        let hash = xxh3_64_with_seed(text.as_bytes(), self.key);
        if let Some(id) = self.find(hash, text) {
            self.entries[id as usize].owners += 1;
            return Kept::Interned(id);
        }
        // A reference takes up to five bytes: shorter text gains nothing.
        if !self.seen.insert(hash) || text.len() < 4 {
            return Kept::Inline;
        }
        let entry = Entry { hash: hash as u32, owners: 1, text: text.into() };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let entries = &self.entries;
        self.table.insert_unique(spread(hash as u32), id, |id| spread(entries[*id as usize].hash));
        Kept::Interned(id)
    }

    pub(super) fn get(&self, id: u32) -> &str {
        &self.entries[id as usize].text
    }

    /// One owner fewer.
    pub(super) fn release(&mut self, id: u32) {
        let entry = &mut self.entries[id as usize];
        entry.owners -= 1;
        if entry.owners > 0 {
            return;
        }
        entry.text = Box::default();
        if let Ok(found) = self.table.find_entry(spread(entry.hash), |other| *other == id) {
            found.remove();
        }
        self.free.push(id);
    }

    /// How many owners hold the number of `text`; the first owner, which keeps it inline, is one more.
    pub(super) fn owners(&self, text: &str) -> u32 {
        let hash = xxh3_64_with_seed(text.as_bytes(), self.key);
        match self.find(hash, text) {
            Some(id) => self.entries[id as usize].owners + 1,
            None => u32::from(self.seen.contains(hash)),
        }
    }

    /// Every interned string with its owners (the first, inline one included).
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.entries.iter().filter(|e| e.owners > 0).map(|e| (&*e.text, e.owners + 1))
    }

    fn find(&self, hash: u64, text: &str) -> Option<u32> {
        self.table
            .find(spread(hash as u32), |id| {
                let entry = &self.entries[*id as usize];
                entry.hash == hash as u32 && *entry.text == *text
            })
            .copied()
    }
}

/// The table wants 64 bits; 32 are kept.
pub(super) fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Remembers roughly what it has seen: two Bloom filters, of which the older is forgotten when the
/// newer is full. Forgetting or mistaking a string costs a little memory, never a wrong answer.
#[derive(Debug)]
struct Doorkeeper {
    new: Filter,
    old: Filter,
}

#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
    members: usize,
}

/// Bits spent on each member: with three probes, about 3 % false positives when full.
const BITS_PER_MEMBER: usize = 8;
const SMALLEST_WORDS: usize = 128;
/// 2 MiB a filter.
const LARGEST_WORDS: usize = 1 << 18;

impl Doorkeeper {
    fn new() -> Self {
        let empty = || Filter { words: vec![0; SMALLEST_WORDS], members: 0 };
        Doorkeeper { new: empty(), old: empty() }
    }

    /// Whether it was there before.
    fn insert(&mut self, hash: u64) -> bool {
        if self.contains(hash) {
            return true;
        }
        if self.new.members * BITS_PER_MEMBER >= self.new.words.len() * 64 {
            let words = (self.new.words.len() * 4).min(LARGEST_WORDS);
            self.old = std::mem::replace(&mut self.new, Filter { words: vec![0; words], members: 0 });
        }
        for bit in self.new.bits(hash) {
            self.new.words[bit / 64] |= 1 << (bit % 64);
        }
        self.new.members += 1;
        false
    }

    fn contains(&self, hash: u64) -> bool {
        let holds =
            |filter: &Filter| filter.bits(hash).all(|bit| filter.words[bit / 64] & (1 << (bit % 64)) != 0);
        holds(&self.new) || holds(&self.old)
    }
}

impl Filter {
    fn bits(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.words.len() * 64 - 1;
        let (a, b) = (hash as usize, (hash >> 32) as usize | 1);
        (0..3).map(move |i: usize| a.wrapping_add(b.wrapping_mul(i)) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_owner_interns_and_the_last_one_frees() {
        let mut strings = Strings::new(3);
        assert_eq!(strings.keep("env:production"), Kept::Inline);
        assert_eq!(strings.owners("env:production"), 1);
        let Kept::Interned(id) = strings.keep("env:production") else { panic!("second sight interns") };
        assert_eq!(strings.keep("env:production"), Kept::Interned(id));
        assert_eq!((strings.get(id), strings.owners("env:production")), ("env:production", 3));
        strings.release(id);
        strings.release(id);
        assert_eq!(strings.iter().count(), 0);
        assert_eq!(strings.keep("env:production"), Kept::Interned(id), "the number is used again");
    }

    #[test]
    fn unique_strings_stay_with_their_owners() {
        let mut strings = Strings::new(3);
        let interned = (0..100_000).filter(|n| strings.keep(&format!("request:{n}")) != Kept::Inline).count();
        assert!(interned < 5_000, "{interned} of 100000 unique strings were interned");
    }
}
