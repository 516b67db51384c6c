//! One connection of a stream listener: reads, cuts, gives to the shared consumer.
//!
//! It keeps only the beginning of a packet that is not whole yet. It never answers, and never waits
//! longer than its sender is silent: how many of them there may be is `stream.rs`'s business.

use super::consumer::Consumer;
use super::framing::{Framer, Rest};
use super::stream::Shared;
use std::io::{self, Read};
use std::rc::Rc;
use tokio::sync::watch;
use tokio::task::yield_now;

/// Reads before other connections get their turn.
const READS_A_TURN: usize = 8;
/// Bytes read from a connection after the end was asked for, at most: a sender may go on for ever.
const LAST_BYTES: usize = 16 << 20;
/// A kept beginning is small as a rule; room beyond this is given back.
const KEEP_BYTES: usize = 4_096;

/// An accepted stream.
pub(super) enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

pub(super) struct Connection<C> {
    stream: Stream,
    reader: Reader,
    shared: Rc<Shared<C>>,
}

/// The state of the cutting, apart from the socket.
pub(super) struct Reader {
    framer: Framer,
    /// The beginning of a packet that is not whole yet.
    kept: Vec<u8>,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// There may be more.
    Read(usize),
    /// Nothing is there now.
    Empty,
    /// The sender is done, or the stream is lost; all is counted.
    Over,
}

impl<C: Consumer> Connection<C> {
    pub(super) fn new(stream: Stream, shared: Rc<Shared<C>>) -> Self {
        let reader = Reader::new(&shared);
        Connection { stream, reader, shared }
    }

    /// Until the sender is done, the stream is lost, or `stopped` turns true.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return self.finish(),
                ready = self.stream.readable() => if ready.is_err() {
                    return self.reader.cut(&self.shared);
                },
            }
            for _ in 0..READS_A_TURN {
                match self.reader.advance(&self.shared, |room| self.stream.try_read(room)) {
                    Progress::Read(_) => {}
                    Progress::Empty => break,
                    Progress::Over => return,
                }
            }
            yield_now().await;
        }
    }

    /// The agent ends: takes what the kernel holds, asking it directly, since the runtime may not have
    /// heard of the newest bytes.
    fn finish(self) {
        match self.stream {
            Stream::Tcp(stream) => match stream.into_std() {
                Ok(stream) => self.reader.read_out(&stream, &self.shared),
                Err(_) => self.reader.cut(&self.shared),
            },
            Stream::Unix(stream) => match stream.into_std() {
                Ok(stream) => self.reader.read_out(&stream, &self.shared),
                Err(_) => self.reader.cut(&self.shared),
            },
        }
    }
}

impl Reader {
    pub(super) fn new<C>(shared: &Shared<C>) -> Self {
        Reader { framer: Framer::new(shared.framing, shared.largest), kept: Vec::new() }
    }

    /// Reads all that is there now, and counts what was cut.
    pub(super) fn read_out<C: Consumer>(mut self, mut stream: impl Read, shared: &Shared<C>) {
        let mut total = 0;
        while total < LAST_BYTES {
            match self.advance(shared, |room| stream.read(room)) {
                Progress::Read(bytes) => total += bytes,
                Progress::Empty => break,
                Progress::Over => return,
            }
        }
        self.cut(shared);
    }

    /// One read, and the packets it completed.
    fn advance<C: Consumer>(
        &mut self,
        shared: &Shared<C>,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> Progress {
        let scratch = &mut *shared.scratch.borrow_mut();
        let start = self.kept.len();
        scratch[..start].copy_from_slice(&self.kept);
        let bytes = match read(&mut scratch[start..]) {
            Ok(0) => {
                self.end(shared);
                return Progress::Over;
            }
            Ok(bytes) => bytes,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Progress::Empty,
                io::ErrorKind::Interrupted => return Progress::Read(0),
                _ => {
                    self.cut(shared);
                    return Progress::Over;
                }
            },
        };
        let data = &scratch[..start + bytes];
        let mut frames = self.framer.frames(data);
        let mut consumer = shared.consumer.borrow_mut();
        consumer.tally().wakeups.add(1);
        consumer.tally().bytes.add(bytes as u64);
        consumer.take(&mut frames, (shared.clock)());
        let tally = consumer.tally();
        tally.packets.add(frames.packets);
        let rest = self.framer.settle(&frames);
        self.kept.clear();
        match rest {
            Rest::Keep => self.kept.extend_from_slice(&data[frames.taken..]),
            Rest::Oversized => tally.oversized.add(1),
            Rest::Impossible => {
                tally.bad_frames.add(1);
                return Progress::Over;
            }
        }
        if self.kept.is_empty() {
            self.kept.shrink_to(KEEP_BYTES);
        }
        Progress::Read(bytes)
    }

    /// The sender closed: a last line needs no newline, a frame that is not whole is counted.
    fn end<C: Consumer>(&mut self, shared: &Shared<C>) {
        if !self.framer.ends_whole(&self.kept) {
            return self.cut(shared);
        }
        if !self.kept.is_empty() {
            let kept = std::mem::take(&mut self.kept);
            let mut consumer = shared.consumer.borrow_mut();
            consumer.tally().packets.add(1);
            consumer.take(std::iter::once(&kept[..]), (shared.clock)());
        }
    }

    /// The stream broke off: what is not whole is lost, and counted.
    fn cut<C: Consumer>(&self, shared: &Shared<C>) {
        if !self.kept.is_empty() {
            shared.consumer.borrow().tally().bad_frames.add(1);
        }
    }
}

impl Stream {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.readable().await,
            Stream::Unix(stream) => stream.readable().await,
        }
    }

    fn try_read(&self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_read(room),
            Stream::Unix(stream) => stream.try_read(room),
        }
    }
}
