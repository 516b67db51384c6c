//! The one thing a listener thread needs to know of what stands behind it.
//!
//! A `Shard` everywhere but in tests, where a recorder shows which packets came, and when. Next:
//! `crate::metrics::shard`.

use crate::metrics::shard::Shard;
use crate::metrics::tally::Tally;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Takes the packets of one listener thread.
pub(super) trait Consumer: Send + 'static {
    /// Takes all packets of a batch that was received at `now_ns` (Unix nanoseconds).
    fn take<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, now_ns: u64);

    /// One bounded step of a hand-over, if one was asked for; `true` while more remains.
    fn hand_over(&mut self, now_ns: u64) -> bool;

    /// The end: hands over all that is left.
    fn finish(self, now_ns: u64);

    /// Readable when there is something to do; `clear_wake` makes it quiet again.
    fn wake_fd(&self) -> BorrowedFd<'_>;

    fn clear_wake(&self);

    /// The thread should read what is left, call `finish` and end.
    fn stopping(&self) -> bool;

    fn tally(&self) -> &Arc<Tally>;
}

impl Consumer for Shard {
    fn take<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, now_ns: u64) {
        self.ingest(packets, now_ns);
    }

    fn hand_over(&mut self, now_ns: u64) -> bool {
        Shard::hand_over(self, now_ns)
    }

    fn finish(self, now_ns: u64) {
        Shard::finish(self, now_ns);
    }

    fn wake_fd(&self) -> BorrowedFd<'_> {
        self.control().wake_fd()
    }

    fn clear_wake(&self) {
        self.control().clear_wake();
    }

    fn stopping(&self) -> bool {
        self.control().stopping()
    }

    fn tally(&self) -> &Arc<Tally> {
        Shard::tally(self)
    }
}

/// A consumer for tests: shows the packets it took, and is woken and stopped through its `Handle`.
#[cfg(test)]
pub(super) mod recorder {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    pub(in super::super) struct Recorder {
        shared: Arc<Shared>,
        packets: SyncSender<Vec<u8>>,
        woken: UnixDatagram,
        tally: Arc<Tally>,
    }

    pub(in super::super) struct Handle {
        shared: Arc<Shared>,
        packets: Receiver<Vec<u8>>,
        wake: UnixDatagram,
        pub(in super::super) tally: Arc<Tally>,
    }

    #[derive(Default)]
    struct Shared {
        stopping: AtomicBool,
        finished: AtomicBool,
        /// Steps of a hand-over that are still to be done.
        steps: AtomicU64,
    }

    pub(in super::super) fn recorder() -> (Recorder, Handle) {
        let (wake, woken) = UnixDatagram::pair().unwrap();
        woken.set_nonblocking(true).unwrap();
        let (sender, packets) = sync_channel(100_000);
        let (shared, tally) = (Arc::<Shared>::default(), Arc::<Tally>::default());
        let recorder =
            Recorder { shared: Arc::clone(&shared), packets: sender, woken, tally: Arc::clone(&tally) };
        (recorder, Handle { shared, packets, wake, tally })
    }

    impl Handle {
        /// Blocks until a packet was taken.
        pub(in super::super) fn packet(&self) -> Vec<u8> {
            self.packets.recv().unwrap()
        }

        /// All packets that were taken until the end.
        pub(in super::super) fn rest(&self) -> Vec<Vec<u8>> {
            self.packets.iter().collect()
        }

        pub(in super::super) fn stop(&self) {
            self.shared.stopping.store(true, Ordering::Release);
            self.wake.send(b"w").unwrap();
        }

        pub(in super::super) fn ask_for_hand_over(&self, steps: u64) {
            self.shared.steps.store(steps, Ordering::Release);
            self.wake.send(b"w").unwrap();
        }

        pub(in super::super) fn steps_left(&self) -> u64 {
            self.shared.steps.load(Ordering::Acquire)
        }

        pub(in super::super) fn finished(&self) -> bool {
            self.shared.finished.load(Ordering::Acquire)
        }
    }

    impl Consumer for Recorder {
        fn take<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, _: u64) {
            for packet in packets {
                assert_ne!(packet, b"panic", "a packet that asks for it");
                self.packets.send(packet.to_vec()).unwrap();
            }
        }

        fn hand_over(&mut self, _: u64) -> bool {
            let left = self.shared.steps.load(Ordering::Acquire);
            self.shared.steps.store(left.saturating_sub(1), Ordering::Release);
            left > 1
        }

        fn finish(self, _: u64) {
            self.shared.finished.store(true, Ordering::Release);
        }

        fn wake_fd(&self) -> BorrowedFd<'_> {
            self.woken.as_fd()
        }

        fn clear_wake(&self) {
            while self.woken.recv(&mut [0; 8]).is_ok() {}
        }

        fn stopping(&self) -> bool {
            self.shared.stopping.load(Ordering::Acquire)
        }

        fn tally(&self) -> &Arc<Tally> {
            &self.tally
        }
    }
}
