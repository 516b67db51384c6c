//! Strings that many contexts share, kept once: interning on second sight.
//!
//! A tag that only one context has (a request id) would pay for a table entry and gain nothing, so
//! the first sighting is only remembered in a small probabilistic filter and its owner keeps the text
//! inline. From the second on there is one copy and everybody holds its number. Never shrinks below
//! what its owners hold; entries go when the last owner lets go.

use hashbrown::HashTable;
use std::ops::Range;
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
    /// Shorter text always stays with its owner.
    shortest: usize,
    /// Whether `owners` is asked for.
    counts: bool,
    /// Interns on first sight, so that the count of owners is exact.
    exact: bool,
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
    /// Strings that are kept to save memory.
    pub(super) fn new(key: u64) -> Self {
        // A reference takes up to five bytes: shorter text gains nothing.
        Strings { shortest: 4, counts: false, ..Self::counting(key, false) }
    }

    /// Strings whose owners are counted, too, however short they are. Where one more or less would be
    /// noticed, `exact` interns on first sight, which costs memory for unique strings.
    pub(super) fn counting(key: u64, exact: bool) -> Self {
        Strings {
            key,
            shortest: 0,
            counts: true,
            exact,
            seen: Doorkeeper::new(),
            table: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Takes note of one more owner of `text`.
    pub(super) fn keep(&mut self, text: &str) -> Kept {
        if text.len() < self.shortest {
            return Kept::Inline;
        }
        let hash = xxh3_64_with_seed(text.as_bytes(), self.key);
        let seen = self.exact || self.seen.insert(hash);
        // Most strings that are new are new for good, so the filter is asked before the table. What was
        // interned and is forgotten there stays inline once more, which costs bytes but miscounts owners.
        if !seen && !self.counts {
            return Kept::Inline;
        }
        if let Some(id) = self.find(hash, text) {
            self.entries[id as usize].owners += 1;
            return Kept::Interned(id);
        }
        if !seen {
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
            Some(id) => self.entries[id as usize].owners + self.inline(),
            None => u32::from(!self.exact && self.seen.contains(hash)),
        }
    }

    /// The interned strings of a slice of the numbers, with their owners (the first, inline one included).
    pub(super) fn slice(&self, numbers: Range<usize>) -> impl Iterator<Item = (&str, u32)> {
        let end = numbers.end.min(self.entries.len());
        let slice = &self.entries[numbers.start.min(end)..end];
        slice.iter().filter(|e| e.owners > 0).map(|e| (&*e.text, e.owners + self.inline()))
    }

    /// One past the largest number.
    pub(super) fn end(&self) -> usize {
        self.entries.len()
    }

    /// Owners of an interned string that keep it inline.
    fn inline(&self) -> u32 {
        u32::from(!self.exact)
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
    blocks: Vec<Block>,
    members: usize,
}

/// One cache line: a look costs one miss, however many bits it asks for.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Block([u64; 8]);

/// Bits spent on each member: with four in one block, about 1 % false positives when full.
const BITS_PER_MEMBER: usize = 12;
const SMALLEST_BLOCKS: usize = 16;
/// 1 MiB a filter.
const LARGEST_BLOCKS: usize = 1 << 14;

impl Doorkeeper {
    fn new() -> Self {
        Doorkeeper { new: Filter::new(SMALLEST_BLOCKS), old: Filter::new(SMALLEST_BLOCKS) }
    }

    /// Whether it was there before.
    fn insert(&mut self, hash: u64) -> bool {
        if self.contains(hash) {
            return true;
        }
        if self.new.members * BITS_PER_MEMBER >= self.new.blocks.len() * 512 {
            let blocks = (self.new.blocks.len() * 4).min(LARGEST_BLOCKS);
            self.old = std::mem::replace(&mut self.new, Filter::new(blocks));
        }
        self.new.insert(hash);
        false
    }

    fn contains(&self, hash: u64) -> bool {
        self.new.contains(hash) || self.old.contains(hash)
    }
}

impl Filter {
    fn new(blocks: usize) -> Self {
        Filter { blocks: vec![Block([0; 8]); blocks], members: 0 }
    }

    fn insert(&mut self, hash: u64) {
        let at = self.block(hash);
        for (word, bit) in bits(hash) {
            self.blocks[at].0[word] |= bit;
        }
        self.members += 1;
    }

    fn contains(&self, hash: u64) -> bool {
        let Block(words) = &self.blocks[self.block(hash)];
        bits(hash).all(|(word, bit)| words[word] & bit != 0)
    }

    /// The number of blocks is a power of two; the low bits of the hash choose bits inside.
    fn block(&self, hash: u64) -> usize {
        (hash >> 40) as usize & (self.blocks.len() - 1)
    }
}

/// The words and bits of a hash inside its block.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..4).map(move |n| {
        let nine = (hash >> (9 * n)) as usize & 511;
        (nine / 64, 1 << (nine % 64))
    })
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
        assert_eq!(strings.slice(0..strings.end()).count(), 0);
        assert_eq!(strings.keep("env:production"), Kept::Interned(id), "the number is used again");
    }

    #[test]
    fn owners_of_short_text_are_counted_where_that_is_asked_for() {
        let all = [Strings::new(3), Strings::counting(3, false), Strings::counting(3, true)];
        for (mut strings, owners) in all.into_iter().zip([0, 5, 5]) {
            for _ in 0..5 {
                strings.keep("req");
            }
            assert_eq!(strings.owners("req"), owners);
        }
    }

    #[test]
    fn an_exact_count_falls_to_nothing() {
        let mut strings = Strings::counting(3, true);
        assert_eq!(strings.owners("name"), 0);
        let Kept::Interned(id) = strings.keep("name") else { panic!("first sight interns") };
        assert_eq!((strings.owners("name"), strings.slice(0..strings.end()).next()), (1, Some(("name", 1))));
        strings.release(id);
        assert_eq!(strings.owners("name"), 0);
    }

    #[test]
    fn unique_strings_stay_with_their_owners() {
        let mut strings = Strings::new(3);
        let interned = (0..100_000).filter(|n| strings.keep(&format!("request:{n}")) != Kept::Inline).count();
        assert!(interned < 2_500, "{interned} of 100000 unique strings were interned");
    }
}
