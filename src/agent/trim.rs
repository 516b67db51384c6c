//! Gives back the code that only the start needed.
//!
//! Reading arguments and options, compiling filters and binding sockets touch most of the program once,
//! and the kernel maps whole runs of pages for each touch. Dropping those pages when the agent is ready
//! leaves what is used again: about 2 MB of 9 (`docs/performance.md`).

use std::fs;
use std::ops::Range;

/// Drops the pages of code that are mapped now; those in use come back by themselves.
pub(super) fn give_back_code() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    for range in maps.lines().filter_map(code) {
        #[allow(
            unsafe_code,
            reason = "no safe wrapper is in the tree, and it saves a fifth of the idle memory"
        )]
        // SAFETY: the range is a mapping of a file that is executable and not writable, so no page of it
        // can hold anything but the file's bytes: what is dropped is read from the file again when it is
        // next touched. An error leaves everything as it was.
        unsafe {
            libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED);
        }
    }
}

/// The addresses of a line of `/proc/self/maps`, when it maps a file's code that nobody writes to.
fn code(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_code = fields.next()? == "r-xp" && fields.nth(3)?.starts_with('/');
    let address = |text| usize::from_str_radix(text, 16).ok();
    is_code.then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_given_back() {
        let line = "55d0c0a00000-55d0c1300000 r-xp 00400000 fe:00 1234 /usr/bin/pillion";
        assert_eq!(code(line), Some(0x55d0_c0a0_0000..0x55d0_c130_0000));
        for other in [
            "55d0c1300000-55d0c1400000 r--p 00d00000 fe:00 1234 /usr/bin/pillion",
            "55d0c1400000-55d0c1500000 rw-p 00e00000 fe:00 1234 /usr/bin/pillion",
            "7ffd1b9f2000-7ffd1b9f4000 r-xp 00000000 00:00 0 [vdso]",
            "7f0000000000-7f0000001000 r-xp 00000000 00:00 0",
            "",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_without_its_pages() {
        give_back_code();
        assert_eq!((1..=10).sum::<u32>(), 55);
    }
}
