//! Taking datagrams from the kernel: batches by `recvmmsg`, and the few calls around it that only
//! the raw interface offers. All `unsafe` of the intake is here, but for what `turns.rs` asks of the scheduler.
//!
//! Room for 512 datagrams runs ahead of the decoder: all that the kernel holds is taken at once, then decoded
//! a portion at a time, with another look at the kernel after each. A receive buffer that holds a third of a
//! millisecond is so never left alone for longer than a portion takes, however much was waiting. Each slot has a
//! small first buffer ("hot", 2 KiB on UDP), so that usual datagrams stay in the cache, and a large second one
//! ("cold") that the kernel touches only for the rest of a rare larger datagram. Headers are built once: the
//! kernel writes nothing into them that the next call would read. Nothing here ever blocks but `wait` and `pause`.
//! Next: `udp.rs`, which decides when to call what.

#![allow(unsafe_code, reason = "the raw socket calls of the hot path; every block proves itself")]

use socket2::Socket;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::slice;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Datagrams that may wait for the decoder: more than the kernel's default receive buffer holds.
const SLOTS: usize = 512;
/// Bytes of a portion, less the rest of its last datagram: some ten full datagrams, a hundred messages.
const PORTION: usize = 16_384;
/// Datagrams that one call asks for.
const CALL: usize = 64;
/// A call that brought fewer has emptied the socket, or nearly.
const BACKLOG: usize = 16;
/// Fits every width of the kernel's seconds.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A socket and the room for datagrams taken from it, in use as a ring.
pub(super) struct Drain {
    socket: Socket,
    room: Room,
    /// The slot of the oldest datagram held, and how many are.
    first: usize,
    held: usize,
}

/// What `receive` brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Datagrams taken from the kernel, the oversized ones too.
    pub(super) datagrams: usize,
    pub(super) bytes: usize,
    /// Datagrams larger than the limit; they are not among the packets.
    pub(super) oversized: usize,
}

/// What the kernel knows of a socket's receive side (`SO_MEMINFO`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meminfo {
    /// Bytes of memory that queued datagrams hold now, with the kernel's own overhead.
    pub(super) queued: u32,
    /// The bound of `queued`.
    pub(super) buffer: u32,
    /// Datagrams dropped since the socket exists; wraps.
    pub(super) drops: u32,
}

impl Drain {
    /// `hot` bytes of each datagram go into the small buffers; `largest` is the limit of a datagram.
    pub(super) fn new(socket: Socket, hot: usize, largest: usize) -> Self {
        Drain { socket, room: Room::new(hot, largest), first: 0, held: 0 }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Takes what the kernel holds, as far as there is room; never blocks. A fault shows when nothing is held.
    pub(super) fn receive(&mut self) -> io::Result<Batch> {
        if self.held == 0 {
            // The slots used last are those in the cache.
            self.first = 0;
        }
        let mut batch = Batch::default();
        while self.held < SLOTS {
            let next = (self.first + self.held) % SLOTS;
            let most = CALL.min(SLOTS - self.held).min(SLOTS - next);
            let got = match self.call(next, most) {
                Ok(got) => got,
                Err(error) if self.held == 0 => return Err(error),
                // What was taken comes first; a fault that lasts shows in a later call.
                Err(_) => break,
            };
            for slot in next..next + got {
                self.room.settle(slot, &mut batch);
            }
            self.held += got;
            if got < most.min(BACKLOG) {
                break;
            }
        }
        Ok(batch)
    }

    /// Whether no further datagram can be taken before a portion is.
    pub(super) fn is_full(&self) -> bool {
        self.held == SLOTS
    }

    /// Whether every datagram taken was in a portion.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// The next datagrams in order, at least one if any is held, without the oversized ones.
    pub(super) fn portion(&mut self) -> impl Iterator<Item = &[u8]> {
        let first = self.first;
        let (mut count, mut bytes) = (0, 0);
        while count < self.held && bytes < PORTION {
            bytes += self.room.written((first + count) % SLOTS).0;
            count += 1;
        }
        self.first = (first + count) % SLOTS;
        self.held -= count;
        (first..first + count).filter_map(|slot| self.room.packet(slot % SLOTS))
    }

    /// One call that fills at most `most` slots from `first` on; 0 when nothing was there.
    fn call(&self, first: usize, most: usize) -> io::Result<usize> {
        assert!(first + most <= SLOTS);
        loop {
            // SAFETY: `headers` points to SLOTS initialised headers, of which `first + most` are at most
            // all; their iovecs point into buffers of the stated lengths. All of them are owned by `room`,
            // live until it is dropped, and no reference into the buffers exists while `receive` borrows
            // `self` mutably. A null timeout is allowed.
            let got = unsafe {
                libc::recvmmsg(
                    self.socket.as_raw_fd(),
                    self.room.headers.add(first).as_ptr(),
                    most as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                    ptr::null_mut(),
                )
            };
            if let Ok(got) = usize::try_from(got) {
                return Ok(got.min(most));
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(0),
                io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            }
        }
    }

    /// Blocks until a datagram is there or `wake` is readable; `true` when the latter is.
    pub(super) fn wait(&self, wake: BorrowedFd<'_>) -> io::Result<bool> {
        let mut polled = [entry(self.socket.as_raw_fd()), entry(wake.as_raw_fd())];
        poll(&mut polled, None)?;
        Ok(polled[1].revents != 0)
    }

    pub(super) fn meminfo(&self) -> Option<Meminfo> {
        meminfo(&self.socket)
    }
}

/// `None` where the kernel does not tell (before Linux 4.12, or a sandbox that imitates it).
pub(super) fn meminfo(socket: &Socket) -> Option<Meminfo> {
    let mut values = [0u32; 9]; // up to SK_MEMINFO_DROPS
    let mut length = size_of_val(&values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `values`, and the new length.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            values.as_mut_ptr().cast(),
            &mut length,
        )
    };
    (result == 0 && length as usize == size_of_val(&values)).then_some(Meminfo {
        queued: values[libc::SK_MEMINFO_RMEM_ALLOC as usize],
        buffer: values[libc::SK_MEMINFO_RCVBUF as usize],
        drops: values[libc::SK_MEMINFO_DROPS as usize],
    })
}

/// Sleeps until `wake` is readable, at longest `longest`; `true` when it was.
pub(super) fn pause(wake: BorrowedFd<'_>, longest: Duration) -> io::Result<bool> {
    let mut polled = [entry(wake.as_raw_fd())];
    poll(&mut polled, Some(longest))?;
    Ok(polled[0].revents != 0)
}

/// Sets a receive buffer beyond `net.core.rmem_max`, which the kernel allows to `CAP_NET_ADMIN` only.
pub(super) fn force_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: the kernel reads one int, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            ptr::from_ref(&value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets async code wait for a descriptor that no type of the runtime covers.
pub(super) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open and the same descriptor for as long as the `AsyncFd` owns it.
    Ok(unsafe { AsyncFd::register(descriptor) }?)
}

fn entry(fd: libc::c_int) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
}

/// An interrupted wait ends early with nothing ready: callers look again anyway.
fn poll(entries: &mut [libc::pollfd], longest: Option<Duration>) -> io::Result<()> {
    // The types are inferred: libc's name for them is deprecated for musl.
    let limit = longest
        .map(|d| d.min(LONGEST_WAIT))
        .map(|d| libc::timespec { tv_sec: d.as_secs() as _, tv_nsec: d.subsec_nanos() as _ });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the entries and the time limit outlive the call; a null limit and mask are allowed.
    let result =
        unsafe { libc::ppoll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, limit, ptr::null()) };
    if result >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    entries.iter_mut().for_each(|entry| entry.revents = 0);
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// The buffers of the slots and the headers that tell the kernel about them.
///
/// Raw pointers, because headers, iovecs and buffers point at one another: references to one would
/// forbid the kernel's writes through the other.
struct Room {
    headers: ptr::NonNull<libc::mmsghdr>,
    iovecs: ptr::NonNull<libc::iovec>,
    hot: ptr::NonNull<u8>,
    cold: ptr::NonNull<u8>,
    /// Bytes of one hot buffer; the cold buffers are `largest` bytes, the first `hot_bytes` of each
    /// kept free, so that the hot part can be copied in front of the rest.
    hot_bytes: usize,
    largest: usize,
}

impl Room {
    fn new(hot_bytes: usize, largest: usize) -> Self {
        let largest = largest.max(1);
        let hot_bytes = hot_bytes.clamp(1, largest);
        // Not initialised: a page of it costs no memory until the kernel writes into it.
        let hot = leak(Box::<[u8]>::new_uninit_slice(SLOTS * hot_bytes)).cast::<u8>();
        let cold = leak(Box::<[u8]>::new_uninit_slice(SLOTS * largest)).cast::<u8>();
        // SAFETY: all-zero bytes are a valid iovec and a valid mmsghdr (null pointers, zero lengths).
        let (iovecs, headers) = unsafe {
            (
                leak(Box::<[libc::iovec]>::new_zeroed_slice(SLOTS * 2).assume_init()),
                leak(Box::<[libc::mmsghdr]>::new_zeroed_slice(SLOTS).assume_init()),
            )
        };
        for index in 0..SLOTS {
            // SAFETY: the index is below SLOTS, so every offset stays inside its allocation.
            unsafe {
                let pair = iovecs.add(index * 2);
                pair.write(libc::iovec {
                    iov_base: hot.add(index * hot_bytes).as_ptr().cast(),
                    iov_len: hot_bytes,
                });
                pair.add(1).write(libc::iovec {
                    iov_base: cold.add(index * largest + hot_bytes).as_ptr().cast(),
                    iov_len: largest - hot_bytes,
                });
                let header = &mut (*headers.add(index).as_ptr()).msg_hdr;
                header.msg_iov = pair.as_ptr();
                header.msg_iovlen = if largest > hot_bytes { 2 } else { 1 };
            }
        }
        Room { headers, iovecs, hot, cold, hot_bytes, largest }
    }

    /// Counts what the kernel wrote into a slot, and joins it when it is in two parts.
    fn settle(&mut self, slot: usize, batch: &mut Batch) {
        let (length, cut) = self.written(slot);
        batch.datagrams += 1;
        batch.bytes += length;
        if cut {
            batch.oversized += 1;
        } else if length > self.hot_bytes {
            // SAFETY: both ranges are `hot_bytes` long and inside their own, distinct allocations.
            unsafe {
                let from = self.hot.add(slot * self.hot_bytes);
                from.copy_to_nonoverlapping(self.cold.add(slot * self.largest), self.hot_bytes);
            }
        }
    }

    /// The packet in a slot that a call filled and `settle` has seen; `None` when it was cut.
    fn packet(&self, slot: usize) -> Option<&[u8]> {
        let (length, cut) = self.written(slot);
        if cut {
            return None;
        }
        // SAFETY: the kernel wrote `length` bytes, at most `largest`: up to `hot_bytes` of them lie in
        // the hot buffer; more of them were made contiguous in the cold one by `settle`. Nothing writes
        // there while the returned borrow of `self` lives.
        Some(unsafe {
            let start = if length <= self.hot_bytes {
                self.hot.add(slot * self.hot_bytes)
            } else {
                self.cold.add(slot * self.largest)
            };
            slice::from_raw_parts(start.as_ptr(), length)
        })
    }

    /// Bytes the kernel wrote into a slot, and whether the datagram was longer.
    fn written(&self, slot: usize) -> (usize, bool) {
        assert!(slot < SLOTS);
        // SAFETY: the slot is below SLOTS; headers are initialised and only read here.
        let header = unsafe { &*self.headers.add(slot).as_ptr() };
        let length = (header.msg_len as usize).min(self.largest);
        (length, header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: each pointer came from `leak` with this length, and nothing uses it afterwards.
        unsafe {
            free(self.headers, SLOTS);
            free(self.iovecs, SLOTS * 2);
            free(self.hot.cast::<MaybeUninit<u8>>(), SLOTS * self.hot_bytes);
            free(self.cold.cast::<MaybeUninit<u8>>(), SLOTS * self.largest);
        }
    }
}

fn leak<T>(items: Box<[T]>) -> ptr::NonNull<T> {
    ptr::NonNull::from(Box::leak(items)).cast()
}

/// # Safety
/// `start` and `length` are those of a slice given to `leak`, not freed before.
unsafe fn free<T>(start: ptr::NonNull<T>, length: usize) {
    // SAFETY: by the promise above, this is the box that `leak` took apart.
    drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(start.as_ptr(), length)) });
}

#[cfg(test)]
mod tests;
