//! The names and tags of all contexts, packed into an append-only arena.
//!
//! A record is a name, a count and the tags, each either its bytes behind their length or the number
//! of an interned string. A record's address is 32 bits wide: chunk and offset. Removed records leave
//! holes; a chunk with no live byte is freed, and `worth_compacting` says when its owner should move
//! the rest together. Nothing here knows what a context is worth or when it goes.

use super::series::Key;
use super::strings::{Kept, Strings};
use std::ops::Range;

/// Bytes of a chunk; a record never spans two. Fixed by the width of an address.
const CHUNK_BYTES: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 20;
/// Chunks that an address can name.
const CHUNK_LIMIT: usize = 1 << (32 - CHUNK_BITS);
/// Holes smaller than this in all are not worth the work.
const COMPACT_BYTES: usize = 4 * CHUNK_BYTES;

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(u32);

#[derive(Debug)]
pub(super) struct Records {
    names: Strings,
    tags: Strings,
    chunks: Vec<Chunk>,
    /// The chunk that is being filled.
    open: usize,
    live: usize,
    scratch: Vec<u8>,
}

#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    live: usize,
}

impl Records {
    /// `exact_names`: contexts of a name are counted exactly (see `Strings::counting`).
    pub(super) fn new(key: u64, exact_names: bool) -> Self {
        Records {
            names: Strings::counting(key, exact_names),
            tags: Strings::new(key ^ 1),
            chunks: Vec::new(),
            open: 0,
            live: 0,
            scratch: Vec::new(),
        }
    }

    /// Stores a key (the name, then each tag behind a `\n`). `None` when the arena is full.
    pub(super) fn store(&mut self, key: &str) -> Option<Address> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let key = Key(key);
        write_part(&mut scratch, key.name(), self.names.keep(key.name()));
        write_number(&mut scratch, key.tags().count() as u32);
        for tag in key.tags() {
            write_part(&mut scratch, tag, self.tags.keep(tag));
        }
        let address = self.append(&scratch);
        if address.is_none() {
            self.let_go(&scratch);
        }
        self.scratch = scratch;
        address
    }

    /// Removes a record; its address must not be used again.
    pub(super) fn remove(&mut self, address: Address) {
        let bytes = self.copy(address);
        self.let_go(&bytes);
        self.scratch = bytes;
        self.forget(address);
    }

    /// Moves a record into the open chunk, so that its old chunk can empty itself.
    pub(super) fn relocate(&mut self, address: Address) -> Address {
        let bytes = self.copy(address);
        let moved = self.append(&bytes);
        self.scratch = bytes;
        match moved {
            Some(to) => {
                self.forget(address);
                to
            }
            None => address,
        }
    }

    /// Appends the key (as `store` took it) to `out`.
    pub(super) fn read(&self, address: Address, out: &mut String) {
        let mut at = self.bytes(address);
        out.push_str(read_part(&mut at, &self.names));
        for _ in 0..read_number(&mut at) {
            out.push('\n');
            out.push_str(read_part(&mut at, &self.tags));
        }
    }

    pub(super) fn name(&self, address: Address) -> &str {
        read_part(&mut self.bytes(address), &self.names)
    }

    pub(super) fn equals(&self, address: Address, key: &str) -> bool {
        let mut at = self.bytes(address);
        let mut rest = key.as_bytes();
        let name = read_part(&mut at, &self.names);
        let Some(behind) = rest.strip_prefix(name.as_bytes()) else { return false };
        rest = behind;
        for _ in 0..read_number(&mut at) {
            let tag = read_part(&mut at, &self.tags);
            let Some(behind) = rest.strip_prefix(b"\n").and_then(|rest| rest.strip_prefix(tag.as_bytes()))
            else {
                return false;
            };
            rest = behind;
        }
        rest.is_empty()
    }

    /// Contexts that share this name, the rarely wrong count of `Strings`.
    pub(super) fn sharing_name(&self, name: &str) -> u32 {
        self.names.owners(name)
    }

    /// Names of at least two contexts (all names when they are counted exactly), with how many they have: those
    /// of a slice of the numbers below `names_end`.
    pub(super) fn shared_names(&self, numbers: Range<usize>) -> impl Iterator<Item = (&str, u32)> {
        self.names.slice(numbers)
    }

    pub(super) fn names_end(&self) -> usize {
        self.names.end()
    }

    /// Whether more is holes than records.
    pub(super) fn worth_compacting(&self) -> bool {
        let held: usize = self.chunks.iter().map(|c| c.bytes.len()).sum();
        held > 2 * self.live + COMPACT_BYTES
    }

    /// Whether a record lies in a chunk that is mostly holes.
    pub(super) fn is_sparse(&self, address: Address) -> bool {
        let (index, _) = address.split();
        let chunk = &self.chunks[index];
        index != self.open && chunk.live * 2 < chunk.bytes.len()
    }

    fn append(&mut self, record: &[u8]) -> Option<Address> {
        let full = |chunk: &Chunk| chunk.bytes.len() + record.len() > CHUNK_BYTES;
        if self.chunks.get(self.open).is_none_or(full) {
            self.open = match self.chunks.iter().position(|c| c.bytes.capacity() == 0) {
                Some(index) => index,
                None if self.chunks.len() < CHUNK_LIMIT => {
                    self.chunks.push(Chunk::default());
                    self.chunks.len() - 1
                }
                None => return None,
            };
            self.chunks[self.open].bytes.reserve_exact(CHUNK_BYTES.max(record.len()));
        }
        let chunk = &mut self.chunks[self.open];
        let address = Address((self.open << CHUNK_BITS | chunk.bytes.len()) as u32);
        chunk.bytes.extend_from_slice(record);
        chunk.live += record.len();
        self.live += record.len();
        Some(address)
    }

    /// Releases the interned strings of a record's bytes.
    fn let_go(&mut self, record: &[u8]) {
        let mut at = record;
        if let Some(id) = skip_part(&mut at) {
            self.names.release(id);
        }
        for _ in 0..read_number(&mut at) {
            if let Some(id) = skip_part(&mut at) {
                self.tags.release(id);
            }
        }
    }

    fn forget(&mut self, address: Address) {
        let (index, _) = address.split();
        let length = self.length(address);
        let chunk = &mut self.chunks[index];
        chunk.live -= length;
        self.live -= length;
        if chunk.live == 0 {
            // The open one begins anew: closed without a live byte, nobody would free it any more.
            if index == self.open { chunk.bytes.clear() } else { chunk.bytes = Vec::new() }
        }
    }

    fn copy(&mut self, address: Address) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(&self.bytes(address)[..self.length(address)]);
        scratch
    }

    fn length(&self, address: Address) -> usize {
        let all = self.bytes(address);
        let mut at = all;
        skip_part(&mut at);
        for _ in 0..read_number(&mut at) {
            skip_part(&mut at);
        }
        all.len() - at.len()
    }

    fn bytes(&self, address: Address) -> &[u8] {
        let (index, offset) = address.split();
        &self.chunks[index].bytes[offset..]
    }
}

impl Address {
    /// Before a record is stored.
    pub(super) const NOWHERE: Address = Address(u32::MAX);

    fn split(self) -> (usize, usize) {
        ((self.0 >> CHUNK_BITS) as usize, self.0 as usize & (CHUNK_BYTES - 1))
    }
}

fn write_number(out: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn read_number(at: &mut &[u8]) -> u32 {
    let mut n = 0;
    for shift in (0..32).step_by(7) {
        let byte = at[0];
        *at = &at[1..];
        n |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    n
}

fn write_part(out: &mut Vec<u8>, text: &str, kept: Kept) {
    match kept {
        Kept::Interned(id) => write_number(out, id << 1 | 1),
        Kept::Inline => {
            write_number(out, (text.len() as u32) << 1);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// The text of a part, from here or from the interned strings.
fn read_part<'a>(at: &mut &'a [u8], strings: &'a Strings) -> &'a str {
    let head = read_number(at);
    if head & 1 == 1 {
        return strings.get(head >> 1);
    }
    let (text, rest) = at.split_at((head >> 1) as usize);
    *at = rest;
    // Only `store` writes here, and it wrote a `str`; a check per read is cheaper than a proof.
    std::str::from_utf8(text).unwrap_or_default()
}

/// Steps over a part; gives its number when it is interned.
fn skip_part(at: &mut &[u8]) -> Option<u32> {
    let head = read_number(at);
    if head & 1 == 1 {
        return Some(head >> 1);
    }
    *at = &at[(head >> 1) as usize..];
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(records: &Records, address: Address) -> String {
        let mut out = String::new();
        records.read(address, &mut out);
        out
    }

    #[test]
    fn keys_come_back_as_they_went_in() {
        let mut records = Records::new(1, false);
        let keys: Vec<String> = (0..3_000)
            .map(|n| format!("name{}\nenv:production\nid:{n}\nversion:1.2.3\nbare", n % 7))
            .chain(["alone".to_owned(), "n\n".to_owned() + &"x".repeat(5_000)])
            .collect();
        let addresses: Vec<Address> = keys.iter().map(|key| records.store(key).unwrap()).collect();
        for (key, address) in keys.iter().zip(&addresses) {
            assert_eq!(read(&records, *address), *key);
            assert!(records.equals(*address, key));
            assert!(!records.equals(*address, &format!("{key}\nmore")));
            assert_eq!(records.name(*address), key.split('\n').next().unwrap());
        }
        assert_eq!(records.sharing_name("name3"), 429 - u32::from(3_000 % 7 <= 3));
        for address in addresses {
            records.remove(address);
        }
        assert_eq!(
            (records.live, records.shared_names(0..9).count(), records.tags.slice(0..9).count()),
            (0, 0, 0)
        );
    }

    #[test]
    fn a_chunk_that_empties_itself_while_open_is_not_lost() {
        let mut records = Records::new(1, false);
        for n in 0..50_000 {
            let address = records.store(&format!("{n:0>200}")).unwrap();
            records.remove(address);
        }
        let held: usize = records.chunks.iter().map(|c| c.bytes.capacity()).sum();
        assert_eq!((records.live, held), (0, CHUNK_BYTES));
    }

    #[test]
    fn holes_are_given_back() {
        let mut records = Records::new(1, false);
        let addresses: Vec<Address> =
            (0..60_000).map(|n| records.store(&format!("{n:0>200}")).unwrap()).collect();
        let mut kept: Vec<(usize, Address)> = Vec::new();
        for (n, address) in addresses.into_iter().enumerate() {
            if n % 10 == 0 {
                kept.push((n, address));
            } else {
                records.remove(address);
            }
        }
        assert!(records.worth_compacting());
        for (_, address) in &mut kept {
            if records.is_sparse(*address) {
                *address = records.relocate(*address);
            }
        }
        assert!(!records.worth_compacting());
        assert!(records.chunks.iter().map(|c| c.bytes.len()).sum::<usize>() < 3 * CHUNK_BYTES);
        for (n, address) in kept {
            assert_eq!(read(&records, address), format!("{n:0>200}"));
        }
    }
}
