//! Gives back what only the start needed of the program's file.
//!
//! Reading arguments and options, compiling filters and binding sockets touch most of the code and of the
//! constants once, and the kernel maps whole runs of pages for each touch. Dropping those pages when the
//! agent is ready leaves what is used again (`docs/performance.md`). Pages that were written to, such as
//! relocated tables, must never be dropped: the file does not have them.

use std::fs;
use std::ops::Range;

/// Drops the pages of code and constants that are mapped now; those in use come back by themselves.
pub(super) fn give_back_file_pages() {
    let Ok(mappings) = fs::read_to_string("/proc/self/smaps") else { return };
    for range in unwritten(&mappings) {
        #[allow(
            unsafe_code,
            reason = "no safe wrapper is in the tree, and it saves a third of the idle memory"
        )]
        // SAFETY: the range is a mapping of a file that may not be written to and of which the process has
        // no page of its own, so no page of it can hold anything but the file's bytes: what is dropped is
        // read from the file again when it is next touched. An error leaves everything as it was.
        unsafe {
            libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED);
        }
    }
}

/// The addresses of those mappings of `/proc/self/smaps` that hold nothing but their file's bytes.
fn unwritten(mappings: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut mapping = None;
    for line in mappings.lines() {
        if let Some(own) = line.strip_prefix("Anonymous:") {
            let file_only = mapping.take();
            if own.trim() == "0 kB" {
                found.extend(file_only);
            }
        } else if let Some(range) = file_read_only(line) {
            mapping = Some(range);
        }
    }
    found
}

/// The addresses in the first line of a mapping, when it maps a file that may not be written to.
fn file_read_only(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let access = fields.next()?;
    let is_it = access.starts_with("r-") && access.ends_with('p') && fields.nth(3)?.starts_with('/');
    let address = |text| usize::from_str_radix(text, 16).ok();
    is_it.then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_the_file_is_given_back() {
        let mapping =
            |first: &str, own: &str| format!("{first}\nRss:  8 kB\nAnonymous:  {own} kB\nVmFlags: rd\n");
        let code = "55d0c0a00000-55d0c1300000 r-xp 00400000 fe:00 1234 /usr/bin/pillion";
        let constants = "55d0c1300000-55d0c1400000 r--p 00d00000 fe:00 1234 /usr/bin/pillion";
        let both = mapping(code, "0") + &mapping(constants, "0");
        assert_eq!(
            unwritten(&both),
            [0x55d0_c0a0_0000..0x55d0_c130_0000, 0x55d0_c130_0000..0x55d0_c140_0000]
        );
        for other in [
            mapping(constants, "388"),
            mapping("55d0c1400000-55d0c1500000 rw-p 00e00000 fe:00 1234 /usr/bin/pillion", "0"),
            mapping("55d0c1400000-55d0c1500000 r--s 00000000 fe:00 1235 /shared", "0"),
            mapping("55d0c1400000-55d0c1500000 ---p 00e00000 fe:00 1234 /usr/bin/pillion", "0"),
            mapping("7ffd1b9f2000-7ffd1b9f4000 r-xp 00000000 00:00 0 [vdso]", "0"),
            mapping("7f0000000000-7f0000001000 r-xp 00000000 00:00 0", "0"),
            // Written to before and not a file behind it: the amount must not be taken for the file's.
            mapping(code, "4") + &mapping("7f0000000000-7f0000001000 rw-p 00000000 00:00 0", "0"),
            String::new(),
        ] {
            assert!(unwritten(&other).is_empty(), "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_without_its_pages() {
        let own = fs::read_to_string("/proc/self/smaps").unwrap();
        assert!(unwritten(&own).len() > 1);
        give_back_file_pages();
        assert_eq!((1..=10).sum::<u32>(), 55);
    }
}
