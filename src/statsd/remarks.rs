//! A set of remarks in one byte, small enough to ride in every decoded message.
//!
//! It only remembers that something was odd; counting is the shard's work. Next: `reject.rs`.

use super::Remark;

/// What was odd about one message that was taken all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remarks(u8);

// One bit each.
const _: () = assert!(Remark::COUNT <= 8);

impl Remarks {
    pub fn insert(&mut self, remark: Remark) {
        self.0 |= 1 << remark as u8;
    }

    pub fn contains(self, remark: Remark) -> bool {
        self.0 & (1 << remark as u8) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of `Remark::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Remark> {
        Remark::ALL.into_iter().filter(move |remark| self.contains(*remark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_remark_has_its_own_bit() {
        let mut all = Remarks::default();
        assert!(all.is_empty());
        for (already, remark) in Remark::ALL.into_iter().enumerate() {
            assert!(!all.contains(remark));
            all.insert(remark);
            all.insert(remark);
            assert_eq!(all.iter().count(), already + 1);
        }
        assert_eq!(all.iter().collect::<Vec<_>>(), Remark::ALL);
    }
}
