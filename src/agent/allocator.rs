//! How much of what was freed the allocator may keep, changed while the agent runs.
//!
//! It begins by giving every freed page back at once (`.cargo/config.toml`), which is right for metrics: their
//! path allocates nothing. Bodies of requests come and go by the thousand, and giving each back and touching
//! it anew was half of what a span cost. So with the first batch of any signal freed pages are kept for a moment,
//! and given back when a window closes. Nothing here may fail: memory that stays is no error.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::Once;

/// For how long freed pages are kept, in milliseconds: more saves nothing (`docs/performance.md`).
const KEPT_MS: isize = 10;

static KEEPS: Once = Once::new();

/// From now on freed pages are kept for a moment.
pub(super) fn keep_freed_pages() {
    KEEPS.call_once(|| {
        if !set_decay(KEPT_MS) {
            tracing::debug!("the allocator goes on giving back freed pages at once");
        }
    });
}

/// Gives back what is kept, if anything may be.
pub(super) fn give_back_freed_pages() {
    if KEEPS.is_completed() {
        // 4096 stands for all arenas.
        control(c"arena.4096.purge", ptr::null_mut(), 0);
    }
}

fn set_decay(mut milliseconds: isize) -> bool {
    // The one arena that the settings allow.
    control(c"arena.0.dirty_decay_ms", ptr::from_mut(&mut milliseconds).cast(), size_of::<isize>())
}

/// Writes one of the allocator's controls; says whether it was taken.
fn control(name: &CStr, value: *mut c_void, length: usize) -> bool {
    #[allow(unsafe_code, reason = "the allocator's controls have no safe interface")]
    // SAFETY: the name ends with a zero byte; `value` is null or points to `length` bytes that outlive the call, of
    // the type that the allocator documents for the control and checks by its length; nothing is read back.
    unsafe {
        tikv_jemalloc_sys::mallctl(name.as_ptr(), ptr::null_mut(), ptr::null_mut(), value, length) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decay(control: &CStr) -> isize {
        let (mut value, mut length) = (-2_isize, size_of::<isize>());
        #[allow(unsafe_code, reason = "the allocator's controls have no safe interface")]
        // SAFETY: the allocator writes at most `length` bytes, the size of `value`, and the length.
        let result = unsafe {
            tikv_jemalloc_sys::mallctl(
                control.as_ptr(),
                ptr::from_mut(&mut value).cast(),
                &mut length,
                ptr::null_mut(),
                0,
            )
        };
        assert_eq!(result, 0);
        value
    }

    #[test]
    fn nothing_is_kept_before_the_first_batch_and_a_moment_after() {
        // The setting of the arena itself belongs to the process, where other tests bring batches.
        assert_eq!(decay(c"arenas.dirty_decay_ms"), 0, "as `.cargo/config.toml` says");
        keep_freed_pages();
        assert_eq!(decay(c"arena.0.dirty_decay_ms"), KEPT_MS);
        assert!(control(c"arena.4096.purge", ptr::null_mut(), 0));
        give_back_freed_pages();
        assert!(!control(c"arena.0.no_such_control", ptr::null_mut(), 0));
    }
}
