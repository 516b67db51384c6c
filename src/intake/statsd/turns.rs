//! Turns on a processor: a datagram thread asks the scheduler for short ones.
//!
//! A thread that wakes on a busy core waits until the turn of whoever runs there is over, three milliseconds by
//! default, and the kernel's default receive buffer is full after one. Since Linux 6.12 a thread may ask for shorter
//! turns: it gets no more processor time, but sooner, and one that wakes interrupts a longer turn. No privilege is
//! needed. Measured in `docs/decisions/0010-small-receive-buffer.md`. Older kernels take the wish and do nothing; it must
//! never be more than a wish.

use std::io;
use std::mem;

/// The shortest turn that the kernel grants.
const TURN_NS: u64 = 100_000;

/// Asks for short turns of the calling thread. Its policy and its nice value stay, and a thread that has a
/// policy of its own (real-time, idle) keeps its turns as well. An error is what the kernel or a sandbox answered.
#[allow(unsafe_code, reason = "no library in the tree offers sched_setattr")]
pub(super) fn ask_for_short_ones() -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sched_attr`, which is a record of numbers.
    let mut attributes: libc::sched_attr = unsafe { mem::zeroed() };
    let size = size_of_val(&attributes) as libc::c_uint;
    // SAFETY: 0 is the calling thread; the kernel writes at most `size` bytes into the record, which is as large
    // and outlives the call.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if read != 0 {
        return Err(io::Error::last_os_error());
    }
    if ![libc::SCHED_OTHER, libc::SCHED_BATCH].contains(&(attributes.sched_policy as libc::c_int)) {
        return Ok(());
    }
    attributes.sched_runtime = TURN_NS;
    // SAFETY: 0 is the calling thread; the kernel reads the record, whose size stands in it since the call above.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(unsafe_code, reason = "the test looks at what the kernel keeps")]
    fn attributes() -> libc::sched_attr {
        // SAFETY: all-zero bytes are a valid record; the kernel writes no more than its size.
        unsafe {
            let mut attributes: libc::sched_attr = mem::zeroed();
            let size = size_of_val(&attributes) as libc::c_uint;
            assert_eq!(libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0), 0);
            attributes
        }
    }

    /// What a thread of its own is left with: neither the tests after it nor the others are to feel it.
    fn in_a_thread<T: Send + 'static>(body: fn() -> T) -> T {
        std::thread::spawn(body).join().unwrap()
    }

    #[test]
    fn turns_are_short_and_nothing_else_changes() {
        let (before, after) = in_a_thread(|| {
            #[allow(unsafe_code, reason = "this thread becomes nicer")]
            // SAFETY: numbers only; 0 is the calling thread.
            let made = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
            assert_eq!(made, 0);
            let before = attributes();
            ask_for_short_ones().unwrap();
            (before, attributes())
        });
        assert_eq!(
            (after.sched_policy, after.sched_nice, after.sched_priority),
            (before.sched_policy, 19, before.sched_priority)
        );
        // A kernel before 6.12 knows no turns of a thread's own and tells none.
        if before.sched_runtime != 0 {
            assert_eq!(after.sched_runtime, TURN_NS);
        }
    }

    #[test]
    fn a_policy_of_its_own_is_kept() {
        let kept = in_a_thread(|| {
            #[allow(unsafe_code, reason = "this thread becomes an idle one")]
            // SAFETY: the record is of numbers and outlives the call; 0 is the calling thread.
            let made = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &mem::zeroed()) };
            assert_eq!(made, 0);
            ask_for_short_ones().unwrap();
            attributes()
        });
        assert_eq!(kept.sched_policy, libc::SCHED_IDLE as u32);
    }
}
