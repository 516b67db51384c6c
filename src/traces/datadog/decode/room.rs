//! The budget's bytes for the structures of one trace at a time.

use crate::otlp::{Budget, Hold};

/// Bytes taken from the budget at once, so that not every span asks it.
const STEP: usize = 64 * 1024;

/// The budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much is being read at present")]
pub struct OutOfRoom;

/// Bytes held while a body is decoded; given back at the end of it.
#[derive(Debug)]
pub struct Room<'b> {
    budget: &'b Budget,
    hold: Option<Hold>,
    held: usize,
    used: usize,
}

impl<'b> Room<'b> {
    pub fn new(budget: &'b Budget) -> Self {
        Room { budget, hold: None, held: 0, used: 0 }
    }

    /// To be called before `bytes` are allocated.
    pub fn need(&mut self, bytes: usize) -> Result<(), OutOfRoom> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.held { self.grow() } else { Ok(()) }
    }

    #[cold]
    fn grow(&mut self) -> Result<(), OutOfRoom> {
        let generous = self.used.saturating_add(STEP);
        let held = [generous, self.used].into_iter().find(|bytes| self.hold(*bytes));
        self.held = held.ok_or(OutOfRoom)?;
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> bool {
        match &mut self.hold {
            Some(hold) => hold.resize(bytes),
            none => {
                *none = self.budget.take(bytes);
                none.is_some()
            }
        }
    }

    /// Bytes needed so far, for [`Room::back_to`].
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// What was needed since `used` is free for the next trace.
    pub(super) fn back_to(&mut self, used: usize) {
        self.used = used;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_bounds_it_and_gets_everything_back() {
        let budget = Budget::new(300 * 1024);
        let mut room = Room::new(&budget);
        room.need(1).unwrap();
        assert_eq!(budget.held(), STEP + 1);
        room.need(200 * 1024).unwrap();
        room.back_to(0);
        room.need(200 * 1024).unwrap();
        assert!(budget.held() < 300 * 1024);
        room.need(100 * 1024).unwrap();
        assert_eq!(budget.held(), 300 * 1024);
        assert_eq!(room.need(1), Err(OutOfRoom));
        assert_eq!(room.need(usize::MAX), Err(OutOfRoom));
        drop(room);
        assert_eq!(budget.held(), 0);
    }
}
