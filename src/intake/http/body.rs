//! A request's body, gathered into one buffer of its own size.
//!
//! The frames that hyper hands out are slices of its read buffers, which may be many times as large: kept in a
//! queue they would hold memory that no budget knows. So they are copied once, which for spans costs less than
//! giving hyper new buffers. Room is taken as bytes come: who announces much and sends little holds little.

use super::grpc;
use super::protocol::Refusal;
use crate::otlp::{Budget, Hold};
use hyper::body::{Body, Bytes, Incoming};
use std::future::poll_fn;
use std::pin::Pin;

/// A body that announces no more gets its room at once.
const AT_ONCE: usize = 64 << 10;

/// Reads to the end. `limit` counts the payload: the five bytes that frame a gRPC message come on top.
pub(super) async fn read(
    body: &mut Incoming,
    limit: usize,
    is_grpc: bool,
    budget: &Budget,
) -> Result<(Vec<u8>, Hold), Refusal> {
    let declared = body.size_hint().exact();
    let mut gathered = Gathered::new(declared, limit, is_grpc, budget)?;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Refusal::Unreadable(format!("the body broke off: {error}")))?;
        // Trailers say nothing here.
        if let Ok(data) = frame.into_data() {
            gathered.add(&data)?;
        }
    }
    Ok(gathered.finish())
}

struct Gathered {
    bytes: Vec<u8>,
    hold: Hold,
    /// How many there will be; 0 when that is not known.
    expected: usize,
    limit: usize,
    is_grpc: bool,
}

impl Gathered {
    fn new(declared: Option<u64>, limit: usize, is_grpc: bool, budget: &Budget) -> Result<Self, Refusal> {
        let hold = budget.take(0).ok_or(Refusal::NoRoom)?;
        let mut gathered = Gathered { bytes: Vec::new(), hold, expected: 0, limit, is_grpc };
        gathered.expect(declared.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX)))?;
        Ok(gathered)
    }

    fn most(&self) -> usize {
        if self.is_grpc { self.limit.saturating_add(grpc::PREFIX) } else { self.limit }
    }

    fn expect(&mut self, expected: usize) -> Result<(), Refusal> {
        self.expected = expected;
        if expected > self.most() { Err(Refusal::TooLarge { limit: self.limit }) } else { Ok(()) }
    }

    fn add(&mut self, data: &Bytes) -> Result<(), Refusal> {
        let total = self.bytes.len() + data.len();
        if total > self.most() {
            return Err(Refusal::TooLarge { limit: self.limit });
        }
        if self.is_grpc
            && self.bytes.is_empty()
            && let Some(length) = grpc::announced(data)
        {
            self.expect(length)?;
        }
        if total > self.bytes.capacity() {
            self.grow(total)?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn grow(&mut self, total: usize) -> Result<(), Refusal> {
        let capacity = if total <= self.expected && self.expected <= AT_ONCE {
            self.expected
        } else {
            let most = if total <= self.expected { self.expected } else { self.most() };
            total.saturating_mul(2).min(most)
        };
        if !self.hold.resize(capacity) {
            return Err(Refusal::NoRoom);
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }

    fn finish(mut self) -> (Vec<u8>, Hold) {
        self.bytes.shrink_to_fit();
        self.hold.resize(self.bytes.capacity());
        (self.bytes, self.hold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_with_what_came_and_ends_exact() {
        let budget = Budget::new(10 << 20);
        // Announces 5 MiB and sends little.
        let mut gathered = Gathered::new(Some(5 << 20), 20 << 20, false, &budget).unwrap();
        gathered.add(&Bytes::from(vec![1; 1_000])).unwrap();
        assert_eq!(budget.held(), 2_000);
        drop(gathered);
        // Announces what it sends.
        let mut gathered = Gathered::new(Some(3_000), 20 << 20, false, &budget).unwrap();
        for _ in 0..3 {
            gathered.add(&Bytes::from(vec![1; 1_000])).unwrap();
            assert_eq!(budget.held(), 3_000);
        }
        let (bytes, hold) = gathered.finish();
        assert_eq!((bytes.len(), bytes.capacity(), hold.bytes()), (3_000, 3_000, 3_000));
        drop(hold);
        // Announces nothing.
        let mut gathered = Gathered::new(None, 20 << 20, false, &budget).unwrap();
        for _ in 0..100 {
            gathered.add(&Bytes::from(vec![1; 1_000])).unwrap();
        }
        assert_eq!(gathered.finish().1.bytes(), 100_000);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn what_is_too_much_is_refused_before_it_is_held() {
        let budget = Budget::new(10_000);
        let large = Err(Refusal::TooLarge { limit: 100 });
        let new = |declared, grpc| Gathered::new(declared, 100, grpc, &budget).map(|_| ());
        assert_eq!(new(Some(101), false), large);
        assert_eq!(new(Some(u64::MAX), false), large);
        assert_eq!(new(Some(105), true), Ok(()));
        assert_eq!(new(Some(106), true), large);
        let mut gathered = Gathered::new(None, 100, false, &budget).unwrap();
        gathered.add(&Bytes::from(vec![1; 100])).unwrap();
        assert_eq!(gathered.add(&Bytes::from_static(b"1")), large);
        let mut gathered = Gathered::new(None, 100, true, &budget).unwrap();
        assert_eq!(gathered.add(&Bytes::from_static(&[0, 0, 0, 0, 101])), large);
        let mut gathered = Gathered::new(None, 100_000, false, &budget).unwrap();
        assert_eq!(gathered.add(&Bytes::from(vec![1; 10_001])), Err(Refusal::NoRoom));
    }
}
